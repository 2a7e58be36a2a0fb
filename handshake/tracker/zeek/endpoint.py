"""One side of a connection as Zeek keeps it: its state, its numbers, and what it did already."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from handshake.tracker.zeek.stream import Stream
from handshake.units import FIN_BIT, MODULUS, RST_BIT, SYN_BIT

_MASK: Final = MODULUS - 1
_HALF: Final = 2**31
_OUTLANDISH: Final = 2**20


class SideState(IntEnum):
    """What Zeek has seen of a side: names as in its TCP analyzer."""

    INACTIVE = 0
    """Nothing."""

    SYN_SENT = 1
    """A SYN that nobody answered."""

    SYN_ACK_SENT = 2
    """A SYN,ACK, from the side that is taken for the caller."""

    PARTIAL = 3
    """Segments, but no SYN."""

    ESTABLISHED = 4
    """An answered SYN, or the answer."""

    CLOSED = 5
    """A FIN."""

    RESET = 6
    """A RST."""


INACTIVE, SYN_SENT, SYN_ACK_SENT, PARTIAL, ESTABLISHED, CLOSED, RESET = SideState


def ahead(seq: int, other: int) -> int:
    """Return how far `seq` is ahead of `other` on the circle; negative where it is behind."""
    return ((seq - other + _HALF) & _MASK) - _HALF


class Side:
    """One side: `last` and `acked` count on where 32 bits begin anew."""

    __slots__ = (
        "acked",
        "before",
        "closed",
        "fin_end",
        "fins",
        "gaps",
        "iss",
        "last",
        "last_fin",
        "last_rst",
        "last_syn",
        "octets",
        "originator",
        "packets",
        "port",
        "repeated",
        "seen",
        "state",
        "stream",
        "windows_closed",
    )

    port: int
    originator: bool
    """Whether Zeek takes it for the caller."""

    state: SideState
    before: SideState
    """The state that it was in before this one."""

    iss: int
    """The number of its SYN, or that before its first octet where no SYN was seen."""

    last: int
    """The number after the last that it sent."""

    acked: int
    """The highest number of its own that was acknowledged."""

    closed: bool
    """Whether its end was noted: a FIN or RST, and all octets before it."""

    fins: int
    fin_end: int
    """The number after its last FIN, counted from its SYN."""

    last_syn: int
    last_fin: int
    last_rst: int
    """Where its last SYN, FIN and RST stood: the same one once more is not worth a letter."""

    seen: int
    """Which letters that are written once have been written: a bit for each."""

    repeated: int
    windows_closed: int
    gaps: int
    packets: int
    octets: int
    """Octets of its IP packets, headers and all."""

    def __init__(self, port: int, *, originator: bool) -> None:
        self.port = port
        self.originator = originator
        self.state = self.before = INACTIVE
        self.iss = self.last = self.acked = 0
        self.closed = False
        self.fins = self.fin_end = self.last_syn = self.last_fin = self.last_rst = 0
        self.seen = self.repeated = self.windows_closed = self.gaps = 0
        self.packets = self.octets = 0
        self.stream = Stream()

    @property
    def clean(self) -> bool:
        """Whether it opened as it should, and closed so if it closed."""
        state = self.state
        return state is ESTABLISHED or (state is CLOSED and self.before is ESTABLISHED)

    @property
    def unheard(self) -> bool:
        """Whether nothing that it sent was acknowledged, but for its SYN."""
        return self.acked - self.iss <= 1

    @property
    def size(self) -> int:
        """How many octets of payload its numbers speak of."""
        numbers = max(self.last, self.acked) - self.iss
        # The SYN has a number, also where it was not seen; and so has the FIN.
        return max(0, numbers - 1 - (self.fins > 0)) if numbers > 0 else 0

    def size_beside(self, peer: Side) -> int:
        """Return its size, but 0 where it only gave a call up that nobody answered."""
        gave_up = self.state is RESET and self.before is SYN_SENT and peer.state is INACTIVE
        # Such an ACK belongs to an older connection, and its number says nothing.
        return 0 if gave_up and not self.unheard else self.size

    def become(self, state: SideState) -> None:
        """Enter a state."""
        if state is not self.state:
            self.before, self.state = self.state, state

    def start_at(self, seq: int, last: int) -> None:
        """Count from `seq` on."""
        self.iss = self.acked = seq & _MASK
        self.last = last & _MASK

    def begin(self, flags: int, seq: int, end: int) -> None:
        """Choose where to count from, if this segment decides that."""
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
        """Return where `seq` stands, counted from its SYN; negative where before it.

        `near` is the last number of that kind, which tells how often 32 bits began anew.
        """
        full = near + ahead(seq, near & _MASK)
        return full - self.iss if full >= MODULUS else ahead(seq, self.iss)

    def sent(self, flags: int, end: int, length: int) -> bool:
        """Note the number after a segment; return whether its payload came before."""
        more = ahead(end, self.last & _MASK)
        if flags & (SYN_BIT | RST_BIT) and abs(more) > _OUTLANDISH:
            return False
        # A FIN is believed where all data between was missed: 2 GiB ahead looks like behind.
        only_fin = flags & FIN_BIT and (self.last - self.iss - 1) & _MASK == 0
        if only_fin or (more > 0 and self.state is not RESET):
            self.last += (end - self.last) & _MASK
            return False
        return length > 0 and self.state is not RESET

    def heard_ack(self, ack: int) -> None:
        """Note that its numbers before `ack` arrived."""
        more = ahead(ack, self.acked & _MASK)
        # Zero and far ahead is a broken ACK rather than a long stream.
        if more > 0 and (ack or more <= _OUTLANDISH):
            self.acked += more
