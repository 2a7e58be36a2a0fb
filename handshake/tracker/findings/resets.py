"""Findings in the RSTs of a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.events import Role
from handshake.record import Finding
from handshake.tcp import Seq, State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Step
    from handshake.events.run import Run, RunStart
    from handshake.tcp import Observed

IDLE: Final = 60.0
"""Seconds without traffic from which a RST is worth a finding: the shortest idle timeouts of common
load balancers and firewalls. RFC 5382 requires 2 h 4 min of a NAT, and many keep less."""


_IDLE_NS: Final = int(IDLE * NS_PER_SECOND)
_TOLD: Final = frozenset({ev.Established, ev.ChallengeAck, ev.Dropped, ev.Aborted})
"""The events that tell of the opening, or of a RST."""


def _rejects(step: Step) -> bool:
    """Whether a RST answers a segment that does not belong to the connection (section 3.5.2)."""
    return any(isinstance(event, ev.StrayReset) for event in step.events)


@dataclass(eq=False, slots=True)
class ResetFindings:
    """Follows which end resets a connection, when, and whether the other end must accept it."""

    _kept: dict[str, Finding] = field(default_factory=dict)
    _opened: int | None = None
    """When both ends were ESTABLISHED."""

    _last_at: int | None = None
    _gap: int = 0
    """The last time of at least `IDLE` without traffic, in nanoseconds."""

    _active: set[Role] = field(default_factory=set)
    """The ends that have sent anything since then."""

    _sent: set[Role] = field(default_factory=set)
    """The ends that have sent data or FIN."""

    _accepted: bool = False
    """Whether a SYN-ACK was seen."""

    _left: bool = False
    """Whether the client closed its half without having sent data."""

    _acknowledged: dict[Role, Seq] = field(default_factory=dict)
    """The last acknowledgment number of each end."""

    _ttl: int | None = None
    """The TTL of the server's first SYN-ACK."""

    _acknowledges: bool = False
    """Whether the server sent anything but SYNs and RSTs."""

    _over: bool = False

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        seg, by, at = step.segment, step.by, step.observed.at
        if self._last_at is not None and at - self._last_at >= _IDLE_NS:
            self._gap = at - self._last_at
            self._active = set()
        self._last_at = at
        if self._ttl is None and seg.syn and by is Role.SERVER:
            self._ttl = step.observed.ttl
        for event in step.events:
            if type(event) in _TOLD:
                self._event(step, event)
        if seg.rst:
            if seg.payload_length:
                self._keep("reset-with-data", step.observed, count=seg.payload_length)
        elif seg.ack is not None:
            self._acknowledged[by] = seg.ack
            if by is Role.SERVER and not seg.syn:
                # The server goes on: the RST in its name ended nothing.
                self._kept.pop("reset-after-accept", None)
                self._acknowledges = True
        self._active.add(by)
        self._accepted |= seg.syn and by is Role.SERVER
        if seg.payload_length:
            self._sent.add(by)
        elif seg.fin:
            self._left |= by is Role.CLIENT and by not in self._sent
            self._sent.add(by)

    def settled(self, start: RunStart) -> bool:
        """Whether no time of at least `IDLE` without traffic may begin before the run."""
        return self._last_at == start.at

    def skip(self, run: Run) -> None:
        """Take a run into account, in which no two segments are as far apart as `IDLE`."""
        self._last_at = run.at
        for role in Role:
            sent = run.of(role)
            if not sent.segments:
                continue
            self._acknowledged[role] = Seq(sent.ack)
            self._active.add(role)
            if sent.carrying:
                self._sent.add(role)
        if run.server.segments:
            self._kept.pop("reset-after-accept", None)
            self._acknowledges = True

    def _event(self, step: Step, event: ev.Event) -> None:
        match event:
            case ev.Established():
                self._opened = step.observed.at
            case ev.ChallengeAck():
                self._keep("challenge-ack", step.observed, by=event.by)
            case ev.Dropped() if step.segment.rst and not _rejects(step):
                self._dropped(step, event)
            case ev.Aborted():
                self._aborted(step, event.by)

    def _keep(self, code: str, observed: Observed, **values: object) -> None:
        self._kept.setdefault(code, Finding(code, observed.frame, values))

    def _dropped(self, step: Step, event: ev.Dropped) -> None:
        block, seg = step.receiver.before, step.segment
        if block is None or (seg.ack is None and seg.seq == self._acknowledged.get(event.by.other)):
            # It rejects the last segment that its sender received (section 3.5.2).
            return
        if block.state is State.SYN_SENT:
            code = "reset-wrong-ack"
        elif block.in_window(seg):
            code = "reset-inexact"
        else:
            code = "reset-out-of-window"
        self._keep(code, step.observed, by=event.by, reason=event.reason)

    def _aborted(self, step: Step, by: Role) -> None:
        if self._over or any(isinstance(event, ev.Dropped) for event in step.events):
            return
        self._over = True
        at, observed = step.observed.at, step.observed
        # A SYN-ACK must have been seen; a client that leaves without a word is just cut off. With
        # another TTL it may be another device's: that is a finding of its own.
        served = by is not Role.SERVER or by in self._sent or self._left
        own = observed.ttl is None or self._ttl in (None, observed.ttl)
        # A RST without ACK is what a host answers that has no such connection (section 3.10.7.1).
        known = step.segment.ack is not None or self._acknowledges or by is not Role.SERVER
        if self._opened is not None and self._accepted and own and known and not served:
            after = (at - self._opened) / NS_PER_SECOND
            self._keep("reset-after-accept", observed, after=after)
        if self._gap and by not in self._active and self._opened is not None:
            self._keep("idle-reset", observed, by=by, idle=self._gap / NS_PER_SECOND)

    def found(self) -> Iterator[Finding]:
        """Yield what was found so far."""
        yield from self._kept.values()
