"""An attempt: what one end that opens and closes a connection sends, and what it concludes.

Its control block decides, the same that the tracker keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.endpoint.client import Client
from handshake.endpoint.data_phase import DataTransfer
from handshake.endpoint.options import CloseMode
from handshake.endpoint.rejection import Rejections
from handshake.endpoint.validation import dropped
from handshake.endpoint.verdict import Close, Verdict
from handshake.events.base import octets
from handshake.tcp import ControlBlock, Flags, Segment, Seq, State

if TYPE_CHECKING:
    from handshake.endpoint.ack_monitor import AckStatus
    from handshake.endpoint.sender import Segments
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError

_FIN_ACK: Final = Flags.FIN | Flags.ACK

_NOTHING: Final = (State.CLOSED, State.LISTEN, State.SYN_SENT, State.TIME_WAIT)
"""The states in which the peer has not answered us, or waits for nothing more."""


@dataclass
class Attempt(Client):
    """One connection, from our SYN to the last FIN or to the end of our patience."""

    transfer: DataTransfer = field(init=False)
    """What is said, heard and seen while the connection is open."""

    _rejections: Rejections = field(init=False)
    _advance_at: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.transfer = DataTransfer(self.iss, self.timeouts, self.options)
        self._rejections = Rejections(self.iss, self.notes)

    @property
    def ack_status(self) -> AckStatus:
        """What is known of whether the peer took our ACK."""
        return self.transfer.ack_status

    @property
    def deadline(self) -> int:
        """When `on_timer` is due."""
        soonest = super().deadline
        return soonest if self._advance_at is None else min(soonest, self._advance_at)

    @property
    def uneventful(self) -> bool:
        """Whether it heard only what it had to, in time: then it did what any other would do.

        What it sends depends on numbers by their distances alone, and on no data; what was
        refused, repeated or noted, on times as well.
        """
        return self.syn_sent == 1 and not self.notes and not self._rejections

    # What comes in.

    def receive(self, observed: Observed, at: int) -> Segments:
        """Return the answers to a segment that the peer sent us."""
        seg = observed.segment
        if self.done or dropped(observed, self.options.md5, self.notes):
            return ()
        if not self.block.acceptable(seg):
            return self._reject(observed, at)
        before, self._sender.block = self.block, self.block.received(seg)
        # A SYN that crossed ours answers nothing: it left before it could.
        if self.answer is None and seg.ack is not None:
            self.answer = observed
            self._icmp_errors.answered()
            if self.syn_sent > 1:
                self.notes.add(
                    "syn-retransmitted",
                    f"Our SYN was sent {self.syn_sent} times before an answer came that is one.",
                )
        if seg.rst:
            return self._reset(before, seg)
        if self.block.state is State.SYN_RECEIVED:
            self.notes.add("simultaneous-open", "Both ends called at once: its SYN crossed ours.")
            self._sender.timer.start(at)
            return self._sender.send(Flags.SYN | Flags.ACK, at, seq=self.iss)
        if not before.state.synchronized:
            return self._established(before, observed, at)
        self._confirm(seg)
        return self._after(before, seg, at) if self.options.answer else ()

    def icmp(self, error: IcmpError) -> None:
        """Take note of an ICMP error, and believe it where it can only be about our SYN."""
        if self.done:
            return
        ends = self._icmp_errors.receive(
            error,
            ours=error.seq == self.iss or self._under_way(error.seq),
            waiting=self.block.state is State.SYN_SENT,
            last=self._sender.timer.at is None,
        )
        if ends:
            self._end(Verdict.UNREACHABLE)

    def _under_way(self, seq: Seq) -> bool:
        """Whether it is a number of what we sent, and what is not acknowledged."""
        una, nxt = self.block.snd.una, self.block.snd.nxt
        return una is not None and nxt is not None and una <= seq < nxt

    def on_timer(self, at: int) -> Segments:
        """Return what is to be sent now that time has passed."""
        if self.done:
            return ()
        if self._advance_at is not None and at >= self._advance_at:
            return self._advance(at)
        if at >= self._give_up_at:
            return self._give_up(at)
        if self._sender.timer.at is not None and at >= self._sender.timer.at:
            return self._sender.again(self.transfer.send_buffer, at)
        return ()

    def abort(self, at: int) -> Segments:
        """End it at once; return the RSTs that end it for the peer, too, if it may know of it."""
        if self.done or self.block.state in _NOTHING or self.options.closing is CloseMode.NONE:
            return ()
        return self._abort(self.verdict or Verdict.HALF_OPEN, at)

    @property
    def _opening(self) -> bool:
        # In SYN-SENT, what was refused may be the RST to a wrong answer, and not our SYN.
        return self.block.state is State.SYN_SENT and not self._rejections

    # What follows from it.

    def _established(self, before: ControlBlock, observed: Observed, at: int) -> Segments:
        seg = observed.segment
        self.verdict = Verdict.OPEN
        self._sender.timer.stop()
        self.transfer.begin(at, self.block, observed.at)
        if not self.options.answer:
            self._give_up_at = self.transfer.until(self.block)
            return ()
        # In a simultaneous open the last segment is the peer's answer to our SYN,ACK (figure 7):
        # it is acknowledged only where it brings more than that.
        self.transfer.confirmed = before.state is State.SYN_RECEIVED
        last = self.transfer.confirmed and seg.length == seg.syn
        answer = () if last else self._sender.send(Flags.ACK, at)
        return answer + self._advance(at)

    def _after(self, before: ControlBlock, seg: Segment, at: int) -> Segments:
        """Acknowledge what takes numbers, and see how far the talk or the close is."""
        self.transfer.receive_buffer.take(seg)
        if self.block.snd.una != before.snd.una:
            self._sender.timer.start(at)
        answer = self._sender.send(Flags.ACK, at) if seg.length else ()
        match self.block.state:
            case State.ESTABLISHED | State.CLOSE_WAIT:
                return answer + self._advance(at)
            case State.FIN_WAIT_2:
                self._sender.timer.stop()
            case State.TIME_WAIT | State.CLOSED:
                # 2 MSL are not waited for: nothing of ours is to use this pair of ports again.
                self.close = Close.CLEAN
                self._end(Verdict.OPEN)
        return answer

    def _advance(self, at: int) -> Segments:
        """Say what is due, now that the connection is open; close it when all is said and seen."""
        out = self._sender.data(self.transfer.send_buffer, at) if self.transfer.send_buffer else ()
        until = self.transfer.until(self.block)
        if at < until:
            self._advance_at = until
            self._give_up_at = until + self.timeouts.close
            return out
        self._advance_at = None
        if self.transfer.in_vain:
            return self._abort(Verdict.HALF_OPEN, at)
        if rest := self.transfer.send_buffer.rest(self.block):
            self.notes.add(
                "data-lost", f"{octets(rest)} of what we said were not acknowledged in time."
            )
            self.transfer.send_buffer.stop(self.block)
        return out + self._close(at)

    def _close(self, at: int) -> Segments:
        match self.options.closing:
            case CloseMode.RST:
                return self._abort(Verdict.OPEN, at)
            case CloseMode.NONE:
                self._end(Verdict.OPEN)
                return ()
        self._give_up_at = at + self.timeouts.close
        self._sender.timer.start(at)
        return self._sender.send(_FIN_ACK, at)

    def _abort(self, verdict: Verdict, at: int) -> Segments:
        """End it by a RST: the peer need not keep what nobody will use (section 3.10.5)."""
        self._end(verdict)
        # Its number has to be the one that the peer expects next (RFC 5961 section 3.2): the first
        # that it did not acknowledge, if that was lost, or the one after all that we sent.
        expected = dict.fromkeys((self.block.snd.una, self.block.snd.nxt))
        return tuple(each for seq in expected for each in self._sender.send(Flags.RST, at, seq=seq))

    def _confirm(self, seg: Segment) -> None:
        """Take note where a segment shows that the peer took our ACK, or what came after it."""
        if self.transfer.shows(seg, syn_again=self.syn_sent > 1):
            self.transfer.confirmed = True
        if self.transfer.uses(seg):
            self.transfer.used = True

    def _reset(self, before: ControlBlock, seg: Segment) -> Segments:
        if not before.state.synchronized:
            self._end(Verdict.CLOSED)
            return ()
        self.close = Close.RESET
        self._confirm(seg)
        # A RST before a word was said, or before any sign that our ACK was taken: nobody got to
        # use the connection. That it acknowledges our FIN is the work of the peer's TCP alone.
        used = self.transfer.confirmed and self.transfer.used
        self._end(Verdict.OPEN if used else Verdict.RESET)
        return ()

    def _reject(self, observed: Observed, at: int) -> Segments:
        """Answer a segment whose numbers are not acceptable."""
        seg = observed.segment
        again = self._is_syn_ack_again(seg)
        if again:
            self.transfer.monitor.repeated(at, observed.at)
        if not self.options.answer and self.block.state.synchronized:
            return ()
        if again:
            self.notes.add(
                "syn-ack-again", "The SYN+ACK came again: our ACK was late, or was lost."
            )
            if self.transfer.in_vain and at >= self.transfer.until(self.block):
                return self._abort(Verdict.HALF_OPEN, at)
        found = self._rejections.answer(self.block, seg, at)
        if found is None:
            return ()
        return self._sender.send(found.flags, at, seq=found.seq)

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
        if not self.options.answer:
            return self._abort(Verdict.HALF_OPEN, at)
        # Our FIN has told the peer that we are done (section 3.6, case 1): it may stay in
        # CLOSE-WAIT as long as its program likes. No RST from us would make that better.
        if self._fin_acknowledged:
            self.close = Close.PEER_KEPT_OPEN
        else:
            self.notes.add("no-answer-to-fin", "Nothing acknowledged our FIN.")
            if not self.transfer.confirmed:
                return self._abort(Verdict.HALF_OPEN, at)
        self._end(Verdict.OPEN)
        return ()

    @property
    def _fin_acknowledged(self) -> bool:
        fin, una = self.block.fin, self.block.snd.una
        return fin is not None and una is not None and fin < una
