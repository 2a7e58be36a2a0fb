"""Where the results of `handshake probe` go: lines, JSON, a monitoring system, or nowhere."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from handshake.errors import LocalError, UsageError

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


class Report(Protocol):
    """Takes results as they come."""

    def show(self, result: Result) -> None:
        """Take one result."""

    def sum_up(self, lines: Sequence[Text]) -> None:
        """Take what they all add up to, in lines."""

    def end(self, code: int) -> int:
        """Say what is to be said at the end; return what to exit with, by default with `code`."""


@dataclass(frozen=True)
class LineReport:
    """Prints a line for each; on a terminal aligned, and on one line of it, as far as may be."""

    console: Console
    name_width: int = 0
    """Columns that the words for a target take, at most."""

    def show(self, result: Result) -> None:
        """Print one result in a line."""
        from handshake.view.probe_lines import result_line

        width = self.console.width
        if self.console.is_terminal and self.name_width <= width // 3:
            result = replace(result, target=result.target.ljust(self.name_width))
        row = result_line(result)
        if self.console.is_terminal and row.cell_len > width:
            # The first clause says what came; what that may mean is said where one is called.
            row = result_line(replace(result, reason=result.reason.partition(": ")[0]))
        self.sum_up([row])

    def sum_up(self, lines: Sequence[Text]) -> None:
        """Print the lines."""
        from handshake.cli.console import show

        show(self.console, lines)

    def end(self, code: int) -> int:
        """Return the code: all is said."""
        return code


class Objects:
    """Prints a JSON object for each, on a line of its own."""

    def show(self, result: Result) -> None:
        """Print one result."""
        sys.stdout.write(json.dumps(result.as_json()) + "\n")
        sys.stdout.flush()

    def sum_up(self, lines: Sequence[Text]) -> None:
        """Print the lines where they do not get into the objects."""
        for each in lines:
            print(each.plain, file=sys.stderr)  # noqa: T201

    def end(self, code: int) -> int:
        """Return the code: all is said."""
        return code


class Nothing:
    """Prints nothing: what the program exits with tells."""

    def show(self, result: Result) -> None:
        """Take one result."""

    def sum_up(self, lines: Sequence[Text]) -> None:
        """Take the lines."""

    def end(self, code: int) -> int:
        """Return the code."""
        return code


class Monitored(Nothing):
    """Prints at the end what a monitoring system reads."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._results: list[Result] = []

    def show(self, result: Result) -> None:
        """Keep one result."""
        self._results.append(result)

    def end(self, code: int) -> int:
        """Print it; return the code, or for Nagios what it takes for the status."""
        from handshake.export.monitor import nagios, prometheus

        if self._kind == "prometheus":
            sys.stdout.write(prometheus(self._results))
            return code
        line, status = nagios(self._results)
        sys.stdout.write(f"{line}\n")
        return status


@dataclass(frozen=True)
class Output:
    """What is to be shown of the results, and kept of the packets."""

    as_json: bool = False
    plain: bool = False
    ascii_only: bool = False
    quiet: bool = False
    monitor: str | None = None
    write: str | None = None
    """The name of the file for the packets; None where they are not kept."""

    brief: bool = False
    """Whether even one target gets no more than a line."""

    def __post_init__(self) -> None:
        if self.monitor is not None and self.monitor not in MONITORS:
            raise UsageError(f"--monitor {self.monitor}: it is one of {', '.join(MONITORS)}")
        ways = {
            "--json": self.as_json,
            "--quiet": self.quiet,
            "--brief": self.brief,
            "--monitor": bool(self.monitor),
        }
        chosen = [name for name, wanted in ways.items() if wanted]
        if self.write == "-" and not self.quiet:
            chosen.append("-w -")
        if len(chosen) > 1:
            raise UsageError(f"{' and '.join(chosen)}: standard output takes one of them")

    @property
    def in_words(self) -> bool:
        """Whether somebody is to read it."""
        return not (self.as_json or self.quiet or self.monitor or self.write == "-")

    @property
    def attentive(self) -> bool:
        """Whether every segment is wanted."""
        return self.as_json or self.write is not None

    def report(self, console: Console, name_width: int = 0) -> Report:
        """Return where the results go; in lines, words for a target take so many columns."""
        if self.as_json:
            return Objects()
        if self.monitor is not None:
            return Monitored(self.monitor)
        return LineReport(console, name_width) if self.in_words else Nothing()

    @contextmanager
    def evidence(self) -> Iterator[Evidence]:
        """Open the file for the packets, if they are to be kept."""
        if self.write is None:
            yield Evidence(None)
            return
        from handshake.capture.pcapng_writer import opened

        with opened(self.write) as writer:
            yield Evidence(writer)


class Evidence:
    """What was sent and received, written down as it passes: nothing is lost of a run that ends."""

    def __init__(self, writer: PcapngWriter | None) -> None:
        self._writer = writer
        self._broken = False

    @property
    def witness(self) -> Callable[[], PacketObserver] | None:
        """What gives each call a witness that writes its packets; None where they are not kept."""
        return None if self._writer is None else self._account

    def _account(self) -> PacketObserver:
        from handshake.export.evidence import Account

        assert self._writer is not None
        account = Account(self._writer)

        def add(heard: Observed | IcmpError) -> None:
            if self._broken:
                return
            try:
                account.add(heard)
            except (LocalError, OSError):
                # Said once: what is left has its connections to end, and not the file.
                self._broken = True
                raise

        return add
