"""TAP and TUN devices: a cable that takes time, or doubles frames, and one without Ethernet."""

import fcntl
import heapq
import itertools
import os
import select
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.live.lab.namespaces import Host, Interface

_TUNSETIFF = 0x400454CA
_IFF_TUN = 0x0001
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_FRAME = 1 << 16

TUN = "tun0"


@contextmanager
def tap(host: Host, interface: Interface) -> Iterator[int]:
    """Yield a descriptor that reads what the host sends on a new interface, and writes to it.

    The device goes with the descriptor. As no card computes checksums for it, and none splits large
    packets, tcpdump sees packets here as they are on a real wire.
    """
    with _device(host, interface.name, _IFF_TAP) as device:
        host.bring_up(interface)
        yield device


@contextmanager
def tun(host: Host) -> Iterator[int]:
    """Yield a descriptor: what is written to it arrives at TUN, an interface without Ethernet."""
    with _device(host, TUN, _IFF_TUN) as device:
        host.ip(f"link set {TUN} up")
        yield device


@contextmanager
def _device(host: Host, name: str, kind: int) -> Iterator[int]:
    with host.entered():  # the device belongs to the namespace in which the file was opened
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            what = struct.pack("16sH22x", name.encode(), kind | _IFF_NO_PI)
            fcntl.ioctl(device, _TUNSETIFF, what)
            yield device
        finally:
            os.close(device)


@contextmanager
def delayed(seconds: float, copies: int = 1) -> Iterator[tuple[Host, Host]]:
    """Yield client and server with the addresses of `pair`, `seconds` apart each way.

    Of each frame as many `copies` arrive, one after the other.
    """
    with ExitStack() as stack:
        client = stack.enter_context(Host("client"))
        server = stack.enter_context(Host("server"))
        left = stack.enter_context(tap(client, client.next_interface(0, 1)))
        right = stack.enter_context(tap(server, server.next_interface(0, 2)))
        stack.enter_context(_carried(left, right, seconds, copies))
        yield client, server


@contextmanager
def _carried(left: int, right: int, seconds: float, copies: int) -> Iterator[None]:
    stopped, stop = os.pipe()
    carrier = threading.Thread(
        target=_carry, args=(left, right, seconds, copies, stopped), daemon=True
    )
    carrier.start()
    try:
        yield
    finally:
        os.close(stop)
        carrier.join()
        os.close(stopped)


def _carry(left: int, right: int, seconds: float, copies: int, stopped: int) -> None:
    """Hand each frame on when its time has come, until the pipe `stopped` is closed."""
    other_end = {left: right, right: left}
    numbers = itertools.count()  # frames of one instant stay in order
    under_way: list[tuple[float, int, int, bytes]] = []
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        readable, _, _ = select.select([left, right, stopped], [], [], wait)
        if stopped in readable:
            return
        for device in readable:
            due, frame = time.monotonic() + seconds, os.read(device, _FRAME)
            for _ in range(copies):
                heapq.heappush(under_way, (due, next(numbers), other_end[device], frame))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, device, frame = heapq.heappop(under_way)
            os.write(device, frame)
