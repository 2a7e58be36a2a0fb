"""A step of a lesson as a picture (SVG): its rows of text, each piece in its column."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

_CELL: Final = 8.4
"""A column of text: 0.6 of the font's size in all usual monospaced fonts."""

_LINE: Final = 19
_MARGIN: Final = 16
_STYLE: Final = """\
.step { color-scheme: light dark; }
.step .paper { fill: #ffffff; }
.step text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, "Noto Sans Mono CJK KR",
  monospace; fill: #1f2328; white-space: pre; }
.step .title, .step .why, .step .key { font-weight: bold; }
.step .dim, .step .rule { fill: #59636e; }
.step .client { fill: #0550ae; font-weight: bold; }
.step .server { fill: #8a2a8f; font-weight: bold; }
.step .changed { fill: #8a5a00; font-weight: bold; }
.step .tcp-syn { fill: #0b6e7c; } .step .tcp-ack { fill: #116329; }
.step .tcp-rst, .step .bad { fill: #b3101c; } .step .tcp-fin { fill: #8a5a00; }
@media (prefers-color-scheme: dark) {
  .step .paper { fill: #0d1117; } .step text { fill: #e6edf3; }
  .step .dim, .step .rule { fill: #9198a1; } .step .client { fill: #79c0ff; }
  .step .server { fill: #d2a8ff; } .step .changed, .step .tcp-fin { fill: #e3b341; }
  .step .tcp-syn { fill: #56d4dd; } .step .tcp-ack { fill: #7ee787; }
  .step .tcp-rst, .step .bad { fill: #ff7b72; }
}
"""


def step_picture(title: str, rows: Sequence[Text], language: str, columns: int = 80) -> str:
    """Return the rows of a step as an SVG picture that needs nothing from elsewhere."""
    width, height = columns * _CELL + 2 * _MARGIN, len(rows) * _LINE + 2 * _MARGIN
    texts = "\n".join(
        each for number, row in enumerate(rows) for each in _texts(row, _MARGIN + number * _LINE)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" class="step"'
        f' role="img" xml:lang="{language}">\n<title>{escape(printable(title))}</title>\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect class="paper" width="{width:g}" height="{height}"/>\n{texts}\n</svg>\n'
    )


def _texts(row: Text, top: int) -> Iterator[str]:
    """Yield the words of a row: each of one style, and either all narrow or all wide."""
    styles = [""] * len(row.plain)
    for span in row.spans:
        for place in range(span.start, min(span.end, len(styles))):
            styles[place] = str(span.style)
    column = 0
    for (style, wide, space), group in groupby(zip(row.plain, styles, strict=True), _kind):
        text = "".join(letter for letter, _ in group)
        cells = cell_len(text)
        # Not every program that shows pictures keeps spaces: words have places of their own.
        if not space:
            name = style.split()[-1].replace(".", "-") if style else ""
            shown = f' class="{escape(name)}"' if name else ""
            # Wide letters have another width in each font: they get just their columns.
            fixed = f' textLength="{cells * _CELL:g}"' if wide else ""
            yield (
                f'<text x="{_MARGIN + column * _CELL:g}" y="{top + 14}"{shown}{fixed}>'
                f"{escape(printable(text))}</text>"
            )
        column += cells


def _kind(each: tuple[str, str]) -> tuple[str, bool, bool]:
    letter, style = each
    return style, cell_len(letter) > 1, letter == " "
