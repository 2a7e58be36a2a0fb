"""Zeek's history: a letter for each kind of segment, in the order of first occurrence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.units import ACK_BIT, FIN_BIT, RST_BIT, SYN_BIT

if TYPE_CHECKING:
    from handshake.tracker.zeek.endpoint import Side

DATA: Final = 1
ACK: Final = 2
_SYN_SEEN, _FIN_SEEN, _RST_SEEN, _FIN_RST_SEEN, _MIXED_SEEN = 4, 8, 16, 32, 64

_CONTROL: Final = SYN_BIT | FIN_BIT | RST_BIT
_AGAIN_AT: Final = frozenset(10**power for power in range(19))


class History:
    """Zeek's `history` so far: upper case for the originator, lower case for the responder.

    It lacks two of Zeek's letters: `c`, since checksums are ignored, and `x`, since there is no
    analyzer of a higher layer.
    """

    __slots__ = ("text",)

    text: str

    def __init__(self) -> None:
        self.text = ""

    def write(self, side: Side, letter: str) -> None:
        """Add a letter for what this side did."""
        self.text += letter if side.originator else letter.lower()

    def once(self, side: Side, kind: int, letter: str) -> bool:
        """Add a letter if none of its kind stands there; return whether it was added."""
        if side.seen & kind:
            return False
        side.seen |= kind
        self.write(side, letter)
        return True

    def often(self, side: Side, letter: str, count: int) -> None:
        """Add a letter the first, tenth, hundredth ... time."""
        if count in _AGAIN_AT:
            self.write(side, letter)

    @staticmethod
    def is_silent(count: int, more: int) -> bool:
        """Whether so many `more` of what comes often add no letter."""
        return not any(count < each <= count + more for each in _AGAIN_AT)

    def control(self, side: Side, flags: int, place: int, length: int) -> None:
        """Add the letter of a SYN, FIN or RST: another one only where its number is another."""
        control = flags & _CONTROL
        if control == SYN_BIT:
            letter = "H" if flags & ACK_BIT else "S"
            if not self.once(side, _SYN_SEEN, letter) and place != side.last_syn:
                self.write(side, letter)
            side.last_syn = place
        elif control == FIN_BIT:
            # A FIN's own number comes after the payload.
            place += length
            if not self.once(side, _FIN_SEEN, "F") and place != side.last_fin:
                self.write(side, "F")
            side.last_fin = place
        elif control == RST_BIT:
            if not self.once(side, _RST_SEEN, "R") and place != side.last_rst:
                self.write(side, "R")
            side.last_rst = place
        elif control & FIN_BIT and control & RST_BIT:
            self.once(side, _FIN_RST_SEEN, "I")
        else:
            self.once(side, _MIXED_SEEN, "Q")
