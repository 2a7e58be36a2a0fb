"""`handshake probe` with one target: a live ladder while it runs, then the answer first."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from handshake.cli.probe.report import Output
    from handshake.events import Step
    from handshake.prober import ClientOptions, Probe, Result, Target, Timeouts
    from handshake.view.probe_live import LiveView


def show_one(
    target: Target,
    timeouts: Timeouts,
    options: ClientOptions,
    output: Output,
    opened: Callable[[], None] | None,
) -> int:
    """Probe every address of the target; return the exit code.

    `opened` is called once the sockets are open; without it, the kernel makes the connections.
    """
    from handshake.cli.console import console
    from handshake.prober import Prober, exit_code

    report = output.report(console(plain=output.plain))
    in_full = output.as_text and not output.brief
    screen = ProbeScreen(output) if in_full else None

    def results() -> Generator[Result, None, None]:
        with output.results() as keep, output.evidence() as evidence, ExitStack() as stack:
            probes: Iterable[Probe | Result]
            if opened is None:
                found = kernel_results(target, timeouts, options, screen)
                probes = stack.enter_context(closing(found))
            else:
                observer = evidence.observer
                prober = Prober(timeouts, options, opened=opened, observer=observer)
                probes = stack.enter_context(prober).probes(target)
            for probe in probes:
                result = _result(probe) if screen is None else screen.show(probe)
                if screen is None:
                    report.show(result)
                keep(result)
                yield result

    with closing(results()) as found:
        return report.end(exit_code(found))


def kernel_results(
    target: Target, timeouts: Timeouts, options: ClientOptions, screen: ProbeScreen | None
) -> Generator[Probe | Result, None, None]:
    """Yield the result of a connect() to each address of the target; the screen shows it."""
    from handshake.prober import Result, connect, probes

    for probe in probes(target, timeouts, options):
        if isinstance(probe, Result):
            yield probe
            continue
        call = partial(connect, target, probe.remote, timeouts=timeouts, options=options)
        yield call() if screen is None else screen.connect(probe, call)


def _result(probe: Probe | Result) -> Result:
    from handshake.prober import Result

    if isinstance(probe, Result):
        return probe
    with closing(probe):
        return probe.finish()


class ProbeScreen:
    """Shows each probe as it happens, then its result."""

    def __init__(self, output: Output) -> None:
        from handshake.cli.console import console, glyphs, show
        from handshake.linux.privileges import Shell

        self._output = output
        self._console = console(plain=output.plain)
        self._print = partial(show, self._console)
        self._glyphs = glyphs(output.language, ascii_only=output.ascii_only)
        self._shell = Shell.ours()
        self._shown = 0

    def show(self, probe: Probe | Result) -> Result:
        """Show a probe from its first segment to its verdict; return the result."""
        from handshake.prober import Result
        from handshake.prober.hindsight import steps_of
        from handshake.view.layout import line
        from handshake.view.probe import ProbeView

        if self._shown:
            self._print([line()])
        self._shown += 1
        steps: list[Step] = []
        if isinstance(probe, Result):
            result = probe
        else:
            try:
                with closing(probe):
                    self._follow(probe, steps)
                    result = probe.finish()
            except (KeyboardInterrupt, SystemExit):
                width = self._console.width if self._console.is_terminal else None
                self._print(self._live(probe, steps).interrupted(width))
                raise
        verbose = bool(self._output.verbose)
        if steps and verbose:
            self._print([line()])
        if len(result.segments) == len(steps):  # of very many, only the first are kept
            steps = steps_of(result)
        view = ProbeView(
            result, steps, self._glyphs, self._output.language, verbose, shell=self._shell
        )
        if verbose or self._console.is_terminal:
            self._print(view.lines(self._console.width))
        else:
            self._print(view.sentences())
        return result

    def connect(self, probe: Probe, call: Callable[..., Result]) -> Result:
        """Show that the kernel connects; return the result of the call."""
        began = time.monotonic()

        def view() -> LiveView:
            return replace(self._live(probe, []), seconds=time.monotonic() - began)

        try:
            if not self._is_live:
                return call()
            from handshake.cli.probe.live import LiveLadder

            with LiveLadder(self._console, view) as ladder:
                return call(tick=ladder.update)
        except (KeyboardInterrupt, SystemExit):
            width = self._console.width if self._console.is_terminal else None
            self._print(view().interrupted(width))
            raise

    @property
    def _is_live(self) -> bool:
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def _follow(self, probe: Probe, steps: list[Step]) -> None:
        """Append each step to `steps` as it passes, and show it where it can be seen."""
        if self._output.verbose:
            self.explain(probe, steps)
        elif self._is_live:
            from handshake.cli.probe.live import LiveLadder

            with LiveLadder(self._console, partial(self._live, probe, steps)) as ladder:
                for step in probe.rounds():
                    if step is not None:
                        steps.append(step)
                    ladder.update()
        else:
            steps += probe

    def _live(self, probe: Probe, steps: list[Step]) -> LiveView:
        from handshake.view.probe_live import LiveView

        return LiveView(
            probe.target.text,
            str(probe.remote.address),
            steps,
            probe.errors,
            probe.waiting,
            self._glyphs,
            self._output.language,
        )

    def explain(self, probe: Probe, steps: list[Step]) -> None:
        """Show the header of each step as it passes, and what both sockets know."""
        from handshake.view.hexdump import HexDump
        from handshake.view.notation import Numbers
        from handshake.view.probe import heading
        from handshake.view.step import ROOM, Explanation

        width = self._console.width
        pictured = self._console.is_terminal and width >= ROOM
        for step in probe:
            earlier = next((each for each in reversed(steps) if each.by is step.by), None)
            before = steps[-1] if steps else None
            if before is None:
                address = str(probe.remote.address)
                self._print([heading(probe.target.text, address, self._output.language)])
            steps.append(step)
            numbers = Numbers.of(steps)
            shown = Explanation(step, numbers, before, earlier, pictured, self._glyphs)
            self._print(shown.lines(width))
            if self._output.verbose > 1:
                self._print(HexDump(step.observed).lines())
