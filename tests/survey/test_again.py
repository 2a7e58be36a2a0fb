"""The steps of connections whose records are known: read from their places, not from the start."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import Capture
from handshake.errors import CaptureError
from handshake.events import PortReused
from handshake.replayer import replay
from handshake.survey import records
from tests.survey.made import CAPTURES, Packet, packets, save
from tests.survey.test_step_log import engine, reused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from handshake.capture.open import Watch
    from handshake.events import Step
    from handshake.record import Record

__all__ = ["engine"]

ALL = sorted(CAPTURES.glob("*.pcap"))


def by_replay(path: Path, record: Record) -> list[Step]:
    return replayed(path, path.stat().st_mtime_ns)[record.stream]


@lru_cache(maxsize=4)
def replayed(path: Path, _written: int) -> dict[int, list[Step]]:
    """Return the steps of each connection of a capture that was written at this time."""
    found: dict[int, list[Step]] = defaultdict(list)
    for each in replay(path, hindsight=True):
        found[each.stream].append(each)
    return found


@pytest.fixture
def octets(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let pieces be small and checkpoints close; return the sizes of all that is read."""
    read: list[int] = []
    pieces = Capture._pieces

    def counted(
        self: Capture, read_some: Callable[[int], bytes], watch: Watch | None
    ) -> Iterator[bytes]:
        def reading(most: int) -> bytes:
            piece = read_some(most)
            read.append(len(piece))
            return piece

        return pieces(self, reading, watch)

    monkeypatch.setattr(Capture, "_pieces", counted)
    monkeypatch.setattr("handshake.capture.open.PIECE", 1024)
    monkeypatch.setattr("handshake.capture.open.LARGE_PIECE", 1024)
    monkeypatch.setattr("handshake.capture.open.LARGEST_PIECE", 1024)
    monkeypatch.setattr("handshake.capture.checkpoints._EVERY", 1024)
    return read


def many() -> list[Packet]:
    """Return frames of 60 connections, one after another."""
    return [
        (data[:34] + (20000 + at).to_bytes(2, "big") + data[36:], when)
        if data[34:36] != b"\x00\x50"
        else (data[:36] + (20000 + at).to_bytes(2, "big") + data[38:], when)
        for at in range(60)
        for data, when in packets("open-close-v4", since=at)
    ]


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
@pytest.mark.usefixtures("engine")
def test_they_are_those_of_replay(path: Path, octets: list[int]) -> None:
    found = records(path)
    for record in list(found):
        octets.clear()
        steps = found.steps(record)
        assert sum(octets) <= path.stat().st_size + 1024
        assert steps == by_replay(path, record)


@pytest.mark.usefixtures("engine")
def test_only_their_place_is_read(tmp_path: Path, octets: list[int]) -> None:
    path = save(tmp_path / "many.pcap", many())
    found = records(path)
    whole = list(found)
    assert len(whole) == 60
    for record in (whole[0], whole[30], whole[59]):
        octets.clear()
        steps = found.steps(record)
        assert sum(octets) < 12 * 1024 < path.stat().st_size / 3
        assert steps == by_replay(path, record)
        octets.clear()
        found.steps(record, 2)
        assert sum(octets) < 10 * 1024


@pytest.mark.parametrize("engine", ["packed", "tracked"])
def test_what_stands_between_scattered_frames_is_not_read(
    tmp_path: Path, octets: list[int], engine: str
) -> None:
    first = packets("open-close-v4", since=0)
    between = [each for at in range(1, 700) for each in packets("open-close-v6", since=at)]
    last = [(data, at + 800 * 10**9) for data, at in first[5:]]
    if engine == "tracked":
        # A VLAN tag after the first segments.
        last = [(data[:12] + b"\x81\x00\x00\x07" + data[12:], at) for data, at in last]
    path = save(tmp_path / "long.pcap", [*first[:5], *between, *last])
    found = records(path)
    (record,) = [each for each in found if each.client.address == "10.77.0.1"]
    octets.clear()
    steps = found.steps(record)
    assert sum(octets) < 80 * 1024 < path.stat().st_size / 5
    assert steps == by_replay(path, record)
    assert len(steps) == 10


@pytest.mark.parametrize("opened", [3, 10])
@pytest.mark.parametrize("later", [5, 400])
@pytest.mark.usefixtures("octets", "engine")
def test_what_came_before_on_the_same_ports_is_known(
    tmp_path: Path, opened: int, later: int
) -> None:
    quiet = [each for at in (200, 201, 390) for each in packets("refused", since=at)]
    first = packets("open-close-v4", since=0)[:opened]
    after = [each for at in range(401, 430) for each in packets("refused", since=at)]
    frames = first + quiet * (later > 200) + reused(since=later) + after
    path = save(tmp_path / "reused.pcap", frames)
    found = records(path)
    whole = list(found)
    for record in whole:
        assert found.steps(record) == by_replay(path, record)
    pair = [record for record in whole if record.server.port == 80]
    again = sorted(pair, key=lambda record: record.stream)
    (event,) = [each for each in found.steps(again[1])[0].events if isinstance(each, PortReused)]
    assert event.before == again[0].stream


def test_parts_of_one_capture_have_their_own_places(tmp_path: Path, octets: list[int]) -> None:
    frames = many()
    whole = save(tmp_path / "whole.pcap", frames)
    parts = [
        save(tmp_path / f"part{at}.pcap", frames[begin:end])
        for at, (begin, end) in enumerate(((0, 75), (75, 333), (333, None)))
    ]
    merged = records(*parts, merge=True)
    for record in list(merged):
        octets.clear()
        steps = merged.steps(record)
        assert sum(octets) < 14 * 1024
        assert steps == by_replay(whole, record)


def test_another_process_tells_where_they_are(tmp_path: Path, octets: list[int]) -> None:
    paths = [save(tmp_path / f"{at}.pcap", many()) for at in range(2)]
    found = records(*paths, jobs=2)
    for record in list(found)[::25]:
        octets.clear()
        steps = found.steps(record)
        assert sum(octets) < 12 * 1024
        assert steps == by_replay(paths[0], record)


def test_a_file_that_was_written_anew_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    path = save(tmp_path / "some.pcap", many())
    found = records(path)
    record = list(found)[30]
    save(path, [(data, at + 10**9) for data, at in many()])
    with pytest.raises(CaptureError, match="has changed"):
        found.steps(record)
