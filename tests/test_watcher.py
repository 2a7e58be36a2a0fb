"""Watching, without a network: what is told when, and that it is what `list` says afterwards."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import IP, TCP, fragment
from scapy.layers.l2 import Ether
from scapy.utils import wrpcap

from handshake.capture.open import read
from handshake.packet.frame import Frame
from handshake.survey import records
from handshake.watcher import LiveWatch, PipeSource

if TYPE_CHECKING:
    from scapy.packet import Packet

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

    warnings = ()

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


def sent(at: float, flags: str, seq: int, ack: int = 0, payload: bytes = b"") -> Packet:
    """Return a segment with a time: of the client, or of the server if it has a SYN and an ACK."""
    ends = {"src": "192.0.2.1", "dst": "192.0.2.2"}, {"sport": 1024, "dport": 80}
    if flags == "SA":
        ends = {"src": "192.0.2.2", "dst": "192.0.2.1"}, {"sport": 80, "dport": 1024}
    ip, tcp = ends
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    packet = link / IP(**ip) / TCP(**tcp, flags=flags, seq=seq, ack=ack) / payload
    packet.time = at
    return packet


def as_frames(packets: list[Packet]) -> list[Frame]:
    found = [(round(each.time * SECOND), bytes(each)) for each in packets]
    return [
        Frame(number, at, 0, 1, len(octets), octets, 0)
        for number, (at, octets) in enumerate(found, 1)
    ]


def test_a_segment_in_fragments_is_taken_once() -> None:
    begin = [sent(0, "S", 100), sent(0.1, "SA", 300, 101), sent(0.2, "A", 101, 301)]
    reset = sent(0.3, "RA", 101, 301, b"x" * 64)
    parts = [Ether(bytes(each)) for each in fragment(reset, 32)]
    for each in parts:
        each.time = 0.3
    source = Frames(as_frames([*begin, *parts]), 100)
    watcher = LiveWatch(source)
    assert [each.outcome for each in watcher.round(0).handshakes] == ["established"]
    assert not watcher.decoder.warnings  # no fragment is left over
    source.time = round(1.5 * SECOND)
    (record,) = watcher.round(0).over
    assert (record.closed, record.client.segments) == ("rst-by-client", 3)


@pytest.mark.parametrize("more", [1, 3])
def test_what_a_reset_ended_may_go_on_with_the_same_numbers(tmp_path: Path, more: int) -> None:
    times = [20.0 * each for each in range(more + 1)]
    talk = [
        each
        for at in times
        for each in (sent(at, "S", 100), sent(at + 0.1, "SA", 300, 101), sent(at + 0.2, "R", 101))
    ]
    _, over = watched(Frames(as_frames(talk), 1))
    assert [each.stream for each in over] == [0] * (more + 1)
    assert over[-1].client.segments == 2 * (more + 1)
    path = tmp_path / "again.pcap"
    wrpcap(str(path), talk)
    assert [plain(each) for each in records(path)] == [plain(over[-1])]


def test_few_of_those_that_a_reset_ended_are_kept() -> None:
    talk = [
        each
        for at, port in enumerate(range(1024, 1034))
        for each in (sent(at, "S", 100), sent(at + 0.1, "R", 101))
    ]
    for at, each in enumerate(talk):
        each[TCP].sport = 1024 + at // 2
        del each[TCP].chksum
    source = Frames(as_frames(talk), 1)
    watcher = LiveWatch(source, most=24)
    while not source.ended:
        watcher.round(0)
    source.time = 60 * SECOND
    watcher.round(0)
    assert len(watcher.flows.all()) == 3


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
