"""Checkpoints in a capture: places from which reading can go on, without what stands before."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.capture.compression import Restarts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from handshake.capture.reader import Reader
    from handshake.packet.frame import Frame

_EVERY: Final = 1 << 20
"""Octets from one checkpoint to the next, at least."""


class Checkpoint(NamedTuple):
    """A place between two packets."""

    number: int
    """The number of the next frame."""

    offset: int
    """Where its record or block begins (in the decompressed data of a compressed file)."""

    known: tuple[object, ...] = ()
    """What the reader of the format knows there of what stood before."""


FIRST: Final = Checkpoint(1, 0)
"""The beginning of a file, or the end of its header."""


class Span(NamedTuple):
    """Frames that follow each other."""

    begin: Checkpoint
    """A checkpoint before the first of them."""

    end: int
    """The number after the last."""


class Spans(NamedTuple):
    """Some frames of a capture, and how to come to them."""

    spans: Sequence[Span]
    restarts: Restarts


class Checkpoints:
    """The checkpoints of one capture: the first at its first record, then one in a MiB."""

    def __init__(self) -> None:
        self.restarts = Restarts()
        """Where unpacking can go on."""

        self.due = 0
        """The offset from which another one is wanted."""

        self._checkpoints: list[Checkpoint] = []

    def add(self, checkpoint: Checkpoint) -> None:
        """Add one at or after `due`."""
        self._checkpoints.append(checkpoint)
        self.due = checkpoint.offset + _EVERY

    def spans(self, wanted: Iterable[range]) -> Spans:
        """Return the spans with these frames, whose numbers ascend; none without a checkpoint."""
        found: list[Span] = []
        for numbers in wanted if self._checkpoints else ():
            at = bisect_right(
                self._checkpoints, numbers.start, key=lambda checkpoint: checkpoint.number
            )
            begin = self._checkpoints[max(0, at - 1)]
            if found and begin.number <= found[-1].end:
                begin = found.pop().begin
            found.append(Span(begin, numbers.stop))
        return Spans(found, self.restarts)


def frames_of(
    stream: Reader, spans: Spans, walk: Callable[[Checkpoint], Iterator[Frame]]
) -> Iterator[Frame]:
    """Yield the frames of these spans; `walk` yields those from a checkpoint on."""
    for begin, end in spans.spans:
        stream.go_to(begin.offset)
        for frame in walk(begin):
            if frame.number >= end:
                break
            yield frame
