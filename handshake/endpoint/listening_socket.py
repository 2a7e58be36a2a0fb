"""A socket that listens: its half-open entries, its accept queue, its SYN cookies.

As Linux: a SYN is dropped while the accept queue is full, and so is the ACK that would complete a
handshake then; the SYN-ACK is retransmitted until it is given up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import blake2s
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.endpoint.options import ClientOptions, Timeouts
from handshake.endpoint.outcome import Notes
from handshake.endpoint.rejection import dropped
from handshake.endpoint.segment_builder import ETHERNET, LINUX
from handshake.endpoint.tcp_socket import TcpSocket
from handshake.tcp import Flags, Offer, Segment, State
from handshake.units import NS_PER_MS, NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.endpoint.sender import Segments
    from handshake.endpoint.syn_cookies import SynCookies
    from handshake.tcp import Endpoint, Observed, Seq

SYNACK_RETRIES: Final = Timeouts(rto=NS_PER_SECOND, retries=5)
"""SYN-ACKs at 0, 1, 3, 7, 15 and 31 s, and given up after 63 s (tcp_synack_retries of Linux)."""

_ALWAYS_ROOM: Final = 8
_LEAST_RETRANSMISSIONS: Final = 2
"""Of a SYN-ACK, where more than half of the backlog, or of 8 entries, is taken (Linux 6.18)."""


class Path(NamedTuple):
    """What a connection with one remote end begins with."""

    offer: Offer
    mss: int
    """The largest segment our side of the path carries, in octets of options and data."""

    ticks: int
    """Our timestamp clock at time 0, in milliseconds."""


@dataclass(kw_only=True)
class ListeningSocket:
    """A socket in LISTEN. `receive` takes the segments of its port that no open connection takes.

    A connection that is `accepted` is the caller's: its segments and timers no more concern the
    listener.
    """

    local: Endpoint
    isn: Callable[[Endpoint, int], Seq]
    """Returns an initial sequence number for a connection with this remote end at a time."""

    offer: Offer = LINUX
    ticks: int = 0
    """Our timestamp clock at time 0, in milliseconds."""

    backlog: int = 128
    """Each queue holds one more than this, as on Linux (6.18)."""

    cookies: SynCookies | None = None
    """What answers SYNs where there is no room for half-open entries (tcp_syncookies); None to drop
    them."""

    always_cookies: bool = False
    """Whether every SYN is answered with a cookie, and nothing remembered (tcp_syncookies 2)."""

    fast_open: bytes = b""
    """The secret of Fast Open cookies; empty where Fast Open is off (TCP_FASTOPEN)."""

    timeouts: Timeouts = SYNACK_RETRIES
    options: ClientOptions = field(default_factory=ClientOptions)
    path_mss: int = ETHERNET
    path: Callable[[Endpoint], Path] | None = None
    """Returns what connections with this remote end begin with; None where all begin alike, with
    `offer`, `path_mss` and `ticks`."""

    half_open: dict[Endpoint, TcpSocket] = field(init=False, default_factory=dict)
    """The half-open entries, by their remote end: in SYN-RECEIVED."""

    waiting: dict[Endpoint, TcpSocket] = field(init=False, default_factory=dict)
    """The accept queue: connections that the program has not accepted yet, by remote end."""

    dropped_syns: int = field(init=False, default=0)
    """SYNs dropped because a queue was full (TcpExtListenDrops)."""

    overflows: int = field(init=False, default=0)
    """How often the accept queue was full (TcpExtListenOverflows)."""

    notes: Notes = field(init=False, default_factory=Notes)

    @property
    def full(self) -> bool:
        """Whether the accept queue takes no more."""
        return len(self.waiting) > self.backlog

    @property
    def deadline(self) -> int | None:
        """When `on_timer` is due; None while no timer runs."""
        due = (each.deadline for each in self._sockets)
        return min((at for at in due if at is not None), default=None)

    def accept(self) -> TcpSocket | None:
        """Return the first connection that waits; None if there is none."""
        first = next(iter(self.waiting), None)
        return None if first is None else self.waiting.pop(first)

    def receive(self, observed: Observed, at: int) -> Segments:
        """Process a received segment (section 3.10.7.2)."""
        seg = observed.segment
        if dropped(observed, self.options.md5, self.notes):
            return ()
        entry = self.half_open.get(seg.source)
        if entry is not None:
            return self._entry(entry, observed, at)
        if seg.source in self.waiting:
            return self.waiting[seg.source].receive(observed, at)
        if seg.rst:
            return ()
        if seg.ack is not None:
            return self._cookie(observed, at)
        return self._syn(seg, at) if seg.syn else ()

    def on_timer(self, at: int) -> Segments:
        """Retransmit SYN-ACKs that are due; forget the entries that are given up."""
        out: Segments = ()
        for each in self._sockets:
            if each.deadline is not None and each.deadline <= at:
                waits = each.remote in self.half_open
                if waits and each.retransmitted >= self._most_retransmissions:
                    each.give_up()
                else:
                    out += each.on_timer(at)
            if each.done:
                self.half_open.pop(each.remote, None)
        return out

    @property
    def _most_retransmissions(self) -> int:
        """How often a SYN-ACK is sent again: as on Linux seldom where old entries take the room."""
        most, count = self.timeouts.retries, len(self.half_open)
        if 2 * count <= max(_ALWAYS_ROOM, self.backlog):
            return most
        young = 2 * sum(not each.retransmitted for each in self.half_open.values())
        while most > _LEAST_RETRANSMISSIONS and count >= young:
            most -= 1
            young *= 2
        return most

    @property
    def _sockets(self) -> tuple[TcpSocket, ...]:
        return (*self.half_open.values(), *self.waiting.values())

    def _syn(self, syn: Segment, at: int) -> Segments:
        if self.full:
            self.overflows += 1
            self.dropped_syns += 1
            return ()
        no_room = len(self.half_open) > self.backlog
        if self.cookies is not None and (no_room or self.always_cookies):
            return self._stateless(self.cookies, syn, at)
        if no_room:
            self.dropped_syns += 1
            return ()
        entry = self.connection(syn.source, at)
        if self.fast_open and syn.options.fast_open == self.cookie(syn.source):
            # The program need not wait for the ACK: it may read, and answer, at once.
            self.waiting[syn.source] = entry
            return entry.accepts(syn, at, with_data=True)
        self.half_open[syn.source] = entry
        return entry.accepts(syn, at)

    def connection(self, remote: Endpoint, at: int) -> TcpSocket:
        """Return a socket in CLOSED for a connection with a remote end."""
        return self._connection(remote, self.isn(remote, at))

    def cookie(self, client: Endpoint) -> bytes:
        """Return the Fast Open cookie of a client."""
        return fast_open_cookie(client, self.fast_open)

    def _entry(self, entry: TcpSocket, observed: Observed, at: int) -> Segments:
        seg = observed.segment
        if self.full and seg.ack is not None and not seg.rst and entry.block.acceptable(seg):
            # The handshake is complete for the client, and the ACK is dropped all the same.
            self.overflows += 1
            return ()
        out = entry.receive(observed, at)
        if entry.done:
            del self.half_open[entry.remote]
        elif entry.state is not State.SYN_RECEIVED:
            self.waiting[entry.remote] = self.half_open.pop(entry.remote)
        return out

    def _stateless(self, cookies: SynCookies, syn: Segment, at: int) -> Segments:
        """Answer a SYN, and forget it."""
        ticks = self._path(syn.source).ticks
        clock = ticks + at // NS_PER_MS
        ticks += cookies.clock(clock, Offer.of(syn)) - clock
        return self._connection(syn.source, cookies.iss(syn, at), ticks).accepts(syn, at)

    def _cookie(self, observed: Observed, at: int) -> Segments:
        """Take an ACK without an entry: it may acknowledge a cookie; else it gets a RST."""
        seg = observed.segment
        assert seg.ack is not None
        offer = None
        if self.cookies is not None and not seg.syn:
            offer = self.cookies.offer(seg, at)
        if offer is None:
            return (Segment(seg.destination, seg.source, seg.ack, None, Flags.RST, window=0),)
        if self.full:
            self.overflows += 1
            return ()
        entry = self._connection(seg.source, seg.ack - 1)
        entry.resumes(seg, offer)
        self.waiting[entry.remote] = entry
        return entry.receive(observed, at)

    def _path(self, remote: Endpoint) -> Path:
        if self.path is None:
            return Path(self.offer, self.path_mss, self.ticks)
        return self.path(remote)

    def _connection(self, remote: Endpoint, iss: Seq, ticks: int | None = None) -> TcpSocket:
        path = self._path(remote)
        offer = path.offer
        if self.fast_open:
            offer = replace(offer, fast_open=self.cookie(remote))
        return TcpSocket(
            local=self.local,
            remote=remote,
            iss=iss,
            offer=offer,
            ticks=path.ticks if ticks is None else ticks,
            timeouts=self.timeouts,
            options=self.options,
            path_mss=path.mss,
        )


def fast_open_cookie(client: Endpoint, secret: bytes) -> bytes:
    """Return the Fast Open cookie of a client: 8 octets by its address and the secret."""
    return blake2s(client.address.packed, key=secret[:32], digest_size=8).digest()
