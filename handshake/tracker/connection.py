"""One connection: the current control block of each end, and what was counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.events import Change, Role, Step
from handshake.tcp import State
from handshake.tracker import inference
from handshake.tracker.classify import classify
from handshake.tracker.context import SegmentContext
from handshake.tracker.findings import ConnectionFindings
from handshake.tracker.wireshark import Analysis, Direction, Mark
from handshake.tracker.zeek import Zeek

if TYPE_CHECKING:
    from handshake.tcp import ControlBlock, Endpoint, Observed, Segment
    from handshake.tcp.icmp import IcmpError

_RECENT: Final = 8
"""Transmissions remembered of one SYN: a Linux host gives up after seven."""


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
    """The sequence numbers that it sent, as plain integers: what the marks are computed from."""

    segments: int = 0
    retransmissions: int = 0
    out_of_order: int = 0
    duplicate_acks: int = 0
    zero_windows: int = 0
    keep_alives: int = 0
    window_updates: int = 0
    fins: int = 0
    rsts: int = 0
    ttl: int | None = None
    """Time to live, or hop limit, of the first packet."""

    expects_challenge_ack: bool = False
    """Whether the last segment that it received requires a challenge ACK."""

    def count(self, marks: int) -> None:
        """Count the marks of a segment that it sent."""
        self.retransmissions += bool(marks & Mark.SENT_AGAIN)
        self.out_of_order += bool(marks & Mark.OUT_OF_ORDER)
        self.duplicate_acks += bool(marks & Mark.DUPLICATE_ACK)
        self.zero_windows += bool(marks & Mark.ZERO_WINDOW)
        self.keep_alives += bool(marks & Mark.KEEP_ALIVE)
        self.window_updates += bool(marks & Mark.WINDOW_UPDATE)


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

    segments: int = 0
    first: Observed | None = None
    """Its first segment."""

    last: Observed | None = None
    """Its last segment so far."""

    final_ack: Observed | None = None
    """The segment with which both ends became ESTABLISHED."""

    refused: Observed | None = None
    """The RST that answered the SYN."""

    reset_by: Role | None = None
    """The end that aborted it with a RST which the other end had to accept."""

    simultaneous: bool = False
    """Whether it is a simultaneous open."""

    unreachable: IcmpError | None = None
    """The ICMP error that answered the SYN."""

    findings: ConnectionFindings = field(default_factory=ConnectionFindings)
    closed: bool = False
    """Whether both FINs were acknowledged."""

    analysis: Analysis = field(init=False)
    """Wireshark's analysis of its segments."""

    zeek: Zeek = field(init=False)
    """Zeek's reading of its segments."""

    def __post_init__(self) -> None:
        self.analysis = Analysis(reused=self.reused is not None)
        self.zeek = Zeek(self.client.endpoint.port, self.server.endpoint.port)

    def end(self, role: Role) -> End:
        """Return one end by its role."""
        return self.client if role is Role.CLIENT else self.server

    def role_of(self, endpoint: Endpoint) -> Role:
        """Return the role of an endpoint."""
        return Role.CLIENT if endpoint == self.client.endpoint else Role.SERVER

    def feed(self, observed: Observed) -> Step:
        """Return what this segment changed at both ends."""
        seg = observed.segment
        sender = self.end(self.role_of(seg.source))
        receiver = self.end(sender.role.other)
        marks = self._mark(observed, sender, receiver)
        before, seen_by = sender.block, receiver.block
        ready = inference.received(seen_by, seg)
        sender.block = inference.sent(
            before,
            seg,
            None if receiver.syn is None else receiver.syn.first.segment,
            None if receiver.syn_ack is None else receiver.syn_ack.first.segment,
            None if seen_by is None else seen_by.fin,
        )
        if seg.rst and before is not None and _is_rejected_reset(ready, seg):
            # A RST may be spoofed: one with a wrong number proves nothing of the end that it names.
            # A real sender answers the challenge ACK (RFC 5961).
            sender.block = before
        if observed.checksum_ok is False and observed.outgoing is False:
            # It arrived at this host, which drops it (section 3.1). In a saved capture a bad
            # checksum proves nothing: with offload the network card fills it in after the capture.
            ready = seen_by
        else:
            receiver.block = None if ready is None else ready.received(seg)
        if seg.syn and sender.syn is None:
            self._deliver_crossed_syn(sender, receiver)
        self.segments += 1
        self.first = self.first or observed
        self.last = observed
        self.zeek.observe(observed, int(sender is self.server))
        seen = SegmentContext(
            observed,
            sender,
            receiver,
            Change(before, sender.block),
            Change(ready, receiver.block),
            unseen=_unseen(seen_by, ready),
            marks=marks,
        )
        events = tuple(classify(self, seen))
        self._remember(observed, sender)
        step = Step(
            stream=self.number,
            index=self.segments,
            observed=observed,
            since_start=observed.at - self.first.at,
            by=sender.role,
            sender=seen.sent,
            receiver=Change(seen_by, receiver.block),
            events=events,
            inferred=any(
                end.block is not None and end.block.inferred for end in (sender, receiver)
            ),
        )
        self.findings.feed(step)
        return step

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
        self.findings.quoted(error, of_syn=of_syn)

    def _mark(self, observed: Observed, sender: End, receiver: End) -> int:
        seg = observed.segment
        marks = self.analysis.take(
            sender.numbers,
            receiver.numbers,
            int(seg.seq),
            seg.ack_field,
            seg.payload_length,
            int(seg.flags),
            seg.window,
            observed.at,
        )
        if marks:
            sender.count(marks)
        return marks

    def _deliver_crossed_syn(self, sender: End, receiver: End) -> None:
        """Let the sender of this SYN receive the SYN that crossed it on the path."""
        block, syn = sender.block, receiver.syn
        if block is None or block.state is not State.SYN_SENT or syn is None:
            return
        if receiver.block is not None and receiver.block.state is State.SYN_RECEIVED:
            sender.block = block.received(syn.first.segment)

    def _remember(self, observed: Observed, sender: End) -> None:
        seg = observed.segment
        sender.segments += 1
        sender.ttl = observed.ttl if sender.ttl is None else sender.ttl
        sender.fins += seg.fin
        sender.rsts += seg.rst
        if not seg.syn:
            return
        if seg.ack is None:
            sender.syn = _transmission(sender.syn, observed, seg)
        else:
            sender.syn_ack = _transmission(sender.syn_ack, observed, seg)


def _is_rejected_reset(block: ControlBlock | None, seg: Segment) -> bool:
    return block is not None and block.state.synchronized and not block.acceptable(seg)


def _unseen(known: ControlBlock | None, ready: ControlBlock | None) -> int:
    if known is None or ready is None or known.snd.nxt is None or ready.snd.nxt is None:
        return 0
    return max(0, ready.snd.nxt - known.snd.nxt)


def _transmission(known: Transmission | None, observed: Observed, seg: Segment) -> Transmission:
    if known is None or not known.repeated_by(seg):
        return Transmission(observed, observed, recent=(observed,))
    recent = (*known.recent[1 - _RECENT :], observed)
    return Transmission(known.first, observed, known.again + 1, recent)
