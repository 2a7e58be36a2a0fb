"""A call: the course of one connection, what was seen of it, and its result."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from handshake.probe.hints import hints, too_near
from handshake.probe.patience import SECOND
from handshake.probe.reason import nobody_answers, reason
from handshake.probe.result import Negotiated, Result, failed, hops, round_trip
from handshake.probe.verdict import Note, Verdict
from handshake.tcp import Flags, Observed
from handshake.tracker import summarize_end
from handshake.wire.neighbours import silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.probe.by_hand.conclusion import Conclusion
    from handshake.probe.by_hand.course import Course
    from handshake.probe.target import Target
    from handshake.record import EndRecord
    from handshake.tcp.icmp import IcmpError
    from handshake.tracker import Connection, Tracker
    from handshake.wire.guard import Guard
    from handshake.wire.ip import Address
    from handshake.wire.link import Captured, Heard


FLAGS: Final = {4: 33, 6: 53}
"""Where the control bits stand in a packet of ours, by the version of IP."""

_RST: Final = int(Flags.RST)

_ERRORS: Final = 64
"""ICMP errors kept of one call: whoever sends more says nothing new."""

_ROOM: Final = 8 << 20
"""Octets of a call's packets that are kept: more of them tell nothing new of how it opens."""

_ON_ITS_WAY: Final = 0.05
"""Seconds that a packet may take from the wire to TCP: a program may have a say in between."""

_UNTOUCHED: Final = 255
"""A TTL that no router has counted down."""

_LEAST: Final = 2048
"""Octets that a segment takes at least, however short: all that is known of it is kept, too."""


Witness: TypeAlias = "Callable[[Observed | IcmpError], None]"
"""Takes what is seen of one call, as it passes."""


class Call:
    """One call that is under way, or over."""

    __slots__ = (
        "begun",
        "conclusion",
        "course",
        "dropped",
        "due",
        "errors",
        "gateway",
        "guard",
        "incoming",
        "last",
        "outgoing",
        "over",
        "path_mss",
        "resets",
        "room",
        "segments",
        "slot",
        "syns",
        "target",
        "to",
        "unseen",
        "witness",
    )

    def __init__(
        self,
        target: Target,
        course: Course,
        guard: Guard,
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
        self.course = course
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

        self.slot: list[Call | None] = [self]
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

        self.witness: Witness | None = None
        """Who is told of each packet that is kept."""

        self.conclusion: Conclusion | None = None
        """What it came to; None while it is under way."""

    def sent(self, packet: bytes) -> None:
        """Take note that this packet is on its way out."""
        self.unseen += 1
        self.last = packet
        at = FLAGS[packet[0] >> 4]
        if packet[at] & _RST:
            self.resets.add(int.from_bytes(packet[at - 9 : at - 5], "big"))

    def keep(self, observed: Observed) -> None:
        """Keep a segment that was seen, while there is room for it."""
        if self.segments is None:
            return
        self.room -= max(_LEAST, len(observed.packet))
        if self.room >= 0:
            self.segments.append(observed)
            if self.witness is not None:
                self.witness(observed)
            return
        self.course.attempt.notes.add(
            "segments-left-out",
            f"So much was said that only the first {len(self.segments)} segments are shown.",
        )

    def quoted(self, error: IcmpError) -> None:
        """Keep an ICMP error that quotes it, while there are not too many."""
        if self.segments is None or len(self.errors) >= _ERRORS:
            return
        self.errors.append(error)
        if self.witness is not None:
            self.witness(error)

    def passed(self, observed: Observed) -> None:
        """Take note that a segment in our name was seen on the wire."""
        self.unseen -= 1
        segment, attempt = observed.segment, self.course.attempt
        if segment.rst and int(segment.seq) not in self.resets:
            attempt.notes.add(
                "kernel-reset",
                f"Our own kernel sent a RST in our name, although the guard ({self.guard.name}) "
                f"was to keep it silent: {segment}.",
            )
        elif segment.flags == attempt.asked or (segment.syn and segment.ack is None):
            # Our first segment, which may ask for less when it is sent again.
            self.syns.append(observed)

    def result(
        self, decode: Callable[[Captured], Heard | None], tracker: Tracker | None = None
    ) -> Result:
        """Return what became of it; `tracker` has heard its segments, if anybody has."""
        course, remote = self.course, self.course.remote
        found, over = self.conclusion, self.over
        assert found is not None
        assert found.verdict is not None
        assert over is not None
        if found.verdict is Verdict.FILTERED and not self.syns:
            return self._unseen()
        answer = course.answer()
        rtt, ambiguous, ttl = self._measured(answer, decode)
        seen = None if tracker is None else self._tracked(tracker)
        notes = found.notes
        if seen is not None:
            told = seen.findings.found()
            notes += tuple(hints(self.segments or (), self.path_mss, told))
        notes += tuple(self._nearness(found, ttl))
        return Result(
            target=self.target.text,
            address=str(remote.address),
            port=remote.port,
            verdict=found.verdict,
            reason=reason(found, (over - self.begun) / SECOND, found.said, signed=course.signed),
            icmp=found.error,
            rtt=rtt,
            rtt_ambiguous=ambiguous,
            waited=self._waited(answer),
            syn_sent=len(self.syns),
            ttl=ttl,
            negotiated=self._in_force(found.negotiated),
            client=None if seen is None else self._our_end(seen),
            server=None if seen is None else summarize_end(seen.server),
            close=found.close,
            guard=self.guard.name,
            findings=notes,
            segments=tuple(self.segments or ()),
            duration=(over - self.begun) / SECOND,
            syn_ack_again=found.taken.again,
            said=found.said,
            errors=tuple(self.errors),
        )

    def _unseen(self) -> Result:
        """Return what became of it, where none of our SYNs was seen leaving."""
        local, remote, interface = self.course.local, self.course.remote, self.course.interface
        # An ICMP error of our own kernel's would say so, but it sends few of them in a second.
        if (who := silent(remote.address, local.address, interface)) is not None:
            why = nobody_answers(who, remote.address)
            return failed(self.target, Verdict.UNREACHABLE, why, remote)
        why = (
            "none of our SYNs was seen leaving: the link takes nothing, or this machine hides them "
            "(IPsec) or gives them another address (source NAT); --connect would tell"
        )
        return failed(self.target, Verdict.LOCAL_ERROR, why, remote)

    def _nearness(self, found: Conclusion, ttl: int | None) -> Iterator[Note]:
        """Yield a note where the answer came from nearer by than the target is."""
        # What crossed our SYN answers nothing, and a RST to what is no SYN says nothing of a port.
        if ttl is None or hops(ttl) or found.crossed or Flags.SYN not in found.asked:
            return
        if (router := self.gateway()) is not None:
            answer = "RST" if found.verdict is Verdict.CLOSED else "SYN+ACK"
            yield too_near(answer, ttl, self.course.remote.address, router)

    def is_kept_out(self, ttl: int) -> bool:
        """Whether the answer, which was seen on the wire, never came as far as our guard.

        What others are told at the same port may hide that, but nothing makes it up. If it is on
        its way there yet, it is waited for: this is for who makes one call, and no other beside.
        """
        if self.dropped is None:
            return False
        if self.guard.name == "minttl" and ttl == _UNTOUCHED:  # it lets this one through
            return False
        give_up = time.monotonic() + _ON_ITS_WAY
        while self.guard.dropped == self.dropped:
            if time.monotonic() > give_up:
                return True
            time.sleep(_ON_ITS_WAY / 50)
        return False

    def _in_force(self, agreed: Negotiated | None) -> Negotiated | None:
        """Return what both SYNs brought into force: a peer may take more than our path carries."""
        if agreed is None or agreed.mss is None or agreed.mss <= self.path_mss:
            return agreed
        return replace(agreed, mss=self.path_mss)

    def _tracked(self, tracker: Tracker) -> Connection | None:
        """Return the connection that we called: to a tracker, a stray SYN begins another."""
        ours = self.course.local
        return next((e for e in reversed(tracker.connections) if e.client.endpoint == ours), None)

    def _our_end(self, seen: Connection) -> EndRecord:
        """Return our end: what it is and did we know better than who saw the wire alone."""
        sent = [each.segment for each in self.segments or () if each.outgoing]
        return replace(
            summarize_end(seen.client),
            state=str(self.course.attempt.block.state),
            segments=len(sent),
            fin=sum(each.fin for each in sent),
            rst=sum(each.rst for each in sent),
        )

    def _waited(self, answer: Captured | Observed | None) -> float | None:
        """Return the seconds from our first SYN to the answer; None if it was not seen leaving."""
        if answer is None or not self.syns or self.syns[0].at > answer.at:
            return None
        return (answer.at - self.syns[0].at) / SECOND

    def _measured(
        self, answer: Captured | Observed | None, decode: Callable[[Captured], Heard | None]
    ) -> tuple[float | None, bool, int | None]:
        """Return the round trip, whether it is a guess, and the answer's time to live."""
        if answer is None:
            return None, False, None
        if not isinstance(answer, Observed) and len(self.syns) == 1:
            octets = answer.octets
            ttl = octets[8] if octets[0] >> 4 == 4 else octets[7]
            return (answer.at - self.syns[0].at) / SECOND, False, ttl

        def whole(seen: Captured | Observed) -> Observed:
            found = seen if isinstance(seen, Observed) else decode(seen)
            assert isinstance(found, Observed)
            return found

        heard = whole(answer)
        return *round_trip([whole(each) for each in self.syns], heard), heard.ttl
