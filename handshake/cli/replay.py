"""`handshake replay`: steps through the handshakes of a saved capture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from handshake.cli.parameters import Ascii, Dedup, Json, MaxUnpacked, Plain, Reorder, octets
from handshake.errors import CaptureError, UsageError
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import RenderableType

    from handshake.events import Step
    from handshake.record import Record
    from handshake.replayer import Replay
    from handshake.survey import Records
    from handshake.view.glyphs import Glyphs
    from handshake.view.notation import Numbers

_LONGEST_PAUSE: Final = 2.0
"""The longest pause while playing, in seconds."""


def replay(
    capture: Annotated[
        str, typer.Argument(metavar="CAPTURE", help="A pcap or pcapng file; - is standard input.")
    ],
    connection: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Show only connection #N, as numbered on the screen."
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(metavar="X", help="Play in real time, X times faster."),
    ] = None,
    dedup: Dedup = False,
    reorder: Reorder = False,
    max_unpacked: MaxUnpacked = None,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
) -> None:
    """Step through the connections of a saved capture.

    Shows each segment with its header, what both sockets know before and after it, what it
    changed and why. In a pipe, prints all of it as text.
    """
    if speed is not None and not 0 < speed < float("inf"):
        raise UsageError("replay.speed", speed=f"{speed:g}")

    from handshake.cli.console import is_interactive, warn
    from handshake.diagnosis import Facts
    from handshake.replayer import replay as read
    from handshake.survey import records
    from handshake.tracker import Tracker

    most = octets(max_unpacked, "--max-unpacked")
    if connection is not None and Path(capture).is_file():
        style = _Manner(speed, as_json=as_json, plain=plain, ascii_only=ascii_only)
        found = records(capture, dedup=dedup, reorder=reorder, max_unpacked=most)
        _replay_one(found, capture, connection, style)
        return
    observers = () if as_json else (Facts,)
    source = read(
        capture,
        Tracker(observers=observers),
        dedup=dedup,
        reorder=reorder,
        hindsight=True,
        max_unpacked=most,
    )
    try:
        if as_json:
            _print_json(source, connection)
        elif is_interactive(plain=plain):
            _play(source, connection, speed, ascii_only=ascii_only)
        else:
            _print_text(source, connection, plain=plain, ascii_only=ascii_only)
    finally:
        warn(each.at(source.name) for each in source.warnings)


class _Manner(NamedTuple):
    """How a connection is shown."""

    speed: float | None
    as_json: bool
    plain: bool
    ascii_only: bool


def _replay_one(source: Records, name: str, number: int, style: _Manner) -> None:
    """Show one connection of a file; the others are taken in bulk, as `list` does.

    The survey finds it, and reads no further than its record needs; then its own segments are read.
    """
    from handshake.cli.console import console, glyphs, is_interactive, show, warn

    record, count = None, 0
    try:
        for each in source:
            count += 1
            if each.stream == number - 1:
                record = each
                break
        if record is None:
            raise UsageError("replay.connection", number=number, capture=name, count=count)
        steps = source.steps(record)
        signs = glyphs(ascii_only=style.ascii_only)
        if style.as_json:
            _write_json(steps)
        elif is_interactive(plain=style.plain):
            from handshake.cli.tui import run

            run(Player(name, [(record, steps)], style.speed, signs), console())
        else:
            from handshake.view.notation import Numbers
            from handshake.view.replay import Transcript

            out = console(plain=style.plain)
            show(out, Transcript(record, steps, Numbers.of(steps), signs).lines(out.width))
    finally:
        warn(source.warnings)


def _chosen(source: Replay, connection: int | None) -> Iterator[Step]:
    """Yield the steps of one connection, or of all; raise UsageError if there is no such one."""
    for step in source:
        if connection is None or step.stream == connection - 1:
            yield step
    count = len(source.tracker.connections)
    if connection is not None and connection > count:
        raise UsageError("replay.connection", number=connection, capture=source.name, count=count)


def _connections(source: Replay, connection: int | None) -> list[list[Step]]:
    """Return the steps of each connection, in the order of their first segments."""
    found: dict[int, list[Step]] = {}
    for step in _chosen(source, connection):
        found.setdefault(step.stream, []).append(step)
    if not found:
        from handshake.cli.console import warn

        warn([CaptureError("list.no-tcp").at(source.name)])
    return list(found.values())


def _print_json(source: Replay, connection: int | None) -> None:
    _write_json(_chosen(source, connection))


def _write_json(steps: Iterable[Step]) -> None:
    import json
    import sys

    from handshake.step_record import step_record

    for step in steps:
        sys.stdout.write(json.dumps(step_record(step)) + "\n")
        sys.stdout.flush()


def _print_text(source: Replay, connection: int | None, *, plain: bool, ascii_only: bool) -> None:
    from handshake.cli.console import console, glyphs, show
    from handshake.tracker import summarize_all
    from handshake.view.layout import line
    from handshake.view.notation import Numbers
    from handshake.view.replay import Transcript

    out, signs = console(plain=plain), glyphs(ascii_only=ascii_only)
    found = _connections(source, connection)
    records = summarize_all(source.tracker.connections)
    for number, steps in enumerate(found):
        if number:
            show(out, [line()])
        record = records[steps[0].stream]
        show(out, Transcript(record, steps, Numbers.of(steps), signs).lines(out.width))


def _play(source: Replay, connection: int | None, speed: float | None, *, ascii_only: bool) -> None:
    from rich.text import Text

    from handshake.cli.console import console, glyphs
    from handshake.cli.tui import run
    from handshake.escape import printable
    from handshake.tracker import summarize_all

    # Thousands of packets take seconds: show that it is at work.
    with console().status(Text(printable(f"reading {source.name}"))):
        connections = _connections(source, connection)
    if connections:
        records = summarize_all(source.tracker.connections)
        found = [(records[each[0].stream], each) for each in connections]
        run(Player(source.name, found, speed, glyphs(ascii_only=ascii_only)), console())


class Player:
    """The position in a capture on a terminal, and what the keys do."""

    def __init__(
        self,
        name: str,
        connections: Sequence[tuple[Record, Sequence[Step]]],
        speed: float | None,
        signs: Glyphs,
        leaving: str = "quit",
    ) -> None:
        self._name = name
        self._connections = connections
        self._leaving = leaving
        """The label of q: quit, or back to the list."""

        self._speed = speed
        self._glyphs = signs
        self._connection = 0
        self._at = [0] * len(connections)
        """The current step of each connection."""

        self._relative = True
        self._octets = False
        self.pause = self._next_pause()

    @property
    def _steps(self) -> Sequence[Step]:
        return self._connections[self._connection][1]

    @property
    def _step(self) -> int:
        return self._at[self._connection]

    def advance(self) -> None:
        """Go to the next step."""
        self._go(self._step + 1)
        self.pause = self._next_pause()

    def press(self, key: str) -> bool:
        """Act on a key; return False to leave."""
        self.pause = None  # any key stops playing
        match key:
            case "q" | "escape":
                return False
            case "right" | "space" | "enter":
                self._go(self._step + 1)
            case "left" | "backspace":
                self._go(self._step - 1)
            case "page-down":
                self._go(self._step + 10)
            case "page-up":
                self._go(self._step - 10)
            case "home":
                self._go(0)
            case "end":
                self._go(len(self._steps) - 1)
            case "down":
                self._connection = min(self._connection + 1, len(self._connections) - 1)
            case "up":
                self._connection = max(self._connection - 1, 0)
            case "x":
                self._octets = not self._octets
            case "r":
                self._relative = not self._relative
        return True

    def draw(self, width: int, height: int) -> RenderableType:
        """Return the screen, of this size."""
        from handshake.view.replay import Screen

        screen = Screen(
            record=self._connections[self._connection][0],
            steps=self._steps,
            at=self._step,
            numbers=self._numbers(),
            name=self._name,
            keys=self._keys(),
            octets=self._octets,
            glyphs=self._glyphs,
        )
        return screen.draw(width, height)

    def _next_pause(self) -> float | None:
        """Return the seconds to the next step while playing; None otherwise."""
        if self._speed is None or self._step + 1 == len(self._steps):
            return None
        here, there = self._steps[self._step], self._steps[self._step + 1]
        took = (there.observed.at - here.observed.at) / NS_PER_SECOND / self._speed
        return min(max(0.0, took), _LONGEST_PAUSE)

    def _go(self, step: int) -> None:
        self._at[self._connection] = max(0, min(step, len(self._steps) - 1))

    def _numbers(self) -> Numbers:
        from handshake.view.notation import Numbers

        return Numbers.of(self._steps, relative=self._relative)

    def _keys(self) -> str:
        signs = self._glyphs
        keys = [f"{signs.left}/{signs.becomes} step"]
        if len(self._connections) > 1:
            keys.append(f"{signs.up}/{signs.down} connection")
        keys += [
            "x explain" if self._octets else "x hex",
            f"r {'absolute' if self._relative else 'relative'} seq",
            f"q {self._leaving}",
        ]
        return "  ".join(keys)
