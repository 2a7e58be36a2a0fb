"""What an IP packet carries, by its own header: cut, fragmented and routed ones as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from handshake.wire.ip import checksum

TCP: Final = 6

_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION = 0, 43, 44, 51, 60
_HOST_IDENTITY, _SHIM6 = 139, 140

_IN_OCTETS_OF_EIGHT: Final = frozenset(
    (_HOP_BY_HOP, _ROUTING, _DESTINATION, _HOST_IDENTITY, _SHIM6)
)
_SEGMENT_ROUTING: Final = 4


@dataclass(frozen=True, slots=True)
class Datagram:
    """An IP header, what stands between it and the payload, and the payload."""

    packet: bytes
    """Its octets as captured, without the padding of a short frame."""

    source: bytes
    """The address in octets: 4 or 16 of them."""

    destination: bytes
    """Where it goes in the end, which a routing header may keep."""

    ttl: int
    """Time to live, or hop limit."""

    protocol: int
    """What the payload is."""

    fragment: bool
    """Whether the payload is only a part: the first one or a later one."""

    payload: bytes
    """What was captured of the payload."""

    length: int
    """How many octets of payload there were, by the header."""

    @classmethod
    def parse(cls, octets: bytes, missing: int = 0) -> Datagram:
        """Return what these octets are; the capture left out as many after them as `missing`.

        Raises ValueError where no receiver could read the header.
        """
        version = octets[0] >> 4 if octets else 0
        if version == 4 and len(octets) >= 20:
            return cls._parse_v4(octets, missing)
        if version == 6 and len(octets) >= 40:
            return cls._parse_v6(octets, missing)
        raise ValueError("no IP header")

    @classmethod
    def _parse_v4(cls, octets: bytes, missing: int) -> Datagram:
        at, total = (octets[0] & 0xF) * 4, int.from_bytes(octets[2:4], "big")
        if at < 20 or 0 < total < at:
            raise ValueError("the lengths in the IP header contradict each other")
        fragmentation = int.from_bytes(octets[6:8], "big")
        if fragmentation & 0x1FFF:
            chain = _Chain(octets[9], at, fragment=True)
        else:
            chain = _Chain.walk(octets, octets[9], at)
            chain.fragment |= bool(fragmentation & 0x2000)
        return cls._of(octets, missing, total, chain, octets[12:16], octets[16:20], octets[8])

    @classmethod
    def _parse_v6(cls, octets: bytes, missing: int) -> Datagram:
        total = int.from_bytes(octets[4:6], "big")
        chain = _Chain.walk(octets, octets[6], 40)
        destination = chain.destination or octets[24:40]
        total = total and total + 40
        return cls._of(octets, missing, total, chain, octets[8:24], destination, octets[7])

    @classmethod
    def _of(
        cls,
        octets: bytes,
        missing: int,
        total: int,
        chain: _Chain,
        source: bytes,
        destination: bytes,
        ttl: int,
    ) -> Datagram:
        # A total of 0 is a packet that the network card was to cut into segments, or a jumbogram
        # (RFC 2675). And what the frame never had cannot have reached anybody.
        there = len(octets) + missing
        total = min(total or there, there)
        if chain.at > total:
            raise ValueError("the headers are longer than the packet")
        return cls(
            packet=octets[:total],
            source=source,
            destination=destination,
            ttl=ttl,
            protocol=chain.protocol,
            fragment=chain.fragment,
            payload=octets[chain.at : total],
            length=total - chain.at,
        )

    @property
    def checksum_ok(self) -> bool | None:
        """Whether the TCP checksum is right; None where the capture cut the packet."""
        if len(self.payload) < self.length:
            return None
        return checksum(self.source, self.destination, self.payload) == 0


@dataclass(slots=True)
class _Chain:
    """Where the headers that may follow an IP header lead (RFC 8200 section 4)."""

    protocol: int
    at: int
    fragment: bool = False
    destination: bytes = b""

    @classmethod
    def walk(cls, octets: bytes, protocol: int, at: int) -> _Chain:
        """Return where the chain ends. Raises ValueError where the octets end before."""
        chain = cls(protocol, at)
        while not chain.fragment:
            at, protocol = chain.at, chain.protocol
            if protocol not in _IN_OCTETS_OF_EIGHT and protocol not in (_FRAGMENT, _AUTHENTICATION):
                break
            if at + 8 > len(octets):
                raise ValueError("the packet ends inside an extension header")
            chain.protocol = octets[at]
            if protocol == _FRAGMENT:
                # Offset 0 and no more to come: an atomic fragment is whole (RFC 6946).
                chain.fragment = bool(int.from_bytes(octets[at + 2 : at + 4], "big") & 0xFFF9)
                chain.at = at + 8
            elif protocol == _AUTHENTICATION:
                chain.at = at + (octets[at + 1] + 2) * 4
            else:
                chain.at = at + (octets[at + 1] + 1) * 8
                if protocol == _ROUTING and octets[at + 3]:
                    chain.destination = _last_stop(octets[at : chain.at])
        return chain


def _last_stop(routing: bytes) -> bytes:
    """Return the address that a routing header with stops left leads to; empty if it has none."""
    if len(routing) < 24:
        return b""
    # Segment routing lists the stops from the last to the first (RFC 8754 section 2).
    return routing[8:24] if routing[2] == _SEGMENT_ROUTING else routing[-16:]
