"""Connections while they are watched: the rows of a table, and the steps of the one that is opened.

A thread takes the packets. What is listed, and what is kept of packets, is bounded.
"""

from __future__ import annotations

import time
from itertools import chain
from queue import Empty
from typing import TYPE_CHECKING, Final

from handshake.cli.background import Background
from handshake.cli.kept_packets import KeptPackets
from handshake.cli.spool import Snapshot
from handshake.errors import CaptureError
from handshake.survey.read.again import Again
from handshake.view.live_table import Live
from handshake.watcher import has_ended

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from queue import SimpleQueue
    from typing import Self

    from handshake.capture.open import Watch
    from handshake.packet.frame import Frame
    from handshake.record import Record
    from handshake.survey.follow.step_log import StepLog
    from handshake.view.glyphs import Glyphs
    from handshake.watcher import LiveWatch, News

MOST_ROWS: Final = 2000
"""Open connections that are listed, and as many that are over: the last ones."""

MOST_STEPS: Final = 5000
"""Segments of an opened connection that are followed."""

_OFTEN: Final = 0.1
"""Seconds to wait for packets at a time."""

_LAST: Final = 1.0
"""Seconds to wait for the last packets of a connection that is over."""

_PAUSE: Final = 0.5
"""Seconds between two looks at the rows at least."""

_SHARE: Final = 4
"""Pauses are so many times as long as a look took: most of the time is left to packets and keys."""


class LiveList:
    """The connections of a watch, which a thread takes inside the `with` block."""

    word = "watching"
    """What it does, as the screen names it."""

    def __init__(
        self, watcher: LiveWatch, place: str, most: int = MOST_ROWS, kept: KeptPackets | None = None
    ) -> None:
        """`place` is what is watched, as the title has it; `most` bounds the rows of each kind."""
        self._watcher, self._place, self._most = watcher, place, most
        self._kept = kept or KeptPackets()
        self._touched: dict[bytes, None] = {}
        """The keys of the segments since the last look."""

        self._open: dict[int, Record] = {}
        self._over: dict[int, Record] = {}
        """By their numbers: the last that were touched, or were over, come last."""

        self._unlisted = 0
        self.live: Live | None = Live(0, frozenset())
        """What the records that were taken last do not tell."""

        self._known: tuple[Snapshot, Live] | None = None
        """What is to be taken."""

        self._ended = False
        self._work = Background(self._watch)
        watcher.each_segment = self._take

    def __enter__(self) -> Self:
        self._work.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._work.stop()

    def take(self) -> Snapshot | None:
        """Return what is known, unless the last call returned that.

        Raises CaptureError if what is read is no capture.
        """
        self._work.wait(0)
        taken, self._known = self._known, None
        if taken is None:
            return None
        snapshot, self.live = taken
        return snapshot

    def title(self, records: Iterable[Record], signs: Glyphs) -> str:  # noqa: ARG002
        """Return what is watched, and what was seen of it."""
        watcher = self._watcher
        name, contents = (
            signs.say(f"watch.{code}", **values)
            for code, values in (
                ("title", {"place": self._place}),
                (
                    "contents",
                    {
                        "open": len(self._open),
                        "packets": watcher.packets,
                        "lost": watcher.source.lost,
                        "left_out": watcher.left_out,
                        "unlisted": self._unlisted,
                    },
                ),
            )
        )
        return f"{name}  {contents}"

    def read_again(
        self, record: Record, log: StepLog, most: int | None = None, watch: Watch = lambda *_: None
    ) -> None:
        """Give a log the steps of a connection so far, at most `most`.

        Raises CaptureError if its packets are no longer kept.
        """
        self._steps(record, self._kept.of(record), log, most, watch)

    def follow_steps(self, record: Record, log: StepLog, watch: Watch) -> None:
        """Give a log the steps of a connection as they come, until it is over.

        Raises CaptureError if its packets are no longer kept.
        """
        with self._kept.followed(record) as (frames, more):
            later = self._arriving(record, log, more, watch)
            self._steps(record, chain(frames, later), log, MOST_STEPS, watch)

    def is_open(self, record: Record) -> bool:
        """Whether a connection may go on."""
        return record.stream in self._open and not self._ended

    def _arriving(
        self, record: Record, log: StepLog, more: SimpleQueue[Frame], watch: Watch
    ) -> Iterator[Frame]:
        open_ = True
        while open_:
            watch(0, 0)
            # Asked first: what has come by then is all.
            open_ = self.is_open(record)
            log.record = self._open.get(record.stream) or self._over.get(record.stream) or record
            try:
                while True:
                    yield more.get(timeout=_OFTEN if open_ else _LAST)
            except Empty:
                pass

    def _steps(
        self,
        record: Record,
        frames: Iterable[Frame],
        log: StepLog,
        most: int | None,
        watch: Watch,
    ) -> None:
        begin = record.frames[0]
        assert begin is not None
        again = Again(record, begin)
        for step, earlier in again.steps(frames, dedup=False, ordered=False):
            watch(0, len(log.steps))
            log.take(step, earlier, None)
            if most is not None and len(log.steps) >= most:
                log.more = True
                break
        if not log.steps:
            raise CaptureError("watch.not-kept")

    def _take(self, key: bytes, bits: int, frame: Frame) -> None:
        self._touched[key] = None
        self._kept.add(key, bits, frame)

    def _watch(self) -> None:
        watcher, due = self._watcher, 0.0
        while not watcher.source.ended:
            self._work.go_on()
            self._close(watcher.round(_OFTEN))
            begun = time.monotonic()
            if begun >= due:
                self._look(ended=False)
                due = time.monotonic() + max(_PAUSE, _SHARE * (time.monotonic() - begun))
        open_ = set(self._open)
        for each in watcher.end().over:
            (self._open if each.stream in open_ else self._over)[each.stream] = each
        self._look(ended=True)

    def _close(self, news: News) -> None:
        """Let connections be over."""
        for each in news.over:
            self._open.pop(each.stream, None)
            self._over[each.stream] = each

    def _look(self, *, ended: bool) -> None:
        """Take what has become known of the connections, and show it."""
        keys, self._touched = self._touched, {}
        for each in self._watcher.so_far(keys):
            self._work.go_on()
            over = self._over.get(each.stream)
            if over is not None and over.frames == each.frames:
                continue
            self._open.pop(each.stream, None)
            if has_ended(each):
                self._over[each.stream] = each
            else:
                self._over.pop(each.stream, None)
                self._open[each.stream] = each
        for rows in (self._open, self._over):
            while len(rows) > self._most:
                del rows[next(iter(rows))]
                self._unlisted += 1
        self._ended = ended
        shown = sorted(self._open.values(), key=lambda each: -each.stream)
        shown += reversed(self._over.values())
        live = Live(self._watcher.now, frozenset(self._open))
        self._known = Snapshot(shown, ended), live
