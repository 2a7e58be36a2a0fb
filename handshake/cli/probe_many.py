"""`handshake probe` with many targets: a line for each as it comes, and what they add up to."""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handshake.errors import UsageError
from handshake.probe import exit_code
from handshake.probe.engine import probe_all
from handshake.probe.target import read_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from handshake.probe import Patience, Result, Target
    from handshake.view.probe_lines import Series, Tally


@dataclass(frozen=True)
class Many:
    """How many targets are called, and how that is shown."""

    patience: Patience
    concurrency: int
    rate: float
    count: int | None
    interval: float
    as_json: bool
    plain: bool
    opened: Callable[[], None]

    def run(self, targets: Sequence[Target]) -> int:
        """Call all of them; return what to exit with."""
        from handshake.view.probe_lines import Tally

        _allow_sockets(self.concurrency)
        rate = self.rate
        if self.count is not None and self.interval > 0:
            rate = min(rate, len(targets) / self.interval)
        calls = [*targets] if self.count is None else [*targets] * self.count
        results = probe_all(
            calls,
            concurrency=self.concurrency,
            rate=rate,
            patience=self.patience,
            attentive=self.as_json,
            opened=self.opened,
        )
        screen = _Screen(len(calls), plain=self.plain, as_json=self.as_json)
        tally = Tally()
        series: dict[str, Series] = {}
        began = time.monotonic()
        try:
            with screen:
                return exit_code(self._shown(results, screen, tally, series))
        finally:
            took = time.monotonic() - began
            if self.count is None:
                screen.end(tally.lines(took))
            else:
                screen.end([each for one in series.values() for each in one.lines()])

    def _shown(
        self,
        results: Generator[Result, None, None],
        screen: _Screen,
        tally: Tally,
        series: dict[str, Series],
    ) -> Iterator[Result]:
        from handshake.view.probe import called
        from handshake.view.probe_lines import Series

        with contextlib.closing(results):
            for result in results:
                if self.count is None:
                    tally.add(result)
                else:
                    name = called(result.target, result.address)
                    series.setdefault(name, Series(name)).add(result)
                screen.show(result)
                yield result


class _Screen:
    """Lines on standard output, and a bar on standard error while they come."""

    def __init__(self, total: int, *, plain: bool, as_json: bool) -> None:
        from handshake.cli.console import console

        self._console = console(plain=plain)
        self._as_json = as_json
        self._progress: Any = None
        if sys.stderr.isatty() and not plain and total > 1:
            # On one terminal both are one screen, and the bar must know of each line.
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            shared = self._console if self._console.is_terminal else Console(stderr=True)
            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._progress = Progress(
                *columns, console=shared, transient=True, redirect_stdout=False
            )
            self._task = self._progress.add_task("calls", total=total)

    def __enter__(self) -> None:
        if self._progress is not None:
            self._progress.start()

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def show(self, result: Result) -> None:
        """Show one result."""
        from handshake.cli.console import show
        from handshake.view.probe_lines import result_line

        if self._as_json:
            sys.stdout.write(json.dumps(result.as_json()) + "\n")
            sys.stdout.flush()
        else:
            show(self._console, [result_line(result)])
        if self._progress is not None:
            self._progress.advance(self._task)

    def end(self, lines: Sequence[Any]) -> None:
        """Show what they add up to: beside JSON, where it does not get into it."""
        from handshake.cli.console import show

        if self._as_json:
            for each in lines:
                print(each.plain, file=sys.stderr)  # noqa: T201
        else:
            show(self._console, lines)


def read_file(name: str) -> list[Target]:
    """Return the targets in a file, `-` for standard input; raise UsageError where there are none.

    All are understood before the first is called.
    """
    try:
        if name == "-":
            found = list(read_targets(sys.stdin))
        else:
            with open(name, encoding="utf-8") as lines:  # noqa: PTH123 - a name, as it was given
                found = list(read_targets(lines))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"{name}: {(why or str(error)).lower()}") from error
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error
    if not found:
        raise UsageError(f"{name}: there is no target in it")
    return found


def _allow_sockets(concurrency: int) -> None:
    """Let this process have a port of its own for each call at once, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * concurrency + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
