"""A peer that follows a script: its kernel receives no TCP, and a thread answers in its place.

    def refuse(received: Observed) -> list[Packet]:
        return [packet(reply(received, Flags.RST | Flags.ACK, seq=0))]

    with peer(refuse) as (client, host): ...

A script is handed each segment as it arrives, and returns what to send, at once or later. The
kernel of the host goes on to answer ARP and neighbour solicitations.
"""

import heapq
import itertools
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TypeAlias

from handshake.packet.ip import Datagram
from handshake.tcp import Observed, Segment
from handshake.units import TCP
from tests.live.lab.namespaces import Host, pair
from tests.live.lab.packets import Packet

Script: TypeAlias = Callable[[Observed], Iterable[Packet]]

_ETH_P_ALL = 0x0003
_TO_US = 0  # PACKET_HOST
_FRAME = 1 << 16
_MAC, _ETHERNET = 6, 14
_KINDS = {4: b"\x08\x00", 6: b"\x86\xdd"}

_DEAF = """
table inet deaf { chain heard {
type filter hook input priority 0; policy accept;
meta l4proto tcp drop
}; }
"""


@contextmanager
def peer(script: Script) -> Iterator[tuple[Host, Host]]:
    """Yield client and server, joined as by `pair`, where the server's answers are scripted."""
    with pair() as (client, server), scripted(server, script):
        yield client, server


@contextmanager
def scripted(host: Host, script: Script) -> Iterator[None]:
    """Let a script answer all TCP that reaches the host by its first interface.

    Raises what the script raised, once the context ends.
    """
    host.nft(_DEAF)
    with host.entered():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    with wire:
        wire.bind((host.interfaces[0].name, _ETH_P_ALL))
        stopped, stop = os.pipe()
        actor = _Actor(wire, script, stopped)
        actor.start()
        try:
            yield
        finally:
            os.close(stop)
            actor.join()
            os.close(stopped)
    if actor.error is not None:
        raise actor.error


class _Actor(threading.Thread):
    """Hands each segment to the script, and sends what it returns when its time has come."""

    def __init__(self, wire: socket.socket, script: Script, stopped: int) -> None:
        super().__init__(daemon=True)
        self.error: BaseException | None = None
        self._wire = wire
        self._script = script
        self._stopped = stopped
        self._numbers = itertools.count()  # packets of one instant stay in order
        self._due: list[tuple[float, int, bytes]] = []

    def run(self) -> None:
        """Act until the pipe `stopped` is closed."""
        try:
            self._act()
        except BaseException as error:
            self.error = error

    def _act(self) -> None:
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            sources = [self._wire.fileno(), self._stopped]
            readable, _, _ = select.select(sources, [], [], wait)
            if self._stopped in readable:
                return
            if readable:
                self._receive()
            while self._due and self._due[0][0] <= time.monotonic():
                self._wire.send(heapq.heappop(self._due)[2])

    def _receive(self) -> None:
        frame, (_, _, kind, *_) = self._wire.recvfrom(_FRAME)
        if kind != _TO_US or frame[12:_ETHERNET] not in _KINDS.values():
            return
        received = _observed(frame[_ETHERNET:])
        if received is None:
            return
        now = time.monotonic()
        back = frame[_MAC : 2 * _MAC] + frame[:_MAC]
        for each in self._script(received):
            octets = back + _KINDS[each.octets[0] >> 4] + each.octets
            heapq.heappush(self._due, (now + each.after, next(self._numbers), octets))


def _observed(octets: bytes) -> Observed | None:
    datagram = Datagram.parse(octets)
    if datagram.protocol != TCP:
        return None
    segment = Segment.parse(
        ip_address(datagram.source),
        ip_address(datagram.destination),
        datagram.payload,
        datagram.length,
    )
    return Observed(
        segment=segment,
        at=time.time_ns(),
        length=len(octets),
        ttl=datagram.ttl,
        checksum_ok=datagram.checksum_ok,
        packet=datagram.packet,
    )
