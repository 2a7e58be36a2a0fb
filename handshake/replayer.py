"""Replays a saved capture: each segment in it, and what it changed at both ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from handshake.drawn import html_of
from handshake.errors import CaptureError
from handshake.tcp.icmp import IcmpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from handshake.capture.open import Capture
    from handshake.events import Judgment, Step
    from handshake.packet.decode import Decoder
    from handshake.tcp import Observed
    from handshake.tracker import Tracker


class Replay:
    """The steps of one capture, in order, made as they are asked for and once only."""

    tracker: Tracker
    """Knows the connections seen so far."""

    def __init__(
        self,
        capture: Capture,
        tracker: Tracker | None = None,
        *,
        dedup: bool = False,
        reorder: bool = False,
        hindsight: bool = False,
        again: Callable[[], Capture] | None = None,
    ) -> None:
        """With `hindsight` each step has the fate of its segment, for which all must be read first.

        `again` opens the capture once more; without it the segments are kept meanwhile.
        """
        from handshake.tracker import Tracker

        self._hindsight = hindsight
        self._again = again
        self.tracker = tracker or Tracker()
        self.dedup = dedup
        """Whether packets that were captured before are dropped."""

        self.reorder = reorder
        """Whether the packets are sorted by time."""

        self._capture = capture
        self._skipped: list[CaptureError] = []

    @property
    def name(self) -> str:
        """The file's name as it was given; `handshake.escape` makes it printable."""
        return self._capture.name

    @property
    def warnings(self) -> list[CaptureError]:
        """What is wrong with the file and its packets; complete after the last step."""
        tracked = self.tracker.connections
        copies = sum(end.copies for each in tracked for end in (each.client, each.server))
        noted = []
        if copies:
            noted.append(CaptureError("copies", count=copies, dropped=self.dedup))
        return self._capture.warnings + self._skipped + noted

    @property
    def readable(self) -> bool:
        """Whether any frame could be read; known after the last step."""
        return self._capture.readable

    def _repr_html_(self) -> str:
        return html_of(self)

    def __iter__(self) -> Iterator[Step]:
        from handshake.packet.decode import Decoder

        decoder = Decoder()
        first = self._steps(self._capture, decoder)
        yield from self._judged(first) if self._hindsight else first
        self._skipped = decoder.warnings

    def _steps(self, capture: Capture, decoder: Decoder) -> Iterator[Step]:
        """Yield each step as it looks when its segment is captured."""
        for found in self._read(capture, decoder):
            if isinstance(found, IcmpError):
                self.tracker.quoted(found)
            elif not (self.dedup and self.tracker.drop_copy(found)):
                yield self.tracker.feed(found)

    def _read(self, capture: Capture, decoder: Decoder) -> Iterator[Observed | IcmpError]:
        from handshake.capture.order import in_order

        with capture:
            for frame in in_order(capture) if self.reorder else capture:
                found = decoder.observed(frame)
                if found is not None:
                    yield found

    def _judged(self, first: Iterator[Step]) -> Iterator[Step]:
        """Yield each step as it was, by what the segments after it tell."""
        from handshake.packet.decode import Decoder
        from handshake.tracker import Tracker
        from handshake.tracker.fate import FateJudge

        judgments: list[Judgment] = []
        judges: dict[int, FateJudge] = {}
        kept: list[Observed] = []
        for step in first:
            if step.stream not in judges:
                judges[step.stream] = FateJudge(judgments)
            judges[step.stream].observe(step)
            if self._again is None:
                kept.append(step.observed)
        for judge in judges.values():
            judge.finish()
        tracker = Tracker(observers=())
        again = iter(kept) if self._again is None else self._read(self._again(), Decoder())
        known = iter(judgments)
        for found in again:
            if isinstance(found, IcmpError) or (self.dedup and tracker.drop_copy(found)):
                continue
            # A file that grows meanwhile has more than was judged.
            yield tracker.feed(found, next(known, None))


def replay(
    path: str | Path,
    tracker: Tracker | None = None,
    *,
    dedup: bool = False,
    reorder: bool = False,
    hindsight: bool = False,
    max_unpacked: int | None = None,
) -> Replay:
    """Return the replay of the capture at `path`; `-` is standard input.

    With `dedup` packets that were captured before are dropped; with `reorder` the packets are
    sorted by time, for which all must be read first. With `hindsight` each step has the fate of its
    segment, and the states are those that the ends had: all must be read first, and a file is read
    twice.

    A compressed capture ends where it unpacks to more than `max_unpacked` octets, as in `records`.

    `tracker` takes the place of a new one: `Tracker(observers=())` spends no time on the findings
    and on Zeek's reading, which only a record needs.

    Raises CaptureError if the file cannot be read or is not a capture.
    """
    from pathlib import Path

    from handshake.capture.open import read

    options = {"dedup": dedup, "reorder": reorder, "hindsight": hindsight}
    opened = partial(read, path, max_unpacked=max_unpacked)
    again = opened if Path(path).is_file() else None
    return Replay(opened(), tracker, again=again, **options)
