"""`handshake list`: the connections of captures, one per row."""

from __future__ import annotations

import gc
import json
import os
import sys
from enum import Enum
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from handshake.cli.exporting import Export, check_export, export_records, kept, say
from handshake.cli.parameters import (
    Ascii,
    Dedup,
    Json,
    Lang,
    MaxUnpacked,
    Plain,
    Reorder,
    language,
    octets,
)
from handshake.cli.selection import Selection
from handshake.cli.stderr import tell
from handshake.errors import CaptureError, UsageError
from handshake.escape import printable
from handshake.messages import ENGLISH, table, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import Console
    from rich.text import Text

    from handshake.record import Record
    from handshake.survey import Records
    from handshake.tracker.zeek import ZeekRecord


def _print_filter_help(context: typer.Context, wanted: bool) -> None:
    if not wanted:
        return
    import shutil

    from handshake.view.filter_help import filter_help

    width = min(shutil.get_terminal_size().columns, 100)
    for each in filter_help(width, context.find_root().obj or ENGLISH):
        typer.echo(each)
    raise typer.Exit


class Form(Enum):
    """The output format."""

    TEXT = "text"
    JSON = "--json"
    CSV = "--csv"
    ZEEK = "--zeek"
    PARQUET = "--parquet"
    EXPORT = "--export"


def list_connections(
    captures: Annotated[
        list[str],
        typer.Argument(
            metavar="CAPTURE...",
            help="pcap or pcapng files, directories with captures, or patterns such as "
            "'day/**/*.pcap'; - is standard input.",
        ),
    ],
    merge: Annotated[
        bool,
        typer.Option(
            "--merge", help="Treat the files as parts of one capture, such as those of tcpdump -C."
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Read N files at a time, each in a process of its own; by default as many as this "
            "machine has processors, since reading waits for them and not for the disk.",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="tcp://HOST:PORT",
            help="Let the workers of a Dask cluster read the files, which they must be able to "
            "open: a shared directory, or URLs such as s3://bucket/*.pcap.",
        ),
    ] = None,
    wanted: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="EXPR",
            help="Select connections: 'outcome != established and rtt > 200ms', "
            "'server in 10.0.0.0/8', syn-lost.",
        ),
    ] = None,
    help_filter: Annotated[  # noqa: ARG001 - its callback has acted on it
        bool,
        typer.Option(
            "--help-filter",
            is_eager=True,
            callback=_print_filter_help,
            help="Print the grammar of filters and all keys, and exit.",
        ),
    ] = False,
    sort: Annotated[
        str | None,
        typer.Option(metavar="KEY,...", help="Sort by these keys; -KEY for descending order."),
    ] = None,
    problems: Annotated[
        bool, typer.Option("--problems", help="Select connections with problems.")
    ] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Print totals instead of rows.")
    ] = False,
    dedup: Dedup = False,
    reorder: Reorder = False,
    max_unpacked: MaxUnpacked = None,
    max_connections: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Follow at most N connections of a capture at a time, which bounds the memory "
            "that a flood takes; the others are counted. Without it there is no limit.",
        ),
    ] = None,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one column per key.")] = False,
    as_zeek: Annotated[bool, typer.Option("--zeek", help="Print a conn.log like Zeek's.")] = False,
    parquet: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR",
            help="Write a Parquet table, with the keys of --json: a name that ends in .parquet is "
            "a file; any other is a directory, with a file for each capture.",
        ),
    ] = None,
    export: Export = None,
    plain: Plain = False,
    ascii_only: Ascii = False,
    lang: Lang = None,
) -> None:
    """List the connections of captures with outcomes and findings.

    On a terminal, keys select, sort and filter, and Enter steps through a connection. --filter
    and --sort take the headings of the list and the keys that --json prints. A directory is
    searched for files that begin like a capture. Rows come in the order of the files, whatever
    --jobs is.
    """
    from handshake.cli.console import is_interactive
    from handshake.cli.open_list import is_spooled, open_growing, open_list
    from handshake.cli.reading import followed
    from handshake.survey import records
    from handshake.survey.spread.parallel import processors

    # Records have no cycles, and the garbage collector would take long to look for them.
    gc.set_threshold(100_000, 50, 50)
    # numpy would start threads for matrices, of which there are none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    given = {
        Form.JSON: as_json,
        Form.CSV: as_csv,
        Form.ZEEK: as_zeek,
        Form.PARQUET: parquet is not None,
        Form.EXPORT: export is not None,
    }
    form, spoken = _form(given, summary=summary), language(lang)
    selection = Selection(wanted, sort, problems=problems)
    if jobs is not None and scheduler is not None:
        raise UsageError("exclusive", options=["--jobs", "--scheduler"])
    if (count := captures.count("-")) > 1:
        raise UsageError("list.stdin-twice", count=count)
    read = partial(
        records,
        merge=merge,
        dedup=dedup,
        reorder=reorder,
        jobs=jobs or processors(),
        scheduler=scheduler,
        max_unpacked=octets(max_unpacked, "--max-unpacked"),
        max_connections=max_connections,
    )
    if export is not None:
        _export(read, captures, selection, export, spoken)
        return
    source = read(*captures)
    style = _Style(spoken, plain=plain, ascii_only=ascii_only, source=source)
    interactive = form is Form.TEXT and not summary and is_interactive(plain=plain)
    no_rows = form is Form.PARQUET or (form is Form.TEXT and style.in_table)
    held = summary or sort is not None or no_rows
    if form is Form.TEXT and not summary and is_spooled(captures, plain=plain):
        found = open_growing(read, selection.listed, style.console, style.glyphs)
        if found is not None:
            _report(found, spoken)
        return
    try:
        with followed(source, spoken, held=held):
            if summary:
                _print_summary(source, selection, form, style, merged=merge)
            elif form is Form.JSON:
                _print_json(source, selection)
            elif form is Form.CSV:
                _print_csv(selection.sorted(source))
            elif form is Form.ZEEK:
                _print_zeek(source, selection)
            elif parquet is not None:
                _write_parquet(source, selection, parquet, spoken)
            elif interactive:
                open_list(source, captures, selection.listed, style.console, style.glyphs)
            else:
                _print_rows(selection.sorted(source), style)
    finally:
        _report(source, spoken)
    _exit(source)


def _exit(source: Records) -> None:
    """End with what became of the reading, unless all went well."""
    if source.stopped:
        raise typer.Exit(130)
    if source.errors:
        raise typer.Exit(2)


def _export(
    read: Callable[..., Records],
    captures: Sequence[str],
    selection: Selection,
    out: str,
    language: str,
) -> None:
    """Write the selected connections to a file."""
    from handshake.cli.reading import followed
    from handshake.export.excerpt import steps_from

    check_export(out)
    with kept(captures) as (paths, named):
        source = read(*paths)
        try:
            with followed(source, language, held=True):
                found = list(selection.sorted(source))
            name = printable(named or ", ".join(captures))
            title = f"Connections of {name}"
            said = " and ".join(each for each in selection.said if each)
            title += f" where {printable(said)}" if said else ""
            steps = steps_from(source)
            say(
                export_records(found, steps, out, title=title, capture=named, language=language),
                out,
            )
        finally:
            _report(source, language)
    _exit(source)


def _form(given: dict[Form, bool], *, summary: bool) -> Form:
    """Return the output format."""
    forms = [form for form, is_given in given.items() if is_given]
    if len(forms) > 1:
        raise UsageError("exclusive", options=[form.value for form in forms])
    form = forms[0] if forms else Form.TEXT
    if summary and form in (Form.CSV, Form.ZEEK, Form.PARQUET, Form.EXPORT):
        raise UsageError("list.summary-form", option=form.value)
    return form


class _Style:
    """How text is printed."""

    def __init__(self, language: str, *, plain: bool, ascii_only: bool, source: Records) -> None:
        from handshake.cli.console import glyphs

        self._plain = plain
        self.glyphs = glyphs(language, ascii_only=ascii_only)
        names = [printable(str(each)) for each in source.paths]
        self.capture = max(map(len, names)) if len(names) > 1 else 0
        """The width of the column with the capture's name; 0 for one capture."""

    @cached_property
    def console(self) -> Console:
        """Standard output."""
        from handshake.cli.console import console

        return console(plain=self._plain)

    @property
    def in_table(self) -> bool:
        """Whether rows are printed as a table, which fits the terminal."""
        return sys.stdout.isatty() and not self._plain


def _print_line(row: str) -> None:
    # Flush each line: the capture may be growing.
    sys.stdout.write(f"{row}\n")
    sys.stdout.flush()


def _print_json(source: Records, selection: Selection) -> None:
    from handshake.export.json_line import json_line

    lines: Iterator[str]
    if source.in_processes:
        # Once, before there are processes.
        for family in ("findings", "diagnosis"):
            table(family, ENGLISH)
    if selection.sort:
        lines = map(json_line, selection.sorted(source))
    else:
        # The process that reads a record writes its line, too.
        lines = source.mapped(lambda each: json_line(each) if selection.has(each) else None)
    for line in lines:
        _print_line(line)


def _print_csv(records: Iterable[Record]) -> None:
    from handshake.export.csv import rows

    for row in rows(records):
        _print_line(row)


def _print_zeek(source: Records, selection: Selection) -> None:
    from handshake.export.zeek import conn_log

    rows: dict[tuple[str | None, int], list[ZeekRecord]] = {}

    def remembered() -> Iterator[Record]:
        for record, zeek in source.with_zeek():
            if selection.has(record):
                rows[record.capture, record.stream] = zeek
                yield record

    found = selection.in_order(remembered())
    selected = (rows.pop((each.capture, each.stream)) for each in found)
    for row in conn_log(chain.from_iterable(selected)):
        _print_line(row)


def _write_parquet(source: Records, selection: Selection, target: str, language: str) -> None:
    from handshake.cli.console import warn
    from handshake.export.parquet import opened, row

    with opened(target) as table:
        try:
            if selection.sort:
                found = selection.sorted(source)
                if table.partitioned:
                    found = iter(sorted(found, key=lambda each: each.capture or ""))
                table.write(map(row, found), tuple)
            else:
                rows = source.mapped(lambda each: row(each) if selection.has(each) else None)
                table.write(rows, lambda: source.read)
        except KeyboardInterrupt:
            source.stop()
        partial = table.end(source.read, complete=not source.stopped)
    if partial:
        warn([CaptureError("list.partial", names=partial, one=len(partial) == 1)], language)


def _print_summary(
    source: Records, selection: Selection, form: Form, style: _Style, *, merged: bool
) -> None:
    from handshake.cli.console import show
    from handshake.query.count import totals as counted
    from handshake.query.totals import Counted, Totals
    from handshake.view.totals_page import page

    if selection.all:
        totals = counted(source)
    else:
        found = source.mapped(lambda each: Counted.of(each) if selection.has(each) else None)
        totals = Totals(found)
    totals.left_out = source.left_out
    if form is Form.JSON:
        _print_line(json.dumps(totals.as_json()))
    else:
        parts = len(source.paths) if merged and len(source.paths) > 1 else 0
        show(style.console, page(totals, style.console.width, style.glyphs, parts=parts))


def _print_rows(records: Iterator[Record], style: _Style) -> None:
    if style.in_table:
        from handshake.cli.console import show

        show(style.console, _table(list(records), style))
        return
    from handshake.view.record_lines import RecordLines

    lines = RecordLines(capture=style.capture, glyphs=style.glyphs)
    for at, record in enumerate(records):
        if not at:
            _print_line(lines.heading())
        _print_line(lines.row(record))


def _table(records: list[Record], style: _Style) -> Iterator[Text]:
    """Yield a table that fits the terminal."""
    from rich.text import Text

    from handshake.query.totals import Totals
    from handshake.view.table import Table
    from handshake.view.totals_page import summary_line

    if not records:
        return
    width = style.console.width
    table = Table(records, width, style.glyphs)
    yield table.heading()
    rule = Text(style.glyphs.rule(width), "rule")
    yield rule
    yield from map(table.row, records)
    yield rule
    yield summary_line(Totals(records), width)


def _report(source: Records, language: str) -> None:
    """Print warnings and errors on standard error, a line each."""
    from handshake.cli.console import warn

    warn(source.warnings, language)
    for error in source.errors:
        tell("error", error.said(language), language)
    if source.stopped:
        done, count = source.reading.files, len(source.paths)
        values = {"done": done, "count": count, "one": done == 1}
        line = text("errors", "list.interrupted", values, language)
        print(line, file=sys.stderr)  # noqa: T201
