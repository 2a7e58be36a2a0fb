"""What an expert would point at in how a connection was opened, or was not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.events import Role
from handshake.events.base import octets, seconds
from handshake.record import Finding
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Event, Step
    from handshake.tcp import Observed

SOONEST_TIMER: Final = 0.1
"""Seconds before which no timer sends a SYN again: RFC 6298 starts at 1, and Linux never goes
below 0.2. What is repeated sooner was seen twice, or copied on the way."""


class HandshakeFindings:
    """Follows SYN, SYN,ACK and what answers them."""

    __slots__ = (
        "_abandoned",
        "_acked",
        "_again",
        "_answer",
        "_done",
        "_established",
        "_final_ack",
        "_first",
        "_isns",
        "_kept",
        "_last",
        "_refused",
        "_simultaneous",
        "_syn_ack",
        "_syn_ack_lost",
        "_syn_acks",
        "_syns",
    )

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        """What is certain at once."""

        self._first: Observed | None = None
        self._last: Observed | None = None
        """The caller's SYNs."""

        self._again: Observed | None = None
        """The first SYN that was sent again before an answer was seen."""

        self._syns = 0
        self._answer: Observed | None = None
        """The last segment of the called end."""

        self._syn_ack_lost: Observed | None = None
        self._syn_ack: Observed | None = None
        self._syn_acks = 0
        self._isns: list[int] = []
        self._final_ack: Observed | None = None
        self._refused: list[Observed] = []
        self._simultaneous: Observed | None = None
        self._established: Observed | None = None
        self._abandoned: Observed | None = None
        self._acked = False
        """Whether the caller has acknowledged any SYN,ACK."""

        self._done = False

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        seg = step.segment
        if self._done and not (seg.syn or seg.rst):
            return
        for event in step.events:
            self._event(step, event)
        # What rejects a wrong SYN,ACK leaves the call as it is (section 3.5.2).
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
                if self._established is not None and not event.asked:
                    self._final_ack = self._final_ack or observed
            case ev.Established():
                self._established = observed
                self._done = True
            case ev.Refused():
                self._refused.append(observed)
            case ev.SimultaneousOpen():
                self._simultaneous = observed
            case ev.PortReused():
                self._keep("port-reuse", observed, event.text)
            case ev.MidStream():
                self._done = True
                self._keep("mid-stream", observed, event.text)
            case ev.FastOpenAnswered() if event.taken < event.carried:
                self._keep(
                    "syn-data-rejected",
                    observed,
                    f"The SYN carried {octets(event.carried)} of data, and the {event.by} "
                    f"acknowledged {event.taken or 'none'} of them: the rest must be sent again.",
                )

    def _keep(self, code: str, observed: Observed, text: str) -> None:
        self._kept.append(Finding(code, observed.frame, text))

    def _repeated(self, observed: Observed, event: ev.SynRetransmitted) -> None:
        if event.waited < SOONEST_TIMER:
            return
        self._syns += 1
        if self._answer is None:
            self._again = self._again or observed
        elif not self._answer.segment.rst:
            self._syn_ack_lost = self._syn_ack_lost or observed

    def _bare(self, observed: Observed) -> None:
        """Note an ACK that answers the SYN and does not acknowledge it."""
        seg = observed.segment
        if self._last is None or self._answer is not None or seg.syn or seg.rst or self._done:
            return
        if seg.ack is not None and seg.ack != self._last.segment.end:
            self._keep(
                "ack-answers-syn",
                observed,
                "An ACK that does not acknowledge the SYN answers it: the server still has an "
                "older connection between the same ports, and says what it expects there "
                "(section 3.5.1, figure 9).",
            )

    def _answered(self, observed: Observed) -> None:
        self._syn_acks += 1
        self._syn_ack = observed
        iss = int(observed.segment.seq)
        if iss in self._isns:
            return
        self._isns.append(iss)
        if len(self._isns) == 2 and self._simultaneous is None:
            self._keep(
                "syn-ack-isns",
                observed,
                f"SYN+ACKs with different first numbers ({self._isns[0]}, then {iss}) answer one "
                f"SYN: two hosts answer it, or the server had forgotten its first answer.",
            )

    def found(self) -> Iterator[Finding]:
        """Yield what there is to say so far."""
        yield from self._kept
        yield from self._unanswered()
        yield from self._half_open()
        if self._refused:
            yield self._refusal()
        if self._simultaneous is not None:
            yield self._two_calls(self._simultaneous)
        if self._final_ack is not None:
            yield Finding(
                "final-ack-lost",
                self._final_ack.frame,
                "The server sent its SYN+ACK again after the client's ACK had passed here: that "
                "ACK was lost or late, or the server waits for data before it accepts.",
            )
        if self._abandoned is not None and self._established is None:
            yield Finding(
                "abandoned",
                self._abandoned.frame,
                "The client answered the SYN+ACK with RST: a scanner that only asks whether the "
                "port is open does so, and so does a host that never sent the SYN.",
            )

    def _unanswered(self) -> Iterator[Finding]:
        first, last = self._first, self._last
        if first is None or last is None:
            return
        span = (last.at - first.at) / NS_PER_SECOND
        if self._answer is None and self._established is None:
            tries = f"{self._syns} SYNs in {seconds(span)}" if self._syns > 1 else "One SYN"
            yield Finding(
                "no-answer",
                last.frame,
                f"{tries}, and no answer is in this capture: the host is down, a filter drops the "
                f"SYN or its answer, or the answer went another way.",
            )
        elif self._again is not None:
            again = self._again
            yield Finding(
                "syn-lost",
                again.frame,
                f"The client sent its SYN again {seconds((again.at - first.at) / NS_PER_SECOND)} "
                f"after the first, and nothing had come back here: the SYN was lost or held up, or "
                f"its answer was, before this point.",
            )
        if self._syn_ack_lost is not None:
            yield Finding(
                "syn-ack-lost",
                self._syn_ack_lost.frame,
                "The client sent its SYN again although a SYN+ACK had passed here: that answer was "
                "lost between here and the client, or too late for its timer, or not accepted.",
            )

    def _half_open(self) -> Iterator[Finding]:
        over = self._established or self._abandoned or self._acked
        if over or self._syn_ack is None or self._syn_acks < 2:
            return
        yield Finding(
            "half-open",
            self._syn_ack.frame,
            f"The server sent {self._syn_acks} SYN+ACKs, and the last ACK of the handshake never "
            f"came: the client did not get them, or does not want the connection, or the SYN "
            f"came in a false name.",
        )

    def _refusal(self) -> Finding:
        first, times = self._refused[0], len(self._refused)
        often = f" ({times} times)" if times > 1 else ""
        return Finding(
            "refused",
            first.frame,
            f"A RST answered the SYN{often}: nothing listens on port {first.segment.source.port}, "
            f"or a firewall said so in the host's name.",
        )

    def _two_calls(self, second: Observed) -> Finding:
        if self._established is not None and not self._crossed():
            return Finding(
                "split-handshake",
                self._established.frame,
                "The server answered the SYN with a SYN of its own in place of a SYN+ACK, and then "
                "with a bare ACK: no ordinary listener does. It hides from filters who called.",
            )
        return Finding(
            "simultaneous-open",
            second.frame,
            "Both ends sent a SYN: their calls crossed on the way and became one connection.",
        )

    def _crossed(self) -> bool:
        """Whether both ends answered the other's SYN by SYN,ACK, as figure 7 has it."""
        return len(self._isns) > 1
