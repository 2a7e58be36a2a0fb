"""IP headers field by field, right or wrong: parsed from octets, and packed to the same octets."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from handshake.packet.checksum import internet_checksum
from handshake.tcp.address import ip_address
from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

V4: Final = struct.Struct("!BBHHHBBH4s4s")
V6: Final = struct.Struct("!IHBB16s16s")

LEAST_WORDS: Final = 5
"""The length of an IPv4 header without options, in words of 32 bits."""

MORE_FRAGMENTS: Final = 1


@dataclass(frozen=True, slots=True)
class IpHeader:
    """An IPv4 or IPv6 header exactly as it is. What the other version lacks has its default."""

    source: Address
    destination: Address
    """The address in the header: of a source route, that of the next host."""

    ttl: int = 64
    """Time to live, or hop limit."""

    tos: int = 0
    """The type of service octet, or the traffic class."""

    protocol: int = TCP
    """The number of what follows, or of the first extension header."""

    length: int = 0
    """The length field: of IPv4 it counts the whole packet, of IPv6 what follows the header."""

    extensions: bytes = b""
    """The extension headers between this header and the segment."""

    words: int = LEAST_WORDS
    """IHL: the length of the IPv4 header in words of 32 bits, as it claims."""

    identification: int = 0
    flags: int = 0
    """Three bits of IPv4: reserved (4), don't fragment (2), more fragments (1)."""

    fragment: int = 0
    """The offset of an IPv4 fragment, in units of eight octets."""

    checksum: int = 0
    """The checksum of the IPv4 header."""

    options: bytes = b""
    """The options of IPv4."""

    label: int = 0
    """The flow label of IPv6."""

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.source.version

    @property
    def size(self) -> int:
        """Octets of the header, options and extension headers."""
        fixed = V4.size if self.version == 4 else V6.size
        return fixed + len(self.options) + len(self.extensions)

    @property
    def is_fragment(self) -> bool:
        """Whether IPv4 says that it is a fragment."""
        return bool(self.fragment or self.flags & MORE_FRAGMENTS)

    def pack(self) -> bytes:
        """Return the octets, bit for bit."""
        ends = self.source.packed, self.destination.packed
        if self.version == 6:
            first = 6 << 28 | self.tos << 20 | self.label
            fixed = V6.pack(first, self.length, self.protocol, self.ttl, *ends)
            return fixed + self.extensions
        fixed = V4.pack(
            4 << 4 | self.words,
            self.tos,
            self.length,
            self.identification,
            self.flags << 13 | self.fragment,
            self.ttl,
            self.protocol,
            self.checksum,
            *ends,
        )
        return fixed + self.options + self.extensions

    @property
    def right_checksum(self) -> int:
        """The checksum that an IPv4 header should have (RFC 791)."""
        octets = replace(self, checksum=0, extensions=b"").pack()
        return internet_checksum(octets)

    @classmethod
    def parse(cls, octets: bytes, extensions: int = 0) -> IpHeader:
        """Return the header that these octets begin with, and so many octets of extension headers.

        An IPv4 header whose IHL is impossible has no options. Raises ValueError if the fixed part
        is not there.
        """
        version = octets[0] >> 4 if octets else 0
        if version == 4 and len(octets) >= V4.size:
            # fmt: off
            (first, tos, length, identification, part, ttl, protocol, checksum,
             source, destination) = V4.unpack(octets[: V4.size])
            # fmt: on
            words = first & 0xF
            end = max(words, LEAST_WORDS) * 4
            return cls(
                ip_address(source),
                ip_address(destination),
                ttl=ttl,
                tos=tos,
                protocol=protocol,
                length=length,
                extensions=octets[end : end + extensions],
                words=words,
                identification=identification,
                flags=part >> 13,
                fragment=part & 0x1FFF,
                checksum=checksum,
                options=octets[V4.size : end],
            )
        if version == 6 and len(octets) >= V6.size:
            first, length, protocol, ttl, source, destination = V6.unpack(octets[: V6.size])
            return cls(
                ip_address(source),
                ip_address(destination),
                ttl=ttl,
                tos=first >> 20 & 0xFF,
                protocol=protocol,
                length=length,
                extensions=octets[V6.size : V6.size + extensions],
                label=first & 0xFFFFF,
            )
        raise ValueError("no whole IP header")
