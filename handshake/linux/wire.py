"""A wire between two namespaces that this process carries: it delays, it loses, it adds.

Each host has a veth whose other end is in a third namespace, where packet sockets read and write.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from handshake.packet.checksum import internet_checksum
from handshake.units import NS_PER_SECOND, TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.linux.network_namespace import NetworkNamespace
    from handshake.tcp import Segment

_ETH_P_IP: Final = 0x0800
_ETH_P_MARK: Final = 0x88B5
"""An EtherType for experiments (IEEE 802): a kernel drops it."""

_TRIES, _TRY = 500, 0.01
"""How often a frame is sent over a new interface until one passes, and the seconds between."""

_TAKES: Final = 2.0
"""Seconds that a host may take over a frame at most: if it takes longer, we go on."""

_SIOCETHTOOL: Final = 0x8946
_OFF: Final = (0x17, 0x1F, 0x24)
"""ETHTOOL_STXCSUM, ETHTOOL_STSO, ETHTOOL_SGSO."""

_MACS: Final = ("02:00:00:00:00:01", "02:00:00:00:00:02")
_HEADER, _QUOTED = 14, 28
"""Octets of an Ethernet header; and of the packet that an ICMP error quotes (RFC 792)."""

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

    least_rto: float | None = None
    """Seconds before which it sends nothing again, once it is connected; None for the usual."""


class Wire:
    """Two packet sockets: what host 0 sends is read from `sockets[0]`."""

    def __init__(self, middle: NetworkNamespace, ends: tuple[WireEnd, WireEnd]) -> None:
        made, marks = [], []
        for number, (end, other) in enumerate(zip(ends, reversed(ends), strict=True)):
            name = f"wire{number}"
            middle.ip(
                f"link add {name} type veth peer name eth0 netns {end.host.path}",
                f"link set {name} up",
            )
            for setting in ("default", "all"):
                end.host.sysctl(f"net.ipv6.conf.{setting}.disable_ipv6", 1)
            limits = "" if end.mss is None else f" advmss {end.mss}"
            limits += "" if end.least_rto is None else f" rto_min {end.least_rto}s"
            end.host.ip(
                f"link set eth0 address {_MACS[number]} up",
                f"addr add {end.address}/32 dev eth0",
                f"route add default dev eth0{limits}",
                f"neigh add {other.address} lladdr {_MACS[1 - number]} dev eth0 nud permanent",
            )
            _without_offload(end.host)
            with middle.entered():
                each = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            with end.host.entered():
                mark = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            for one, interface in ((each, name), (mark, "eth0")):
                one.bind((interface, _ETH_P_MARK))
                one.setblocking(False)
            _open(each, mark)
            _open(mark, each)
            each.bind((name, _ETH_P_IP))
            each.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            made.append(each)
            marks.append(mark)
        self.sockets: Final = (made[0], made[1])
        self._marks: Final = (marks[0], marks[1])
        self._numbers: Final = count(1)

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
        """Hand a frame to a host, and wait until its kernel has taken it in.

        On a busy machine the kernel takes frames later than they are sent, but those of one CPU in
        their order: once a second frame is there, the first one is done with.
        """
        mark = _mark(next(self._numbers))
        with _one_cpu():
            self.sockets[number].send(frame)
            self.sockets[number].send(mark)
        seen = self._marks[number]
        while select.select([seen], [], [], _TAKES)[0]:
            if seen.recv(_MOST) == mark:
                return

    def close(self) -> None:
        """Close all sockets."""
        for each in (*self.sockets, *self._marks):
            each.close()


@contextmanager
def _one_cpu() -> Iterator[None]:
    """Keep this thread on one CPU."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(allowed)[os.getpid() % len(allowed)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _open(sender: socket.socket, receiver: socket.socket) -> None:
    """Wait until frames pass: a kernel drops what is sent on an interface that is just up."""
    for _ in range(_TRIES):
        sender.send(_mark(0))
        if select.select([receiver], [], [], _TRY)[0]:
            break
    while select.select([receiver], [], [], 0)[0]:
        receiver.recv(_MOST)


def _mark(number: int) -> bytes:
    """Return a frame of which a host sees only that it came."""
    return bytes(12) + _ETH_P_MARK.to_bytes(2, "big") + number.to_bytes(46, "big")


def framed(segment: Segment, to: int) -> bytes:
    """Return a segment as a frame for a host, 0 or 1."""
    payload = segment.pack()
    source, destination = segment.source.address.packed, segment.destination.address.packed
    head = _ip_header(len(payload), TCP, source, destination)
    macs = [bytes.fromhex(each.replace(":", "")) for each in (_MACS[to], _MACS[1 - to])]
    return b"".join([*macs, _ETH_P_IP.to_bytes(2, "big"), head, payload])


def unreachable(frame: bytes, code: int, router: bytes) -> bytes:
    """Return the ICMP error "destination unreachable" with which a router answers a frame."""
    quote = frame[_HEADER : _HEADER + _QUOTED]
    error = struct.pack("!BBHI", 3, code, 0, 0) + quote
    error = error[:2] + internet_checksum(error).to_bytes(2, "big") + error[4:]
    head = _ip_header(len(error), socket.IPPROTO_ICMP, router, quote[12:16])
    return frame[6:12] + frame[:6] + frame[12:14] + head + error


def _ip_header(length: int, protocol: int, source: bytes, destination: bytes) -> bytes:
    head = _IPV4.pack(0x45, 0, 20 + length, 0, _DONT_FRAGMENT, 64, protocol, 0, source, destination)
    return head[:10] + internet_checksum(head).to_bytes(2, "big") + head[12:]


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
