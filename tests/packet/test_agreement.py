"""What is read from octets directly is what Scapy's dissection gives, damaged frames included."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st
from scapy.contrib import erspan, geneve, gtp, mpls  # noqa: F401 - they bind themselves
from scapy.layers import l2tp, ppp, vxlan  # noqa: F401
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Ether

from handshake.capture.open import read
from handshake.packet.decode import Decoder, _address, observed
from handshake.packet.frame import Frame
from handshake.packet.ip import Datagram
from handshake.packet.layer_parser import LayerParser
from handshake.packet.scapy_codec import ip_layers
from handshake.tcp import Observed, Segment
from handshake.units import TCP
from tests.oracle import public
from tests.packet import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

LINKS: dict[int, Any] = {1: Ether, 113: CookedLinux, 276: CookedLinuxV2}
RAW = (12, 14, 101)


def by_scapy(frame: Frame) -> list[tuple[Segment, bytes]]:
    """The segments in what Scapy takes for IP packets, the innermost first."""
    octets = bytes(frame.data)
    layer = LINKS.get(frame.link_type) or {4: IP, 6: IPv6}[octets[0] >> 4]
    missing = max(0, frame.length - len(octets))
    segments = []
    for each in reversed(list(ip_layers(layer(octets)))):
        datagram = Datagram.parse(each.original, missing)
        if datagram.protocol == TCP and not datagram.fragment and len(datagram.payload) >= 20:
            ends = _address(datagram.source), _address(datagram.destination)
            segment = Segment.parse(*ends, datagram.payload, datagram.length)
            segments.append((segment, datagram.packet))
    return segments


def frames(path: Path) -> Iterator[Frame]:
    with read(path) as capture:
        for frame in capture:
            if frame.link_type in LINKS or (frame.link_type in RAW and len(frame.data)):
                yield frame


CAPTURES = sorted((Path(__file__).parents[2] / "captures").glob("*.pcap"))
# Scapy knows no fragments and no FabricPath, and stops at the outside of the other tunnels.
BEYOND_SCAPY = ("cisco-fabric", "pbb", "gre-over-udp", "gtp1_gn", "nb6-http")
WITHIN_SCAPY = [
    path
    for path in [*CAPTURES, *public.captures()]
    if not any(name in path.name for name in BEYOND_SCAPY)
]


@public.each(WITHIN_SCAPY)
def test_every_capture(path: Path) -> None:
    decoder = Decoder()
    for frame in frames(path):
        found = decoder.observed(frame)
        try:
            theirs = by_scapy(frame)
        except ValueError:
            theirs = []
        if isinstance(found, Observed):
            assert (found.segment, found.packet) == theirs[0]
        else:
            assert theirs == []


DAMAGE = st.lists(st.tuples(st.integers(0, 300), st.integers(0, 255)), max_size=4)


@given(st.sampled_from(wrapped.ALL), DAMAGE, st.integers(0, 300), st.integers(0, 400))
def test_nothing_that_was_a_packet_raises(
    model: wrapped.Wrapped, damage: list[tuple[int, int]], captured: int, length: int
) -> None:
    link_type, packet, _ = model
    octets = bytearray(bytes(packet))
    for at, octet in damage:
        octets[at % len(octets)] = octet
    frame = Frame(1, 0, 0, link_type, length, memoryview(bytes(octets))[:captured], 0)
    found = Decoder().fields(frame)
    if isinstance(found, tuple):
        # The short way of what is ordinary comes to the same as the long one.
        assert LayerParser().parse(frame) == found
        seen = observed(frame, found)
        seg = seen.segment
        assert found[:2] == (seg.source.address.packed, seg.destination.address.packed)
        assert found[2:6] == (seg.source.port, seg.destination.port, int(seg.seq), seg.ack_field)
        assert found[6] == seg.data_offset << 12 | seg.reserved << 9 | int(seg.flags)
        assert found[7:10] == (seg.window, seg.payload_length, seg.options.raw)


@given(st.sampled_from([*range(300), 9999]), st.binary(max_size=200))
def test_nothing_on_a_wire_raises(link_type: int, octets: bytes) -> None:
    Decoder().observed(Frame(1, 0, 0, link_type, len(octets), octets, 0))


IPV6_HEADER = 40

PLAIN = [
    (kind, packet, via)
    for kind, packet, via in wrapped.ALL
    if kind in LINKS and all(name.startswith("vlan") for name in via)
]


@given(st.sampled_from(PLAIN), DAMAGE)
def test_damaged_headers_are_read_as_scapy_reads_them(
    model: wrapped.Wrapped, damage: list[tuple[int, int]]
) -> None:
    """Where both find a segment it is the same: each knows layers that the other does not."""
    link_type, packet, _ = model
    octets = bytearray(bytes(packet))
    for at, octet in damage:
        octets[at % len(octets)] = octet
    frame = Frame(1, 0, 0, link_type, len(octets), bytes(octets), 0)
    found = Decoder().observed(frame)
    try:
        theirs = by_scapy(frame)
    except Exception:  # Scapy may raise anything
        return
    if isinstance(found, Observed) and theirs:
        expected, packet = theirs[0]
        told = IPV6_HEADER + found.segment.data_offset * 4 + found.segment.payload_length
        if expected.source.version == 6 and len(found.packet) < told:
            # Longer than its frame by its own header: we take the frame for cut, Scapy does not.
            cut = replace(found.segment, payload_length=expected.payload_length)
            assert (cut, found.packet) == (expected, packet)
            return
        assert (found.segment, found.packet) == (expected, packet)
