"""Sums up a connection in which all went well, from the plain fields of its frames.

A clean open, data in order that was acknowledged, and a close by two FINs or one RST, or none
yet. Whatever else happens makes it no ordinary connection: `gist` returns None, and the
tracker has to look at each segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.survey.kept import HEAD
from handshake.tcp import Flags, State
from handshake.tcp.state import Input, after
from handshake.tracker.zeek import Zeek

if TYPE_CHECKING:
    from handshake.survey.kept import Kind
    from handshake.survey.start import Start

_M: Final = 0xFFFF_FFFF
_SIGN: Final = 0x8000_0000
_FIN, _RST, _PSH, _ACK = (int(flag) for flag in (Flags.FIN, Flags.RST, Flags.PSH, Flags.ACK))
_EXACT: Final = 0xFFF
"""Control bits and reserved bits: what is left of the field is the data offset."""

_OFFSET: Final = 0xF000
_BARE, _TIMED = 5 << 12, 8 << 12
"""Data offsets of a segment without options, and with timestamps only."""

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
_ACK_SEEN, _DATA_SEEN = (1, 2), (4, 8)
_ACKS, _DATA, _FINS, _RSTS, _GAPS, _REPEATED = "Aa", "Dd", "Ff", "Rr", "Gg", "Tt"
"""Zeek's letters, the caller's first."""


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


def gist(kind: Kind, records: bytes | bytearray, start: Start) -> Gist | None:
    """Return what the connection comes to that opened so; None where it is no ordinary one."""
    # Long, for a call for each segment would cost as much as all that is done here.
    size, tcp, counted = kind.record.size, kind.tcp, kind.counted
    into, kept = HEAD + kind.addresses, kind.octets
    caller, timed, ttls = start.caller, start.timed, start.ttls
    offset = _TIMED if timed else _BARE
    clocks, nxt = list(start.clocks), [(iss + 1) & _M for iss in start.iss]
    # What each end acknowledged, and up to where its own payload was acknowledged.
    acked, freed = [start.iss[1], nxt[0]], list(nxt)
    segments, octets, gaps, captures = list(start.segments), [0, 0], [0, 0], [0, 0]
    again, data = [0, 0], [(0, 0, 0), (0, 0, 0)]
    fins, states = [False, False], [State.ESTABLISHED, State.ESTABLISHED]
    history, written, completeness = start.model.history, 0, 3
    reset_by: int | None = None
    last, final_ack_at, frame, fin_at = start.answered, 0, 0, 0
    base = (start.syns - 1) * size
    for fields in kind.fields.iter_unpack(memoryview(records)[base + size :]):
        # fmt: off
        at, frame, _, packed, total, ttl, ends, seq, ack, bits, window, option, clock = fields
        # fmt: on
        base += size
        me = ends != caller
        you = not me
        length = total - counted
        end = tcp + length
        captured = packed >> 2
        gain, due = (ack - acked[me]) & _M, (nxt[you] - acked[me]) & _M
        payload = length - (bits >> 10 & 60)
        old = seq != nxt[me]
        if (
            (old and (fins[me] or gain or _other(data[me], seq, payload, at, freed[me])))
            or gain > due
            or ttl != ttls[me]
            or not 0 <= at - last < _LONG
            or reset_by is not None
            or packed & 2
        ):
            return None
        if end <= captured <= kept:
            summed = records[base + into : base + HEAD + end]
            if length & 1:
                summed += b"\0"
            if (int.from_bytes(summed, "big") + length + 6) % 0xFFFF:
                return None
        last = at
        segments[me] += 1
        flags = bits & _EXACT
        if flags & _RST:
            if old or flags != _RST | _ACK or payload or fin_at or (me and not octets[me]):
                return None
            reset_by = int(me)
            states = [State.CLOSED, State.CLOSED]
            completeness |= 36
            history += _RSTS[me]
            continue
        fin = flags & _FIN
        if (
            flags & ~(_PSH | _FIN) != _ACK
            or bits & _OFFSET != offset
            or not window
            or (fins[me] and (payload or fin))
            or (timed and (option != _TIMESTAMPS or (clock - clocks[me]) & _SIGN))
        ):
            return None
        clocks[me] = clock
        if old:
            again[me] += 1
            # More of them may be worth a word, or another letter.
            if fin or again[me] > _FEW_TIMES:
                return None
            if again[me] == 1:
                history += _REPEATED[me]
            continue
        if fin:
            # An end that has the peer's FIN and does not say so sent its own before it came.
            if fins[you] and gain != due:
                return None
            history += _FINS[me]
            completeness |= 16
        if payload:
            octets[me] += payload
            completeness |= 8
            nxt[me] = (seq + payload) & _M
            data[me] = seq, payload, at
            captures[me] |= _WHOLE if captured >= end else _CUT
            if not fin and not written & _DATA_SEEN[me]:
                written |= _DATA_SEEN[me]
                history += _DATA[me]
        else:
            completeness |= 4
            if not fin:
                if not gain:
                    return None
                data[me] = 0, 0, 0
                if not written & _ACK_SEEN[me]:
                    written |= _ACK_SEEN[me]
                    history += _ACKS[me]
        if not final_ack_at:
            final_ack_at = at
        if gain:
            acked[me] = ack
            reach = ack
            if fins[you] and gain == due:
                states[you] = after(states[you], Input.RECV_ACK_OF_FIN)
                reach -= 1
            if captures[you] & _CUT and reach & _M != freed[you]:
                gaps[you] += 1
                if gaps[you] in _AGAIN_AT:
                    history += _GAPS[you]
            freed[you] = reach & _M
        if fin:
            fins[me] = True
            fin_at = fin_at or at
            nxt[me] = (nxt[me] + 1) & _M
            states[me] = after(states[me], Input.CLOSE)
            states[you] = after(states[you], Input.RECV_FIN)
        if (nxt[me] - acked[you]) & _M > _MOST_UNHEARD or (fin_at and at - fin_at >= _LONG):
            return None
    if _MIXED in captures:
        history = _zeek(kind, records, caller)
    # fmt: off
    return Gist(final_ack_at, last, frame, segments, octets, fins, states, reset_by,
                completeness, history, again)
    # fmt: on


def _other(last: tuple[int, int, int], seq: int, payload: int, at: int, acked: int) -> bool:
    """Whether a segment with an old number is other than its sender's last one sent once more."""
    known, length, sent_at = last
    # It was not acknowledged yet, or it is no answer to a loss; and what comes sooner than any
    # timer is a copy.
    lost = seq == known and payload == length > 0 and not (known - acked) & _SIGN
    return not lost or at - sent_at < _SOONEST


def _zeek(kind: Kind, records: bytes | bytearray, caller: bytes) -> str:
    """Return the history where some payloads are whole and others cut: Zeek counts the holes."""
    zeek = Zeek(int.from_bytes(caller[-4:-2], "big"), int.from_bytes(caller[-2:], "big"))
    for fields in kind.fields.iter_unpack(records):
        at, _, _, packed, total, _, ends, seq, ack, bits, window, _, _ = fields
        length, header = total - kind.counted, bits >> 10 & 60
        captured = min(length, (packed >> 2) - kind.tcp) - header
        # fmt: off
        zeek.feed(int(ends != caller), at, bits & 0x1FF, seq, ack, window, length - header,
                  max(captured, 0), kind.tcp - kind.ip + length)
        # fmt: on
    return "" if zeek.main is None else zeek.main.history.text
