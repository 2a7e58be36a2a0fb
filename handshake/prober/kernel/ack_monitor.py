"""Whether the peer took our ACK: the kernel calls a connection open before anybody can know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.endpoint.ack_monitor import SynAckMonitor
from handshake.tcp import State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.linux.tcp_info import TcpInfo

TICK: Final = NS_PER_SECOND // 20
"""Between two looks at a connection for a SYN,ACK that came again: no event tells of it."""

_PAST_SYN_RECEIVED: Final = (
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
    State.TIME_WAIT,
)
"""What our own state is once the peer has acknowledged our FIN, or has sent one."""


class KernelAckMonitor:
    """What speaks for it on one connection, and what against. Times are in nanoseconds."""

    def __init__(self, info: TcpInfo, now: int, observe: int, longest_round_trip: int) -> None:
        self.confirmed = False
        """Whether the peer has shown that it took it."""

        self.watch = SynAckMonitor()
        """The SYN,ACKs that came which a peer that took our last ACK would not have sent."""

        self.watch.begin(now, observe, now)
        self._segs_in = info.segs_in or 0
        self._last_answer = now
        # One that left before our ACK can have arrived proves nothing.
        self._least = longest_round_trip + 2 * TICK

    def see(self, info: TcpInfo) -> None:
        """See what the kernel tells now."""
        self.confirmed = (
            self.confirmed
            or bool(info.data_segs_in)
            # The SYN counts for one.
            or (info.bytes_acked or 0) > 1
            or info.state in _PAST_SYN_RECEIVED
        )

    def unexplained(self, info: TcpInfo) -> int:
        """Return how many segments came in since the last time that showed nothing new."""
        self.see(info)
        if info.segs_in is None:
            return 0
        came, self._segs_in = info.segs_in - self._segs_in, info.segs_in
        return 0 if self.confirmed else came

    def answered_again(self, now: int) -> None:
        """Take note that the SYN,ACK came again."""
        since, self._last_answer = now - self._last_answer, now
        if since > self._least:
            self.watch.repeated(now, now)

    @property
    def until(self) -> int:
        """From when on silence tells that our ACK was taken; 0 where that is known."""
        return 0 if self.confirmed else self.watch.until

    @property
    def in_vain(self) -> bool:
        """Whether the peer has taken none of our answers to its SYN,ACK.

        The kernel acknowledges the first repetition, so that one lost ACK brings no second. And a
        server that waits for data (TCP_DEFER_ACCEPT) repeats it once.
        """
        return self.watch.in_vain and not self.confirmed
