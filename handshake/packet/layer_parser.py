"""Parses the layers of a frame down to the innermost TCP segment."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.packet import dot11, icmp, ip, link_layers, tunnels
from handshake.packet.checksum import judged
from handshake.packet.ip import Datagram
from handshake.packet.layer import (
    GRE,
    IP,
    IPV4,
    IPV6,
    LEAST_TYPE,
    UnknownLinkError,
    UnknownTypeError,
)
from handshake.packet.reassembly import Fragments
from handshake.packet.tags import WITHOUT_IP
from handshake.tcp.checksum import Checksum
from handshake.tcp.segment import WRONG_UDP
from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.packet.frame import Frame
    from handshake.packet.layer import Layer, Octets
    from handshake.tcp.icmp import IcmpError

Fields: TypeAlias = tuple[
    bytes,  # source address: 4 or 16 octets
    bytes,  # destination address: the final one
    int,  # source port
    int,  # destination port
    int,  # SEG.SEQ
    int,  # the acknowledgment field, ACK set or not
    int,  # data offset (4 bits), reserved (3), AE and the eight control bits, as in the header
    int,  # the window field, not scaled
    int,  # length of the payload, by the IP header
    bytes,  # the options, as far as captured
    int,  # time to live, or hop limit
    int,  # offset of the IP header
    int,  # offset of the TCP header
    int,  # end of the segment on the wire, which may be beyond the captured octets
    bytes | None,  # the reassembled octets, if they are not the frame's
    tuple[str, ...],  # tunnels and tags, the outermost first
]

_UDP: Final = 17
_MIN_HEADER: Final = 20
_DEEPEST: Final = 32
"""The most layers in a frame: more are an attack on the parser."""

_LAYERS: Final[dict[int, tuple[int, Layer]]] = {
    **link_layers.LAYERS,
    **tunnels.LAYERS,
    **dot11.LAYERS,
}
_IP_IN_IP: Final = {
    (4, IPV4): "ipip",
    (4, IPV6): "6in4",
    (16, IPV4): "4in6",
    (16, IPV6): "6in6",
}
"""Names of tunnels, by the length of the outer address and the inner protocol."""

_BY_SCAPY: Final = frozenset((119, 192, 195, 230))
"""Rare link types with IP, left to Scapy: Prism, PPI, IEEE 802.15.4."""

_TCP_HEADER: Final = struct.Struct("!HHIIHH").unpack_from


class LayerParser:
    """Parses frames of all link types; keeps fragments for reassembly."""

    def __init__(self) -> None:
        self.fragments = Fragments()
        self.damaged = 0
        """How many segments were in a UDP datagram with a wrong checksum."""

        self.first_damaged = 0

    def parse(self, frame: Frame) -> Fields | IcmpError | None:
        """Return the innermost segment, or the ICMP error that quotes one; None without either.

        Raises ValueError, IndexError, struct.error, UnknownLinkError, UnknownTypeError or
        EncryptedError if a layer cannot be parsed.
        """
        octets: Octets = frame.data
        whole: bytes | None = None
        kind, at, limit = (
            link_layers.LINKS.get(frame.link_type, 0),
            0,
            max(frame.length, len(octets)),
        )
        if not kind:
            octets = whole = _by_scapy(frame)
            kind, limit = IP if whole else 0, len(whole)
        via: tuple[str, ...] = ()
        before, outer, headers = 0, None, 0
        for _ in range(_DEEPEST):
            if kind in (IPV4, IPV6):
                # Only the outermost header tells the length of a frame.
                cut = frame.length == len(octets) and whole is None and not headers
                headers += 1
                header = ip.header(octets, at, limit, cut=cut)
                if header.fragment is not None:
                    joined = self.fragments.add(octets, at, header, via, frame.number)
                    if joined is None:
                        return None
                    octets = whole = joined.octets
                    at, limit = 0, joined.length
                    header = ip.header(octets, at, limit)
                protocol = header.protocol
                if protocol == TCP:
                    if outer is not None and _is_damaged(octets, header, *outer):
                        self.first_damaged = self.first_damaged or frame.number
                        self.damaged += 1
                        via += (WRONG_UDP,)
                    return _fields(octets, at, header, whole, via)
                if protocol in icmp.PROTOCOLS:
                    packet = Datagram.parse(bytes(octets[at:limit]), limit - len(octets))
                    return icmp.quoted(packet, frame.time, frame.number)
                if protocol == _UDP:
                    if header.end - header.at < 8:
                        return None
                    after = tunnels.udp(octets, header.at, header.end)
                    if after is None:
                        return None
                    before, outer = kind, (octets, header)
                    kind, at, limit, name = after
                else:
                    before = kind
                    kind = tunnels.PROTOCOLS.get(protocol, 0)
                    name = _IP_IN_IP.get((len(header.source), kind), "")
                    at, limit = header.at, header.end
            elif kind in _LAYERS:
                least, layer = _LAYERS[kind]
                if at + least > len(octets):
                    raise ip.CutError
                if at + least > limit:
                    raise ValueError("a header is longer than its packet")
                after = layer(octets, at, limit)
                if after is None:
                    return None
                before = kind
                kind, at, limit, name = after
            elif kind < LEAST_TYPE or kind in WITHOUT_IP:
                return None
            else:
                raise UnknownTypeError(kind, in_gre=before == GRE)
            if name:
                via += (name,)
        raise ValueError(f"more than {_DEEPEST} nested layers")


def _fields(
    octets: Octets,
    at: int,
    header: ip.Header,
    whole: bytes | None,
    via: tuple[str, ...],
) -> Fields:
    source, destination, ttl, _, begin, end, _ = header
    length = end - begin
    if min(length, len(octets) - begin) < _MIN_HEADER:
        raise ShortError
    sport, dport, seq, ack, bits, window = _TCP_HEADER(octets, begin)
    # An impossible data offset, as `Segment.parse` treats it.
    size = min(max(bits >> 10 & 0x3C, _MIN_HEADER), length)
    return (
        source,
        destination,
        sport,
        dport,
        seq,
        ack,
        bits,
        window,
        length - size,
        bytes(octets[begin + _MIN_HEADER : begin + size]),
        ttl,
        at,
        begin,
        end,
        whole,
        via,
    )


def _is_damaged(octets: Octets, header: ip.Header, outer_octets: Octets, outer: ip.Header) -> bool:
    """Whether the checksum of the UDP datagram around a segment is wrong."""
    field = bytes(outer_octets[outer.at + 6 : outer.at + 8])
    if field == b"\0\0" or _judged(outer_octets, outer, _UDP, 6) is not Checksum.WRONG:
        return False
    # The network card that fills in both changes what the outer one covers.
    return _judged(octets, header, TCP, 16) is not Checksum.PARTIAL


def _judged(octets: Octets, header: ip.Header, protocol: int, field: int) -> Checksum:
    covered = bytes(octets[header.at : header.end])
    if len(covered) < header.end - header.at:
        return Checksum.UNKNOWN
    return judged(header.source + header.destination, protocol, covered, field)


class ShortError(Exception):
    """The fixed part of the TCP header is truncated."""


def _by_scapy(frame: Frame) -> bytes:
    """Return the outermost IP packet of a frame whose link type is left to Scapy."""
    if frame.link_type not in _BY_SCAPY:
        raise UnknownLinkError(frame.link_type)
    # Only when needed: Scapy takes a third of a second to load.
    from handshake.packet.scapy_codec import ip_packet

    return ip_packet(frame.link_type, bytes(frame.data))
