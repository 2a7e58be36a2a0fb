"""The output of `handshake probe`: lines, JSON, a monitoring format, or nothing."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from handshake.errors import LocalError, UsageError, system_error
from handshake.messages import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import Console
    from rich.text import Text

    from handshake.capture.pcapng_writer import PcapngWriter
    from handshake.prober import Result
    from handshake.prober.userspace.connection import PacketObserver
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError

MONITORS: Final = ("nagios", "prometheus")


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
    """Prints a line per result; on a terminal aligned, and in as many lines as it needs."""

    console: Console
    name_width: int = 0
    """The width of the longest target."""

    def show(self, result: Result) -> None:
        """Print a result in a line, which nothing cuts; a terminal gets it in several."""
        from rich.cells import cell_len

        from handshake.view.probe_lines import result_line, result_lines

        if not self.console.is_terminal:
            self.statistics([result_line(result)])
            return
        width = self.console.width
        if self.name_width <= width // 3:
            spare = self.name_width - cell_len(result.target)
            result = replace(result, target=result.target + " " * spare)
        self.statistics(result_lines(result, width))

    def statistics(self, lines: Sequence[Text]) -> None:
        """Print the lines."""
        from handshake.cli.console import show

        show(self.console, lines)

    def end(self, code: int) -> int:
        """Return the code: there is nothing to add."""
        return code


class JsonReport:
    """Prints a JSON object per line."""

    def show(self, result: Result) -> None:
        """Print a result."""
        sys.stdout.write(json.dumps(result.as_json()) + "\n")
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

    def __post_init__(self) -> None:
        if self.monitor is not None and self.monitor not in MONITORS:
            raise UsageError("choice", option="--monitor", value=self.monitor, choices=MONITORS)
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
        if len(chosen) > 1:
            raise UsageError("exclusive", options=chosen)

    @property
    def as_text(self) -> bool:
        """Whether to print text for a person."""
        return not (self.as_json or self.quiet or self.monitor or self.write == "-")

    @property
    def attentive(self) -> bool:
        """Whether every segment must be kept."""
        return self.as_json or self.write is not None

    def report(self, console: Console, name_width: int = 0) -> ProbeReport:
        """Return what prints the results; `name_width` aligns lines."""
        if self.as_json:
            return JsonReport()
        if self.monitor is not None:
            return MonitorReport(self.monitor)
        return LineReport(console, name_width) if self.as_text else QuietReport()

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
