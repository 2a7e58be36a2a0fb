"""An attempt: what one end that opens and closes a connection sends, and what it concludes.

It has no clock, no dice and no socket: what arrives, and the time, are handed in; what to send,
and until when to wait, come out. Its control block decides, the same that the tracker keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.probe import header
from handshake.probe.patience import SECOND, Patience
from handshake.probe.verdict import Close, Notes, Verdict
from handshake.tcp import ControlBlock, Endpoint, Flags, Offer, Segment, Seq, State

if TYPE_CHECKING:
    from handshake.tcp import Observed
    from handshake.wire.icmp import IcmpError

_MILLISECOND: Final = 1_000_000

ANSWER_INTERVAL: Final = SECOND // 2
"""Between two answers to what is not acceptable: two eager programs would never stop (RFC 5961)."""

Segments: TypeAlias = tuple[Segment, ...]


@dataclass
class Attempt:
    """One connection, from our SYN to the last FIN or to the end of our patience.

    `start`, `received`, `icmp` and `wake` return what to send now; call `wake` once the time is
    `deadline`. All times are nanoseconds of one clock. When `done`, `verdict` and `close` stand.
    """

    local: Endpoint
    remote: Endpoint
    iss: Seq
    offer: Offer = header.LINUX
    ticks: int = 0
    """What our timestamps clock shows at time 0, in milliseconds."""

    patience: Patience = field(default_factory=Patience)

    block: ControlBlock = field(init=False)
    """What our socket would know now."""

    verdict: Verdict | None = field(init=False, default=None)
    close: Close | None = field(init=False, default=None)
    done: bool = field(init=False, default=False)
    answer: Observed | None = field(init=False, default=None)
    """The segment that decided what became of our SYN."""

    error: IcmpError | None = field(init=False, default=None)
    """The ICMP error that decided it."""

    failure: str = field(init=False, default="")
    """Why this machine did not send our SYN, in words."""

    syn_sent: int = field(init=False, default=0)
    """How many times our SYN was sent."""

    notes: Notes = field(init=False, default_factory=Notes)
    """What an expert would point at."""

    _confirmed: bool = field(init=False, default=False)
    _give_up_at: int = field(init=False, default=0)
    _again_at: int | None = field(init=False, default=None)
    _close_at: int | None = field(init=False, default=None)
    _rto: int = field(init=False, default=0)
    _retries: int = field(init=False, default=0)
    _answered: dict[Flags, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.block = ControlBlock(local=self.local, remote=self.remote)

    @property
    def deadline(self) -> int:
        """When `wake` is due."""
        times = (self._give_up_at, self._again_at, self._close_at)
        return min(time for time in times if time is not None)

    @property
    def uneventful(self) -> bool:
        """Whether it heard only what it had to, in time: then it did what any other would do.

        What it sends depends on numbers by their distances alone, and on no data; what was
        refused, repeated or noted, on times as well.
        """
        return self.syn_sent == 1 and not self.notes and not self._answered

    # What comes in.

    def start(self, at: int) -> Segments:
        """Call: return the SYN."""
        self._give_up_at = at + self.patience.opening
        self._retries = self.patience.retries
        self._expect_answer(at)
        return self._syn(at)

    def received(self, observed: Observed, at: int) -> Segments:
        """Return the answers to a segment that the peer sent us."""
        seg = observed.segment
        if self.done:
            return ()
        if observed.checksum_ok is False:
            self.notes.add("bad-checksum", f"A segment with a wrong checksum was dropped: {seg}.")
            return ()
        if not self.block.acceptable(seg):
            return self._refuse(seg, at)
        before, self.block = self.block, self.block.received(seg)
        if self.answer is None:
            self.answer = observed
        if seg.rst:
            return self._reset(before, seg)
        if self.block.state is State.SYN_RECEIVED:
            self.notes.add("simultaneous-open", "Both ends called at once: its SYN crossed ours.")
            self._expect_answer(at)
            return self._emit(Flags.SYN | Flags.ACK, at, seq=self.iss)
        if not before.state.synchronized:
            return self._established(before, seg, at)
        self._confirmed = True
        return self._after(seg, at)

    def icmp(self, error: IcmpError) -> None:
        """Take note of an ICMP error, and believe it where it can only be about our SYN."""
        if self.done:
            return
        # Who did not see our SYN cannot quote its number (RFC 5927 section 4.1).
        if error.seq != self.iss:
            self.notes.add(
                "foreign-icmp",
                f"{error.sender} quotes a number that is not ours: {error}. Ignored.",
            )
        elif self.block.state is not State.SYN_SENT or not error.unreachable:
            self.notes.add("icmp", f"{error.sender} says: {error}.")
        else:
            self.error = error
            self._end(Verdict.UNREACHABLE)

    def unsent(self, why: str) -> None:
        """Take note that this machine refused to send a segment."""
        if self.verdict is not None or self.syn_sent > 1 or self.answer is not None:
            self.notes.add("unsent", f"A segment was not sent: {why}.")
            return
        self.failure = why
        self.syn_sent -= 1
        self._end(Verdict.LOCAL_ERROR)

    def wake(self, at: int) -> Segments:
        """Return what is to be sent now that time has passed."""
        if self.done:
            return ()
        if at >= self._give_up_at:
            self._give_up()
        elif self._close_at is not None and at >= self._close_at:
            return self._fin(at)
        elif self._again_at is not None and at >= self._again_at:
            return self._again(at)
        return ()

    # What follows from it.

    def _established(self, before: ControlBlock, seg: Segment, at: int) -> Segments:
        self.verdict = Verdict.OPEN
        self._again_at = None
        self._close_at = at + self.patience.hold
        self._give_up_at = self._close_at + self.patience.closing
        # In a simultaneous open the last segment is the peer's answer to our SYN,ACK (figure 7):
        # it is acknowledged only where it brings more than that.
        self._confirmed = before.state is State.SYN_RECEIVED
        last = self._confirmed and seg.length == seg.syn
        answer = () if last else self._emit(Flags.ACK, at)
        if self.patience.hold == 0 or self.block.state is State.CLOSE_WAIT:
            return answer + self._fin(at)
        return answer

    def _after(self, seg: Segment, at: int) -> Segments:
        """Acknowledge what takes numbers, and see how far the close is."""
        answer = self._emit(Flags.ACK, at) if seg.length else ()
        match self.block.state:
            case State.CLOSE_WAIT:
                return answer + self._fin(at)
            case State.FIN_WAIT_2:
                self._again_at = None
            case State.TIME_WAIT | State.CLOSED:
                # 2 MSL are not waited for: nothing of ours is to use this pair of ports again.
                self.close = Close.CLEAN
                self._end(Verdict.OPEN)
        return answer

    def _reset(self, before: ControlBlock, seg: Segment) -> Segments:
        if not before.state.synchronized:
            self._end(Verdict.CLOSED)
            return ()
        self.close = Close.RESET
        if seg.ack is not None and self.iss + 1 < seg.ack:
            # It acknowledges what we sent after the SYN: the peer had taken our ACK.
            self._confirmed = True
        # A RST in place of any sign that our ACK was taken: it was never a connection.
        self._end(Verdict.OPEN if self._confirmed else Verdict.RESET)
        return ()

    def _refuse(self, seg: Segment, at: int) -> Segments:
        """Answer a segment whose numbers are not acceptable, as section 3.10.7 says."""
        if seg.rst:
            return self._refuse_rst(seg, at)
        match self.block.state:
            case State.SYN_SENT if seg.ack is not None and not self.block.acknowledges_new(seg):
                what = "SYN+ACK" if seg.syn else "ACK"
                self.notes.add(
                    "wrong-ack",
                    f"Its {what} acknowledges {seg.ack}, and our SYN would be {self.iss + 1}.",
                )
                return self._limited(Flags.RST, at, seq=seg.ack)
            case State.SYN_SENT:
                return ()
            case State.SYN_RECEIVED if self._acknowledges_wrongly(seg):
                return self._limited(Flags.RST, at, seq=seg.ack)
        if seg.syn and seg.ack is not None and seg.seq == self.block.rcv.irs:
            self.notes.add(
                "syn-ack-again", "The SYN+ACK came again: our ACK was late, or was lost."
            )
        return self._limited(Flags.ACK, at)

    def _refuse_rst(self, seg: Segment, at: int) -> Segments:
        self.notes.add("rst-ignored", f"A RST that does not answer anything of ours: {seg}.")
        # In the window, but not at its edge: ask whether the peer meant it (RFC 5961 section 3.2).
        if self.block.state.synchronized and self.block.in_window(seg):
            return self._limited(Flags.ACK, at)
        return ()

    def _acknowledges_wrongly(self, seg: Segment) -> bool:
        """Whether what is wrong in SYN-RECEIVED is the ACK (section 3.10.7.4, fifth step).

        A SYN in the window is looked at before, and asked back by an ACK (fourth step).
        """
        if seg.ack is None or seg.syn or not self.block.in_window(seg):
            return False
        return not self.block.acknowledges_new(seg)

    def _limited(self, flags: Flags, at: int, seq: Seq | None = None) -> Segments:
        last = self._answered.get(flags)
        if last is not None and at - last < ANSWER_INTERVAL:
            return ()
        self._answered[flags] = at
        return self._emit(flags, at, seq=seq)

    def _give_up(self) -> None:
        if self.verdict is None:
            if "wrong-ack" in self.notes:
                self._end(Verdict.BAD_PEER)
            elif self.block.state is State.SYN_RECEIVED:
                self._end(Verdict.HALF_OPEN)
            else:
                self._end(Verdict.FILTERED)
        elif not self._confirmed and "syn-ack-again" in self.notes:
            self._end(Verdict.HALF_OPEN)
        else:
            # Our FIN has told the peer that we are done (section 3.6, case 1): it may stay in
            # CLOSE-WAIT as long as its program likes. No RST from us would make that better.
            if self._fin_acknowledged:
                self.close = Close.PEER_KEPT_OPEN
            else:
                self.notes.add("no-answer-to-fin", "Nothing acknowledged our FIN.")
            self._end(Verdict.OPEN)

    @property
    def _fin_acknowledged(self) -> bool:
        fin, una = self.block.fin, self.block.snd.una
        return fin is not None and una is not None and fin < una

    def _end(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.done = True

    # What goes out.

    def _expect_answer(self, at: int) -> None:
        self._rto = self.patience.rto
        self._again_at = at + self._rto if self._retries else None

    def _again(self, at: int) -> Segments:
        """Retransmit what nobody has acknowledged, and wait twice as long for the answer."""
        self._retries -= 1
        self._rto *= 2
        self._again_at = at + self._rto if self._retries else None
        match self.block.state:
            case State.SYN_SENT:
                return self._syn(at)
            case State.SYN_RECEIVED:
                return self._emit(Flags.SYN | Flags.ACK, at, seq=self.iss)
        return self._emit(Flags.FIN | Flags.ACK, at, seq=self.block.fin)

    def _syn(self, at: int) -> Segments:
        self.syn_sent += 1
        return self._emit(Flags.SYN, at, seq=self.iss)

    def _fin(self, at: int) -> Segments:
        self._close_at = None
        self._give_up_at = at + self.patience.closing
        self._retries = self.patience.retries
        self._expect_answer(at)
        return self._emit(Flags.FIN | Flags.ACK, at)

    def _emit(self, flags: Flags, at: int, *, seq: Seq | None = None) -> Segments:
        """Send: return the segment, and remember that it left."""
        seq = self.block.snd.nxt if seq is None else seq
        assert seq is not None
        clock = self.ticks + at // _MILLISECOND
        seg = header.segment(self.block, self.offer, flags, clock, seq)
        self.block = self.block.sent(seg)
        return (seg,)
