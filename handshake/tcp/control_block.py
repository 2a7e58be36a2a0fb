"""The control block: what a socket remembers of a connection (section 3.3.1)."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final

from handshake.tcp.copy import changed, value
from handshake.tcp.space import Offer, ReceiveSpace, SendSpace
from handshake.tcp.state import Input, State, after
from handshake.units import MASK, MODULUS

if TYPE_CHECKING:
    from handshake.tcp.segment import Endpoint, Segment
    from handshake.tcp.seq import Seq

MAX_SHIFT: Final = 14
"""A larger window shift counts as this (RFC 7323 section 2.3)."""

_IN_FLAGS: Final = ("ecn", "accecn")
"""What a SYN offers by flags and not by options."""

DEFAULT_MSS: Final = {4: 536, 6: 1220}
"""The MSS of a peer that sends no MSS option, by IP version (section 3.7.1)."""


@value(frozen=True, slots=True)
class ControlBlock:
    """One end's memory of a connection. It never changes: `sent` and `received` return the next.

    One set of rules serves both ends, opener and listener alike. Numbers are checked
    first, then the segment is named, then the table of figure 5 is asked.
    """

    local: Endpoint
    """Our own endpoint."""

    remote: Endpoint | None = None
    """The peer; None while listening, for any peer."""

    state: State = State.CLOSED
    snd: SendSpace = field(default_factory=SendSpace)
    rcv: ReceiveSpace = field(default_factory=ReceiveSpace)

    passive: bool = False
    """Whether it came from a passive OPEN: a listener."""

    offered: Offer | None = None
    """What our SYN offered; None before it was sent."""

    peer_offered: Offer | None = None
    """What the peer's SYN offered; None before it came."""

    fin: Seq | None = None
    """The number of our FIN, from when it was sent."""

    ts_recent: int | None = None
    """TS.Recent: the peer's clock that we would echo now (RFC 7323 section 4.3)."""

    last_ack_sent: Seq | None = None
    """Last.ACK.sent: the last number we acknowledged (RFC 7323 section 4.3)."""

    inferred: bool = False
    """Whether part of it was inferred, not seen on the wire."""

    # What the two offers negotiated.

    @property
    def agreed(self) -> bool:
        """Whether both offers are known."""
        return self.offered is not None and self.peer_offered is not None

    @property
    def mss(self) -> int | None:
        """The largest payload we may send, in octets: the peer's MSS (section 3.7.1)."""
        if self.peer_offered is None or (self.peer_offered.cut and not self.peer_offered.mss):
            return None
        return self.peer_offered.mss or DEFAULT_MSS[self.local.version]

    @property
    def snd_shift(self) -> int | None:
        """Snd.Wind.Shift: how the peer's window fields are scaled; None where not known."""
        return self._shift(self.peer_offered)

    @property
    def rcv_shift(self) -> int | None:
        """Rcv.Wind.Shift: how our own window fields are scaled; None where not known."""
        return self._shift(self.offered)

    def _shift(self, offer: Offer | None) -> int | None:
        if self.offered is None or self.peer_offered is None or offer is None:
            return None
        # Both must offer it, or neither scales (RFC 7323 section 2.2).
        if self.offered.window_scale is None or self.peer_offered.window_scale is None:
            return None if self.offered.cut or self.peer_offered.cut else 0
        return min(offer.window_scale or 0, MAX_SHIFT)

    @property
    def sack(self) -> bool | None:
        """Whether selective acknowledgments are in force; None where not known."""
        return self._both("sack_permitted")

    @property
    def timestamps(self) -> bool | None:
        """Whether timestamps are in force; None where not known."""
        return self._both("timestamps")

    @property
    def ecn(self) -> bool | None:
        """Whether explicit congestion notification is in force; None where not known."""
        return self._both("ecn") or self.accecn

    @property
    def accecn(self) -> bool | None:
        """Whether ECN feedback is accurate (RFC 9768); None where not known."""
        return self._both("accecn")

    def _both(self, what: str) -> bool | None:
        if self.offered is None or self.peer_offered is None:
            return None
        ours, theirs = getattr(self.offered, what), getattr(self.peer_offered, what)
        if ours and theirs:
            return True
        if what in _IN_FLAGS or not (self.offered.cut or self.peer_offered.cut):
            return False
        # What was cut off may have been offered.
        return None if (ours or self.offered.cut) and (theirs or self.peer_offered.cut) else False

    # What moves it.

    def after(self, cause: Input) -> ControlBlock:
        """Return the block with its state moved as in figure 5."""
        state = after(self.state, cause, passive=self.passive)
        return self._next(state, self.snd, self.rcv, self.ts_recent, self.last_ack_sent)

    def sent(self, seg: Segment) -> ControlBlock:
        """Return the block after its own end sent `seg`."""
        if seg.rst:
            return self._sent_rst(seg)
        block = self._sent_syn(seg) if seg.syn else self
        snd = block.snd
        if snd.nxt is None or snd.nxt < seg.end:
            # By place, here and below, as `changed` takes twice as long.
            una = snd.una or seg.seq
            snd = SendSpace(snd.iss, una, seg.end, snd.wnd, snd.wl1, snd.wl2, snd.max_wnd)
        rcv, acked = block.rcv, block.last_ack_sent
        # The window in a SYN is never scaled (RFC 7323 section 2.2).
        shift = 0 if seg.syn else block.rcv_shift
        nxt, wnd = rcv.nxt, None if shift is None else seg.window << shift
        if seg.ack is not None:
            if nxt is None or nxt < seg.ack:
                nxt = seg.ack
            if acked is None or acked < seg.ack:
                acked = seg.ack
        if nxt is not rcv.nxt or wnd != rcv.wnd:
            rcv = ReceiveSpace(rcv.irs, nxt, wnd, rcv.held, rcv.fin)
        if snd is not block.snd or rcv is not block.rcv or acked is not block.last_ack_sent:
            block = block._next(block.state, snd, rcv, block.ts_recent, acked)
        if seg.fin and block.fin is None:
            block = changed(block, fin=seg.end - 1).after(Input.CLOSE)
        return block

    def _sent_rst(self, seg: Segment) -> ControlBlock:
        # Before both are synchronized, a RST with another number than SND.NXT answers a
        # segment that does not belong here, and the connection goes on (section 3.5.2).
        if not self.state.synchronized and seg.seq != self.snd.nxt:
            return self
        return self.after(Input.ABORT)

    def _sent_syn(self, seg: Segment) -> ControlBlock:
        if self.snd.iss == seg.seq:
            return self
        block = changed(
            self,
            remote=seg.destination,
            snd=SendSpace(seg.seq, seg.seq, seg.end, self.snd.wnd, self.snd.wl1, self.snd.wl2),
            offered=Offer.of(seg),
        )
        return block if seg.ack is not None else block.after(Input.ACTIVE_OPEN)

    def received(self, seg: Segment) -> ControlBlock:
        """Return the block after `seg` arrived, as section 3.10.7 processes it.

        A segment that is not acceptable changes nothing: see `acceptable`.
        """
        if not self.acceptable(seg):
            return self
        if self.state is State.LISTEN:
            return self._received_syn(seg).after(Input.RECV_SYN)
        if self.state is State.SYN_SENT:
            return self._received_in_syn_sent(seg)
        if seg.rst:
            return self.after(Input.RECV_RST)
        state, snd = self._acknowledged(seg)
        rcv, clock = self.rcv, self._timestamped(seg)
        if seg.length and not seg.syn:
            # Seventh and eighth step: take the data and the FIN, in order.
            rcv = rcv.take(seg)
            # FIN counts once all before it has come, and only once.
            if rcv.fin is not None and rcv.nxt is not None and rcv.nxt == rcv.fin:
                rcv = changed(rcv, nxt=rcv.fin + 1)
                state = after(state, Input.RECV_FIN, passive=self.passive)
        if snd is self.snd and rcv is self.rcv and clock == self.ts_recent and state is self.state:
            return self
        return self._next(state, snd, rcv, clock, self.last_ack_sent)

    def _next(
        self,
        state: State,
        snd: SendSpace,
        rcv: ReceiveSpace,
        ts_recent: int | None,
        last_ack_sent: Seq | None,
    ) -> ControlBlock:
        """Return the block with what a segment may change; by place, for speed."""
        # fmt: off
        return ControlBlock(
            self.local, self.remote, state, snd, rcv, self.passive, self.offered, self.peer_offered,
            self.fin, ts_recent, last_ack_sent, self.inferred,
        )
        # fmt: on

    def acceptable(self, seg: Segment) -> bool:
        """Whether section 3.10.7 lets the numbers of `seg` change anything here.

        A segment that is not acceptable is dropped; most are answered by an ACK or a RST.
        """
        if not self.state.synchronized:
            match self.state:
                case State.CLOSED:
                    return False
                case State.LISTEN:
                    return seg.syn and not seg.rst and seg.ack is None
                case State.SYN_SENT:
                    return self._acceptable_in_syn_sent(seg)
            if self.crossed(seg):
                return True
        if seg.rst:
            # Exactly at RCV.NXT, or it may be spoofed (RFC 5961 section 3.2).
            return seg.seq == self.rcv.nxt
        if seg.syn or seg.ack is None or self.too_old(seg) or not self.in_window(seg):
            return False
        if self.state is State.SYN_RECEIVED:
            return self.acknowledges_new(seg)
        return self.snd.nxt is None or (seg.ack <= self.snd.nxt and not self.acks_old(seg))

    def _acceptable_in_syn_sent(self, seg: Segment) -> bool:
        if seg.ack is None:
            return seg.syn and not seg.rst
        return (seg.syn or seg.rst) and self.acknowledges_new(seg)

    def acks_old(self, seg: Segment) -> bool:
        """Whether SEG.ACK < SND.UNA - MAX.SND.WND: a guess, or very late (RFC 5961 section 5)."""
        una, most = self.snd.una, self.snd.max_wnd
        if una is None or most is None or seg.ack is None or self.inferred:
            return False
        return most < una - seg.ack

    def acknowledges_new(self, seg: Segment) -> bool:
        """Whether SND.UNA < SEG.ACK =< SND.NXT."""
        una, nxt = self.snd.una, self.snd.nxt
        return una is not None and nxt is not None and seg.ack is not None and una < seg.ack <= nxt

    def crossed(self, seg: Segment) -> bool:
        """Whether `seg` is the SYN-ACK of a simultaneous open (figure 7, lines 5 and 6).

        Its SYN repeats the one that is known, so its number lies before the window; its
        ACK is what this end waits for.
        """
        return (
            self.state is State.SYN_RECEIVED
            and seg.syn
            and not seg.rst
            and seg.seq == self.rcv.irs
            and self.acknowledges_new(seg)
        )

    def in_window(self, seg: Segment) -> bool:
        """Whether part of `seg` lies in the receive window (table 6)."""
        nxt, wnd = self.rcv.nxt, self.rcv.wnd
        if nxt is None or wnd is None:
            return True
        # How far after RCV.NXT its first number lies: before it, that is nearly 2**32.
        first = (seg.seq.value - nxt.value) & MASK
        if seg.length == 0:
            return first == 0 if wnd == 0 else first < wnd
        return first < wnd or (first + seg.length - 1) & MASK < wnd

    def too_old(self, seg: Segment) -> bool:
        """Whether the peer's clock would run backwards: PAWS (RFC 7323 section 5.3)."""
        if self.ts_recent is None or not seg.options.raw or not self.timestamps:
            return False
        found = seg.options.timestamps
        if found is None:
            return False
        return 0 < (self.ts_recent - found.value) & MASK < MODULUS // 2

    def _received_syn(self, seg: Segment) -> ControlBlock:
        # Data in a SYN is not counted as accepted: with Fast Open that is the listener's
        # choice, and the number that it acknowledges shows it (RFC 7413 section 4.2.2).
        found = seg.options.timestamps
        return changed(
            self,
            remote=seg.source,
            rcv=changed(self.rcv, irs=seg.seq, nxt=seg.seq + 1),
            snd=changed(self.snd, wnd=seg.window, wl1=seg.seq, wl2=seg.ack),
            peer_offered=Offer.of(seg),
            ts_recent=None if found is None else found.value,
        )

    def _received_in_syn_sent(self, seg: Segment) -> ControlBlock:
        if seg.rst:
            return self.after(Input.RECV_RST)
        block = self._received_syn(seg)
        if seg.ack is None:
            return block.after(Input.RECV_SYN)
        return changed(block, snd=changed(block.snd, una=seg.ack)).after(Input.RECV_SYN_ACK)

    def _timestamped(self, seg: Segment) -> int | None:
        """Return TS.Recent after `seg`."""
        if not seg.options.raw or self.last_ack_sent is None or not self.timestamps:
            return self.ts_recent
        found = seg.options.timestamps
        if found is not None and seg.seq <= self.last_ack_sent and not seg.syn:
            return found.value
        return self.ts_recent

    def _acknowledged(self, seg: Segment) -> tuple[State, SendSpace]:
        """Fifth step: check the ACK field; return the state and the send space after it."""
        state, snd, ack, seq = self.state, self.snd, seg.ack, seg.seq
        una = snd.una
        assert ack is not None
        if una is not None and snd.nxt is not None and una < ack <= snd.nxt:
            una = ack
            if state is State.SYN_RECEIVED:
                state = after(state, Input.RECV_ACK_OF_SYN, passive=self.passive)
            if self.fin is not None and self.fin < ack:
                state = after(state, Input.RECV_ACK_OF_FIN, passive=self.passive)
        # An older segment must not put an older window in force.
        newer = snd.wl1 is None or snd.wl1 < seq
        again = newer or (snd.wl1 == seq and (snd.wl2 is None or snd.wl2 <= ack))
        if snd.una is not None and again and snd.una <= ack:
            shift = 0 if seg.syn else self.snd_shift
            wnd = None if shift is None else seg.window << shift
            most = None if wnd is None else max(wnd, snd.max_wnd or 0)
            return state, SendSpace(snd.iss, una, snd.nxt, wnd, seq, ack, most)
        return state, snd if una is snd.una else changed(snd, una=una)


def state_text(block: ControlBlock | None) -> str:
    """Return the state of an end: `?` if it is unknown, and `?` behind it if it is inferred."""
    return "?" if block is None else f"{block.state}{'?' if block.inferred else ''}"
