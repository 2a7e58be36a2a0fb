"""`handshake probe` with many targets: a line for each as it comes, and what they add up to."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from handshake.errors import UsageError
from handshake.prober import exit_code
from handshake.prober.engine import probe_all
from handshake.prober.target import read_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from rich.console import Console

    from handshake.cli.probe.report import Evidence, Output, Report
    from handshake.prober import ClientOptions, Result, Target, Timeouts
    from handshake.view.probe_lines import Series, Tally


_MOST: Final = 10**15
"""Calls of each target: more than anybody lives to see, and few enough to count."""


@dataclass(frozen=True)
class Many:
    """How many targets are called, and how that is shown."""

    timeouts: Timeouts
    options: ClientOptions
    concurrency: int
    rate: float
    count: int | None
    interval: float
    output: Output
    opened: Callable[[], None] | None
    """Called as soon as the sockets are open; None where the kernel is to make the calls."""

    def run(self, targets: Sequence[Target]) -> int:
        """Call all of them; return what to exit with."""
        if (self.count or 1) > _MOST:
            raise UsageError(f"--count {self.count}: it must be {_MOST} at most")
        from handshake.cli.console import console
        from handshake.view.probe_lines import Tally

        _allow_sockets(self.concurrency)
        rate = self.rate
        if self.count is not None:
            rate = min(rate, len(targets) / self.interval)
        # Never all in one list: --count may be any number.
        rounds = self.count or 1
        calls = iter(targets) if self.count is None else _numbered(targets, self.count)
        out = console(plain=self.output.plain)
        widest = max(len(each.text) for each in targets)
        if self.count is not None:
            widest += len(f"{_SIGN}{self.count}")
        report = self.output.report(out, widest)
        tally = Tally()
        series: dict[str, Series] = {}
        began = time.monotonic()
        with self.output.evidence() as evidence:
            results = self._called(calls, rate, evidence)
            bar = Bar(
                len(targets) * rounds, out, shown=not (self.output.plain or self.output.quiet)
            )
            try:
                with bar, contextlib.closing(results):
                    code = exit_code(self._shown(results, report, bar, tally, series))
            finally:
                took = time.monotonic() - began
                if self.count is None:
                    report.sum_up(tally.lines(took))
                else:
                    report.sum_up([each for one in series.values() for each in one.lines()])
        return report.end(code)

    def _called(
        self, calls: Iterable[Target], rate: float, evidence: Evidence
    ) -> Generator[Result, None, None]:
        if self.opened is None:
            from handshake.prober.connect import connect_all

            return connect_all(
                calls,
                concurrency=self.concurrency,
                rate=rate,
                timeouts=self.timeouts,
                options=self.options,
            )
        return probe_all(
            calls,
            concurrency=self.concurrency,
            rate=rate,
            timeouts=self.timeouts,
            options=self.options,
            attentive=self.output.attentive,
            opened=self.opened,
            witness=evidence.witness,
        )

    def _shown(
        self,
        results: Iterable[Result],
        report: Report,
        bar: Bar,
        tally: Tally,
        series: dict[str, Series],
    ) -> Iterator[Result]:
        """Yield the results, each counted and shown."""
        from handshake.view.probe import called
        from handshake.view.probe_lines import Series

        for result in results:
            shown = result
            if self.count is None:
                tally.add(result)
            else:
                result = _plain(result)
                name = called(result.target, result.address)
                series.setdefault(name, Series(name)).add(result)
            report.show(shown if self.output.in_words else result)
            bar.advance()
            yield result


_SIGN: Final = " #"


def _numbered(targets: Sequence[Target], rounds: int) -> Iterator[Target]:
    """Yield each target for each round, with its number: results do not come in that order."""
    for number in range(1, rounds + 1):
        for each in targets:
            yield replace(each, text=f"{each.text}{_SIGN}{number}")


def _plain(result: Result) -> Result:
    """Return the result of a call that had a number, without it."""
    return replace(result, target=result.target.rpartition(_SIGN)[0])


class Bar:
    """A bar on standard error while results come, where somebody looks."""

    def __init__(self, total: int, out: Console, *, shown: bool) -> None:
        self._progress: Any = None
        if shown and sys.stderr.isatty() and total > 1:
            # On one terminal both are one screen, and the bar must know of each line.
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            shared = out if out.is_terminal else Console(stderr=True)
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

    def advance(self) -> None:
        """Count one result."""
        if self._progress is not None:
            self._progress.advance(self._task)


def read_files(names: Sequence[str]) -> list[Target]:
    """Return the targets in these files, `-` for standard input; raise UsageError for one of none.

    All are understood before the first is called.
    """
    if names.count("-") > 1:
        raise UsageError("--file -: standard input can be read only once")
    return [target for name in names for target in _read_file(name)]


def _read_file(name: str) -> list[Target]:
    shown = name or "''"
    try:
        if name == "-":
            found = list(read_targets(sys.stdin))
        else:
            with open(name, encoding="utf-8") as lines:  # noqa: PTH123 - a name, as it was given
                found = list(read_targets(lines))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in utf-8"
        raise UsageError(f"{shown}: {(why or str(error)).lower()}") from error
    except UsageError as error:
        raise UsageError(f"{shown}: {error}") from error
    if not found:
        raise UsageError(f"{shown}: there is no target in it")
    return found


def _allow_sockets(concurrency: int) -> None:
    """Let this process have a port of its own for each call at once, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * concurrency + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
