"""Connections as plain text of 100 columns: the answer, the ladder, each segment explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.view.layout import wrap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from handshake.export.document import ConnectionDocument, Document

WIDTH: Final = 100
"""Columns of a line at most."""


def write_text(document: Document, out: BinaryIO) -> None:
    """Write a document as text, in UTF-8."""
    lines = _lines(document)
    out.writelines(f"{each}\n".encode("utf-8", "backslashreplace") for each in lines)


def _lines(document: Document) -> Iterator[str]:
    if not document.alone:
        yield from wrap(document.title, WIDTH)
        yield ""
    for number, each in enumerate(document.connections):
        yield from ("",) * bool(number)
        yield from connection_lines(each, WIDTH)
    for note in document.notes:
        yield from ("", *wrap(note, WIDTH))


def connection_lines(connection: ConnectionDocument, width: int) -> Iterator[str]:
    """Yield a connection line by line: answer, facts, ladder, then each step."""
    from handshake.view.diagnosis import diagnosis_lines
    from handshake.view.ladder import Ladder
    from handshake.view.step import Explanation

    def paragraph(text: str, indent: int = 0) -> Iterator[str]:
        for number, each in enumerate(wrap(text, width - indent - 2)):
            yield f"{' ' * (indent + (2 if number else 0))}{each}".rstrip()

    glyphs, translated = connection.glyphs, connection.glyphs.translated
    yield from paragraph(connection.name)
    yield from paragraph(connection.summary, 2)
    if connection.diagnosis is not None:
        yield from (
            each.plain.rstrip() for each in diagnosis_lines(connection.diagnosis, width, glyphs)
        )
    else:
        for sentence in connection.answer:
            yield from paragraph(sentence, 2)
    for name, value in connection.facts:
        yield from paragraph(f"{name}: {value}", 2)
    for finding in connection.findings:
        yield from paragraph(f"{translated('finding:')} {finding}", 2)
    for check in connection.checks:
        if check.command:
            yield from paragraph(f"{translated('next:')} {check.command}  {check.purpose}", 2)
    if not connection.steps:
        return
    yield ""
    steps, numbers = connection.steps, connection.numbers
    ladder = Ladder(
        steps, numbers, errors=connection.errors, gaps=True, only=connection.shown, glyphs=glyphs
    )
    yield from (each.plain.rstrip() for each in ladder.lines(width))
    for _, told in connection.told_steps:
        explained = Explanation(told.step, numbers, told.before, glyphs=glyphs)
        yield from (each.plain.rstrip() for each in explained.lines(width))
