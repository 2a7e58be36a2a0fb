"""What an expert would point at in the packets themselves: TTL, checksum, copies, bad headers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.events import Role
from handshake.events.base import seconds
from handshake.record import Finding
from handshake.tcp import Offer
from handshake.tracker.findings.handshake import SOONEST_TIMER
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.events import Step
    from handshake.tcp import Observed, Segment

TTLS: Final = 8
"""Different TTLs remembered of one end: more of them say nothing more."""

ENOUGH: Final = 3
"""Segments of the same TTL that make it the end's own."""

_RESERVED: Final = "reserved bits are set"


@dataclass(slots=True)
class _Ttls:
    ttls: dict[int, int] = field(default_factory=dict)
    """How many segments came with each TTL; RSTs and the SYN left out."""

    syn_ttl: int | None = None
    changed: Observed | None = None
    """The first segment after the SYN that had another TTL than one before it."""

    checked: int = 0
    bad: int = 0
    first_bad: Observed | None = None
    last: Observed | None = None

    @property
    def unfilled(self) -> bool:
        """Whether so many checksums are wrong that nothing on the way can have done it.

        A host whose card fills checksums in may still compute that of a RST or an ACK itself.
        """
        return self.bad > 1 and 2 * self.bad > self.checked


class PathFindings:
    """Follows what the way did to the packets, as far as it shows in their headers."""

    __slots__ = ("_copies", "_copy", "_ends", "_kept")

    def __init__(self) -> None:
        self._kept: dict[str, Finding] = {}
        self._ends = {Role.CLIENT: _Ttls(), Role.SERVER: _Ttls()}
        self._copies = 0
        self._copy: tuple[Observed, Observed] | None = None
        """The first packet that was seen twice."""

    def feed(self, step: Step) -> None:
        """Take one step into account."""
        observed, mine = step.observed, self._ends[step.by]
        if observed.checksum_ok is not None:
            mine.checked += 1
        if observed.checksum_ok is False:
            mine.bad += 1
            mine.first_bad = mine.first_bad or observed
        if step.segment.problems:
            self._malformed(observed)
        before, mine.last = mine.last, observed
        if before is not None and _copied(before, observed):
            self._copies += 1
            self._copy = self._copy or (before, observed)
            if step.segment.syn:
                self._rewritten(step.by, before, observed)
        elif observed.ttl is not None:
            self._ttl(step, mine, observed.ttl)

    def _keep(self, code: str, observed: Observed, text: str) -> None:
        self._kept.setdefault(code, Finding(code, observed.frame, text))

    def _malformed(self, observed: Observed) -> None:
        problems = [each for each in observed.segment.problems if each != _RESERVED]
        if problems:
            self._keep("malformed", observed, f"The header is malformed: {'; '.join(problems)}.")
        if _RESERVED in observed.segment.problems:
            self._keep(
                "reserved-bits",
                observed,
                "Reserved bits of the header are set: a tool that probes the host, a stack newer "
                "than this program, or damage.",
            )

    def _ttl(self, step: Step, mine: _Ttls, ttl: int) -> None:
        seg, observed = step.segment, step.observed
        if seg.rst:
            known = dict(mine.ttls)
            if mine.syn_ttl is not None:
                known.setdefault(mine.syn_ttl, 1)
            if known and ttl not in known:
                others = ", ".join(map(str, sorted(known)))
                self._keep(
                    "reset-by-other-ttl",
                    observed,
                    f"The RST in the {step.by}'s name came with TTL {ttl}, its other packets with "
                    f"{others}: another box may have sent it (a firewall, an injector), or the "
                    f"way changed.",
                )
            return
        if seg.syn:
            mine.syn_ttl = ttl if mine.syn_ttl is None else mine.syn_ttl
            return
        if mine.ttls and ttl not in mine.ttls:
            mine.changed = mine.changed or observed
        if ttl in mine.ttls or len(mine.ttls) < TTLS:
            mine.ttls[ttl] = mine.ttls.get(ttl, 0) + 1

    def _rewritten(self, by: Role, before: Observed, after: Observed) -> None:
        """Note what the way changed in a SYN that was seen at two places of it."""
        was, now = Offer.of(before.segment), Offer.of(after.segment)
        name = "SYN" if after.segment.ack is None else "SYN+ACK"
        if was == now:
            return
        if was.mss is not None and now.mss is not None and now.mss < was.mss:
            self._keep(
                "mss-clamped",
                after,
                f"The {by}'s {name} was seen twice, with MSS {was.mss} and then {now.mss}: a box "
                f"between the two places lowered it.",
            )
        gone = [
            word
            for word, had, has in (
                ("timestamps", was.timestamps, now.timestamps),
                ("SACK permitted", was.sack_permitted, now.sack_permitted),
                ("window scale", was.window_scale is not None, now.window_scale is not None),
                ("MPTCP", was.mptcp is not None, now.mptcp is not None),
                ("Fast Open", was.fast_open is not None, now.fast_open is not None),
                ("ECN", was.ecn or was.accecn, now.ecn or now.accecn),
            )
            if had and not has
        ]
        if gone:
            code = "timestamps-stripped" if "timestamps" in gone else "options-stripped"
            self._keep(
                code,
                after,
                f"The {by}'s {name} was seen twice, the second time without "
                f"{', '.join(gone)}: a box between the two places took that away.",
            )

    def found(self) -> Iterator[Finding]:
        """Yield what there is to say so far."""
        yield from self._kept.values()
        for role, mine in self._ends.items():
            yield from _ways(role, mine)
        yield from self._checksums()
        if self._copy is not None:
            yield self._twice(*self._copy)

    def _twice(self, before: Observed, after: Observed) -> Finding:
        where = ""
        if before.ttl is not None and after.ttl is not None and before.ttl != after.ttl:
            where = f", at places {abs(before.ttl - after.ttl)} hops apart"
        what = "1 packet is" if self._copies == 1 else f"{self._copies} packets are"
        gap = seconds(abs(after.at - before.at) / NS_PER_SECOND)
        return Finding(
            "seen-twice",
            after.frame,
            f"{what} in this capture twice{where} (the first after {gap}): it sees the same "
            f"traffic at more than one point. That is no retransmission.",
        )

    def _checksums(self) -> Iterator[Finding]:
        wrong = [(role, mine) for role, mine in self._ends.items() if mine.bad]
        unfilled = [(role, mine) for role, mine in wrong if mine.unfilled]
        if unfilled:
            yield _offloaded(unfilled)
        for role, mine in wrong:
            if not mine.unfilled:
                yield Finding(
                    "bad-checksum",
                    _frame(mine.first_bad),
                    f"{mine.bad} of the {role}'s {mine.checked} segments "
                    f"{'has' if mine.bad == 1 else 'have'} a wrong checksum: damaged on the way, "
                    f"or captured before it was filled in. A receiver drops a damaged one.",
                )


def _offloaded(ends: list[tuple[Role, _Ttls]]) -> Finding:
    bad = sum(mine.bad for _, mine in ends)
    checked = sum(mine.checked for _, mine in ends)
    count = f"All {bad}" if bad == checked else f"{bad} of the {checked}"
    if len(ends) == 1:
        whose = f"the {ends[0][0]}"
        why = f"captured on {whose} itself, before its network card filled it in"
    else:
        whose = "both ends"
        why = (
            "captured where nobody fills it in (a loopback or virtual interface), or the addresses "
            "were changed afterwards"
        )
    return Finding(
        "checksum-offload",
        _frame(ends[0][1].first_bad),
        f"{count} segments of {whose} have a wrong checksum: most likely {why}. That is no damage.",
    )


def _frame(observed: Observed | None) -> int | None:
    return None if observed is None else observed.frame


def _copied(before: Observed, after: Observed) -> bool:
    """Whether both are one packet, seen twice."""
    if abs(after.at - before.at) >= SOONEST_TIMER * NS_PER_SECOND:
        return False
    one, two = before.segment, after.segment
    if one.seq != two.seq or _name(one) != _name(two):
        return False
    ident = _identification(before)
    # Without an identification only a SYN is known for a copy: equal ACKs may well follow each
    # other, but nobody sends a SYN twice so soon.
    return ident == _identification(after) if ident else one.syn


def _name(seg: Segment) -> tuple[int, int, int]:
    return seg.ack_field, int(seg.flags) & 0x3F, seg.payload_length


def _identification(observed: Observed) -> int:
    """Return the identification of the IPv4 header; 0, which many senders write, if there is none.

    A sender gives each packet another one (RFC 791), so two packets with the same are one.
    """
    octets = observed.packet
    return int.from_bytes(octets[4:6], "big") if octets[:1] and octets[0] >> 4 == 4 else 0


def _ways(role: Role, mine: _Ttls) -> Iterator[Finding]:
    if len(mine.ttls) == 1 and mine.syn_ttl is not None:
        ((ttl, count),) = mine.ttls.items()
        if ttl != mine.syn_ttl and count >= ENOUGH:
            yield Finding(
                "middlebox",
                _frame(mine.last),
                f"The {role}'s SYN came with TTL {mine.syn_ttl}, and all {count} segments after "
                f"it with {ttl}: another box may have made the handshake in its name (a SYN "
                f"proxy, a load balancer), its stack may start SYNs from another TTL, or the way "
                f"changed.",
            )
    elif mine.changed is not None:
        ttls = ", ".join(str(each) for each in sorted(mine.ttls))
        yield Finding(
            "ttl-varies",
            mine.changed.frame,
            f"The {role}'s segments came with different TTLs ({ttls}): by more than one way, or "
            f"from more than one box.",
        )
