"""Captures the packets of this machine: what tcpdump does, for `watch`."""

from __future__ import annotations

import select
import socket
import struct
import time
from fcntl import ioctl
from typing import TYPE_CHECKING, Final

from handshake.errors import LocalError, UsageError, system_error
from handshake.linux import bpf
from handshake.linux.block_ring import BlockRing
from handshake.linux.sockaddr import bind_everywhere
from handshake.packet.frame import Frame

if TYPE_CHECKING:
    from handshake.errors import CaptureError
    from handshake.linux.block_ring import Taken

_ALL: Final = 0x0003  # ETH_P_ALL
_SOL_PACKET: Final = 263
_ADD_MEMBERSHIP: Final = 1
_MEMBERSHIP: Final = struct.Struct("=iHH8x")
_PROMISCUOUS: Final = 1  # PACKET_MR_PROMISC
_OUTGOING: Final = 4  # PACKET_OUTGOING
_GET_NAME: Final = 0x8910  # SIOCGIFNAME
_IFREQ: Final = struct.Struct("=16si20x")

ETHERNET, RAW = 1, 101
"""Link types of the LINKTYPE registry: Ethernet; a packet that begins with its IP header."""

LOOPBACK: Final = 772  # ARPHRD_LOOPBACK
_LINK_TYPES: Final = {1: ETHERNET, LOOPBACK: ETHERNET, 801: 105, 803: 127}
"""By `sll_hatype`: Ethernet, loopback, Wi-Fi, Wi-Fi with radiotap headers. Of the others what is
behind the link layer's header is kept."""

HEADERS: Final = 256
"""Octets of a packet that hold all headers, and are enough without a file to be written."""

WHOLE: Final = 0x40000
_RING: Final = 32 << 20


class CaptureSocket:
    """The packets of one interface or of all, from when it is opened."""

    def __init__(
        self,
        interface: str | None,
        program: bytes,
        *,
        promiscuous: bool = False,
        ring: int = _RING,
    ) -> None:
        """Open it with a filter. Raises LocalError if the kernel refuses."""
        self.lost = 0
        """Packets that passed the filter and found no room."""

        self.ended = False
        self.warnings: tuple[CaptureError, ...] = ()
        self.packets = 0
        self._names: dict[int, tuple[int, str]] = {}
        self._sock = None
        try:
            # Protocol 0 receives nothing: filter and ring are there before the first packet.
            self._sock = sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            bpf.attach(sock, program)
            self._ring = BlockRing(sock, ring)
            if interface is None:
                bind_everywhere(sock)
            else:
                sock.bind((interface, _ALL))
                if promiscuous:
                    index = socket.if_nametoindex(interface)
                    joined = _MEMBERSHIP.pack(index, _PROMISCUOUS, 0)
                    sock.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, joined)
            bpf.lock(sock)
        except PermissionError as error:
            self.close()
            from handshake.linux.privileges import with_sudo

            raise LocalError("no-capture", command=with_sudo()) from error
        except (AttributeError, OSError) as error:
            self.close()
            why = system_error(error) if isinstance(error, OSError) else error
            raise LocalError("no-packet-socket", why=why) from error
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)

    def close(self) -> None:
        """Close it."""
        if self._sock is not None:
            self._sock.close()

    def now(self) -> int:
        """Return the time by the clock that the kernel stamps packets with."""
        return time.time_ns()

    def interfaces(self) -> list[tuple[str, int]]:
        """Return the name and link type of each interface so far, by the number in `Frame`."""
        return [(name, link) for link, name in self._names.values()]

    def read(self, seconds: float) -> list[Frame]:
        """Return the frames that have arrived; wait for some, at most so long.

        An interface gets its number with its first frame.
        """
        frames = self._read()
        if not frames and self._poll.poll(round(seconds * 1000)):
            frames = self._read()
        self.lost += self._ring.lost()
        return frames

    def _read(self) -> list[Frame]:
        # Loopback shows each packet as it leaves and as it arrives: once is enough.
        return [
            self._frame(each)
            for block in self._ring.read()
            for each in block
            if not (each.hardware == LOOPBACK and each.kind == _OUTGOING)
        ]

    def _frame(self, taken: Taken) -> Frame:
        self.packets += 1
        link = _LINK_TYPES.get(taken.hardware)
        octets, length = taken.octets, taken.length
        if link is None:
            link, octets = RAW, octets[taken.network :]
            length -= taken.network
        if taken.number not in self._names:
            self._names[taken.number] = link, self._name(taken.number)
        number = list(self._names).index(taken.number) if len(self._names) > 1 else 0
        return Frame(self.packets, taken.at, number, link, length, octets, 0)

    def _name(self, index: int) -> str:
        """Return the name of an interface, as the namespace of the socket has it."""
        assert self._sock is not None
        try:
            found = ioctl(self._sock, _GET_NAME, _IFREQ.pack(b"", index))
        except OSError:  # it is gone
            return f"interface {index}"
        return found[:16].rstrip(b"\0").decode("utf-8", "surrogateescape")


def check_interface(name: str) -> None:
    """Raise UsageError if there is no interface of this name."""
    try:
        socket.if_nametoindex(name)
    except (OSError, ValueError):
        names = [each for _, each in socket.if_nameindex()]
        raise UsageError("watch.interface", text=name, names=names) from None
