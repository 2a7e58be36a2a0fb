"""`handshake probe` with many targets: a line for each result, and statistics."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from handshake.errors import UsageError, system_error
from handshake.prober import exit_code
from handshake.prober.run import connect_all, probe_all
from handshake.prober.target import read_targets

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Sequence

    from rich.console import Console

    from handshake.cli.probe.report import Evidence, Output, ProbeReport
    from handshake.prober import ClientOptions, Result, Target, Timeouts
    from handshake.view.probe_lines import Series, Tally


_MAX_COUNT: Final = 10**15
"""The largest --count: no run gets that far."""


@dataclass(frozen=True)
class ManyProbes:
    """How to probe many targets, and how to show the results."""

    timeouts: Timeouts
    options: ClientOptions
    concurrency: int
    rate: float
    count: int | None
    interval: float
    output: Output
    opened: Callable[[], None] | None
    """Called once the sockets are open; None if the kernel makes the connections."""

    def run(self, targets: Sequence[Target]) -> int:
        """Probe all targets; return the exit code."""
        if (self.count or 1) > _MAX_COUNT:
            raise UsageError("at-most", option="--count", value=self.count, most=_MAX_COUNT)
        from rich.cells import cell_len

        from handshake.cli.console import console
        from handshake.view.probe_lines import Tally

        _allow_sockets(self.concurrency)
        rate = self.rate
        if self.count is not None:
            rate = min(rate, len(targets) / self.interval)
        # Not in one list: --count may be any number.
        rounds = self.count or 1
        probes = iter(targets) if self.count is None else _numbered(targets, self.count)
        out = console(plain=self.output.plain)
        # The address of a name, which stands behind it, is not known yet.
        widest = max(cell_len(each.text) for each in targets)
        if self.count is not None:
            widest += len(f"{_NUMBER_SIGN}{self.count}")
        report = self.output.report(out, widest, [each.text for each in targets])
        tally = Tally(self.output.language)
        series: dict[str, Series] = {}
        began = time.monotonic()
        with self.output.results() as keep, self.output.evidence() as evidence:
            results = self._results(probes, rate, evidence)
            bar = ProgressBar(
                len(targets) * rounds, out, shown=not (self.output.plain or self.output.quiet)
            )
            try:
                with bar, contextlib.closing(results):
                    code = exit_code(self._shown(results, report, bar, tally, series, keep))
            finally:
                took = time.monotonic() - began
                if self.count is None:
                    report.statistics(tally.lines(took))
                else:
                    report.statistics([each for one in series.values() for each in one.lines()])
        return report.end(code)

    def _results(
        self, targets: Iterable[Target], rate: float, evidence: Evidence
    ) -> Generator[Result, None, None]:
        if self.opened is None:
            return connect_all(
                targets,
                concurrency=self.concurrency,
                rate=rate,
                timeouts=self.timeouts,
                options=self.options,
            )
        return probe_all(
            targets,
            concurrency=self.concurrency,
            rate=rate,
            timeouts=self.timeouts,
            options=self.options,
            attentive=self.output.attentive,
            opened=self.opened,
            observer=evidence.observer,
        )

    def _shown(
        self,
        results: Iterable[Result],
        report: ProbeReport,
        bar: ProgressBar,
        tally: Tally,
        series: dict[str, Series],
        keep: Callable[[Result], None],
    ) -> Iterator[Result]:
        """Yield the results, counting and showing each."""
        from handshake.view.probe import target_text
        from handshake.view.probe_lines import Series

        for result in results:
            shown = result
            if self.count is None:
                tally.add(result)
            else:
                result = _unnumbered(result)
                name = target_text(result.target, result.address)
                series.setdefault(name, Series(name, self.output.language)).add(result)
            report.show(shown if self.output.as_text else result)
            keep(result)
            bar.advance()
            yield result


_NUMBER_SIGN: Final = " #"


def _numbered(targets: Sequence[Target], rounds: int) -> Iterator[Target]:
    """Yield each target for each round, with a number, since results arrive in another order."""
    for number in range(1, rounds + 1):
        for each in targets:
            yield replace(each, text=f"{each.text}{_NUMBER_SIGN}{number}")


def _unnumbered(result: Result) -> Result:
    """Return a result without the number of its target."""
    return replace(result, target=result.target.rpartition(_NUMBER_SIGN)[0])


class ProgressBar:
    """A progress bar on standard error, if that is a terminal."""

    def __init__(self, total: int, out: Console, *, shown: bool) -> None:
        self._progress: Any = None
        if shown and sys.stderr.isatty() and total > 1:
            # On one terminal the bar must know of each line printed.
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

            shared = out if out.is_terminal else Console(stderr=True)
            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._progress = Progress(
                *columns, console=shared, transient=True, redirect_stdout=False
            )
            self._task = self._progress.add_task("probes", total=total)

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
    """Return the targets in these files; `-` is standard input. Raises UsageError for an empty one.

    All are parsed before the first is probed.
    """
    if names.count("-") > 1:
        raise UsageError("probe.stdin-twice")
    return [target for name in names for target in _read_file(name)]


def _read_file(name: str) -> list[Target]:
    try:
        if name == "-":
            found = list(read_targets(sys.stdin))
        else:
            with open(name, encoding="utf-8") as lines:  # noqa: PTH123 - a name, as it was given
                found = list(read_targets(lines))
    except (OSError, UnicodeDecodeError) as error:
        if not isinstance(error, OSError):
            raise UsageError("file.not-utf-8").at(name) from error
        raise UsageError("file.unopened", why=system_error(error)).at(name) from error
    except UsageError as error:
        raise error.at(name) from None
    if not found:
        raise UsageError("probe.no-target").at(name)
    return found


def _allow_sockets(concurrency: int) -> None:
    """Raise the limit on open files for one port per concurrent probe, as far as allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * concurrency + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
