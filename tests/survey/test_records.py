"""The records of captures: all of them, in order, as soon as they are sure."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handshake.capture.open import read
from handshake.errors import CaptureError
from handshake.record import nanoseconds
from handshake.replayer import replay
from handshake.survey import records
from handshake.tracker import summarize_all
from tests.errors import coded
from tests.survey.made import CAPTURES, Packet, packets, save

if TYPE_CHECKING:
    from random import Random

ALL = sorted(CAPTURES.glob("*.pcap"))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_the_records_are_those_of_replay(path: Path) -> None:
    source = replay(path)
    for _ in source:
        pass
    told = summarize_all(source.tracker.connections)
    whole = [replace(each, capture=str(path)) for each in told]
    found = records(path)
    listed = list(found)
    assert [replace(each, time=None) for each in listed] == whole
    assert list(found) == listed  # and again
    begin = next(iter(read(path))).time
    assert [each.time for each in listed] == [
        (nanoseconds(each.start) - begin) / 10**9 for each in listed
    ]
    assert (found.warnings, found.errors) == ([], [])


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_the_steps_of_a_connection_are_those_of_replay(path: Path) -> None:
    every = list(replay(path, hindsight=True))
    found = records(path)
    for record in found:
        whole = [step for step in every if step.stream == record.stream]
        steps = found.steps(record)
        assert [step.observed for step in steps] == [step.observed for step in whole]
        assert [step.sender for step in steps] == [step.sender for step in whole]
        assert [step.events for step in steps] == [step.events for step in whole]
        assert len(found.steps(record, 2)) == min(2, len(whole))


def later(*, since: int) -> list[Packet]:
    """Return SYNs of so many ports that the time of their stamps is believed."""
    (syn, at), *_ = packets("refused", since=since)
    assert syn[12:14] == b"\x08\x00"
    return [(syn[:34] + port.to_bytes(2, "big") + syn[36:], at) for port in range(5000, 5002)]


def test_what_is_over_comes_once_it_has_been_quiet(tmp_path: Path) -> None:
    still_open = packets("open-close-v4", since=0)[:3]
    over = packets("open-close-v6", since=1)
    found = records(save(tmp_path / "long.pcap", still_open + over + later(since=200)))
    assert [each.stream for each in found][:3] == [1, 0, 2]


def test_a_syn_without_an_answer_times_out(tmp_path: Path) -> None:
    still_open = packets("open-close-v6", since=0)[:3]
    given_up = packets("half-open", since=1)
    found = records(save(tmp_path / "long.pcap", still_open + given_up + later(since=200)))
    assert [each.stream for each in found][:3] == [1, 0, 2]


@pytest.mark.parametrize("wrong", range(1, 10))
@pytest.mark.parametrize("ahead", [130, 86_400, 2**31])
def test_a_wrong_time_stamp_ends_no_connection(tmp_path: Path, wrong: int, ahead: int) -> None:
    """Every frame of the file in turn is stamped too late: no segment is lost for it."""
    given = packets("open-close-v4", since=0)
    data, at = given[wrong]
    given[wrong] = (data, at + ahead * 10**9)
    found = records(save(tmp_path / "wrong.pcap", [*given, *packets("refused", since=1)]))
    assert [each.client.segments + each.server.segments for each in found] == [len(given), 2]
    assert "list.late" not in [warning.code for warning in found.warnings]


def test_later_segments_are_reported(tmp_path: Path) -> None:
    over = packets("open-close-v4", since=0)
    others = later(since=200)
    data, _ = over[-1]
    path = save(tmp_path / "late.pcap", [*over, *others, (data, 300 * 10**9)])
    found = records(path)
    assert next(each.frames for each in found) == (1, len(over))
    assert sum(each.client.segments + each.server.segments for each in found) == len(over + others)
    assert coded(found.warnings) == [("list.late", {"count": 1, "seconds": 120, "one": True})]
    assert found.warnings[0].place == str(path)


def test_several_captures_are_each_their_own() -> None:
    first, second = CAPTURES / "refused.pcap", CAPTURES / "ecn.pcap"
    assert [(each.capture, each.stream) for each in records(first, second)] == [
        (str(first), 0),
        (str(second), 0),
        (str(second), 1),
    ]


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 178), min_size=1, max_size=4), st.randoms())
def test_parts_in_any_order_are_the_whole(cuts: list[int], dice: Random) -> None:
    frames = packets("mixed")
    edges = [0, *sorted(cuts), len(frames)]
    with TemporaryDirectory() as place:
        parts = [
            save(Path(place) / f"part{at}.pcap", frames[begin:end])
            for at, (begin, end) in enumerate(itertools.pairwise(edges))
        ]
        dice.shuffle(parts)
        merged = records(*parts, merge=True)
        found = list(merged)
        whole = list(records(CAPTURES / "mixed.pcap"))
        assert [replace(each, capture=None) for each in found] == [
            replace(each, capture=None) for each in whole
        ]
        for each in found:
            # Each is listed with the part that it begins in.
            begin = int(Path(each.capture or "").stem.removeprefix("part"))
            assert each.frames[0] is not None
            assert edges[begin] < each.frames[0] <= edges[begin + 1]
        assert len(merged.steps(found[8])) == 11
        assert merged.warnings == []


def test_overlapping_parts_are_reported(tmp_path: Path) -> None:
    frames = packets("mixed")
    one, two = save(tmp_path / "1.pcap", frames[::2]), save(tmp_path / "2.pcap", frames[1::2])
    merged = records(two, one, merge=True)
    assert len(list(merged)) > 0
    assert (merged.warnings[0].place, merged.warnings[0].code) == (str(two), "list.overlap")


def test_what_cannot_be_read_does_not_stop_the_rest(tmp_path: Path) -> None:
    good, text = CAPTURES / "refused.pcap", tmp_path / "text"
    text.write_text("no capture")
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(good.read_bytes()[:-1])
    (tmp_path / "empty").mkdir()
    for merge in (False, True):
        found = records(tmp_path / "none", good, text, cut, tmp_path / "empty", merge=merge)
        assert len({(each.capture, each.stream) for each in found}) == (1 if merge else 2)
        assert {each.place: each.code for each in found.errors} == {
            str(tmp_path / "empty"): "list.no-captures",
            str(tmp_path / "none"): "file.not-found",
            str(text): "capture.text",
        }
        cuts = [each for each in found.warnings if each.code == "capture.truncated"]
        assert [(each.place, each.values["offset"]) for each in cuts] == [(str(cut), 114)]
        # The parts of one capture are read as one: the second has packets of the first again.
        assert ("copies" in [each.code for each in found.warnings]) is merge


def test_where_nothing_can_be_read_it_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.pcap"
    broken.write_bytes((CAPTURES / "refused.pcap").read_bytes()[:30])
    found = records(tmp_path / "none", broken)
    with pytest.raises(CaptureError, match=r"broken\.pcap: truncated at offset 24"):
        list(found)
    assert [str(each) for each in found.errors] == [f"{tmp_path / 'none'}: no such file"]


def test_a_capture_without_a_connection_is_reported(tmp_path: Path) -> None:
    empty = save(tmp_path / "empty.pcap", [])
    found = records(empty)
    assert list(found) == []
    assert [str(each) for each in found.warnings] == [f"{empty}: no TCP segments"]


def test_steps_of_what_is_gone_are_an_error(tmp_path: Path) -> None:
    path = save(tmp_path / "some.pcap", packets("refused"))
    found = records(path)
    (record,) = found
    save(path, [])
    with pytest.raises(CaptureError, match="has changed"):
        found.steps(record)
    path.unlink()
    with pytest.raises(CaptureError, match="no such file"):
        found.steps(record)
