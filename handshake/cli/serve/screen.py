"""The output of `handshake serve`: a live screen on a terminal, lines or JSON in a pipe."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from handshake.messages import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

    from handshake.events import Step
    from handshake.prober.userspace.connection import PacketObserver
    from handshake.server.serving import Service, Serving
    from handshake.view.glyphs import Glyphs
    from handshake.view.notation import Numbers


@dataclass(frozen=True, kw_only=True)
class ServeOutput:
    """What to print, and where to write the packets."""

    as_json: bool = False
    brief: bool = False
    verbose: bool = False
    plain: bool = False
    ascii_only: bool = False
    write: str | None = None
    misbehaves: str = ""
    """The name of a misbehaviour, for the first line."""

    language: str = ENGLISH


def show_names(language: str) -> None:
    """Print the misbehaviours, each with a sentence."""
    from handshake.cli.console import console, show
    from handshake.endpoint.misbehaviour import MISBEHAVIOURS
    from handshake.view.layout import line, wrap
    from handshake.view.serve import said

    out = console()
    width = max(map(len, MISBEHAVIOURS)) + 2
    for name in MISBEHAVIOURS:
        sentence = said(f"misbehave.{name}", language)
        rows = wrap(sentence, out.width - width - 1) if out.is_terminal else [sentence]
        shown = [line((f"{name:{width}}", "title"), rows[0])]
        show(out, [*shown, *(line(" " * width, each) for each in rows[1:])])


def run(service: Service, output: ServeOutput, most: float) -> int:
    """Serve until `most` connections are over; return the exit code."""
    from handshake.cli import privileges
    from handshake.cli.probe.report import Evidence
    from handshake.server.serving import Serving

    with ExitStack() as stack:
        writer = None
        if output.write is not None:
            from handshake.capture.pcapng_writer import opened

            writer = stack.enter_context(opened(output.write))
        evidence = Evidence(writer, output.write or "").observer
        keep = None if evidence is None else evidence()
        drop = partial(privileges.drop, output.language, privileges.SERVE)
        serving = stack.enter_context(Serving(service, drop))
        screen = _screen(serving, output)
        try:
            screen.begin()
            for _ in serving.rounds():
                _take(serving, screen, keep)
                if serving.server.total >= most:
                    break
        finally:
            serving.abort()
            _take(serving, screen, keep)
            screen.end()
    return 0


def _take(serving: Serving, screen: _Screen, keep: PacketObserver | None) -> None:
    """Write and show what has passed; a signal does not cut it short."""
    from handshake.linux.signals import signals_blocked

    with signals_blocked():
        steps = serving.take()
        if keep is not None:
            for each in steps:
                keep(each.observed)
        screen.show(steps)


class _Screen(Protocol):
    """Shows what passes."""

    def begin(self) -> None:
        """Say that the port is open."""

    def show(self, steps: Sequence[Step]) -> None:
        """Show what has passed since the last time."""

    def end(self) -> None:
        """Say what became of all connections."""


def _screen(serving: Serving, output: ServeOutput) -> _Screen:
    if output.as_json or output.write == "-":
        return _Json(serving, output)
    from handshake.cli.console import console, glyphs

    out = console(plain=output.plain)
    signs = glyphs(output.language, ascii_only=output.ascii_only)
    if out.is_terminal and not out.is_dumb_terminal:
        return _Live(serving, output, out, signs)
    return _Lines(serving, output, out, signs)


class _Json:
    """Prints a JSON object a segment; what it says of itself goes to standard error."""

    def __init__(self, serving: Serving, output: ServeOutput) -> None:
        self._serving, self._output = serving, output
        self._told = (0, 0, 0)

    def begin(self) -> None:
        """Say that the port is open."""
        from handshake.view.serve import said

        service, output = self._serving.service, self._output
        place = f"port {service.port}"
        if service.address is not None:
            place += f" of {service.address}"
        if service.options.interface is not None:
            place += f" on {service.options.interface}"
        self._say(
            said(
                "listening",
                output.language,
                place=place,
                guard=self._serving.guards[0].name,
                backlog=service.backlog,
                misbehaves=output.misbehaves,
            )
        )

    def show(self, steps: Sequence[Step]) -> None:
        """Print an object for each step."""
        if self._output.as_json:
            from handshake.step_record import step_record

            for each in steps:
                sys.stdout.write(json.dumps(step_record(each)) + "\n")
            if steps:
                sys.stdout.flush()
        for sentence in self._news():
            self._say(sentence)

    def end(self) -> None:
        """Say what became of all connections."""
        self._say(self._summary())

    def _summary(self) -> str:
        from handshake.view.serve import summary

        return summary(self._serving.server, self._output.language)

    def _news(self) -> list[str]:
        """Return what was dropped since the last time."""
        listeners = self._serving.server.listeners.values()
        overflows = sum(each.overflows for each in listeners)
        dropped = sum(each.dropped_syns for each in listeners)
        found, before = (overflows, dropped, self._serving.unsent), self._told
        if found == before:
            return []
        from handshake.view.serve import said

        self._told, backlog = found, self._serving.service.backlog
        codes = ("accept-queue-full", "syns-dropped", "unsent")
        news = []
        for code, count, known in zip(codes, found, before, strict=True):
            # A SYN that the accept queue has no room for counts twice, as on Linux.
            if count > known and not (code == "syns-dropped" and overflows > before[0]):
                news.append(said(code, self._output.language, count=count, backlog=backlog))
        return news

    def _say(self, sentence: str) -> None:
        print(sentence, file=sys.stderr, flush=True)  # noqa: T201


class _Lines(_Json):
    """Prints a line a segment, or all of it."""

    def __init__(self, serving: Serving, output: ServeOutput, out: Console, signs: Glyphs) -> None:
        super().__init__(serving, output)
        self._out, self._signs = out, signs
        self._full = output.verbose
        self._numbers: dict[int, list[Step]] = {}
        """The steps by which the numbers of a connection are shown."""

        self._last: dict[int, list[Step]] = {}
        """The last step of each end of a connection, the newest last."""

    def show(self, steps: Sequence[Step]) -> None:
        """Print each step, then what was dropped."""
        from handshake.cli.console import show
        from handshake.view.layout import line

        rows = [row for each in steps for row in self._rows(each)]
        rows += [line(("! ", "warn"), each) for each in self._news()]
        if rows:
            show(self._out, rows)

    def end(self) -> None:
        """Say what became of all connections."""
        from handshake.cli.console import show
        from handshake.view.layout import line

        show(self._out, [line(self._summary())])

    def _rows(self, step: Step) -> list[Text]:
        from handshake.view.serve import step_line

        numbers = self._numbers_of(step)
        if not self._full:
            return [step_line(step, numbers, self._signs)]
        from handshake.view.step import ROOM, Explanation

        known = self._last.setdefault(step.stream, [])
        earlier = next((each for each in known if each.by is step.by), None)
        before = known[-1] if known else None
        pictured = self._out.is_terminal and self._out.width >= ROOM
        shown = Explanation(step, numbers, before, earlier, pictured, self._signs)
        self._last[step.stream] = [each for each in known if each.by is not step.by] + [step]
        return [step_line(step, numbers, self._signs), *shown.lines(self._out.width)[1:]]

    def _numbers_of(self, step: Step) -> Numbers:
        from handshake.view.notation import Numbers

        known = self._numbers.setdefault(step.stream, [])
        if len(known) < 2 or len({each.by for each in known}) < 2:
            known.append(step)
        # A later connection has a later number: what is old is over.
        while len(self._numbers) > self._most:
            del self._numbers[next(iter(self._numbers))]
        while len(self._last) > self._most:
            del self._last[next(iter(self._last))]
        return Numbers.of(known)

    _most = 10_000


class _Live(_Lines):
    """Prints what passes above a table of the connections, which is drawn again and again."""

    def __init__(self, serving: Serving, output: ServeOutput, out: Console, signs: Glyphs) -> None:
        super().__init__(serving, output, out, signs)
        self._full = not output.brief
        from rich.live import Live

        # No thread draws: it would take the signals that end the program.
        self._live = Live(console=out, auto_refresh=False, transient=True)

    def begin(self) -> None:
        """Say that the port is open, and draw the table."""
        super().begin()
        self._live.start()
        self._draw()

    def show(self, steps: Sequence[Step]) -> None:
        """Print each step above the table."""
        super().show(steps)
        self._draw()

    def end(self) -> None:
        """Remove the table; say what became of all connections."""
        self._live.stop()
        super().end()

    def _draw(self) -> None:
        from rich.console import Group

        from handshake.view.layout import line
        from handshake.view.serve import entries, said, table

        serving, language = self._serving, self._output.language
        width, height = self._out.size
        rows = entries(serving.server, serving.clock.now(), language)
        rule = line((self._signs.rule(width), "rule"))
        body = table(rows, width, max(2, height // 3), self._signs, language)
        if not rows:
            body = [line((f" {said('waiting', language)}", "dim"))]
        self._live.update(Group(rule, *body, line((self._summary(), "why"))), refresh=True)

    def _say(self, sentence: str) -> None:
        from handshake.cli.console import show
        from handshake.view.layout import line

        show(self._out, [line(sentence)])
