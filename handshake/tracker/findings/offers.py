"""What an expert would point at in what two SYNs offered, and what of it came into force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.events import Role
from handshake.events.base import seconds
from handshake.record import Finding
from handshake.tcp import Kind, Offer
from handshake.tcp.control_block import DEFAULT_MSS, MAX_SHIFT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Step
    from handshake.tcp import Flags, Observed, Segment

USUAL_MSS: Final = {4: 1460, 6: 1440}
"""What an Ethernet of 1500 octets leaves for a payload, by IP version."""

UNSCALED: Final = 65535
"""Octets: the largest window that 16 bits can say."""

NOPS: Final = 6
"""NOPs in a row from which something was blanked: to align an option takes 3 at most, and
NetBSD writes 4 before its timestamps."""

_ECN_BITS: Final = 0x1C0


class OptionFindings:
    """Follows the options of SYN and SYN,ACK, and whether what was agreed on is kept."""

    __slots__ = (
        "_answer",
        "_asked",
        "_called",
        "_fallback",
        "_kept",
        "_opened",
        "_round_trip",
        "_timed",
    )

    def __init__(self) -> None:
        self._kept: dict[str, Finding] = {}
        self._called: Observed | None = None
        """The caller's first SYN."""

        self._asked: Observed | None = None
        """Its last SYN before the answer."""

        self._answer: Observed | None = None
        self._opened = False
        self._round_trip: float | None = None
        self._timed = False
        """Whether timestamps are in force."""

        self._fallback: Observed | None = None
        """The first SYN that came again without the ECN bits of the one before."""

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
                self._called = self._called or observed
                self._asked = observed
            return
        if not self._opened:
            self._open(step)
        # Where the header is cut off, the option may have been there.
        if self._timed and not (seg.rst or seg.problems):
            self._clocked(step.by, observed)

    def _open(self, step: Step) -> None:
        for event in step.events:
            if isinstance(event, ev.Established):
                block = step.sender.after
                self._opened = True
                self._round_trip = event.round_trip
                self._timed = block is not None and bool(block.timestamps)

    def _keep(self, code: str, observed: Observed, text: str) -> None:
        self._kept.setdefault(code, Finding(code, observed.frame, text))

    def _blanked(self, by: Role, observed: Observed) -> None:
        raw = observed.segment.options.raw
        row = longest = 0
        for option in observed.segment.options:
            row = row + 1 if option.kind == Kind.NOP else 0
            longest = max(longest, row)
        if longest >= NOPS:
            self._keep(
                "options-blanked",
                observed,
                f"{longest} of the {len(raw)} octets of the options in the {by}'s SYN are NOPs in "
                f"a row: most likely an option stood there that a box on the way overwrote.",
            )

    def _clocked(self, by: Role, observed: Observed) -> None:
        if observed.segment.options.timestamps is None:
            self._keep(
                "timestamps-missing",
                observed,
                f"Timestamps are in force, and the {by} sends a segment without: RFC 7323 section "
                f"3.2 lets a receiver drop it.",
            )

    def found(self) -> Iterator[Finding]:
        """Yield what there is to say so far."""
        yield from self._kept.values()
        if self._called is None or self._answer is None:
            return
        called, answered = Offer.of(self._called.segment), Offer.of(self._answer.segment)
        if self._round_trip is not None:
            yield from self._scale(called, answered)
            yield from self._mss(Role.CLIENT, self._called, called)
            yield from self._mss(Role.SERVER, self._answer, answered)
        if self._answer.segment.ack is None:
            # Where the calls crossed, each SYN offers and none answers.
            return
        yield from self._refused(called, answered)
        yield from self._echo()
        yield from self._cookies(called, answered)

    def _scale(self, called: Offer, answered: Offer) -> Iterator[Finding]:
        assert self._answer is not None
        for role, offer in ((Role.CLIENT, called), (Role.SERVER, answered)):
            if (offer.window_scale or 0) > MAX_SHIFT:
                yield Finding(
                    "shift-above-14",
                    self._answer.frame,
                    f"The {role} offers a window shift of {offer.window_scale}: it counts as "
                    f"{MAX_SHIFT} (RFC 7323 section 2.3).",
                )
        if called.window_scale is not None and answered.window_scale is not None:
            return
        if called.window_scale is None and answered.window_scale is None:
            who = "neither end offered it"
        elif answered.window_scale is None:
            who = "the client offered it and the server did not, or a box on the way took it away"
        else:
            who = "the client did not offer it, or a box on the way took it away"
        rate = ""
        if self._round_trip:
            bits = UNSCALED * 8 / self._round_trip
            rate = f"; with the handshake's {seconds(self._round_trip)}, {_rate(bits)} each way"
        yield Finding(
            "no-window-scaling",
            self._answer.frame,
            f"Windows are not scaled ({who}): no more than {UNSCALED} octets a round trip{rate}.",
        )

    def _mss(self, role: Role, syn: Observed, offer: Offer) -> Iterator[Finding]:
        version = syn.segment.source.version
        usual = USUAL_MSS[version]
        if offer.mss is None:
            yield Finding(
                "no-mss",
                syn.frame,
                f"The {role} names no MSS: its peer must take it for {DEFAULT_MSS[version]} octets "
                f"(section 3.7.1).",
            )
        elif offer.mss < usual:
            yield Finding(
                "mss-low",
                syn.frame,
                f"The {role}'s MSS of {offer.mss} octets is {usual - offer.mss} below the {usual} "
                f"of an Ethernet path: a link or tunnel on its side carries less, it is set so, "
                f"or a box on the way lowered it.",
            )

    def _refused(self, called: Offer, answered: Offer) -> Iterator[Finding]:
        assert self._answer is not None
        frame = self._answer.frame
        if called.timestamps and not answered.timestamps:
            yield Finding(
                "timestamps-refused",
                frame,
                "The SYN offered timestamps, and the SYN+ACK has none: the server does not use "
                "them, or a box on the way took them away.",
            )
        if called.mptcp and not answered.mptcp:
            yield Finding(
                "mptcp-refused",
                frame,
                f"The SYN offered Multipath TCP ({called.mptcp}), and the SYN+ACK does not: the "
                f"server does not speak it, or a box on the way took it away.",
            )
        if self._fallback is not None:
            yield Finding(
                "ecn-fallback",
                self._fallback.frame,
                "The SYN that asked for ECN had no answer, and the same SYN without it had: the "
                "first was lost, or something on the way drops SYNs that ask for ECN.",
            )
        elif called.ecn and _ecn(self._answer.segment) == _ecn_asked(called):
            yield Finding(
                "ecn-reflected",
                frame,
                "The SYN+ACK has the same ECN bits as the SYN: the server only reflects them, so "
                "ECN is not in force (RFC 9768 table 2).",
            )
        elif called.ecn and not answered.ecn and not (called.accecn and answered.accecn):
            yield Finding(
                "ecn-refused",
                frame,
                "The SYN asked for ECN, and the SYN+ACK does not agree: the server does not use "
                "it, or a box on the way cleared the bits.",
            )

    def _echo(self) -> Iterator[Finding]:
        assert self._asked is not None
        assert self._called is not None
        assert self._answer is not None
        echoed = self._answer.segment.options.timestamps
        sent = (self._called.segment.options.timestamps, self._asked.segment.options.timestamps)
        clocks = [each.value for each in sent if each is not None]
        first = self._called is self._asked
        if echoed is not None and clocks and first and echoed.echo not in clocks:
            yield Finding(
                "timestamps-echo",
                self._answer.frame,
                f"The SYN+ACK echoes the clock {echoed.echo}, and the SYN said {clocks[0]}: "
                f"something rewrites timestamps, or something else answers the SYN.",
            )

    def _cookies(self, called: Offer, answered: Offer) -> Iterator[Finding]:
        """Yield a hint at SYN cookies: without a clock to hide them in, options are forgotten."""
        assert self._answer is not None
        offered = called.window_scale is not None and called.sack_permitted
        taken = answered.window_scale is not None or answered.sack_permitted
        if offered and not taken and not called.timestamps and answered.mss is not None:
            yield Finding(
                "syn-cookies",
                self._answer.frame,
                "The SYN offered window scaling and SACK without timestamps, and the SYN+ACK "
                "has only an MSS: a server that answers with SYN cookies does so, as an old "
                "or simple one would.",
            )


def _ecn(seg: Segment) -> Flags:
    return seg.flags & _ECN_BITS


def _ecn_asked(offer: Offer) -> int:
    return 0x1C0 if offer.accecn else 0x0C0


def _rate(bits: float) -> str:
    """Return bits a second in the unit that reads best."""
    units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]
    while bits >= 999.5 and len(units) > 1:
        bits /= 1000
        del units[0]
    return f"{bits:.3g} {units[0]}"
