"""Data transfer on an open connection, the observation of our ACK, and when to close."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.endpoint.ack_monitor import AckStatus, SynAckMonitor
from handshake.endpoint.buffers import ReceiveBuffer, SendBuffer
from handshake.endpoint.outcome import DataExchange
from handshake.tcp import State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.endpoint.options import ClientOptions, Timeouts
    from handshake.tcp import ControlBlock, Segment, Seq


class DataTransfer:
    """What is sent, received and observed before the close. Times are in nanoseconds."""

    def __init__(self, iss: Seq, timeouts: Timeouts, options: ClientOptions) -> None:
        self.send_buffer = SendBuffer(options.data, iss)
        self.receive_buffer = ReceiveBuffer(options.expect)
        self.monitor = SynAckMonitor(withheld=not options.answer)
        self.confirmed = False
        """Whether the server accepted our ACK, as any segment other than its SYN-ACK shows."""

        self.used = False
        """Whether data was exchanged: by the peer, or by us and acknowledged."""

        self.late: float | None = None
        """How many seconds our ACK was late, if the server had given up by then."""

        self._early = bool(options.fast_open)
        """Whether the peer may send data before it has our ACK (Fast Open)."""

        self._syn_ack_ack: Seq | None = None
        """The ACK number of its SYN-ACK."""

        self._withheld = not options.answer
        self._timeouts = timeouts
        self._opened_at = 0

    def begin(self, at: int, block: ControlBlock, arrived: int) -> None:
        """Start at the SYN-ACK, processed `at` and captured at `arrived`."""
        assert block.rcv.irs is not None
        self._syn_ack_ack = block.snd.una
        self.receive_buffer.begin(block.rcv.irs)
        self.monitor.begin(at, self._timeouts.observe, arrived)
        self._opened_at = at

    def postpone(self, late: int) -> None:
        """Let all time limits end so many nanoseconds later."""
        self._opened_at += late
        self.monitor.postpone(late)

    def shows(self, seg: Segment, *, syn_again: bool) -> bool:
        """Whether an acceptable segment proves that the server accepted our ACK, or data after it.

        Two segments prove nothing, since a server may send them before it has our ACK: data,
        with Fast Open (RFC 7413 section 4.2.2), and a challenge ACK to our retransmitted SYN
        (section 3.10.7.4).
        """
        base = self._syn_ack_ack
        if seg.ack is not None and base is not None and base < seg.ack:
            return True
        return not (seg.rst or self._early or (syn_again and not seg.length))

    def uses(self, seg: Segment) -> bool:
        """Whether an acceptable segment shows that data was exchanged, or the peer closed.

        An ACK of our FIN does not: the peer's TCP sends it without its application.
        """
        if not seg.rst and (seg.payload_length or seg.fin):
            return True
        # Our data comes before our FIN in sequence.
        base = self._syn_ack_ack
        return (
            seg.ack is not None
            and base is not None
            and base < self.send_buffer.end
            and base < seg.ack
        )

    def until(self, block: ControlBlock) -> int:
        """Return when we may close, unless a segment arrives before."""
        return close_at(
            self._opened_at,
            self._timeouts,
            unsent=bool(self.send_buffer.rest(block)),
            awaiting=self.receive_buffer.found_expected is False,
            peer_closed=block.state is State.CLOSE_WAIT,
            observe_until=0 if self.confirmed else self.monitor.until,
        )

    def exchanged(self, block: ControlBlock) -> DataExchange | None:
        """Return the data exchanged; None if neither end sent or expected any."""
        sent, received = self.send_buffer, self.receive_buffer
        if not (sent or received.octets or received.found_expected is not None):
            return None
        return DataExchange(
            sent.size, sent.acknowledged(block), received.octets, received.found_expected
        )

    @property
    def ack_status(self) -> AckStatus:
        """What is known about whether the server accepted our ACK."""
        watched = max(self._timeouts.observe, self._timeouts.hold) / NS_PER_SECOND
        again = tuple(each / NS_PER_SECOND for each in self.monitor.again)
        return AckStatus(self.confirmed, watched, again, self._withheld, self.late)

    @property
    def in_vain(self) -> bool:
        """Whether the server accepted none of our ACKs of its SYN-ACK."""
        return not self.confirmed and self.monitor.in_vain


def close_at(
    opened_at: int,
    timeouts: Timeouts,
    *,
    unsent: bool,
    awaiting: bool,
    peer_closed: bool,
    observe_until: int,
) -> int:
    """Return when to close the connection, in nanoseconds; 0 for at once.

    `unsent`: data of ours is not acknowledged (of the kernel: not taken); `awaiting`: expected data
    has not arrived; `observe_until`: until when to watch for retransmitted SYN-ACKs.
    """
    limit = opened_at + timeouts.handshake
    if peer_closed:  # nothing more will arrive
        return limit if unsent else 0
    waiting = unsent or awaiting
    return max(opened_at + timeouts.hold, limit if waiting else 0, observe_until)
