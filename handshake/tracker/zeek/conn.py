"""One row of Zeek's conn.log in the making: originator, responder, and Zeek's timeouts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handshake.events import Role
from handshake.events.run import PAUSE, First, Gain
from handshake.tracker.zeek.endpoint import (
    CLOSED,
    ESTABLISHED,
    INACTIVE,
    PARTIAL,
    RESET,
    SYN_ACK_SENT,
    SYN_SENT,
    Side,
)
from handshake.tracker.zeek.history import ACK as ACK_SEEN
from handshake.tracker.zeek.history import DATA as DATA_SEEN
from handshake.tracker.zeek.history import History
from handshake.tracker.zeek.timeouts import SILENCE, sent_by_server, timeout
from handshake.units import ACK_BIT, FIN_BIT, NS_PER_SECOND, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from handshake.events.run import Copies, Piece, Run, RunStart

ATTEMPT: Final = 5 * NS_PER_SECOND
"""How long Zeek waits for an answer to a SYN (`tcp_attempt_delay`)."""

CLOSE: Final = 5 * NS_PER_SECOND
"""How long a closed connection still takes segments (`tcp_close_delay`)."""

_MAX_INITIAL: Final = 16384
"""Octets without an ACK after which Zeek assumes that ACKs take another path."""

_GUESSED: Final = 2
"""The first numbers of a stream from the middle, which may be a guess."""

_CONTROL: Final = SYN_BIT | FIN_BIT | RST_BIT
_UNSIGNED: Final = 2**64 - 1


@dataclass(init=False, eq=False, slots=True)
class Conn:
    """Zeek's state of a connection, from its first segment until Zeek removes it."""

    start: int
    """When its first segment was seen, in nanoseconds."""

    last: int
    """When its last segment before both sides had closed was seen."""

    history: History
    missed: int
    """How many acknowledged octets the capture lacks."""

    opened: bool
    """Whether its first segment was a SYN."""

    from_the_middle: bool
    """Whether its handshake was not captured, so that its initial numbers are guesses."""

    timeout: int
    """Its inactivity timeout in nanoseconds."""

    orig: Side
    resp: Side
    _ends: tuple[Side, Side]
    _end_waits: bool
    _removal: int | None

    def __init__(self, at: int, ports: tuple[int, int], by: int, flags: int) -> None:
        """Begin with a segment that the first or the second of two `ports` (0, 1) sent."""
        self.start = self.last = at
        self.history = History()
        self.missed = 0
        self.from_the_middle = self._end_waits = False
        self.timeout = SILENCE
        self._removal = None
        self._ends = (Side(ports[0], originator=not by), Side(ports[1], originator=bool(by)))
        self.orig, self.resp = self._ends[by], self._ends[not by]
        self.opened = flags & (SYN_BIT | ACK_BIT) == SYN_BIT
        if not self.opened and sent_by_server(self.orig.port, self.resp.port, flags):
            self.flip()

    @property
    def originator(self) -> int:
        """Which of the two ports is the originator's: 0 or 1."""
        return int(self._ends[1].originator)

    @property
    def answered(self) -> bool:
        """Whether both sides have sent something."""
        return bool(self.orig.packets and self.resp.packets)

    def over(self, at: int) -> bool:
        """Whether Zeek has removed it by then, so that a segment begins another connection."""
        if self._removal is not None and at >= self._removal:
            return True
        orig, resp = self.orig, self.resp
        if resp.state is INACTIVE and orig.state in (SYN_SENT, SYN_ACK_SENT):
            return at >= self.start + ATTEMPT
        ending = (orig.closed or resp.closed) and RESET in (orig.state, resp.state)
        return at >= self.last + (CLOSE if ending else self.timeout)

    def reused_by(self, flags: int, seq: int) -> bool:
        """Whether this SYN or SYN-ACK begins another connection of the same two ports."""
        orig, resp = self.orig, self.resp
        opener = orig
        if flags & ACK_BIT:
            if orig.state is not INACTIVE:
                return False
            opener = resp
        if orig.closed or resp.closed:
            return True
        # With two capture points read in turn, a SYN may follow its SYN-ACK.
        late = not flags & ACK_BIT and orig.state is SYN_ACK_SENT and resp.state is INACTIVE
        return seq != opener.iss and not (late and seq == resp.iss)

    def feed(
        self,
        by: int,
        at: int,
        flags: int,
        seq: int,
        ack: int,
        window: int,
        length: int,
        captured: int,
        octets: int,
    ) -> None:
        """Take the next segment, sent by the first or the second port (0, 1).

        Of the payload's `length` octets, `captured` are there; `octets` is the IP packet's length.
        """
        if self.history.text == "H" and not flags & _CONTROL and (length or flags & ACK_BIT):
            self._recognize_answer()
        side = self._ends[by]
        peer = self._ends[not by]
        history = self.history
        if not side.packets and (side.originator or not self.from_the_middle):
            self.from_the_middle = not flags & SYN_BIT or bool(side.originator and flags & ACK_BIT)
        side.packets += 1
        side.octets += octets
        control = flags & _CONTROL
        numbers = length
        if control:
            numbers = (
                (0 if flags & RST_BIT else length) + bool(flags & SYN_BIT) + bool(flags & FIN_BIT)
            )
        if control or side.state is INACTIVE:
            side.begin(flags, seq, seq + numbers)
        place = side.place(seq, side.last)
        if control:
            history.control(side, flags, place, length)
        elif length:
            history.once(side, DATA_SEEN, "D")
        elif flags & ACK_BIT:
            history.once(side, ACK_SEEN, "A")
        if not (window or flags & RST_BIT or peer.state is CLOSED or side.state is RESET):
            side.windows_closed += 1
            history.often(side, "W", side.windows_closed)
        if not (side.closed and peer.closed):
            self.last = at
        if flags & FIN_BIT:
            side.fins += 1
            # Zeek's counters are unsigned: a number before the first is far behind the last.
            side.fin_end = (place + numbers) & _UNSIGNED
        acked = self._acked(peer, flags, ack) if flags & ACK_BIT else 0
        if side.sent(flags, seq + numbers, length):
            side.repeated += 1
            history.often(side, "T", side.repeated)
        closes = (control or side.state is INACTIVE) and self._advance(side, peer, flags, length)
        if acked > peer.stream.freed:
            self._find_holes(peer, side, acked)
        # Zeek cannot deliver a payload that the snap length cut.
        if length and captured >= length and place >= 0 and not flags & RST_BIT:
            self._take(side, place + bool(flags & SYN_BIT), length)
        if side.fins or side.state is RESET:
            self._check_end(side, peer)
        if closes:
            self._close(side, peer)

    def settled(self, start: RunStart) -> bool:
        """Whether a run may begin: `start` learns what may be in it."""
        one, two = self._ends
        # Segments that Zeek ignores may have followed its last one.
        if self.over(start.at + PAUSE) or self._removal is not None or self.history.text == "H":
            return False
        for mine, peer, sent, answer in (
            (one, two, start.client, start.server),
            (two, one, start.server, start.client),
        ):
            if not mine.settled(sent.nxt, answer.ack):
                return False
            sent.data = sent.data and bool(mine.seen & DATA_SEEN)
            sent.acks = sent.acks and bool(mine.seen & ACK_SEEN)
            sent.acknowledged = not mine.unacknowledged
            stream, acked = mine.stream, mine.acked - mine.iss
            sent.whole = stream.delivered == mine.last - mine.iss
            guessed = self.from_the_middle and acked <= _GUESSED
            sent.cut = stream.delivered == stream.freed == acked and not guessed
            sent.clean, sent.gaps_before = mine.clean and peer.clean, mine.gaps
            start.missing |= bool(stream.above) or stream.given_up or not (sent.whole or sent.cut)
        return True

    def may_skip(self, run: Run, copies: Copies, start: RunStart) -> bool:
        """Whether a run has nothing beyond what `start` allows, and no copy of it gets a letter."""
        if run.pieces is not None or start.missing:
            return False
        for mine, sent, answer, allowed, again in (
            (self._ends[0], run.client, run.server, start.client, copies.client),
            (self._ends[1], run.server, run.client, start.server, copies.server),
        ):
            if (sent.carrying or answer.gained) and not (allowed.whole and sent.whole):
                return False
            if sent.carrying and not (allowed.data and allowed.acknowledged):
                return False
            if sent.segments > sent.carrying and not allowed.acks:
                return False
            if not (again.alike and History.is_silent(mine.repeated, again.carrying)):
                return False
        return True

    def skip(self, run: Run) -> None:
        """Take a run into account."""
        one, two = self._ends
        copies = run.copies
        self.last = run.at if copies is None else copies.packets[-1].at
        for side, again in () if copies is None else ((one, copies.client), (two, copies.server)):
            side.packets += again.count
            side.octets += again.octets
            side.repeated += again.carrying
        if run.pieces is not None:
            self._take_pieces(run, run.pieces)
            return
        # An ACK of data that the snap length cut shows a hole.
        self.missed += one.skip(run.client, run.server) + two.skip(run.server, run.client)
        for role in run.letters:
            self.history.write(self._ends[role is Role.SERVER], "G")

    def _take_pieces(self, run: Run, pieces: list[Piece]) -> None:
        """Take data and acknowledgments of a run into account, as `feed` does."""
        ends = self._ends
        for side, sent in zip(ends, (run.client, run.server), strict=True):
            side.packets += sent.segments
            side.octets += sent.octets
        for piece in pieces:
            index = piece.by is Role.SERVER
            side, peer = ends[index], ends[not index]
            if isinstance(piece, First):
                kind, letter = (DATA_SEEN, "D") if piece.data else (ACK_SEEN, "A")
                self.history.once(side, kind, letter)
                continue
            if isinstance(piece, Gain):
                acked = self._acked(peer, ACK_BIT, piece.ack)
                if acked > peer.stream.freed:
                    self._find_holes(peer, side, acked)
                continue
            place, length = side.place(piece.seq, side.last), piece.length
            side.sent(ACK_BIT, piece.seq + length, length)
            if length and piece.whole and place >= 0:
                self._take(side, place, length)

    # The states of Zeek's TCP analyzer.

    def _advance(self, side: Side, peer: Side, flags: int, length: int) -> bool:
        """Change the state of the sender, `side`; return whether this segment is its end."""
        state = side.state
        if state is RESET:
            return False
        if state is CLOSED:
            # After both FINs a RST changes nothing any more.
            if not flags & RST_BIT or peer.state is CLOSED:
                return False
            side.become(RESET)
            return not side.closed
        if state is INACTIVE:
            self._appear(side, peer, flags, length)
        elif state is PARTIAL and flags & (SYN_BIT | ACK_BIT) == SYN_BIT and peer.state is INACTIVE:
            side.become(SYN_SENT)
        running = state in (ESTABLISHED, PARTIAL)
        if flags & FIN_BIT and not (running and flags & RST_BIT):
            side.become(CLOSED)
            if running and peer.state is RESET and peer.before is CLOSED:
                # A FIN, a RST after it, and then the other FIN: a normal close.
                peer.become(CLOSED)
        if flags & RST_BIT:
            side.become(RESET)
        return bool(flags & (FIN_BIT | RST_BIT))

    def _appear(self, side: Side, peer: Side, flags: int, length: int) -> None:
        """Give a side that had sent nothing its first state."""
        if flags & SYN_BIT:
            if side.originator:
                side.become(SYN_ACK_SENT if flags & ACK_BIT else SYN_SENT)
            else:
                self._answer(side, peer, flags)
        elif not flags & (FIN_BIT | RST_BIT):
            if not (side.originator or length) and peer.state is SYN_SENT:
                # Some hosts send an ACK before the SYN-ACK: that proves nothing yet.
                return
            established = flags & ACK_BIT and peer.state is ESTABLISHED
            if established:
                self.from_the_middle = False
            side.become(ESTABLISHED if established else PARTIAL)

    def _answer(self, side: Side, peer: Side, flags: int) -> None:
        """Take the SYN or SYN-ACK of the responder."""
        if not flags & ACK_BIT and peer.state is SYN_ACK_SENT:
            # With two capture points the SYN-ACK came first: now the originator is known.
            self.from_the_middle = False
            self.flip()
            peer.become(ESTABLISHED)
        elif peer.state is SYN_SENT:
            peer.become(ESTABLISHED)
        side.become(ESTABLISHED)
        if peer.state is not PARTIAL:
            seen = self.orig.state is not INACTIVE
            self.timeout = timeout(self.orig.port, self.resp.port, originator_seen=seen)

    # What was acknowledged, and what is missing.

    def _acked(self, peer: Side, flags: int, ack: int) -> int:
        """Return the position in the peer's stream that an ACK names."""
        if peer.state is INACTIVE:
            peer.start_at(ack - 1, ack - 1)
            return 1
        place = peer.place(ack, peer.acked)
        if place >= 0 and not flags & RST_BIT:
            peer.acknowledge(ack)
        return place

    def _find_holes(self, side: Side, peer: Side, acked: int) -> None:
        """Note the octets of `side` that the peer acknowledges and the capture lacks."""
        if side.fins:
            acked = min(acked, side.fin_end - 1)
        if acked <= side.stream.freed:
            return
        holes = side.stream.acknowledge(acked, from_the_middle=self.from_the_middle)
        # Without a SYN, or with a RST, numbers may be wrong: holes prove nothing.
        if holes and side.clean and peer.clean:
            for hole in holes:
                side.gaps += 1
                self.history.often(side, "G", side.gaps)
                self.missed += hole
        self._check_end(side, peer)

    def _take(self, side: Side, seq: int, length: int) -> None:
        stream = side.stream
        acked = side.acked - side.iss
        if stream.given_up or seq + length <= acked:
            return
        known = stream.delivered
        stream.take(max(seq, acked), seq + length)
        if stream.delivered > known and side.unacknowledged and side.size > _MAX_INITIAL:
            stream.free()
        stream.give_up_if_unacknowledged(unacknowledged=side.unacknowledged)

    def _pending(self, side: Side, peer: Side) -> bool:
        """Whether its end must wait: octets are missing, or its peer's are unacknowledged."""
        stream = side.stream
        if stream.given_up:
            return False
        ahead = side.last - side.iss - stream.delivered
        return ahead > 1 or (ahead >= 0 and side.state is not RESET and peer.stream.holds)

    def _check_end(self, side: Side, peer: Side) -> None:
        stream = side.stream
        if stream.ended or not (side.fins or side.state in (CLOSED, RESET)):
            return
        if not self._pending(side, peer):
            stream.ended = True
            if self._end_waits:
                self._close(side, peer)
                self._end_waits = False

    def _close(self, side: Side, peer: Side) -> None:
        self._end_waits = self._pending(side, peer)
        if self._end_waits or side.closed:
            return
        side.closed = True
        if side.state is RESET or peer.closed or peer.state is INACTIVE:
            self._removal = self.last + CLOSE

    def _recognize_answer(self) -> None:
        """Flip a connection that began with a SYN-ACK: an ACK or data follow, so it is no scan."""
        self.flip()
        self.history.text = "^h"
        self.resp.become(ESTABLISHED)
        self.from_the_middle = False

    def flip(self) -> None:
        """Swap originator and responder."""
        orig, resp = self.orig, self.resp
        orig.originator, resp.originator = False, True
        self.orig, self.resp = resp, orig
        self.history.text += "^"
