"""A call: the course of one connection, and what was seen of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from handshake.units import RST_BIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.linux.packet_socket import Captured
    from handshake.linux.rst_guard import RstGuard
    from handshake.packet.checksum import Address
    from handshake.prober.target import Target
    from handshake.prober.userspace.conclusion import Conclusion
    from handshake.prober.userspace.session import Session
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError


FLAGS: Final = {4: 33, 6: 53}
"""Where the control bits stand in a packet of ours, by the version of IP."""


_ERRORS: Final = 64
"""ICMP errors kept of one call: whoever sends more says nothing new."""

_ROOM: Final = 8 << 20
"""Octets of a call's packets that are kept: more of them tell nothing new of how it opens."""

_LEAST: Final = 2048
"""Octets that a segment takes at least, however short: all that is known of it is kept, too."""


PacketObserver: TypeAlias = "Callable[[Observed | IcmpError], None]"
"""Takes what is seen of one call, as it passes."""


class UserspaceConnection:
    """One call that is under way, or over."""

    __slots__ = (
        "begun",
        "conclusion",
        "dropped",
        "due",
        "errors",
        "gateway",
        "guard",
        "incoming",
        "last",
        "observer",
        "outgoing",
        "over",
        "path_mss",
        "resets",
        "room",
        "segments",
        "session",
        "slot",
        "syns",
        "target",
        "to",
        "unseen",
    )

    def __init__(
        self,
        target: Target,
        session: Session,
        guard: RstGuard,
        outgoing: bytes,
        incoming: bytes,
        to: tuple[Any, ...],
        path_mss: int,
        begun: int,
        gateway: Callable[[], Address | None],
        *,
        attentive: bool,
    ) -> None:
        self.target = target
        self.session = session
        self.guard = guard
        self.outgoing = outgoing
        """Addresses and ports of what we send, as they stand in a packet."""

        self.incoming = incoming
        """Addresses and ports of what the peer sends us."""

        self.to = to
        self.path_mss = path_mss
        """What a segment may carry on our side of the path, in octets."""

        self.gateway = gateway
        """Asks the kernel for the router on the way to the peer; None where there is none."""

        self.begun = begun
        self.dropped = guard.dropped if attentive else None
        """What the guard had kept from the kernel before it; None where nobody will ask."""

        self.over: int | None = None
        """When there was nothing more to send."""

        self.due: int | None = None
        """When it will be woken."""

        self.slot: list[UserspaceConnection | None] = [self]
        """How those find it that would wake it: empty once it has ended."""

        self.syns: list[Captured | Observed] = []
        """Our SYNs as they left."""

        self.segments: list[Observed] | None = [] if attentive else None
        """The segments of it that were seen; None where nobody will look at them."""

        self.room = _ROOM
        """Octets that there is room for among them."""

        self.errors: list[IcmpError] = []
        """The ICMP errors that quoted it, where its segments are kept."""

        self.resets: set[int] = set()
        """The sequence numbers of the RSTs that we sent: any other is the kernel's."""

        self.last = b""
        """The last packet that we sent."""

        self.unseen = 0
        """Segments that were sent and not seen yet."""

        self.observer: PacketObserver | None = None
        """Called for each packet that is kept."""

        self.conclusion: Conclusion | None = None
        """What it came to; None while it is under way."""

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.conclusion is not None

    def sent(self, packet: bytes) -> None:
        """Take note that this packet is on its way out."""
        self.unseen += 1
        self.last = packet
        at = FLAGS[packet[0] >> 4]
        if packet[at] & RST_BIT:
            self.resets.add(int.from_bytes(packet[at - 9 : at - 5], "big"))

    def keep(self, observed: Observed) -> None:
        """Keep a segment that was seen, while there is room for it."""
        if self.segments is None:
            return
        self.room -= max(_LEAST, len(observed.packet))
        if self.room >= 0:
            self.segments.append(observed)
            if self.observer is not None:
                self.observer(observed)
            return
        self.session.take_over().notes.add(
            "segments-left-out",
            f"So much was said that only the first {len(self.segments)} segments are shown.",
        )

    def quoted(self, error: IcmpError) -> None:
        """Keep an ICMP error that quotes it, while there are not too many."""
        if self.segments is None or len(self.errors) >= _ERRORS:
            return
        self.errors.append(error)
        if self.observer is not None:
            self.observer(error)

    def passed(self, observed: Observed) -> None:
        """Take note that a segment in our name was seen on the wire."""
        self.unseen -= 1
        segment, attempt = observed.segment, self.session.take_over()
        if segment.rst and int(segment.seq) not in self.resets:
            attempt.notes.add(
                "kernel-reset",
                f"Our own kernel sent a RST in our name, although the guard ({self.guard.name}) "
                f"was to keep it silent: {segment}.",
            )
        elif segment.flags == attempt.asked or (segment.syn and segment.ack is None):
            # Our first segment, which may ask for less when it is sent again.
            self.syns.append(observed)
