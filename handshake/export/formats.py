"""What connections are exported as: a format for each ending of a file name."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.errors import UsageError
from handshake.export.excerpt import Limits
from handshake.view.glyphs import UNICODE, Glyphs

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from handshake.export.document import Document


class Format(NamedTuple):
    """How connections are written to a file of a name."""

    ending: str
    home: str
    """The module and the function that writes."""

    limits: Limits | None = None
    """How much it tells; None for all."""

    binary: bool = False
    english: bool = False
    """Whether it is English in any language, since programs read it."""

    def glyphs(self, language: str) -> Glyphs:
        """Return the signs and the language of a document."""
        return UNICODE if self.english else replace(UNICODE, language=language)

    def write(self, document: Document, out: BinaryIO) -> None:
        """Write a document."""
        module, _, name = self.home.partition(":")
        writer: Callable[[Document, BinaryIO], None] = getattr(import_module(module), name)
        writer(document, out)


FORMATS: Final = (
    Format(
        "report.html",
        "handshake.export.report:write_report",
        Limits(50, 50, 12, 1000, salient=True),
    ),
    Format("html", "handshake.export.html:write_html", Limits(2000, 200, 400, 3000)),
    Format("json", "handshake.export.json:write_json", english=True),
    Format("txt", "handshake.export.text:write_text"),
    Format("md", "handshake.export.markdown:write_markdown", Limits(1000, 50, 100, 1000)),
    Format("svg", "handshake.export.svg:write_svg", Limits(20, 20, 100, 400)),
    Format("pcapng", "handshake.export.pcapng:write_pcapng", binary=True, english=True),
)
"""The first whose ending a name has is taken."""


def format_of(name: str) -> Format:
    """Return the format that the ending of a file name asks for; `-` alone is text.

    Raises UsageError for another ending.
    """
    # A name that is only an ending has one, too: `-.md` is Markdown on standard output.
    last = PurePath(name).name.lower()
    wanted = "-.txt" if name == "-" else last
    for each in FORMATS:
        if wanted.endswith(f".{each.ending}") or wanted == each.ending:
            return each
    raise UsageError("export.ending", name=name, endings=[f".{each.ending}" for each in FORMATS])
