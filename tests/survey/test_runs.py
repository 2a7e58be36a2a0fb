"""Runs of segments in which nothing happens: taken at once, they leave what one by one they do."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handshake.capture.open import read
from handshake.packet.decode import Decoder
from handshake.survey.group.flow_table import FlowTable
from handshake.tracker import PairTracker
from tests.survey.engines import by_survey, by_tracker
from tests.survey.test_same import MISHAPS, save

if TYPE_CHECKING:
    from handshake.events.run import Run
    from handshake.tcp import Observed
    from tests.survey.test_same import Frames

PACKETS = 1500
RUNNING = (
    *("clean", "cut", "zero", "partial", "wrong", "mid-stream", "lossy", "one", "ipv6", "vlan"),
    *("sack", "holes-up"),
)
"""Kinds of which most segments are in runs."""


@cache
def kinds() -> Any:
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    try:
        return __import__("kinds")
    finally:
        sys.path.pop(0)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count the segments that the tracker takes in runs, and one by one."""
    found = {"runs": 0, "alone": 0}
    skip, feed = PairTracker.skip, PairTracker.feed

    def skipped(self: PairTracker, run: Run) -> None:
        found["runs"] += run.count
        skip(self, run)

    def fed(self: PairTracker, observed: Observed, judgment: Any = None) -> Any:
        found["alone"] += 1
        return feed(self, observed, judgment)

    monkeypatch.setattr(PairTracker, "skip", skipped)
    monkeypatch.setattr(PairTracker, "feed", fed)
    return found


@pytest.mark.parametrize("kind", kinds().KINDS)
def test_the_records_of_each_kind_are_those_of_the_tracker(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "made.pcap"
    kinds().write(path, kind, PACKETS)
    assert by_survey(path) == by_tracker(path)


@pytest.mark.parametrize("kind", RUNNING)
def test_most_segments_are_in_runs(tmp_path: Path, counted: dict[str, int], kind: str) -> None:
    path = tmp_path / "made.pcap"
    kinds().write(path, kind, PACKETS)
    # Followed by a tracker from the first segment on, as where none is ordinary.
    flows = FlowTable(Decoder(), every=True)
    assert list(flows.records(read(path, flows)))
    assert counted["runs"] > counted["alone"]


def test_duplicate_acks_are_in_runs(tmp_path: Path, counted: dict[str, int]) -> None:
    path = tmp_path / "made.pcap"
    save(path, list(kinds().KINDS["lossy"](PACKETS, Random(1), kinds().Truths())), 2000)
    flows = FlowTable(Decoder(), every=True)
    found = [record for record, _ in flows.records(read(path, flows))]
    repeated = sum(record.client.duplicate_acks for record in found)
    lost = sum(record.server.retransmissions for record in found)
    # What opens and ends a connection is fed one by one, and what is sent again.
    assert repeated > 50
    assert counted["alone"] <= 7 * len(found) + 2 * lost


@pytest.mark.parametrize("kind", ["sack", "holes-up"])
def test_data_ahead_of_holes_is_in_runs(tmp_path: Path, counted: dict[str, int], kind: str) -> None:
    path = tmp_path / "made.pcap"
    save(path, list(kinds().KINDS[kind](PACKETS, Random(1), kinds().Truths())), 2000)
    assert list(FlowTable(Decoder(), every=True).records(read(path)))
    assert counted["alone"] < 5 < PACKETS - 10 < counted["runs"]


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_runs_go_on_where_packets_were_not_captured(
    tmp_path: Path, counted: dict[str, int], share: float
) -> None:
    dice, truths = Random(2), kinds().Truths()
    made = kinds().KINDS["one"](PACKETS, Random(1), truths)
    frames = [each for each in made if dice.random() > share]
    path = save(tmp_path / "made.pcap", frames, 2000)
    assert list(FlowTable(Decoder(), every=True).records(read(path)))
    assert counted["alone"] < 20
    assert by_survey(path) == by_tracker(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.randoms(use_true_random=False),
    st.sampled_from(RUNNING),
    st.sampled_from((54, 60, 96, 2000)),
    st.lists(st.sampled_from(MISHAPS), min_size=1, max_size=6),
)
def test_whatever_happens_to_long_connections(
    dice: Random, kind: str, snap: int, mishaps: list[Any]
) -> None:
    truths = kinds().Truths()
    # Ports and numbers by a seed of their own, so that a failure can be made smaller.
    frames: Frames = list(kinds().KINDS[kind](150, Random(dice.randrange(50)), truths))
    for mishap in mishaps:
        mishap(dice, frames)
        frames.sort(key=lambda each: each[0])
    with TemporaryDirectory() as directory:
        path = save(Path(directory) / "made.pcap", frames, snap)
        assert by_survey(path) == by_tracker(path)


def numbered(frames: Frames, way: str) -> Frames:
    """Give each packet an identification: counted by sender, constant, or none."""
    counts: dict[bytes, int] = {}
    found: Frames = []
    for at, frame in frames:
        if frame[12:14] != IPV4:
            found.append((at, frame))
            continue
        sender = frame[26:38]
        counts[sender] = counts.get(sender, hash(sender) % 1000) + 1
        number = {"counted": counts[sender], "constant": 7, "none": 0}[way]
        found.append((at, _with_header(frame, number & 0xFFFF, 64)))
    return found


def _with_header(frame: bytes, number: int, ttl: int) -> bytes:
    head = frame[14:18] + number.to_bytes(2, "big") + frame[20:22] + bytes((ttl,)) + frame[23:24]
    return frame[:14] + head + frame[24:]


def copied(dice: Random, frames: Frames, hops: int, share: float) -> Frames:
    """Capture a share of the packets a second time, behind a router or at the same place."""
    found = list(frames)
    for at, frame in frames:
        if dice.random() < share:
            late = at + dice.choice((0, 3_000, 400_000, 30_000_000))
            number = int.from_bytes(frame[18:20], "big")
            again = frame[:21] + bytes((64 - hops,)) + frame[22:]  # the hop limit of IPv6
            if frame[12:14] == IPV4:
                again = _with_header(frame, number, 64 - hops)
            found.append((late, again))
    found.sort(key=lambda each: each[0])
    return found


IPV4 = b"\x08\0"
WAYS = ("counted", "constant", "none")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["cut", "mid-stream", "lossy", "zero", "ipv6"])
def test_packets_captured_twice(
    tmp_path: Path, counted: dict[str, int], kind: str, way: str
) -> None:
    frames = list(kinds().KINDS[kind](PACKETS // 2, Random(5), kinds().Truths()))
    path = tmp_path / "made.pcap"
    save(path, copied(Random(6), numbered(frames, way), 1, 1.0), 96)
    flows = FlowTable(Decoder(), every=True)
    assert list(flows.records(read(path, flows)))
    assert counted["runs"]
    assert by_survey(path) == by_tracker(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.randoms(use_true_random=False),
    st.sampled_from(("cut", "mid-stream", "lossy", "zero", "wrong", "ipv6")),
    st.sampled_from(WAYS),
    st.sampled_from((0, 1, 3)),
    st.sampled_from((0.1, 0.9, 1.0)),
    st.lists(st.sampled_from(MISHAPS), max_size=4),
)
def test_whatever_happens_to_packets_captured_twice(
    dice: Random, kind: str, way: str, hops: int, share: float, mishaps: list[Any]
) -> None:
    made = kinds().KINDS[kind](120, Random(dice.randrange(50)), kinds().Truths())
    frames = copied(dice, numbered(list(made), way), hops, share)
    for mishap in mishaps:
        mishap(dice, frames)
        frames.sort(key=lambda each: each[0])
    with TemporaryDirectory() as directory:
        path = save(Path(directory) / "made.pcap", frames, dice.choice((60, 96, 2000)))
        assert by_survey(path) == by_tracker(path)


def test_what_ends_a_run_leaves_no_trace_in_it(tmp_path: Path) -> None:
    """A damaged segment with a later timestamp does not count as the last one received."""
    frames = list(kinds().KINDS["one"](80, Random(3), kinds().Truths()))
    for place, (at, frame) in enumerate(frames[20:60], start=20):
        damaged = [*frames]
        damaged[place] = at, frame[:58] + bytes((frame[58] ^ 1,)) + frame[59:]
        path = save(tmp_path / "made.pcap", damaged, 2000)
        assert by_survey(path) == by_tracker(path)
