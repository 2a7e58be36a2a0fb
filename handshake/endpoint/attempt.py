"""The client of one connection: active OPEN, data, close, and the verdict.

Its rules are those of the control block, which the tracker uses, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.endpoint.client import Client
from handshake.endpoint.data_phase import DataTransfer
from handshake.endpoint.options import CloseMode
from handshake.endpoint.outcome import (
    Close,
    DataExchange,
    Verdict,
    verdict_of_reset,
    verdict_of_silence,
)
from handshake.endpoint.rejection import Rejections, dropped
from handshake.tcp import ControlBlock, Flags, Segment, Seq, State
from handshake.units import NS_PER_MS

if TYPE_CHECKING:
    from handshake.endpoint.ack_monitor import AckStatus
    from handshake.endpoint.sender import Segments
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError

_FIN_ACK: Final = Flags.FIN | Flags.ACK

AGAIN_AT_ONCE: Final = 8 * NS_PER_MS
"""How soon a SYN is sent again after a wrong ACK: TCP_TIMEOUT_MIN of Linux, two ticks of 250 Hz."""

_NOTHING_TO_ABORT: Final = (State.CLOSED, State.LISTEN, State.SYN_SENT, State.TIME_WAIT)
"""The states in which the peer has no connection with us that a RST could abort."""


@dataclass
class Attempt(Client):
    """One connection, from our SYN to the last FIN or to a timeout."""

    transfer: DataTransfer = field(init=False)
    """Data sent and received, and the observation of our ACK."""

    _reset_late: bool = field(init=False, default=False)
    """Whether a SYN-ACK that came after the RST was answered."""

    _acknowledged: Observed | None = field(init=False, default=None)
    """The first ACK of our SYN that came without a SYN."""

    _two_syns: bool = field(init=False, default=False)
    """Whether the peer sent a SYN that is no answer to ours."""

    _split: bool = field(init=False, default=False)
    """Whether its ACK of our SYN came apart from its SYN."""

    _rejections: Rejections = field(init=False)
    _advance_at: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.transfer = DataTransfer(self.iss, self.timeouts, self.options)
        self._rejections = Rejections(self.iss, self.notes)

    @property
    def ack_status(self) -> AckStatus:
        """What is known about whether the server accepted our ACK."""
        return self.transfer.ack_status

    @property
    def data(self) -> DataExchange | None:
        """The data exchanged, if any."""
        return self.transfer.exchanged(self.block)

    @property
    def deadline(self) -> int:
        """When `on_timer` is due."""
        soonest = super().deadline
        return soonest if self._advance_at is None else min(soonest, self._advance_at)

    @property
    def uneventful(self) -> bool:
        """Whether nothing was retransmitted, rejected or noted.

        What was sent then depends only on the relative sequence numbers of what was received,
        and not on time.
        """
        noted = self.notes or self._two_syns
        return self.syn_sent == 1 and not noted and not self._rejections

    # Input.

    def receive(self, observed: Observed, at: int) -> Segments:
        """Process a received segment; return the segments to send."""
        seg = observed.segment
        if self.done:
            return self._receive_late(observed, at)
        if dropped(observed, self.options.md5, self.notes):
            return ()
        if not self.block.acceptable(seg):
            return self._reject(observed, at)
        before, self._sender.block = self.block, self.block.received(seg)
        # In a simultaneous open the peer's SYN left before ours arrived: it is no answer.
        if self.answer is None and seg.ack is not None:
            self.answer = self._acknowledged or observed
            self._icmp_errors.answered()
            if self.syn_sent > 1:
                self.notes.add("syn-retransmitted", count=self.syn_sent)
        if seg.rst:
            return self._reset(before, seg)
        if self.block.state is State.SYN_RECEIVED:
            # Who has acknowledged our SYN sent no SYN that crossed it.
            self._two_syns, self._split = True, self._acknowledged is not None
            self._sender.timer.start(at)
            return self._sender.send(Flags.SYN | Flags.ACK, at, seq=self.iss)
        if not before.state.synchronized:
            return self._established(before, observed, at)
        self._confirm(seg)
        return self._after(before, seg, at) if self.options.answer else ()

    def _receive_late(self, observed: Observed, at: int) -> Segments:
        """Reset a connection that the peer opens after a RST in its name (section 3.10.7.1)."""
        seg = observed.segment
        late = self.verdict is Verdict.CLOSED and seg.syn and not seg.rst and not self._reset_late
        silent = not self.options.answer or self.options.closing is CloseMode.NONE
        if not late or silent or seg.ack != self.iss + 1 or observed.checksum_ok is False:
            return ()
        self._reset_late = True
        return self._sender.send(Flags.RST, at, seq=seg.ack)

    def icmp(self, error: IcmpError, at: int | None = None) -> Segments:
        """Process an ICMP error, by default when it arrived; return the segments to send.

        It ends the attempt only if it quotes our unanswered SYN. One that says that our data was
        too big for a link has it sent again in smaller segments (RFC 1191, RFC 8201).
        """
        if self.done:
            return ()
        smaller = error.too_big and self.block.state.synchronized and self._in_flight(error.seq)
        if smaller and self._sender.shrink(error.mtu):
            self.notes.add("smaller-segments", sender=error.sender, error=error, mtu=error.mtu)
            self.transfer.send_buffer.rewind(self.block)
            return self._sender.data(self.transfer.send_buffer, error.at if at is None else at)
        ends = self._icmp_errors.receive(
            error,
            ours=error.seq == self.iss or self._in_flight(error.seq),
            waiting=self.block.state is State.SYN_SENT,
            last=self._sender.timer.at is None,
        )
        if ends:
            self._end(Verdict.UNREACHABLE)
        return ()

    def _in_flight(self, seq: Seq) -> bool:
        """Whether this sequence number is sent and not yet acknowledged."""
        una, nxt = self.block.snd.una, self.block.snd.nxt
        return una is not None and nxt is not None and una <= seq < nxt

    def on_timer(self, at: int) -> Segments:
        """Process expired timers; return the segments to send."""
        if self.done:
            return ()
        if self._advance_at is not None and at >= self._advance_at:
            return self._advance(at)
        if at >= self._give_up_at:
            return self._give_up(at)
        if self._sender.timer.at is not None and at >= self._sender.timer.at:
            return self._sender.retransmit(self.transfer.send_buffer, at)
        return ()

    def postpone(self, late: int) -> None:
        """Let all timers run later: what was to leave at once left so many nanoseconds late."""
        super().postpone(late)
        self.transfer.postpone(late)
        if self._advance_at is not None:
            self._advance_at += late

    def abort(self, at: int) -> Segments:
        """End at once; return the RSTs that abort the connection, if the peer may have one."""
        if (
            self.done
            or self.block.state in _NOTHING_TO_ABORT
            or self.options.closing is CloseMode.NONE
        ):
            return ()
        return self._abort(self.verdict or Verdict.HALF_OPEN, at)

    @property
    def _opening(self) -> bool:
        # In SYN-SENT, what this machine did not send may be our RST to a wrong ACK, not our SYN.
        return self.block.state is State.SYN_SENT and not self._rejections

    # Reactions.

    def _established(self, before: ControlBlock, observed: Observed, at: int) -> Segments:
        seg = observed.segment
        self.verdict = Verdict.OPEN
        self._sender.timer.stop()
        self.transfer.begin(at, self.block, observed.at)
        if not self.options.answer:
            self._give_up_at = self.transfer.until(self.block)
            return ()
        # In a simultaneous open the last segment acknowledges our SYN-ACK (figure 7): it gets an
        # ACK only if it carries data or a FIN.
        self.transfer.confirmed = before.state is State.SYN_RECEIVED
        self._split = self._split or (self._two_syns and not seg.syn)
        self._note_two_syns()
        last = self.transfer.confirmed and seg.length == seg.syn
        answer = () if last else self._sender.send(Flags.ACK, at)
        return answer + self._advance(at)

    def _after(self, before: ControlBlock, seg: Segment, at: int) -> Segments:
        """Acknowledge data, SYN and FIN; then continue with the data transfer or the close."""
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
                # No 2 MSL wait: this socket pair is not used again.
                self.close = Close.CLEAN
                self._end(Verdict.OPEN)
        return answer

    def _advance(self, at: int) -> Segments:
        """Send data that is due; close when all is acknowledged and the observation is over."""
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
            self.notes.add("data-lost", count=rest)
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
        """End with a RST, so that the peer can free the connection (section 3.10.5)."""
        self._end(verdict)
        # A RST is valid only at the peer's RCV.NXT (RFC 5961 section 3.2): SND.UNA if what we sent
        # was lost, SND.NXT if it arrived.
        candidates = dict.fromkeys((self.block.snd.una, self.block.snd.nxt))
        return tuple(
            each for seq in candidates for each in self._sender.send(Flags.RST, at, seq=seq)
        )

    def _confirm(self, seg: Segment) -> None:
        """Record what a segment proves: that our ACK was accepted, that data was exchanged."""
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
        if seg.ack is None and not self.transfer.confirmed:
            # As it answers a segment without a connection (section 3.10.7.1).
            self.transfer.late = self.transfer.monitor.late
        if self.transfer.late is not None:
            self._end(Verdict.OPEN)
            return ()
        # A RST before any data, or before any sign that our ACK was accepted: no application used
        # the connection. An ACK of our FIN proves nothing: the peer's TCP sends it by itself.
        self._end(verdict_of_reset(used=self.transfer.confirmed and self.transfer.used))
        return ()

    def _reject(self, observed: Observed, at: int) -> Segments:
        """Answer a segment that is not acceptable."""
        seg = observed.segment
        repeated = self._repeats_syn_ack(seg)
        late = repeated and self.transfer.monitor.repeated(at, observed.at)
        if not self.options.answer and self.block.state.synchronized:
            return ()
        if repeated:
            self.notes.add("syn-ack-again", soon=not late, syns=self.syn_sent > 1)
            if self.transfer.in_vain and at >= self.transfer.until(self.block):
                return self._abort(Verdict.HALF_OPEN, at)
        answer = self._rejections.answer(self.block, seg, at)
        waits = self.block.state is State.SYN_SENT and not (seg.syn or seg.rst)
        if waits and seg.ack is not None and self.block.acknowledges_new(seg):
            self._acknowledged = self._acknowledged or observed
        wrong = self.block.state is State.SYN_SENT and seg.ack is not None and not seg.rst
        if wrong and self.syn_sent == 1 and not self.block.acknowledges_new(seg):
            # Our RST frees what the peer remembers, or a firewall drops it: as Linux, try again.
            self._sender.timer.hasten(at + AGAIN_AT_ONCE)
        if answer is None:
            return ()
        return self._sender.send(answer.flags, at, seq=answer.seq)

    def _repeats_syn_ack(self, seg: Segment) -> bool:
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
        fin_acknowledged = self._fin_acknowledged
        if not fin_acknowledged:
            self.notes.add("no-answer-to-fin")
        verdict, self.close = verdict_of_silence(
            fin_acknowledged=fin_acknowledged, confirmed=self.transfer.confirmed
        )
        if verdict is Verdict.HALF_OPEN:
            return self._abort(verdict, at)
        self._end(verdict)
        return ()

    @property
    def _fin_acknowledged(self) -> bool:
        fin, una = self.block.fin, self.block.snd.una
        return fin is not None and una is not None and fin < una

    def _note_two_syns(self) -> None:
        if self._split:
            self.notes.add("split-handshake", first=self._acknowledged is not None)
        elif self._two_syns:
            self.notes.add("simultaneous-open")

    def _end(self, verdict: Verdict) -> None:
        self._note_two_syns()
        super()._end(verdict)
