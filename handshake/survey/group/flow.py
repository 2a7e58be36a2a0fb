"""The captured segments of one socket pair, packed or tracked."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from socket import inet_ntoa
from typing import TYPE_CHECKING, Final

from handshake.packet import packed_frames
from handshake.tcp import Endpoint
from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from handshake.packet.frame import Frame
    from handshake.packet.packed_frames import FrameLayout, Framing
    from handshake.survey.read.whereabouts import Whereabouts
    from handshake.tracker import Connection, PairTracker


@dataclass(eq=False, slots=True)
class Flow:
    """The captured segments of one socket pair, packed or tracked."""

    number: int
    keys: tuple[bytes, bytes]
    layout: FrameLayout
    framing: Framing
    """How its frames carry their packets: where it changes, the flow is `mixed`."""

    reused: int | None = None
    """The number of the last connection of an earlier flow of this socket pair, now dropped."""

    records: bytearray = field(default_factory=bytearray)
    """Its packed frames, those that no tracker has taken yet: the reader may append more."""

    mixed: bool = False
    """Whether its frames differ in more than their packets: then none is packed any more."""

    tracker: PairTracker | None = None
    where: Whereabouts | None = None
    """Where the frames are that the tracker has taken."""

    learned: int | None = None
    """The number of its connection from which it was learned what it shows of its hosts."""

    looked_at: int = 0
    """One more than the octets of `records` when it was last found not to have ended."""

    @property
    def connection(self) -> Connection | None:
        """The last connection, if a tracker follows it."""
        return None if self.tracker is None else self.tracker.connection

    @property
    def ended(self) -> bool:
        """Whether a tracker has seen its connection closed, reset or refused."""
        known = self.connection
        return known is not None and (
            known.closed or known.reset_by is not None or known.refused is not None
        )

    @property
    def last_number(self) -> int:
        """The number of the last connection of this socket pair."""
        return self.number if self.connection is None else self.connection.number

    @property
    def last_at(self) -> int:
        """When its last segment was seen."""
        if self.records:
            return packed_frames.last_at(self.layout, self.records)
        assert self.connection is not None
        assert self.connection.last is not None
        return self.connection.last.at

    def is_other(self, frame: Frame) -> bool:
        """Whether a SYN may open another connection: then the tracker decides."""
        return bool(self.records) and not packed_frames.is_again(self.layout, self.records, frame)


_V4_OCTETS: Final = 4


@lru_cache(65536)
def text_of(packed: bytes) -> str:
    """Return the text of an address with these octets."""
    return inet_ntoa(packed) if len(packed) == _V4_OCTETS else str(ip_address(packed))


_address_of = lru_cache(65536)(ip_address)


def endpoint_of(key: bytes, *, second: bool = False) -> Endpoint:
    """Return the sender of the frames with this key, or the `second` endpoint: their receiver."""
    half = len(key) // 2 - 2
    if second:
        return Endpoint(_address_of(key[half:-4]), int.from_bytes(key[-2:], "big"))
    return Endpoint(_address_of(key[:half]), int.from_bytes(key[-4:-2], "big"))


def other_way(key: bytes) -> bytes:
    """Return the key of the other direction."""
    half = len(key) // 2 - 2
    return key[half:-4] + key[:half] + key[-2:] + key[-4:-2]


def key_of(source: Endpoint, destination: Endpoint) -> bytes:
    """Return addresses and ports as plain frames have them."""
    ports = source.port << 16 | destination.port
    return source.address.packed + destination.address.packed + ports.to_bytes(4, "big")


def was_given_up(connection: Connection) -> bool:
    """Whether a handshake was never completed: no host waits for an answer that long.

    A server that still has an earlier connection on the same ports goes on to have it.
    """
    if connection.final_ack is not None or connection.client.syn is None:
        return False
    kept = connection.server.block
    return connection.reused is None or kept is None or not kept.state.synchronized
