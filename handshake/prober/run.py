"""Probes: of one address, with each step as it passes, or of many targets at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Self

from handshake.endpoint.options import ClientOptions, Timeouts
from handshake.endpoint.outcome import Verdict
from handshake.linux.signals import signals_blocked
from handshake.prober.driver import CONCURRENCY, Driver
from handshake.prober.findings import dropped_by_local_firewall
from handshake.prober.resolver import Resolver, resolve
from handshake.prober.result import Result
from handshake.tracker import Tracker
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Iterable, Iterator
    from types import TracebackType

    from handshake.endpoint.attempt import Attempt
    from handshake.endpoint.single_segment import SingleSegmentProbe
    from handshake.events import Step
    from handshake.prober.kernel.connections import KernelConnections
    from handshake.prober.target import Target
    from handshake.prober.userspace.connection import PacketObserver, UserspaceConnection
    from handshake.prober.userspace.connections import UserspaceConnections
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError


class Waiting(NamedTuple):
    """What a probe waits for, and how long still."""

    opened: bool
    """Whether the handshake is complete."""

    sent: int
    """How many SYNs have left."""

    most: int
    """How many SYNs it sends if none is answered."""

    left: float
    """Seconds until it gives up."""


class Probe:
    """A connection to one address in user space. Iterating yields each step as it passes.

    What is due is sent before a step is yielded, and nothing while the caller holds it: a caller
    that takes a second delays the next segment by a second. All sockets are closed when the
    iteration ends, is closed or is interrupted.
    """

    def __init__(
        self,
        target: Target,
        remote: Endpoint,
        timeouts: Timeouts | None = None,
        options: ClientOptions | None = None,
        connections: UserspaceConnections | None = None,
    ) -> None:
        """Prepare it. It opens sockets of its own unless it shares the `connections` of others."""
        self.target = target
        self.remote = remote
        self.tracker = Tracker()
        self.endpoint: Attempt | SingleSegmentProbe | None = None
        """Our end of the connection; None until its first SYN is about to leave."""

        self._timeouts = timeouts or Timeouts()
        self._options = options
        self._connections = connections
        self._shared = connections is not None
        self._connection: UserspaceConnection | None = None
        self._result: Result | None = None
        self._steps = self._run()

    def __iter__(self) -> Iterator[Step]:
        return (step for step in self._steps if step is not None)

    def rounds(self) -> Iterator[Step | None]:
        """Yield each step as it passes, and None after each wait, of 0.2 s at most.

        So a caller can show what it waits for.
        """
        return self._steps

    @property
    def waiting(self) -> Waiting | None:
        """What it waits for now; None before the first SYN, and after the end."""
        endpoint, connections = self.endpoint, self._connections
        if endpoint is None or connections is None or endpoint.done:
            return None
        left = max(0, endpoint.ends_by - connections.clock.now()) / NS_PER_SECOND
        opened = endpoint.verdict is Verdict.OPEN
        return Waiting(opened, endpoint.syn_sent, self._timeouts.retries + 1, left)

    @property
    def errors(self) -> tuple[IcmpError, ...]:
        """The ICMP errors that have quoted it so far."""
        return () if self._connection is None else self._connection.errors

    @property
    def result(self) -> Result:
        """The result, once the iteration has ended."""
        assert self._result is not None, "the probe has not ended: call finish()"
        return self._result

    def finish(self) -> Result:
        """Run it to its end; return the result."""
        for _ in self._steps:
            pass
        return self.result

    def adopt(self) -> socket.socket | None:
        """Return a kernel socket that continues the connection as soon as it is open.

        None if it does not open; then `result` is set. Raises LocalError if the kernel refuses to
        take it over. The probe must own its sockets and hold the connection (`Timeouts.hold`).
        """
        from handshake.linux.connect import SocketOptions, set_ip_options
        from handshake.linux.tcp_repair import acknowledged, adopt

        seen = []
        for step in self:
            seen.append(step.observed)
            endpoint, connections = self.endpoint, self._connections
            assert endpoint is not None
            assert connections is not None
            opened = endpoint.verdict is Verdict.OPEN and not endpoint.done
            # Only when all that the endpoint has received has a step is nothing of it lost.
            if opened and len(seen) == self.explained:
                break
        else:
            return None
        sock = adopt(
            endpoint.block,
            clock=endpoint.clock(connections.clock.now()),
            release=connections.release,
            received=acknowledged(endpoint.block, seen),
        )
        options = connections.options
        set_ip_options(sock, SocketOptions(ttl=options.ttl, tos=options.tos))
        return sock

    @property
    def explained(self) -> int:
        """How many segments the tracker has processed: those of one round all at once."""
        # To a tracker, a stray SYN begins another connection.
        return sum(each.segments for each in self.tracker.connections)

    def close(self) -> None:
        """Abort it, unless it has ended."""
        self._steps.close()

    def _run(self) -> Generator[Step | None, None, None]:
        if self._connections is not None:
            yield from self._over(self._connections)
            return
        with _userspace_connections(self._timeouts, self._options, attentive=True) as connections:
            self._connections = connections
            yield from self._over(connections)

    def _over(self, connections: UserspaceConnections) -> Generator[Step | None, None, None]:
        from handshake.prober.userspace.build_result import (
            build_result,
            is_locally_dropped,
            new_tracker,
        )

        with signals_blocked():
            connection = connections.begin(self.target, self.remote)
        if isinstance(connection, Result):
            self._result = connection
            return
        self._connection = connection
        self.endpoint = connection.session.take_over()
        self.tracker = new_tracker(connection)
        for _ in Driver(connections).drive(lambda: connection.ended):
            yield from self._steps_of(connection)
            yield None
        connections.ended.clear()
        result = build_result(connection, connections.packet_socket.decode, self.tracker)
        if result.ttl is not None and is_locally_dropped(connection, result.ttl):
            result = replace(result, findings=(*result.findings, dropped_by_local_firewall()))
        # A user who allows a single SYN gets no second one for this either.
        if result.verdict is Verdict.CLOSED and self._timeouts.retries:
            from handshake.prober.rst_origin import locate_rst_sender

            result = locate_rst_sender(result, connection, connections)
        self._result = result

    def _steps_of(self, connection: UserspaceConnection) -> Iterator[Step]:
        """Yield the steps of the segments that have passed since the last time."""
        assert connection.segments is not None
        new = connection.segments[self.explained :]
        # All at once: what is still to be explained must be known, however long a step is held.
        yield from [self.tracker.feed(each) for each in new]


class Prober:
    """Probes the addresses of targets in user space, over sockets that they share.

    `opened` is called as soon as the sockets are open. `observer` is called for each connection,
    and what it returns for each packet of the connection as it passes.
    """

    def __init__(
        self,
        timeouts: Timeouts | None = None,
        options: ClientOptions | None = None,
        *,
        opened: Callable[[], None] | None = None,
        observer: Callable[[], PacketObserver] | None = None,
    ) -> None:
        self._timeouts = timeouts or Timeouts()
        self._options = options
        self._connections = _userspace_connections(
            self._timeouts, options, attentive=True, opened=opened, observer=observer
        )

    def __enter__(self) -> Self:
        self._connections.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._connections.__exit__(kind, error, at)

    def probes(self, target: Target) -> Iterator[Probe | Result]:
        """Yield a probe of each address of the target; a result if it has none.

        Once privileges are dropped no sockets can be opened: so all are guarded beforehand.
        """
        entries = resolve(target)
        self._connections.prepare(each[1] for each in entries if not isinstance(each, Result))
        for each in entries:
            if isinstance(each, Result):
                yield each
            else:
                yield Probe(*each, self._timeouts, self._options, self._connections)


def probes(
    target: Target, timeouts: Timeouts | None = None, options: ClientOptions | None = None
) -> Iterator[Probe | Result]:
    """Yield a probe of each address of the target, not yet begun; a result if it has none.

    Each probe has sockets of its own.
    """
    for each in resolve(target):
        yield each if isinstance(each, Result) else Probe(*each, timeouts, options)


def probe_all(
    targets: Iterable[Target],
    *,
    concurrency: int = CONCURRENCY,
    rate: float | None = None,
    timeouts: Timeouts | None = None,
    options: ClientOptions | None = None,
    attentive: bool = False,
    opened: Callable[[], None] | None = None,
    observer: Callable[[], PacketObserver] | None = None,
) -> Generator[Result, None, None]:
    """Probe many targets at once in user space; yield the result of each address as it ends.

    Targets are taken as they are needed, of a name IPv6 first; nothing is kept of a connection that
    has ended. `rate` is how many connections start each second, None for no limit. With `attentive`
    every segment is kept and explained, which costs about a millisecond a connection. `opened` is
    called as soon as the sockets are open. With `attentive`, `observer` is called for each
    connection, and what it returns for each packet as it passes. Raises LocalError if this machine
    does not allow it.
    """
    connections = _userspace_connections(
        timeouts or Timeouts(), options, attentive=attentive, opened=opened, observer=observer
    )
    with connections, Resolver(targets) as resolver:
        yield from Driver(connections).results(resolver, concurrency, rate)


def connect_all(
    targets: Iterable[Target],
    *,
    concurrency: int = CONCURRENCY,
    rate: float | None = None,
    timeouts: Timeouts | None = None,
    options: ClientOptions | None = None,
) -> Generator[Result, None, None]:
    """Probe many targets at once by the kernel's connect(): `probe_all` without privileges.

    What the kernel does not tell is None: the TTL of the answer, and every segment. The kernel
    decides when to retransmit a SYN: `Timeouts.rto` is not used, and `Timeouts.retries` is what it
    aims at. `Result.rtt` is the kernel's, but that of a refusal is measured here. Raises LocalError
    if there are too many sockets.
    """
    connections = _kernel_connections(timeouts, options)
    with connections, Resolver(targets) as resolver:
        yield from Driver(connections).results(resolver, concurrency, rate)


def connect(
    target: Target,
    remote: Endpoint,
    *,
    timeouts: Timeouts | None = None,
    options: ClientOptions | None = None,
    tick: Callable[[], None] | None = None,
) -> Result:
    """Probe one address of a target: the kernel makes the connection.

    `tick` is called after each wait, of 0.2 s at most.
    """
    with _kernel_connections(timeouts, options) as connections:
        with signals_blocked():
            found = connections.begin(target, remote)
        if isinstance(found, Result):
            return found
        for _ in Driver(connections).drive(lambda: bool(connections.ended)):
            if tick is not None:
                tick()
        (result,) = connections.results()
        return result


def _userspace_connections(
    timeouts: Timeouts,
    options: ClientOptions | None,
    *,
    attentive: bool,
    opened: Callable[[], None] | None = None,
    observer: Callable[[], PacketObserver] | None = None,
) -> UserspaceConnections:
    # Scapy and the sockets, only now: importing this module must stay cheap for --help.
    from handshake.prober.userspace.connections import UserspaceConnections

    return UserspaceConnections(
        timeouts, options, attentive=attentive, opened=opened, observer=observer
    )


def _kernel_connections(
    timeouts: Timeouts | None, options: ClientOptions | None
) -> KernelConnections:
    # As above.
    from handshake.prober.kernel.connections import KernelConnections

    return KernelConnections(timeouts or Timeouts(), options or ClientOptions())
