"""Cached responses: what an endpoint did that received the same, so that it is not asked again.

The rules of an endpoint know numbers by their distances alone: had all sequence numbers of one
end, or all timestamps, been larger, it would have sent the same segments with larger numbers. So
what is done for a first connection is right for all that receive the same. It is learnt from the
endpoint itself, twice, with numbers that have nothing in common; it is cached only if both agree.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from handshake.endpoint.attempt import Attempt
from handshake.endpoint.options import ClientOptions
from handshake.endpoint.segment_builder import ETHERNET
from handshake.packet.template import Templates, bits, stamp_at
from handshake.tcp import Endpoint, Flags, Observed, Segment, Seq
from handshake.tcp.segment import HEADER
from handshake.units import MODULUS, NS_PER_MS

if TYPE_CHECKING:
    from handshake.endpoint.options import Timeouts
    from handshake.endpoint.outcome import Outcome
    from handshake.packet.template import Template
    from handshake.tcp import Offer


ResponseKey: TypeAlias = tuple[int, int, int, int, bytes, int]
"""A segment without what differs between connections: its sequence number relative to the IRS, its
ACK number to our ISS, data offset and flags, window, options with timestamps at 0, length."""

_MOST: Final = 512
"""Responses cached: peers that each answer differently must not fill our memory."""

_LONGEST: Final = 16
"""Segments after which nothing is cached: for each, all before it are simulated again."""

_ENDS: Final = {
    4: (Endpoint.of("192.0.2.1", 50000), Endpoint.of("192.0.2.2", 80)),
    6: (Endpoint.of("2001:db8::1", 50000), Endpoint.of("2001:db8::2", 80)),
}


class CachedSegment(NamedTuple):
    """A segment to send, without what differs between connections."""

    template: Template
    seq: int
    """Its sequence number, relative to our ISS."""

    ack: int | None
    """Its ACK number, relative to the IRS; None without ACK."""

    bits: int
    window: int
    echo: int
    """The index of the received segment whose timestamp it echoes; -1 for none."""


class CachedResponse:
    """What an endpoint did after it had received segments with these keys, in this order."""

    __slots__ = ("answer", "fillers", "following", "outcome", "received", "wait")

    def __init__(
        self,
        received: tuple[ResponseKey, ...],
        segments: tuple[CachedSegment, ...],
        wait: int,
        outcome: Outcome | None,
        answer: int,
    ) -> None:
        self.received = received
        self.fillers = tuple(
            (each.template.filler(each.bits, each.window), each.seq, each.ack, each.echo)
            for each in segments
        )
        """What fills in each segment to send, with what stands in `CachedSegment`."""

        self.wait = wait
        """How long after the last of them its timer expires, or sooner."""

        self.outcome = outcome
        """What became of the connection; None while it goes on."""

        self.answer = answer
        """The index of the received segment that answered our SYN; -1 while there is none."""

        self.following: dict[ResponseKey, CachedResponse | None] = {}
        """By what is received next; None if the endpoint must decide."""


class _Numbers(NamedTuple):
    """The numbers of a simulation. No two that matter are alike, so that each shows its origin."""

    iss: int
    irs: int
    ticks: int
    clock: int
    tick: int
    gap: int


_FIRST: Final = _Numbers(0x1234_5678, 0x7777_0001, 500_000, 0x0055_0000, 17, 3 * NS_PER_MS)
_SECOND: Final = _Numbers(0xFFFF_FFFF, 0x0BAD_CAFE, MODULUS - 3, 0xFFFF_FFF0, 5, 11 * NS_PER_MS)


class ResponseCache:
    """The cached responses of endpoints with one offer, learnt as they are needed."""

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
        """What is done at first: the SYN is sent."""
        root = self._learnt(())
        assert root is not None
        return root

    def packet(self, segment: Segment) -> bytes:
        """Return the packet of any segment of such an endpoint."""
        if segment is self.options.first:
            return self.options.packet
        return self.templates.packet(segment, self.options.ttl, self.options.tos)

    def after(self, cached: CachedResponse, key: ResponseKey) -> CachedResponse | None:
        """Return the response to a further segment; None if the endpoint must decide."""
        if self._known >= _MOST or len(cached.received) >= _LONGEST:
            return None
        self._known += 1
        found = cached.following[key] = self._learnt((*cached.received, key))
        return found

    def _learnt(self, received: tuple[ResponseKey, ...]) -> CachedResponse | None:
        first, second = (self._simulate(received, numbers) for numbers in (_FIRST, _SECOND))
        if first is None or second is None or first[:-1] != second[:-1]:
            return None
        segments, outcome, answer, wait = first
        # A wait that was measured from an earlier segment differs between the two. The shorter is
        # never too late: a timer that expires early does no harm.
        return CachedResponse(received, segments, min(wait, second[-1]), outcome, answer)

    def _simulate(
        self, received: tuple[ResponseKey, ...], numbers: _Numbers
    ) -> tuple[tuple[CachedSegment, ...], Outcome | None, int, int] | None:
        """Return what an endpoint with these numbers does; None if that cannot be cached."""
        local, remote = _ENDS[self._version]
        how = self.timeouts, self.options, self.path_mss
        attempt = Attempt(local, remote, Seq(numbers.iss), self.offer, numbers.ticks, *how)
        at = numbers.gap
        sent = attempt.start(at)
        clocks: list[int] = []
        answer = -1
        base = numbers.irs if received and received[0][2] & Flags.SYN else 0
        for place, key in enumerate(received):
            at += numbers.gap
            clocks.append((numbers.clock + numbers.tick * place) % MODULUS)
            seg = _segment(key, remote, local, base, numbers.iss, clocks[-1])
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
        outcome = attempt.outcome() if attempt.done else None
        return tuple(segments), outcome, answer, attempt.deadline - at


def _segment(
    key: ResponseKey, source: Endpoint, destination: Endpoint, base: int, iss: int, clock: int
) -> Segment:
    """Return a segment with this key."""
    seq, ack, what, window, options, length = key
    stamp = stamp_at(options)
    if stamp >= 0:
        options = options[:stamp] + clock.to_bytes(4, "big") + options[stamp + 4 :]
    acked = (ack + iss) % MODULUS if what & Flags.ACK else 0
    seq = (seq + base) % MODULUS
    header = HEADER.pack(source.port, destination.port, seq, acked, what, window, 0, 0)
    octets = header + options
    # Of a payload the endpoint only counts the octets.
    return Segment.parse(source.address, destination.address, octets, len(octets) + length)
