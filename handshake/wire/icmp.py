"""ICMP errors: what somebody on the way says of a segment of ours, and which one he quotes."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from handshake.tcp import Endpoint, Seq
from handshake.wire.datagram import TCP, Datagram

if TYPE_CHECKING:
    from handshake.wire.ip import Address

_VERSIONS: Final = {1: 4, 58: 6}
"""The version of IP, by the protocol number of its ICMP."""

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


@dataclass(frozen=True, slots=True)
class IcmpError:
    """An ICMP error that quotes a TCP segment."""

    version: int
    """4 for ICMP, 6 for ICMPv6: the same numbers mean other things."""

    type: int
    code: int
    sender: Address
    """Who says so: a router on the way, the target, or this machine itself."""

    source: Endpoint
    """The sender of the quoted segment."""

    destination: Endpoint
    """The receiver of the quoted segment."""

    seq: Seq
    """SEG.SEQ of the quoted segment: who did not see it can hardly guess it."""

    at: int = 0
    """When it arrived, in nanoseconds since 1970."""

    @classmethod
    def parse(cls, datagram: Datagram, at: int = 0) -> IcmpError | None:
        """Return the error in this packet; None where it is none, or quotes no TCP."""
        version = _VERSIONS.get(datagram.protocol)
        octets = datagram.payload
        if version is None or len(octets) < 8 or not _is_error(version, octets[0]):
            return None
        try:
            quoted = Datagram.parse(octets[8:])
        except ValueError:
            return None
        # Eight octets of the quoted payload are all that an old router sends (RFC 792).
        if quoted.protocol != TCP or len(quoted.payload) < 8:
            return None
        ports_and_seq = quoted.payload
        return cls(
            version=version,
            type=octets[0],
            code=octets[1],
            sender=ip_address(datagram.source),
            source=_endpoint(quoted.source, ports_and_seq[0:2]),
            destination=_endpoint(quoted.destination, ports_and_seq[2:4]),
            seq=Seq(int.from_bytes(ports_and_seq[4:8], "big")),
            at=at,
        )

    @property
    def unreachable(self) -> bool:
        """Whether the quoted segment was thrown away for good, whatever its size."""
        if self.version == 4:
            return self.type in (11, 12) or (self.type == 3 and self.code != 4)
        return self.type in (1, 3, 4)

    @property
    def words(self) -> str:
        """What type and code mean, in words."""
        names = _UNREACHABLE_V4 if self.version == 4 else _UNREACHABLE_V6
        if self.type == (3 if self.version == 4 else 1) and self.code < len(names):
            return names[self.code]
        if self.type == (11 if self.version == 4 else 3):
            return "time to live exceeded on the way"
        if self.type == (12 if self.version == 4 else 4):
            return "parameter problem"
        if self.version == 6 and self.type == 2:
            return "packet too big"
        return f"type {self.type}, code {self.code}"

    def __str__(self) -> str:
        name = "ICMP" if self.version == 4 else "ICMPv6"
        return f"{self.words} ({name} {self.type}/{self.code})"


def _is_error(version: int, kind: int) -> bool:
    return kind in (3, 11, 12) if version == 4 else 1 <= kind <= 4


def _endpoint(address: bytes, port: bytes) -> Endpoint:
    return Endpoint(ip_address(address), int.from_bytes(port, "big"))
