"""Connections as a notebook shows them: the answer, the facts and the ladder, without a script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handshake.errors import HandshakeError
from handshake.export.document import RECORD_HEADINGS, of_record, of_result
from handshake.export.excerpt import Limits, steps_from, told
from handshake.export.markup import as_items, as_table, as_text
from handshake.export.svg import ladder_picture
from handshake.linux.privileges import Shell
from handshake.prober import Result
from handshake.record import Record
from handshake.replayer import Replay
from handshake.spoken import of_locale
from handshake.survey import records
from handshake.tracker import Connection, summarize
from handshake.view.glyphs import UNICODE, Glyphs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.export.document import ConnectionDocument

_LIMITS: Final = Limits(50, 3, 25, 60, salient=True)


def html_of(found: object) -> str:
    """Return a record, a connection, a result or a replay as HTML."""
    glyphs = _glyphs()
    if isinstance(found, Result):
        return _told(of_result(found, Shell(), glyphs=glyphs))
    if isinstance(found, Connection):
        found = summarize(found)
    if isinstance(found, Record):
        return _told(of_record(found, (), glyphs=glyphs))
    assert isinstance(found, Replay)
    return _replay(found, glyphs)


def _glyphs() -> Glyphs:
    """Return the signs, with words in the language of the locale."""
    return replace(UNICODE, language=of_locale())


def _replay(replay: Replay, glyphs: Glyphs) -> str:
    """Return the connections of a capture, and the ladders of the first; its steps stay unread."""
    title = f"<p><strong>{as_text(replay.name)}</strong></p>"
    if not Path(replay.name).is_file():
        once = glyphs.translated("It can be read only once: iterate over it.")
        return f"{title}<p>{as_text(once)}</p>"
    notes: list[str] = []
    source = records(replay.name, dedup=replay.dedup, reorder=replay.reorder)
    try:
        found = list(told(list(source), steps_from(source), _LIMITS, notes, glyphs=glyphs))
    except HandshakeError as error:
        return f"{title}<p>{as_text(error.said(glyphs.language))}</p>"
    drawn = [each for each in found if each.steps]
    pictures = ladder_picture(drawn, replay.name) if drawn else ""
    rows = as_table(RECORD_HEADINGS, (each.cells for each in found))
    return "".join((title, rows, pictures, *(f"<p>{as_text(each)}</p>" for each in notes)))


def _told(found: ConnectionDocument) -> str:
    return "".join(_parts(found))


def _parts(found: ConnectionDocument) -> Iterator[str]:
    head = as_text(f"{found.mark} {found.verdict}")
    yield f"<p><strong>{head}</strong> {as_text(found.name)}</p><p>{as_text(found.summary)}</p>"
    yield from (f"<p>{as_text(each)}</p>" for each in found.answer)
    if found.steps:
        yield ladder_picture([found], found.name, bare=True)
    local = found.glyphs.translated
    yield as_table((local("fact"), local("value")), found.facts)
    checks = [" ".join(filter(None, each)) for each in found.checks]
    texts = [*found.findings, *(f"{local('next:')} {each}" for each in checks)]
    yield as_items(as_text(each) for each in texts)
