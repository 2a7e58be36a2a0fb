"""The rows of a watch: states of both ends, ages, marks, at any width."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handshake.record import nanoseconds
from handshake.survey import records
from handshake.tcp.copy import changed
from handshake.view.glyphs import ASCII, UNICODE
from handshake.view.live_table import Live, LiveTable, age

if TYPE_CHECKING:
    from handshake.record import Record

MIXED = Path(__file__).parents[2] / "captures" / "mixed.pcap"
EVERY = list(records(MIXED))
HOUR = 3600


def live(*opened: Record, after: float = 2) -> Live:
    """Return what is known when these are open, `after` seconds after the beginning."""
    now = nanoseconds(EVERY[0].start) + round(after * 10**9)
    return Live(now, frozenset(each.stream for each in opened))


def row(record: Record, known: Live, width: int = 120) -> str:
    return LiveTable([record], width, UNICODE, known).row(record).plain


def of(outcome: str) -> Record:
    return next(each for each in EVERY if each.outcome == outcome)


def test_an_open_connection_shows_the_states_of_both_ends() -> None:
    established = next(each for each in EVERY if each.closed is None)
    both = changed(established, client=changed(established.client, state="CLOSE-WAIT"))
    both = changed(both, server=changed(established.server, state="ESTABLISHED"))
    assert "CLOSE-WAIT/ESTAB" in row(both, live(both))
    same = changed(both, client=changed(both.client, state="ESTABLISHED"))
    assert " ESTABLISHED " in row(same, live(same))
    silent = of("no-answer")
    assert "SYN-SENT/—" in row(silent, live(silent))


def test_one_that_is_over_shows_what_became_of_it() -> None:
    for each in EVERY:
        wanted = each.outcome
        if wanted == "established" and each.closed:
            wanted = f"closed: {each.closed}"
        assert wanted in row(each, live())


def test_a_handshake_on_its_way_is_no_problem_until_something_is_sent_again() -> None:
    silent = of("no-answer")
    begun = changed(silent, handshake=changed(silent.handshake, syn_retransmissions=0))
    again = changed(silent, handshake=changed(silent.handshake, syn_retransmissions=1))
    assert " · SYN-SENT" in row(begun, live(begun))
    assert " ✗ SYN-SENT" in row(again, live(again))
    assert " S1 " in row(again, live(again))
    assert " ✗ SYN-SENT" in row(begun, live(begun, after=9))
    assert " ✗ no-answer" in row(begun, live())


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0.0s"),
        (0.26, "0.3s"),
        (9.94, "9.9s"),
        (10, "10s"),
        (59.9, "59s"),
        (60, "1m"),
        (HOUR - 1, "59m"),
        (HOUR, "1h"),
        (24 * HOUR, "1d"),
        (10**9, "11574d"),
    ],
)
def test_ages_have_their_largest_unit(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_the_age_of_what_is_over_does_not_grow() -> None:
    closed = next(each for each in EVERY if each.closed == "fin" and each.duration)
    assert row(closed, live(after=5)) == row(closed, live(after=500))
    assert row(closed, live(closed, after=5)) != row(closed, live(closed, after=500))


@pytest.mark.parametrize("width", [10, 40, 60, 80, 120, 200])
def test_rows_are_as_wide_as_the_screen(width: int) -> None:
    known = live(*EVERY[::2])
    for signs in (UNICODE, ASCII):
        table = LiveTable(EVERY, width, signs, known)
        for each in (table.heading(), *map(table.row, EVERY)):
            assert each.cell_len <= width


def test_headings_are_keys_to_sort_by() -> None:
    table = LiveTable(EVERY, 120, UNICODE, live())
    heading = table.heading().plain
    assert table.heading_at(heading.index("state")) == "outcome"
    assert table.heading_at(heading.index("age")) == "start"
    assert table.heading_at(heading.index("server")) == "server"


@pytest.mark.parametrize("width", [80, 120])
def test_ages_and_retries_are_always_there(width: int) -> None:
    heading = LiveTable(EVERY, width, UNICODE, live()).heading().plain
    assert {"age", "retry"} <= set(heading.split())
