"""An attempt: what one end that opens and closes a connection sends, and what it concludes.

Its control block decides, the same that the tracker keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.endpoint.base import Caller
from handshake.endpoint.data_phase import Talk
from handshake.endpoint.options import Closing
from handshake.endpoint.rejection import Refusals
from handshake.endpoint.validation import dropped
from handshake.endpoint.verdict import Close, Verdict
from handshake.events.base import octets
from handshake.tcp import ControlBlock, Flags, Segment, Seq, State

if TYPE_CHECKING:
    from handshake.endpoint.ack_monitor import Taken
    from handshake.endpoint.sender import Segments
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError

_FIN_ACK: Final = Flags.FIN | Flags.ACK

_NOTHING: Final = (State.CLOSED, State.LISTEN, State.SYN_SENT, State.TIME_WAIT)
"""The states in which the peer has not answered us, or waits for nothing more."""


@dataclass
class Attempt(Caller):
    """One connection, from our SYN to the last FIN or to the end of our patience."""

    talk: Talk = field(init=False)
    """What is said, heard and seen while the connection is open."""

    _refusals: Refusals = field(init=False)
    _go_on_at: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.talk = Talk(self.iss, self.patience, self.manner)
        self._refusals = Refusals(self.iss, self.notes)

    @property
    def taken(self) -> Taken:
        """What is known of whether the peer took our ACK."""
        return self.talk.taken

    @property
    def deadline(self) -> int:
        """When `wake` is due."""
        soonest = super().deadline
        return soonest if self._go_on_at is None else min(soonest, self._go_on_at)

    @property
    def uneventful(self) -> bool:
        """Whether it heard only what it had to, in time: then it did what any other would do.

        What it sends depends on numbers by their distances alone, and on no data; what was
        refused, repeated or noted, on times as well.
        """
        return self.syn_sent == 1 and not self.notes and not self._refusals

    # What comes in.

    def received(self, observed: Observed, at: int) -> Segments:
        """Return the answers to a segment that the peer sent us."""
        seg = observed.segment
        if self.done or dropped(observed, self.manner.md5, self.notes):
            return ()
        if not self.block.acceptable(seg):
            return self._refuse(observed, at)
        before, self._speaker.block = self.block, self.block.received(seg)
        # A SYN that crossed ours answers nothing: it left before it could.
        if self.answer is None and seg.ack is not None:
            self.answer = observed
            self._complaints.answered()
            if self.syn_sent > 1:
                self.notes.add(
                    "syn-retransmitted",
                    f"Our SYN was sent {self.syn_sent} times before an answer came that is one.",
                )
        if seg.rst:
            return self._reset(before, seg)
        if self.block.state is State.SYN_RECEIVED:
            self.notes.add("simultaneous-open", "Both ends called at once: its SYN crossed ours.")
            self._speaker.timer.start(at)
            return self._speaker.say(Flags.SYN | Flags.ACK, at, seq=self.iss)
        if not before.state.synchronized:
            return self._established(before, observed, at)
        self._confirm(seg)
        return self._after(before, seg, at) if self.manner.answer else ()

    def icmp(self, error: IcmpError) -> None:
        """Take note of an ICMP error, and believe it where it can only be about our SYN."""
        if self.done:
            return
        ends = self._complaints.hear(
            error,
            ours=error.seq == self.iss or self._under_way(error.seq),
            waiting=self.block.state is State.SYN_SENT,
            last=self._speaker.timer.at is None,
        )
        if ends:
            self._end(Verdict.UNREACHABLE)

    def _under_way(self, seq: Seq) -> bool:
        """Whether it is a number of what we sent, and what is not acknowledged."""
        una, nxt = self.block.snd.una, self.block.snd.nxt
        return una is not None and nxt is not None and una <= seq < nxt

    def wake(self, at: int) -> Segments:
        """Return what is to be sent now that time has passed."""
        if self.done:
            return ()
        if self._go_on_at is not None and at >= self._go_on_at:
            return self._go_on(at)
        if at >= self._give_up_at:
            return self._give_up(at)
        if self._speaker.timer.at is not None and at >= self._speaker.timer.at:
            return self._speaker.again(self.talk.outbox, at)
        return ()

    def leave(self, at: int) -> Segments:
        """End it at once; return the RSTs that end it for the peer, too, if it may know of it."""
        if self.done or self.block.state in _NOTHING or self.manner.closing is Closing.NONE:
            return ()
        return self._break_off(self.verdict or Verdict.HALF_OPEN, at)

    @property
    def _opening(self) -> bool:
        # In SYN-SENT, what was refused may be the RST to a wrong answer, and not our SYN.
        return self.block.state is State.SYN_SENT and not self._refusals

    # What follows from it.

    def _established(self, before: ControlBlock, observed: Observed, at: int) -> Segments:
        seg = observed.segment
        self.verdict = Verdict.OPEN
        self._speaker.timer.stop()
        self.talk.begin(at, self.block, observed.at)
        if not self.manner.answer:
            self._give_up_at = self.talk.until(self.block)
            return ()
        # In a simultaneous open the last segment is the peer's answer to our SYN,ACK (figure 7):
        # it is acknowledged only where it brings more than that.
        self.talk.confirmed = before.state is State.SYN_RECEIVED
        last = self.talk.confirmed and seg.length == seg.syn
        answer = () if last else self._speaker.say(Flags.ACK, at)
        return answer + self._go_on(at)

    def _after(self, before: ControlBlock, seg: Segment, at: int) -> Segments:
        """Acknowledge what takes numbers, and see how far the talk or the close is."""
        self.talk.inbox.take(seg)
        if self.block.snd.una != before.snd.una:
            self._speaker.timer.start(at)
        answer = self._speaker.say(Flags.ACK, at) if seg.length else ()
        match self.block.state:
            case State.ESTABLISHED | State.CLOSE_WAIT:
                return answer + self._go_on(at)
            case State.FIN_WAIT_2:
                self._speaker.timer.stop()
            case State.TIME_WAIT | State.CLOSED:
                # 2 MSL are not waited for: nothing of ours is to use this pair of ports again.
                self.close = Close.CLEAN
                self._end(Verdict.OPEN)
        return answer

    def _go_on(self, at: int) -> Segments:
        """Say what is due, now that the connection is open; close it when all is said and seen."""
        out = self._speaker.data(self.talk.outbox, at) if self.talk.outbox else ()
        until = self.talk.until(self.block)
        if at < until:
            self._go_on_at = until
            self._give_up_at = until + self.patience.closing
            return out
        self._go_on_at = None
        if self.talk.in_vain:
            return self._break_off(Verdict.HALF_OPEN, at)
        if rest := self.talk.outbox.rest(self.block):
            self.notes.add(
                "data-lost", f"{octets(rest)} of what we said were not acknowledged in time."
            )
            self.talk.outbox.stop(self.block)
        return out + self._hang_up(at)

    def _hang_up(self, at: int) -> Segments:
        match self.manner.closing:
            case Closing.RST:
                return self._break_off(Verdict.OPEN, at)
            case Closing.NONE:
                self._end(Verdict.OPEN)
                return ()
        self._give_up_at = at + self.patience.closing
        self._speaker.timer.start(at)
        return self._speaker.say(_FIN_ACK, at)

    def _break_off(self, verdict: Verdict, at: int) -> Segments:
        """End it by a RST: the peer need not keep what nobody will use (section 3.10.5)."""
        self._end(verdict)
        # Its number has to be the one that the peer expects next (RFC 5961 section 3.2): the first
        # that it did not acknowledge, if that was lost, or the one after all that we sent.
        expected = dict.fromkeys((self.block.snd.una, self.block.snd.nxt))
        return tuple(each for seq in expected for each in self._speaker.say(Flags.RST, at, seq=seq))

    def _confirm(self, seg: Segment) -> None:
        """Take note where a segment shows that the peer took our ACK, or what came after it."""
        if self.talk.shows(seg, syn_again=self.syn_sent > 1):
            self.talk.confirmed = True
        if self.talk.uses(seg):
            self.talk.used = True

    def _reset(self, before: ControlBlock, seg: Segment) -> Segments:
        if not before.state.synchronized:
            self._end(Verdict.CLOSED)
            return ()
        self.close = Close.RESET
        self._confirm(seg)
        # A RST before a word was said, or before any sign that our ACK was taken: nobody got to
        # use the connection. That it acknowledges our FIN is the work of the peer's TCP alone.
        used = self.talk.confirmed and self.talk.used
        self._end(Verdict.OPEN if used else Verdict.RESET)
        return ()

    def _refuse(self, observed: Observed, at: int) -> Segments:
        """Answer a segment whose numbers are not acceptable."""
        seg = observed.segment
        again = self._is_syn_ack_again(seg)
        if again:
            self.talk.watch.repeated(at, observed.at)
        if not self.manner.answer and self.block.state.synchronized:
            return ()
        if again:
            self.notes.add(
                "syn-ack-again", "The SYN+ACK came again: our ACK was late, or was lost."
            )
            if self.talk.in_vain and at >= self.talk.until(self.block):
                return self._break_off(Verdict.HALF_OPEN, at)
        found = self._refusals.answer(self.block, seg, at)
        if found is None:
            return ()
        return self._speaker.say(found.flags, at, seq=found.seq)

    def _is_syn_ack_again(self, seg: Segment) -> bool:
        irs = self.block.rcv.irs
        return seg.syn and not seg.rst and seg.ack is not None and seg.seq == irs

    def _give_up(self, at: int) -> Segments:
        if self.verdict is None:
            if self.error is not None:
                self._end(Verdict.UNREACHABLE)
            elif "wrong-ack" in self.notes:
                self._end(Verdict.BAD_PEER)
            elif self.block.state is State.SYN_RECEIVED:
                self._end(Verdict.HALF_OPEN)
            else:
                self._end(Verdict.FILTERED)
            return ()
        if not self.manner.answer:
            return self._break_off(Verdict.HALF_OPEN, at)
        # Our FIN has told the peer that we are done (section 3.6, case 1): it may stay in
        # CLOSE-WAIT as long as its program likes. No RST from us would make that better.
        if self._fin_acknowledged:
            self.close = Close.PEER_KEPT_OPEN
        else:
            self.notes.add("no-answer-to-fin", "Nothing acknowledged our FIN.")
            if not self.talk.confirmed:
                return self._break_off(Verdict.HALF_OPEN, at)
        self._end(Verdict.OPEN)
        return ()

    @property
    def _fin_acknowledged(self) -> bool:
        fin, una = self.block.fin, self.block.snd.una
        return fin is not None and una is not None and fin < una
