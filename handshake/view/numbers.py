"""Sequence numbers for a reader: counted from each end's first, or as the wire had them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from handshake.events import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.events import Step
    from handshake.tcp import Seq

UNKNOWN: Final = "—"
"""What stands where nothing is known."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the numbers of one connection are shown.

    Relative, an end's SYN is 0, so that what an ACK answers can be counted on fingers; where
    the SYN was not seen, the first number seen is 1, as Wireshark has it.
    """

    client: Seq | None = None
    """What counts as 0 of the client's numbers; None where nothing is known of them."""

    server: Seq | None = None
    relative: bool = True

    @classmethod
    def of(cls, steps: Iterable[Step], *, relative: bool = True) -> Numbers:
        """Return the numbers of the connection that these steps are the beginning of."""
        zero: dict[Role, Seq] = {}
        for step in steps:
            seg = step.segment
            if seg.rst:
                continue  # what a RST has for a number belongs to whoever provoked it
            if seg.syn:
                zero.setdefault(step.by, seg.seq)
            zero.setdefault(step.by, seg.seq - 1)
            if seg.ack is not None:
                zero.setdefault(step.by.other, seg.ack - 1)
            if len(zero) == len(Role):
                break
        return cls(zero.get(Role.CLIENT), zero.get(Role.SERVER), relative)

    def absolute(self) -> Numbers:
        """Return the same with every number as the wire had it."""
        return replace(self, relative=False)

    def show(self, number: Seq | None, whose: Role) -> str:
        """Return one of an end's numbers in words."""
        if number is None:
            return UNKNOWN
        zero = self.client if whose is Role.CLIENT else self.server
        if not self.relative or zero is None:
            return str(number)
        # A number from before the SYN stays a large one: it belongs to no part of this stream.
        return str(int(number - int(zero)))

    def both(self, number: Seq, whose: Role) -> str:
        """Return a number as it is shown, and where that differs as the wire had it."""
        shown = self.show(number, whose)
        return shown if shown == str(number) else f"{shown} ({number})"

    @property
    def words(self) -> str:
        """What a screen says about its numbers."""
        return "seq relative" if self.relative else "seq absolute"
