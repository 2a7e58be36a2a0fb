"""Parts of a control block: what was offered, and the two sequence spaces (section 3.3.1)."""

from __future__ import annotations

from functools import lru_cache
from heapq import nlargest
from typing import TYPE_CHECKING, Final

from handshake.tcp.copy import changed, value
from handshake.tcp.option_kinds import Kind
from handshake.tcp.segment import Flags, Segment
from handshake.tcp.seq import Seq
from handshake.units import MASK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.tcp.options import Options

_HELD_AT_MOST: Final = 64
"""Gaps remembered for one end. A real socket's buffer ends before that many matter."""

_NEAR: Final = 1 << 30
"""Numbers ahead of RCV.NXT, of which the order is certain: the largest window."""

_ECN: Final = int(Flags.AE | Flags.CWR | Flags.ECE)

_ECN_SYN: Final = {
    int(Flags.CWR | Flags.ECE): "classic",
    int(Flags.AE | Flags.CWR | Flags.ECE): "either",
}
"""What AE, CWR and ECE offer on a SYN (RFC 3168 section 6.1.1, RFC 9768 table 2)."""

_ECN_SYN_ACK: Final = {
    int(Flags.ECE): "classic",
    int(Flags.CWR): "accecn",  # the SYN came not marked ECN-capable
    int(Flags.CWR | Flags.ECE): "accecn",  # it came marked ECT(1)
    int(Flags.AE): "accecn",  # ECT(0)
    int(Flags.AE | Flags.CWR): "accecn",  # CE
    int(Flags.AE | Flags.ECE): "accecn",  # reserved, and to be taken so (section 3.1.3)
}
"""What they accept on a SYN-ACK. All three at once only reflect the SYN: a broken server."""


@value(frozen=True, slots=True)
class Offer:
    """What one end offered in its SYN: in force only where the other end agrees."""

    mss: int | None = None
    """The largest payload this end accepts, in octets; None without the option."""

    window_scale: int | None = None
    """The shift for the windows this end will advertise, as the header had it."""

    sack_permitted: bool = False
    timestamps: bool = False

    ecn: bool = False
    """Whether it offers ECN of RFC 3168, which an offer of AccECN includes as its fallback."""

    accecn: bool = False
    """Whether it offers accurate ECN feedback (RFC 9768 section 3.1)."""

    fast_open: bytes | None = None
    """The Fast Open cookie; empty where one was requested."""

    mptcp: str | None = None
    """The subtype of its Multipath TCP option, by name."""

    md5: bool = False
    """Whether it has an MD5 signature (RFC 2385)."""

    ao_key: int | None = None
    """The id of the key that TCP-AO signed it with."""

    user_timeout: int | None = None
    """How long it lets data go unacknowledged, in seconds (RFC 5482)."""

    cut: bool = False
    """Whether the capture cut off options: what is not here may have been offered."""

    @classmethod
    def of(cls, syn: Segment) -> Offer:
        """Return what this SYN or SYN-ACK offers."""
        ecn = (_ECN_SYN if syn.ack is None else _ECN_SYN_ACK).get(int(syn.flags) & _ECN)
        return cls._with_options(syn.options, ecn, cut=syn.cut)

    @classmethod
    @lru_cache(256)
    def _with_options(cls, options: Options, ecn: str | None, *, cut: bool) -> Offer:
        """Return what a SYN with these options offers; the tracker asks several times for each."""
        ao = options.ao
        return cls(
            mss=options.mss,
            window_scale=options.window_scale,
            sack_permitted=options.sack_permitted,
            timestamps=options.timestamps is not None,
            ecn=ecn in ("classic", "either"),
            accecn=ecn in ("accecn", "either"),
            fast_open=options.fast_open,
            mptcp=options.mptcp,
            md5=options.data(Kind.MD5) is not None,
            ao_key=None if ao is None else ao.key,
            user_timeout=options.user_timeout,
            cut=cut,
        )


@value(frozen=True, slots=True)
class SendSpace:
    """The send sequence variables (figure 3). Each is None while nothing is known of it."""

    iss: Seq | None = None
    """ISS: the number of our own SYN."""

    una: Seq | None = None
    """SND.UNA: the oldest number that is not acknowledged."""

    nxt: Seq | None = None
    """SND.NXT: the number to send next."""

    wnd: int | None = None
    """SND.WND: room at the peer, in octets (scaled)."""

    wl1: Seq | None = None
    """SND.WL1: SEG.SEQ of the last window update."""

    wl2: Seq | None = None
    """SND.WL2: SEG.ACK of the last window update."""

    max_wnd: int | None = None
    """MAX.SND.WND: the largest window that the peer ever had (RFC 5961 section 5.2)."""


@value(frozen=True, slots=True)
class ReceiveSpace:
    """The receive sequence variables (figure 4). Each is None while nothing is known of it."""

    irs: Seq | None = None
    """IRS: the number of the peer's SYN."""

    nxt: Seq | None = None
    """RCV.NXT: the number expected next."""

    wnd: int | None = None
    """RCV.WND: room here, as advertised, in octets (scaled)."""

    held: tuple[tuple[Seq, Seq], ...] = ()
    """Data received ahead of RCV.NXT: first number, and the one after the last, in order."""

    fin: Seq | None = None
    """The number of the peer's FIN, from when it was seen."""

    @property
    def waits(self) -> bool:
        """Whether data ahead of RCV.NXT is held: what an ACK passed is held no more."""
        return bool(self.held) and (self.nxt is None or self.held[-1][1] > self.nxt)

    def take(self, seg: Segment) -> ReceiveSpace:
        """Return the space with the data of `seg`, and with the held data that it reaches.

        Data ahead of RCV.NXT is held until the gap is filled (section 3.10.7.4).
        """
        nxt = seg.seq if self.nxt is None else self.nxt
        fin = seg.end - 1 if seg.fin and self.fin is None else self.fin
        if not self.held and (seg.seq is nxt or seg.seq <= nxt):
            # Nearly every segment comes in order.
            end = seg.end - 1 if seg.fin else seg.end
            end = end - 1 if seg.syn else end
            return ReceiveSpace(self.irs, max(nxt, end), self.wnd, (), fin)
        return self._taken(seg.seq, seg.payload_length, nxt, fin)

    def with_data(self, seq: Seq, length: int) -> ReceiveSpace:
        """Return the space with so many octets from `seq` on, as `take` does."""
        nxt = seq if self.nxt is None else self.nxt
        if not self.held and seq <= nxt:
            return ReceiveSpace(self.irs, max(nxt, seq + length), self.wnd, (), self.fin)
        return self._taken(seq, length, nxt, self.fin)

    def passed(self, ack: Seq) -> ReceiveSpace:
        """Return the space of an end that acknowledges so much: it came, captured or not."""
        if self.nxt is not None and ack <= self.nxt:
            return self
        return ReceiveSpace(self.irs, ack, self.wnd, self.held, self.fin)

    def _taken(self, seq: Seq, length: int, nxt: Seq, fin: Seq | None) -> ReceiveSpace:
        ahead = self._with_ahead(seq, length, nxt.value) if self.held and length else None
        if ahead is not None:
            return ReceiveSpace(self.irs, nxt, self.wnd, ahead, fin)
        held = list(self.held)
        if length and nxt < seq + length:
            held.append((seq, seq + length))
            held.sort(key=lambda block: block[0] - nxt)
        kept: list[tuple[Seq, Seq]] = []
        for first, end in held:
            if first <= nxt:
                nxt = max(nxt, end)
            elif kept and first <= kept[-1][1]:
                kept[-1] = (kept[-1][0], max(kept[-1][1], end))
            else:
                kept.append((first, end))
        return changed(self, nxt=nxt, held=tuple(kept[:_HELD_AT_MOST]), fin=fin)

    def _with_ahead(self, seq: Seq, length: int, nxt: int) -> tuple[tuple[Seq, Seq], ...] | None:
        """Return what is held with data that fills no gap; None if it may fill one.

        Where a number of `nxt` on is out of the half of the circle that follows, neither.
        """
        held = self.held
        # All as distances from `nxt`: those of the blocks rise, and no two blocks touch.
        first = (seq.value - nxt) & MASK
        top = (held[-1][1].value - nxt) & MASK
        if not (0 < first < _NEAR and 0 < (held[0][0].value - nxt) & MASK < top < _NEAR):
            return None
        if len(held) == _HELD_AT_MOST and first > top:
            return held
        end = first + length
        # The first block that this one reaches, by halves.
        low, high = 0, len(held)
        while low < high:
            middle = (low + high) // 2
            if (held[middle][1].value - nxt) & MASK < first:
                low = middle + 1
            else:
                high = middle
        after = low
        while after < len(held) and (held[after][0].value - nxt) & MASK <= end:
            after += 1
        if after > low:
            first = min(first, (held[low][0].value - nxt) & MASK)
            end = max(end, (held[after - 1][1].value - nxt) & MASK)
        block = Seq(nxt + first), Seq(nxt + end)
        return (*held[:low], block, *held[after:])[:_HELD_AT_MOST]


class Ranges:
    """Disjoint ranges of numbers in order, each to before its end; the numbers do not wrap.

    Every change of one range takes a time that grows with the logarithm of their count.
    """

    __slots__ = ("_ends", "octets")

    def __init__(self) -> None:
        # Few connections have a gap: the others need not load it.
        from sortedcontainers import SortedDict

        self._ends = SortedDict()
        """The end of each range, by its beginning."""

        self.octets = 0
        """How many numbers they have together."""

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._ends.items())

    @property
    def first(self) -> tuple[int, int]:
        """The lowest range. Raises IndexError where there is none."""
        begin, end = self._ends.peekitem(0)
        return begin, end

    @property
    def top(self) -> int:
        """The end of the highest range. Raises IndexError where there is none."""
        return int(self._ends.peekitem(-1)[1])

    def copy(self) -> Ranges:
        """Return the same, which changes by itself."""
        found = Ranges()
        found._ends.update(self._ends)
        found.octets = self.octets
        return found

    def add(self, begin: int, end: int) -> None:
        """Add the numbers of a range, joined with those that it overlaps or touches."""
        ends = self._ends
        at = ends.bisect_right(begin)
        if at and ends.peekitem(at - 1)[1] >= begin:
            at -= 1
        while at < len(ends):
            first, last = ends.peekitem(at)
            if first > end:
                break
            begin, end = min(begin, first), max(end, last)
            self._pop(at)
        ends[begin] = end
        self.octets += end - begin

    def remove(self, begin: int, end: int) -> int:
        """Remove the numbers of a range; return how many of them were there."""
        ends, before = self._ends, self.octets
        at = ends.bisect_right(begin)
        if at and ends.peekitem(at - 1)[1] > begin:
            at -= 1
        while at < len(ends):
            first, last = ends.peekitem(at)
            if first >= end:
                break
            self._pop(at)
            for left, right in ((first, begin), (end, last)):
                if left < right:
                    ends[left] = right
                    self.octets += right - left
            at += first < begin
        return before - self.octets

    def pop(self) -> tuple[int, int]:
        """Remove the lowest range and return it. Raises IndexError where there is none."""
        return self._pop(0)

    def _pop(self, at: int) -> tuple[int, int]:
        begin, end = self._ends.popitem(at)
        self.octets -= end - begin
        return begin, end

    def clear(self) -> None:
        """Remove all."""
        self._ends.clear()
        self.octets = 0

    def keep_largest(self, count: int) -> None:
        """Remove all but the `count` largest."""
        largest = nlargest(count, self._ends.items(), key=lambda each: each[1] - each[0])
        self.clear()
        self._ends.update(largest)
        self.octets = sum(end - begin for begin, end in largest)
