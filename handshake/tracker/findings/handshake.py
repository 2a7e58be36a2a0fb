"""Findings in the handshake: lost, refused, half-open, split and the like."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.events import Role
from handshake.events.handshake import SOONEST
from handshake.record import Finding
from handshake.tcp.checksum import Checksum, kind
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Event, Step
    from handshake.events.run import Run, RunStart
    from handshake.tcp import Observed


_SYNS: Final = 8
"""Timestamps remembered of the client's SYNs."""


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
    """SYNs of the client, without those that came again sooner than any timer."""

    _sent: int = 0
    """All of its SYNs."""

    _answer: Observed | None = None
    """The last segment of the server."""

    _offer: Observed | None = None
    """The last SYN-ACK that the client had to accept, for all that was seen of it."""

    _damaged: list[Observed] = field(default_factory=list)
    """The first SYN-ACK with a wrong checksum."""

    _whole: bool = False
    """Whether a SYN-ACK had no wrong checksum."""

    _clocks: dict[int, Observed] = field(default_factory=dict)
    """The client's first SYN with each timestamp."""

    _early: tuple[Observed, Observed] | None = None
    """The SYN that a SYN-ACK names by its timestamp, and the first that was sent after it."""

    _syn_ack_lost: Observed | None = None
    _syn_ack: Observed | None = None
    _syn_acks: int = 0
    _isns: dict[int, None] = field(default_factory=dict)
    """Those of the server's SYN-ACKs, in their order."""

    _final_ack: Observed | None = None
    _refused: Observed | None = None
    """The first RST that refused a SYN."""

    _refusals: int = 0
    _simultaneous: Observed | None = None
    _established: Observed | None = None
    _abandoned: Observed | None = None
    _acked: bool = False
    """Whether the client has acknowledged any SYN-ACK."""

    _done: bool = False

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        seg = step.segment
        if self._done and not (seg.syn or seg.rst):
            return
        for event in step.events:
            self._event(step, event)
        if seg.rst and step.by is Role.CLIENT and self._syn_ack and not self._done:
            # A RST that rejects a wrong SYN-ACK leaves the connection as it is (section 3.5.2).
            stray = any(isinstance(event, ev.StrayReset) for event in step.events)
            if not (stray or step.damaged):
                self._abandoned = self._abandoned or step.observed
        if step.index == 1 and seg.source == seg.destination:
            self._keep("self-connect", step.observed, port=seg.source.port)
        if step.by is Role.SERVER and seg.syn and self._done and not (seg.rst or seg.fin):
            self._late(step.observed)
        if step.by is Role.SERVER:
            self._bare(step.observed)
            self._answer = step.observed
        elif seg.ack is not None and int(seg.ack - 1) in self._isns:
            self._acked = True
        elif seg.syn and seg.ack is None:
            self._first = self._first or step.observed
            self._last = step.observed
            clock = seg.options.timestamps
            if clock is not None and len(self._clocks) < _SYNS:
                self._clocks.setdefault(clock.value, step.observed)

    def settled(self, start: RunStart) -> bool:  # noqa: ARG002 - as all parts
        """Whether only SYNs and RSTs still change it."""
        return self._done

    def skip(self, run: Run) -> None:
        """Ignore a run: the handshake is over."""

    def _event(self, step: Step, event: Event) -> None:
        observed = step.observed
        match event:
            case ev.SynSent():
                self._syns += 1
                self._sent += 1
            case ev.SynRetransmitted(by=Role.CLIENT):
                self._sent += 1
                self._repeated(observed, event)
            case ev.SynAckSent() | ev.SynAckCrossed():
                self._answered(observed)
                self._judged(step)
            case ev.SynAckRetransmitted() if event.waited >= SOONEST:
                self._syn_acks += 1
                self._syn_ack = observed
                self._judged(step)
                unasked = not event.asked and self._syn_acks > self._syns
                if self._established is not None and unasked:
                    self._final_ack = self._final_ack or observed
            case ev.Established():
                self._established = observed
                self._done = True
            case ev.Refused():
                self._refused = self._refused or observed
                self._refusals += 1
            case ev.SimultaneousOpen():
                self._simultaneous = observed
            case ev.PortReused():
                self._keep("port-reuse", observed, before=event.before)
            case ev.SynCleared():
                self._done = True
                self._keep("syn-cleared", observed, by=event.by)
            case ev.MidStream():
                self._done = True
                self._keep("mid-stream", observed, guessed=event.guessed)
            case ev.FastOpenAnswered(by, taken, carried) if taken < carried:
                self._keep("syn-data-rejected", observed, by=by, taken=taken, carried=carried)

    def _keep(self, code: str, observed: Observed, **values: object) -> None:
        self._kept.append(Finding(code, observed.frame, values))

    def _repeated(self, observed: Observed, event: ev.SynRetransmitted) -> None:
        if event.waited < SOONEST:
            return
        self._syns += 1
        if self._offer is not None:
            self._syn_ack_lost = self._syn_ack_lost or observed
        elif self._answer is None:
            self._again = self._again or observed

    def _judged(self, step: Step) -> None:
        """Note whether a client can accept a SYN-ACK, and which SYN it names."""
        observed = step.observed
        if kind(observed) is Checksum.WRONG:
            self._damaged = self._damaged or [observed]
            return
        self._whole = True
        if any(isinstance(event, ev.Dropped) for event in step.events):
            return
        self._offer = observed
        echoed = observed.segment.options.timestamps
        named = None if echoed is None else self._clocks.get(echoed.echo)
        again = self._again
        if named is None or again is None or named is self._last or self._early is not None:
            return
        if named.at < again.at:
            self._early = named, again

    def _bare(self, observed: Observed) -> None:
        """Note an ACK that answers the SYN but does not acknowledge it."""
        seg = observed.segment
        if self._last is None or self._answer is not None or seg.syn or seg.rst or self._done:
            return
        if seg.ack is not None and seg.ack != self._last.segment.end:
            self._keep("ack-answers-syn", observed)
        elif seg.ack is not None and not seg.length:
            self._keep("ack-without-syn", observed)

    def _late(self, observed: Observed) -> None:
        """Note a SYN-ACK with another ISN that answers the same SYN after the opening."""
        seg, syn = observed.segment, self._first
        if syn is not None and seg.ack == syn.segment.end and int(seg.seq) not in self._isns:
            self._answered(observed)

    def _answered(self, observed: Observed) -> None:
        self._syn_acks += 1
        self._syn_ack = observed
        iss = int(observed.segment.seq)
        if iss in self._isns or (self._simultaneous is None and not self._answers(observed)):
            return
        self._isns[iss] = None
        if len(self._isns) == 2 and self._simultaneous is None:
            self._keep("syn-ack-isns", observed, first=next(iter(self._isns)), second=iss)

    def _answers(self, observed: Observed) -> bool:
        """Whether a SYN-ACK acknowledges the last SYN, if that was seen."""
        syn, ack = self._last, observed.segment.ack
        if syn is None or ack is None:
            return True
        return syn.segment.seq < ack <= syn.segment.end

    def found(self) -> Iterator[Finding]:
        """Yield what was found so far."""
        yield from self._kept
        yield from self._unanswered()
        yield from self._half_open()
        if self._refused is not None and not self._isns:
            # Else a SYN-ACK shows that the port is open, whatever sent the RST.
            yield self._refusal(self._refused)
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
            values = {"count": self._sent, "span": (last.at - first.at) / NS_PER_SECOND}
            yield Finding("no-answer", last.frame, values, "many" if self._sent > 1 else "one")
        elif self._early is not None:
            named, later = self._early
            values = {"after": (later.at - named.at) / NS_PER_SECOND}
            yield Finding("syn-answered-late", later.frame, values)
        elif again is not None:
            values = {"after": (again.at - first.at) / NS_PER_SECOND}
            yield Finding("syn-lost", again.frame, values)
        if self._syn_ack_lost is not None:
            yield Finding("syn-ack-lost", self._syn_ack_lost.frame)

    def _half_open(self) -> Iterator[Finding]:
        over = self._established or self._abandoned or self._acked
        if self._damaged and not (self._established or self._acked or self._whole):
            (first,) = self._damaged
            values = {"count": self._syn_acks, "ttl": first.ttl}
            yield Finding("syn-ack-damaged", first.frame, values)
            return
        if over or self._syn_ack is None or self._syn_acks < 2:
            return
        yield Finding("half-open", self._syn_ack.frame, {"count": self._syn_acks})

    def _refusal(self, first: Observed) -> Finding:
        times = self._refusals
        values = {"port": first.segment.source.port, "times": times, "again": times > 1}
        return Finding("refused", first.frame, values)

    def _two_syns(self, second: Observed) -> Finding:
        if self._established is not None and not self._crossed():
            return Finding("split-handshake", self._established.frame)
        return Finding("simultaneous-open", second.frame)

    def _crossed(self) -> bool:
        """Whether both ends answered the other's SYN with a SYN-ACK, as in figure 7."""
        return len(self._isns) > 1
