"""The key `e` in every view: asks for the name of a file, writes it in the background, says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from handshake.cli.background import Background
from handshake.cli.exporting import check_export, export_records
from handshake.cli.line_editor import LineEditor
from handshake.cli.tui import Interactive
from handshake.errors import HandshakeError
from handshake.view.prompt import Prompt, overlaid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from handshake.events import Step
    from handshake.export.excerpt import Read
    from handshake.record import Record
    from handshake.view.glyphs import Glyphs

    Write = Callable[[str, Callable[..., None]], str]
    """Writes to a name, and calls now and then what may end that; returns what it wrote."""

_TRIES: Final = 1000

_OFTEN: Final = 0.05
"""Seconds between two looks at whether the file is written."""


class Exported(NamedTuple):
    """What a view would write."""

    stem: str
    """The name that is offered, without its ending."""

    write: Write
    check: Callable[[str], object] = check_export
    """What a name must pass; raises UsageError."""

    endings: Sequence[str] = ()
    """How a name may end; none for the usual ones."""


def exported_records(
    stem: str, records: Sequence[Record], read: Read, title: str = "", *, language: str
) -> Exported | None:
    """Return connections as a file, whose steps are read as they are written; None without any."""
    if not records:
        return None

    def write(out: str, go_on: Callable[..., None]) -> str:
        def read_on(record: Record, most: int | None) -> Sequence[Step]:
            go_on()
            return read(record, most)

        return export_records(records, read_on, out, title=title, language=language)

    return Exported(stem, write)


def _endings() -> list[str]:
    from handshake.export.formats import FORMATS

    return [f".{each.ending}" for each in FORMATS]


class Exportable(Interactive, Protocol):
    """A view that can be written to a file."""

    @property
    def typing(self) -> bool:
        """Whether a text is typed, so that `e` is a part of it."""
        ...

    @property
    def exported(self) -> Exported | None:
        """What `e` writes now; None if there is nothing, and `e` is a key like others."""
        ...


class WithExport:
    """A view, and above its last lines what is asked and told of a file."""

    def __init__(self, view: Exportable, signs: Glyphs) -> None:
        self._view = view
        self._glyphs = signs
        self._editor: LineEditor | None = None
        """The name that is typed; None otherwise."""

        self._wanted: Exported | None = None
        """What is written under that name."""

        self._writing: Background | None = None
        self._out = ""
        self._said = ""
        self._notice = ""
        self._problem = ""
        self._names: list[str] = []

    @property
    def pause(self) -> float | None:
        """Seconds until `advance`."""
        pause = self._view.pause
        return _OFTEN if pause is None and self._writing is not None else pause

    def advance(self) -> bool:
        """Go on after the pause; take what was written."""
        taken = self._take()
        return self._view.advance() or taken

    def draw(self, width: int, height: int) -> RenderableType:
        """Return the screen, of this size."""
        screen, say = self._view.draw(width, height), self._glyphs.say
        editor, notice = self._editor, self._notice
        if self._writing is not None:
            notice = say("export.writing", name=self._out, ellipsis=self._glyphs.ellipsis)
        if editor is None and not notice and not self._problem:
            return screen
        prompt = None
        if editor is not None and self._wanted is not None:
            endings = self._wanted.endings or _endings()
            prompt = Prompt(editor.label, editor.text, editor.cursor, endings=endings)
        return overlaid(
            screen, width, self._glyphs, problem=self._problem, notice=notice, prompt=prompt
        )

    def press(self, key: str) -> bool:
        """Act on a key; return False to leave."""
        self._problem = self._notice = ""
        if self._editor is not None:
            self._type(self._editor, key)
            return True
        if key == "e" and not self._view.typing and (wanted := self._view.exported) is not None:
            self._wanted, self._editor = wanted, self._named(wanted.stem)
            return True
        if key == "escape" and not self._view.typing and self._stop():
            self._notice = self._glyphs.say("export.stopped")
            return True
        stays = self._view.press(key)
        if not stays:
            self._stop()
        return stays

    def _named(self, stem: str) -> LineEditor:
        """Return the line for a name; it offers one that is not there yet."""
        names = (f"{stem}{f'-{each}' if each > 1 else ''}.html" for each in range(1, _TRIES))
        free = (each for each in names if not Path(each).exists())
        return LineEditor("export", next(free, f"{stem}.html"), history=self._names)

    def _type(self, editor: LineEditor, key: str) -> None:
        typed = editor.text.strip()
        if key not in ("enter", "escape"):
            editor.press(key)
        elif key == "escape" or not typed:
            self._editor = None
        else:
            assert self._wanted is not None
            self._problem = self._start(typed, self._wanted)
            self._editor = editor if self._problem else None

    def _start(self, out: str, wanted: Exported) -> str:
        """Begin to write; return why that cannot be."""
        try:
            if out.startswith("-"):
                # The screen is there.
                return self._glyphs.say("export.no-stdout")
            wanted.check(out)
        except HandshakeError as error:
            return error.said(self._glyphs.language)
        self._stop()
        self._out = out
        self._names = [*(each for each in self._names if each != out), out]

        def work() -> None:
            self._said = wanted.write(out, writing.go_on)

        writing = self._writing = Background(work)
        writing.start()
        return ""

    def _take(self) -> bool:
        """Take what was written, or else why not; return whether that is known now."""
        if self._writing is None:
            return False
        try:
            if not self._writing.wait(0):
                return False
            self._notice = self._said
        except HandshakeError as error:
            self._problem = error.said(self._glyphs.language)
        except OSError as error:
            self._problem = str(error)
        self._writing = None
        return True

    def _stop(self) -> bool:
        """Write no more; return whether something was being written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.stop()
        return writing is not None
