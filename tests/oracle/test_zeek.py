"""Each connection of Zeek's own test captures is as Zeek's test suite has it in conn.log."""

from __future__ import annotations

import csv
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

import pytest

from handshake.replayer import replay
from handshake.tracker import summarize, zeek_records
from tests.oracle import public
from tests.oracle.known_zeek import KNOWN, known

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from handshake.tracker.zeek import ZeekRecord

ROWS = public.FOLDER / "zeek" / "CONN.tsv"

Row = dict[str, str]

# Rows of the same test suite for captures that CONN.tsv leaves out: what Zeek's baselines
# core.tcp.rxmit-history, core.expire-all-timers (conn-all.log) and
# scripts.base.protocols.conn.conn_state-RST-behavior say, in the order of COLUMNS; the last
# of them prints two columns only.
COLUMNS = (
    "duration",
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "missed_bytes",
    "history",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
)
BASELINES = {
    "zeek-retransmit-fast009.pcap": [
        "60.991770 474 23783 RSTO 24257 ShADaGdgtR 17 1250 22 28961",
    ],
    "zeek-retransmit-timeout.pcapng": [
        "0.000010 18 0 OTH 0 Da 1 58 1 40",
        "- - - OTH 0 D 1 58 0 0",
    ],
    "zeek-syn-then-ack-then-rst.pcap": ["? ? ? RSTOS0 ? SaR ? ? ? ?"],
}


def as_conn_log(record: ZeekRecord) -> Row:
    row = {column: getattr(record, column) for column in COLUMNS}
    row["originator"] = f"{record.orig_h}:{record.orig_p}"
    if record.duration is not None:
        row["duration"] = f"{record.duration / 10**9:.6f}"
    return {column: "-" if value is None else str(value) for column, value in row.items()}


@cache
def rows_of(path: Path) -> dict[frozenset[str], list[Row]]:
    """Return our rows for each pair of ends, in order."""
    replayed = replay(path)
    for _ in replayed:
        pass
    found = defaultdict(list)
    for connection in replayed.tracker.connections:
        for record in zeek_records(connection):
            pair = frozenset(
                (f"{record.orig_h}:{record.orig_p}", f"{record.resp_h}:{record.resp_p}")
            )
            found[pair].append(as_conn_log(record))
    return found


def logs(path: Path) -> list[list[Row]]:
    """Return Zeek's rows for a capture: a list for each run that its test suite makes of it."""
    runs = defaultdict(list)
    with ROWS.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["file"] == path.name:
                row["originator"] = f"{row['orig_h']}:{row['orig_p']}"
                runs[row["baseline"]].append(row)
    return list(runs.values())


def compared(path: Path) -> Iterator[tuple[Row, Row]]:
    """Yield each row of Zeek's with ours of the same two ends."""
    ours = rows_of(path)
    for log in logs(path):
        before: dict[frozenset[str], int] = defaultdict(int)
        for row in log:
            pair = frozenset((row["originator"], f"{row['resp_h']}:{row['resp_p']}"))
            yield row, ours[pair][before[pair]]
            before[pair] += 1


def with_rows() -> list[Path]:
    if not ROWS.exists():
        return []
    return [path for path in sorted(ROWS.parent.iterdir()) if logs(path)]


def differences(row: Row, own: Row) -> set[str]:
    return {column for column in own if column in row and own[column] != row[column]}


@public.each(with_rows())
def test_each_row_is_zeeks(path: Path) -> None:
    for row, own in compared(path):
        expected = known(path.name, row["originator"])
        assert differences(row, own) == expected, (row, own)


@pytest.mark.skipif(not ROWS.exists(), reason=f"Zeek's rows are not at {ROWS}")
def test_how_much_is_equal() -> None:
    pairs = [pair for path in with_rows() for pair in compared(path)]
    for column, least in (("conn_state", 0.95), ("history", 0.85), ("duration", 0.95)):
        equal = sum(row[column] == own[column] for row, own in pairs)
        assert equal >= least * len(pairs), (column, equal, len(pairs))


@pytest.mark.skipif(not ROWS.exists(), reason=f"Zeek's rows are not at {ROWS}")
def test_what_is_known_to_differ_is_there() -> None:
    theirs = {
        (path.name, row["originator"]) for path in with_rows() for log in logs(path) for row in log
    }
    assert {(row.capture, row.originator) for row in KNOWN} <= theirs


@public.each([path for name in BASELINES if (path := public.FOLDER / name).exists()])
def test_rows_of_other_captures(path: Path) -> None:
    found = [row for rows in rows_of(path).values() for row in rows]
    for row, line in zip(found, BASELINES[path.name], strict=True):
        values = zip(COLUMNS, line.split(), strict=True)
        expected = {column: value for column, value in values if value != "?"}
        assert {column: row[column] for column in expected} == expected


@public.each(public.captures())
def test_every_connection_has_a_word(path: Path) -> None:
    replayed = replay(path)
    for _ in replayed:
        pass
    for connection in replayed.tracker.connections:
        assert summarize(connection).conn_state
