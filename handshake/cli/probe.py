"""`handshake probe`: opens a connection by hand and says what happened."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from handshake.cli.options import Ascii, Json, Plain  # noqa: TC001 - typer reads them

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.events import Step
    from handshake.probe import Probe, Result, Target


def probe(
    target: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...",
            help="host:port, [v6]:port, a URL, or host port; without one, a listener of our own.",
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="How long to wait for an answer.")
    ] = 5.0,
    retries: Annotated[
        int, typer.Option(metavar="N", min=0, help="How often to send the SYN again.")
    ] = 2,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
) -> None:
    """Open a connection by hand, close it again, and say what happened.

    Every segment is shown as it passes, with its header and with what both sockets know.
    It needs the right to send hand-built segments: CAP_NET_RAW.
    """
    from handshake.probe import Patience, exit_code, probes

    patience = Patience.of(timeout=timeout, retries=retries)
    show = _print_json if as_json else _Stage(plain=plain, ascii_only=ascii_only).show
    with ExitStack() as stack:
        calls = (call for each in _targets(target or [], stack) for call in probes(each, patience))
        code = exit_code([show(call) for call in calls])
    raise typer.Exit(code)


def _targets(words: Sequence[str], stack: ExitStack) -> list[Target]:
    """Return whom to call: all are understood before the first is called."""
    from handshake.probe import own_listener, targets

    return list(targets(words)) if words else [stack.enter_context(own_listener())]


def _print_json(call: Probe | Result) -> Result:
    import json
    import sys

    from handshake.probe import Result

    if isinstance(call, Result):
        result = call
    else:
        with closing(call):
            result = call.result
    sys.stdout.write(json.dumps(result.as_json()) + "\n")
    sys.stdout.flush()
    return result


class _Stage:
    """Shows each call as it happens, and what came of it."""

    def __init__(self, *, plain: bool, ascii_only: bool) -> None:
        from handshake.cli.console import console, glyphs, show

        self._console = console(plain=plain)
        self._print = partial(show, self._console)
        self._glyphs = glyphs(ascii_only=ascii_only)
        self._shown = 0

    def show(self, call: Probe | Result) -> Result:
        """Show one call from its first segment to its verdict; return the result."""
        from handshake.probe import Result
        from handshake.view.probe import Findings
        from handshake.view.text import line

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
        from handshake.view.explanation import ROOM, Explanation
        from handshake.view.numbers import Numbers
        from handshake.view.probe import heading

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
