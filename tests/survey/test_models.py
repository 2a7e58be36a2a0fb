"""Shapes: the tracker takes one connection of each, and all records are what it would make."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from handshake.survey.alike import models
from handshake.survey.follow import runs
from tests.survey.engines import by_survey, by_tracker
from tests.survey.test_runs import kinds
from tests.survey.test_same import save

if TYPE_CHECKING:
    from pathlib import Path

    from tests.survey.test_same import Frames

MODELLED = ("clean", "cut", "zero", "partial", "wrong", "mid-stream", "short", "ipv6", "vlan")
"""Kinds of which most connections have a common shape."""


@pytest.fixture
def tracked(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Collect the flows that a tracker follows."""
    found: list[object] = []
    feed = runs.feed

    def counted(tracker: Any, one: Any, flow: Any, *rest: Any, in_columns: bool) -> None:
        found.append(flow)
        feed(tracker, one, flow, *rest, in_columns=in_columns)

    monkeypatch.setattr(runs, "feed", counted)
    return found


@pytest.mark.parametrize("kind", MODELLED)
def test_few_connections_of_a_kind_are_tracked(
    tmp_path: Path, tracked: list[object], kind: str
) -> None:
    path = tmp_path / "made.pcap"
    kinds().write(path, kind, 4000)
    records = by_survey(path)
    assert len(tracked) <= len(records) / 4
    assert records == by_tracker(path)


def test_other_kinds_beside_do_not_matter(tmp_path: Path, tracked: list[object]) -> None:
    frames: Frames = []
    for kind in MODELLED:
        frames += kinds().KINDS[kind](600, Random(1), kinds().Truths())
    path = save(tmp_path / "made.pcap", sorted(frames), 2000)
    assert by_survey(path) == by_tracker(path)
    assert tracked


def test_few_shapes_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MOST_MODELS", 2)
    path = tmp_path / "made.pcap"
    kinds().write(path, "cut", 3000)
    assert by_survey(path) == by_tracker(path)
