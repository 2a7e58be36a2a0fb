"""A list of connections as it looks: its rows, and what is left out on a narrow screen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from handshake.query.keys import find_key
from handshake.query.parse import parse
from handshake.query.totals import Totals
from handshake.record import Finding, Record
from handshake.tracker import Tracker, summarize
from handshake.view.browser import Browser, Preview
from handshake.view.columns import milliseconds, shorten
from handshake.view.glyphs import ASCII, UNICODE, Glyphs
from handshake.view.record_lines import RecordLines
from handshake.view.table import Table
from handshake.view.totals_page import page, summary_line
from tests.query.made import CLIENT, CLOSED, OPENING, SERVER, record
from tests.view.test_ladder import HANDSHAKE, steps

if TYPE_CHECKING:
    from rich.text import Text


def second(seconds: float) -> str:
    return f"2026-11-22T12:00:{seconds:012.9f}Z"


def row(
    port: int, to: int, *, seconds: float, sent: int, received: int, **changed: object
) -> Record:
    return record(
        client=replace(CLIENT, port=port, segments=sent),
        server=replace(SERVER, port=to, segments=received),
        start=second(seconds),
        time=float(seconds),
        **changed,
    )


SYN_ACK_AGAIN = replace(OPENING, rtt=0.03, syn_ack_retransmissions=1)
TWICE = Finding("final-ack-lost", 18)

SAMPLE = [
    row(49152, 80, seconds=0, sent=6, received=4),
    row(49153, 81, stream=1, seconds=1, sent=1, received=1, outcome="refused", closed=None,
         handshake=CLOSED),
    row(49154, 8080, stream=2, seconds=2, sent=3, received=0, outcome="no-answer", closed=None,
         handshake=replace(CLOSED, syn_retransmissions=2)),
    row(49155, 443, stream=3, seconds=6, sent=2, received=2, closed=None, frames=(16, 19),
         handshake=SYN_ACK_AGAIN, findings=(TWICE,)),
    row(40000, 80, stream=4, seconds=8, sent=1, received=2, outcome="reset",
         closed="rst-by-server", handshake=replace(OPENING, rtt=0.03)),
    row(5000, 6000, stream=5, seconds=9, sent=2, received=2, closed=None,
         handshake=replace(OPENING, rtt=0.03, simultaneous=True)),
]  # fmt: skip

V6 = [
    record(
        client=replace(CLIENT, address="2001:db8:1:0:306e:739d:dea6:99a4", port=54112),
        server=replace(SERVER, address="2001:16b8:4700:eb60:3a10:d5ff:fe4e:abe6", port=443),
        start=second(0),
        time=0.0,
    )
]


def drawn(table: Table) -> list[str]:
    lines = [table.heading(), *(table.row(each) for each in table.records)]
    assert {line.cell_len for line in lines} == {table.width}
    return [line.plain.rstrip() for line in lines]


def test_rows_on_eighty_columns() -> None:
    assert drawn(Table(SAMPLE, 80)) == [
        "   #   outcome     client           server               rtt  why",
        "   1 ✓ established 192.0.2.10:49152 198.51.100.7:80   28.4ms",
        "   2 ✗ refused     192.0.2.10:49153 198.51.100.7:81        —",
        "   3 ✗ no-answer   192.0.2.10:49154 198.51.100.7:8080      — S2",
        "   4 ! established 192.0.2.10:49155 198.51.100.7:443  30.0ms final-ack-lost",
        "   5 ! reset       192.0.2.10:40000 198.51.100.7:80   30.0ms rst-by-server",
        "   6 ✓ established 192.0.2.10:5000  198.51.100.7:6000 30.0ms",
    ]


def test_without_a_problem_there_is_room_for_sizes_and_times() -> None:
    assert drawn(Table(SAMPLE[:1], 80))[0].split() == [
        *("#", "outcome", "client", "server", "rtt", "retry", "packets", "time")
    ]


def test_a_wide_screen_shows_sizes_times_and_reasons() -> None:
    rows = drawn(Table(SAMPLE, 120, ASCII))
    assert rows[0].split() == [
        *("#", "outcome", "client", "server", "rtt", "retry", "packets", "time"),
        *("closed", "resent", "why"),
    ]
    assert [each.split() for each in rows[3:6]] == [
        ["3", "x", "no-answer", "192.0.2.10:49154", "198.51.100.7:8080", "-", "S2", "3", "2.000s",
         "S2"],
        ["4", "!", "established", "192.0.2.10:49155", "198.51.100.7:443", "30.0ms", "SA1", "4",
         "6.000s", "final-ack-lost"],
        ["5", "!", "reset", "192.0.2.10:40000", "198.51.100.7:80", "30.0ms", "3", "8.000s",
         "rst-by-server", "rst-by-server"],
    ]  # fmt: skip


@pytest.mark.parametrize("width", [80, 120, 200])
def test_every_heading_is_a_key(width: int) -> None:
    two = [*SAMPLE, replace(SAMPLE[0], capture="other.pcap")]
    headings = Table(two, width).heading().plain.split()
    assert [each for each in headings if find_key(each) is None] == []
    piped = RecordLines(capture=6).heading().split()
    assert [each for each in piped if find_key(each) is None] == []


def test_what_a_cell_says_is_a_value_of_its_key() -> None:
    for each in SAMPLE:
        cells = drawn(Table([each], 120))[1].split()
        wanted = f"outcome == {cells[2]} and client == {cells[3]} and server == {cells[4]}"
        assert parse(f"# == {cells[0]} and {wanted}")(each)
        if each.handshake.rtt is not None:
            assert parse(f"rtt >= {cells[5]} and rtt <= {cells[5]}")(each)


def test_long_addresses_are_cut_in_the_middle_and_keep_their_ports() -> None:
    assert drawn(Table(V6, 80)) == [
        "   #   outcome     client                   server                     rtt retry",
        "   1 ✓ established [2001:db8…a6:99a4]:54112 [2001:16b…e4e:abe6]:443 28.4ms",
    ]
    whole = drawn(Table(V6, 140))[1]
    assert "[2001:db8:1:0:306e:739d:dea6:99a4]:54112 " in whole
    assert "[2001:16b8:4700:eb60:3a10:d5ff:fe4e:abe6]:443 " in whole


def test_several_captures_are_named_where_there_is_room() -> None:
    two = [replace(each, capture=f"some/where/part{each.stream % 2}.pcap") for each in SAMPLE]
    assert drawn(Table(two, 80))[0].split()[-3:] == ["capture", "rtt", "retry"]
    assert drawn(Table(two, 100))[1].split()[4:6] == ["198.51.100.7:80", "part0.pcap"]


@pytest.mark.parametrize("width", range(1, 160, 7))
@pytest.mark.parametrize("records", [[], SAMPLE, V6, SAMPLE + V6])
def test_rows_are_as_wide_as_the_screen(records: list[Record], width: int) -> None:
    for glyphs in (UNICODE, ASCII):
        table = Table(records, width, glyphs)
        for line in (table.heading(), *map(table.row, records)):
            assert line.cell_len <= width
            assert glyphs is UNICODE or line.plain.isascii()


def test_large_numbers_find_room() -> None:
    busy = replace(SAMPLE[0], stream=99_999, client=replace(CLIENT, segments=12_345_678), time=59.5)
    assert drawn(Table([busy], 90))[1].split()[-2:] == ["12345682", "59.500s"]
    assert drawn(Table([busy], 80))[1].startswith(" 100000 ✓ established ")


def test_lines_grow_with_what_they_hold() -> None:
    lines = RecordLines(capture=6)
    before = lines.row(SAMPLE[0])
    assert " ".join(before.split()) == (
        "2026-11-22T12:00:00.000000Z sample.pcap 1 ✓ established 192.0.2.10:49152 198.51.100.7:80 "
        "28.4ms - - 10 0 fin - -"
    )
    lines.row(V6[0])
    after = lines.row(SAMPLE[3])
    assert after.index("198.51") > before.index("198.51")
    assert after.endswith(" final-ack-lost")


def test_milliseconds_and_endpoints() -> None:
    assert [milliseconds(each) for each in (0.00006, 0.0004, 0.0123, 1.5)] == [
        "0.060",
        "0.40",
        "12.3",
        "1500.0",
    ]
    assert shorten("[2001:db8::1]:80", 16, "…") == "[2001:db8::1]:80"
    assert shorten("[2001:db8::1]:80", 12, "..") == "[200..:1]:80"
    assert shorten("[2001:db8::1]:80", 6, "…") == "…1]:80"
    assert shorten("[2001:db8::1]:80", 4, "…") == "[20…"


def browser(
    records: list[Record], width: int, glyphs: Glyphs = UNICODE, **changed: object
) -> Browser:
    tracker = Tracker()
    seen = steps(*HANDSHAKE, tracker=tracker)
    assert summarize(tracker.connections[0]).outcome == "established"
    known: dict[str, object] = {
        "table": Table(records, width, glyphs),
        "rows": records,
        "selected": min(3, len(records) - 1),
        "totals": Totals(records),
        "title": "list  sample.pcap  26 packets, 6 connections, 9.0 s",
        "state": "filter none   sort #   shown 6",
        "keys": ["Enter open", "? keys", "q quit"],
        "preview": Preview(seen),
    }
    return Browser(**(known | changed))  # type: ignore[arg-type]


def shown(screen: Browser, height: int) -> list[str]:
    return [cast("Text", each).plain.rstrip() for each in screen.draw(height).renderables]


def test_a_list_on_a_terminal_of_eighty_columns() -> None:
    assert shown(browser(SAMPLE, 80), 24) == [
        " list  sample.pcap  26 packets, 6 connections, 9.0 s",
        " filter none   sort #   shown 6",
        "   #   outcome     client           server               rtt  why",
        "   1 ✓ established 192.0.2.10:49152 198.51.100.7:80   28.4ms",
        "   2 ✗ refused     192.0.2.10:49153 198.51.100.7:81        —",
        "   3 ✗ no-answer   192.0.2.10:49154 198.51.100.7:8080      — S2",
        ">  4 ! established 192.0.2.10:49155 198.51.100.7:443  30.0ms final-ack-lost",
        "   5 ! reset       192.0.2.10:40000 198.51.100.7:80   30.0ms rst-by-server",
        "   6 ✓ established 192.0.2.10:5000  198.51.100.7:6000 30.0ms",
        "── #4  192.0.2.10:49155 → 198.51.100.7:443  packets 16-19 · tcp.stream == 3 ────",
        "       ms CLIENT       seq relative                                SERVER",
        "    0.000 SYN-SENT     ── SYN seq=0 win=65535 mss=1460 ws=7 ─────▶ ?",
        "   30.000 ESTABLISHED  ◀───────── SYN-ACK seq=0 ack=1 win=65535 ── SYN-RECEIVED",
        "                                   · · ·  1.02 s  · · ·",
        " 1050.000!ESTABLISHED  ◀─── SYN-ACK again seq=0 ack=1 win=65535 ── SYN-RECEIVED",
        " 1051.000 ESTABLISHED  ── ACK seq=1 ack=1 win=65535 ─────────────▶ ESTABLISHED",
        " ! The server retransmitted its SYN-ACK although the client's ACK had passed",
        "   here. Likely causes: the ACK was lost or delayed, the server's accept queue",
        "   is full, or the server waits for data (TCP_DEFER_ACCEPT).",
        "",
        "",
        "────────────────────────────────────────────────────────────────────────────────",
        " established 3  refused 1  no-answer 1  reset 1  rtt 28.4 / 30.0 / 30.0 ms",
        " Enter open  ? keys  q quit",
    ]


def test_long_addresses_are_whole_below_the_list() -> None:
    below = shown(browser(V6, 80), 24)[4:7]
    assert below == [
        "── packets 1-10 · tcp.stream == 0 ──────────────────────────────────────────────",
        " #1 [2001:db8:1:0:306e:739d:dea6:99a4]:54112 →",
        " [2001:16b8:4700:eb60:3a10:d5ff:fe4e:abe6]:443",
    ]


def test_what_was_typed_wrong_stands_above_the_keys() -> None:
    assert shown(browser(SAMPLE, 80, problem="no such key"), 24)[-2:] == [
        " no such key",
        " Enter open  ? keys  q quit",
    ]


def test_a_long_list_keeps_the_chosen_in_sight() -> None:
    many = [replace(SAMPLE[0], stream=at) for at in range(1000)]
    for chosen in (0, 5, 500, 998, 999):
        (row,) = [each for each in shown(browser(many, 80, selected=chosen), 24) if each[:1] == ">"]
        assert row.split()[1 if row[1] == " " else 0].lstrip(">") == str(chosen + 1)


@pytest.mark.parametrize("height", [24, 40, 60])
@pytest.mark.parametrize("chosen", [0, 7, 500, 998, 999])
def test_rows_take_what_a_short_preview_leaves(height: int, chosen: int) -> None:
    many = [replace(SAMPLE[at % 6], stream=at) for at in range(1000)]
    screen = browser(many, 120, selected=chosen)
    lines = shown(screen, height)
    assert "" not in lines
    (at,) = (number for number, each in enumerate(lines) if each[:1] == ">")
    assert screen.row_at(at, height) == chosen


@pytest.mark.parametrize("height", [1, 2, 3, 5, 8, 12, 19, 20, 24, 40, 100])
@pytest.mark.parametrize("width", [1, 20, 79, 80, 120, 200])
@pytest.mark.parametrize("records", [[], SAMPLE, V6])
def test_a_screen_is_as_high_and_no_wider_than_the_terminal(
    records: list[Record], width: int, height: int
) -> None:
    for glyphs in (UNICODE, ASCII):
        screen = browser(records, width, glyphs, selected=0).draw(height)
        assert len(screen.renderables) == height
        assert max(cast("Text", each).cell_len for each in screen.renderables) <= width


def test_totals_in_a_line_drop_what_did_not_happen() -> None:
    line = summary_line(Totals(SAMPLE), 72).plain
    assert line == " established 3  refused 1  no-answer 1  reset 1  rtt 30.0 ms"
    assert summary_line(Totals([]), 80).plain == (
        " established 0  refused 0  no-answer 0  reset 0  half-open 0"
    )


def test_a_page_of_totals() -> None:
    assert [each.plain for each in page(Totals(SAMPLE), 80)] == [
        "6 connections, 26 segments, 0 octets of payload",
        "",
        "established            3   50.0%",
        "refused                1   16.7%",
        "no-answer              1   16.7%",
        "reset                  1   16.7%",
        "",
        "handshake rtt  min 28.4  median 30.0  p95 30.0  max 30.0 ms",
        "retransmitted  SYN 2, SYN-ACK 1, data 0",
        "refusing       198.51.100.7:81 (1)",
        "not answering  198.51.100.7:8080 (1)",
        "findings       final-ack-lost (1)",
    ]
    assert next(each.plain for each in page(Totals([]), 80)).startswith("0 connections, 0 segments")


def test_one_long_address_among_many_does_not_cut_the_reasons() -> None:
    most = SAMPLE * 9
    headings = Table(most, 80).heading().plain
    assert Table(most + V6, 80).heading().plain == headings
    # Where many are long, they get the room.
    assert Table(SAMPLE + V6, 80).heading().plain != headings


def test_forty_columns_have_room_for_the_reason_beside_a_long_number() -> None:
    many = [replace(each, stream=4000 + each.stream) for each in SAMPLE]
    slow = replace(many[0], handshake=replace(OPENING, rtt=1.391), findings=(TWICE,))
    rows = drawn(Table([slow, *many[1:]], 40))
    assert rows[0].split() == ["#", "server", "rtt", "why"]
    assert rows[1].split()[:4] == ["4001", "!", "198.5…100.7:80", "1391.0ms"]
