"""Packets to segments and back: the frontier between Scapy's types and ours."""

from __future__ import annotations

import struct
from collections import Counter
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from handshake.tcp import Observed, Segment
from handshake.tcp.options import MAX_OCTETS
from handshake.wire import datagram as network
from handshake.wire.datagram import Datagram
from handshake.wire.dissect import NAMES, UnknownLinkError, dissect, ip_layers

if TYPE_CHECKING:
    from handshake.wire.frame import Frame

_MIN_HEADER: Final = 20


class Decoder:
    """Finds the segment in each frame, and counts the frames where something was in the way."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def observed(self, frame: Frame) -> Observed | None:
        """Return the innermost TCP segment of the frame; None where it holds none. Never raises."""
        try:
            packet = dissect(frame.link_type, bytes(frame.data))
            layers = [layer.original for layer in ip_layers(packet)]
        except UnknownLinkError:
            name = NAMES.get(frame.link_type)
            shown = f"{frame.link_type} ({name})" if name else str(frame.link_type)
            self._pass_over(f"of link type {shown}, which is not read", frame)
            return None
        except struct.error:
            self._pass_over("cut off inside the first header", frame)
            return None
        except Exception as error:  # what Scapy may raise on hostile octets, nobody has listed
            self._pass_over(f"not understood ({type(error).__name__})", frame)
            return None
        missing = max(0, frame.length - len(frame.data))
        for octets in reversed(layers):
            try:
                datagram = Datagram.parse(octets, missing)
            except ValueError as error:
                self._pass_over(f"malformed: {error}", frame)
                continue
            if datagram.protocol == network.TCP:
                return self._segment(datagram, frame)
        return None

    def _segment(self, datagram: Datagram, frame: Frame) -> Observed | None:
        if datagram.fragment:
            self._pass_over("part of a fragmented TCP segment, which is not put together", frame)
            return None
        if len(datagram.payload) < _MIN_HEADER:
            self._pass_over("too short to hold a TCP header", frame)
            return None
        return Observed(
            segment=_parsed(datagram),
            at=frame.time,
            frame=frame.number,
            length=frame.length,
            ttl=datagram.ttl,
            checksum_ok=datagram.checksum_ok,
            packet=datagram.packet,
        )

    def _pass_over(self, what: str, frame: Frame) -> None:
        self._seen[what] += 1
        self._first.setdefault(what, frame.number)

    @property
    def warnings(self) -> list[str]:
        """What stood in the way so far: a line for each kind, with its first frame."""
        return [
            f"{count} packet{' was' if count == 1 else 's were'} {what} "
            f"(first: frame {self._first[what]})"
            for what, count in self._seen.items()
        ]


def segment(packet: Any) -> Segment:
    """Return the innermost segment of a Scapy packet. Raises ValueError where it has none."""
    for layer in reversed(list(ip_layers(packet))):
        datagram = Datagram.parse(bytes(layer))
        if datagram.protocol == network.TCP and not datagram.fragment:
            return _parsed(datagram)
    raise ValueError("there is no TCP segment in this packet")


def packet(seg: Segment, ttl: int = 64) -> Any:
    """Return Scapy's packet for the segment, IP header on top; Scapy fills lengths and checksums.

    The header is as the segment has it, malformed or not. Raises ValueError where the
    options take more than the 40 octets that a header has room for.
    """
    options = seg.options.raw
    if len(options) > MAX_OCTETS:
        raise ValueError(f"options take {len(options)} octets, and a header has room for 40")
    payload = seg.payload
    if payload:
        # The receiver looks for the payload where the data offset points.
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
    # A scope names an interface of this machine: it is not in the packet.
    source, destination = (
        str(end.address).partition("%")[0] for end in (seg.source, seg.destination)
    )
    if seg.source.version == 4:
        below = IP(src=source, dst=destination, ttl=ttl)
    else:
        below = IPv6(src=source, dst=destination, hlim=ttl)
    return below / header / payload if payload else below / header


def _parsed(datagram: Datagram) -> Segment:
    source, destination = ip_address(datagram.source), ip_address(datagram.destination)
    return Segment.parse(source, destination, datagram.payload, datagram.length)


def _as_scapy_reads(options: bytes) -> Any:
    """Return the options as Scapy's list; None where Scapy would write other octets for it."""
    field, header = TCP().get_field("options"), TCP()
    try:
        read = field.m2i(header, options)
        return read if field.i2m(header, read) == options else None
    except Exception:  # Scapy raises what it likes on malformed options
        return None
