"""A knock: one segment that asks for no connection, and what its answer tells (section 3.10.7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handshake.endpoint.ack_monitor import AckStatus
from handshake.endpoint.client import Client
from handshake.endpoint.validation import dropped
from handshake.endpoint.verdict import Verdict
from handshake.tcp import ControlBlock, Flags, Segment

if TYPE_CHECKING:
    from handshake.endpoint.sender import Segments
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError


@dataclass
class SingleSegmentProbe(Client):
    """Sends the segment, again if nothing answers, and judges the first answer that is one."""

    ack_status: AckStatus = field(init=False, default=AckStatus(confirmed=False, watched=0))
    transfer: None = field(init=False, default=None)
    _first: Segment = field(init=False)

    @property
    def block(self) -> ControlBlock:
        """What our socket would know: nothing, since there is no connection."""
        return ControlBlock(local=self.local, remote=self.remote)

    def start(self, at: int) -> Segments:
        """Return the segment."""
        (self._first,) = super().start(at)
        return (self._first,)

    def receive(self, observed: Observed, at: int) -> Segments:
        """Return the answers to a segment that the peer sent us."""
        seg = observed.segment
        if self.done or dropped(observed, self.options.md5, self.notes):
            return ()
        asked = self._first
        if seg.rst and not _answers(seg, asked):
            self.notes.add("rst-ignored", f"A RST that does not answer anything of ours: {seg}.")
            return ()
        if seg.rst:
            self.answer = observed
            self._icmp_errors.answered()
            # Who has no such connection resets whatever acknowledges something, listener or not.
            self._end(Verdict.CLOSED if asked.ack is None else Verdict.RESET)
            return ()
        if seg.syn and seg.ack is not None and asked.syn and asked.seq < seg.ack <= asked.end:
            self.answer = observed
            self._end(Verdict.HALF_OPEN)
            return self._sender.send(Flags.RST, at, seq=seg.ack)
        self.notes.add("stray", f"A segment that answers nothing of ours: {seg}.")
        return ()

    def icmp(self, error: IcmpError) -> None:
        """Take note of an ICMP error, and believe it where it can only be about our segment."""
        if self.done:
            return
        ours, last = error.seq == self.iss, self._sender.timer.at is None
        if self._icmp_errors.receive(error, ours=ours, waiting=True, last=last):
            self._end(Verdict.UNREACHABLE)

    def on_timer(self, at: int) -> Segments:
        """Return what is to be sent now that time has passed."""
        if self.done:
            return ()
        if at >= self._give_up_at:
            self._end(Verdict.FILTERED if self.error is None else Verdict.UNREACHABLE)
        elif at >= self.deadline:
            self._sender.timer.back_off(at)
            return self._sender.syn(at)
        return ()


def _answers(rst: Segment, asked: Segment) -> bool:
    """Whether a RST has the numbers that section 3.10.7.1 asks for."""
    if asked.ack is not None:
        return rst.seq == asked.ack
    return rst.ack == asked.end
