"""Batches: packets to several addresses that are sent by one system call, sendmmsg(2).

After each system call a processor works slowly for a moment, as its caches belonged to the kernel.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Batch: TypeAlias = "Sequence[tuple[bytes, Any]]"
"""Packets, each with where it goes: an address as the socket module expects it."""

_MOST: Final = 64
"""Packets sent by one call."""

_ROOM: Final = 128
"""Octets of room for a packet: a header with all options, and no data."""

_KNOWN: Final = 1024
"""Addresses remembered in the kernel's form."""

_V4: Final = struct.Struct("=HH4s8x")
_V6: Final = struct.Struct("=HHI16sI")


class _Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.POINTER(_Vector)),
        ("count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", _Header), ("sent", ctypes.c_uint))


class PacketBatch:
    """Sends batches through a raw socket of one IP version."""

    def __init__(self, sock: socket.socket, version: int) -> None:
        self._sock = sock
        self._family, form, self._parts = (
            (socket.AF_INET, _V4, 2) if version == 4 else (socket.AF_INET6, _V6, 4)
        )
        self._length = form.size
        self._known: dict[tuple[Any, ...], bytes] = {}
        self._packets, self._names = bytearray(_MOST * _ROOM), bytearray(_MOST * form.size)
        vectors, self._messages = (_Vector * _MOST)(), (_Message * _MOST)()
        packets, names = _address(self._packets), _address(self._names)
        for number in range(_MOST):
            vectors[number].base = packets + number * _ROOM
            header = self._messages[number].header
            header.name, header.name_length = names + number * form.size, form.size
            header.vectors, header.count = ctypes.pointer(vectors[number]), 1
        self._vectors = list(vectors)  # the same memory: it only takes less time to reach
        self._send = ctypes.CDLL(None).sendmmsg

    def send(self, packets: Batch, first: int = 0) -> int:
        """Send packets from that number on; return how many the kernel has accepted.

        It is fewer if the next one is of another kind or too long, or if the kernel refuses it.
        """
        room, names, vectors, known = self._packets, self._names, self._vectors, self._known
        size, count = self._length, 0
        for packet, to in packets[first : first + _MOST]:
            length = len(packet)
            if length > _ROOM or not isinstance(to, tuple) or len(to) != self._parts:
                break
            name = known.get(to)
            if name is None:
                name = self._name(to)
            start, at = count * _ROOM, count * size
            room[start : start + length] = packet
            names[at : at + size] = name
            vectors[count].length = length
            count += 1
        return max(0, self._send(self._sock.fileno(), self._messages, count, 0)) if count else 0

    def _name(self, to: tuple[Any, ...]) -> bytes:
        """Return an address in the kernel's form, struct sockaddr."""
        if len(self._known) >= _KNOWN:
            self._known.clear()
        host, port, *rest = to
        plain = socket.inet_pton(self._family, host)
        if rest:
            flow, scope = rest
            name = _V6.pack(self._family, socket.htons(port), socket.htonl(flow), plain, scope)
        else:
            name = _V4.pack(self._family, socket.htons(port), plain)
        self._known[to] = name
        return name


def _address(room: bytearray) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(room))
