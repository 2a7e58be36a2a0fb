"""Connections as Markdown: a list, then a sequence diagram (Mermaid) and a table for each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from handshake.escape import printable
from handshake.events import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from handshake.export.document import ConnectionDocument, Document

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+!|~$])")
"""What Markdown, its tables or the mathematics of some viewers take for something else."""

_LINKS: Final = re.compile(r"(?i)(?<=\w)(://|@)|(?<=www)\.")
"""What makes a link of plain text."""

_DIAGRAM: Final = re.compile(r"[^\w =.,:/()\[\]?→…%-]|[\x5f]")
"""What Mermaid may take for its own: written as the number of the character."""


def write_markdown(document: Document, out: BinaryIO) -> None:
    """Write a document as Markdown, in UTF-8."""
    listed = list(document.connections)
    parts = [f"# {markdown_text(document.title)}"]
    if not document.alone:
        parts.append(_table(document.headings, (each.cells for each in listed)))
    parts += [markdown_text(note) for note in document.notes]
    for each in listed:
        if each.steps or document.alone:
            parts += _connection(each, alone=document.alone)
    out.write(("\n\n".join(parts) + "\n").encode("utf-8", "backslashreplace"))


def markdown_text(text: str) -> str:
    """Return text that Markdown shows as it is, in a line."""
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINKS.sub(r"&#8203;\g<0>", _SPECIAL.sub(r"\\\1", text))


def _code(text: str) -> str:
    """Return text as code, in a line, also in a table."""
    text = printable(text)
    fence = "`" * (1 + max((len(each) for each in re.findall("`+", text)), default=0))
    pad = " " if text[:1] == "`" or text[-1:] == "`" else ""
    escaped = text.replace("|", "\\|")
    return f"{fence}{pad}{escaped}{pad}{fence}"


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings)]
    lines += [[markdown_text(each) for each in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in lines)


def _connection(connection: ConnectionDocument, *, alone: bool) -> Iterator[str]:
    if not alone or connection.name:
        yield f"## {markdown_text(connection.name)}"
    yield f"**{markdown_text(connection.verdict)}** {markdown_text(connection.summary)}"
    yield from (markdown_text(each) for each in connection.answer)
    found, translated = connection.diagnosis, connection.glyphs.translated
    if found is not None:
        lines = [f"- {translated('diagnosis:')} `{found.code}` ({found.certainty})"]
        lines += [
            f"- {translated('ruled out:')} {markdown_text(each.said(connection.glyphs.language))}"
            for each in found.ruled_out
        ]
        if found.evidence:
            lines.append(
                f"- {translated('evidence: packets')} {', '.join(map(str, found.evidence))}"
            )
        yield "\n".join(lines)
    if connection.checks:
        yield "\n".join(
            f"- {translated('next:')} {_code(each.command) + ' ' if each.command else ''}"
            f"{markdown_text(each.purpose)}"
            for each in connection.checks
        )
    if connection.facts:
        yield _table((translated("fact"), translated("value")), connection.facts)
    if connection.findings:
        yield "\n".join(
            f"- {translated('finding:')} {markdown_text(each)}" for each in connection.findings
        )
    if connection.steps:
        yield "\n".join(("```mermaid", *_diagram(connection), "```"))
        titles = ("segment", connection.clock.unit, "from", "header", "client", "server", "why")
        yield _table([translated(each) for each in titles], _rows(connection))


def _diagram(connection: ConnectionDocument) -> Iterator[str]:
    translated = connection.glyphs.translated
    yield "sequenceDiagram"
    yield f"  participant C as {translated('client')} {_in_diagram(connection.client)}"
    yield f"  participant S as {translated('server')} {_in_diagram(connection.server)}"
    for row in connection.rows:
        if isinstance(row, int):
            told = connection.told(row)
            ends = ("C", "S") if told.step.by is Role.CLIENT else ("S", "C")
            arrow = "-x" if told.lost else "->>"
            yield f"  {arrow.join(ends)}: {_in_diagram(told.label)}"
            states = [(role, told.change(role), told.state(role)) for role in Role]
            changed = [
                f"{translated(str(role))} {state}"
                for role, change, state in states
                if "state" in change.changed
            ]
            if changed:
                yield f"  Note over C,S: {_in_diagram(', '.join(changed))}"
        else:
            yield f"  Note over C,S: {_in_diagram(connection.between(row))}"


def _in_diagram(text: str) -> str:
    """Return text that Mermaid shows as it is: each sign of its own as an entity."""
    shown = _DIAGRAM.sub(lambda found: f"#{ord(found[0])};", printable(text))
    # The word alone would end a block.
    return re.sub(r"(?i)\b(en)d\b", r"\1#100;", shown)


def _rows(connection: ConnectionDocument) -> Iterator[tuple[str, ...]]:
    for _, told in connection.told_steps:
        yield (
            str(told.step.index),
            told.time,
            connection.glyphs.translated(str(told.step.by)),
            ", ".join((told.label, *told.fates)),
            told.state(Role.CLIENT),
            told.state(Role.SERVER),
            told.why,
        )
