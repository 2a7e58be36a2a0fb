"""One connection in user space: its session, and the packets seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from handshake.units import RST_BIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.endpoint.outcome import Outcome
    from handshake.linux.next_hop import Selector
    from handshake.linux.packet_socket import Captured
    from handshake.linux.policy_route import PolicyRoute
    from handshake.linux.rst_guard import RstGuard
    from handshake.packet.checksum import Address
    from handshake.prober.target import Target
    from handshake.prober.userspace.session import Session
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError


FLAGS: Final = {4: 33, 6: 53}
"""The offset of the control bits in a packet of ours, by IP version."""


_ERRORS: Final = 64
"""ICMP errors kept of one connection."""

_ROOM: Final = 8 << 20
"""Octets of a connection's packets that are kept: how it opens and closes needs no more."""

_LEAST: Final = 2048
"""Octets counted for a kept segment, however short: its header fields take memory, too."""


PacketObserver: TypeAlias = "Callable[[Observed | IcmpError], None]"
"""Takes each packet of one connection as it passes."""


class Departure(NamedTuple):
    """How packets to a remote address leave."""

    to: tuple[Any, ...] | PolicyRoute
    """Where they are sent: the address, or a route that is not found by it alone."""

    selector: Selector
    """What the kernel chooses the route by, other than the address."""

    gateway: Callable[[], Address | None]
    """Returns the gateway on the way to the address; None for an address on our link."""

    path_mss: int
    """What a segment may carry on our side of the path, in octets."""

    text: str
    """The address, as it is written."""


class UserspaceConnection:
    """One connection, in progress or ended."""

    __slots__ = (
        "begun",
        "departure",
        "dropped",
        "due",
        "errors",
        "guard",
        "incoming",
        "last",
        "missed",
        "observer",
        "outcome",
        "outgoing",
        "over",
        "resets",
        "room",
        "segments",
        "session",
        "syns",
        "target",
        "timer",
        "unseen",
    )

    def __init__(
        self,
        target: Target,
        session: Session,
        guard: RstGuard,
        outgoing: bytes,
        incoming: bytes,
        departure: Departure,
        begun: int,
        *,
        attentive: bool,
    ) -> None:
        self.target = target
        self.session = session
        self.guard = guard
        self.outgoing = outgoing
        """Addresses and ports of what we send, as they stand in a packet."""

        self.incoming = incoming
        """Addresses and ports of what the peer sends us, likewise."""

        self.departure = departure
        """How our packets leave."""

        self.begun = begun
        self.dropped = guard.dropped if attentive else None
        """The packets that the guard had dropped before; None if every segment is not kept."""

        self.over: int | None = None
        """When there was nothing more to send, in nanoseconds."""

        self.due: int | None = None
        """When its timer expires."""

        self.timer = 0
        """The number of its timer."""

        self.syns: list[Captured | Observed] = []
        """Our SYNs as they left."""

        self.segments: list[Observed] | None = [] if attentive else None
        """The segments seen; None if they are not kept."""

        self.room = _ROOM
        """Octets left for segments."""

        self.errors: tuple[IcmpError, ...] = ()
        """The ICMP errors that quoted it, if its segments are kept."""

        self.resets: frozenset[int] = frozenset()
        """The sequence numbers of the RSTs that we sent: any other is the kernel's."""

        self.last = b""
        """The last packet that we sent."""

        self.unseen = 0
        """Packets that were sent and have not been seen on the interface."""

        self.missed = False
        """Whether our SYNs may have left unseen: packets were lost before they were read."""

        self.observer: PacketObserver | None = None
        """Called for each packet that is kept."""

        self.outcome: Outcome | None = None
        """What became of it; None while it is in progress."""

    @property
    def refused(self) -> bool:
        """Whether a RST has refused it, and nothing that is kept contradicts that."""
        if not self.segments or not self.session.refused:
            return False
        return not any(e.segment.syn and not e.outgoing for e in self.segments)

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.outcome is not None

    def sent(self, packet: bytes) -> None:
        """Expect a packet that was handed to the interface to be seen there."""
        self.unseen += 1
        at = FLAGS[packet[0] >> 4]
        if packet[at] & RST_BIT:
            self.resets |= {int.from_bytes(packet[at - 9 : at - 5], "big")}

    def keep(self, observed: Observed) -> None:
        """Keep a segment that was seen, while there is room."""
        if self.segments is None:
            return
        self.room -= max(_LEAST, len(observed.packet))
        if self.room >= 0:
            self.segments.append(observed)
            if self.observer is not None:
                self.observer(observed)
            return
        self.session.take_over().notes.add("segments-left-out", count=len(self.segments))

    def quoted(self, error: IcmpError) -> None:
        """Keep an ICMP error that quotes it, up to a number."""
        if self.segments is None or len(self.errors) >= _ERRORS:
            return
        self.errors += (error,)
        if self.observer is not None:
            self.observer(error)

    def passed(self, observed: Observed) -> None:
        """Record a segment with our addresses that was seen leaving."""
        self.unseen -= 1
        segment, session = observed.segment, self.session
        if segment.rst and int(segment.seq) not in self.resets:
            session.take_over().notes.add("kernel-reset", guard=self.guard.name, segment=segment)
        elif segment.flags == session.asked or (segment.syn and segment.ack is None):
            # Our first segment, which may ask for less when it is retransmitted.
            self.syns.append(observed)
