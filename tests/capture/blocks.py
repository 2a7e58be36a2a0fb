"""A pcapng file taken apart block by block, as strictly as its specification reads."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
COMMENT, FLAGS = 1, 2
INBOUND, OUTBOUND = 1, 2


class Packet(NamedTuple):
    at: int
    octets: bytes
    length: int
    direction: int | None
    comments: list[str]


def blocks(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and body of each block."""
    at = 0
    while at < len(octets):
        kind, length = struct.unpack_from("<II", octets, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", octets, at + length - 4) == (length,)
        yield kind, octets[at + 8 : at + length - 4]
        at += length
    assert at == len(octets)


def options(octets: bytes) -> list[tuple[int, bytes]]:
    """Return the options at the end of a block: none, or ended by an end-of-options option."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(octets):
        code, size = struct.unpack_from("<HH", octets, at)
        value, padding = octets[at + 4 : at + 4 + size], -size % 4
        assert len(value) == size
        at += 4 + size + padding
        assert octets[at - padding : at] == bytes(padding)
        if code == 0:
            assert (size, at) == (0, len(octets))
            return found
        found.append((code, value))
    assert not found, "no end of options"
    return found


def packets(octets: bytes) -> list[Packet]:
    """Return the packets of a file with one section and one interface."""
    (first, _), (second, _), *rest = blocks(octets)
    assert (first, second) == (SECTION, INTERFACE)
    return [_packet(kind, body) for kind, body in rest]


def _packet(kind: int, body: bytes) -> Packet:
    assert kind == PACKET
    which, high, low, captured, length = struct.unpack_from("<IIIII", body)
    assert which == 0
    end = 20 + captured
    assert body[end : end + -captured % 4] == bytes(-captured % 4)
    found = options(body[end + -captured % 4 :])
    flags = [struct.unpack("<I", value)[0] for code, value in found if code == FLAGS]
    assert len(flags) <= 1
    return Packet(
        at=high << 32 | low,
        octets=body[20:end],
        length=length,
        direction=flags[0] if flags else None,
        comments=[value.decode("utf-8") for code, value in found if code == COMMENT],
    )
