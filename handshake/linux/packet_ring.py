"""The ring of a packet socket: the kernel puts packets into memory that it shares with us.

It saves the two system calls and the objects that `recvmsg` takes for each packet (packet(7),
`PACKET_RX_RING`, in the form `TPACKET_V2`).
"""

from __future__ import annotations

import mmap
import struct
from contextlib import suppress
from fcntl import ioctl
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_SOL_PACKET: Final = 263
_RX_RING, _COPY_THRESHOLD, _VERSION = 5, 7, 10
_TPACKET_V2: Final = 1

_FRAME: Final = 2048
"""Octets of the ring for one packet and what the kernel writes before it."""

_BLOCK: Final = 1 << 16
_SIZE: Final = 4 << 20
"""Octets of the ring: room for 2048 packets."""

_REQUEST: Final = struct.pack("=IIII", _BLOCK, _SIZE // _BLOCK, _FRAME, _SIZE // _FRAME)

# struct tpacket2_hdr, then struct sockaddr_ll: tp_status, tp_snaplen, tp_net, tp_sec, tp_nsec,
# sll_ifindex, sll_pkttype.
_HEADER: Final = struct.Struct("=I4xI2xHII8x4xi2xB").unpack_from
_OURS: Final = 0x01  # TP_STATUS_USER: the kernel has filled the frame
_COPIED: Final = 0x02  # TP_STATUS_COPY: the whole packet is in the queue of the socket
_FREE: Final = bytes(4)  # TP_STATUS_KERNEL

_GET_NAME: Final = 0x8910  # SIOCGIFNAME
_IFREQ: Final = struct.Struct("=16si20x")
_LONGEST: Final = 0xFFFF


Kept = TypeVar("Kept")
Keep: TypeAlias = "Callable[[bytes, int, str, int, int], Kept | None]"
"""Takes the octets of a packet; the kernel's time stamp, in nanoseconds since 1970; the interface;
whether it was received or sent, and for which host (`sll_pkttype`); and `tp_status`."""


class PacketRing:
    """The packets of one packet socket. Times are the kernel's."""

    def __init__(self, sock: socket.socket) -> None:
        """Set it up, before the socket is bound. Raises OSError if the kernel refuses."""
        self._sock = sock
        self._at = 0
        self.drained = True
        """Whether the last `read` returned all packets that had arrived."""

        self._names: dict[int, str] = {}
        sock.setsockopt(_SOL_PACKET, _VERSION, _TPACKET_V2)
        # A packet longer than a frame goes into the queue of the socket, too.
        sock.setsockopt(_SOL_PACKET, _COPY_THRESHOLD, 1)
        sock.setsockopt(_SOL_PACKET, _RX_RING, _REQUEST)
        self._memory = mmap.mmap(sock.fileno(), _SIZE)

    def close(self) -> None:
        """Release the memory; the socket is closed by its owner."""
        self._memory.close()

    def read(self, most: int, keep: Keep[Kept]) -> list[Kept]:
        """Return what `keep` makes of the packets that have arrived, and of at most so many.

        None is left out. There may be more: `drained` tells.
        """
        memory, at, found = self._memory, self._at, []
        self.drained = False
        for _ in range(most):
            # The status is read before the rest: the kernel writes it last.
            if not memory[at] & _OURS:
                self.drained = True
                break
            status, length, start, seconds, nanoseconds, index, kind = _HEADER(memory, at)
            octets = memory[at + start : at + start + length]
            if status & _COPIED:
                with suppress(BlockingIOError):
                    octets = self._sock.recv(_LONGEST)
            name = self._names.get(index) or self._name(index)
            kept = keep(octets, seconds * NS_PER_SECOND + nanoseconds, name, kind, status)
            if kept is not None:
                found.append(kept)
            memory[at : at + 4] = _FREE
            at = (at + _FRAME) % _SIZE
        self._at = at
        return found

    def _name(self, index: int) -> str:
        """Return the name of an interface, as the namespace of the socket has it."""
        try:
            found = ioctl(self._sock, _GET_NAME, _IFREQ.pack(b"", index))
        except OSError:  # it is gone
            return ""
        name = self._names[index] = found[:16].rstrip(b"\0").decode("utf-8", "surrogateescape")
        return name
