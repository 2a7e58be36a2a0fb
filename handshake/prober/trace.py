"""The path of a SYN: SYNs with rising TTL, and what each router that stops one quotes of it.

Each SYN has a socket pair of its own. A router that decrements the TTL to zero reports that, and
quotes the SYN as it arrived there: so what a device before it has changed shows (as tracebox).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from handshake.endpoint.options import ClientOptions, Timeouts
from handshake.linux.signals import signals_blocked
from handshake.packet.quote import packet_quote, quote_of
from handshake.prober.answer import icmp_name, probe_message
from handshake.prober.driver import Driver
from handshake.prober.resolver import resolve
from handshake.prober.result import Result
from handshake.record import Json, icmp_record
from handshake.tcp import Observed
from handshake.tcp.option_text import option_text
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import TracebackType

    from handshake.messages import Message
    from handshake.packet.quote import Quote
    from handshake.prober.target import Target
    from handshake.prober.userspace.connection import PacketObserver, UserspaceConnection
    from handshake.prober.userspace.connections import UserspaceConnections
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError

TRIES: Final = 3
"""The most SYNs to a hop."""

FARTHEST: Final = 30
"""The largest TTL."""

_SILENT: Final = 4
"""Hops in a row without a sign after which only the target itself is asked."""

_DOUBTED: Final = 2
"""Silent hops in a row after which the next ones get one SYN each."""


class Difference(NamedTuple):
    """A field of the SYN that is not as it was sent."""

    field: str
    before: str
    """As it was sent; empty for an option that was added."""

    after: str
    """As it arrived; empty for an option that was removed."""


@dataclass(frozen=True, slots=True)
class TracedHop:
    """What came back of the SYNs with one TTL."""

    ttl: int
    sent: int
    """SYNs sent."""

    error: IcmpError | None = None
    answer: str | None = None
    """`SYN-ACK` or `RST` from the target's address."""

    rtt: float | None = None
    """Seconds from the SYN to what came back."""

    differences: tuple[Difference, ...] = ()
    """How the quoted SYN differs from the one that was sent."""

    cut: bool = False
    """Whether the quote ends before the options: what is changed in them does not show."""

    @property
    def passed_on(self) -> bool:
        """Whether a router dropped it only because its TTL was used up."""
        return self.error is not None and self.error.expired

    def as_json(self) -> Json:
        """Return it as a JSON object."""
        return {
            "ttl": self.ttl,
            "sent": self.sent,
            "from": None if self.error is None else str(self.error.sender),
            "icmp": icmp_record(self.error),
            "answer": self.answer,
            "rtt": self.rtt,
            "differences": [each._asdict() for each in self.differences],
            "options_cut": self.cut,
        }


@dataclass(frozen=True, slots=True)
class Trace:
    """The path of the SYNs to one address."""

    target: str
    address: str
    port: int
    hops: tuple[TracedHop, ...]
    final: TracedHop | None = None
    """What came back of SYNs with a full TTL, sent where the last hops were silent."""

    @property
    def last(self) -> TracedHop | None:
        """The last router that passed the SYN on; None if none shows."""
        return next((each for each in reversed(self.hops) if each.passed_on), None)

    @property
    def ended(self) -> TracedHop | None:
        """The hop that answered or rejected the SYN."""
        hops = (*self.hops, *(() if self.final is None else (self.final,)))
        return next((e for e in hops if e.answer or (e.error and not e.error.expired)), None)

    @property
    def verdict(self) -> Message:
        """What became of the SYN."""
        end, last = self.ended, self.last
        if end is not None and end.error is not None:
            sender, name = end.error.sender, icmp_name(end.error)
            passed = (
                e.ttl for e in self.hops if e.passed_on and e.error and e.error.sender == sender
            )
            # It may reject only what it forwards: its place is that of its other error.
            return probe_message(
                "trace.rejected", name=name, sender=sender, ttl=next(passed, end.ttl)
            )
        if end is not None and end is not self.final:
            return probe_message("trace.answered", answer=end.answer, ttl=end.ttl)
        if last is None or last.error is None:
            code = "trace.nothing" if end is None else "trace.unseen"
            return probe_message(code, answer=None if end is None else end.answer)
        values = {"ttl": last.ttl, "sender": last.error.sender}
        if end is not None:
            return probe_message("trace.hidden", answer=end.answer, **values)
        far = self.final is None and last.ttl == FARTHEST
        return probe_message("trace.far" if far else "trace.dropped", **values)

    @property
    def changes(self) -> tuple[tuple[int, int, Difference], ...]:
        """Each difference, between the last hop without it and the first hop with it."""
        found: dict[Difference, tuple[int, int]] = {}
        before = 0
        for each in self.hops:
            if each.error is None:
                continue
            for difference in each.differences:
                found.setdefault(difference, (before, each.ttl))
            before = each.ttl
        return tuple((*where, difference) for difference, where in found.items())

    @property
    def succeeded(self) -> bool:
        """Whether a SYN-ACK came back."""
        return self.ended is not None and self.ended.answer == "SYN-ACK"

    def as_json(self) -> Json:
        """Return it as one JSON object."""
        last = self.last
        return {
            "target": self.target,
            "address": self.address,
            "port": self.port,
            "verdict": self.verdict.code.removeprefix("trace."),
            "reason": str(self.verdict),
            "last": None if last is None else last.ttl,
            "hops": [each.as_json() for each in self.hops],
            "final": None if self.final is None else self.final.as_json(),
            "changes": [
                {"behind": behind, "hop": hop, **each._asdict()}
                for behind, hop, each in self.changes
            ],
        }


class Tracer:
    """Traces the path to one target after another, over sockets that they share."""

    def __init__(
        self,
        options: ClientOptions | None = None,
        *,
        wait: float = 1.0,
        opened: Callable[[], None] | None = None,
        observer: Callable[[], PacketObserver] | None = None,
    ) -> None:
        """Prepare it: a SYN without an answer is given up after `wait` seconds."""
        from handshake.prober.userspace.connections import UserspaceConnections

        self._timeouts = Timeouts(retries=0, handshake=round(wait * NS_PER_SECOND))
        self._options = options or ClientOptions()
        self._connections: UserspaceConnections = UserspaceConnections(
            self._timeouts, self._options, attentive=True, opened=opened, observer=observer
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

    def traces(
        self, target: Target
    ) -> Iterator[Generator[Trace | Result | None, None, None] | Result]:
        """Yield a trace of each address that grows hop by hop; a result if it has none."""
        entries = resolve(target)
        self._connections.prepare(each[1] for each in entries if not isinstance(each, Result))
        for each in entries:
            yield each if isinstance(each, Result) else self._trace(*each)

    def _trace(
        self, target: Target, remote: Endpoint
    ) -> Generator[Trace | Result | None, None, None]:
        """Yield the trace after each hop, and None while it waits; the last one is whole.

        A result is yielded instead if this machine did not send the SYN.
        """
        trace = Trace(target.text, str(remote.address), remote.port, ())
        silent = 0
        for ttl in range(1, FARTHEST + 1):
            for hop in self._hop(target, remote, ttl, 1 if silent >= _DOUBTED else TRIES):
                if not isinstance(hop, TracedHop):
                    yield hop
                    if hop is not None:
                        return
                    continue
                trace = replace(trace, hops=(*trace.hops, hop))
                silent = 0 if hop.error is not None else silent + 1
            yield trace
            if trace.ended is not None:
                return
            if silent == _SILENT:
                break
        if not silent:
            return
        for hop in self._hop(target, remote, self._options.ttl, TRIES):
            yield replace(trace, final=hop) if isinstance(hop, TracedHop) else hop

    def _hop(
        self, target: Target, remote: Endpoint, ttl: int, tries: int
    ) -> Iterator[TracedHop | Result | None]:
        """Send SYNs with this TTL until something comes back; yield None, and last the hop."""
        from handshake.prober.userspace.build_result import build_result

        hop = TracedHop(ttl, 0)
        for sent in range(1, tries + 1):
            with signals_blocked():
                begun = self._connections.begin(
                    target, remote, self._timeouts, replace(self._options, ttl=ttl)
                )
            if isinstance(begun, Result):
                yield begun
                return
            for _ in Driver(self._connections).drive(partial(_has_ended, begun)):
                yield None
            self._connections.ended.clear()
            if not (begun.syns or begun.missed):
                yield build_result(begun, self._connections.packet_socket.decode)
                return
            hop = _came_back(begun, ttl, sent)
            if hop.error is not None or hop.answer is not None:
                break
        yield hop


def _has_ended(connection: UserspaceConnection) -> bool:
    return connection.ended


def _came_back(connection: UserspaceConnection, ttl: int, sent: int) -> TracedHop:
    """Return what came back of one SYN."""
    segments = connection.segments or []
    syn = next((each for each in segments if each.outgoing and each.segment.syn), None)
    error = None if connection.outcome is None else connection.outcome.icmp
    received, answer = connection.session.answer(), None
    if isinstance(received, Observed):
        error, answer = None, "RST" if received.segment.rst else "SYN-ACK"
    at = received.at if received is not None else None if error is None else error.at
    rtt = None if syn is None or at is None else max(0, at - syn.at) / NS_PER_SECOND
    quote = None if error is None else quote_of(error)
    if quote is None or syn is None or not syn.packet:
        return TracedHop(ttl, sent, error, answer, rtt)
    return TracedHop(
        ttl,
        sent,
        error,
        answer,
        rtt,
        tuple(differences(packet_quote(syn.packet), quote)),
        not quote.whole,
    )


def differences(sent: Quote, found: Quote) -> Iterator[Difference]:
    """Yield what was changed in a SYN on its way to where it is quoted; not its TTL."""
    if found.tos != sent.tos:
        yield Difference("tos", f"0x{sent.tos:02x}", f"0x{found.tos:02x}")
    before, after = sent.segment, found.segment
    if before is None or after is None:
        return
    if after.flags != before.flags:
        yield Difference("flags", str(before.flags), str(after.flags))
    if after.window != before.window:
        yield Difference("window", str(before.window), str(after.window))
    if not found.whole:
        return
    ours, theirs = ({e.name: option_text(e) for e in seg.options} for seg in (before, after))
    for name in dict.fromkeys((*ours, *theirs)):
        if name not in ("end", "nop") and ours.get(name) != theirs.get(name):
            yield Difference(name, ours.get(name, ""), theirs.get(name, ""))
