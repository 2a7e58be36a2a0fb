"""One connection: what is kept of it and of each end. Only a step, or an ICMP error, changes it."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from handshake import events as ev
from handshake.drawn import html_of
from handshake.events import Role
from handshake.tcp import State
from handshake.tcp.checksum import Checksum, Damaged, kind
from handshake.tracker.copies import CopyFinder
from handshake.tracker.round_trips import RoundTrips
from handshake.tracker.wireshark import (
    DUPLICATE_ACK,
    KEEP_ALIVE,
    OUT_OF_ORDER,
    SENT_AGAIN,
    WINDOW_UPDATE,
    ZERO_WINDOW,
    Analysis,
    Direction,
)

if TYPE_CHECKING:
    from handshake.events import Change, Event, Step
    from handshake.tcp import ControlBlock, Endpoint, Observed, Segment
    from handshake.tcp.icmp import IcmpError
    from handshake.tracker.observer import Observer

_RECENT: Final = 8
"""Transmissions remembered of one SYN: a Linux host gives up after seven."""


_CHANGING: Final = frozenset(
    {
        ev.SynCleared,
        ev.SimultaneousOpen,
        ev.Established,
        ev.Refused,
        ev.Aborted,
        ev.ResetDisproved,
        ev.StrayReset,
        ev.Closed,
        ev.Dropped,
    }
)
"""The events that change what is kept of a connection."""

_LATE: Final = 1_000_000
"""Nanoseconds after a RST from which a segment of its sender is not just out of order."""

_Observer = TypeVar("_Observer", bound="Observer")


@dataclass(slots=True)
class Transmission:
    """A SYN or SYN-ACK, and how often it was sent."""

    first: Observed
    last: Observed
    again: int = 0
    """How often it was retransmitted."""

    recent: tuple[Observed, ...] = ()
    """The latest few transmissions."""

    def repeated_by(self, seg: Segment) -> bool:
        """Whether `seg` retransmits this SYN or SYN-ACK."""
        first = self.first.segment
        return (first.seq, first.ack) == (seg.seq, seg.ack)


class Reset(NamedTuple):
    """A RST that ended an end's connection, as it seems."""

    observed: Observed
    before: ControlBlock | None
    """The end's block without it."""

    own_ttl: int | None
    """TTL of the end's first packet, if that was another."""


@dataclass(slots=True)
class End:
    """What is kept of one end beside its control block."""

    endpoint: Endpoint
    role: Role
    block: ControlBlock | None = None
    """None while nothing is known of this end."""

    syn: Transmission | None = None
    syn_ack: Transmission | None = None
    numbers: Direction = field(default_factory=Direction)
    """What it sent, without copies: not changed by steps, but before each."""

    wire: Direction = field(init=False)
    """The same with copies, for Wireshark's analysis; the same object until a copy comes."""

    segments: int = 0
    retransmissions: int = 0
    out_of_order: int = 0
    duplicate_acks: int = 0
    zero_windows: int = 0
    keep_alives: int = 0
    window_updates: int = 0
    copies: int = 0
    """How many of its segments are copies, and what Wireshark's counters are without them."""

    resent: int = 0
    reordered: int = 0
    repeated_acks: int = 0
    fins: int = 0
    rsts: int = 0
    ttl: int | None = None
    """Time to live, or hop limit, of the first packet."""

    undamaged: bool = False
    """Whether any of its segments has a right checksum."""

    damaged: Damaged | None = None
    """Those that have a wrong one, if there are any."""

    reset: Reset | None = None
    """Its RST, until a SYN asks for a connection again."""

    expects_challenge_ack: bool = False
    """Whether the last segment that it received requires a challenge ACK."""

    def __post_init__(self) -> None:
        self.wire = self.numbers

    def loses(self, observed: Observed, other: End) -> bool:
        """Whether the other end drops its segment for its checksum, for all that is known.

        A checksum that proves nothing of its end: the capture, or a tool, has changed it.
        """
        if observed.checksum_ok is not False or kind(observed) is not Checksum.WRONG:
            return False
        mine, theirs = self.damaged, other.damaged
        if mine is not None and mine.accepted:
            return False
        return self.undamaged or theirs is None or not theirs.is_taken(observed.segment.ack)

    def sum_of(self, observed: Observed, other: End) -> None:
        """Note the checksum of its segment, and what that shows of those of the other end."""
        seg = observed.segment
        if other.damaged is not None and other.damaged.pending and seg.ack is not None:
            other.damaged.acknowledged(seg.ack)
        if observed.checksum_ok is not False:
            self.undamaged = self.undamaged or observed.checksum_ok is True
            if self.damaged is not None:
                self.damaged.sent(observed, wrong=False)
        elif kind(observed) is Checksum.WRONG:
            self.damaged = self.damaged or Damaged()
            self.damaged.sent(observed, wrong=True)

    def disproves_reset(self, observed: Observed) -> bool:
        """Whether it goes on as if it had not sent its RST, which has another TTL than the rest.

        Soon after the RST a segment may just be out of order.
        """
        reset, seg = self.reset, observed.segment
        if reset is None or seg.rst or seg.bogus or (seg.syn and seg.ack is None):
            return False
        rst, ttl = reset.observed, reset.observed.ttl
        if ttl is None or observed.ttl is None or ttl in (observed.ttl, reset.own_ttl):
            return False
        if seg.syn:
            return rst.segment.ack is not None and rst.segment.ack == seg.ack
        return observed.at - rst.at >= _LATE and seg.seq >= rst.segment.seq

    def marked(self, marks: int) -> None:
        """Count Wireshark's marks of a segment that it sent."""
        self.retransmissions += bool(marks & SENT_AGAIN)
        self.out_of_order += bool(marks & OUT_OF_ORDER)
        self.duplicate_acks += bool(marks & DUPLICATE_ACK)
        self.zero_windows += bool(marks & ZERO_WINDOW)
        self.keep_alives += bool(marks & KEEP_ALIVE)
        self.window_updates += bool(marks & WINDOW_UPDATE)

    def sent(self, step: Step, *, stray: bool = False) -> None:
        """Count a segment that it sent, and remember a SYN or SYN-ACK that is not `stray`."""
        observed, marks, own = step.observed, step.marks, step.own_marks
        seg = observed.segment
        self.segments += 1
        self.ttl = observed.ttl if self.ttl is None else self.ttl
        if seg.bogus:
            return
        self.fins += seg.fin
        self.rsts += seg.rst
        if marks:
            self.marked(marks)
        if step.copy:
            self.copies += 1
            return
        if own:
            self.resent += bool(own & SENT_AGAIN)
            if own & OUT_OF_ORDER:
                # If it fills nothing, only a RST with a number of its own came before it.
                filled = any(isinstance(event, ev.FilledGap) for event in step.events)
                self.reordered += seg.syn or filled
            self.repeated_acks += bool(own & DUPLICATE_ACK)
        if not seg.syn:
            if seg.ack is not None and not (seg.rst or (own and own & KEEP_ALIVE)):
                self.expects_challenge_ack = False
        elif stray or seg.rst:
            return
        elif seg.ack is None:
            self.syn = _transmission(self.syn, observed)
        else:
            self.syn_ack = _transmission(self.syn_ack, observed)


@dataclass(slots=True)
class Connection:
    """All segments between two endpoints, from one SYN to the next."""

    number: int
    """Its number in the capture, from 0: Wireshark's `tcp.stream`."""

    client: End
    server: End
    roles: str
    """How the client was identified: `syn`, `syn-ack`, `known` or `guess`."""

    reused: int | None = None
    """The earlier connection between the same endpoints, if there was one."""

    observers: tuple[Observer, ...] = ()
    segments: int = 0
    first: Observed | None = None
    """Its first segment."""

    last: Observed | None = None
    """Its last segment so far."""

    last_sent: Observed | None = None
    """Its last segment so far that is no copy."""

    final_ack: Observed | None = None
    """The segment with which both ends became ESTABLISHED."""

    cleared: bool = False
    """Whether it began with a SYN whose flag was changed on the way."""

    refused: Observed | None = None
    """The RST that answered the SYN."""

    reset_by: Role | None = None
    """The end that aborted it with a RST which the other end had to accept."""

    forged: bool = False
    """Whether another device sent a RST in the name of one end."""

    simultaneous: bool = False
    """Whether it is a simultaneous open."""

    stepped: bool = False
    """Whether a time stamp lay before the one before it while it opened."""

    closed: bool = False
    """Whether both FINs were acknowledged."""

    unreachable: IcmpError | None = None
    """The ICMP error that answered the SYN."""

    itself: bool = field(init=False)
    """Whether a socket is connected to itself."""

    copies: CopyFinder = field(default_factory=CopyFinder)
    round_trips: RoundTrips = field(default_factory=RoundTrips)
    analysis: Analysis = field(init=False)
    """Wireshark's analysis without copies: it marks each segment before it is classified."""

    wire: Analysis = field(init=False)
    """The same with copies: the same object until a copy comes."""

    def _repr_html_(self) -> str:
        return html_of(self)

    def __post_init__(self) -> None:
        self.analysis = self.wire = Analysis(reused=self.reused is not None)
        self.itself = self.client.endpoint == self.server.endpoint

    def split(self) -> None:
        """Keep Wireshark's analysis apart from here on: it takes copies for segments."""
        if self.wire is self.analysis:
            self.wire = copy(self.analysis)
            for end in (self.client, self.server):
                end.wire = end.numbers.copy()

    def end(self, role: Role) -> End:
        """Return one end by its role."""
        return self.client if role is Role.CLIENT else self.server

    def ends(self, seg: Segment) -> tuple[End, End]:
        """Return the sender of a segment, and its receiver."""
        client, server, source = self.client, self.server, seg.source
        if source is client.endpoint or source == client.endpoint:
            return client, server
        return server, client

    def role_of(self, endpoint: Endpoint) -> Role:
        """Return the role of an endpoint."""
        client = self.client.endpoint
        return Role.CLIENT if endpoint is client or endpoint == client else Role.SERVER

    def observer(self, kind: type[_Observer]) -> _Observer | None:
        """Return the observer of this kind; None if the connection has none."""
        for each in self.observers:
            if isinstance(each, kind):
                return each
        return None

    def is_stray(self, sender: End, seg: Segment) -> bool:
        """Whether a SYN or SYN-ACK comes after the opening, and changes nothing of it any more.

        What its sender has sent since then proves that the opening was over for it.
        """
        block = sender.block
        if not seg.syn or self.final_ack is None or block is None or block.last_ack_sent is None:
            return False
        if seg.rst or seg.fin:
            return True
        if seg.ack is None:
            return sender.syn is not None or block.fin is not None
        if block.snd.iss is None:
            return False
        if block.snd.iss != seg.seq:
            return not (self.closed or self.reset_by)
        return block.last_ack_sent > seg.ack

    def apply(self, step: Step) -> None:
        """Change the connection and its ends as a step says."""
        seg, observed, stray = step.segment, step.observed, False
        sender, receiver = self.client, self.server
        if step.by is Role.SERVER:
            sender, receiver = receiver, sender
        if seg.syn or seg.rst:
            stray = self.is_stray(sender, seg)
            self._note_reset(step, sender, receiver)
        sender.block, receiver.block = step.sender.after, step.receiver.after
        self.segments += 1
        self.first = self.first or observed
        self.last = observed
        sender.sent(step, stray=stray)
        if not seg.bogus:
            self.copies.remember(step.by, observed, step.copy)
        if step.copy is not None:
            return
        if not seg.bogus:
            sender.sum_of(observed, receiver)
        before, self.last_sent = self.last_sent, observed
        if self.client.syn is not None and self.client.syn.again:
            if step.by is Role.CLIENT:
                self.round_trips.sent(observed, again=bool(step.own_marks & SENT_AGAIN))
            else:
                self.round_trips.received(observed)
        if self.final_ack is None and before is not None and observed.at < before.at:
            self.stepped = True
        for event in step.events:
            if type(event) in _CHANGING:
                self._apply(event, step, receiver)

    def _note_reset(self, step: Step, sender: End, receiver: End) -> None:
        """Remember the RST that ended its sender's connection; forget it once a SYN asks again."""
        seg = step.segment
        if seg.syn and seg.ack is None:
            sender.reset = receiver.reset = None
        elif seg.rst and sender.reset is None and step.sender.before != step.sender.after:
            own = sender.ttl if sender.segments else None
            sender.reset = Reset(step.observed, step.sender.before, own)

    def _apply(self, event: Event, step: Step, receiver: End) -> None:
        match event:
            case ev.SynCleared():
                self.cleared = True
            case ev.SimultaneousOpen():
                self.simultaneous = True
            case ev.Established():
                self.final_ack = step.observed
            case ev.Refused():
                self.refused = step.observed
            case ev.Aborted() if is_end(step.receiver):
                self.reset_by = self.reset_by or step.by
            case ev.ResetDisproved():
                self._disproved(step)
            case ev.StrayReset() if self.forged and is_end(step.receiver):
                if self.final_ack is not None:
                    self.reset_by = self.reset_by or step.by
            case ev.Closed():
                self.closed = True
            case ev.Dropped() if not step.segment.bogus:
                before, seg = step.receiver.before, step.segment
                asks = before is not None and before.state.synchronized
                receiver.expects_challenge_ack = asks and (seg.syn or seg.rst)

    def _disproved(self, step: Step) -> None:
        """Take back what a RST had shown that another device sent."""
        self.forged = True
        self.end(step.by).reset = None
        if self.reset_by is step.by:
            self.reset_by = None
        if self.refused is not None and step.by is Role.SERVER:
            self.refused = None

    def quoted(self, error: IcmpError) -> None:
        """Take an ICMP error that quotes one of its segments into account."""
        client = self.client
        of_syn = (
            error.source == client.endpoint
            and client.syn is not None
            and client.syn.first.segment.seq == error.seq
            and not self.server.segments
        )
        if of_syn and error.unreachable and self.unreachable is None:
            self.unreachable = error
        for each in self.observers:
            each.quoted(error, of_syn=of_syn)


def is_end(change: Change) -> bool:
    """Whether the RST that caused this change at its receiver ended the connection."""
    before = change.before
    return before is None or before.state is State.CLOSED or change.any


def _transmission(known: Transmission | None, observed: Observed) -> Transmission:
    if known is None or not known.repeated_by(observed.segment):
        return Transmission(observed, observed, recent=(observed,))
    recent = (*known.recent[1 - _RECENT :], observed)
    return Transmission(known.first, observed, known.again + 1, recent)
