"""The talk: what is said, heard and seen while a connection is open, and how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.endpoint.ack_monitor import AckStatus, SynAckMonitor
from handshake.endpoint.receive_buffer import ReceiveBuffer
from handshake.endpoint.send_buffer import SendBuffer
from handshake.tcp import State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.endpoint.options import ClientOptions
    from handshake.endpoint.timeouts import Timeouts
    from handshake.tcp import ControlBlock, Segment, Seq


class DataTransfer:
    """What our end wants of a connection before it closes it. Times are in nanoseconds."""

    def __init__(self, iss: Seq, timeouts: Timeouts, options: ClientOptions) -> None:
        self.send_buffer = SendBuffer(options.data, iss)
        self.receive_buffer = ReceiveBuffer(options.expect)
        self.monitor = SynAckMonitor()
        self.confirmed = False
        """Whether the peer has shown that it took our ACK: by anything but its SYN,ACK."""

        self.used = False
        """Whether anything was said on the connection: by the peer, or by us and acknowledged."""

        self._early = bool(options.fast_open)
        """Whether the peer may speak before it has our ACK."""

        self._answered: Seq | None = None
        """What its SYN,ACK acknowledged."""

        self._withheld = not options.answer
        self._timeouts = timeouts
        self._held_until = 0
        self._patient_until = 0

    def begin(self, at: int, block: ControlBlock, came: int) -> None:
        """The peer's SYN,ACK is heard, which came by this stamp."""
        assert block.rcv.irs is not None
        self._answered = block.snd.una
        self.receive_buffer.begin(block.rcv.irs)
        self.monitor.begin(at, self._timeouts.observe, came)
        self._held_until = at + self._timeouts.hold
        self._patient_until = at + self._timeouts.handshake

    def shows(self, seg: Segment, *, syn_again: bool) -> bool:
        """Whether an acceptable segment shows that the peer took our ACK, or what came with it.

        What it says before that shows nothing: data, with Fast Open (RFC 7413 section 4.2.2);
        and the ACK by which it may answer a SYN of ours that came again (section 3.10.7.4).
        """
        answered = self._answered
        if seg.ack is not None and answered is not None and answered < seg.ack:
            return True
        return not (seg.rst or self._early or (syn_again and not seg.length))

    def uses(self, seg: Segment) -> bool:
        """Whether an acceptable segment shows that something was said: data, or the peer's FIN.

        An ACK of our FIN does not: the peer's TCP sends it, whether or not a program wants us.
        """
        if not seg.rst and (seg.payload_length or seg.fin):
            return True
        # Our data have the numbers before our FIN's.
        answered = self._answered
        return (
            seg.ack is not None
            and answered is not None
            and answered < self.send_buffer.end
            and (answered < seg.ack)
        )

    def until(self, block: ControlBlock) -> int:
        """Return when we may close, unless something comes before."""
        rest = self.send_buffer.rest(block)
        if block.state is State.CLOSE_WAIT:  # nothing more will come
            return self._patient_until if rest else 0
        waiting = rest or self.receive_buffer.found_expected is False
        return max(
            self._held_until,
            self._patient_until if waiting else 0,
            0 if self.confirmed else self.monitor.until,
        )

    @property
    def ack_status(self) -> AckStatus:
        """What is known of whether the peer took our ACK."""
        watched = max(self._timeouts.observe, self._timeouts.hold) / NS_PER_SECOND
        again = tuple(each / NS_PER_SECOND for each in self.monitor.again)
        return AckStatus(self.confirmed, watched, again, self._withheld)

    @property
    def in_vain(self) -> bool:
        """Whether the peer has taken none of our answers to its SYN,ACK."""
        return not self.confirmed and self.monitor.in_vain
