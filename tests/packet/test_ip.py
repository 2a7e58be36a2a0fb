from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.packet.ip import Datagram
from handshake.units import TCP

A4, B4, C4 = bytes((192, 0, 2, 10)), bytes((198, 51, 100, 7)), bytes((203, 0, 113, 5))
A6, B6, C6 = (bytes.fromhex("20010db8") + bytes(11) + bytes((last,)) for last in (1, 2, 3))


def v4(
    payload: bytes,
    total: int | None = None,
    words: int = 5,
    fragmentation: int = 0,
    protocol: int = TCP,
) -> bytes:
    total = words * 4 + len(payload) if total is None else total
    fixed = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, 1, fragmentation, 64, protocol, 0)
    return fixed + A4 + B4 + bytes(max(0, words - 5) * 4) + payload


def v6(payload: bytes, protocol: int = TCP, length: int | None = None) -> bytes:
    length = len(payload) if length is None else length
    return struct.pack("!IHBB", 0x60000000, length, protocol, 64) + A6 + B6 + payload


def test_the_fields_of_an_ipv4_header() -> None:
    packet = v4(b"payload", words=7)
    assert Datagram.parse(packet + b"padding of the frame") == Datagram(
        packet=packet,
        source=A4,
        destination=B4,
        ttl=64,
        protocol=TCP,
        fragment=False,
        payload=b"payload",
        length=7,
    )


def test_the_fields_of_an_ipv6_header() -> None:
    packet = v6(b"payload")
    assert Datagram.parse(packet + bytes(6)) == Datagram(
        packet=packet,
        source=A6,
        destination=B6,
        ttl=64,
        protocol=TCP,
        fragment=False,
        payload=b"payload",
        length=7,
    )


@pytest.mark.parametrize("packet", [v4(b"payload", total=0), v6(b"payload", length=0)])
def test_a_length_of_0_means_all_that_is_there(packet: bytes) -> None:
    assert Datagram.parse(packet).length == 7
    assert Datagram.parse(packet, missing=1000).length == 1007


@pytest.mark.parametrize("packet", [v4(b"payload", total=520), v6(b"payload", length=500)])
def test_a_cut_packet_keeps_its_length(packet: bytes) -> None:
    datagram = Datagram.parse(packet, missing=493)
    assert (datagram.payload, datagram.length) == (b"payload", 500)
    assert datagram.checksum_ok is None


def test_what_the_frame_never_had_is_no_payload() -> None:
    assert Datagram.parse(v4(b"payload", total=520)).length == 7


@pytest.mark.parametrize(("fragmentation", "fragment"), [
    (0x4000, False),  # don't fragment
    (0x2000, True),  # the first
    (0x2001, True),
    (0x0001, True),  # the last
])  # fmt: skip
def test_ipv4_fragments(fragmentation: int, fragment: bool) -> None:
    assert Datagram.parse(v4(b"payload", fragmentation=fragmentation)).fragment is fragment


@pytest.mark.parametrize(("offset_and_more", "fragment"), [
    (0x0000, False),  # atomic
    (0x0006, False),  # the reserved bits mean nothing
    (0x0001, True),
    (0x0008, True),
])  # fmt: skip
def test_ipv6_fragments(offset_and_more: int, fragment: bool) -> None:
    header = struct.pack("!BBHI", TCP, 0, offset_and_more, 1)
    datagram = Datagram.parse(v6(header + b"payload", protocol=44))
    assert (datagram.protocol, datagram.fragment) == (TCP, fragment)
    assert datagram.payload == b"payload"


def extension(following: int, octets: int = 8) -> bytes:
    return bytes((following, octets // 8 - 1)) + bytes(octets - 2)


def test_a_chain_of_extension_headers() -> None:
    chain = extension(60) + extension(43, 24) + extension(51, 16) + bytes((TCP, 4)) + bytes(22)
    datagram = Datagram.parse(v6(chain + b"payload", protocol=0))
    assert (datagram.protocol, datagram.payload, datagram.length) == (TCP, b"payload", 7)


def test_an_authentication_header_over_ipv4() -> None:
    datagram = Datagram.parse(v4(bytes((TCP, 4)) + bytes(22) + b"payload", protocol=51))
    assert (datagram.protocol, datagram.payload) == (TCP, b"payload")


def test_a_compressed_routing_header_lacks_what_the_addresses_have_in_common() -> None:
    # RFC 6554: 15 octets are those of the next node; seven octets of padding follow.
    routing = bytes((TCP, 1, 3, 1, 0xFF, 0x70, 0, 0)) + C6[15:] + bytes(7)
    assert Datagram.parse(v6(routing + b"payload", protocol=43)).destination == C6


LOOSE, STRICT = 131, 137


def source_route(kind: int, pointer: int, *stops: bytes) -> bytes:
    return bytes((kind, 3 + 4 * len(stops), pointer)) + b"".join(stops)


@pytest.mark.parametrize(("options", "destination"), [
    (source_route(LOOSE, 4, C4), C4),
    (source_route(STRICT, 4, A4, C4), C4),
    (source_route(STRICT, 8, A4, C4), C4),
    (b"\x01" + source_route(LOOSE, 4, C4), C4),
    (b"\x94\x04\0\0" + source_route(LOOSE, 4, C4), C4),
    (source_route(LOOSE, 8, C4), B4),  # at its end
    (source_route(STRICT, 12, A4, C4), B4),
    (source_route(7, 4, C4), B4),  # a record of the route
    (b"\0" + source_route(LOOSE, 4, C4), B4),  # after the end of the list
    (source_route(LOOSE, 4), B4),
    (source_route(LOOSE, 0, C4), B4),
    (b"\x94\0" + source_route(LOOSE, 4, C4), B4),
    (bytes((LOOSE, 40, 4)) + C4, B4),  # longer than the header
])  # fmt: skip
def test_a_source_route_knows_where_it_goes_in_the_end(options: bytes, destination: bytes) -> None:
    options += bytes(-len(options) % 4)
    packet = bytearray(v4(options + b"payload"))
    packet[0] += len(options) // 4
    datagram = Datagram.parse(bytes(packet))
    assert (datagram.destination, datagram.payload) == (destination, b"payload")


@pytest.mark.parametrize(("kind", "left", "stops", "destination"), [
    (0, 2, [C6, A6], A6),
    (0, 0, [C6, A6], B6),
    (2, 1, [C6], C6),
    (4, 1, [C6, B6], C6),
    (253, 1, [C6], B6),  # unknown
    (0, 1, [], B6),
])  # fmt: skip
def test_a_routing_header_knows_where_it_goes_in_the_end(
    kind: int, left: int, stops: list[bytes], destination: bytes
) -> None:
    routing = bytes((TCP, 2 * len(stops), kind, left)) + bytes(4) + b"".join(stops)
    assert Datagram.parse(v6(routing + b"payload", protocol=43)).destination == destination


@pytest.mark.parametrize("octets", [
    b"",
    b"\x45",
    bytes(60),
    v6(b"")[:39],
    v4(b"", words=4),
    v4(b"payload", total=19),
    v4(b"", words=15)[:50],
    v6(extension(TCP)[:7], protocol=0),
    v6(extension(TCP, 2000)[:500], protocol=60),
    v6(extension(TCP), protocol=0, length=4),
])  # fmt: skip
def test_headers_that_no_receiver_could_read(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"header|lengths"):
        Datagram.parse(octets)


@given(
    st.binary(max_size=120),
    st.sampled_from([b"", b"\x45\x00", b"\x60\0\0\0"]),
    st.integers(0, 70000),
)
def test_the_length_is_at_least_what_is_there(
    octets: bytes, beginning: bytes, missing: int
) -> None:
    try:
        datagram = Datagram.parse(beginning + octets, missing)
    except ValueError:
        return
    assert len(datagram.payload) <= datagram.length <= len(octets) + len(beginning) + missing
