"""For Scapy's users: the steps of the handshakes in packets that Scapy has read or sniffs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handshake.packet.decode import Decoder
from handshake.packet.scapy_codec import frame
from handshake.packet.scapy_session import PacketSession
from handshake.tcp import Observed
from handshake.tcp.copy import changed
from handshake.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from handshake.events import Step


def track(packets: Iterable[Any], tracker: Tracker | None = None) -> Iterator[Step]:
    """Yield the step of each segment in Scapy packets: a PacketList, a reader, any iterable.

    `step.scapy` is the packet. Packets without a segment are passed over, and of copies only the
    first counts. `tracker.connections` are those that were found.
    """
    follower = _Follower(tracker)
    for packet in packets:
        step = follower.step(packet)
        if step is not None:
            yield step


class HandshakeSession(PacketSession):
    """A session for `sniff(session=HandshakeSession(callback))`: calls back with each step.

    `step.scapy` is the packet; `tracker.connections` are the connections so far. What the callback
    raises is printed, and sniffing goes on.
    """

    def __init__(
        self, callback: Callable[[Step], object] | None = None, tracker: Tracker | None = None
    ) -> None:
        super().__init__(self._explain)
        self._callback = callback
        self._follower = _Follower(tracker)

    @property
    def tracker(self) -> Tracker:
        """What follows the connections."""
        return self._follower.tracker

    def _explain(self, packet: Any) -> None:
        step = self._follower.step(packet)
        if step is not None and self._callback is not None:
            self._callback(step)


class _Follower:
    """Makes a step of each packet that holds a segment."""

    def __init__(self, tracker: Tracker | None) -> None:
        self.tracker = Tracker() if tracker is None else tracker
        self._decoder = Decoder()
        self._count = 0

    def step(self, packet: Any) -> Step | None:
        """Return the step of a packet; None if it holds no segment, or is a copy."""
        self._count += 1
        found = self._decoder.observed(frame(packet, self._count))
        if isinstance(found, Observed):
            if self.tracker.drop_copy(found):
                return None
            return self.tracker.feed(changed(found, origin=packet))
        if found is not None:
            self.tracker.quoted(found)
        return None
