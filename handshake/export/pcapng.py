"""The packets of connections as pcapng, each with a comment on what it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handshake.capture.pcapng_writer import PcapngWriter
from handshake.escape import printable
from handshake.export.evidence import icmp_comment, step_comment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from handshake.export.document import ConnectionDocument, Document


class _Commented(NamedTuple):
    """A packet, and what stands before it in the order of the capture."""

    frame: int
    at: int
    octets: bytes
    outgoing: bool | None
    comments: tuple[str, ...]


def write_pcapng(document: Document, out: BinaryIO) -> None:
    """Write the packets in the order of their capture; those whose octets are unknown are omitted.

    The first packet of a connection has a second comment: how the connection ended, and why.
    """
    found = [each for connection in document.connections for each in _packets(connection)]
    # Of several captures the frames count from 1 in each: then their times tell the order.
    several = len({each.frame for each in found if each.frame}) < len(found)
    found.sort(key=lambda each: (0 if several else each.frame, each.at if several else 0))
    writer = PcapngWriter(out)
    for each in found:
        length = max(len(each.octets), _length(each.octets))
        writer.packet(each.octets, each.at, each.outgoing, each.comments, length)


def _packets(connection: ConnectionDocument) -> Iterator[_Commented]:
    about = " ".join((f"{connection.name}: {connection.summary}.", *connection.answer))
    for number, step in enumerate(connection.steps):
        seen = step.observed
        if seen.packet:
            comments = (step_comment(step), *(() if number else (printable(about),)))
            yield _Commented(seen.frame or 0, seen.at, seen.packet, seen.outgoing, comments)
    for error in connection.errors:
        if error.packet:
            yield _Commented(error.frame or 0, error.at, error.packet, None, (icmp_comment(error),))


def _length(packet: bytes) -> int:
    """Return how long an IP packet was on the wire, whatever was captured of it."""
    if packet[0] >> 4 == 6:
        return int.from_bytes(packet[4:6], "big") + 40
    return int.from_bytes(packet[2:4], "big")
