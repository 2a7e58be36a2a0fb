"""The key `e`: asks for the name of a file, writes it in the background, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from handshake.cli.background import Background
from handshake.cli.exporting import check_export
from handshake.cli.line_editor import LineEditor
from handshake.errors import HandshakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.view.glyphs import Glyphs

    Write = Callable[[str, Callable[..., None]], str]
    """Writes to a name, and calls now and then what may end that; returns what it wrote."""

LABEL: Final = "export"
"""The label of its prompt."""

_TRIES: Final = 1000


class ExportKey:
    """What is being written for the key `e`, and what came of it."""

    def __init__(self, signs: Glyphs) -> None:
        self._glyphs = signs
        self._writing: Background | None = None
        self._out = ""
        self._said = ""
        self._names: list[str] = []

    @property
    def busy(self) -> bool:
        """Whether a file is being written, or what came of it was not taken yet."""
        return self._writing is not None

    @property
    def notice(self) -> str:
        """What is being written."""
        values = {"name": self._out, "ellipsis": self._glyphs.ellipsis}
        return self._glyphs.say("export.writing", **values) if self.busy else ""

    def editor(self, stem: str) -> LineEditor:
        """Return the line for a name; it offers one that is not there yet."""
        names = (f"{stem}{f'-{each}' if each > 1 else ''}.html" for each in range(1, _TRIES))
        free = (each for each in names if not Path(each).exists())
        return LineEditor(LABEL, next(free, f"{stem}.html"), history=self._names)

    def start(self, out: str, write: Write) -> str:
        """Begin to write; return why that cannot be."""
        try:
            if out.startswith("-"):
                # The screen is there.
                return self._glyphs.say("export.no-stdout")
            check_export(out)
        except HandshakeError as error:
            return error.said(self._glyphs.language)
        self.stop()
        self._out = out
        self._names = [*(each for each in self._names if each != out), out]

        def work() -> None:
            self._said = write(out, writing.go_on)

        writing = self._writing = Background(work)
        writing.start()
        return ""

    def take(self) -> tuple[str, str] | None:
        """Return what was written, or else why not; None while that is not known."""
        if self._writing is None:
            return None
        try:
            if not self._writing.wait(0):
                return None
            found = self._said, ""
        except HandshakeError as error:
            found = "", error.said(self._glyphs.language)
        except OSError as error:
            found = "", str(error)
        self._writing = None
        return found

    def stop(self) -> bool:
        """Write no more; return whether something was being written."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.stop()
        return writing is not None
