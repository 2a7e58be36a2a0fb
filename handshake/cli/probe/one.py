"""`handshake probe` with one target: each segment as it passes, then the result."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from handshake.cli.probe.report import Output
    from handshake.events import Step
    from handshake.prober import ClientOptions, Probe, Result, Target, Timeouts


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
    screen = ProbeScreen(plain=output.plain, ascii_only=output.ascii_only) if in_full else None

    def results() -> Generator[Result, None, None]:
        with output.evidence() as evidence, ExitStack() as stack:
            probes: Iterable[Probe | Result]
            if opened is None:
                probes = stack.enter_context(closing(kernel_results(target, timeouts, options)))
            else:
                observer = evidence.observer
                prober = Prober(timeouts, options, opened=opened, observer=observer)
                probes = stack.enter_context(prober).probes(target)
            for probe in probes:
                result = _result(probe) if screen is None else screen.show(probe)
                if screen is None:
                    report.show(result)
                yield result

    with closing(results()) as found:
        return report.end(exit_code(found))


def kernel_results(
    target: Target, timeouts: Timeouts, options: ClientOptions
) -> Generator[Probe | Result, None, None]:
    """Yield the result of a connect() to each address of the target."""
    from handshake.prober import Result, connect, probes

    for probe in probes(target, timeouts, options):
        if isinstance(probe, Result):
            yield probe
        else:
            yield connect(target, probe.remote, timeouts=timeouts, options=options)


def _result(probe: Probe | Result) -> Result:
    from handshake.prober import Result

    if isinstance(probe, Result):
        return probe
    with closing(probe):
        return probe.finish()


class ProbeScreen:
    """Shows each probe as it happens, then its result."""

    def __init__(self, *, plain: bool, ascii_only: bool) -> None:
        from handshake.cli.console import console, glyphs, show

        self._console = console(plain=plain)
        self._print = partial(show, self._console)
        self._glyphs = glyphs(ascii_only=ascii_only)
        self._shown = 0

    def show(self, probe: Probe | Result) -> Result:
        """Show a probe from its first segment to its verdict; return the result."""
        from handshake.prober import Result
        from handshake.view.layout import line
        from handshake.view.probe import ProbeView

        if self._shown:
            self._print([line()])
        self._shown += 1
        steps: list[Step] = []
        if isinstance(probe, Result):
            result = probe
        else:
            with closing(probe):
                self._follow(probe, steps)
                result = probe.finish()
        if steps:
            self._print([line()])
        self._print(ProbeView(result, steps, self._glyphs).lines(self._console.width))
        return result

    def _follow(self, probe: Probe, steps: list[Step]) -> None:
        """Show each step as it passes, and append it to `steps`."""
        from handshake.view.notation import Numbers
        from handshake.view.probe import heading
        from handshake.view.step import ROOM, Explanation

        width = self._console.width
        pictured = self._console.is_terminal and width >= ROOM
        for step in probe:
            earlier = next((each for each in reversed(steps) if each.by is step.by), None)
            before = steps[-1] if steps else None
            if before is None:
                self._print([heading(probe.target.text, str(probe.remote.address))])
            steps.append(step)
            numbers = Numbers.of(steps)
            shown = Explanation(step, numbers, before, earlier, pictured, self._glyphs)
            self._print(shown.lines(width))
