"""Data that does not get through an open connection, and what only looks like it."""

from __future__ import annotations

from dataclasses import replace

from tests.diagnosis.made import between, codes, down, later, only, up

OPEN = [
    up(0, "S", 100, mss=1460, scale=7, sack_permitted=True),
    down(0.02, "SA", 900, 101, mss=1460, scale=7, sack_permitted=True),
    up(0.021, "A", 101, 901),
    up(0.022, "PA", 101, 901, 8),
    down(0.04, "A", 901, 109),
]
LARGE = [down(at, "A", 901, 109, 1448) for at in (0.05, 0.25, 0.7, 1.6, 3.4)]
SMALL = down(0.051, "PA", 2349, 109, 300)
DUPLICATE = up(0.07, "A", 109, 901)


def test_large_segments_are_lost_and_small_ones_arrive() -> None:
    packets = sorted([*OPEN, *LARGE, SMALL, DUPLICATE], key=lambda each: each.at)
    diagnosis = only(packets)
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("path-mtu", "likely")
    assert [each.code for each in diagnosis.ruled_out] == ["path-down"]


def test_a_peer_that_answers_nothing_is_no_black_hole() -> None:
    assert codes([*OPEN, *LARGE]) == ["peer-silent"]


def test_a_large_segment_that_got_through_before_rules_a_small_mtu_out() -> None:
    first = [down(0.05, "A", 901, 109, 1448), up(0.07, "A", 109, 2349)]
    stuck = [replace(each, seq=2349) for each in later(LARGE, 1)]
    assert codes([*OPEN, *first, *stuck]) == ["peer-silent"]


def test_small_data_without_an_answer_is_no_black_hole() -> None:
    small = [replace(each, length=300) for each in LARGE]
    assert codes([*OPEN, *small]) == ["peer-silent"]
    assert codes([*OPEN, *small[:3]]) == [None]


def test_silence_after_a_long_time_without_traffic() -> None:
    late = [up(at, "PA", 109, 901, 20) for at in (300.0, 300.2, 300.6, 301.4, 303.0)]
    assert codes([*OPEN, *late]) == ["idle-timeout"]
    assert codes([*OPEN, *late, down(303.1, "A", 901, 129)]) == [None]


def test_data_beyond_the_window_where_none_is_scaled() -> None:
    opening = [replace(each, scale=None, window=4096) for each in OPEN]
    flight = [down(0.05 + at / 1000, "A", 901 + 1448 * at, 109, 1448) for at in range(6)]
    diagnosis = only([*opening, *flight])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty, diagnosis.evidence) == (
        "window-overrun",
        "likely",
        (4, 8),
    )
    shut = up(0.08, "A", 109, 901 + 1448 * 2, window=4096 - 1448 * 2)
    diagnosis = only([*opening, *flight, shut])
    assert diagnosis is not None
    assert (diagnosis.certainty, diagnosis.evidence) == ("proven", (4, 8, 12))
    assert codes([*opening, *flight[:2]]) == [None]
    scaled = [OPEN[0], OPEN[1], *[replace(each, window=502) for each in OPEN[2:]]]
    assert codes([*scaled, *flight]) == [None]


def test_a_window_probe_is_no_overrun() -> None:
    opening = [replace(each, scale=None, window=1448) for each in OPEN]
    full = [down(0.05, "A", 901, 109, 1448), up(0.07, "A", 109, 2349, window=0)]
    probe = [down(1, "A", 2349, 109, 1), up(1.02, "A", 109, 2349, window=0)]
    assert codes([*opening, *full, *probe]) == [None]


def test_a_capture_of_one_direction() -> None:
    mine = [each for each in OPEN if not each.back]
    diagnosis = only([*mine, up(0.06, "A", 109, 2349)])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("one-sided-capture", "likely")
    assert codes([OPEN[0], replace(OPEN[0], at=1)]) == ["no-answer"]


def test_a_direction_that_takes_another_path() -> None:
    mine = [*(each for each in OPEN if not each.back), up(0.06, "A", 109, 2349)]
    other = between(OPEN, client=("10.0.0.1", 40001))
    assert codes([*mine, *later(other, 1)]) == ["asymmetric-path", None]
    elsewhere = between(other, server=("192.0.2.11", 80))
    assert codes([*mine, *later(elsewhere, 1)]) == ["one-sided-capture", None]


def test_selective_acknowledgments_of_what_was_never_sent() -> None:
    gap = down(0.05, "A", 2349, 109, 1448)
    broken = up(0.07, "A", 109, 901, sack=((9_002_349, 9_003_797),))
    assert codes([*OPEN, gap, broken]) == ["sack-not-translated"]
    assert codes([*OPEN, gap, replace(broken, sack=((2349, 3797),))]) == [None]
    # A second SYN-ACK is reported as a duplicate (RFC 2883).
    assert codes([*OPEN, gap, replace(broken, sack=((900, 901),))]) == [None]


def test_a_large_segment_that_never_reaches_the_receiver() -> None:
    small = replace(SMALL, seq=2349)
    gone = up(60, "FA", 109, 901)
    assert codes([*OPEN, small, DUPLICATE, gone]) == ["missing-large"]
    # It comes after all; or the capture ends too soon to tell.
    assert codes([*OPEN, small, DUPLICATE, LARGE[1], up(0.3, "A", 109, 2649), gone]) == [None]
    assert codes([*OPEN, small, DUPLICATE]) == [None]


def test_a_hole_that_the_receiver_does_not_have_is_one_of_the_capture() -> None:
    small = replace(SMALL, seq=2349)
    assert codes([*OPEN, small, up(0.07, "A", 109, 2649), up(60, "FA", 109, 2649)]) == [None]
