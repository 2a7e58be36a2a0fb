"""`handshake probe` with one target: each segment as it passes, and what came of it."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from handshake.cli.probe.report import Evidence, Output
    from handshake.events import Step
    from handshake.prober import ClientOptions, Probe, Result, Target, Timeouts


def show_one(
    target: Target,
    timeouts: Timeouts,
    options: ClientOptions,
    output: Output,
    opened: Callable[[], None] | None,
) -> int:
    """Call every address of the target; return what to exit with.

    `opened` is called as soon as the sockets are open; without it, the kernel makes the calls.
    """
    from handshake.cli.console import console
    from handshake.prober import exit_code

    report = output.report(console(plain=output.plain))
    in_full = output.in_words and not output.brief
    stage = Stage(plain=output.plain, ascii_only=output.ascii_only) if in_full else None

    def results() -> Generator[Result, None, None]:
        with output.evidence() as evidence:
            made = (
                calls_of_the_kernel(target, timeouts, options)
                if opened is None
                else calls(target, timeouts, options, opened, evidence)
            )
            with closing(made):
                for call in made:
                    result = _ended(call) if stage is None else stage.show(call)
                    if stage is None:
                        report.show(result)
                    yield result

    with closing(results()) as found:
        return report.end(exit_code(found))


def calls(
    target: Target,
    timeouts: Timeouts,
    options: ClientOptions,
    opened: Callable[[], None],
    evidence: Evidence,
) -> Generator[Probe | Result, None, None]:
    """Yield a call to each address of the target; all go over the same sockets.

    No others could be opened later, when all privileges are given up.
    """
    from handshake.prober import Result, probes

    with ExitStack() as stack:
        connections = None
        made = list(probes(target, timeouts, options))
        for call in made:
            if not isinstance(call, Result):
                if connections is None:
                    from handshake.prober.userspace.connections import UserspaceConnections

                    sockets = UserspaceConnections(
                        timeouts, options, attentive=True, opened=opened, witness=evidence.witness
                    )
                    connections = stack.enter_context(sockets)
                    connections.prepare(
                        each.remote for each in made if not isinstance(each, Result)
                    )
                call.connections = connections
            yield call


def calls_of_the_kernel(
    target: Target, timeouts: Timeouts, options: ClientOptions
) -> Generator[Probe | Result, None, None]:
    """Yield the result of a call by connect() to each address of the target."""
    from handshake.prober import Result, probes
    from handshake.prober.connect import connect

    for call in probes(target, timeouts, options):
        if isinstance(call, Result):
            yield call
        else:
            yield connect(target, call.remote, timeouts=timeouts, options=options)


def _ended(call: Probe | Result) -> Result:
    from handshake.prober import Result

    if isinstance(call, Result):
        return call
    with closing(call):
        return call.result


class Stage:
    """Shows each call as it happens, and what came of it."""

    def __init__(self, *, plain: bool, ascii_only: bool) -> None:
        from handshake.cli.console import console, glyphs, show

        self._console = console(plain=plain)
        self._print = partial(show, self._console)
        self._glyphs = glyphs(ascii_only=ascii_only)
        self._shown = 0

    def show(self, call: Probe | Result) -> Result:
        """Show one call from its first segment to its verdict; return the result."""
        from handshake.prober import Result
        from handshake.view.layout import line
        from handshake.view.probe import Findings

        if self._shown:
            self._print([line()])
        self._shown += 1
        steps: list[Step] = []
        if isinstance(call, Result):
            result = call
        else:
            with closing(call):
                self._follow(call, steps)
                result = call.result
        if steps:
            self._print([line()])
        self._print(Findings(result, steps, self._glyphs).lines(self._console.width))
        return result

    def _follow(self, call: Probe, steps: list[Step]) -> None:
        """Draw each step as it passes, and keep it in `steps`."""
        from handshake.view.numbers import Numbers
        from handshake.view.probe import heading
        from handshake.view.step import ROOM, Explanation

        width = self._console.width
        pictured = self._console.is_terminal and width >= ROOM
        for step in call:
            earlier = next((each for each in reversed(steps) if each.by is step.by), None)
            before = steps[-1] if steps else None
            if before is None:
                self._print([heading(call.target.text, str(call.remote.address))])
            steps.append(step)
            numbers = Numbers.of(steps)
            shown = Explanation(step, numbers, before, earlier, pictured, self._glyphs)
            self._print(shown.lines(width))
