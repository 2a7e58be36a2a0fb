"""Segments in the RFC's own notation: `<SEQ=100><ACK=301><DATA=7><CTL=ACK>`."""

from __future__ import annotations

import re

from handshake.tcp import Endpoint, Flags, Options, Segment, Seq
from handshake.tcp import options as opt

A = Endpoint.of("192.0.2.10", 49152)
"""TCP Peer A: the client, in most figures."""

B = Endpoint.of("198.51.100.7", 80)
"""TCP Peer B: the one that listens, in most figures."""

LINUX = Options.of(
    opt.mss(1460), opt.sack_permitted(), opt.timestamps(1000), opt.nop(), opt.window_scale(7)
)
"""What a Linux host offers."""

_PARTS = re.compile(r"<(\w+)(?:=([\w,]+))?>")


def segment(
    text: str,
    *,
    by: Endpoint = A,
    options: Options | None = None,
    window: int = 65535,
) -> Segment:
    """Return the segment that the RFC would write so; `by` sent it to the other peer."""
    parts = dict(_PARTS.findall(text))
    assert "".join(match.group(0) for match in _PARTS.finditer(text)) == text, text
    flags = Flags(0)
    for name in filter(None, parts.get("CTL", "").split(",")):
        flags |= Flags[name]
    return Segment(
        source=by,
        destination=B if by == A else A,
        seq=Seq(int(parts["SEQ"])),
        ack=Seq(int(parts["ACK"])) if "ACK" in parts else None,
        flags=flags,
        window=window,
        options=options or Options(),
        payload=b"x" * int(parts.get("DATA") or 0),
    )
