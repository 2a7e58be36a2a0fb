"""Zeek's state of one side of a connection: state, sequence numbers, and letters written."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from handshake.tcp.seq import distance
from handshake.tracker.zeek.stream import Stream
from handshake.units import FIN_BIT, MODULUS, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from handshake.events.run import RunEnd

_MASK: Final = MODULUS - 1
_HALF: Final = MODULUS // 2
_OUTLANDISH: Final = 2**20
_LONGEST_RUN: Final = 2**25
"""More octets than a run has."""


class SideState(IntEnum):
    """What Zeek has seen of a side: names as in its TCP analyzer."""

    INACTIVE = 0
    """Nothing."""

    SYN_SENT = 1
    """An unanswered SYN."""

    SYN_ACK_SENT = 2
    """A SYN-ACK, from the side taken for the originator."""

    PARTIAL = 3
    """Segments, but no SYN."""

    ESTABLISHED = 4
    """An answered SYN, or the answer."""

    CLOSED = 5
    """A FIN."""

    RESET = 6
    """A RST."""


INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET = SideState


@dataclass(eq=False, slots=True)
class Side:
    """One side: `last` and `acked` are not reduced modulo 2**32."""

    port: int
    originator: bool
    """Whether Zeek takes it for the originator."""

    state: SideState = INACTIVE
    before: SideState = INACTIVE
    """Its state before this one."""

    iss: int = 0
    """The number of its SYN, or the one before its first octet if no SYN was captured."""

    last: int = 0
    """The number after the last octet that it sent."""

    acked: int = 0
    """The highest acknowledgment of its numbers."""

    closed: bool = False
    """Whether its end was noted: a FIN or RST, and all octets before it."""

    fins: int = 0
    fin_end: int = 0
    """The number after its last FIN, counted from its SYN."""

    last_syn: int = 0
    last_fin: int = 0
    last_rst: int = 0
    """The numbers of its last SYN, FIN and RST: a retransmission gets no letter."""

    seen: int = 0
    """The letters already written, of those that are written once: a bit for each."""

    repeated: int = 0
    windows_closed: int = 0
    gaps: int = 0
    packets: int = 0
    octets: int = 0
    """Octets of its IP packets, headers included."""

    stream: Stream = field(default_factory=Stream)

    @property
    def clean(self) -> bool:
        """Whether it opened normally, and closed normally if it closed."""
        state = self.state
        return state is ESTABLISHED or (state is CLOSED and self.before is ESTABLISHED)

    @property
    def unacknowledged(self) -> bool:
        """Whether none of its octets after the SYN was acknowledged."""
        return self.acked - self.iss <= 1

    @property
    def size(self) -> int:
        """How many octets of payload its sequence numbers span."""
        numbers = max(self.last, self.acked) - self.iss
        # The SYN takes a number even if it was not captured, and so does the FIN.
        return max(0, numbers - 1 - (self.fins > 0)) if numbers > 0 else 0

    def size_beside(self, peer: Side) -> int:
        """Return its size, but 0 if it only aborted an unanswered attempt."""
        gave_up = self.state is RESET and self.before is SYN_SENT and peer.state is INACTIVE
        # Such an ACK belongs to an older connection: its number means nothing here.
        return 0 if gave_up and not self.unacknowledged else self.size

    def settled(self, nxt: int, acked: int) -> bool:
        """Whether it is open, and these are its next number and the last that was acknowledged."""
        stream = self.stream
        return (
            self.state in (ESTABLISHED, PARTIAL)
            and not (self.closed or self.fins)
            and self.packets > 0
            and self.last & _MASK == nxt
            and self.acked & _MASK == acked
            and stream.freed <= stream.delivered
            # Where the 32 bits wrap for the first time, Zeek counts on from elsewhere.
            and all(
                (number - self.iss) & _MASK < _HALF - _LONGEST_RUN or number >= MODULUS
                for number in (self.last, self.acked)
            )
        )

    def skip(self, sent: RunEnd, answer: RunEnd) -> int:
        """Take a run into account; return how many octets were acknowledged and not captured."""
        stream, missed = self.stream, 0
        self.packets += sent.segments
        self.octets += sent.octets
        self.last += sent.payload
        self.acked += answer.gained
        acked = self.acked - self.iss
        if sent.gaps:
            if sent.clean:
                self.gaps += sent.gaps
                missed = acked - stream.delivered
            stream.delivered = acked
        elif sent.carrying and sent.whole:
            stream.delivered = self.last - self.iss
        if answer.gained and acked > stream.freed:
            stream.freed = acked
        return missed

    def become(self, state: SideState) -> None:
        """Enter a state."""
        if state is not self.state:
            self.before, self.state = self.state, state

    def start_at(self, seq: int, last: int) -> None:
        """Count from `seq` on."""
        self.iss = self.acked = seq & _MASK
        self.last = last & _MASK

    def begin(self, flags: int, seq: int, end: int) -> None:
        """Set the initial number, if this segment decides it."""
        if flags & SYN_BIT:
            state = self.state
            if (
                state is INACTIVE
                or state in (ESTABLISHED, PARTIAL)
                or (state is RESET and self.before is INACTIVE)
                or (state in (SYN_SENT, SYN_ACK_SENT) and seq != self.iss)
            ):
                self.start_at(seq, end)
        elif self.state is INACTIVE:
            self.start_at(seq - 1, seq)

    def place(self, seq: int, near: int) -> int:
        """Return the position of `seq`, counted from its SYN; negative before it.

        `near` is the last number of that kind: it tells how often the 32 bits wrapped.
        """
        full = near + distance(near, seq)
        return full - self.iss if full >= MODULUS else distance(self.iss, seq)

    def sent(self, flags: int, end: int, length: int) -> bool:
        """Note the number after a segment; return whether its payload was sent before."""
        more = distance(self.last, end)
        if flags & (SYN_BIT | RST_BIT) and abs(more) > _OUTLANDISH:
            return False
        # A FIN is accepted where all data before it was missed: 2 GiB ahead looks like behind.
        only_fin = flags & FIN_BIT and (self.last - self.iss - 1) & _MASK == 0
        if only_fin or (more > 0 and self.state is not RESET):
            self.last += (end - self.last) & _MASK
            return False
        return length > 0 and self.state is not RESET

    def acknowledge(self, ack: int) -> None:
        """Note that its numbers before `ack` were acknowledged."""
        more = distance(self.acked, ack)
        # Zero and far ahead is a damaged ACK rather than a long stream.
        if more > 0 and (ack or more <= _OUTLANDISH):
            self.acked += more
