"""`handshake probe`: opens a connection by hand and says what happened."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from handshake.cli.options import Ascii, Json, Plain  # noqa: TC001 - typer reads them

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from handshake.events import Step
    from handshake.probe import Patience, Probe, Result, Target


def probe(
    target: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...",
            help="host:port, [v6]:port, a URL, or host port; without one, a listener of our own.",
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Take targets from a file, some a line; - is stdin."),
    ] = None,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.001, help="How long to wait for an answer.")
    ] = 5.0,
    retries: Annotated[
        int, typer.Option(metavar="N", min=0, help="How often to send the SYN again.")
    ] = 2,
    concurrency: Annotated[
        int, typer.Option(metavar="N", min=1, max=16384, help="Calls under way at once.")
    ] = 32,
    rate: Annotated[
        float, typer.Option(metavar="N", help="Calls that begin in a second, at most.")
    ] = 100.0,
    count: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Call N times, and sum up as ping does.")
    ] = None,
    interval: Annotated[
        float, typer.Option(metavar="SECONDS", help="With --count: from one call to the next.")
    ] = 1.0,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
) -> None:
    """Open a connection by hand, close it again, and say what happened.

    Of one target every segment is shown as it passes, with its header and with what both
    sockets know. Of many (host:80,443,8000-8010, a list) each gets a line as it ends.
    It needs the right to send hand-built segments: CAP_NET_RAW.
    """
    from handshake.errors import UsageError
    from handshake.probe import Patience, exit_code, probes

    patience = Patience.of(timeout=timeout, retries=retries)
    for name, value in (("--rate", rate), ("--interval", interval)):
        if not value > 0:
            raise UsageError(f"{name} {value:g}: it must be more than 0")
    with ExitStack() as stack:
        found = _targets(target or [], file, stack)
        if len(found) > 1 or count is not None:
            from handshake.cli.probe_many import Many

            many = Many(
                patience, concurrency, rate, count, interval, as_json, plain, _drop_privileges
            )
            raise typer.Exit(many.run(found))
        show = _print_json if as_json else _Stage(plain=plain, ascii_only=ascii_only).show
        calls = stack.enter_context(closing(_share(probes(found[0], patience), patience)))
        code = exit_code([show(call) for call in calls])
    raise typer.Exit(code)


def _targets(words: Sequence[str], file: str | None, stack: ExitStack) -> list[Target]:
    """Return whom to call: all are understood before the first is called."""
    from handshake.probe import own_listener, targets

    found = list(targets(words))
    if file is not None:
        from handshake.cli.probe_many import read_file

        found += read_file(file)
    return found or [stack.enter_context(own_listener())]


def _share(
    calls: Iterable[Probe | Result], patience: Patience
) -> Generator[Probe | Result, None, None]:
    """Let all calls go over the same sockets: no others can be opened later."""
    from handshake.probe import Result

    with ExitStack() as stack:
        exchange = None
        for call in calls:
            if not isinstance(call, Result):
                if exchange is None:
                    from handshake.probe.exchange import Exchange

                    made = Exchange(patience, attentive=True, opened=_drop_privileges)
                    exchange = stack.enter_context(made)
                call.exchange = exchange
            yield call


def _drop_privileges() -> None:
    """Go on as a user without any right: what will be needed of our own files is read before."""
    from rich.cells import cell_len

    import handshake.view.explanation
    import handshake.view.probe_lines  # noqa: F401
    from handshake.wire import privileges

    cell_len("─")  # reads a table of widths
    privileges.drop()


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
