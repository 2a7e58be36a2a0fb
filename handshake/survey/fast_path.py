"""Sums up a connection in which all went well, from the plain fields of its frames.

A clean open, data in order that was acknowledged, and a close by two FINs or one RST, or none
yet. Whatever else happens makes it no ordinary connection: `summary` returns None, and the
tracker has to look at each segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.packet.packed_frames import HEAD, WRONG, last_number
from handshake.tcp import State
from handshake.tcp.state import Input, after
from handshake.tracker.zeek import Zeek
from handshake.units import ACK_BIT, FIN_BIT, MASK, PSH_BIT, RST_BIT

if TYPE_CHECKING:
    from handshake.packet.packed_frames import FrameLayout
    from handshake.survey.handshake_cache import Start

_SIGN: Final = 0x8000_0000
_EXACT: Final = 0xFFF
"""Control bits and reserved bits: what is left of the field is the data offset."""

_TIMESTAMPS: Final = 0x0101080A
"""How nearly all senders begin the options of a segment that has timestamps and nothing else."""

_LONG: Final = 5_000_000_000
"""Nanoseconds of silence from which some rule asks for the time (the least: Zeek's time-outs)."""

_MOST_UNHEARD: Final = 8 << 20
"""So many octets without an ACK as no reader of the stream would hold."""

_SOONEST: Final = 200_000_000
"""Nanoseconds before which nobody sends again for want of an ACK."""

_FEW_TIMES: Final = 2

_OVER: Final = frozenset((State.CLOSED, State.TIME_WAIT))
_AGAIN_AT: Final = frozenset(10**power for power in range(12))
_WHOLE, _CUT, _MIXED = 1, 2, 3
_CAPTURED: Final = (_CUT, _WHOLE)
_TCP: Final = 6
_ACKS, _DATA, _FINS, _RSTS, _GAPS, _REPEATED = "Aa", "Dd", "Ff", "Rr", "Gg", "Tt"
"""Zeek's letters, the caller's first."""


def _shape(header: int) -> tuple[int, frozenset[int], frozenset[int]]:
    plain = frozenset((header << 10 | ACK_BIT, header << 10 | ACK_BIT | PSH_BIT))
    return header, plain, plain | {bits | FIN_BIT for bits in plain}


_SHAPES: Final = (_shape(20), _shape(32))
"""How long the header is without and with timestamps, and its bits without and with FIN."""


class Gist(NamedTuple):
    """What an ordinary connection comes to; lists hold the caller's and the called end's."""

    final_ack_at: int
    last_at: int
    last_frame: int
    segments: list[int]
    octets: list[int]
    fins: list[bool]
    states: list[State]
    reset_by: int | None
    completeness: int
    history: str
    again: list[int]
    """How many segments were sent again."""

    @property
    def closed(self) -> bool:
        """Whether both FINs were acknowledged."""
        return all(self.fins) and all(state in _OVER for state in self.states)

    @property
    def over(self) -> bool:
        """Whether nothing more should come."""
        return self.reset_by is not None or self.closed


def summarize(layout: FrameLayout, records: bytes | bytearray, start: Start) -> Gist | None:
    """Return what the connection comes to that opened so; None where it is no ordinary one."""
    course, records = _State(start), bytes(records)
    if not course.follow(layout, records):
        return None
    if _MIXED in course.captures:
        course.history = _history_of_cut(layout, records, start.caller)
    return Gist(
        final_ack_at=course.final_ack_at,
        last_at=course.last,
        last_frame=last_number(layout, records),
        segments=course.segments,
        octets=course.octets,
        fins=course.fins,
        states=course.states,
        reset_by=course.reset_by,
        completeness=course.completeness,
        history=course.history,
        again=course.again,
    )


class _State:
    """The course of one connection; lists hold the caller's and the called end's."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.nxt = [(iss + 1) & MASK for iss in start.iss]
        self.acked = [start.iss[1], self.nxt[0]]
        """What each end acknowledged last."""

        self.clocks = list(start.clocks)
        self.segments = list(start.segments)
        self.octets, self.gaps, self.again = [0, 0], [0, 0], [0, 0]
        self.captures = [0, 0]
        """Whether the payloads of each end were captured whole, or cut, or both."""

        self.heard, self.spoke = [False, False], [False, False]
        """Whether an ACK of each end, and data, stand in the history."""

        self.fins, self.states = [False, False], [State.ESTABLISHED, State.ESTABLISHED]
        self.ending = 0
        """When the first FIN or a RST was seen; 0 before."""

        self.reset_by: int | None = None
        self.history, self.completeness = start.model.history, 3
        self.last, self.final_ack_at = start.answered, 0

    def follow(self, layout: FrameLayout, records: bytes | bytearray) -> bool:
        """Take in all segments after the opening; return whether they are ordinary."""
        # Its length buys speed: a call for each segment would cost as much as all that it does.
        # So does asking for the usual before any arithmetic modulo 2**32.
        start, size, tcp, counted = self.start, layout.record.size, layout.tcp, layout.counted
        into, kept, base = HEAD + layout.addresses, layout.octets, (start.syns - 1) * size
        caller, timed, ttls, last = start.caller, start.timed, start.ttls, start.answered
        header, plain, usual = _SHAPES[timed]
        nxt, acked, clocks, octets = self.nxt, self.acked, self.clocks, self.octets
        captures, gaps, heard, spoke = self.captures, self.gaps, self.heard, self.spoke
        answers = 0
        # fmt: off
        for (at, _, wire, packed, total, ttl, ends, seq, ack, bits, window, option, clock
             ) in layout.fields.iter_unpack(memoryview(records)[base + size :]):
            # fmt: on
            base += size
            me = 0 if ends == caller else 1
            you = 1 - me
            length = total - counted
            end = tcp + length
            captured = packed >> 2
            if ttl != ttls[me] or not 0 <= at - last < _LONG or packed & WRONG or end > wire:
                return False
            if end <= captured <= kept:
                summed = records[base + into : base + HEAD + end]
                if length & 1:
                    summed += b"\0"
                if (int.from_bytes(summed, "big") + length + _TCP) % 0xFFFF:
                    return False
            answers += me
            payload = length - header
            if bits in usual:
                if not window or payload < 0:
                    return False
                if timed:
                    if option != _TIMESTAMPS:
                        return False
                    if clock != clocks[me]:
                        if (clock - clocks[me]) & _SIGN:
                            return False
                        clocks[me] = clock
            elif not bits & RST_BIT:
                return False
            gain = 0
            if ack != acked[me]:
                gain = (ack - acked[me]) & MASK
                if gain > (nxt[you] - acked[me]) & MASK:
                    return False
            whole = captured >= end
            if bits not in plain or seq != nxt[me] or self.ending:
                # fmt: off
                if not self._special(me, seq, gain, bits & _EXACT, length, at, at - last,
                                     whole=whole):
                    return False
                # fmt: on
                last = at
                continue
            last = at
            if payload:
                nxt[me] = number = (seq + payload) & MASK
                octets[me] += payload
                if captures[me] != _CAPTURED[whole]:
                    captures[me] |= _CAPTURED[whole]
                if not spoke[me]:
                    self._write(me, payload, at)
                if (number - acked[you]) & MASK > _MOST_UNHEARD:
                    return False
            elif not gain:
                return False
            elif not heard[me]:
                self._write(me, payload, at)
            if gain:
                acked[me] = ack
                if captures[you] & _CUT:
                    gaps[you] += 1
                    if gaps[you] in _AGAIN_AT:
                        self.history += _GAPS[you]
        self.last = last
        self.segments[1] += answers
        self.segments[0] += (len(records) - (start.syns * size)) // size - answers
        return True

    def _write(self, me: int, payload: int, at: int) -> None:
        """Note the first data or the first ACK of an end."""
        if payload:
            self.spoke[me] = True
            self.history += _DATA[me]
            self.completeness |= 8
        else:
            self.heard[me] = True
            self.history += _ACKS[me]
            self.completeness |= 4
        # The first of them all is the ACK of the SYN,ACK.
        self.final_ack_at = self.final_ack_at or at

    def _special(
        self,
        me: int,
        seq: int,
        gain: int,
        flags: int,
        length: int,
        at: int,
        silence: int,
        *,
        whole: bool,
    ) -> bool:
        """Take in a FIN, a RST, what follows a FIN, or what was sent once more."""
        you, fin = 1 - me, flags & FIN_BIT
        due = (self.nxt[you] - self.acked[me]) & MASK
        if self.reset_by is not None:
            return False
        if flags & RST_BIT:
            return self._reset(me, seq, flags, length, at)
        payload = length - (32 if self.start.timed else 20)
        if seq != self.nxt[me]:
            return not (fin or gain) and self._sent_again(me, seq, payload, silence)
        # An end that has the peer's FIN and does not say so sent its own before it came.
        if (self.fins[me] and (payload or fin)) or (fin and self.fins[you] and gain != due):
            return False
        if fin:
            self.history += _FINS[me]
            self.completeness |= 16 | (8 if payload else 4)
        elif not payload and not gain:
            return False
        elif not (self.spoke if payload else self.heard)[me]:
            self._write(me, payload, at)
        if payload:
            self.nxt[me] = (seq + payload) & MASK
            self.octets[me] += payload
            self.captures[me] |= _CAPTURED[whole]
        if gain:
            self._acknowledged(me, gain, due)
        if fin:
            self.nxt[me] = (self.nxt[me] + 1) & MASK
            self.fins[me] = True
            self.states[me] = after(self.states[me], Input.CLOSE)
            self.states[you] = after(self.states[you], Input.RECV_FIN)
        self.ending = self.ending or at
        return at - self.ending < _LONG

    def _acknowledged(self, me: int, gain: int, due: int) -> None:
        you = 1 - me
        self.acked[me] = (self.acked[me] + gain) & MASK
        if self.fins[you] and gain == due:
            self.states[you] = after(self.states[you], Input.RECV_ACK_OF_FIN)
            gain -= 1
        # FIN takes a number, and is no payload that could be missing.
        if self.captures[you] & _CUT and gain:
            self.gaps[you] += 1
            if self.gaps[you] in _AGAIN_AT:
                self.history += _GAPS[you]

    def _reset(self, me: int, seq: int, flags: int, length: int, at: int) -> bool:
        """Take in the RST of an end that has sent something, and no FIN."""
        silent = me == 1 and not self.octets[me]
        if (
            seq != self.nxt[me]
            or flags != RST_BIT | ACK_BIT
            or self.ending
            or length != 20
            or silent
        ):
            return False
        self.reset_by, self.ending = me, at
        self.states = [State.CLOSED, State.CLOSED]
        self.completeness |= 32 | 4
        self.history += _RSTS[me]
        return True

    def _sent_again(self, me: int, seq: int, payload: int, silence: int) -> bool:
        """Take in a segment with an old number: the last data of its sender once more.

        It was not acknowledged, or it would be no answer to a loss; and what comes sooner
        than any timer may be a copy. A single octet is a keep-alive.
        """
        known = payload > 1 and (seq + payload) & MASK == self.nxt[me]
        if not known or self.ending or silence < _SOONEST or (seq - self.acked[1 - me]) & _SIGN:
            return False
        self.again[me] += 1
        if self.again[me] == 1:
            self.history += _REPEATED[me]
        # More of them may be worth a word, or another letter.
        return self.again[me] <= _FEW_TIMES


def _history_of_cut(layout: FrameLayout, records: bytes | bytearray, caller: bytes) -> str:
    """Return the history where some payloads are whole and others cut: Zeek counts the holes."""
    zeek = Zeek(int.from_bytes(caller[-4:-2], "big"), int.from_bytes(caller[-2:], "big"))
    for fields in layout.fields.iter_unpack(records):
        at, _, _, packed, total, _, ends, seq, ack, bits, window, _, _ = fields
        length, header = total - layout.counted, bits >> 10 & 60
        captured = min(length, (packed >> 2) - layout.tcp) - header
        # fmt: off
        zeek.feed(int(ends != caller), at, bits & 0x1FF, seq, ack, window, length - header,
                  max(captured, 0), layout.tcp - layout.ip + length)
        # fmt: on
    return "" if zeek.main is None else zeek.main.history.text
