"""The speaker: what one end sends, first and again, and the control block that remembers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from handshake.endpoint.retransmission_timer import RetransmissionTimer
from handshake.endpoint.segment_builder import Headers
from handshake.tcp import ControlBlock, Endpoint, Flags, Offer, Segment, Seq, State

if TYPE_CHECKING:
    from handshake.endpoint.options import Manner
    from handshake.endpoint.send_buffer import Outbox
    from handshake.endpoint.timeouts import Patience

_MILLISECOND: Final = 1_000_000

Segments: TypeAlias = tuple[Segment, ...]


class Speaker:
    """Makes segments, each as it is sent at a time in nanoseconds."""

    def __init__(
        self,
        local: Endpoint,
        remote: Endpoint,
        iss: Seq,
        offer: Offer,
        ticks: int,
        patience: Patience,
        manner: Manner,
        path_mss: int,
    ) -> None:
        self.block = ControlBlock(local=local, remote=remote)
        """What our socket would know now."""

        self.timer = RetransmissionTimer(patience.rto, patience.retries)
        self.syn_sent = 0
        self._local = local
        self._remote = remote
        self._iss = iss
        self._ticks = ticks
        self._headers = Headers(offer, manner, path_mss)

    def syn(self, at: int) -> Segments:
        """Return our SYN: the first, or the same once more."""
        self.syn_sent += 1
        again = self.syn_sent > 1
        clock = self.clock(at)
        return self._sent(
            self._headers.opening(self._local, self._remote, self._iss, clock, again=again)
        )

    def say(self, flags: Flags, at: int, *, seq: Seq | None = None, data: bytes = b"") -> Segments:
        """Return a segment with these control bits; its number is the next one unless given."""
        seq = self.block.snd.nxt if seq is None else seq
        assert seq is not None
        return self._sent(self._headers.later(self.block, flags, self.clock(at), seq, data))

    def data(self, outbox: Outbox, at: int) -> Segments:
        """Return the data that may leave now."""
        out: Segments = ()
        for seq, octets, last in outbox.due(self.block, self._size):
            out += self.say(Flags.PSH | Flags.ACK if last else Flags.ACK, at, seq=seq, data=octets)
        if not outbox.rest(self.block):
            self.timer.stop()
        elif self.timer.at is None and (out or not self.block.snd.wnd):
            self.timer.start(at)
        return out

    def again(self, outbox: Outbox, at: int) -> Segments:
        """Retransmit the oldest of what nobody has acknowledged."""
        self.timer.back_off(at)
        match self.block.state:
            case State.SYN_SENT:
                return self.syn(at)
            case State.SYN_RECEIVED:
                return self.say(Flags.SYN | Flags.ACK, at, seq=self._iss)
        found = outbox.again(self.block, self._size)
        if found is not None:
            return self.say(Flags.PSH | Flags.ACK, at, seq=found[0], data=found[1])
        fin = self.block.fin
        return () if fin is None else self.say(Flags.FIN | Flags.ACK, at, seq=fin)

    @property
    def _size(self) -> int:
        return self._headers.payload(self.block)

    def _sent(self, seg: Segment) -> Segments:
        """Return the segment, and remember that it left."""
        self.block = self.block.sent(seg)
        return (seg,)

    def clock(self, at: int) -> int:
        """Return what our timestamps clock shows at a time, in milliseconds."""
        return self._ticks + at // _MILLISECOND
