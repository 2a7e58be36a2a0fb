"""A knock: one segment that asks for no connection, and what its answer tells (section 3.10.7).

It has the shape of an attempt, and like it neither clock nor dice nor socket.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handshake.probe.end.header import ETHERNET, LINUX, Headers
from handshake.probe.end.screen import Complaints, dropped
from handshake.probe.end.timer import RetransmissionTimer
from handshake.probe.end.watch import Taken
from handshake.probe.manner import Manner
from handshake.probe.patience import Patience
from handshake.probe.verdict import Close, Notes, Verdict
from handshake.tcp import ControlBlock, Endpoint, Flags, Offer, Segment, Seq

if TYPE_CHECKING:
    from handshake.probe.end.speaker import Segments
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError

_MILLISECOND = 1_000_000


@dataclass
class Knock:
    """Sends the segment, again if nothing answers, and judges the first answer that is one."""

    local: Endpoint
    remote: Endpoint
    iss: Seq
    offer: Offer = LINUX
    ticks: int = 0
    patience: Patience = field(default_factory=Patience)
    manner: Manner = field(default_factory=Manner)
    path_mss: int = ETHERNET

    block: ControlBlock = field(init=False)
    """What our socket would know: nothing, since there is no connection."""

    verdict: Verdict | None = field(init=False, default=None)
    close: Close | None = field(init=False, default=None)
    done: bool = field(init=False, default=False)
    answer: Observed | None = field(init=False, default=None)
    failure: str = field(init=False, default="")
    syn_sent: int = field(init=False, default=0)
    """How many times the segment was sent, SYN or not."""

    notes: Notes = field(init=False, default_factory=Notes)
    taken: Taken = field(init=False, default=Taken(confirmed=False, watched=0))
    talk: None = field(init=False, default=None)
    crossed: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.block = ControlBlock(local=self.local, remote=self.remote)
        self._timer = RetransmissionTimer(self.patience.rto, self.patience.retries)
        self._complaints = Complaints(self.notes)
        self._give_up_at = 0

    @property
    def error(self) -> IcmpError | None:
        """The ICMP error that decided what became of the segment."""
        return self._complaints.error

    @property
    def ignored(self) -> bool:
        """Whether something came back that is no answer."""
        return self.notes.of_strays

    @property
    def asked(self) -> Flags:
        """The control bits of the segment."""
        return self.manner.asked

    @property
    def deadline(self) -> int:
        """When `wake` is due."""
        again = self._timer.at
        return self._give_up_at if again is None else min(self._give_up_at, again)

    def start(self, at: int) -> Segments:
        """Return the segment."""
        self._give_up_at = at + self.patience.opening
        self._timer.start(at)
        return self._knock(at)

    def received(self, observed: Observed, at: int) -> Segments:
        """Return the answers to a segment that the peer sent us."""
        seg = observed.segment
        if self.done or dropped(observed, self.manner.md5, self.notes):
            return ()
        asked = self._segment(at)
        if seg.rst and not _answers(seg, asked):
            self.notes.add("rst-ignored", f"A RST that does not answer anything of ours: {seg}.")
            return ()
        if seg.rst:
            self.answer = observed
            self._complaints.answered()
            # Who has no such connection resets whatever acknowledges something, listener or not.
            self._end(Verdict.CLOSED if asked.ack is None else Verdict.RESET)
            return ()
        if seg.syn and seg.ack is not None and asked.syn and asked.seq < seg.ack <= asked.end:
            self.answer = observed
            self._end(Verdict.HALF_OPEN)
            return (
                Segment(self.local, self.remote, seq=seg.ack, ack=None, flags=Flags.RST, window=0),
            )
        self.notes.add("stray", f"A segment that answers nothing of ours: {seg}.")
        return ()

    def icmp(self, error: IcmpError) -> None:
        """Take note of an ICMP error, and believe it where it can only be about our segment."""
        if self.done:
            return
        ours, last = error.seq == self.iss, self._timer.at is None
        if self._complaints.hear(error, ours=ours, waiting=True, last=last):
            self._end(Verdict.UNREACHABLE)

    def unsent(self, why: str) -> None:
        """Take note that this machine refused to send the segment."""
        if self.syn_sent > 1 or self.verdict is not None:
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
            self._end(Verdict.FILTERED if self.error is None else Verdict.UNREACHABLE)
        elif self._timer.at is not None and at >= self._timer.at:
            self._timer.back_off(at)
            return self._knock(at)
        return ()

    def _knock(self, at: int) -> Segments:
        self.syn_sent += 1
        return (self._segment(at),)

    def _segment(self, at: int) -> Segment:
        clock = self.ticks + at // _MILLISECOND
        headers = Headers(self.offer, self.manner, self.path_mss)
        return headers.opening(self.local, self.remote, self.iss, clock)

    def _end(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.done = True


def _answers(rst: Segment, asked: Segment) -> bool:
    """Whether a RST has the numbers that section 3.10.7.1 asks for."""
    if asked.ack is not None:
        return rst.seq == asked.ack
    return rst.ack == asked.end
