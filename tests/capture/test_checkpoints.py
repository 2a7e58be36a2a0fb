"""Frames that are read again, from a place in the midst of the file."""

from __future__ import annotations

import gzip
import pickle
from random import Random
from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import read
from handshake.packet.decode import Decoder
from handshake.survey.group.flow_table import FlowTable
from tests.capture import files
from tests.capture.test_snoop import header, record
from tests.survey.made import packets, written

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.packet.frame import Frame


def pcapng() -> bytes:
    """Return two sections, the second in the other byte order and with two interfaces."""
    little = [files.enhanced(bytes(each), ticks=each) for each in range(1, 40)]
    big = [
        files.enhanced(bytes(each), ">", which=each % 2, ticks=each * 10**9)
        for each in range(40, 80)
    ]
    second = files.interface(">", link_type=101, options=files.option(9, b"\x09", ">"))
    return b"".join(
        [
            files.section(),
            files.interface(),
            *little[:20],
            files.block(9, bytes(200)),
            *little[20:],
            files.section(">"),
            files.interface(">"),
            *big[:1],
            second,
            *big[1:],
        ]
    )


FORMATS = {
    "pcap": written(packets("mixed")),
    "pcapng": pcapng(),
    "snoop": header() + b"".join(record(bytes(each)) for each in range(1, 90)),
}
FORMATS["gzip"] = gzip.compress(FORMATS["pcap"])


def plain(frames: list[Frame]) -> list[tuple[object, ...]]:
    return [(*each[:5], bytes(each.data), each.offset) for each in frames]


@pytest.fixture(autouse=True)
def close(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let checkpoints stand close to each other, and pieces be small."""
    monkeypatch.setattr("handshake.capture.checkpoints._EVERY", 300)
    monkeypatch.setattr("handshake.capture.open.PIECE", 256)
    monkeypatch.setattr("handshake.capture.compression.PIECE", 256)


@pytest.mark.parametrize("octets", FORMATS.values(), ids=FORMATS)
def test_frames_are_the_same_when_read_again(tmp_path: Path, octets: bytes) -> None:
    path = tmp_path / "some"
    path.write_bytes(octets)
    capture = read(path)
    whole = list(capture)
    numbers = [each.number for each in whole]
    assert len(numbers) > 70
    for wanted in (
        [range(1, 2)],
        [range(7, 60)],
        [range(3, 5), range(30, 33), range(34, 41), range(60, 200)],
        [range(numbers[-1], numbers[-1] + 1)],
    ):
        again = list(read(path, spans=capture.checkpoints.spans(wanted)))
        got = [each.number for each in again]
        assert got == sorted(set(got))
        chosen = [each for each in whole if any(each.number in some for some in wanted)]
        assert {each.number for each in chosen} <= set(got)
        by_number = {each.number: each for each in whole}
        assert plain(again) == plain([by_number[each] for each in got])


@pytest.mark.parametrize("name", ["pcap", "pcapng", "snoop"])
def test_no_more_is_read_than_what_stands_near(tmp_path: Path, name: str) -> None:
    path = tmp_path / "some"
    path.write_bytes(FORMATS[name])
    capture = read(path)
    last = [frame.number for frame in capture][-1]
    told: list[int] = []
    wanted = [range(5, 6), range(last - 1, last)]
    spans = capture.checkpoints.spans(wanted)
    found = list(read(path, watch=lambda octets, _: told.append(octets), spans=spans))
    assert len(found) < 40 < last
    assert told[-1] < 3000 < len(FORMATS[name])


@pytest.mark.parametrize("name", ["pcap", "pcapng"])
def test_there_are_as_many_where_frames_are_read_in_columns(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "some"
    path.write_bytes(FORMATS[name])
    whole = {each.number: each for each in read(path)}
    for each in ("pcap", "pcapng"):
        monkeypatch.setattr(f"handshake.capture.{each}.MUCH", 0)
    monkeypatch.setattr("handshake.capture.columns.FEWEST", 2)
    monkeypatch.setattr("handshake.capture.open.PIECE", 1 << 20)
    capture = read(path, FlowTable(Decoder()))
    list(capture)
    for number in whole:
        (span,) = capture.checkpoints.spans([range(number, number + 1)]).spans
        assert whole[number].offset - span.begin.offset < 300 + 200 + 64
        again = list(read(path, spans=capture.checkpoints.spans([range(number, number + 1)])))
        assert plain([each for each in again if each.number == number]) == plain([whole[number]])


def test_unpacking_goes_on_from_the_nearest_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handshake.capture.compression._APART", 4000)
    monkeypatch.setattr("handshake.capture.compression._GZIP_SLICE", 256)
    dice = Random(1)
    path = tmp_path / "some.gz"
    data = [dice.randbytes(900) for _ in range(100)]
    path.write_bytes(gzip.compress(header() + b"".join(map(record, data))))
    capture = read(path)
    assert len(list(capture)) == 100
    told: list[int] = []
    wanted = [range(20, 21), range(22, 23), range(90, 91)]
    spans = capture.checkpoints.spans(wanted)
    found = list(read(path, watch=lambda octets, _: told.append(octets), spans=spans))
    assert {20, 22, 90} <= {each.number for each in found}
    assert all(bytes(each.data) == data[each.number - 1] for each in found)
    assert told[-1] < 20_000 < path.stat().st_size / 4
    # What another process has read must be unpacked from the start.
    sent = pickle.loads(pickle.dumps(spans))
    assert plain(list(read(path, spans=sent))) == plain(found)


def test_where_nothing_was_read_nothing_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "empty.pcap"
    path.write_bytes(FORMATS["pcap"][:24])
    capture = read(path)
    assert list(capture) == []
    assert list(read(path, spans=capture.checkpoints.spans([range(1, 9)]))) == []
