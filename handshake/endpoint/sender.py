"""The speaker: what one end sends, first and again, and the control block that remembers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from handshake.endpoint.segment_builder import SegmentBuilder
from handshake.tcp import ControlBlock, Endpoint, Flags, Offer, Segment, Seq, State
from handshake.units import NS_PER_MS

if TYPE_CHECKING:
    from handshake.endpoint.options import ClientOptions
    from handshake.endpoint.send_buffer import SendBuffer
    from handshake.endpoint.timeouts import Timeouts


Segments: TypeAlias = tuple[Segment, ...]


class RetransmissionTimer:
    """When to send again what nobody has acknowledged; each wait is twice as long as the last."""

    def __init__(self, rto: int, retries: int) -> None:
        self._first = rto
        self._allowed = retries
        self._rto = rto
        self._left = 0
        self.at: int | None = None
        """When it expires; None while nothing is to be sent again."""

    def start(self, now: int) -> None:
        """Wait for the answer to something new."""
        self._rto, self._left = self._first, self._allowed
        self._wait(now)

    def back_off(self, now: int) -> None:
        """Wait for the answer to what is sent again now."""
        self._rto *= 2
        self._left -= 1
        self._wait(now)

    def stop(self) -> None:
        """Wait for nothing."""
        self.at = None

    def _wait(self, now: int) -> None:
        self.at = now + self._rto if self._left else None


class Sender:
    """Makes segments, each as it is sent at a time in nanoseconds."""

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
        """What our socket would know now."""

        self.timer = RetransmissionTimer(timeouts.rto, timeouts.retries)
        self.syn_sent = 0
        self._local = local
        self._remote = remote
        self._iss = iss
        self._ticks = ticks
        self._builder = SegmentBuilder(offer, options, path_mss)

    def syn(self, at: int) -> Segments:
        """Return our SYN: the first, or the same once more."""
        self.syn_sent += 1
        again = self.syn_sent > 1
        clock = self.clock(at)
        return self._sent(
            self._builder.opening(self._local, self._remote, self._iss, clock, again=again)
        )

    def send(self, flags: Flags, at: int, *, seq: Seq | None = None, data: bytes = b"") -> Segments:
        """Return a segment with these control bits; its number is the next one unless given."""
        seq = self.block.snd.nxt if seq is None else seq
        assert seq is not None
        return self._sent(self._builder.later(self.block, flags, self.clock(at), seq, data))

    def data(self, send_buffer: SendBuffer, at: int) -> Segments:
        """Return the data that may leave now."""
        out: Segments = ()
        for seq, octets, last in send_buffer.due(self.block, self._size):
            out += self.send(Flags.PSH | Flags.ACK if last else Flags.ACK, at, seq=seq, data=octets)
        if not send_buffer.rest(self.block):
            self.timer.stop()
        elif self.timer.at is None and (out or not self.block.snd.wnd):
            self.timer.start(at)
        return out

    def again(self, send_buffer: SendBuffer, at: int) -> Segments:
        """Retransmit the oldest of what nobody has acknowledged."""
        self.timer.back_off(at)
        match self.block.state:
            case State.SYN_SENT:
                return self.syn(at)
            case State.SYN_RECEIVED:
                return self.send(Flags.SYN | Flags.ACK, at, seq=self._iss)
        found = send_buffer.again(self.block, self._size)
        if found is not None:
            return self.send(Flags.PSH | Flags.ACK, at, seq=found[0], data=found[1])
        fin = self.block.fin
        return () if fin is None else self.send(Flags.FIN | Flags.ACK, at, seq=fin)

    @property
    def _size(self) -> int:
        return self._builder.payload(self.block)

    def _sent(self, seg: Segment) -> Segments:
        """Return the segment, and remember that it left."""
        self.block = self.block.sent(seg)
        return (seg,)

    def clock(self, at: int) -> int:
        """Return what our timestamps clock shows at a time, in milliseconds."""
        return self._ticks + at // NS_PER_MS
