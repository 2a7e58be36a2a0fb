"""The server end of a port: its listening sockets, its connections, and what its program does.

No clock, no descriptors: segments and the time come in, segments to send and the next deadline come
out.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final, Protocol

from handshake.endpoint.misbehaviour import Behaviour
from handshake.endpoint.timer_queue import TimerQueue
from handshake.tcp import State
from handshake.tcp.copy import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handshake.endpoint.listening_socket import ListeningSocket
    from handshake.endpoint.sender import Segments
    from handshake.endpoint.tcp_socket import TcpSocket
    from handshake.tcp import Endpoint, Observed, Segment

MOST: Final = 4096
"""Connections that the program accepts at most: then the accept queue fills."""

_UNREAD: Final = 1 << 20
"""Octets that wait for a client that does not read. Until then no more of its data is taken."""

_OPENING: Final = (State.SYN_SENT, State.SYN_RECEIVED)


class Program(Protocol):
    """What is done with connections; each is closed when its client has closed."""

    def reads(self, served: Served, octets: bytes, at: int) -> Segments:
        """Take what a client has sent; return what is sent then."""


class Silent:
    """Takes what clients send, and answers nothing."""

    def reads(self, _: Served, octets: bytes, at: int) -> Segments:  # noqa: ARG002
        """Discard it."""
        return ()


class Echo:
    """Sends back what clients send."""

    def reads(self, served: Served, octets: bytes, at: int) -> Segments:
        """Send the same."""
        return served.sock.send(octets, at) if octets else ()


class FixedAnswer:
    """Gives a fixed answer as soon as a client has sent something, then closes its direction."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def reads(self, served: Served, octets: bytes, at: int) -> Segments:
        """Answer once: what comes later is taken, and discarded."""
        if served.answered or not (octets or served.sock.state is State.CLOSE_WAIT):
            return ()
        served.answered = True
        return served.sock.send(self._octets, at) + served.sock.shutdown(at)


@dataclass(eq=False)
class Served:
    """One connection, and its timer."""

    sock: TcpSocket
    begun: int
    """When its SYN was received, or it was accepted."""

    owned: bool = False
    """Whether a misbehaviour, not the program, decides what is done with it."""

    answered: bool = False
    counted: bool = False
    """Whether it is over for its program: it may still be in TIME-WAIT."""

    due: int | None = None
    timer: int = 0


class Server:
    """One port. Times are nanoseconds of one clock."""

    def __init__(
        self,
        listen: Callable[[Endpoint], ListeningSocket],
        program: Program | None = None,
        behaviour: Behaviour | None = None,
        most: int = MOST,
    ) -> None:
        """`listen` returns a listening socket for each local address that is asked for."""
        self._listen = listen
        self._program = program or Echo()
        self._behaviour = behaviour or Behaviour()
        self._most = most
        self.listeners: dict[Endpoint, ListeningSocket] = {}
        self.connections: dict[tuple[Endpoint, Endpoint], Served] = {}
        """What the program has accepted, by local and remote end."""

        self.ended: Counter[str] = Counter()
        """How many connections are over, by how: `closed`, `reset`, `refused`, `timed-out`."""

        self.over: list[tuple[Endpoint, Endpoint]] = []
        """The ends of those that are over, until they are taken."""

        self.left: Counter[str] | None = None
        """What `queues` returned before all was aborted."""

        self._resting: dict[tuple[Endpoint, Endpoint], Served] = {}
        """Those in TIME-WAIT, the oldest first."""

        self._began: dict[tuple[Endpoint, Endpoint], int] = {}
        self._timers: TimerQueue[Served] = TimerQueue()
        self._later: list[tuple[int, int, Segment]] = []
        self._numbers = count()

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due; None while no timer runs."""
        due = [self._timers.next, self._later[0][0] if self._later else None]
        due += [each.deadline for each in self.listeners.values()]
        return min((at for at in due if at is not None), default=None)

    def entries(self) -> Iterator[tuple[TcpSocket, str, int]]:
        """Yield each connection, in which queue it is, and when it began: half-open ones first."""
        for listener in self.listeners.values():
            for queue, entries in (("half-open", listener.half_open), ("queued", listener.waiting)):
                for sock in entries.values():
                    yield sock, queue, self._began.get((sock.local, sock.remote), 0)
        for served in self.connections.values():
            opening = served.sock.state in _OPENING
            yield served.sock, "half-open" if opening else "accepted", served.begun

    def queues(self) -> Counter[str]:
        """Return how many connections are in each queue; those in TIME-WAIT are over."""
        if self.left is not None:
            return self.left
        return Counter(
            queue for sock, queue, _ in self.entries() if sock.state is not State.TIME_WAIT
        )

    @property
    def total(self) -> int:
        """How many connections are over."""
        return sum(self.ended.values())

    def receive(self, observed: Observed, at: int) -> Segments:
        """Process a received segment; return what to send."""
        seg = observed.segment
        if not self._behaviour.hears(seg):
            return ()
        key = (seg.destination, seg.source)
        served = self.connections.get(key)
        if served is not None and _reopens(served.sock, seg):
            self._forget(key, "closed")
            served = None
        if served is not None:
            return self._sent(self._receive(served, observed, at), at)
        return self._sent(self._listener_receives(observed, at), at)

    def on_timer(self, at: int) -> Segments:
        """Do what is due by a time."""
        out: Segments = ()
        while self._later and self._later[0][0] <= at:
            out += (heapq.heappop(self._later)[2],)
        made: Segments = ()
        for served in self._timers.due(at):
            sock = served.sock
            if sock.deadline is not None and sock.deadline <= at:
                made += sock.on_timer(at)
            self._after(served)
        for listener in self.listeners.values():
            if listener.deadline is not None and listener.deadline <= at:
                before = list(listener.half_open.values())
                made += listener.on_timer(at)
                for entry in before:
                    if entry.remote not in listener.half_open:
                        self._end((entry.local, entry.remote), "timed-out")
        return out + self._sent(made, at)

    def abort(self, at: int) -> Segments:
        """Reset all that is open, or half open."""
        self.left = self.queues()
        out: Segments = ()
        for sock, *_ in list(self.entries()):
            out += sock.abort(at)
        self.connections.clear()
        self.listeners.clear()
        self._later.clear()
        return out

    def _sent(self, segments: Iterable[Segment], at: int) -> Segments:
        """Return what is sent in place of segments, now."""
        out: Segments = ()
        for each in segments:
            for delay, found in self._behaviour.sends(each):
                if delay:
                    heapq.heappush(self._later, (at + delay, next(self._numbers), found))
                else:
                    out += (found,)
        return out

    @property
    def _open(self) -> int:
        return len(self.connections) - len(self._resting)

    # A connection opens.

    def _listener(self, local: Endpoint) -> ListeningSocket:
        listener = self.listeners.get(local)
        if listener is None:
            listener = self.listeners[local] = self._listen(local)
        return listener

    def _listener_receives(self, observed: Observed, at: int) -> Segments:
        seg = observed.segment
        listener, remote = self._listener(seg.destination), seg.source
        key = (seg.destination, remote)
        known = remote in listener.half_open or remote in listener.waiting
        if seg.syn and seg.ack is None and not seg.rst and not known:
            entry = listener.connection(remote, at)
            answer = None
            if observed.checksum_ok is not False:
                answer = self._behaviour.opens(observed, entry, at)
            if answer is not None:
                if entry.done:
                    self._end(key, "refused")
                else:
                    self._serve(entry, at)
                return answer
        half_open = remote in listener.half_open
        out = listener.receive(observed, at)
        if remote in listener.half_open:
            self._began.setdefault(key, at)
        elif half_open and remote not in listener.waiting:
            self._end(key, "reset")
        return out + self._accept(listener, at)

    def _accept(self, listener: ListeningSocket, at: int) -> Segments:
        out: Segments = ()
        while self._behaviour.accepting and self._open < self._most:
            sock = listener.accept()
            if sock is None:
                break
            served = self._serve(sock, self._began.get((sock.local, sock.remote), at))
            out += self._opened(served, at)
            self._after(served)
        return out

    def _serve(self, sock: TcpSocket, begun: int) -> Served:
        key = (sock.local, sock.remote)
        self._began.pop(key, None)
        served = self.connections[key] = Served(sock, begun)
        self._after(served)
        return served

    def _opened(self, served: Served, at: int) -> Segments:
        """Let the program begin with a connection that is open."""
        out = self._behaviour.accepted(served.sock, at)
        if out is not None:
            served.owned = True
            return out
        return self._run(served, at)

    # A connection that the program has.

    def _receive(self, served: Served, observed: Observed, at: int) -> Segments:
        sock, opening = served.sock, served.sock.state in _OPENING
        if sock.unacknowledged > _UNREAD and observed.segment.payload_length:
            # A socket without room drops data, and its sender retransmits it.
            seg = changed(observed.segment, payload=b"", payload_length=0)
            observed = changed(observed, segment=seg)
        out = sock.receive(observed, at)
        if opening and sock.state.synchronized:
            out += self._opened(served, at)
        elif sock.state not in _OPENING:
            out += self._run(served, at)
        self._after(served)
        return out

    def _run(self, served: Served, at: int) -> Segments:
        """Let the program read, and close where the client has closed."""
        sock = served.sock
        octets = sock.read()
        out: Segments = ()
        if not served.owned:
            out = self._program.reads(served, octets, at)
        if sock.state is State.CLOSE_WAIT:
            out += sock.shutdown(at)
        return out

    def _after(self, served: Served) -> None:
        """Forget a connection that is over; else set its timer."""
        sock = served.sock
        key = (sock.local, sock.remote)
        if sock.done or sock.state is State.LISTEN:
            how = "reset" if sock.was_reset or sock.refused or sock.aborted else "closed"
            self._forget(key, "timed-out" if sock.timed_out else how)
            return
        if sock.state is State.TIME_WAIT and not served.counted:
            served.counted = True
            self._end(key, "closed")
            self._resting[key] = served
            if len(self._resting) > self._most:
                self._forget(next(iter(self._resting)), "closed")
        if served.due is not None and (sock.deadline is None or served.due > sock.deadline):
            self._timers.cancel(served)
        if sock.deadline is not None:
            self._timers.set(served, sock.deadline)

    def _forget(self, key: tuple[Endpoint, Endpoint], how: str) -> None:
        served = self.connections.pop(key, None)
        self._resting.pop(key, None)
        if served is not None:
            self._timers.cancel(served)
            if not served.counted:
                self._end(key, how)

    def _end(self, key: tuple[Endpoint, Endpoint], how: str) -> None:
        self._began.pop(key, None)
        self.ended[how] += 1
        self.over.append(key)


def _reopens(sock: TcpSocket, seg: Segment) -> bool:
    """Whether a SYN opens a connection anew that is in TIME-WAIT (section 3.6.1)."""
    if sock.state is not State.TIME_WAIT or not seg.syn or seg.ack is not None:
        return False
    nxt = sock.block.rcv.nxt
    return nxt is not None and seg.seq > nxt
