"""What answers an unacceptable segment: challenge ACK, RST or nothing (section 3.10.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.tcp import Flags, Seq, State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.endpoint.outcome import Notes
    from handshake.tcp import ControlBlock, Segment

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
        """Return the answer, if there is one: each kind at most twice a second."""
        found = self._rst(block, seg) if seg.rst else self._other(block, seg)
        if found is None:
            return None
        last = self._answered.get(found.flags)
        if last is not None and at - last < ANSWER_INTERVAL:
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
