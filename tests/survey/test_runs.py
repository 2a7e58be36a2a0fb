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
from handshake.survey.flow_table import FlowTable
from handshake.tracker import PairTracker
from tests.survey.engines import by_survey, by_tracker
from tests.survey.test_same import MISHAPS, save

if TYPE_CHECKING:
    from handshake.events.run import Run
    from handshake.tcp import Observed
    from tests.survey.test_same import Frames

PACKETS = 1500
RUNNING = ("clean", "cut", "zero", "partial", "wrong", "mid-stream", "lossy", "one", "ipv6", "vlan")
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
