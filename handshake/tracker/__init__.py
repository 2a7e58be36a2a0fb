"""Tracks connections from captured segments: an observed segment in, a step out."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.diagnosis import Facts
from handshake.events import Change, Fate, Role, Step
from handshake.tcp import State
from handshake.tracker import inference
from handshake.tracker.classify import classify
from handshake.tracker.connection import Connection, End
from handshake.tracker.context import SegmentContext, is_rejected_reset
from handshake.tracker.findings import ConnectionFindings
from handshake.tracker.observer import Observer
from handshake.tracker.run import skip_run, start_of
from handshake.tracker.summary import (
    learn_connection,
    summarize,
    summarize_all,
    summarize_end,
    zeek_records,
)
from handshake.tracker.zeek import Zeek
from handshake.tracker.zeek.timeouts import LIKELY_SERVERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handshake.events import Copy, Judgment
    from handshake.events.run import Run, RunStart
    from handshake.tcp import ControlBlock, Endpoint, Observed, Segment
    from handshake.tcp.icmp import IcmpError
    from handshake.tracker.wireshark import Analysis, Direction

    Observers: TypeAlias = Iterable[Callable[[], Observer]]

__all__ = [
    "RECORD",
    "Connection",
    "End",
    "Observer",
    "PairTracker",
    "Tracker",
    "is_known_port",
    "learn_connection",
    "summarize",
    "summarize_all",
    "summarize_end",
    "zeek_records",
]

RECORD: Final = (ConnectionFindings, Facts, Zeek)
"""The observers that a complete record needs: `findings`, `diagnosis`, `conn_state`, `history`."""


_FIRST_USER_PORT: Final = 1024
_REGISTERED: Final = frozenset(
    {
        *(1433, 1521, 1723, 2049, 2181, 2375, 2404, 3260, 3689, 4840, 5060, 5061, 5672, 5900, 5985),
        *(6000, 6697, 7687, 8009, 8081, 8443, 8883, 9042, 9092, 9100, 9200, 9300, 11211, 27017),
        *(32400, 34962, 34963, 34964, 44818),
    }
)
"""Ports that servers listen on, and that Zeek does not name: databases, queues, industry."""


class Tracker:
    """Tracks all connections, each socket pair with a `PairTracker`, which tells the parameters."""

    def __init__(
        self,
        sockets: Iterable[ControlBlock] = (),
        client: Endpoint | None = None,
        *,
        observers: Observers = RECORD,
    ) -> None:
        self.connections: list[Connection] = []
        """By number."""

        self._pairs: dict[tuple[Endpoint, Endpoint], PairTracker] = {}
        self._sockets = tuple(sockets)
        self._client = client
        self._observers = tuple(observers)
        self._numbers = count()

    def feed(self, observed: Observed, judgment: Judgment | None = None) -> Step:
        """Return what the segment changed, in its connection; `judgment` is its fate, if known."""
        ends = (observed.segment.source, observed.segment.destination)
        pair = self._pairs.get(ends)
        if pair is None:
            pair = PairTracker(
                self._sockets, self._client, observers=self._observers, numbers=self._numbers
            )
            self._pairs[ends] = self._pairs[ends[::-1]] = pair
        step = pair.feed(observed, judgment)
        if step.stream == len(self.connections):
            assert pair.connection is not None
            self.connections.append(pair.connection)
        return step

    def drop_copy(self, observed: Observed) -> bool:
        """Whether it is a copy: then only that is counted. Ask before each `feed`."""
        pair = self._pairs.get((observed.segment.source, observed.segment.destination))
        return pair is not None and pair.drop_copy(observed)

    def quoted(self, error: IcmpError) -> Connection | None:
        """Return the connection whose segment this ICMP error quotes; None where none is known."""
        pair = self._pairs.get((error.source, error.destination))
        if pair is None:
            return None
        pair.quoted(error)
        return pair.connection


class PairTracker:
    """Tracks the connections of one socket pair, one after another.

    It returns for each segment what it changed at both ends, and never raises on what a wire
    carries. `sockets` are control blocks that are known before the first segment, such as a
    lesson's listening socket: without them an end is unknown until it sends a segment. `client`
    is the end that is known to be the client, for a probe whose first segment is no SYN. Each of
    `observers` makes one that follows one connection. `numbers` are those of the connections,
    and `reused` is that of an earlier one of which nothing else is known.
    """

    def __init__(
        self,
        sockets: Iterable[ControlBlock] = (),
        client: Endpoint | None = None,
        *,
        observers: Observers = RECORD,
        numbers: Iterator[int] | None = None,
        reused: int | None = None,
    ) -> None:
        self.connection: Connection | None = None
        """The last connection."""

        self._sockets = {block.local: block for block in sockets}
        self._known_client = client
        self._observers = observers
        self._numbers = count() if numbers is None else numbers
        self._reused = reused

    def feed(self, observed: Observed, judgment: Judgment | None = None) -> Step:
        """Return what a segment changed, in its connection; `judgment` is its fate, if known."""
        seg, connection = observed.segment, self.connection
        if connection is None or _opens_another(connection, seg):
            connection = self.connection = self._new(seg, connection)
        step = _step(connection, observed, judgment)
        connection.apply(step)
        for each in connection.observers:
            each.observe(step)
        return step

    def start(self) -> RunStart | None:
        """Return where a run may begin, in which nothing happens; None if none may."""
        return None if self.connection is None else start_of(self.connection)

    def skip(self, run: Run) -> None:
        """Take a run into account, as `feed` does each of its segments."""
        assert self.connection is not None
        skip_run(self.connection, run)

    def drop_copy(self, observed: Observed) -> bool:
        """Whether it is a copy: then only that is counted. Ask before each `feed`."""
        connection = self.connection
        if connection is None or _opens_another(connection, observed.segment):
            return False
        sender, receiver = connection.ends(observed.segment)
        copy = _copy(connection, observed, sender, receiver)
        if copy is None:
            return False
        connection.copies.remember(sender.role, observed, copy)
        sender.copies += 1
        return True

    def quoted(self, error: IcmpError) -> None:
        """Take an ICMP error that quotes a segment of the last connection into account."""
        if self.connection is not None:
            self.connection.quoted(error)

    def _new(self, seg: Segment, earlier: Connection | None) -> Connection:
        active, roles = _client(seg)
        # The sender of a SYN without ACK is a client, even if its peer was the known client.
        if roles != "syn" and self._known_client in (seg.source, seg.destination):
            active, roles = self._known_client, "known"
        passive = seg.destination if active == seg.source else seg.source
        client = End(active, Role.CLIENT, self._sockets.get(active))
        server = End(passive, Role.SERVER, self._sockets.get(passive))
        if earlier is not None:
            _inherit(server, earlier)
        return Connection(
            number=next(self._numbers),
            client=client,
            server=server,
            roles=roles,
            reused=self._reused if earlier is None else earlier.number,
            observers=tuple(each() for each in self._observers),
        )


def _opens_another(known: Connection, seg: Segment) -> bool:
    """Whether this SYN has another number than its sender's ISN, known or assumed."""
    if not seg.syn or seg.ack is not None:
        return False
    base = known.end(known.role_of(seg.source)).numbers.base
    return base is not None and base != seg.seq.value


def _client(seg: Segment) -> tuple[Endpoint, str]:
    """Return the client, and how it was identified."""
    if seg.syn and not seg.bogus:
        return (seg.source, "syn") if seg.ack is None else (seg.destination, "syn-ack")
    if seg.syn_cleared and not seg.bogus:
        return seg.source, "syn"
    # Servers listen on known ports, or else on low ones; between equal ports, the first sender is
    # the client.
    ends = (seg.source, seg.destination)
    return max(ends, key=lambda end: (not is_known_port(end.port), end.port)), "guess"


def is_known_port(port: int) -> bool:
    """Whether it is a server's port: a system port (RFC 6335 section 6), or a registered one."""
    return port < _FIRST_USER_PORT or port in LIKELY_SERVERS or port in _REGISTERED


def _inherit(server: End, earlier: Connection) -> None:
    """Let the server keep a connection that only the client has lost (figure 9)."""
    block = earlier.end(earlier.role_of(server.endpoint)).block
    if block is not None and block.state.synchronized and block.state is not State.TIME_WAIT:
        server.block = block


def _step(connection: Connection, observed: Observed, judgment: Judgment | None) -> Step:
    """Return what a segment changes: the connection itself, but for the analysis, stays as is."""
    seg = observed.segment
    sender, receiver = connection.ends(seg)
    before = receiver.block
    if seg.bogus:
        return _unchanged(connection, observed, sender, receiver)
    copy = _copy(connection, observed, sender, receiver)
    if copy is not None:
        connection.split()
        marks = _marks(connection.wire, sender.wire, receiver.wire, observed)
        return _unchanged(connection, observed, sender, receiver, copy, marks)
    own_marks = marks = _marks(connection.analysis, sender.numbers, receiver.numbers, observed)
    if connection.wire is not connection.analysis:
        marks = _marks(connection.wire, sender.wire, receiver.wire, observed)
    if seg.syn and connection.is_stray(sender, seg):
        ready, sent = before, sender.block
    else:
        ready = inference.received(before, seg)
        sent = _sent(sender, receiver, ready, observed)
    dropped = damaged = observed.checksum_ok is False and sender.loses(observed, receiver)
    if judgment is not None:
        # Later segments prove that it arrived, or that it changed nothing there.
        dropped = damaged = damaged and judgment.fate is not Fate.ARRIVED
        dropped = dropped or not judgment.taken
        if judgment.forged:
            sent = sender.block
    if damaged and seg.rst:
        sent = sender.block
    if observed.checksum_ok is False and observed.outgoing is False:
        # It arrived at this host, which drops it (section 3.1). In a saved capture a partial sum
        # proves nothing: with offload the network card completes it after the capture.
        dropped = True
    if dropped:
        ready = after = before
    else:
        after = None if ready is None else ready.received(seg)
    if seg.syn and sender.syn is None:
        sent = _with_crossed_syn(sent, after, receiver)
    change, received = Change(sender.block, sent), Change(ready, after)
    # By place, here and below: each segment of a capture has both.
    # fmt: off
    context = SegmentContext(
        connection, observed, seg, sender, receiver, change, received, own_marks, None, judgment,
        damaged,
    )
    return Step(
        connection.number,
        connection.segments + 1,
        observed,
        0 if connection.first is None else observed.at - connection.first.at,
        sender.role,
        change,
        received if ready is before else Change(before, after),
        tuple(classify(context)),
        (sent is not None and sent.inferred) or (after is not None and after.inferred),
        marks,
        own_marks,
        None,
        damaged,
        None if judgment is None else judgment.fate,
    )
    # fmt: on


def _copy(connection: Connection, observed: Observed, sender: End, receiver: End) -> Copy | None:
    """Return what a packet is a copy of; None if it is none."""
    if observed.segment.bogus:
        return None
    opened, sent, answered = connection.final_ack is not None, sender.numbers, receiver.numbers
    return connection.copies.find(sender.role, observed, sent, answered, opened=opened)


def _marks(analysis: Analysis, fwd: Direction, rev: Direction, observed: Observed) -> int:
    """Return Wireshark's marks of a segment, and take it into account."""
    seg = observed.segment
    # fmt: off
    return analysis.take(
        fwd, rev, seg.seq.value, seg.ack_field, seg.payload_length, int(seg.flags), seg.window,
        observed.at, seg.options.mptcp_signals,
    )
    # fmt: on


def _unchanged(
    connection: Connection,
    observed: Observed,
    sender: End,
    receiver: End,
    copy: Copy | None = None,
    marks: int = 0,
) -> Step:
    """Return the step of a segment that changes nothing.

    It is a copy, or every receiver drops it: nothing in its header is believed.
    """
    first = connection.first or observed
    sent, received = (
        Change(sender.block, sender.block),
        Change(receiver.block, receiver.block),
    )
    context = SegmentContext(
        connection, observed, observed.segment, sender, receiver, sent, received, 0, copy
    )
    return Step(
        stream=connection.number,
        index=connection.segments + 1,
        observed=observed,
        since_start=observed.at - first.at,
        by=sender.role,
        sender=sent,
        receiver=received,
        events=tuple(classify(context)),
        inferred=any(end.block is not None and end.block.inferred for end in (sender, receiver)),
        marks=marks,
        copy=copy,
        fate=None if copy is None else Fate.COPY,
    )


def _sent(
    sender: End, receiver: End, ready: ControlBlock | None, observed: Observed
) -> ControlBlock | None:
    """Return the sender's block after it sent a segment to a receiver whose block is `ready`."""
    seg, mine = observed.segment, sender.block
    if sender.reset is not None and sender.disproves_reset(observed):
        mine = sender.reset.before
    if seg.rst and sender.block is not None and is_rejected_reset(ready, seg):
        # A RST may be spoofed: one with a wrong number proves nothing of the end that it names.
        # A real sender answers the challenge ACK (RFC 5961).
        return sender.block
    if sender.block is None and receiver.block is not None and not (seg.syn or seg.length):
        peer = receiver.block
        if peer.state is State.SYN_SENT and seg.ack == peer.snd.nxt and not seg.rst:
            # An ACK without SYN answers a SYN: whatever sent it is connected to nothing.
            return None
    return inference.sent(
        mine,
        seg,
        None if receiver.syn is None else receiver.syn.first.segment,
        None if receiver.syn_ack is None else receiver.syn_ack.first.segment,
        None if receiver.block is None else receiver.block.fin,
    )


def _with_crossed_syn(
    sent: ControlBlock | None, after: ControlBlock | None, receiver: End
) -> ControlBlock | None:
    """Return the block of a SYN's sender once it received the SYN that crossed it on the path."""
    if sent is None or sent.state is not State.SYN_SENT or receiver.syn is None:
        return sent
    if after is None or after.state is not State.SYN_RECEIVED:
        return sent
    return sent.received(receiver.syn.first.segment)
