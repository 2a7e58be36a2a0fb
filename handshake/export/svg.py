"""The ladder of connections as one picture (SVG): no font, script or picture from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from handshake.escape import printable
from handshake.events import Role
from handshake.view.ladder import Gap
from handshake.view.layout import fit, wrap

if TYPE_CHECKING:
    from typing import BinaryIO

    from handshake.export.document import ConnectionDocument, Document
    from handshake.export.step_document import StepDocument

WIDTH: Final = 960
"""The width of the picture in its own units; it is shown at any size."""

_SIZE: Final = 14
_CELL: Final = 8.4
"""A column of text: 0.6 of the font's size in all usual monospaced fonts."""

_LINE: Final = 20
_ROW: Final = 38
_MARGIN: Final = 20
_CLIENT: Final = 250
"""Where the client's line stands; to its left its state, and the time."""

_SERVER: Final = 790
_HEAD: Final = 9
"""The length of an arrow's head."""

_ARROW_CELLS: Final = int((_SERVER - _CLIENT - 24) / _CELL)

STYLE: Final = """\
.hs-picture { color-scheme: light dark; }
.hs-picture text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  fill: #1f2328; white-space: pre; }
.hs-picture .paper { fill: #ffffff; }
.hs-picture .title { font-weight: bold; }
.hs-picture .dim { fill: #59636e; }
.hs-picture .bad { fill: #b3101c; }
.hs-picture .client { fill: #0550ae; font-weight: bold; }
.hs-picture .server { fill: #8a2a8f; font-weight: bold; }
.hs-picture .changed { font-weight: bold; }
.hs-picture .life { stroke: #818b98; stroke-width: 1; }
.hs-picture .gap { stroke: #818b98; stroke-dasharray: 2 5; }
.hs-picture .arrow { stroke-width: 1.6; fill: none; }
.hs-picture .syn { stroke: #0b6e7c; } .hs-picture text.syn { fill: #0b6e7c; stroke: none; }
.hs-picture .ack { stroke: #116329; } .hs-picture text.ack { fill: #116329; stroke: none; }
.hs-picture .fin { stroke: #8a5a00; } .hs-picture text.fin { fill: #8a5a00; stroke: none; }
.hs-picture .data { stroke: #0550ae; } .hs-picture text.data { fill: #0550ae; stroke: none; }
.hs-picture .rst { stroke: #b3101c; } .hs-picture text.rst { fill: #b3101c; stroke: none; }
@media (prefers-color-scheme: dark) {
  .hs-picture text { fill: #e6edf3; } .hs-picture .paper { fill: #0d1117; }
  .hs-picture .dim { fill: #9198a1; } .hs-picture .bad { fill: #ff8a80; }
  .hs-picture .client { fill: #79c0ff; } .hs-picture .server { fill: #e29bf5; }
  .hs-picture .syn { stroke: #56d4dd; } .hs-picture text.syn { fill: #56d4dd; }
  .hs-picture .ack { stroke: #56d364; } .hs-picture text.ack { fill: #56d364; }
  .hs-picture .fin { stroke: #e3b341; } .hs-picture text.fin { fill: #e3b341; }
  .hs-picture .data { stroke: #79c0ff; } .hs-picture text.data { fill: #79c0ff; }
  .hs-picture .rst { stroke: #ff8a80; } .hs-picture text.rst { fill: #ff8a80; }
}
@media print { .hs-picture .paper { fill: none; } }
"""
"""For a light and a dark background; each pair of text and background has a contrast over 4.5."""


def write_svg(document: Document, out: BinaryIO) -> None:
    """Write the ladders of a document, one below the other."""
    drawn = list(document.connections)
    shown = [each for each in drawn if each.steps]
    out.write(ladder_picture(shown or drawn[:1], document.title, document.notes).encode())


def ladder_picture(
    connections: list[ConnectionDocument],
    title: str,
    notes: list[str] | None = None,
    *,
    bare: bool = False,
) -> str:
    """Return the ladders of connections as the text of one picture; `bare`: nothing else."""
    canvas = _Canvas(y=-_MARGIN / 2) if bare else _Canvas()
    for connection in connections:
        if bare:
            _draw_ladder(canvas, connection)
        else:
            _draw(canvas, connection)
    if not connections:
        canvas.paragraph(title, "title")
    for note in notes or ():
        canvas.paragraph(note, "dim")
    return canvas.picture(title)


@dataclass
class _Canvas:
    """A picture that grows downwards."""

    parts: list[str] = field(default_factory=list)
    y: float = _MARGIN

    def text(
        self, x: float, y: float, text: str, style: str = "", *, anchor: str = "start"
    ) -> None:
        """Write a line whose every character is where its column is, whatever the font.

        Wide characters (Hangul, Chinese) take two columns each: each has its own place.
        """
        text = printable(text)
        width = cell_len(text) * _CELL
        x -= {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        spans = []
        for run in _runs(text):
            cells = cell_len(run)
            if run.strip():
                # Centred in its columns: a wide glyph is narrower than two of them.
                wide = cell_len(run[0]) == 2
                at = x + (cells * _CELL - _SIZE) / 2 if wide else x
                exact = "" if wide else f' textLength="{cells * _CELL:.1f}"'
                spans.append(f'<tspan x="{at:.1f}"{exact}>{escape(run)}</tspan>')
            x += cells * _CELL
        if spans:
            kind = f' class="{style}"' if style else ""
            self.parts.append(f'<text y="{y:.1f}"{kind}>{"".join(spans)}</text>')

    def paragraph(self, text: str, style: str = "", indent: float = 0) -> None:
        """Write text over the whole width, in as many lines as it takes."""
        room = int((WIDTH - 2 * _MARGIN - indent) / _CELL)
        for each in wrap(text, room):
            self.y += _LINE
            self.text(_MARGIN + indent, self.y, each, style)

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str) -> None:
        """Draw a line."""
        ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
        self.parts.append(f'<line {ends} class="{style}"/>')

    def picture(self, title: str) -> str:
        """Return it all."""
        height = f"{self.y + _MARGIN:.0f}"
        size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} class="hs-picture" role="img"'
        parts = (
            f'{head} xml:space="preserve">',
            f"<title>{escape(printable(title))}</title>",
            f"<style>\n{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
            *self.parts,
            "</svg>\n",
        )
        return "\n".join(parts)


def _runs(text: str) -> list[str]:
    """Return text in pieces: runs of narrow characters, and each wide one alone."""
    runs: list[str] = []
    wide = False
    for char in text:
        cells = cell_len(char)
        # A character without a width belongs to the one before it.
        if runs and (cells == 0 or (cells == 1 and not wide)):
            runs[-1] += char
        else:
            runs.append(char)
            wide = cells == 2
    return runs


def _draw(canvas: _Canvas, connection: ConnectionDocument) -> None:
    """Draw a connection: what it is, its ladder, why it went wrong."""
    canvas.paragraph(connection.name, "title")
    canvas.paragraph(connection.summary, "dim")
    if connection.steps:
        _draw_ladder(canvas, connection)
    if connection.answer:
        canvas.y += _LINE / 2
        style = "" if connection.style == "ok" else "bad"
        for each in connection.answer:
            canvas.paragraph(each, style)
    canvas.y += _LINE


def _draw_ladder(canvas: _Canvas, connection: ConnectionDocument) -> None:
    canvas.y += _LINE * 1.8
    top, first = canvas.y, len(canvas.parts)
    canvas.text(_MARGIN + 8 * _CELL, top, connection.clock.unit, "dim", anchor="end")
    say = connection.glyphs.say
    canvas.text(_CLIENT, top, say("client"), "client", anchor="middle")
    canvas.text(
        (_CLIENT + _SERVER) / 2,
        top,
        connection.numbers.label(connection.glyphs),
        "dim",
        anchor="middle",
    )
    canvas.text(_SERVER, top, say("server"), "server", anchor="middle")
    begin = canvas.y = top + 10
    for row in connection.rows:
        canvas.y += _ROW
        if isinstance(row, Gap):
            _draw_gap(canvas, connection.between(row))
        elif isinstance(row, int):
            _draw_step(canvas, connection.told(row))
        else:
            start = connection.steps[0].observed.at
            _draw_error(canvas, connection.between(row), connection.clock.show(row.at - start))
    canvas.y += 14
    lives = _Canvas()
    for x in (_CLIENT, _SERVER):
        lives.line(x, begin, x, canvas.y, "life")
    # What stands on them is drawn later.
    canvas.parts[first:first] = lives.parts


def _draw_gap(canvas: _Canvas, said: str) -> None:
    canvas.line(_CLIENT + 8, canvas.y, _SERVER - 8, canvas.y, "gap")
    canvas.text((_CLIENT + _SERVER) / 2, canvas.y - 5, said, "dim", anchor="middle")


def _draw_step(canvas: _Canvas, told: StepDocument) -> None:
    y = canvas.y
    canvas.text(_MARGIN + 8 * _CELL, y + 5, told.time, "dim", anchor="end")
    for role, x, anchor in (
        (Role.CLIENT, _CLIENT - 10, "end"),
        (Role.SERVER, _SERVER + 10, "start"),
    ):
        change = told.change(role)
        style = "changed" if "state" in change.changed else "dim"
        canvas.text(x, y + 5, told.state(role), style, anchor=anchor)
    if "problem" in told.marks:
        canvas.text(_MARGIN + 9 * _CELL, y + 5, "!", "bad")
    right = told.step.by is Role.CLIENT
    begin = float(_CLIENT if right else _SERVER)
    end = _CLIENT + _SERVER - begin
    way = 1 if right else -1
    middle = (_CLIENT + _SERVER) / 2
    canvas.text(middle, y - 8, fit_label(told.label), told.kind, anchor="middle")
    style = f"arrow {told.kind}"
    if told.lost:
        # It ends on the way, behind the point of the capture.
        end = begin + way * (_SERVER - _CLIENT) * 0.8
        for dy in (-5, 5):
            canvas.line(end - 5, y + dy, end + 5, y - dy, style)
    else:
        end -= way * 2
        for dy in (-5, 5):
            canvas.line(end, y, end - way * _HEAD, y + dy, style)
    canvas.line(begin, y, end, y, style)


def fit_label(label: str) -> str:
    """Return a label that an arrow has room for."""
    return fit(label, _ARROW_CELLS).rstrip() if cell_len(label) > _ARROW_CELLS else label


def _draw_error(canvas: _Canvas, said: str, time: str) -> None:
    y, style = canvas.y, "arrow rst gap"
    middle = (_CLIENT + _SERVER) / 2
    canvas.text(_MARGIN + 8 * _CELL, y + 5, time, "dim", anchor="end")
    canvas.text(_MARGIN + 9 * _CELL, y + 5, "!", "bad")
    lines = wrap(said, _ARROW_CELLS)
    for number, each in enumerate(lines):
        canvas.text(_CLIENT + 16, y - 8 + number * _LINE, each, "rst")
    y += (len(lines) - 1) * _LINE
    canvas.y = y
    canvas.line(middle, y, _CLIENT + 2, y, style)
    for dy in (-5, 5):
        canvas.line(_CLIENT + 2, y, _CLIENT + 2 + _HEAD, y + dy, "arrow rst")
