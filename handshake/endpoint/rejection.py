"""What is not believed, and what answers it: challenge ACK, RST or nothing.

See RFC 9293 section 3.10.7, RFC 2385, RFC 5927.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.tcp import Flags, Seq, State
from handshake.tcp.option_kinds import Kind
from handshake.tcp.signature import verified
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.endpoint.outcome import Notes
    from handshake.tcp import ControlBlock, Observed, Segment
    from handshake.tcp.icmp import IcmpError


ANSWER_INTERVAL: Final = NS_PER_SECOND // 2
"""At least this long between two answers, to prevent ACK loops and ACK storms (RFC 5961)."""


class Rejection(NamedTuple):
    """The segment that answers an unacceptable one."""

    flags: Flags
    seq: Seq | None = None
    """Its sequence number; None for SND.NXT."""


class Rejections:
    """Answer unacceptable segments, at a limited rate, and note the unusual ones."""

    def __init__(self, iss: Seq, notes: Notes) -> None:
        self._iss = iss
        self._notes = notes
        self._answered: dict[Flags, int] = {}

    def __bool__(self) -> bool:
        """Whether anything was answered: what is sent then depends on time, too."""
        return bool(self._answered)

    def answer(self, block: ControlBlock, seg: Segment, at: int) -> Rejection | None:
        """Return the answer, if there is one: each kind at most twice a second.

        As Linux, it always answers data: that may be sent again because our ACK was lost.
        """
        found = self._rst(block, seg) if seg.rst else self._other(block, seg)
        if found is None:
            return None
        last = self._answered.get(found.flags)
        limited = seg.syn or not seg.length
        if limited and last is not None and at - last < ANSWER_INTERVAL:
            return None
        self._answered[found.flags] = at
        return found

    def _other(self, block: ControlBlock, seg: Segment) -> Rejection | None:
        match block.state:
            case State.SYN_SENT if seg.ack is not None and not block.acknowledges_new(seg):
                what = "SYN-ACK" if seg.syn else "ACK"
                self._notes.add("wrong-ack", what=what, ack=seg.ack, expected=self._iss + 1)
                return Rejection(Flags.RST, seg.ack)
            case State.SYN_SENT:
                if seg.ack is not None:
                    self._notes.add("bare-ack")
                return None
            case State.SYN_RECEIVED if _wrong_ack(block, seg):
                return Rejection(Flags.RST, seg.ack)
        return Rejection(Flags.ACK)

    def _rst(self, block: ControlBlock, seg: Segment) -> Rejection | None:
        self._notes.add("rst-ignored", segment=seg)
        # In the window, but not at RCV.NXT: send a challenge ACK (RFC 5961 section 3.2).
        if block.state.synchronized and block.in_window(seg):
            return Rejection(Flags.ACK)
        return None


def _wrong_ack(block: ControlBlock, seg: Segment) -> bool:
    """Whether a segment is wrong in SYN-RECEIVED by its ACK (section 3.10.7.4, fifth step).

    A SYN in the window is checked before that, and gets a challenge ACK (fourth step).
    """
    if seg.ack is None or seg.syn or not block.in_window(seg):
        return False
    return not block.acknowledges_new(seg)


def dropped(observed: Observed, key: bytes, notes: Notes) -> bool:
    """Whether to drop a damaged or unsigned segment; `key` is the MD5 key, empty for none."""
    seg = observed.segment
    if observed.checksum_ok is False:
        notes.add("bad-checksum", segment=seg)
    elif seg.unreadable:
        notes.add("unreadable", segment=seg)
    elif key and not verified(seg, key):
        notes.add("bad-signature", segment=seg)
    elif not key and seg.options.data(Kind.MD5) is not None:
        notes.add("uninvited-signature", segment=seg)
    else:
        return False
    return True


class IcmpErrors:
    """The ICMP errors received for our segments, and the one that counts."""

    def __init__(self, notes: Notes) -> None:
        self.error: IcmpError | None = None
        """The error that reports our first segment as undeliverable."""

        self._notes = notes

    def receive(self, error: IcmpError, *, ours: bool, waiting: bool, last: bool) -> bool:
        """Return whether an error ends the connection attempt.

        It must quote a sequence number of `ours`, which an off-path attacker does not know (RFC
        5927 section 4.1). Unless we are `waiting` for the first answer it is only noted. A soft
        error ends nothing before the `last` retransmission of the SYN (section 3.9.2.2).
        """
        if not ours:
            self._notes.add("foreign-icmp", sender=error.sender, error=error)
            return False
        if not waiting or not error.unreachable:
            self._notes.add("icmp", sender=error.sender, error=error, answered=False)
            return False
        self.error = error
        return last or not error.soft

    def answered(self) -> None:
        """Record that an answer arrived after all."""
        if self.error is not None:
            sender, error = self.error.sender, self.error
            self._notes.add("icmp", sender=sender, error=error, answered=True)
            self.error = None
