"""One frame, and what is seen in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handshake.packet.decode import Decoder
from handshake.packet.frame import Frame
from handshake.tcp import Endpoint, Observed
from tests.errors import coded
from tests.segments import LINUX, segment

if TYPE_CHECKING:
    from handshake.tcp.icmp import IcmpError

A6, B6 = Endpoint.of("2001:db8::a", 49152), Endpoint.of("2001:db8::b", 443)
SYN = segment("<SEQ=100><CTL=SYN>", options=LINUX)
DATA = segment("<SEQ=101><ACK=301><DATA=7><CTL=PSH,ACK>")


def found(
    packet: Any, link_type: int = 1, *, captured: int | None = None, length: int | None = None
) -> tuple[Observed | IcmpError | None, list[tuple[str, dict[str, Any]]]]:
    """What is found in a packet, as captured in one frame, and the decoder's warnings."""
    octets = bytes(packet)
    length = len(octets) if length is None else length
    decoder = Decoder()
    frame = Frame(7, 1_000, 0, link_type, length, memoryview(octets)[:captured], 40)
    return decoder.observed(frame), coded(decoder.warnings)


def seen(
    packet: Any, link_type: int = 1, *, captured: int | None = None, length: int | None = None
) -> tuple[Observed | None, list[tuple[str, dict[str, Any]]]]:
    """What is seen of a segment; an ICMP error is none."""
    what, warnings = found(packet, link_type, captured=captured, length=length)
    return what if isinstance(what, Observed) else None, warnings
