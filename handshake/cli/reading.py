"""Shows on a terminal how far captures were read, and lets Ctrl-C end that with what was read."""

from __future__ import annotations

import signal
import stat
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handshake.messages import text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from rich.progress import Progress

    from handshake.survey import Records
    from handshake.survey.read.reading import Reading

_PATIENCE: Final = 0.5
"""Seconds before the bar appears: most captures have been read by then."""

_OFTEN: Final = 0.1
"""Seconds between two drawings."""

_RATE, _OCTETS = 70, 50
"""The widths of a terminal from which on the rate, and the octets, have room beside the bar."""


@contextmanager
def followed(source: Records, language: str, *, held: bool) -> Iterator[None]:
    """Show a bar while captures are read, and let the first SIGINT stop that.

    The bar is on standard error, if that is a terminal, and never among rows on the same terminal:
    `held` tells that they are printed only after everything was read.
    """
    bar = None
    if sys.stderr.isatty() and (held or not sys.stdout.isatty()):
        bar = _Bar(source.paths, language)
        source.watch(bar)
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        if source.reading.over and callable(before):
            before(number, frame)
        source.stop()

    handled = source.in_processes and before is not signal.SIG_IGN
    if handled:
        signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        if handled:
            signal.signal(signal.SIGINT, before)
        if bar is not None:
            bar.close()


class _Bar:
    """Octets, packets a second and the time left."""

    def __init__(self, paths: Sequence[str | Path], language: str) -> None:
        self._language = language
        self._paths = paths
        self._progress: Progress | None = None
        self._begun = time.monotonic()
        self._next = self._begun + _PATIENCE

    def __call__(self, reading: Reading) -> None:
        """Draw it again, unless it was drawn just now."""
        if reading.over:
            self.close()
            return
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _OFTEN
        if self._progress is None:
            self._progress = _progress(_total(self._paths))
            self._progress.start()
        rate = reading.packets / (now - self._begun)
        count = len(self._paths)
        self._progress.update(
            self._progress.task_ids[0],
            completed=reading.octets,
            what=self._words("list.progress", files=reading.files, count=count, many=count > 1),
            rate=self._words("list.rate", rate=rate),
        )
        self._progress.refresh()

    def _words(self, code: str, /, **values: object) -> str:
        return text("screens", code, values, self._language)

    def close(self) -> None:
        """Remove it from the screen."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
        self._next = float("inf")


def _progress(total: int | None) -> Progress:
    """Return a bar that draws only when asked: a thread of its own would not survive a fork."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    columns = [
        TextColumn("{task.fields[what]}", markup=False),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TextColumn("{task.fields[rate]}", markup=False),
        TimeRemainingColumn(compact=True),
    ]
    if console.width < _RATE:
        del columns[3]
    if console.width < _OCTETS:
        del columns[2]
    progress = Progress(
        *columns,
        console=console,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        expand=True,
    )
    progress.add_task("", total=total, what="", rate="")
    return progress


def _total(paths: Sequence[str | Path]) -> int | None:
    """Return the octets of all files; None if that is not known, as of a pipe."""
    try:
        found = [Path(each).stat() for each in paths if str(each) != "-"]
    except (OSError, ValueError):
        return None
    sizes = [each.st_size for each in found if stat.S_ISREG(each.st_mode)]
    return sum(sizes) if len(sizes) == len(paths) else None
