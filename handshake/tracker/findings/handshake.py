"""Findings in the handshake: lost, refused, half-open, split and the like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handshake import events as ev
from handshake.events import Role
from handshake.events.handshake import SOONEST_TIMER
from handshake.record import Finding
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Event, Step
    from handshake.tcp import Observed


@dataclass(eq=False, slots=True)
class HandshakeFindings:
    """Follows SYN, SYN-ACK and what answers them."""

    _kept: list[Finding] = field(default_factory=list)
    """Findings that are certain at once."""

    _first: Observed | None = None
    _last: Observed | None = None
    """The client's SYNs."""

    _again: Observed | None = None
    """The first SYN that was retransmitted before an answer was seen."""

    _syns: int = 0
    _answer: Observed | None = None
    """The last segment of the server."""

    _syn_ack_lost: Observed | None = None
    _syn_ack: Observed | None = None
    _syn_acks: int = 0
    _isns: list[int] = field(default_factory=list)
    _final_ack: Observed | None = None
    _refused: list[Observed] = field(default_factory=list)
    _simultaneous: Observed | None = None
    _established: Observed | None = None
    _abandoned: Observed | None = None
    _acked: bool = False
    """Whether the client has acknowledged any SYN-ACK."""

    _went_on: bool = False
    """Whether a SYN-ACK followed a RST that had answered the SYN."""

    _done: bool = False

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        seg = step.segment
        if self._done and not (seg.syn or seg.rst):
            return
        for event in step.events:
            self._event(step, event)
        # A RST that rejects a wrong SYN-ACK leaves the connection as it is (section 3.5.2).
        stray = any(isinstance(event, ev.StrayReset) for event in step.events)
        if seg.rst and step.by is Role.CLIENT and self._syn_ack and not (self._done or stray):
            self._abandoned = self._abandoned or step.observed
        if step.by is Role.SERVER:
            self._bare(step.observed)
            self._answer = step.observed
        elif seg.ack is not None and int(seg.ack - 1) in self._isns:
            self._acked = True
        elif seg.syn and seg.ack is None:
            self._first = self._first or step.observed
            self._last = step.observed

    def _event(self, step: Step, event: Event) -> None:
        observed = step.observed
        match event:
            case ev.SynSent():
                self._syns += 1
            case ev.SynRetransmitted(by=Role.CLIENT):
                self._repeated(observed, event)
            case ev.SynAckSent() | ev.SynAckCrossed():
                self._answered(observed)
            case ev.SynAckRetransmitted() if event.waited >= SOONEST_TIMER:
                self._syn_acks += 1
                self._syn_ack = observed
                unasked = not event.asked and self._syn_acks > self._syns
                if self._established is not None and unasked:
                    self._final_ack = self._final_ack or observed
            case ev.Established():
                self._established = observed
                self._done = True
            case ev.Refused():
                self._refused.append(observed)
            case ev.SimultaneousOpen():
                self._simultaneous = observed
            case ev.PortReused():
                self._keep("port-reuse", observed, before=event.before)
            case ev.MidStream():
                self._done = True
                self._keep("mid-stream", observed, guessed=event.guessed)
            case ev.FastOpenAnswered(by, taken, carried) if taken < carried:
                self._keep("syn-data-rejected", observed, by=by, taken=taken, carried=carried)

    def _keep(self, code: str, observed: Observed, **values: object) -> None:
        self._kept.append(Finding(code, observed.frame, values))

    def _repeated(self, observed: Observed, event: ev.SynRetransmitted) -> None:
        if event.waited < SOONEST_TIMER:
            return
        self._syns += 1
        if self._answer is None:
            self._again = self._again or observed
        elif self._acceptable(observed):
            self._syn_ack_lost = self._syn_ack_lost or observed

    def _acceptable(self, syn: Observed) -> bool:
        """Whether a SYN-ACK was seen that acknowledges this SYN, and no RST after it."""
        answer, last = self._syn_ack, self._answer
        if answer is None or last is None or last.segment.rst or answer.segment.ack is None:
            return False
        return syn.segment.seq < answer.segment.ack <= syn.segment.end

    def _bare(self, observed: Observed) -> None:
        """Note an ACK that answers the SYN but does not acknowledge it."""
        seg = observed.segment
        if self._last is None or self._answer is not None or seg.syn or seg.rst or self._done:
            return
        if seg.ack is not None and seg.ack != self._last.segment.end:
            self._keep("ack-answers-syn", observed)

    def _answered(self, observed: Observed) -> None:
        if self._answer is not None and self._answer.segment.rst:
            self._went_on = True
        self._syn_acks += 1
        self._syn_ack = observed
        iss = int(observed.segment.seq)
        if iss in self._isns:
            return
        self._isns.append(iss)
        if len(self._isns) == 2 and self._simultaneous is None:
            self._keep("syn-ack-isns", observed, first=self._isns[0], second=iss)

    def found(self) -> Iterator[Finding]:
        """Yield what was found so far."""
        yield from self._kept
        yield from self._unanswered()
        yield from self._half_open()
        # A host that goes on with a SYN-ACK has not refused anything.
        if self._refused and not self._went_on:
            yield self._refusal()
        if self._simultaneous is not None:
            yield self._two_syns(self._simultaneous)
        if self._final_ack is not None:
            yield Finding("final-ack-lost", self._final_ack.frame)
        if self._abandoned is not None and self._established is None:
            yield Finding("abandoned", self._abandoned.frame)

    def _unanswered(self) -> Iterator[Finding]:
        first, last, again = self._first, self._last, self._again
        if first is None or last is None:
            return
        if self._answer is None and self._established is None:
            values = {"count": self._syns, "span": (last.at - first.at) / NS_PER_SECOND}
            yield Finding("no-answer", last.frame, values, "many" if self._syns > 1 else "one")
        elif again is not None:
            values = {"after": (again.at - first.at) / NS_PER_SECOND}
            yield Finding("syn-lost", again.frame, values)
        if self._syn_ack_lost is not None:
            yield Finding("syn-ack-lost", self._syn_ack_lost.frame)

    def _half_open(self) -> Iterator[Finding]:
        over = self._established or self._abandoned or self._acked
        if over or self._syn_ack is None or self._syn_acks < 2:
            return
        yield Finding("half-open", self._syn_ack.frame, {"count": self._syn_acks})

    def _refusal(self) -> Finding:
        first, times = self._refused[0], len(self._refused)
        values = {"port": first.segment.source.port, "times": times, "again": times > 1}
        return Finding("refused", first.frame, values)

    def _two_syns(self, second: Observed) -> Finding:
        if self._established is not None and not self._crossed():
            return Finding("split-handshake", self._established.frame)
        return Finding("simultaneous-open", second.frame)

    def _crossed(self) -> bool:
        """Whether both ends answered the other's SYN with a SYN-ACK, as in figure 7."""
        return len(self._isns) > 1
