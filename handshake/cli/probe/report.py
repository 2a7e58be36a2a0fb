"""The output of `handshake probe`: lines, JSON, a monitoring format, or nothing."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from handshake.cli.exporting import check_export, is_stdout, results_to
from handshake.errors import LocalError, UsageError, system_error
from handshake.messages import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from rich.console import Console
    from rich.text import Text

    from handshake.capture.pcapng_writer import PcapngWriter
    from handshake.prober import Result
    from handshake.prober.userspace.connection import PacketObserver
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError
    from handshake.view.probe_lines import Kinds

MONITORS: Final = ("nagios", "prometheus")
ORDERS: Final = ("arrival", "arguments", "rtt", "verdict")
"""In what order many results are printed: as they come, or at the end."""


class ProbeReport(Protocol):
    """Prints results as they come."""

    def show(self, result: Result) -> None:
        """Take a result."""

    def statistics(self, lines: Sequence[Text]) -> None:
        """Take the statistics, in lines."""

    def end(self, code: int) -> int:
        """Print what comes last; return the exit code, by default `code`."""


@dataclass(frozen=True)
class LineReport:
    """Prints a row per result, aligned; a terminal gets it in as many lines as it needs."""

    console: Console
    name_width: int = 0
    """The width of the longest target."""

    language: str = ENGLISH
    ascii_only: bool = False
    kinds: Kinds | None = None
    """Keeps the reasons that are told once for each kind; None to tell none."""

    def show(self, result: Result) -> None:
        """Print a result in a row, whose cause nothing cuts."""
        from handshake.cli.console import glyphs, show
        from handshake.view.probe_lines import ResultRow

        if self.kinds is not None:
            self.kinds.add(result)
        ellipsis = glyphs(ascii_only=self.ascii_only).ellipsis
        row = ResultRow(result, self.name_width, self.language, ellipsis)
        show(self.console, row.lines(self.console.width) if self._on_terminal else [row.line()])

    @property
    def _on_terminal(self) -> bool:
        return self.console.is_terminal

    def statistics(self, lines: Sequence[Text]) -> None:
        """Print the reasons, then the lines."""
        from handshake.cli.console import show
        from handshake.view.layout import line

        reasons = []
        if self.kinds is not None:
            reasons = self.kinds.lines(self.console.width if self._on_terminal else None)
        gap = [line()] if reasons and lines and lines[0].plain else []
        show(self.console, [*reasons, *gap, *lines])

    def end(self, code: int) -> int:
        """Return the code: there is nothing to add."""
        return code


@dataclass
class Sorted:
    """Keeps the results until the end, to print them in an order."""

    report: ProbeReport
    order: str
    """One of `ORDERS`."""

    targets: Sequence[str] = ()
    """The targets as they were given."""

    kept: list[Result] = field(default_factory=list)

    def show(self, result: Result) -> None:
        """Keep a result."""
        self.kept.append(result)

    def statistics(self, lines: Sequence[Text]) -> None:
        """Print the results in their order, then the lines."""
        places = {each: place for place, each in reversed(list(enumerate(self.targets)))}
        keys: dict[str, Callable[[Result], Any]] = {
            "arguments": lambda each: places.get(each.target.partition(" #")[0], len(places)),
            "rtt": lambda each: (each.rtt is None, each.rtt or 0),
            "verdict": lambda each: list(type(each.verdict)).index(each.verdict),
        }
        for each in sorted(self.kept, key=keys[self.order]):
            self.report.show(each)
        self.kept.clear()
        self.report.statistics(lines)

    def end(self, code: int) -> int:
        """Return the code, or what the report makes of it."""
        return self.report.end(code)


class JsonReport:
    """Prints a JSON object per line."""

    def __init__(self) -> None:
        from handshake.linux.privileges import Shell

        # Before the privileges are dropped: it tells whether commands need sudo.
        self._shell = Shell.ours()

    def show(self, result: Result) -> None:
        """Print a result."""
        sys.stdout.write(json.dumps(result.as_json(self._shell)) + "\n")
        sys.stdout.flush()

    def statistics(self, lines: Sequence[Text]) -> None:
        """Print the lines on standard error, apart from the objects."""
        for each in lines:
            print(each.plain, file=sys.stderr)  # noqa: T201

    def end(self, code: int) -> int:
        """Return the code: there is nothing to add."""
        return code


class QuietReport:
    """Prints nothing: the exit code tells."""

    def show(self, result: Result) -> None:
        """Take a result."""

    def statistics(self, lines: Sequence[Text]) -> None:
        """Take the lines."""

    def end(self, code: int) -> int:
        """Return the code."""
        return code


class MonitorReport(QuietReport):
    """Prints the output for a monitoring system at the end."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._results: list[Result] = []

    def show(self, result: Result) -> None:
        """Keep a result."""
        self._results.append(result)

    def end(self, code: int) -> int:
        """Print it; return the code, or for Nagios the status."""
        from handshake.export.monitor import nagios, prometheus

        if self._kind == "prometheus":
            sys.stdout.write(prometheus(self._results))
            return code
        line, status = nagios(self._results)
        sys.stdout.write(f"{line}\n")
        return status


@dataclass(frozen=True)
class Output:
    """What to print of the results, and where to write the packets."""

    as_json: bool = False
    plain: bool = False
    ascii_only: bool = False
    quiet: bool = False
    monitor: str | None = None
    write: str | None = None
    """The file for the packets; None for none."""

    brief: bool = False
    """Whether to print only a line per address, even for one target."""

    verbose: int = 0
    """1: show the header of each segment, and both sockets; 2: also its octets."""

    language: str = ENGLISH
    order: str = ORDERS[0]
    export: str | None = None
    """The file for the results, told for a reader; None for none."""

    def __post_init__(self) -> None:
        if self.monitor is not None and self.monitor not in MONITORS:
            raise UsageError("choice", option="--monitor", value=self.monitor, choices=MONITORS)
        if self.order not in ORDERS:
            raise UsageError("choice", option="--sort", value=self.order, choices=ORDERS)
        forms = {
            "--json": self.as_json,
            "--quiet": self.quiet,
            "--brief": self.brief,
            "--monitor": bool(self.monitor),
        }
        chosen = [name for name, given in forms.items() if given]
        if self.verbose and chosen:
            chosen.append("-v")
        if self.write == "-" and not self.quiet:
            chosen.append("-w -")
        if self.export is not None:
            check_export(self.export)
            if is_stdout(self.export) and not self.quiet:
                chosen.append(f"--export {self.export}")
        if len(chosen) > 1:
            raise UsageError("exclusive", options=chosen)

    @property
    def as_text(self) -> bool:
        """Whether to print text for a person."""
        to_stdout = self.write == "-" or (self.export is not None and is_stdout(self.export))
        return not (self.as_json or self.quiet or self.monitor or to_stdout)

    @property
    def attentive(self) -> bool:
        """Whether every segment must be kept."""
        return self.as_json or self.write is not None or self.export is not None

    def report(
        self, console: Console, name_width: int = 0, targets: Sequence[str] | None = None
    ) -> ProbeReport:
        """Return what prints the results of many `targets`; `name_width` aligns their rows."""
        report = self._report(console, name_width, many=targets is not None)
        if targets is None or self.order == ORDERS[0]:
            return report
        return Sorted(report, self.order, targets)

    def _report(self, console: Console, name_width: int, *, many: bool) -> ProbeReport:
        if self.as_json:
            return JsonReport()
        if self.monitor is not None:
            return MonitorReport(self.monitor)
        if not self.as_text:
            return QuietReport()
        kinds = None
        if many and not self.brief:
            from handshake.view.probe_lines import Kinds

            kinds = Kinds(self.language)
        return LineReport(console, name_width, self.language, self.ascii_only, kinds)

    def results(self) -> AbstractContextManager[Callable[[Result], None]]:
        """Return what takes the results for the file, if there is one, until its block is over."""
        return results_to(self.export, self.language)

    @contextmanager
    def evidence(self) -> Iterator[Evidence]:
        """Open the file for the packets, if there is one."""
        if self.write is None:
            yield Evidence(None)
            return
        from handshake.capture.pcapng_writer import opened

        with opened(self.write) as writer:
            name = "standard output" if self.write == "-" else self.write
            yield Evidence(writer, name)


class Evidence:
    """Writes packets to a file as they pass, so that an interrupted run loses none."""

    def __init__(self, writer: PcapngWriter | None, name: str = "") -> None:
        self._writer = writer
        self._name = name
        self._failed = False

    @property
    def observer(self) -> Callable[[], PacketObserver] | None:
        """Makes an observer for each connection that writes its packets; None without a file."""
        return None if self._writer is None else self._packet_writer

    def _packet_writer(self) -> PacketObserver:
        from handshake.export.evidence import PacketLog

        assert self._writer is not None
        log = PacketLog(self._writer)

        def add(received: Observed | IcmpError) -> None:
            if self._failed:
                return
            try:
                log.add(received)
            except (LocalError, OSError) as error:
                # Raise only once: the rest of the run must still close its connections.
                self._failed = True
                if isinstance(error, BrokenPipeError):
                    why = system_error(error)
                    raise LocalError("file.unwritten", why=why).at(self._name) from error
                raise

        return add
