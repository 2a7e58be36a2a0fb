"""Asks the kernel about interfaces and routes (rtnetlink, RFC 3549). Needs no privilege."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NUMBER: Final = struct.Struct("=I")

_REQUEST: Final = 0x1
_DUMP: Final = 0x300
_ERROR, _DONE = 2, 3


def ask(kind: int, body: bytes, *, dump: bool = False) -> Iterator[bytes]:
    """Yield the body of each reply to one request. Raises OSError if the kernel refuses."""
    flags = _REQUEST | (_DUMP if dump else 0)
    request = _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.sendto(request, (0, 0))
        while True:
            octets, at = kernel.recv(0xFFFF), 0
            while at + _HEADER.size <= len(octets):
                length, answer, *_ = _HEADER.unpack_from(octets, at)
                found = octets[at + _HEADER.size : at + length]
                if answer == _DONE:
                    return
                if answer == _ERROR:
                    _raise(found)
                yield found
                at += max(_HEADER.size, length + -length % 4)
            if not dump:
                return


def attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute for the body of a request."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def number(value: int) -> bytes:
    """Return a number as an attribute holds it."""
    return _NUMBER.pack(value)


def attributes(body: bytes, at: int) -> dict[int, bytes]:
    """Return the attributes in a body, from the offset `at` on, by kind."""
    found = {}
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += max(_ATTRIBUTE.size, length + -length % 4)
    return found


def _raise(body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code:
        raise OSError(-code, os.strerror(-code))
