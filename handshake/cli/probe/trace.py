"""`handshake probe --trace`: which router passes the SYN on, and what is changed on the way."""

from __future__ import annotations

import json
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from handshake.cli.probe.report import Output
    from handshake.prober import ClientOptions, Result, Target
    from handshake.prober.trace import Trace


def show_trace(
    target: Target,
    options: ClientOptions,
    output: Output,
    wait: float,
    opened: Callable[[], None],
) -> int:
    """Trace the path to every address of the target; return the exit code.

    It is 0 if a SYN-ACK came back from one of them.
    """
    from handshake.prober import Result
    from handshake.prober.trace import Tracer

    codes = []
    screen = TraceScreen(output)
    with output.evidence() as evidence:
        tracer = Tracer(options, wait=wait, opened=opened, observer=evidence.observer)
        with tracer:
            for each in tracer.traces(target):
                found = each if isinstance(each, Result) else screen.follow(each)
                screen.show(found)
                good = not isinstance(found, Result) and found.succeeded
                codes.append(0 if good else found.exit_code if isinstance(found, Result) else 1)
    return min(codes, default=1)


class TraceScreen:
    """Shows each trace: on a terminal hop by hop, and then the verdict first."""

    def __init__(self, output: Output) -> None:
        from handshake.cli.console import console, glyphs
        from handshake.linux.privileges import Shell

        self._output = output
        self._console = console(plain=output.plain)
        self._glyphs = glyphs(output.language, ascii_only=output.ascii_only)
        self._shell = Shell.ours()

    def follow(self, trace: Generator[Trace | Result | None, None, None]) -> Trace | Result:
        """Return the whole trace, or why it could not be made; show it meanwhile."""
        last: Trace | Result | None = None
        if not (self._output.as_text and self._console.is_terminal):
            with self._telling(lambda: last), closing(trace):
                for each in trace:
                    last = last if each is None else each
            assert last is not None
            return last
        from rich.console import Group
        from rich.live import Live

        from handshake.prober import Result
        from handshake.view.layout import line
        from handshake.view.trace import TraceView

        with (
            self._telling(lambda: last),
            closing(trace),
            Live(console=self._console, auto_refresh=False, transient=True) as live,
        ):
            for each in trace:
                last = last if each is None else each
                if last is None or isinstance(last, Result):
                    continue
                view = TraceView(last, self._glyphs, self._output.language)
                rows = view.table(self._console.width)[-max(1, self._console.height - 2) :]
                waiting = line((f"  {view.waiting()}", "why"))
                live.update(Group(*rows, waiting), refresh=True)
        assert last is not None
        return last

    @contextmanager
    def _telling(self, known: Callable[[], Trace | Result | None]) -> Iterator[None]:
        """If it is interrupted, show what is known by then."""
        from handshake.cli.console import show
        from handshake.prober import Result
        from handshake.view.trace import TraceView

        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            trace = known()
            if self._output.as_text and trace is not None and not isinstance(trace, Result):
                view = TraceView(trace, self._glyphs, self._output.language)
                width = self._console.width if self._console.is_terminal else None
                show(self._console, view.interrupted(width))
            raise

    def show(self, found: Trace | Result) -> None:
        """Show a trace that has ended, or why there is none."""
        from handshake.cli.console import show
        from handshake.prober import Result
        from handshake.view.probe import ProbeView
        from handshake.view.trace import TraceView

        if self._output.as_json:
            sys.stdout.write(json.dumps(found.as_json()) + "\n")
            sys.stdout.flush()
            return
        if not self._output.as_text:
            return
        language = self._output.language
        view: ProbeView | TraceView
        if isinstance(found, Result):
            view = ProbeView(found, [], self._glyphs, language, shell=self._shell)
        else:
            view = TraceView(found, self._glyphs, language, self._shell)
        terminal = self._console.is_terminal
        show(self._console, view.lines(self._console.width) if terminal else view.sentences())
