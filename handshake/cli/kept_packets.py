"""The packets of what is watched, in bounded memory: connections can be read again from them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.survey.group.flow import key_of, other_way
from handshake.tcp import Endpoint
from handshake.tcp.address import ip_address
from handshake.units import ACK_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.packet.frame import Frame
    from handshake.record import Record

MOST_OCTETS: Final = 64 << 20
"""Octets of packets that are kept; beyond that those of the connections that had none for long go.

Without a file to be written, a packet has 256 octets at most.
"""

MOST_OF_ONE: Final = 1000
"""Packets of a connection that are kept: its first ones."""

_BESIDES: Final = 300
"""Octets that a packet takes besides its own."""

_Queue: TypeAlias = "SimpleQueue[Frame]"


@dataclass(slots=True)
class _Kept:
    """The packets of one socket pair."""

    frames: list[Frame] = field(default_factory=list)
    octets: int = 0
    followers: list[_Queue] = field(default_factory=list)
    """Who is given each packet as it comes."""


class KeptPackets:
    """The first packets of each connection. One thread adds them, others read."""

    def __init__(self, most: int = MOST_OCTETS, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._octets = 0
        self._lock = threading.Lock()

    def add(self, key: bytes, bits: int, frame: Frame) -> None:
        """Keep a packet of the connection with this key, unless it has many."""
        name, size = max(key, other_way(key)), len(frame.data) + _BESIDES
        with self._lock:
            known = self._kept.get(name)
            if known is None:
                known = self._kept[name] = _Kept()
            self._kept.move_to_end(name)
            full = len(known.frames) >= self._most_of_one
            if full and bits & (SYN_BIT | ACK_BIT) == SYN_BIT:
                # Another connection of these sockets, or this one from its beginning.
                self._octets -= known.octets
                known.frames, known.octets, full = [], 0, False
            if not full:
                known.frames.append(frame)
                known.octets += size
                self._octets += size
            for each in known.followers:
                each.put(frame)
            while self._octets > self._most and len(self._kept) > 1:
                self._forget_oldest()

    def _forget_oldest(self) -> None:
        """Forget the packets of the connection that had none for longest; who follows it stays."""
        name, oldest = self._kept.popitem(last=False)
        self._octets -= oldest.octets
        if oldest.followers:
            self._kept[name] = _Kept(followers=oldest.followers)

    def of(self, record: Record) -> list[Frame]:
        """Return the packets that are kept of a connection's sockets."""
        with self._lock:
            known = self._kept.get(_name(record))
            return [] if known is None else known.frames[:]

    @contextmanager
    def followed(self, record: Record) -> Iterator[tuple[list[Frame], _Queue]]:
        """Yield the same, and a queue of all packets that come inside the `with` block."""
        more: _Queue = SimpleQueue()
        with self._lock:
            known = self._kept.setdefault(_name(record), _Kept())
            found, followers = known.frames[:], known.followers
            followers.append(more)
        try:
            yield found, more
        finally:
            with self._lock:
                followers.remove(more)


def _name(record: Record) -> bytes:
    """Return the name of a connection's sockets, whichever of them it begins with."""
    client, server = (
        Endpoint(ip_address(end.address), end.port) for end in (record.client, record.server)
    )
    return max(key_of(client, server), key_of(server, client))
