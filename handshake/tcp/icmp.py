"""ICMP errors about a TCP segment, which each of them quotes (section 3.9.2.2)."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from handshake.tcp.copy import value

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from handshake.tcp.segment import Endpoint
    from handshake.tcp.seq import Seq

_UNREACHABLE_V4: Final = (
    "network unreachable",
    "host unreachable",
    "protocol unreachable",
    "port unreachable",
    "fragmentation needed",
    "source route failed",
    "network unknown",
    "host unknown",
    "source host isolated",
    "network administratively prohibited",
    "host administratively prohibited",
    "network unreachable for this type of service",
    "host unreachable for this type of service",
    "communication administratively prohibited",
    "host precedence violation",
    "precedence cutoff in effect",
)

_TOO_BIG_V4: Final = 4

_UNREACHABLE_V6: Final = (
    "no route to destination",
    "communication administratively prohibited",
    "beyond scope of source address",
    "address unreachable",
    "port unreachable",
    "source address failed ingress/egress policy",
    "reject route to destination",
    "error in source routing header",
)


_EXCEEDED: Final = {
    0: "time to live exceeded in transit",
    1: "fragment reassembly time exceeded",
}


@value(frozen=True, slots=True)
class IcmpError:
    """An ICMP error that quotes a TCP segment."""

    version: int
    """4 for ICMP, 6 for ICMPv6: the same numbers mean other things."""

    type: int
    code: int
    sender: IPv4Address | IPv6Address
    """Where it comes from: a router on the path, the target, or this machine itself."""

    source: Endpoint
    """The sender of the quoted segment."""

    destination: Endpoint
    """The receiver of the quoted segment."""

    seq: Seq
    """SEG.SEQ of the quoted segment: a host that did not see it can hardly guess it."""

    mtu: int = 0
    """The MTU of the link that the segment was too big for; 0 where none is reported."""

    at: int = 0
    """When it arrived, in nanoseconds since 1970."""

    frame: int | None = None
    """The frame number in the capture, from 1; None on a live network."""

    packet: bytes = field(default=b"", compare=False, repr=False)
    """The octets of the IP packet as captured, to be shown."""

    @property
    def unreachable(self) -> bool:
        """Whether the quoted segment was dropped, and a smaller one would be, too.

        Like Linux, ignore unknown codes of ICMP, and that a router did not reassemble fragments.
        """
        if self.version == 4:
            if self.type == 3:
                return self.code != _TOO_BIG_V4 and self.code < len(_UNREACHABLE_V4)
            return self.type == 12 or (self.type == 11 and self.code == 0)
        return self.type in (1, 3, 4)

    @property
    def too_big(self) -> bool:
        """Whether the quoted segment was too big for a link of the path (RFC 1191, RFC 8201)."""
        return (self.version, self.type, self.code) == (4, 3, _TOO_BIG_V4) or (
            (self.version, self.type) == (6, 2)
        )

    @property
    def soft(self) -> bool:
        """Whether it is a soft error: a TCP must not abort on it (section 3.9.2.2, MUST-56)."""
        if self.version == 4:
            return (self.type == 3 and self.code in (0, 1, 5)) or self.type in (11, 12)
        return (self.type == 1 and self.code in (0, 3)) or self.type in (3, 4)

    @property
    def expired(self) -> bool:
        """Whether a router dropped the segment because its TTL was used up."""
        return (self.version, self.type, self.code) in ((4, 11, 0), (6, 3, 0))

    @property
    def meaning(self) -> str:
        """What type and code mean: `port unreachable`."""
        names = _UNREACHABLE_V4 if self.version == 4 else _UNREACHABLE_V6
        if self.type == (3 if self.version == 4 else 1) and self.code < len(names):
            return names[self.code]
        if self.type == (11 if self.version == 4 else 3):
            return _EXCEEDED.get(self.code, "time exceeded")
        if self.type == (12 if self.version == 4 else 4):
            return "parameter problem"
        if self.version == 6 and self.type == 2:
            return "packet too big"
        return f"type {self.type}, code {self.code}"

    def __str__(self) -> str:
        name = "ICMP" if self.version == 4 else "ICMPv6"
        return f"{self.meaning} ({name} {self.type}/{self.code})"
