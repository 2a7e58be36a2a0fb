"""Names the segments of a lesson, and decides which of them are lost."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.tcp import Flags

if TYPE_CHECKING:
    from handshake.events import Role
    from handshake.tcp import Segment

NUMBER: Final = re.compile(r"-\d+(?=-|$)")
"""What stands in a name where it is not the first of its kind."""

KINDS: Final = ("syn", "syn-ack", "ack", "data", "fin", "rst")
"""The kinds of segments."""


def kind(segment: Segment) -> str:
    """Return the kind of a segment, by which a lesson's text and `--drop` name it."""
    if segment.rst:
        return "rst"
    if segment.syn:
        return "syn" if segment.ack is None else "syn-ack"
    if segment.fin:
        return "fin"
    return "data" if segment.payload_length else "ack"


@dataclass
class SegmentNames:
    """The names of the segments of one part, in the order in which they left."""

    _kinds: Counter[str] = field(init=False, default_factory=Counter)
    _names: dict[tuple[object, ...], str] = field(init=False, default_factory=dict)

    def of(self, segment: Segment, by: Role) -> str:
        """Return the name of a segment: its kind, and which of its kind in the lesson it is.

        One that is sent again is `syn-again`. The same value has the same name.
        """
        known = (id(segment),)
        if known in self._names:
            return self._names[known]
        # What takes no number is the same as before only if it acknowledges the same.
        what = segment.length or (None if segment.ack is None else -int(segment.ack))
        same = (by, int(segment.seq), int(segment.flags & ~Flags.PSH), what)
        first = self._names.get(same)
        base = first or kind(segment)
        name = base if first is None else f"{base}-again"
        self._kinds[name] += 1
        name = name if self._kinds[name] == 1 else f"{name}-{self._kinds[name]}"
        if first is None:
            self._names[same] = name
        self._names[known] = name
        return name


@dataclass
class Losses:
    """The segments that a wire loses: which of their kind they are, from 1; 0 for all."""

    drops: frozenset[tuple[str, int]]
    _sent: Counter[str] = field(init=False, default_factory=Counter)

    def loses(self, segment: Segment) -> bool:
        """Return whether this segment is lost; to be asked once for each, as it leaves."""
        what = kind(segment)
        self._sent[what] += 1
        return (what, self._sent[what]) in self.drops or (what, 0) in self.drops
