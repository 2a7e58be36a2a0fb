"""Probe with one segment that opens no connection, as nmap's FIN, NULL and ACK scans do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handshake.endpoint.client import Client
from handshake.endpoint.outcome import Verdict
from handshake.endpoint.rejection import dropped
from handshake.tcp import ControlBlock, Flags, Segment

if TYPE_CHECKING:
    from handshake.endpoint.sender import Segments
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError


@dataclass
class SingleSegmentProbe(Client):
    """Send one segment, retransmit it, and judge the first valid answer (section 3.10.7)."""

    _first: Segment = field(init=False)

    @property
    def block(self) -> ControlBlock:
        """The control block of a closed socket: there is no connection."""
        return ControlBlock(local=self.local, remote=self.remote)

    def start(self, at: int) -> Segments:
        """Start the timers; return the segment."""
        (self._first,) = super().start(at)
        return (self._first,)

    def receive(self, observed: Observed, at: int) -> Segments:
        """Process a received segment; return the segments to send."""
        seg = observed.segment
        if self.done or dropped(observed, self.options.md5, self.notes):
            return ()
        sent = self._first
        if seg.rst and not _answers(seg, sent):
            self.notes.add("rst-ignored", segment=seg)
            return ()
        if seg.rst:
            self.answer = observed
            self._icmp_errors.answered()
            # A RST answers any ACK without a connection, listener or not.
            self._end(Verdict.CLOSED if sent.ack is None else Verdict.RESET)
            return ()
        if seg.syn and seg.ack is not None and sent.syn and sent.seq < seg.ack <= sent.end:
            self.answer = observed
            self._end(Verdict.HALF_OPEN)
            return self._sender.send(Flags.RST, at, seq=seg.ack)
        self.notes.add("stray", segment=seg)
        return ()

    def icmp(self, error: IcmpError, _: int | None = None) -> Segments:
        """Process an ICMP error; it ends the probe only if it quotes our segment."""
        if self.done:
            return ()
        ours, last = error.seq == self.iss, self._sender.timer.at is None
        if self._icmp_errors.receive(error, ours=ours, waiting=True, last=last):
            self._end(Verdict.UNREACHABLE)
        return ()

    def on_timer(self, at: int) -> Segments:
        """Process expired timers; return the segments to send."""
        if self.done:
            return ()
        if at >= self._give_up_at:
            self._end(Verdict.FILTERED if self.error is None else Verdict.UNREACHABLE)
        elif at >= self.deadline:
            self._sender.timer.back_off(at)
            return self._sender.syn(at)
        return ()


def _answers(rst: Segment, sent: Segment) -> bool:
    """Whether a RST has the numbers that section 3.10.7.1 requires."""
    if sent.ack is not None:
        return rst.seq == sent.ack
    return rst.ack == sent.end
