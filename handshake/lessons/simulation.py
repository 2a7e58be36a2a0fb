"""Two hosts and a wire between them that delays and loses: for what goes wrong.

Nothing here knows a rule of TCP: the hosts are those of `endpoint`. The time is counted, not waited
for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from handshake.events import Role
from handshake.packet.checksum import checksummed
from handshake.tcp import Observed

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.endpoint.sender import Segments
    from handshake.endpoint.tcp_host import TcpHost
    from handshake.tcp import Segment


class Passage(NamedTuple):
    """A segment on its way."""

    segment: Segment
    by: Role
    left: int
    """When it left, in nanoseconds."""

    arrived: int | None
    """When it arrived; None if it was lost."""


@dataclass
class Simulation:
    """A client's and a server's host, `delay` nanoseconds apart. The time begins at 0."""

    client: TcpHost
    server: TcpHost
    delay: int
    loses: Callable[[Segment, Role], bool] = lambda *_: False
    """Whether the wire loses a segment of this host; asked once for each."""

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
            for by, host in ((Role.CLIENT, self.client), (Role.SERVER, self.server)):
                if host.deadline is not None and host.deadline <= self.now:
                    self._send(by, host.on_timer(self.now))
        self.now = until

    def _due(self) -> int | None:
        times = [self.client.deadline, self.server.deadline]
        times += [self._events[0][0]] if self._events else []
        return min((at for at in times if at is not None), default=None)

    def _plan(self, time: int, what: Callable[[], None]) -> None:
        heappush(self._events, (time, next(self._numbers), what))

    def _send(self, by: Role, segments: Segments) -> None:
        for each in map(checksummed, segments):
            arrives = None if self.loses(each, by) else self.now + self.delay
            self.passages.append(Passage(each, by, self.now, arrives))
            if arrives is not None:
                self._plan(arrives, partial(self._arrive, by.other, each))

    def _arrive(self, at: Role, segment: Segment) -> None:
        host = self.client if at is Role.CLIENT else self.server
        self._send(at, host.receive(Observed(segment, self.now, checksum_ok=True), self.now))
