"""What went over the wire, drawn from a capture as the RFC draws segments."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from handshake.capture.open import read
from handshake.packet.decode import Decoder
from handshake.tcp import Endpoint, Observed, Segment, Seq
from handshake.tcp.icmp import IcmpError

ISS, IRS = 100, 300
"""The numbers that the figures of the RFC give to the two SYNs: so are they drawn."""


def packets(path: Path) -> list[Observed | IcmpError]:
    """Return every segment in a capture, and every ICMP error that quotes one."""
    decoder = Decoder()
    return [found for frame in read(path) if (found := decoder.observed(frame)) is not None]


def segments(path: Path) -> list[Observed]:
    """Return every segment in a capture."""
    return [each for each in packets(path) if isinstance(each, Observed)]


def draw(path: Path, client: str) -> list[str]:
    """Return a line for each packet between the caller, who is at this address, and others.

    His numbers are drawn as if his SYN had 100, those of the others as if theirs had 300; where
    there is no SYN, as they are.
    """
    seen = packets(path)
    iss = _first(seen, client, ours=True)
    irs = _first(seen, client, ours=False)
    return [_line(each, client, iss, irs) for each in seen]


def ours(lines: Iterable[str]) -> list[str]:
    """Return those lines that the caller sent."""
    return [each for each in lines if each.startswith("-->")]


def seconds(seen: Iterable[Observed]) -> list[float]:
    """Return when each was seen, in seconds since the first."""
    times = [each.at for each in seen]
    return [(at - times[0]) / 1e9 for at in times]


def on_time(measured: Sequence[float], wanted: Sequence[float]) -> bool:
    """Whether each timer of ours ran as long as it had to: on a busy machine it runs longer."""
    early = 0.02
    return len(measured) == len(wanted) and all(
        due - early <= at < due + 0.5 for at, due in zip(measured, wanted, strict=True)
    )


def _first(seen: Iterable[Observed | IcmpError], client: str, *, ours: bool) -> int | None:
    for each in seen:
        if isinstance(each, IcmpError) or not each.segment.syn:
            continue
        if _is(each.segment.source, client) == ours:
            return int(each.segment.seq)
    return None


def _line(found: Observed | IcmpError, client: str, iss: int | None, irs: int | None) -> str:
    if isinstance(found, IcmpError):
        arrow, base = ("<--", iss) if _is(found.source, client) else ("-->", irs)
        quoted = _shifted(found.seq, base, ISS if arrow == "<--" else IRS)
        return f"{arrow} {found.sender} says {found} of <SEQ={quoted}>"
    seg = found.segment
    if _is(seg.source, client):
        return f"--> {_renumbered(seg, iss, ISS, irs, IRS)}"
    return f"<-- {_renumbered(seg, irs, IRS, iss, ISS)}"


def _renumbered(seg: Segment, here: int | None, to: int, there: int | None, to_ack: int) -> Segment:
    ack = None if seg.ack is None else _shifted(seg.ack, there, to_ack)
    # The number of a RST is its receiver's acknowledgment, or 0 where it had none.
    seq = Seq(0) if seg.rst and int(seg.seq) == 0 else _shifted(seg.seq, here, to)
    return replace(seg, seq=seq, ack=ack)


def _shifted(number: Seq, first: int | None, to: int) -> Seq:
    return number if first is None else number + (to - first)


def _is(end: Endpoint, address: str) -> bool:
    return end.address == ip_address(address)
