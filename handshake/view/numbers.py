"""Sequence numbers as shown: relative to each end's first, or absolute."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from handshake.events import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.events import Step
    from handshake.tcp import Seq

UNKNOWN: Final = "—"
"""The sign for an unknown number."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How the sequence numbers of one connection are shown.

    Relative, the SYN of an end is 0; if no SYN was captured, the first number is 1, as in
    Wireshark.
    """

    client: Seq | None = None
    """The client's number that is shown as 0; None if unknown."""

    server: Seq | None = None
    relative: bool = True

    @classmethod
    def of(cls, steps: Iterable[Step], *, relative: bool = True) -> Numbers:
        """Return the numbers of the connection that begins with these steps."""
        zero: dict[Role, Seq] = {}
        for step in steps:
            seg = step.segment
            if seg.rst:
                continue  # the number of a RST comes from the segment that provoked it
            if seg.syn:
                zero.setdefault(step.by, seg.seq)
            zero.setdefault(step.by, seg.seq - 1)
            if seg.ack is not None:
                zero.setdefault(step.by.other, seg.ack - 1)
            if len(zero) == len(Role):
                break
        return cls(zero.get(Role.CLIENT), zero.get(Role.SERVER), relative)

    def absolute(self) -> Numbers:
        """Return the same with absolute numbers."""
        return replace(self, relative=False)

    def show(self, number: Seq | None, end: Role) -> str:
        """Return a number of an end as text."""
        if number is None:
            return UNKNOWN
        zero = self.client if end is Role.CLIENT else self.server
        if not self.relative or zero is None:
            return str(number)
        # A number before the SYN stays large: it is not part of this stream.
        return str(int(number - int(zero)))

    def both(self, number: Seq, end: Role) -> str:
        """Return a number as shown, followed by the absolute number if that differs."""
        shown = self.show(number, end)
        return shown if shown == str(number) else f"{shown} ({number})"

    @property
    def label(self) -> str:
        """Whether the numbers are relative, as a screen says it."""
        return "seq relative" if self.relative else "seq absolute"
