"""Converts Scapy packets to segments and back."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from scapy.config import conf
from scapy.layers import l2  # noqa: F401 - its layers register themselves
from scapy.layers.inet import ICMP, IP, TCP, IPerror
from scapy.layers.inet6 import IPerror6, IPv6, _ICMPv6
from scapy.packet import NoPayload

from handshake import units
from handshake.packet.frame import Frame
from handshake.packet.ip import Datagram
from handshake.tcp import Segment
from handshake.tcp.address import ip_address
from handshake.tcp.options import MAX_OCTETS
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

_RAW = 101
"""The link type of packets that begin with their IP header."""

# Scapy logs odd packets to standard error; here events and findings report them.
logging.getLogger("scapy").setLevel(logging.CRITICAL)


def segment(packet: Any) -> Segment:
    """Return the innermost segment of a Scapy packet. Raises ValueError if it has none."""
    for layer in reversed(list(ip_layers(packet))):
        datagram = Datagram.parse(bytes(layer))
        if datagram.protocol == units.TCP and not datagram.fragment:
            return _parsed(datagram)
    raise ValueError("no TCP segment in this packet")


def packet(seg: Segment, ttl: int = 64, tos: int = 0) -> Any:
    """Return Scapy's packet for the segment, IP header on top; Scapy fills lengths and checksums.

    The header is that of the segment, malformed or not. Raises ValueError if the options take
    more than 40 octets.
    """
    options = seg.options.raw
    if len(options) > MAX_OCTETS:
        raise ValueError(f"TCP options take {len(options)} octets, but a header has room for 40")
    payload = seg.payload
    if payload:
        # The payload must begin at the data offset.
        options = options.ljust((seg.data_offset - 5) * 4, b"\0")
    header = TCP(
        sport=seg.source.port,
        dport=seg.destination.port,
        seq=int(seg.seq),
        ack=seg.ack_field,
        dataofs=seg.data_offset,
        reserved=seg.reserved,
        flags=int(seg.flags),
        window=seg.window,
        urgptr=seg.urgent,
    )
    if (read := _as_scapy_reads(options)) is None:
        payload = options + payload
    else:
        header.options = read
    # A scope names a local interface: it is not in the packet.
    source, destination = (
        str(end.address).partition("%")[0] for end in (seg.source, seg.destination)
    )
    if seg.source.version == 4:
        below = IP(src=source, dst=destination, ttl=ttl, tos=tos)
    else:
        below = IPv6(src=source, dst=destination, hlim=ttl, tc=tos)
    return below / header / payload if payload else below / header


def exact_packet(seg: Segment, ttl: int = 64, tos: int = 0) -> Any:
    """Return Scapy's packet with the segment exactly as it is, its checksum and length too."""
    found = packet(seg, ttl, tos)
    found[TCP].chksum = seg.checksum
    if missing := seg.payload_length - len(seg.payload):
        length = len(found) + missing
        if seg.source.version == 4:
            found[IP].len = length
        else:
            found[IPv6].plen = length - len(IPv6())
    return found


def frame(found: Any, number: int) -> Frame:
    """Return a Scapy packet as a frame of a capture."""
    octets = bytes(found)
    kind = type(found)
    # Scapy has two numbers for IP, which do not say what this one does.
    link_type = _RAW if issubclass(kind, IP | IPv6) else conf.l2types.layer2num.get(kind, 0)
    length = max(getattr(found, "wirelen", None) or 0, len(octets))
    at = int(found.time * NS_PER_SECOND)
    return Frame(number, at, 0, link_type, length, octets, 0)


def _parsed(datagram: Datagram) -> Segment:
    source, destination = ip_address(datagram.source), ip_address(datagram.destination)
    return Segment.parse(source, destination, datagram.payload, datagram.length)


def _as_scapy_reads(options: bytes) -> Any:
    """Return the options as Scapy's list; None if Scapy would write other octets for it."""
    field, header = TCP().get_field("options"), TCP()
    try:
        read = field.m2i(header, options)
        return read if field.i2m(header, read) == options else None
    except Exception:  # Scapy raises any exception on malformed options
        return None


def ip_layers(packet: Any) -> Iterator[Any]:
    """Yield the IP headers of a Scapy packet, the outermost first; not those quoted in ICMP."""
    layer = packet
    while not isinstance(layer, NoPayload | TCP | ICMP | _ICMPv6 | IPerror | IPerror6):
        if isinstance(layer, IP | IPv6):
            yield layer
        layer = layer.payload


def ip_packet(link_type: int, octets: bytes) -> bytes:
    """Return the outermost IP packet of a frame whose link layer is left to Scapy, or b"".

    Raises ValueError if Scapy fails.
    """
    # Imported for their side effect: a layer registers itself with those below it.
    from scapy.layers import dot11, dot15d4, ppi, sixlowpan  # noqa: F401

    try:
        found = conf.l2types.num2layer[link_type](octets)
        return next((bytes(layer.original) for layer in ip_layers(found)), b"")
    except Exception as error:  # Scapy raises exceptions of any class on hostile octets
        raise ValueError(f"Scapy failed: {type(error).__name__}") from error
