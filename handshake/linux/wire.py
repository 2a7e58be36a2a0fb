"""A wire between two namespaces that this process carries: it delays, it loses, it adds.

Each host has a veth whose other end is in a third namespace, where packet sockets read and write.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.packet.checksum import internet_checksum
from handshake.units import NS_PER_SECOND, TCP

if TYPE_CHECKING:
    from handshake.linux.network_namespace import NetworkNamespace
    from handshake.tcp import Segment

_ETH_P_IP: Final = 0x0800
_SIOCETHTOOL: Final = 0x8946
_OFF: Final = (0x17, 0x1F, 0x24)
"""ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO."""

_MACS: Final = ("02:00:00:00:00:01", "02:00:00:00:00:02")
_IPV4: Final = struct.Struct("!BBHHHBBH4s4s")
_DONT_FRAGMENT: Final = 0x4000
_MOST: Final = 1 << 16
_SO_TIMESTAMPNS: Final = 35  # also the kind of the message that has the time
_TIMESPEC: Final = struct.Struct("@ll")
_ROOM: Final = socket.CMSG_SPACE(_TIMESPEC.size)


@dataclass(frozen=True, slots=True)
class WireEnd:
    """How one host is joined."""

    host: NetworkNamespace
    address: str
    mss: int | None = None
    """What its SYNs name; None for what the interface has room for."""


class Wire:
    """Two packet sockets: what host 0 sends is read from `sockets[0]`."""

    def __init__(self, middle: NetworkNamespace, ends: tuple[WireEnd, WireEnd]) -> None:
        made = []
        for number, (end, other) in enumerate(zip(ends, reversed(ends), strict=True)):
            name = f"wire{number}"
            middle.ip(
                f"link add {name} type veth peer name eth0 netns {end.host.path}",
                f"link set {name} up",
            )
            for setting in ("default", "all"):
                end.host.sysctl(f"net.ipv6.conf.{setting}.disable_ipv6", 1)
            advertised = "" if end.mss is None else f" advmss {end.mss}"
            end.host.ip(
                f"link set eth0 address {_MACS[number]} up",
                f"addr add {end.address}/32 dev eth0",
                f"route add default dev eth0{advertised}",
                f"neigh add {other.address} lladdr {_MACS[1 - number]} dev eth0 nud permanent",
            )
            _without_offload(end.host)
            with middle.entered():
                each = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            each.bind((name, _ETH_P_IP))
            each.setblocking(False)
            each.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            made.append(each)
        self.sockets: Final = (made[0], made[1])

    def read(self, number: int) -> tuple[bytes, int] | None:
        """Return the next frame that a host sent, and its time; None if there is none."""
        while True:
            try:
                frame, told, _, sender = self.sockets[number].recvmsg(_MOST, _ROOM)
            except BlockingIOError:
                return None
            if sender[2] != socket.PACKET_OUTGOING:
                stamps = [data for _, kind, data in told if kind == _SO_TIMESTAMPNS]
                seconds, rest = _TIMESPEC.unpack(stamps[0]) if stamps else (0, time.time_ns())
                return frame, seconds * NS_PER_SECOND + rest

    def write(self, number: int, frame: bytes) -> None:
        """Hand a frame to a host."""
        self.sockets[number].send(frame)

    def close(self) -> None:
        """Close both sockets."""
        for each in self.sockets:
            each.close()


def framed(segment: Segment, to: int) -> bytes:
    """Return a segment as a frame for a host, 0 or 1."""
    payload = segment.pack()
    source, destination = segment.source.address.packed, segment.destination.address.packed
    head = _IPV4.pack(
        0x45, 0, 20 + len(payload), 0, _DONT_FRAGMENT, 64, TCP, 0, source, destination
    )
    head = head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:]
    macs = [bytes.fromhex(each.replace(":", "")) for each in (_MACS[to], _MACS[1 - to])]
    return b"".join([*macs, _ETH_P_IP.to_bytes(2, "big"), head, payload])


def _without_offload(host: NetworkNamespace) -> None:
    """Let the kernel compute checksums and cut segments itself: no card does it here."""
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        for command in _OFF:
            value = bytearray(struct.pack("=II", command, 0))
            buffer = memoryview(value)
            fcntl.ioctl(asked, _SIOCETHTOOL, _ifreq(buffer))


def _ifreq(value: memoryview) -> bytes:
    """Return a struct ifreq that points to a value."""
    import ctypes

    address = ctypes.addressof(ctypes.c_char.from_buffer(value))
    return struct.pack("=16sQ16x", b"eth0", address)
