"""A packet taken apart: where each header begins, what stands in it, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from handshake.crafter.command import command
from handshake.crafter.fields import PacketFields
from handshake.crafter.scapy_code import scapy_code
from handshake.tcp import Endpoint
from handshake.tcp.segment import HEADER

if TYPE_CHECKING:
    from handshake.crafter.problem import Problem
    from handshake.packet.ip_header import IpHeader
    from handshake.tcp import Segment
    from handshake.tcp.checksum import Checksum


@dataclass(frozen=True, slots=True)
class Decoded:
    """One packet: its octets as given, and what they mean."""

    octets: bytes
    beginning: str
    """What the octets begin with: one of `BEGINNINGS`."""

    via: tuple[str, ...]
    """Tags and tunnels, the outermost first."""

    ip: IpHeader | None
    """The innermost IP header; None where there is none."""

    ip_at: int
    """Its offset; without one, that of the TCP header."""

    at: int
    """The offset of the TCP header."""

    end: int
    """The end of the segment according to the IP header, which may be beyond the octets."""

    segment: Segment
    """Of a TCP header that is not whole, what is missing counts as zero."""

    checksum: Checksum
    right_checksum: int | None
    """The checksum that it should have; None where that cannot be known."""

    problems: tuple[Problem, ...] = ()
    """What is wrong with it, and remarks, in the order of the octets."""

    @property
    def captured(self) -> int:
        """How many octets of the segment are there."""
        return max(0, min(self.end, len(self.octets)) - self.at)

    @property
    def whole(self) -> bool:
        """Whether all octets of the segment are there, and the fixed header among them."""
        return HEADER.size <= self.captured == self.end - self.at

    @property
    def trailer(self) -> bytes:
        """What follows the packet."""
        return self.octets[self.end :]

    @property
    def packet(self) -> bytes:
        """The octets from the IP header on, without the trailer."""
        return self.octets[self.ip_at : self.end]

    @property
    def command(self) -> str:
        """The command line that makes the same octets, from the IP header on."""
        return command(self.fields)

    @property
    def scapy_code(self) -> str:
        """Python code that builds them with Scapy, as `packet`."""
        return scapy_code(self.fields)

    @property
    def fields(self) -> PacketFields:
        """The fields that make the same octets, from the IP header on."""
        seg, above = self.segment, self.ip
        ends = seg.source, seg.destination
        if above is not None:
            ends = (
                Endpoint(above.source, seg.source.port),
                Endpoint(above.destination, seg.destination.port),
            )
        # What was made up for headers that are not whole is cut off again.
        given = min(self.end, len(self.octets)) - self.ip_at
        made = (above.size if above else 0) + len(seg.pack()) + len(seg.payload)
        found = PacketFields(
            *ends,
            flags=seg.flags,
            seq=int(seg.seq),
            ack=seg.ack_field,
            window=seg.window,
            urgent=seg.urgent,
            reserved=seg.reserved,
            offset=seg.data_offset,
            options=seg.options.raw,
            payload=seg.payload,
            checksum=seg.checksum,
            bare=above is None,
            cut=given if given < made else None,
            trailer=self.trailer,
        )
        return found if above is None else _with_ip(found, above)


def _with_ip(fields: PacketFields, above: IpHeader) -> PacketFields:
    """Return the fields with those of an IP header."""
    found = replace(
        fields,
        ttl=above.ttl,
        tos=above.tos,
        protocol=above.protocol,
        length=above.length,
        extensions=above.extensions,
    )
    if above.version == 6:
        return replace(found, label=above.label)
    return replace(
        found,
        words=above.words,
        identification=above.identification,
        ip_flags=above.flags,
        fragment=above.fragment,
        ip_checksum=above.checksum,
        ip_options=above.options,
    )
