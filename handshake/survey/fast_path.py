"""Sums up an ordinary connection from the header fields of its packed frames.

Ordinary is: a normal handshake, data in order and acknowledged, and a close by two FINs or one
RST, or none yet. For all others `summarize` returns None, and the tracker takes each segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.packet.packed_frames import HEAD, TIMESTAMPS, WRONG, last_number
from handshake.tcp import State
from handshake.tcp.state import Input, after
from handshake.tracker.zeek import Zeek
from handshake.units import ACK_BIT, FIN_BIT, MASK, PSH_BIT, RST_BIT, TCP

if TYPE_CHECKING:
    from handshake.packet.packed_frames import FrameLayout
    from handshake.survey.handshake_cache import Start

_SIGN: Final = 0x8000_0000
_EXACT: Final = 0xFFF
"""Control bits and reserved bits: what is left of the field is the data offset."""

_LONG: Final = 5_000_000_000
"""Nanoseconds of inactivity from which a rule depends on time (the shortest: Zeek's timeouts)."""

_MOST_UNACKNOWLEDGED: Final = 8 << 20
"""Unacknowledged octets beyond which Zeek gives up on the stream."""

_SOONEST: Final = 200_000_000
"""Nanoseconds before which no retransmission timer expires (Linux TCP_RTO_MIN)."""

_FEW_TIMES: Final = 2

_OVER: Final = frozenset((State.CLOSED, State.TIME_WAIT))
_AGAIN_AT: Final = frozenset(10**power for power in range(12))
_WHOLE, _CUT, _MIXED = 1, 2, 3
_CAPTURED: Final = (_CUT, _WHOLE)
_ACKS, _DATA, _FINS, _RSTS, _GAPS, _REPEATED = "Aa", "Dd", "Ff", "Rr", "Gg", "Tt"
"""Zeek's letters, the client's first."""


def _shape(header: int) -> tuple[int, frozenset[int], frozenset[int]]:
    plain = frozenset((header << 10 | ACK_BIT, header << 10 | ACK_BIT | PSH_BIT))
    return header, plain, plain | {bits | FIN_BIT for bits in plain}


_RESETS: Final = 0xF << 12 | RST_BIT
_RESET: Final = 5 << 12 | RST_BIT
"""Data offset and RST, and what they are in a RST without options."""

_SHAPES: Final = (_shape(20), _shape(32))
"""Header length without and with timestamps, and the control bits without and with FIN."""


class Summary(NamedTuple):
    """The summary of an ordinary connection; lists hold the client's and the server's value."""

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
    """How many segments were retransmitted."""

    @property
    def closed(self) -> bool:
        """Whether both FINs were acknowledged."""
        return all(self.fins) and all(state in _OVER for state in self.states)

    @property
    def over(self) -> bool:
        """Whether the connection has ended."""
        return self.reset_by is not None or self.closed


def summarize(layout: FrameLayout, records: bytes | bytearray, start: Start) -> Summary | None:
    """Return the summary of a connection that opened so; None if it is not ordinary."""
    state, records = _State(start), bytes(records)
    if not state.follow(layout, records) or not state.timed:
        return None
    if _MIXED in state.captures:
        state.history = _history_of_truncated(layout, records, start.client_key)
    return Summary(
        final_ack_at=state.last if state.final_ack_at is None else state.final_ack_at,
        last_at=state.last,
        last_frame=last_number(layout, records),
        segments=state.segments,
        octets=state.octets,
        fins=state.fins,
        states=state.states,
        reset_by=state.reset_by,
        completeness=state.completeness,
        history=state.history,
        again=state.again,
    )


class _State:
    """The state of one connection; lists hold the client's and the server's value."""

    def __init__(self, start: Start) -> None:
        self.start = start
        self.nxt = [(iss + 1) & MASK for iss in start.iss]
        self.acked = [start.iss[1], self.nxt[0]]
        """The last acknowledgment number of each end."""

        self.edges = [self.acked[0], (self.acked[1] + start.window) & MASK]
        """The highest number that each end's window allowed; followed only if none is scaled."""

        self.clocks = list(start.clocks)
        self.segments = list(start.segments)
        self.octets, self.gaps, self.again = [0, 0], [0, 0], [0, 0]
        self.captures = [0, 0]
        """Whether the payloads of each end were captured whole, truncated, or both."""

        self.sent_ack, self.sent_data = [False, False], [False, False]
        """Whether the history has an ACK, and data, of each end."""

        self.fins, self.states = [False, False], [State.ESTABLISHED, State.ESTABLISHED]
        self.ending: int | None = None
        """When the first FIN or a RST was seen."""

        self.reset_by: int | None = None
        self.history, self.completeness = start.model.history, 3
        self.last = start.answered
        self.final_ack_at: int | None = None

    @property
    def timed(self) -> bool:
        """Whether the handshake took any time: else Wireshark waits for a later ACK."""
        if self.start.own:
            return self.start.model.record.handshake.initial_rtt is not None
        return self.final_ack_at != self.start.syn_at

    def follow(self, layout: FrameLayout, records: bytes | bytearray) -> bool:
        """Take all segments after the SYN-ACK; return whether they are ordinary."""
        # One long loop for speed: a function call for each segment would double its cost. For the
        # same reason the usual case is tested before any arithmetic modulo 2**32.
        start, size, tcp, counted = self.start, layout.record.size, layout.tcp, layout.counted
        into, kept, base = HEAD + layout.addresses, layout.octets, (start.syns - 1) * size
        client, timed, ttls, last = start.client_key, start.timed, start.ttls, start.answered
        header, plain, usual = _SHAPES[timed]
        nxt, acked, clocks, octets = self.nxt, self.acked, self.clocks, self.octets
        captures, gaps = self.captures, self.gaps
        sent_ack, sent_data = self.sent_ack, self.sent_data
        edges, limited = self.edges, start.unscaled
        answers = 0
        # fmt: off
        for (at, _, wire, packed, total, ttl, ends, seq, ack, bits, window, option, clock
             ) in layout.fields.iter_unpack(memoryview(records)[base + size :]):
            # fmt: on
            base += size
            me = 0 if ends == client else 1
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
                if (int.from_bytes(summed, "big") + length + TCP) % 0xFFFF:
                    return False
            answers += me
            payload = length - header
            if bits in usual:
                if not window or payload < 0:
                    return False
                if timed:
                    if option != TIMESTAMPS:
                        return False
                    if clock != clocks[me]:
                        if (clock - clocks[me]) & _SIGN:
                            return False
                        clocks[me] = clock
            elif bits & _RESETS != _RESET:
                return False
            if limited:
                if payload > 0 and not (edges[you] - seq - payload + 1) & MASK < _SIGN:
                    return False
                edge = (ack + window) & MASK
                if not (edge - edges[me]) & _SIGN:
                    edges[me] = edge
            gain = 0
            if ack != acked[me]:
                gain = (ack - acked[me]) & MASK
                if gain > (nxt[you] - acked[me]) & MASK:
                    return False
            whole = captured >= end
            if bits not in plain or seq != nxt[me] or self.ending is not None:
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
                if not sent_data[me]:
                    self._write(me, payload, at)
                if (number - acked[you]) & MASK > _MOST_UNACKNOWLEDGED:
                    return False
            elif not gain:
                return False
            elif not sent_ack[me]:
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
        """Write the first data or the first ACK of an end to the history."""
        if payload:
            self.sent_data[me] = True
            self.history += _DATA[me]
            self.completeness |= 8
        else:
            self.sent_ack[me] = True
            self.history += _ACKS[me]
            self.completeness |= 4
        # The first ACK of all is that of the SYN-ACK.
        if self.final_ack_at is None:
            self.final_ack_at = at

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
        """Take a FIN, a RST, a segment after a FIN, or a retransmission."""
        you, fin = 1 - me, flags & FIN_BIT
        due = (self.nxt[you] - self.acked[me]) & MASK
        if self.reset_by is not None:
            return False
        if flags & RST_BIT:
            return self._reset(me, seq, flags, length, at)
        payload = length - (32 if self.start.timed else 20)
        if seq != self.nxt[me]:
            return not (fin or gain) and self._retransmitted(me, seq, payload, silence)
        # An end that does not acknowledge the peer's FIN sent its own before that arrived.
        if (self.fins[me] and (payload or fin)) or (fin and self.fins[you] and gain != due):
            return False
        if fin:
            self.history += _FINS[me]
            self.completeness |= 16 | (8 if payload else 4)
        elif not payload and not gain:
            return False
        elif not (self.sent_data if payload else self.sent_ack)[me]:
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
        if self.ending is None:
            self.ending = at
        return at - self.ending < _LONG

    def _acknowledged(self, me: int, gain: int, due: int) -> None:
        you = 1 - me
        self.acked[me] = (self.acked[me] + gain) & MASK
        if self.fins[you] and gain == due:
            self.states[you] = after(self.states[you], Input.RECV_ACK_OF_FIN)
            gain -= 1
        # A FIN takes a sequence number, but is no payload that could be missing.
        if self.captures[you] & _CUT and gain:
            self.gaps[you] += 1
            if self.gaps[you] in _AGAIN_AT:
                self.history += _GAPS[you]

    def _reset(self, me: int, seq: int, flags: int, length: int, at: int) -> bool:
        """Take the RST of an end that has sent data, and no FIN."""
        silent = me == 1 and not self.octets[me]
        if (
            seq != self.nxt[me]
            or flags != RST_BIT | ACK_BIT
            or self.ending is not None
            or length != 20
            or silent
        ):
            return False
        self.reset_by, self.ending = me, at
        self.states = [State.CLOSED, State.CLOSED]
        self.completeness |= 32 | 4
        self.history += _RSTS[me]
        return True

    def _retransmitted(self, me: int, seq: int, payload: int, silence: int) -> bool:
        """Take a retransmission of the last data of its sender.

        The data must be unacknowledged, else the retransmission is spurious; sooner than any timer
        it may be a copy. A single octet is a keep-alive.
        """
        known = payload > 1 and (seq + payload) & MASK == self.nxt[me]
        if (
            not known
            or self.ending is not None
            or silence < _SOONEST
            or (seq - self.acked[1 - me]) & _SIGN
        ):
            return False
        self.again[me] += 1
        if self.again[me] == 1:
            self.history += _REPEATED[me]
        # More may be a finding, or another letter.
        return self.again[me] <= _FEW_TIMES


def _history_of_truncated(layout: FrameLayout, records: bytes | bytearray, client: bytes) -> str:
    """Return the history if some payloads are truncated and others not: Zeek counts the holes."""
    zeek = Zeek((int.from_bytes(client[-4:-2], "big"), int.from_bytes(client[-2:], "big")))
    for fields in layout.fields.iter_unpack(records):
        at, _, _, packed, total, _, ends, seq, ack, bits, window, _, _ = fields
        length, header = total - layout.counted, bits >> 10 & 60
        captured = min(length, (packed >> 2) - layout.tcp) - header
        # fmt: off
        zeek.feed(int(ends != client), at, bits & 0x1FF, seq, ack, window, length - header,
                  max(captured, 0), layout.tcp - layout.ip + length)
        # fmt: on
    return "" if zeek.main is None else zeek.main.history.text
