"""Two hosts and a wire between them that delays and loses.

Nothing here knows a rule of TCP: the hosts are those of `endpoint`. The time is counted, not waited
for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, NamedTuple, Protocol

from handshake.events import Role
from handshake.packet.checksum import checksummed
from handshake.tcp import Observed

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.endpoint.sender import Segments
    from handshake.endpoint.tcp_host import TcpHost
    from handshake.tcp import Segment
    from handshake.tcp.icmp import IcmpError


class Passage(NamedTuple):
    """A segment on its way."""

    segment: Segment
    by: Role
    left: int
    """When it left, in nanoseconds."""

    arrived: int | None
    """When it arrived; None if it was lost."""


class Watcher(Protocol):
    """Is told what happens, as it happens."""

    def left(self, segment: Segment, by: Role, *, lost: bool, rejected: bool) -> None:
        """Take note of a segment that leaves, and is lost or rejected by a router or neither."""

    def arrived(self, segment: Segment, by: Role, answers: Segments) -> None:
        """Take note of a segment of this host that has arrived, and of what it is answered by."""

    def reported(self, error: IcmpError, to: Role, answers: Segments) -> None:
        """Take note of a router's ICMP error that has arrived at a host."""

    def expired(self, by: Role) -> None:
        """Take note of a timer that ran out on a host."""


@dataclass
class Simulation:
    """A client's and a server's host, `delay` nanoseconds apart. The time begins at 0."""

    client: TcpHost
    server: TcpHost
    delay: int
    loses: Callable[[Segment, Role], bool] = lambda *_: False
    """Whether the wire loses a segment of this host; asked once for each."""

    drops: Callable[[Segment, Role], IcmpError | None] = lambda *_: None
    """Returns the error by which a router in front of the other host answers a segment of this one;
    None if it lets the segment pass."""

    joins: Callable[[Segment], bool] = lambda _: True
    """Whether a segment is for one of the two hosts: what is for others is not seen here."""

    watcher: Watcher | None = None
    passages: list[Passage] = field(init=False, default_factory=list)
    """All segments, in the order in which they left."""

    now: int = field(init=False, default=0)
    _events: list[tuple[int, int, Callable[[], None]]] = field(init=False, default_factory=list)
    _numbers: count[int] = field(init=False, default_factory=count)

    def at(self, time: int, by: Role, call: Callable[[int], Segments]) -> None:
        """Let a program of a host make a call at a time; what it returns is sent."""
        self._plan(time, lambda: self._send(by, call(self.now)))

    def run(self, until: int) -> None:
        """Let the time pass, up to and including `until`."""
        while (due := self._due()) is not None and due <= until:
            self.now = max(self.now, due)
            if self._events and self._events[0][0] <= self.now:
                heappop(self._events)[2]()
                continue
            for by in Role:
                host = self._host(by)
                if host.deadline is not None and host.deadline <= self.now:
                    segments = tuple(filter(self.joins, host.on_timer(self.now)))
                    if self.watcher is not None and not segments:
                        self.watcher.expired(by)
                    self._send(by, segments)
        self.now = until

    def _host(self, role: Role) -> TcpHost:
        return self.client if role is Role.CLIENT else self.server

    def _due(self) -> int | None:
        times = [self.client.deadline, self.server.deadline]
        times += [self._events[0][0]] if self._events else []
        return min((at for at in times if at is not None), default=None)

    def _plan(self, time: int, what: Callable[[], None]) -> None:
        heappush(self._events, (time, next(self._numbers), what))

    def _send(self, by: Role, segments: Segments) -> None:
        for each in map(checksummed, filter(self.joins, segments)):
            lost = self.loses(each, by)
            error = None if lost else self.drops(each, by)
            if error is not None:
                self._plan(self.now + 2 * self.delay, partial(self._report, error, by))
            arrives = self.now + self.delay if not lost and error is None else None
            self.passages.append(Passage(each, by, self.now, arrives))
            if self.watcher is not None:
                self.watcher.left(each, by, lost=lost, rejected=error is not None)
            if arrives is not None:
                self._plan(arrives, partial(self._arrive, each, by))

    def _arrive(self, segment: Segment, by: Role) -> None:
        answers = self._host(by.other).receive(
            Observed(segment, self.now, checksum_ok=True), self.now
        )
        if self.watcher is not None:
            self.watcher.arrived(segment, by, answers)
        self._send(by.other, answers)

    def _report(self, error: IcmpError, to: Role) -> None:
        answers = self._host(to).icmp(error, self.now)
        if self.watcher is not None:
            self.watcher.reported(error, to, answers)
        self._send(to, answers)
