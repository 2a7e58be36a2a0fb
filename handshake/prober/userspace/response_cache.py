"""Precedents: what an attempt did that heard the same, so that its rules need not be asked again.

An attempt's rules know numbers by their distances alone: had all of one end's sequence numbers,
or all clocks, been larger, it would have sent the same segments with larger numbers. So what is
done for a first call stands for all that hear the same. It is learnt from the attempt itself,
twice, with numbers that have nothing in common; only where both times agree is it a precedent.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from handshake.endpoint.attempt import Attempt
from handshake.endpoint.options import ClientOptions
from handshake.endpoint.segment_builder import ETHERNET
from handshake.packet.template import Templates, bits, stamp_at
from handshake.prober.result import Negotiated
from handshake.tcp import Endpoint, Flags, Observed, Segment, Seq
from handshake.tcp.segment import HEADER
from handshake.units import MODULUS, NS_PER_MS

if TYPE_CHECKING:
    from handshake.endpoint.ack_monitor import AckStatus
    from handshake.endpoint.timeouts import Timeouts
    from handshake.endpoint.verdict import Close, Verdict
    from handshake.packet.template import Template
    from handshake.tcp import Offer


ResponseKey: TypeAlias = tuple[int, int, int, int, bytes, int]
"""A segment without what differs from call to call: its number from the peer's first one, its
acknowledgment from our ISS, data offset and flags, window, options with clocks at 0, length."""

_MOST: Final = 512
"""Precedents kept: peers that answer each in a way of its own must not fill our memory."""

_LONGEST: Final = 16
"""Segments after which there is no precedent: all that came before is heard anew for each."""

_ENDS: Final = {
    4: (Endpoint.of("192.0.2.1", 50000), Endpoint.of("192.0.2.2", 80)),
    6: (Endpoint.of("2001:db8::1", 50000), Endpoint.of("2001:db8::2", 80)),
}


class CachedSegment(NamedTuple):
    """A segment to send, without what differs from call to call."""

    template: Template
    seq: int
    """Its number from our ISS."""

    ack: int | None
    """What it acknowledges, from the peer's first number; None where it does not."""

    bits: int
    window: int
    echo: int
    """Whose clock it echoes, by the place in what was heard; -1 where it echoes none."""


class CachedResult(NamedTuple):
    """What was concluded."""

    verdict: Verdict
    close: Close | None
    answer: int
    """Which segment answered our SYN, by its place in what was heard."""

    negotiated: Negotiated | None
    ack_status: AckStatus


class CachedResponse:
    """What an attempt did when it had heard segments of these shapes, in this order."""

    __slots__ = ("ending", "following", "received", "segments", "wait")

    def __init__(
        self,
        received: tuple[ResponseKey, ...],
        segments: tuple[CachedSegment, ...],
        wait: int,
        ending: CachedResult | None,
    ) -> None:
        self.received = received
        self.segments = segments
        self.wait = wait
        """How long after the last of them it wants to be woken, or sooner."""

        self.ending = ending
        self.following: dict[ResponseKey, CachedResponse | None] = {}
        """By what is heard next; None where the rules are to be asked."""


class _Numbers(NamedTuple):
    """The numbers of a rehearsal. No two that matter are alike, so that each shows its origin."""

    iss: int
    irs: int
    ticks: int
    clock: int
    tick: int
    gap: int


_FIRST: Final = _Numbers(0x1234_5678, 0x7777_0001, 500_000, 0x0055_0000, 17, 3 * NS_PER_MS)
_SECOND: Final = _Numbers(0xFFFF_FFFF, 0x0BAD_CAFE, MODULUS - 3, 0xFFFF_FFF0, 5, 11 * NS_PER_MS)


class ResponseCache:
    """All precedents of attempts with one offer, as they are learnt."""

    def __init__(
        self,
        version: int,
        offer: Offer,
        timeouts: Timeouts,
        templates: Templates,
        options: ClientOptions | None = None,
        path_mss: int = ETHERNET,
    ) -> None:
        self.offer = offer
        self.timeouts = timeouts
        self.templates = templates
        self.options = options or ClientOptions()
        self.path_mss = path_mss
        self._version = version
        self._known = 0

    @cached_property
    def root(self) -> CachedResponse:
        """What is done at first: the SYN."""
        root = self._learnt(())
        assert root is not None
        return root

    def packet(self, segment: Segment) -> bytes:
        """Return the octets of any segment of such an attempt."""
        return self.templates.packet(segment, self.options.ttl, self.options.tos)

    def after(self, cached: CachedResponse, shape: ResponseKey) -> CachedResponse | None:
        """Return what was done when this was heard next; None where the rules are to be asked."""
        if self._known >= _MOST or len(cached.received) >= _LONGEST:
            return None
        self._known += 1
        found = cached.following[shape] = self._learnt((*cached.received, shape))
        return found

    def _learnt(self, received: tuple[ResponseKey, ...]) -> CachedResponse | None:
        first, second = (self._simulate(received, numbers) for numbers in (_FIRST, _SECOND))
        if first is None or second is None or first[:-1] != second[:-1]:
            return None
        segments, ending, wait = first
        # A wait that was measured from an earlier segment is not the same in both. The shorter
        # one is never too late: to be woken for nothing does no harm.
        return CachedResponse(received, segments, min(wait, second[-1]), ending)

    def _simulate(
        self, received: tuple[ResponseKey, ...], numbers: _Numbers
    ) -> tuple[tuple[CachedSegment, ...], CachedResult | None, int] | None:
        """Return what an attempt with these numbers does in the end; None if that is its own."""
        local, remote = _ENDS[self._version]
        how = self.timeouts, self.options, self.path_mss
        attempt = Attempt(local, remote, Seq(numbers.iss), self.offer, numbers.ticks, *how)
        at = numbers.gap
        sent = attempt.start(at)
        clocks: list[int] = []
        answer = -1
        base = numbers.irs if received and received[0][2] & Flags.SYN else 0
        for place, shape in enumerate(received):
            at += numbers.gap
            clocks.append((numbers.clock + numbers.tick * place) % MODULUS)
            seg = _segment(shape, remote, local, base, numbers.iss, clocks[-1])
            sent = attempt.receive(Observed(seg, at, checksum_ok=True), at)
            if answer < 0 and attempt.answer is not None:
                answer = place
        if not attempt.uneventful:
            return None
        clock = (numbers.ticks + at // NS_PER_MS) % MODULUS
        segments = []
        for seg in sent:
            stamps = seg.options.timestamps
            if stamps is not None and (
                stamps.value != clock or (stamps.echo and stamps.echo not in clocks)
            ):
                return None
            segments.append(
                CachedSegment(
                    template=self.templates.of(seg, self.options.ttl, self.options.tos),
                    seq=(int(seg.seq) - numbers.iss) % MODULUS,
                    ack=None if seg.ack is None else (int(seg.ack) - base) % MODULUS,
                    bits=bits(seg),
                    window=seg.window,
                    echo=clocks.index(stamps.echo) if stamps is not None and stamps.echo else -1,
                )
            )
        ending = None
        if attempt.done:
            assert attempt.verdict is not None
            negotiated = Negotiated.of(attempt.block)
            ending = CachedResult(
                attempt.verdict, attempt.close, answer, negotiated, attempt.ack_status
            )
        return tuple(segments), ending, attempt.deadline - at


def _segment(
    shape: ResponseKey, source: Endpoint, destination: Endpoint, base: int, iss: int, clock: int
) -> Segment:
    """Return a segment of this shape."""
    seq, ack, what, window, options, length = shape
    stamp = stamp_at(options)
    if stamp >= 0:
        options = options[:stamp] + clock.to_bytes(4, "big") + options[stamp + 4 :]
    acked = (ack + iss) % MODULUS if what & Flags.ACK else 0
    seq = (seq + base) % MODULUS
    header = HEADER.pack(source.port, destination.port, seq, acked, what, window, 0, 0)
    octets = header + options
    # Of the payload an attempt counts the octets, and reads none.
    return Segment.parse(source.address, destination.address, octets, len(octets) + length)
