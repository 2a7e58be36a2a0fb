"""Findings in the options: what the two SYNs offered, and what came into force."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.events import Role
from handshake.record import Finding
from handshake.tcp import Kind, Offer
from handshake.tcp.control_block import DEFAULT_MSS, MAX_SHIFT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Step
    from handshake.events.run import Run, RunStart
    from handshake.tcp import Observed, Segment

USUAL_MSS: Final = {4: 1460, 6: 1440}
"""The payload that an Ethernet MTU of 1500 octets leaves, by IP version."""

UNSCALED: Final = 65535
"""Octets: the largest window that fits in 16 bits."""

NOPS: Final = 6
"""NOPs in a row from which an option was probably overwritten: to align one takes 3 at most, and
NetBSD writes 4 before its timestamps."""

_BLANKED: Final = bytes((Kind.NOP,)) * NOPS

_ECN_BITS: Final = 0x1C0


@dataclass(eq=False, slots=True)
class OptionFindings:
    """Follows the options of SYN and SYN-ACK, and whether both ends keep to what was negotiated."""

    _kept: dict[str, Finding] = field(default_factory=dict)
    _first: Observed | None = None
    """The client's first SYN."""

    _asked: Observed | None = None
    """Its last SYN before the answer."""

    _answer: Observed | None = None
    _opened: bool = False
    _round_trip: float | None = None
    _timed: bool = False
    """Whether timestamps are in force."""

    _fallback: Observed | None = None
    """The first SYN that was retransmitted without the ECN bits of the one before."""

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        seg, observed = step.segment, step.observed
        if seg.syn and not seg.rst:
            self._blanked(step.by, observed)
            if step.by is Role.SERVER:
                self._answer = self._answer or observed
            elif seg.ack is None and self._answer is None:
                if self._asked is not None and _ecn(self._asked.segment) and not _ecn(seg):
                    self._fallback = self._fallback or observed
                self._first = self._first or observed
                self._asked = observed
            return
        if not self._opened:
            self._open(step)
        # Where the capture cut the header, the option may have been there.
        if self._timed and not (seg.rst or seg.problems):
            self._clocked(step.by, observed)

    def settled(self, start: RunStart) -> bool:
        """Whether only a segment without the timestamps that are in force changes it."""
        start.timed = self._timed
        return True

    def skip(self, run: Run) -> None:
        """Ignore a run: its segments keep to what was negotiated."""

    def _open(self, step: Step) -> None:
        for event in step.events:
            if isinstance(event, ev.Established):
                block = step.sender.after
                self._opened = True
                self._round_trip = event.round_trip
                self._timed = block is not None and bool(block.timestamps)

    def _keep(self, code: str, observed: Observed, **values: object) -> None:
        self._kept.setdefault(code, Finding(code, observed.frame, values))

    def _blanked(self, by: Role, observed: Observed) -> None:
        raw = observed.segment.options.raw
        row = longest = 0
        if _BLANKED not in raw:
            return
        for option in observed.segment.options:
            row = row + 1 if option.kind == Kind.NOP else 0
            longest = max(longest, row)
        if longest >= NOPS:
            self._keep("options-blanked", observed, by=by, nops=longest, octets=len(raw))

    def _clocked(self, by: Role, observed: Observed) -> None:
        if observed.segment.options.timestamps is None:
            self._keep("timestamps-missing", observed, by=by)

    def found(self) -> Iterator[Finding]:
        """Yield what was found so far."""
        yield from self._kept.values()
        cut = [each for each in (self._first, self._answer) if each and each.segment.cut]
        if cut:
            # What is not captured is not known.
            yield Finding("options-cut", cut[0].frame, {"count": len(cut)})
            return
        if self._first is None or self._answer is None:
            return
        client, server = Offer.of(self._first.segment), Offer.of(self._answer.segment)
        if self._round_trip is not None:
            yield from self._scale(client, server)
            yield from self._mss(Role.CLIENT, self._first, client)
            yield from self._mss(Role.SERVER, self._answer, server)
        if self._answer.segment.ack is None:
            # In a simultaneous open each SYN offers, and none answers.
            return
        yield from self._refused(client, server)
        yield from self._echo()
        yield from self._cookies(client, server)

    def _scale(self, client: Offer, server: Offer) -> Iterator[Finding]:
        assert self._answer is not None
        frame = self._answer.frame
        for role, offer in ((Role.CLIENT, client), (Role.SERVER, server)):
            if (offer.window_scale or 0) > MAX_SHIFT:
                yield Finding("shift-above-14", frame, {"by": role, "shift": offer.window_scale})
        match client.window_scale is not None, server.window_scale is not None:
            case True, True:
                return
            case False, False:
                variant = "neither"
            case client_offered, _:
                variant = "client-only" if client_offered else "server-only"
        yield Finding("no-window-scaling", frame, unscaled(self._round_trip), variant)

    def _mss(self, role: Role, syn: Observed, offer: Offer) -> Iterator[Finding]:
        version = syn.segment.source.version
        usual = USUAL_MSS[version]
        if offer.mss is None:
            yield Finding("no-mss", syn.frame, {"by": role, "default": DEFAULT_MSS[version]})
        elif offer.mss < usual:
            values = {"by": role, "mss": offer.mss, "below": usual - offer.mss, "usual": usual}
            yield Finding("mss-low", syn.frame, values)

    def _refused(self, client: Offer, server: Offer) -> Iterator[Finding]:
        assert self._answer is not None
        frame = self._answer.frame
        if client.timestamps and not server.timestamps:
            yield Finding("timestamps-refused", frame)
        if client.mptcp and not server.mptcp:
            yield Finding("mptcp-refused", frame, {"subtype": client.mptcp})
        if self._fallback is not None:
            yield Finding("ecn-fallback", self._fallback.frame)
        elif client.ecn and _ecn(self._answer.segment) == _ecn_asked(client):
            yield Finding("ecn-reflected", frame)
        elif client.ecn and not server.ecn and not (client.accecn and server.accecn):
            yield Finding("ecn-refused", frame)

    def _echo(self) -> Iterator[Finding]:
        assert self._asked is not None
        assert self._first is not None
        assert self._answer is not None
        echoed = self._answer.segment.options.timestamps
        sent = (self._first.segment.options.timestamps, self._asked.segment.options.timestamps)
        clocks = [each.value for each in sent if each is not None]
        first = self._first is self._asked
        if echoed is not None and clocks and first and echoed.echo not in clocks:
            values = {"echoed": echoed.echo, "sent": clocks[0]}
            variant = "other" if echoed.echo else "zero"
            yield Finding("timestamps-echo", self._answer.frame, values, variant)

    def _cookies(self, client: Offer, server: Offer) -> Iterator[Finding]:
        """Yield a sign of SYN cookies: without timestamps to keep them in, options are lost."""
        assert self._answer is not None
        offered = client.window_scale is not None and client.sack_permitted
        taken = server.window_scale is not None or server.sack_permitted
        if offered and not taken and not client.timestamps and server.mss is not None:
            yield Finding("syn-cookies", self._answer.frame)


def unscaled(round_trip: float | None) -> dict[str, object]:
    """Return the values of the finding that no window is scaled."""
    bits = UNSCALED * 8 / round_trip if round_trip else None
    return {"most": UNSCALED, "rtt": round_trip, "bits": bits}


def _ecn(seg: Segment) -> int:
    return int(seg.flags) & _ECN_BITS


def _ecn_asked(offer: Offer) -> int:
    return 0x1C0 if offer.accecn else 0x0C0
