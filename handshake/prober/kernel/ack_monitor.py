"""Detects whether the server accepted our ACK of a connection that the kernel made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.endpoint.ack_monitor import SynAckMonitor
from handshake.tcp import State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.linux.tcp_info import TcpInfo

TICK: Final = NS_PER_SECOND // 20
"""How often to check for a retransmitted SYN-ACK: no event reports it."""

_PAST_SYN_RECEIVED: Final = (
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
    State.TIME_WAIT,
)
"""Our states after the peer has acknowledged our FIN or sent its own."""


class KernelAckMonitor:
    """What the kernel shows of one connection, for and against. Times are in nanoseconds."""

    def __init__(self, info: TcpInfo, now: int, observe: int, longest_round_trip: int) -> None:
        self.confirmed = False
        """Whether the server has shown that it did."""

        self.window_closed = info.snd_wnd == 0
        """Whether its window was 0 from the beginning, and has been since."""

        self.monitor = SynAckMonitor()
        """The SYN-ACKs that a server which had accepted our last ACK would not have sent."""

        self.monitor.begin(now, observe, now)
        self._segs_in = info.segs_in or 0
        self._last_answer = now
        # One that was sent before our ACK can have arrived proves nothing.
        self._least = longest_round_trip + 2 * TICK

    def see(self, info: TcpInfo) -> None:
        """Process what the kernel reports now."""
        self.confirmed = (
            self.confirmed
            or bool(info.data_segs_in)
            # The SYN counts for one.
            or (info.bytes_acked or 0) > 1
            or info.state in _PAST_SYN_RECEIVED
            # It acknowledged what has no number of its own, such as a probe of its closed window. A
            # SYN-ACK that comes again is no such ACK: the kernel drops what has a SYN before. In a
            # simultaneous open `since_data` counts from the start of the machine: rightly so, since
            # the kernel left SYN-RECEIVED by an ACK of its SYN.
            or info.since_ack < info.since_data
        )
        self.window_closed = self.window_closed and info.snd_wnd == 0

    def unexplained(self, info: TcpInfo) -> int:
        """Return how many segments arrived since the last time that show nothing new."""
        self.see(info)
        if info.segs_in is None:
            return 0
        arrived, self._segs_in = info.segs_in - self._segs_in, info.segs_in
        return 0 if self.confirmed else arrived

    def answered_again(self, now: int) -> None:
        """Record that the SYN-ACK was retransmitted."""
        since, self._last_answer = now - self._last_answer, now
        if since > self._least:
            self.monitor.repeated(now, now)

    @property
    def until(self) -> int:
        """From when on silence suggests that our ACK was accepted; 0 if that is known."""
        return 0 if self.confirmed else self.monitor.until

    @property
    def in_vain(self) -> bool:
        """Whether the server accepted none of our ACKs of its SYN-ACK.

        The kernel acknowledges the first retransmission, so that one lost ACK causes no second. And
        a server that waits for data (TCP_DEFER_ACCEPT) retransmits it once.
        """
        return self.monitor.in_vain and not self.confirmed
