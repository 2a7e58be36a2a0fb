"""The ladder, drawn: what a person has read once is what it must always look like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tcp import Observed, Seq
from handshake.tracker import Tracker
from handshake.view.glyphs import ASCII
from handshake.view.ladder import Ladder
from handshake.view.notation import Numbers
from tests.segments import LINUX, A, B, segment

if TYPE_CHECKING:
    from handshake.events import Step

MS = 10**6


def steps(*sent: tuple[int, str], tracker: Tracker | None = None) -> list[Step]:
    """Feed segments, `>` from A and `<` from B, at so many milliseconds."""
    tracker = tracker or Tracker()
    out = []
    for at, text in sent:
        options = LINUX if "SYN" in text else None
        seg = segment(text[1:], by=A if text[0] == ">" else B, options=options)
        out.append(tracker.feed(Observed(seg, at * MS)))
    return out


HANDSHAKE = (
    (0, "><SEQ=4000><CTL=SYN>"),
    (30, "<<SEQ=7000><ACK=4001><CTL=SYN,ACK>"),
    (1050, "<<SEQ=7000><ACK=4001><CTL=SYN,ACK>"),
    (1051, "><SEQ=4001><ACK=7001><CTL=ACK>"),
)


def drawn(ladder: Ladder, width: int = 80) -> list[str]:
    return [line.plain.rstrip() for line in ladder.lines(width)]


def test_a_lost_syn_ack_with_numbers_from_each_end_s_syn() -> None:
    seen = steps(*HANDSHAKE)
    assert drawn(Ladder(seen, Numbers.of(seen), current=2)) == [
        "       ms CLIENT       seq relative                                SERVER",
        "    0.000 SYN-SENT     ── SYN seq=0 win=65535 mss=1460 ws=7 ─────▶ ?",
        "   30.000 ESTABLISHED  ◀───────── SYN-ACK seq=0 ack=1 win=65535 ── SYN-RECEIVED",
        " 1050.000>ESTABLISHED  ◀─── SYN-ACK again seq=0 ack=1 win=65535 ── SYN-RECEIVED",
        " 1051.000 ESTABLISHED  ── ACK seq=1 ack=1 win=65535 ─────────────▶ ESTABLISHED",
    ]


def test_the_same_with_the_numbers_of_the_wire_and_marks_for_trouble() -> None:
    seen = steps(*HANDSHAKE)
    assert drawn(Ladder(seen, Numbers.of(seen).absolute(), glyphs=ASCII)) == [
        "       ms CLIENT       seq absolute                                SERVER",
        "    0.000 SYN-SENT     -- SYN seq=4000 win=65535 mss=1460 ws=7 --> ?",
        "   30.000 ESTABLISHED  <--- SYN-ACK seq=7000 ack=4001 win=65535 -- SYN-RECEIVED",
        " 1050.000!ESTABLISHED  <------- SYN-ACK again seq=7000 ack=4001 -- SYN-RECEIVED",
        " 1051.000 ESTABLISHED  -- ACK seq=4001 ack=7001 win=65535 -------> ESTABLISHED",
    ]


def test_what_was_not_seen_is_marked_as_concluded() -> None:
    seen = steps((0, "<<SEQ=7000><ACK=4001><DATA=9><CTL=ACK>"))
    assert drawn(Ladder(seen, Numbers.of(seen))) == [
        "       ms CLIENT       seq relative                                SERVER",
        "    0.000 ESTABLISHED? ◀─────── ACK seq=1 ack=1 len=9 win=65535 ── ESTABLISHED?",
    ]


def test_a_ladder_scrolls_around_the_current_step() -> None:
    seen = steps(*((at, f"><SEQ={4000 + at}><ACK=7001><DATA=1><CTL=ACK>") for at in range(1000)))
    ladder = Ladder(seen, Numbers.of(seen), current=500, height=6)
    times = [line[:10] for line in drawn(ladder)[1:]]
    assert times == ["  497.000 ", "  498.000 ", "  499.000 ", "  500.000>", "  501.000 "]
    last = Ladder(seen, Numbers.of(seen), current=999, height=6)
    assert drawn(last)[-1].startswith("  999.000>")


def test_rows_keep_to_the_width_and_drop_what_matters_least() -> None:
    seen = steps((0, f"><SEQ={2**32 - 1}><ACK={2**32 - 1}><DATA=1448><CTL=PSH,ACK>"))
    for width in (37, 40, 60, 80, 200):
        heading, row = drawn(Ladder(seen, Numbers.of(seen).absolute()), width)
        assert max(len(heading), len(row)) <= width
    row = drawn(Ladder(seen, Numbers().absolute()), 80)[1]
    assert "── PSH-ACK seq=4294967295 len=1448 ───────▶" in row


def test_long_connections_are_shown_in_seconds() -> None:
    seen = steps((0, "><SEQ=1><CTL=SYN>"), (200_000, "><SEQ=1><CTL=SYN>"))
    assert [line[:10] for line in drawn(Ladder(seen, Numbers.of(seen)))] == [
        "        s ",
        "    0.000 ",
        "  200.000!",
    ]


def test_numbers_count_on_across_the_end_of_the_circle() -> None:
    seen = steps((0, f"><SEQ={2**32 - 1}><CTL=SYN>"), (1, "<<SEQ=9><ACK=0><CTL=SYN,ACK>"))
    numbers = Numbers.of(seen)
    assert numbers.show(seen[1].segment.ack, seen[0].by) == "1"
    assert numbers.both(Seq(99), seen[0].by) == "100 (99)"


def test_what_a_refusing_rst_has_for_a_number_is_left_as_it_is() -> None:
    seen = steps((0, "><SEQ=100><CTL=SYN>"), (1, "<<SEQ=0><ACK=101><CTL=RST,ACK>"))
    assert "RST-ACK seq=0 ack=1" in drawn(Ladder(seen, Numbers.of(seen)))[2]
