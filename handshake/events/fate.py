"""The fate of a segment: what became of it on its way to the receiver."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from handshake.tcp import Observed


class Fate(Enum):
    """What became of a segment after it was captured, as far as later segments prove it."""

    ARRIVED = "arrived"
    LOST = "lost"
    """It was lost between the point of the capture and its receiver."""

    COPY = "copy"
    """It is a packet that was captured before."""

    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


class Judgment(NamedTuple):
    """The fate of a segment, and the later segment that proves it."""

    fate: Fate
    proof: Observed | None = None
    taken: bool = True
    """Whether its receiver acts on it, as far as is known."""

    forged: bool = False
    """Whether it is a RST that another device sent in the name of its source."""
