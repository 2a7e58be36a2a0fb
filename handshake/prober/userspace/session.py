"""The session of one connection: packets in, packets out, by cached responses or by an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.endpoint.attempt import Attempt
from handshake.endpoint.outcome import Verdict
from handshake.endpoint.single_segment import SingleSegmentProbe
from handshake.packet.checksum import words_sum
from handshake.packet.quick_parse import options_of
from handshake.packet.template import stamp_at
from handshake.tcp import Endpoint, Flags, Observed, Seq
from handshake.units import ACK_BIT, MODULUS, NS_PER_MS, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.endpoint.outcome import Outcome
    from handshake.endpoint.sender import Segments
    from handshake.linux.packet_socket import Captured, Received
    from handshake.messages import Message
    from handshake.packet.checksum import Address
    from handshake.packet.quick_parse import Peeked
    from handshake.prober.userspace.response_cache import CachedResponse, ResponseCache
    from handshake.tcp.icmp import IcmpError

_HALF: Final = 2**31
_CLEAR: Final = bytes(8)

Packets = list[bytes]


class Session:
    """What one connection sends, and when its timer expires.

    While a connection goes as others did before, cached responses tell what to send. As soon as
    there is none, an endpoint receives all that was received so far and decides from then on: it
    alone has the rules.
    """

    __slots__ = (
        "_attempt",
        "_cached",
        "_clocks",
        "_decode",
        "_ends",
        "_ends_sum",
        "_first_clock",
        "_irs",
        "_last_clock",
        "_late",
        "_outcome",
        "_port",
        "_received",
        "_responses",
        "_started",
        "deadline",
        "iss",
        "remote",
        "source",
        "ticks",
    )

    def __init__(
        self,
        responses: ResponseCache,
        source: Address,
        port: int,
        remote: Endpoint,
        ends: bytes,
        iss: int,
        ticks: int,
        decode: Callable[[Captured], Received | None],
    ) -> None:
        self.source = source
        self.remote = remote
        self.iss = iss
        self.ticks = ticks
        self.deadline = 0
        """When `on_timer` is due, or a little later."""

        self._outcome: Outcome | None = None
        self._port = port
        self._ends = ends
        self._ends_sum = words_sum(ends)
        self._responses = responses
        self._cached: CachedResponse | None = None
        """The cached response to all that was received so far."""

        self._decode = decode
        self._received: list[tuple[Captured, int]] = []
        self._late: list[tuple[int, int]] = []
        """How late packets of ours left, in nanoseconds, each after so many received segments."""

        self._clocks: list[int] = []
        self._first_clock: int | None = None
        self._last_clock = 0
        self._irs = 0
        self._started = 0
        self._attempt: Attempt | SingleSegmentProbe | None = None

    @property
    def local(self) -> Endpoint:
        """Our end."""
        return Endpoint(self.source, self._port)

    @property
    def done(self) -> bool:
        """Whether it is over."""
        if self._attempt is not None:
            return self._attempt.done
        return self._outcome is not None

    @property
    def refused(self) -> bool:
        """Whether our connection request was answered by a RST, as an endpoint has decided."""
        attempt = self._attempt
        return isinstance(attempt, Attempt) and attempt.verdict is Verdict.CLOSED

    def take_over(self) -> Attempt | SingleSegmentProbe:
        """Return an endpoint that has received all that was received, and decides from now on."""
        if self._attempt is None:
            attempt = self._attempt = self._new_attempt()
            attempt.start(self._started)
            for count in range(len(self._received) + 1):
                if count:
                    captured, at = self._received[count - 1]
                    found = self._decode(captured)
                    assert isinstance(found, Observed)
                    attempt.receive(found, at)
                for after, late in self._late:
                    if after == count and not attempt.done:
                        attempt.postpone(late)
            self._received.clear()
            self._late.clear()
            self._outcome = None
            self.deadline = attempt.deadline
        return self._attempt

    @property
    def asked(self) -> Flags:
        """The control bits of our first segment."""
        return self._responses.options.asked

    @property
    def signed(self) -> bool:
        """Whether our segments are signed with an MD5 key."""
        return bool(self._responses.options.md5)

    def answer(self) -> Captured | Observed | None:
        """Return the segment that answered our SYN."""
        if self._outcome is not None and self._cached is not None:
            return self._received[self._cached.answer][0]
        return self.take_over().answer

    def outcome(self) -> Outcome:
        """Return what became of the connection, once it is `done`."""
        return self.take_over().outcome() if self._outcome is None else self._outcome

    def _new_attempt(self) -> Attempt | SingleSegmentProbe:
        known = self._responses
        how = known.timeouts, known.options, known.path_mss
        kind = Attempt if known.options.opens else SingleSegmentProbe
        return kind(self.local, self.remote, Seq(self.iss), known.offer, self.ticks, *how)

    def start(self, at: int, *, cached: bool = True) -> Packets:
        """Return the SYN. If not `cached`, an endpoint decides from the start."""
        self._started = at
        if not cached:
            self._attempt = self._new_attempt()
            return self._packets(self._attempt.start(at))
        self._cached = self._responses.root
        self.deadline = at + self._cached.wait
        return self._filled(self._cached, at)

    def received(self, captured: Captured, peeked: Peeked, at: int) -> Packets:
        """Return the answers to a segment in a plain packet."""
        # What was overdue as it arrived comes first, and only the endpoint knows what that is. A
        # program that was stopped reads an answer long after it came in time.
        if self._attempt is None and min(captured.at, at) < self.deadline:
            cached = self._next(captured, peeked)
            if cached is not None:
                due = at + cached.wait
                # What answers our SYN stops all timers that ran before it.
                if due < self.deadline or cached.answer == len(self._received):
                    self.deadline = due
                self._cached = cached
                self._received.append((captured, at))
                self._outcome = cached.outcome
                return self._filled(cached, at) if cached.fillers else []
        found = self._decode(captured)
        return self.observed(found, at) if isinstance(found, Observed) else []

    def observed(self, observed: Observed, at: int) -> Packets:
        """Return the answers to a segment, as the endpoint decides."""
        return self._packets(self.take_over().receive(observed, at))

    def icmp(self, error: IcmpError, at: int | None = None) -> Packets:
        """Process an ICMP error that quotes a segment of ours; return the answers."""
        return self._packets(self.take_over().icmp(error, at))

    def unsent(self, why: Message) -> None:
        """Record that this machine did not send a segment, and why."""
        self.take_over().unsent(why)

    def postpone(self, late: int) -> None:
        """Let all timers run later: our packets left so many nanoseconds late."""
        if self._attempt is None:
            self._late.append((len(self._received), late))
            self.deadline += late
        elif not self._attempt.done:
            self._attempt.postpone(late)
            self.deadline = self._attempt.deadline

    def on_timer(self, at: int) -> Packets:
        """Return what to send now that the timer has expired."""
        return self._packets(self.take_over().on_timer(at))

    def abort(self, at: int) -> Packets:
        """End the connection at once; return the RSTs to send."""
        # Without an answer of the peer there is nothing to reset.
        if self.done or (self._attempt is None and not self._received):
            return []
        return self._packets(self.take_over().abort(at))

    def _packets(self, segments: Segments) -> Packets:
        attempt = self.take_over()
        if not attempt.done:
            self.deadline = attempt.deadline
        return [self._responses.packet(each) for each in segments]

    def _next(self, captured: Captured, peeked: Peeked) -> CachedResponse | None:
        """Return the response to a segment; None if the endpoint must decide."""
        octets = captured.octets
        options = options_of(octets, peeked, unfinished=captured.unfinished)
        if options is None:
            return None
        _, seq, ack, bits, window, tcp, end = peeked
        if bits & RST_BIT and self._received:
            return None  # what it means depends on how late our ACK was
        clock = 0
        if options:
            stamp = stamp_at(options)
            if stamp >= 0:
                clock = int.from_bytes(options[stamp : stamp + 4], "big")
                if self._first_clock is None:
                    self._first_clock = clock
                # A clock that runs backwards is for the endpoint to judge (RFC 7323 section 5.3).
                since = (clock - self._first_clock) % MODULUS
                if not self._last_clock <= since < _HALF:
                    return None
                self._last_clock = since
                options = options[:stamp] + _CLEAR + options[stamp + 8 :]
        if not self._clocks and bits & SYN_BIT:
            self._irs = seq
        self._clocks.append(clock)
        key = (
            (seq - self._irs) % MODULUS,
            (ack - self.iss) % MODULUS if bits & ACK_BIT else 0,
            bits,
            window,
            options,
            end - tcp - (bits >> 10 & 0x3C),
        )
        assert self._cached is not None
        try:
            return self._cached.following[key]
        except KeyError:
            return self._responses.after(self._cached, key)

    def _filled(self, cached: CachedResponse, at: int) -> Packets:
        clock = (self.ticks + at // NS_PER_MS) % MODULUS
        ends, ends_sum, iss, irs = self._ends, self._ends_sum, self.iss, self._irs
        packets = []
        for fill, seq, ack, echo in cached.fillers:
            acked = 0 if ack is None else (irs + ack) % MODULUS
            echoed = self._clocks[echo] if echo >= 0 else 0
            packets.append(fill(ends, ends_sum, (iss + seq) % MODULUS, acked, clock, echoed))
        return packets
