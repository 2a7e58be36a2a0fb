"""`handshake list`: the connections of captures, one a row."""

from __future__ import annotations

import gc
import json
import sys
from enum import Enum
from itertools import chain, islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated

import typer

from handshake.cli.parameters import Ascii, Json, Plain  # noqa: TC001 - typer reads them
from handshake.errors import UsageError
from handshake.record import nanoseconds
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.text import Text

    from handshake.record import Record
    from handshake.survey import Records
    from handshake.tracker.zeek import ZeekRecord


class Form(Enum):
    """What to print."""

    TEXT = "text"
    JSON = "--json"
    CSV = "--csv"
    ZEEK = "--zeek"


def list_connections(
    captures: Annotated[
        list[str],
        typer.Argument(metavar="CAPTURE...", help="pcap or pcapng files; - is standard input."),
    ],
    merge: Annotated[
        bool, typer.Option("--merge", help="The files are parts of one capture, as of tcpdump -C.")
    ] = False,
    wanted: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="EXPR",
            help="Only these: 'outcome != established and handshake.rtt > 0.2', "
            "'server.port in {80, 443}', 'client.address in 10.0.0.0/8'.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="KEY,...", help="In this order; -KEY is the greatest first."),
    ] = None,
    problems: Annotated[
        bool, typer.Option("--problems", help="Only those that somebody should look at.")
    ] = False,
    summary: Annotated[bool, typer.Option("--summary", help="Totals in place of rows.")] = False,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, a column each key.")] = False,
    as_zeek: Annotated[bool, typer.Option("--zeek", help="Print a conn.log as Zeek does.")] = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
) -> None:
    """List the connections of captures: who called whom, what became of it, and how fast.

    On a terminal keys choose, sort and filter, and Enter steps through a connection. Filters
    and orders are over the keys that --json prints, such as server.address.
    """
    from handshake.cli.console import is_interactive
    from handshake.survey import records

    # To look for cycles among so many records takes long, and there are none.
    gc.set_threshold(100_000, 50, 50)
    form = _form(as_json=as_json, as_csv=as_csv, as_zeek=as_zeek, summary=summary)
    choice = _Choice(wanted, sort, problems=problems)
    source = records(*captures, merge=merge)
    look = _Look(plain=plain, ascii_only=ascii_only, captures=captures)
    try:
        if summary:
            _print_summary(choice.chosen(source), form, look)
        elif form is Form.JSON:
            _print_json(choice.arranged(source))
        elif form is Form.CSV:
            _print_csv(choice.arranged(source))
        elif form is Form.ZEEK:
            _print_zeek(source, choice)
        elif is_interactive(plain=plain):
            _browse(source, choice, captures, look)
        else:
            _print_rows(choice.arranged(source), look)
    finally:
        _say(source)


def _form(*, as_json: bool, as_csv: bool, as_zeek: bool, summary: bool) -> Form:
    """Return the one form that was asked for."""
    asked = {Form.JSON: as_json, Form.CSV: as_csv, Form.ZEEK: as_zeek}
    forms = [form for form, is_asked in asked.items() if is_asked]
    if len(forms) > 1:
        raise UsageError(f"{forms[0].value} and {forms[1].value}: choose one of them")
    form = forms[0] if forms else Form.TEXT
    if summary and form in (Form.CSV, Form.ZEEK):
        raise UsageError(f"--summary and {form.value}: totals are text or --json")
    return form


class _Choice:
    """Which connections were asked for, and in what order."""

    def __init__(self, wanted: str | None, sort: str | None, *, problems: bool) -> None:
        from handshake.query import order, parse

        self.wanted, self.sort, self.problems = wanted or "", sort or "", problems
        self._test = None if wanted is None else parse(wanted)
        self._order = None if sort is None else order(sort)

    def chosen(self, records: Iterable[Record]) -> Iterator[Record]:
        """Return those that were asked for, as they come. The first is looked for at once.

        So nothing is printed where nothing can be read.
        """
        from handshake.query.problems import is_problem

        found = (
            each
            for each in records
            if (self._test is None or self._test(each)) and (not self.problems or is_problem(each))
        )
        return chain(list(islice(found, 1)), found)

    def arranged(self, records: Iterable[Record]) -> Iterator[Record]:
        """Return those that were asked for in order; as they come where no order was given."""
        found = self.chosen(records)
        return found if self._order is None else iter(self._order(found))


class _Look:
    """How text is to look."""

    def __init__(self, *, plain: bool, ascii_only: bool, captures: Sequence[str]) -> None:
        from handshake.cli.console import console, glyphs

        self.console = console(plain=plain)
        self.glyphs = glyphs(ascii_only=ascii_only)
        self.capture = max(map(len, captures)) if len(captures) > 1 else 0
        """How wide the column is that says which capture a row is from."""


def _print_line(text: str) -> None:
    # Each line at once: a capture may be still growing, and somebody be waiting.
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _print_json(records: Iterable[Record]) -> None:
    for record in records:
        _print_line(json.dumps(record.as_json()))


def _print_csv(records: Iterable[Record]) -> None:
    from handshake.export.csv import rows

    for row in rows(records):
        _print_line(row)


def _print_zeek(source: Records, choice: _Choice) -> None:
    from handshake.export.zeek import conn_log

    rows: dict[tuple[str | None, int], list[ZeekRecord]] = {}

    def noted() -> Iterator[Record]:
        for record, zeek in source.with_zeek():
            rows[record.capture, record.stream] = zeek
            yield record

    chosen = (rows.pop((each.capture, each.stream)) for each in choice.arranged(noted()))
    for text in conn_log(chain.from_iterable(chosen)):
        _print_line(text)


def _print_summary(records: Iterable[Record], form: Form, look: _Look) -> None:
    from handshake.cli.console import show
    from handshake.query.totals import Totals
    from handshake.view.totals_page import page

    totals = Totals(records)
    if form is Form.JSON:
        _print_line(json.dumps(totals.as_json()))
    else:
        show(look.console, page(totals, look.console.width, look.glyphs))


def _print_rows(records: Iterator[Record], look: _Look) -> None:
    from handshake.cli.console import show

    if look.console.is_terminal:
        show(look.console, _table(list(records), look))
        return
    from handshake.view.table import Lines

    lines = Lines(capture=look.capture, glyphs=look.glyphs)
    for at, record in enumerate(records):
        if not at:
            _print_line(lines.heading())
        _print_line(lines.row(record))


def _table(records: list[Record], look: _Look) -> Iterator[Text]:
    """Yield a table that fits the terminal."""
    from rich.text import Text

    from handshake.query.totals import Totals
    from handshake.view.table import Table
    from handshake.view.totals_page import summary_line

    if not records:
        return
    width, origin = look.console.width, min(nanoseconds(each.start) for each in records)
    table = Table(records, width, origin, look.glyphs)
    yield table.heading()
    rule = Text(look.glyphs.rule(width), "rule")
    yield rule
    yield from map(table.row, records)
    yield rule
    yield summary_line(Totals(records), width)


def _browse(source: Records, choice: _Choice, captures: Sequence[str], look: _Look) -> None:
    from rich.text import Text

    from handshake.cli.browse import Browsing
    from handshake.cli.tui import run

    with look.console.status(Text(f"reading {' '.join(captures)}")):
        found = list(source)
    if not found:
        return
    browsing = Browsing(
        source,
        found,
        _title(found, captures),
        look.glyphs,
        wanted=choice.wanted,
        sort=choice.sort,
        problems=choice.problems,
    )
    run(browsing, look.console)


def _title(records: Sequence[Record], captures: Sequence[str]) -> str:
    """Return what is listed: the capture, and how much is in it."""
    from handshake.view.notation import count

    name = PurePath(captures[0]).name if len(captures) == 1 else f"{len(captures)} captures"
    packets = sum(each.client.segments + each.server.segments for each in records)
    begin = min(nanoseconds(each.start) for each in records)
    end = max(nanoseconds(each.start) / NS_PER_SECOND + each.duration for each in records)
    seconds = f"{end - begin / NS_PER_SECOND:.1f} s"
    return (
        f"list  {name}  {count(packets, 'packet')}, {count(len(records), 'connection')}, {seconds}"
    )


def _say(source: Records) -> None:
    """Say on standard error what was wrong, a line each."""
    from handshake.cli.console import warn
    from handshake.view.notation import printable

    warn(source.warnings)
    for error in source.errors:
        print(f"error: {printable(str(error))}", file=sys.stderr)  # noqa: T201
