"""Refusals: what is answered to a segment whose numbers are not acceptable (section 3.10.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.tcp import Flags, Seq, State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.endpoint.verdict import Notes
    from handshake.tcp import ControlBlock, Segment

ANSWER_INTERVAL: Final = NS_PER_SECOND // 2
"""Between two answers to what is not acceptable: two eager programs would never stop (RFC 5961)."""


class Answer(NamedTuple):
    """What to send back."""

    flags: Flags
    seq: Seq | None = None
    """Its number; None for the next one of ours."""


class Rejections:
    """Judges the segments that change nothing, and notes what stands out in them."""

    def __init__(self, iss: Seq, notes: Notes) -> None:
        self._iss = iss
        self._notes = notes
        self._answered: dict[Flags, int] = {}

    def __bool__(self) -> bool:
        """Whether anything was answered: then time has had a say in what was sent."""
        return bool(self._answered)

    def answer(self, block: ControlBlock, seg: Segment, at: int) -> Answer | None:
        """Return what to answer, if anything: the same thing twice a second at most."""
        found = self._rst(block, seg) if seg.rst else self._other(block, seg)
        if found is None:
            return None
        last = self._answered.get(found.flags)
        if last is not None and at - last < ANSWER_INTERVAL:
            return None
        self._answered[found.flags] = at
        return found

    def _other(self, block: ControlBlock, seg: Segment) -> Answer | None:
        match block.state:
            case State.SYN_SENT if seg.ack is not None and not block.acknowledges_new(seg):
                what = "SYN+ACK" if seg.syn else "ACK"
                self._notes.add(
                    "wrong-ack",
                    f"Its {what} acknowledges {seg.ack}, and our SYN would be {self._iss + 1}.",
                )
                return Answer(Flags.RST, seg.ack)
            case State.SYN_SENT:
                if seg.ack is not None:
                    self._notes.add(
                        "bare-ack",
                        "An ACK of our SYN came without a SYN of the peer's, which opens nothing "
                        "(section 3.10.7.3).",
                    )
                return None
            case State.SYN_RECEIVED if _acknowledges_wrongly(block, seg):
                return Answer(Flags.RST, seg.ack)
        return Answer(Flags.ACK)

    def _rst(self, block: ControlBlock, seg: Segment) -> Answer | None:
        self._notes.add("rst-ignored", f"A RST that does not answer anything of ours: {seg}.")
        # In the window, but not at its edge: ask whether the peer meant it (RFC 5961 section 3.2).
        if block.state.synchronized and block.in_window(seg):
            return Answer(Flags.ACK)
        return None


def _acknowledges_wrongly(block: ControlBlock, seg: Segment) -> bool:
    """Whether what is wrong in SYN-RECEIVED is the ACK (section 3.10.7.4, fifth step).

    A SYN in the window is looked at before, and asked back by an ACK (fourth step).
    """
    if seg.ack is None or seg.syn or not block.in_window(seg):
        return False
    return not block.acknowledges_new(seg)
