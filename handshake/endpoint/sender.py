"""Send and retransmit the segments of one end; keep its control block."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.endpoint.segment_builder import SegmentBuilder, path_mss
from handshake.tcp import ControlBlock, Endpoint, Flags, Offer, Segment, Seq, State
from handshake.units import NS_PER_MS, NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.endpoint.buffers import SendBuffer
    from handshake.endpoint.options import ClientOptions, Timeouts


Segments: TypeAlias = tuple[Segment, ...]


_LEAST_MTU: Final = {4: (68, 576), 6: (1280, 1280)}
"""The smallest MTU of a link, and of a path whose MTU is unknown, by version of IP (RFC 791)."""


_LEAST_VARIATION: Final = NS_PER_SECOND // 5
"""What Linux adds to the round trip at least, in nanoseconds (TCP_RTO_MIN)."""


class RetransmissionTimer:
    """When to retransmit; each timeout is twice as long as the last (RFC 6298)."""

    def __init__(self, rto: int, retries: int, linear: int = 0) -> None:
        """After `linear` retransmissions of the SYN the timeout stays as it is."""
        self.linear = linear
        self._initial_rto = rto
        self._retries = retries
        self._rto = rto
        self._left = 0
        self.at: int | None = None
        """When it expires; None while it is off."""

        self.gives_up_at: int | None = None
        """When the last retransmission would have expired, too; None before that was sent."""

    @property
    def expired(self) -> int:
        """How often it has expired since it was started."""
        return self._retries - self._left

    def allow(self, retries: int | None) -> None:
        """Retransmit so often from the next start on; None for as often as before."""
        self._retries = self._retries if retries is None else retries

    def measured(self, rtt: int) -> None:
        """Set the timeout by the first round trip, as Linux does (RFC 6298 section 2.2)."""
        self._initial_rto = rtt + max(_LEAST_VARIATION, 2 * rtt)

    def start(self, now: int) -> None:
        """Start for a segment sent for the first time."""
        self._rto, self._left = self._initial_rto, self._retries
        self._arm(now)

    def back_off(self, now: int) -> None:
        """Start for a retransmission, with twice the timeout."""
        if self.linear:
            self.linear -= 1
        else:
            self._rto *= 2
        self._left -= 1
        self._arm(now)

    def restart(self, now: int) -> None:
        """Run as long as before, if it runs: its segment was sent again for another reason."""
        if self.at is not None:
            self.at = now + self._rto

    def postpone(self, late: int) -> None:
        """Expire so many nanoseconds later, if it runs."""
        if self.at is not None:
            self.at += late
        if self.gives_up_at is not None:
            self.gives_up_at += late

    def hasten(self, at: int) -> None:
        """Expire at a time already, if it runs."""
        if self.at is not None:
            self.at = min(self.at, at)

    def stop(self) -> None:
        """Turn it off."""
        self.at = self.gives_up_at = None

    def _arm(self, now: int) -> None:
        expires = now + self._rto
        self.at, self.gives_up_at = (expires, None) if self._left else (None, expires)


class Sender:
    """Make the segments of one end; times are in nanoseconds."""

    def __init__(
        self,
        local: Endpoint,
        remote: Endpoint,
        iss: Seq,
        offer: Offer,
        ticks: int,
        timeouts: Timeouts,
        options: ClientOptions,
        path_mss: int,
    ) -> None:
        self.block = ControlBlock(local=local, remote=remote)
        """The current control block."""

        self.timer = RetransmissionTimer(timeouts.rto, timeouts.retries, timeouts.linear)
        self.syn_sent = 0
        self._local = local
        self._remote = remote
        self._iss = iss
        self._ticks = ticks
        self._builder = SegmentBuilder(offer, options, path_mss)

    def syn(self, at: int) -> Segments:
        """Return our first segment, or a retransmission of it."""
        self.syn_sent += 1
        clock, repeat = self.clock(at), self.syn_sent > 1
        return self._sent(
            self._builder.opening(
                self._local, self._remote, self._iss, clock, retransmission=repeat
            )
        )

    def send(self, flags: Flags, at: int, *, seq: Seq | None = None, data: bytes = b"") -> Segments:
        """Return a segment with these control bits; its sequence number is SND.NXT unless given."""
        seq = self.block.snd.nxt if seq is None else seq
        assert seq is not None
        return self._sent(self._builder.later(self.block, flags, self.clock(at), seq, data))

    def data(self, send_buffer: SendBuffer, at: int) -> Segments:
        """Return the data segments that may be sent now."""
        out: Segments = ()
        for seq, octets, last in send_buffer.due(self.block, self._size):
            out += self.send(Flags.PSH | Flags.ACK if last else Flags.ACK, at, seq=seq, data=octets)
        if not send_buffer.rest(self.block):
            self.timer.stop()
        elif self.timer.at is None and (out or not self.block.snd.wnd):
            self.timer.start(at)
        return out

    def retransmit(self, send_buffer: SendBuffer, at: int) -> Segments:
        """Retransmit the oldest unacknowledged segment."""
        self.timer.back_off(at)
        match self.block.state:
            case State.SYN_SENT:
                return self.syn(at)
            case State.SYN_RECEIVED:
                return self.send(Flags.SYN | Flags.ACK, at, seq=self._iss)
        found = send_buffer.retransmit(self.block, self._size)
        if found is not None:
            return self.send(Flags.PSH | Flags.ACK, at, seq=found[0], data=found[1])
        fin = self.block.fin
        return () if fin is None else self.send(Flags.FIN | Flags.ACK, at, seq=fin)

    def shrink(self, mtu: int) -> bool:
        """Send smaller segments from now on, for a path with this MTU; return whether they are.

        Old routers do not report the MTU, 0: then it is the least that hosts can receive whole.
        """
        version = self._remote.version
        least = _LEAST_MTU[version]
        room = path_mss(max(mtu, least[0]) if mtu else least[1], version)
        if room >= self._builder.path_mss:
            return False
        self._builder = replace(self._builder, path_mss=room)
        return True

    @property
    def _size(self) -> int:
        return self._builder.payload(self.block)

    def _sent(self, seg: Segment) -> Segments:
        """Apply the segment to the control block; return it."""
        self.block = self.block.sent(seg)
        return (seg,)

    def clock(self, at: int) -> int:
        """Return our timestamp clock at a time, in milliseconds."""
        return self._ticks + at // NS_PER_MS
