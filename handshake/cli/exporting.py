"""Writes connections to a file in the form that the ending of its name asks for."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from handshake.escape import printable
from handshake.messages import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO

    from handshake.export.document import ConnectionDocument, Document
    from handshake.export.excerpt import Read
    from handshake.export.formats import Format
    from handshake.linux.privileges import Shell
    from handshake.prober import Result
    from handshake.record import Record

Export: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Write it to a file instead, in the form that its ending asks for: .html (a page to "
        "step through), report.html or .report.html (a page to print, for the administrator of a "
        "firewall), .svg, .md, .txt, .json, .pcapng; - is text on stdout.",
    ),
]

_STDIN: Final = "standard input"


def is_stdout(name: str) -> bool:
    """Whether a name stands for standard output: `-`, or `-.md` for a form of it."""
    return name == "-" or (name.startswith("-.") and "/" not in name)


@contextmanager
def kept(captures: Sequence[str]) -> Iterator[tuple[list[str], str | None]]:
    """Yield captures that can be read again, and the name of one that was kept in a file.

    Standard input, and a pipe, are copied to a file that vanishes with the `with` block.
    """
    if len(captures) != 1 or not _is_read_once(captures[0]):
        yield list(captures), None
        return
    name = captures[0]
    with NamedTemporaryFile(prefix="handshake-", suffix=".pcap") as file:
        if name == "-":
            shutil.copyfileobj(sys.stdin.buffer, file)
        else:
            with Path(name).open("rb") as pipe:
                shutil.copyfileobj(pipe, file)
        file.flush()
        yield [file.name], _STDIN if name == "-" else name


def _is_read_once(name: str) -> bool:
    path = Path(name)
    return name == "-" or (path.exists() and not path.is_file() and not path.is_dir())


def check_export(name: str) -> Format:
    """Return the format of an export before anything is read. Raises UsageError."""
    from handshake.capture.output import refuse_terminal
    from handshake.export.formats import format_of

    found = format_of(name)
    if found.binary and is_stdout(name):
        refuse_terminal(sys.stdout.buffer, "standard output")
    return found


def export_records(
    records: Sequence[Record],
    read: Read,
    out: str,
    *,
    title: str,
    capture: str | None = None,
    language: str = ENGLISH,
) -> str:
    """Write connections of captures; return what was written in a line.

    `read` returns the steps of one. With a title it is a list, also if there is only one in it.
    `capture` is the name of the capture, if it is not that of the records.
    """
    from handshake.capture.output import replaced
    from handshake.export.document import RECORD_HEADINGS, Document
    from handshake.export.excerpt import told
    from handshake.view.replay import ends

    form = check_export(out)
    glyphs = form.glyphs(language)
    notes: list[str] = []
    found = told(records, read, form.limits, notes, capture, glyphs)
    alone = not title and len(records) == 1
    name = (
        f"{ends(records[0], glyphs)}: {records[0].outcome}" if alone else glyphs.translated(title)
    )
    document = Document(name, RECORD_HEADINGS, found, alone, notes, glyphs)
    with replaced("-" if is_stdout(out) else out) as file:
        return _written(document, form, file, out, language)


@contextmanager
def results_to(out: str | None, language: str = ENGLISH) -> Iterator[Callable[[Result], None]]:
    """Yield what takes results of probes; they are written when the `with` block is over.

    The file is opened before, while there are privileges. Without a name nothing is written.
    """
    from handshake.capture.output import kept_open
    from handshake.linux.privileges import Shell

    if out is None:
        yield lambda _: None
        return
    form, shell = check_export(out), Shell.ours()
    results: list[Result] = []
    with kept_open("-" if is_stdout(out) else out) as write:
        yield results.append
        if results:
            octets = BytesIO()
            said = _results(results, form, octets, out, (shell, language))
            write(octets.getvalue())
            say(said, out)


def _results(
    results: Sequence[Result], form: Format, file: BinaryIO, out: str, told: tuple[Shell, str]
) -> str:
    from handshake.export.document import RESULT_HEADINGS, Document, of_result
    from handshake.view.probe import target_text

    shell, language = told
    glyphs = form.glyphs(language)
    found = (of_result(each, shell, at, glyphs) for at, each in enumerate(results, 1))
    alone = len(results) == 1
    name = "probe"
    if alone:
        first = results[0]
        name = f"{target_text(first.target, first.address)}: {first.verdict}"
    document = Document(name, RESULT_HEADINGS, found, alone, glyphs=glyphs)
    return _written(document, form, file, out, language)


def _written(document: Document, form: Format, file: BinaryIO, out: str, language: str) -> str:
    from handshake.messages import count, translated

    connections = segments = 0

    def counted() -> Iterator[ConnectionDocument]:
        nonlocal connections, segments
        for each in document.connections:
            connections += 1
            segments += len(each.steps if each.shown is None else each.shown)
            yield each

    form.write(replace(document, connections=counted()), file)
    what = f"{count(connections, 'connection')}, {count(segments, 'segment')}"
    said = translated(f"wrote {printable(out)}: {what}.", language, "export")
    return " ".join((said, *document.notes))


def say(written: str, out: str) -> None:
    """Print on standard error what was written, unless that is on standard output."""
    if not is_stdout(out):
        print(written, file=sys.stderr)  # noqa: T201
