"""Packets read in columns leave the records that they leave one by one."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handshake.capture import columns, pcap, pcapng
from handshake.capture.open import read
from handshake.diagnosis import Others
from handshake.packet.decode import Decoder
from handshake.survey.decode.decode_columns import words_sums
from handshake.survey.group.flow_table import FlowTable
from tests.capture.files import enhanced, interface, option, section
from tests.oracle import public
from tests.survey.engines import by_survey, by_tracker
from tests.survey.made import CAPTURES
from tests.survey.test_runs import IPV4, kinds
from tests.survey.test_same import MISHAPS, save

if TYPE_CHECKING:
    from handshake.record import Record
    from tests.survey.test_same import Frames


@pytest.fixture(autouse=True)
def in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read everything in columns, however short it is."""
    monkeypatch.setattr(pcap, "MUCH", 0)
    monkeypatch.setattr(pcapng, "MUCH", 0)
    monkeypatch.setattr(columns, "FEWEST", 2)


def one_by_one(path: Path) -> list[Record]:
    flows = FlowTable(Decoder(), others=Others())
    found = [record for record, _ in flows.records(read(path))]
    return sorted(found, key=lambda record: record.stream)


def at_once(path: Path) -> list[Record]:
    flows = FlowTable(Decoder(), others=Others())
    found = [record for record, _ in flows.records(read(path, flows))]
    return sorted(found, key=lambda record: record.stream)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap*")), ids=lambda path: path.stem)
def test_our_own_captures(path: Path) -> None:
    assert at_once(path) == one_by_one(path)
    assert by_survey(path) == by_tracker(path)


@public.each(public.captures())
def test_public_captures(path: Path) -> None:
    assert at_once(path) == one_by_one(path)


@pytest.mark.parametrize("kind", kinds().KINDS)
def test_each_kind(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "made.pcap"
    kinds().write(path, kind, 600)
    assert at_once(path) == one_by_one(path)


def tag(dice: Random, frames: Frames) -> None:
    """Let some packets come in a VLAN."""
    for place, (at, frame) in enumerate(frames):
        if dice.random() < 0.5:
            number = dice.choice((0, 7, 100)).to_bytes(2, "big")
            frames[place] = at, frame[:12] + b"\x81\0" + number + frame[12:]


def fragment(dice: Random, frames: Frames) -> None:
    """Cut a packet into two fragments, or only claim it."""
    place = dice.randrange(len(frames))
    at, frame = frames[place]
    if frame[12:14] == IPV4 and len(frame) > 58:
        total = struct.pack("!H", 20 + 24)
        one = frame[:16] + total + frame[18:20] + b"\x20\0" + frame[22:24] + b"\0\0" + frame[26:58]
        two = frame[:20] + b"\0\3" + frame[22:34] + frame[58:]
        frames[place : place + 1] = [(at, one), (at + dice.choice((0, 1000)), two)]


def quote(dice: Random, frames: Frames) -> None:
    """Let an ICMP error follow that quotes a packet."""
    at, frame = dice.choice(frames)
    if frame[12:14] == IPV4:
        quoted = frame[14:42]
        icmp = b"\3\1\0\0\0\0\0\0" + quoted
        head = b"\x45\0" + struct.pack("!H", 20 + len(icmp)) + b"\0\0\0\0\x40\x01\0\0"
        frames.append((at + 1000, frame[:14] + head + b"\x0a\0\0\x63" + frame[26:30] + icmp))


def pcapng_of(frames: Frames, snap: int, dice: Random) -> bytes:
    """Return a pcapng file with interfaces of several units, and other blocks between."""
    found = [section(), *(interface(options=option(9, bytes((unit,)))) for unit in (6, 9, 7, 10))]
    for at, frame in frames:
        which = dice.choice((0, 1, 1, 1, 2, 3))
        ticks = at * 10 // (10_000, 10, 1000, 1)[which]
        found.append(enhanced(frame[:snap], which=which, ticks=ticks, length=len(frame)))
        if dice.random() < 0.02:
            found.append(struct.pack("<III", 5, 12, 12))
    return b"".join(found)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.randoms(use_true_random=False),
    st.lists(
        st.sampled_from(("clean", "cut", "wrong", "scan", "half-open", "ipv6", "one-pair")),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from((54, 60, 96, 130, 2000)),
    st.lists(st.sampled_from(MISHAPS), max_size=6),
    st.lists(st.sampled_from((tag, fragment, quote)), max_size=4),
    st.booleans(),
)
def test_whatever_happens(
    dice: Random,
    chosen: list[str],
    snap: int,
    mishaps: list[Any],
    wrappings: list[Any],
    modern: bool,
) -> None:
    made = [
        kinds().KINDS[kind](40, Random(dice.randrange(50)), kinds().Truths()) for kind in chosen
    ]
    frames: Frames = sorted(each for one in made for each in one)
    for change in (*mishaps, *wrappings):
        change(dice, frames)
        frames.sort(key=lambda each: each[0])
    with TemporaryDirectory() as directory:
        path = Path(directory) / "made.pcap"
        if modern:
            path.write_bytes(pcapng_of(frames, snap, dice))
        else:
            save(path, frames, snap)
        assert at_once(path) == one_by_one(path)
        assert by_survey(path) == by_tracker(path)


def test_a_file_that_is_cut_or_damaged_anywhere(tmp_path: Path) -> None:
    dice, whole = Random(3), tmp_path / "whole.pcap"
    kinds().write(whole, "clean", 200)
    octets = whole.read_bytes()
    for _ in range(60):
        place = dice.randrange(24, len(octets))
        damage = dice.choice((b"", bytes(4), b"\xff\xff\xff\x7f", bytes(5000)))
        path = tmp_path / "damaged.pcap"
        path.write_bytes(octets[:place] + (damage and damage + octets[place + len(damage) :]))
        read_at_once, singly = read(path, FlowTable(Decoder())), read(path)
        numbers = [each.number for each in read_at_once]
        assert [each.number for each in singly][-1:] == numbers[-1:]
        assert list(map(str, read_at_once.warnings)) == list(map(str, singly.warnings))


@given(
    st.binary(max_size=20),
    st.lists(st.tuples(st.integers(0, 20), st.integers(8, 60)), min_size=1, max_size=5),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_the_sums_of_words(
    ahead: bytes, ranges: list[tuple[int, int]], dice: Random, full: bool
) -> None:
    import numpy as np

    size = sum(gap + length for gap, length in ranges)
    octets = b"\xff" * size if full else dice.randbytes(size)
    begins, ends, at = [], [], 0
    for gap, length in ranges:
        begins.append(at + gap)
        at += gap + length
        ends.append(at)
    expected = [
        int.from_bytes(octets[begin:end] + bytes((end - begin) % 2), "big") % 0xFFFF
        for begin, end in zip(begins, ends, strict=True)
    ]
    # Wherever they are in memory, and whether or not more follows.
    for behind in (b"", b"x", bytes(20)):
        column = np.frombuffer(ahead + octets + behind, np.uint8)[len(ahead) :]
        assert words_sums(column, np.array(begins), np.array(ends)).tolist() == expected


def test_attempts_that_go_on_leave_nothing_in_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "scan.pcap"
    kinds().write(path, "scan", 200)
    flows = FlowTable(Decoder(), others=Others())
    for _ in read(path, flows):  # the last frame of each chunk, which stays out here
        pass
    waiting = flows._waiting
    assert waiting is not None
    keys = [each.key(at) for each in waiting.until(None) for at in range(len(each))]
    assert len(waiting) == len(set(keys)) == 100
    for key in keys:
        recalled = waiting.recall(key)
        assert recalled is not None
        assert recalled[1] == key
        assert waiting.recall(key) is None
    assert (len(waiting), waiting.octets, [*waiting.take(None)]) == (0, 0, [])
