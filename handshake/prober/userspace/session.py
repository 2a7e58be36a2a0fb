"""The course of one call: packets in, packets out, by precedents or by an attempt of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.endpoint.attempt import Attempt
from handshake.endpoint.single_segment import Knock
from handshake.packet.template import stamp_at, words_sum
from handshake.prober.userspace.response_cache import MILLISECOND, MODULUS
from handshake.tcp import Endpoint, Flags, Observed, Seq

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.endpoint.sender import Segments
    from handshake.linux.packet_socket import Captured, Heard
    from handshake.prober.userspace.response_cache import Ending, Precedent, Precedents
    from handshake.tcp.icmp import IcmpError

_HALF: Final = 2**31
_CLEAR: Final = bytes(8)

# Plain numbers: a set of flags would be made of each result.
_SYN: Final = int(Flags.SYN)
_ACK: Final = int(Flags.ACK)

Packets = list[bytes]


class Course:
    """What one call sends, and when it wants to be woken.

    While all goes as it went before, precedents tell what to send. As soon as there is none, an
    attempt is let hear what was heard so far, and goes on from there: it alone has the rules.
    """

    __slots__ = (
        "_attempt",
        "_clocks",
        "_decode",
        "_ends",
        "_ends_sum",
        "_first_clock",
        "_heard",
        "_irs",
        "_last_clock",
        "_precedent",
        "_precedents",
        "_started",
        "deadline",
        "ending",
        "iss",
        "local",
        "remote",
        "ticks",
    )

    def __init__(
        self,
        precedents: Precedents,
        local: Endpoint,
        remote: Endpoint,
        ends: bytes,
        iss: int,
        ticks: int,
        decode: Callable[[Captured], Heard | None],
    ) -> None:
        self.local = local
        self.remote = remote
        self.iss = iss
        self.ticks = ticks
        self.deadline = 0
        """When `wake` is due, or a little later."""

        self.ending: Ending | None = None
        self._ends = ends
        self._ends_sum = words_sum(ends)
        self._precedents = precedents
        self._precedent: Precedent | None = None
        """What was done so far, as it was done before; None while nothing is known to have been."""

        self._decode = decode
        self._heard: list[tuple[Captured, int]] = []
        self._clocks: list[int] = []
        self._first_clock: int | None = None
        self._last_clock = 0
        self._irs = 0
        self._started = 0
        self._attempt: Attempt | Knock | None = None

    @property
    def done(self) -> bool:
        """Whether it is over."""
        if self._attempt is not None:
            return self._attempt.done
        return self.ending is not None

    @property
    def attempt(self) -> Attempt | Knock:
        """An attempt that has heard all that was heard: asked for, it takes over."""
        if self._attempt is None:
            attempt = self._attempt = self._new_attempt()
            attempt.start(self._started)
            for captured, at in self._heard:
                found = self._decode(captured)
                assert isinstance(found, Observed)
                attempt.received(found, at)
            self._heard.clear()
            self.ending = None
            self.deadline = attempt.deadline
        return self._attempt

    @property
    def asked(self) -> Flags:
        """The control bits of our first segment."""
        return self._precedents.manner.asked

    @property
    def signed(self) -> bool:
        """Whether our segments are signed with a key."""
        return bool(self._precedents.manner.md5)

    @property
    def interface(self) -> str | None:
        """What our segments are to leave by; None for the kernel's choice."""
        return self._precedents.manner.interface

    def answer(self) -> Captured | Observed | None:
        """Return what answered our SYN."""
        if self.ending is not None:
            return self._heard[self.ending.answer][0]
        return self.attempt.answer

    def _new_attempt(self) -> Attempt | Knock:
        known = self._precedents
        how = known.patience, known.manner, known.path_mss
        kind = Attempt if known.manner.opens else Knock
        return kind(self.local, self.remote, Seq(self.iss), known.offer, self.ticks, *how)

    def start(self, at: int, *, by_rules: bool = False) -> Packets:
        """Call: return the SYN. No precedent is asked for if it is to go `by_rules` throughout."""
        self._started = at
        if by_rules:
            self._attempt = self._new_attempt()
            return self._packets(self._attempt.start(at))
        self._precedent = self._precedents.root
        self.deadline = at + self._precedent.wait
        return self._filled(self._precedent, at)

    def heard(
        self,
        captured: Captured,
        seq: int,
        ack: int,
        bits: int,
        window: int,
        options: bytes,
        length: int,
        at: int,
    ) -> Packets:
        """Return the answers to a segment whose checksum is right, or is not there yet."""
        # What is overdue comes first, and only the rules know what that is.
        if self._attempt is None and at < self.deadline:
            precedent = self._next(seq, ack, bits, window, options, length)
            if precedent is not None:
                self._precedent = precedent
                self._heard.append((captured, at))
                self.ending = precedent.ending
                self.deadline = min(self.deadline, at + precedent.wait)
                return self._filled(precedent, at) if precedent.cues else []
        found = self._decode(captured)
        return self.observed(found, at) if isinstance(found, Observed) else []

    def observed(self, observed: Observed, at: int) -> Packets:
        """Return the answers to any segment of the peer's, by the rules."""
        return self._packets(self.attempt.received(observed, at))

    def icmp(self, error: IcmpError) -> None:
        """Take note of an ICMP error that quotes us."""
        self.attempt.icmp(error)

    def unsent(self, why: str) -> None:
        """Take note that this machine refused to send a segment."""
        self.attempt.unsent(why)

    def wake(self, at: int) -> Packets:
        """Return what is to be sent now that time has passed."""
        return self._packets(self.attempt.wake(at))

    def leave(self, at: int) -> Packets:
        """Return what ends it for the peer, too, where all is to end at once."""
        # Whoever has heard nothing need not ask the rules: the peer has not answered.
        if self.done or (self._attempt is None and not self._heard):
            return []
        return self._packets(self.attempt.leave(at))

    def _packets(self, segments: Segments) -> Packets:
        attempt = self.attempt
        if not attempt.done:
            self.deadline = attempt.deadline
        return [self._precedents.packet(each) for each in segments]

    def _next(
        self, seq: int, ack: int, bits: int, window: int, options: bytes, length: int
    ) -> Precedent | None:
        clock = 0
        if options:
            stamp = stamp_at(options)
            if stamp >= 0:
                clock = int.from_bytes(options[stamp : stamp + 4], "big")
                if self._first_clock is None:
                    self._first_clock = clock
                # A clock that runs backwards is for the rules to judge (RFC 7323 section 5.3).
                since = (clock - self._first_clock) % MODULUS
                if not self._last_clock <= since < _HALF:
                    return None
                self._last_clock = since
                options = options[:stamp] + _CLEAR + options[stamp + 8 :]
        if not self._clocks and bits & _SYN:
            self._irs = seq
        self._clocks.append(clock)
        shape = (
            (seq - self._irs) % MODULUS,
            (ack - self.iss) % MODULUS if bits & _ACK else 0,
            bits,
            window,
            options,
            length,
        )
        assert self._precedent is not None
        try:
            return self._precedent.following[shape]
        except KeyError:
            return self._precedents.after(self._precedent, shape)

    def _filled(self, precedent: Precedent, at: int) -> Packets:
        clock = (self.ticks + at // MILLISECOND) % MODULUS
        return [
            template.fill(
                self._ends,
                self._ends_sum,
                (self.iss + seq) % MODULUS,
                0 if ack is None else (self._irs + ack) % MODULUS,
                bits,
                window,
                clock,
                self._clocks[echo] if echo >= 0 else 0,
            )
            for template, seq, ack, bits, window, echo in precedent.cues
        ]
