"""The steps of one connection, collected while its capture is read, which is read once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import Capture
from handshake.events import PortReused
from handshake.replayer import replay
from handshake.survey import records
from handshake.survey.follow.step_log import StepLog
from tests.survey.made import CAPTURES, Packet, packets, save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from handshake.capture.open import Watch

ALL = sorted(CAPTURES.glob("*.pcap"))


@pytest.fixture
def octets(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let captures be read in small pieces; return the sizes of all that are read."""
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
    monkeypatch.setattr("handshake.capture.open.PIECE", 4096)
    monkeypatch.setattr("handshake.capture.open.LARGE_PIECE", 4096)
    monkeypatch.setattr("handshake.capture.open.LARGEST_PIECE", 4096)
    return read


@pytest.fixture(params=[False, True], ids=["frames", "columns"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let captures be read frame by frame, or in columns, however small they are."""
    if request.param:
        monkeypatch.setattr("handshake.capture.pcap.MUCH", 0)
        monkeypatch.setattr("handshake.capture.columns.FEWEST", 2)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
@pytest.mark.usefixtures("engine")
def test_one_reading_gives_record_and_steps(path: Path, octets: list[int]) -> None:
    every, whole = list(replay(path, hindsight=True)), list(records(path))
    for record in whole:
        octets.clear()
        log = StepLog(record.stream)
        records(path).follow(log)
        assert log.steps == [step for step in every if step.stream == record.stream]
        assert (log.record, log.ended) == (record, True)
        assert sum(octets) <= path.stat().st_size


@pytest.mark.usefixtures("engine")
def test_steps_come_while_the_capture_is_read(tmp_path: Path, octets: list[int]) -> None:
    first = packets("open-close-v4", since=0)
    others = [each for at in range(1, 40) for each in packets("open-close-v6", since=at)]
    path = save(tmp_path / "some.pcap", [*first[:2], *others, *first[2:]])
    log, source = StepLog(0), records(path)
    seen = []
    source.watch(lambda _: seen.append((len(log.steps), log.record)))
    octets.clear()
    source.follow(log)
    assert (2, None) in seen
    assert seen[-1][0] == len(first)
    record, steps = log.now()
    assert len(steps) == len(first)
    assert record.frames == (1, len(first) + len(others))
    assert sum(octets) == path.stat().st_size


def test_ends_and_frames_are_known_before_the_record() -> None:
    log = StepLog(0)
    for step in replay(CAPTURES / "open-close-v4.pcap"):
        log.take(step, None, None)
        record, steps = log.now()
        assert record.frames == (1, len(steps))
        assert (record.client.port, record.server.port) == (40001, 80)
    assert not log.ended


def reused(*, since: int) -> list[Packet]:
    """Return a connection between the sockets of another, with other sequence numbers."""
    found = []
    for data, at in packets("open-close-v4", since=since):
        other = bytearray(data)
        flags = data[47]
        other[38] ^= 0x40
        if flags & 0x10:
            other[42] ^= 0x40
        found.append((bytes(other), at))
    return found


@pytest.mark.parametrize("opened", [3, 10])
@pytest.mark.parametrize("later", [5, 400])
@pytest.mark.usefixtures("engine")
def test_what_came_before_on_the_same_ports_is_known(
    tmp_path: Path, opened: int, later: int
) -> None:
    """Also where the connection before was complete, and long ago."""
    quiet = [each for at in (200, 201, 390) for each in packets("refused", since=at)]
    frames = packets("open-close-v4", since=0)[:opened] + quiet * (later > 200)
    path = save(tmp_path / "reused.pcap", frames + reused(since=later))
    whole = list(records(path))
    stream = max(each.stream for each in whole)
    log = StepLog(stream)
    records(path).follow(log)
    every = [step for step in replay(path, hindsight=True) if step.stream == stream]
    assert log.steps == every
    assert any(isinstance(each, PortReused) for each in log.steps[0].events)


def test_where_there_is_no_such_connection_all_are_counted() -> None:
    log = StepLog(25)
    records(CAPTURES / "mixed.pcap").follow(log)
    assert (log.steps, log.record, log.connections, log.ended) == ([], None, 25, True)
