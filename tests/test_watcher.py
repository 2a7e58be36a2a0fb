"""Watching, without a network: what is told when, and that it is what `list` says afterwards."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import read
from handshake.survey import records
from handshake.watcher import LiveWatch, PipeSource

if TYPE_CHECKING:
    from handshake.packet.frame import Frame
    from handshake.record import Json, Record

CAPTURES = sorted(Path(__file__).parents[1].glob("captures/*.pcap"))
SECOND = 10**9


class Frames:
    """A source that gives so many frames at a time."""

    lost = 0

    def __init__(self, frames: list[Frame], most: int) -> None:
        self._frames, self._most, self._at = frames, most, 0
        self.time = 0

    @property
    def ended(self) -> bool:
        return self._at >= len(self._frames)

    def read(self, seconds: float) -> list[Frame]:  # noqa: ARG002
        found = self._frames[self._at : self._at + self._most]
        self._at += self._most
        return found

    def now(self) -> int:
        return self.time

    def interfaces(self) -> list[tuple[str, int]]:
        return [("eth0", 1)]


def frames(path: Path) -> list[Frame]:
    return [each._replace(data=bytes(each.data)) for each in read(path)]


def watched(source: Frames) -> tuple[list[Record], list[Record]]:
    """Return what is told of handshakes and of connections."""
    watcher = LiveWatch(source)
    handshakes, over = [], []
    while not source.ended:
        news = watcher.round(0)
        handshakes += news.handshakes
        over += news.over
    news = watcher.end()
    return handshakes + news.handshakes, over + news.over


def plain(record: Record) -> Json:
    found = record.as_json()
    # What came later may rule out more causes than what was known when it was over.
    return {key: value for key, value in found.items() if key not in ("capture", "diagnosis")}


@pytest.mark.parametrize("most", [1, 7, 1000])
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_records_are_those_of_list(path: Path, most: int) -> None:
    _, over = watched(Frames(frames(path), most))
    found = {each.stream: plain(each) for each in over}
    assert found == {each.stream: plain(each) for each in records(path)}
    assert len(over) == len(found)


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_each_handshake_is_told_with_its_outcome(path: Path) -> None:
    handshakes, over = watched(Frames(frames(path), 1))
    last = {each.stream: each.outcome for each in handshakes}
    assert last == {each.stream: each.outcome for each in over}
    told = [(each.stream, each.outcome) for each in handshakes]
    assert len(told) == len(set(told))


def test_a_handshake_is_told_when_it_completes() -> None:
    (path,) = (each for each in CAPTURES if each.stem == "open-close-v4")
    source = Frames(frames(path), 1)
    watcher = LiveWatch(source)
    told = [len(watcher.round(0).handshakes) for _ in range(4)]
    assert told == [0, 0, 1, 0]


def test_what_is_not_answered_is_told_after_three_seconds() -> None:
    (path,) = (each for each in CAPTURES if each.stem == "no-answer")
    first = frames(path)[0]
    source = Frames([first], 1)
    watcher = LiveWatch(source)
    for seconds, outcomes in ((0, []), (2.9, []), (3.1, ["no-answer"]), (9, [])):
        source.time = first.time + round(seconds * SECOND)
        assert [each.outcome for each in watcher.round(0).handshakes] == outcomes


def test_a_connection_is_over_a_second_after_its_end() -> None:
    (path,) = (each for each in CAPTURES if each.stem == "open-close-v4")
    found = frames(path)
    source = Frames(found, len(found))
    watcher = LiveWatch(source)
    source.time = found[-1].time
    assert not watcher.round(0).over
    source.time += SECOND
    assert [each.closed for each in watcher.round(0).over] == ["fin"]
    assert not watcher.flows.all()


def test_what_has_no_room_is_counted() -> None:
    (path,) = (each for each in CAPTURES if each.stem == "mixed")
    source = Frames(frames(path), 1000)
    watcher = LiveWatch(source, most=1)
    watcher.round(0)
    assert watcher.left_out > 0


def test_a_pipe_is_followed_as_it_arrives(tmp_path: Path) -> None:
    import os

    (path,) = (each for each in CAPTURES if each.stem == "open-close-v4")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    octets, go_on = path.read_bytes(), threading.Event()

    def write() -> None:
        with pipe.open("wb", buffering=0) as out:
            out.write(octets[:-40])
            go_on.wait(30)
            out.write(octets[-40:])

    writer = threading.Thread(target=write)
    writer.start()
    source = PipeSource(read(pipe))
    count = len(frames(path))
    found: list[Frame] = []
    while len(found) < count - 1:
        found += source.read(5)
    assert not source.ended
    go_on.set()
    while not source.ended:
        found += source.read(5)
    writer.join()
    assert found == frames(path)
