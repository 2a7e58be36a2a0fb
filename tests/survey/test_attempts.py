"""Attempts: the tracker takes one of each kind, and the records of all are what it would make."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handshake.capture.open import read
from handshake.diagnosis import Others
from handshake.packet.decode import Decoder
from handshake.survey.flow_table import FlowTable
from handshake.tracker import PairTracker
from tests.survey.engines import by_survey, by_tracker
from tests.survey.test_runs import kinds
from tests.survey.test_same import MISHAPS, save

if TYPE_CHECKING:
    from handshake.record import Record
    from handshake.tcp import Observed
    from tests.survey.test_same import Frames

FAILING = ("scan", "flood", "half-open")


def made(kind: str, count: int, dice: Random) -> Frames:
    return list(kinds().KINDS[kind](count, dice, kinds().Truths()))


def test_each_kind_is_tracked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fed = []
    feed = PairTracker.feed

    def counted(self: PairTracker, observed: Observed) -> object:
        fed.append(observed)
        return feed(self, observed)

    monkeypatch.setattr(PairTracker, "feed", counted)
    frames = [each for kind in FAILING for each in made(kind, 100, Random(1))]
    found = by_survey(save(tmp_path / "made.pcap", sorted(frames), 96))
    assert len(found) == 50 + 100 + 50
    assert len(fed) == 2 + 1 + 2


def with_others(path: Path, *, columns_from: int) -> list[Record]:
    flows = FlowTable(Decoder(), others=Others(), columns_from=columns_from)
    return [record for record, _ in flows.records(read(path))]


@pytest.mark.parametrize("kind", FAILING)
def test_what_other_connections_show_is_in_the_diagnosis(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "made.pcap"
    kinds().write(path, kind, 300)
    quick, tracked = with_others(path, columns_from=0), with_others(path, columns_from=1 << 40)
    assert quick == tracked
    assert all(each.diagnosis is not None for each in quick)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from(MISHAPS), min_size=1, max_size=9),
    st.sampled_from((54, 60, 66, 96)),
)
def test_whatever_happens_to_attempts(dice: Random, mishaps: list[Any], snap: int) -> None:
    frames = sorted(each for kind in FAILING for each in made(kind, 4, dice))
    for mishap in mishaps:
        mishap(dice, frames)
        frames.sort(key=lambda each: each[0])
    with TemporaryDirectory() as directory:
        path = save(Path(directory) / "made.pcap", frames, snap)
        assert by_survey(path) == by_tracker(path)
