"""Captures written octet by octet, so that the tests know what is in them."""

from __future__ import annotations

import struct

ETHERNET = 1

PCAPNG_MAGIC = 0x0A0D0D0A


def pcap_header(
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    link_type: int = ETHERNET,
) -> bytes:
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, 65535, link_type)


def pcap_record(
    data: bytes,
    order: str = "<",
    seconds: int = 1,
    fraction: int = 0,
    length: int | None = None,
) -> bytes:
    length = len(data) if length is None else length
    return struct.pack(order + "IIII", seconds, fraction, len(data), length) + data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(PCAPNG_MAGIC, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(
    order: str = "<", link_type: int = ETHERNET, snap_length: int = 0, options: bytes = b""
) -> bytes:
    return block(1, struct.pack(order + "HHI", link_type, 0, snap_length) + options, order)


def enhanced(
    data: bytes, order: str = "<", which: int = 0, ticks: int = 0, length: int | None = None
) -> bytes:
    length = len(data) if length is None else length
    fixed = struct.pack(order + "IIIII", which, ticks >> 32, ticks & 0xFFFFFFFF, len(data), length)
    return block(6, fixed + data, order)


def simple(data: bytes, order: str = "<", length: int | None = None) -> bytes:
    return block(3, struct.pack(order + "I", len(data) if length is None else length) + data, order)


def obsolete(data: bytes, order: str = "<", which: int = 0, ticks: int = 0) -> bytes:
    fixed = struct.pack(
        order + "HHIIII", which, 0, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data)
    )
    return block(2, fixed + data, order)
