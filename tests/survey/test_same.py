"""The survey gives the tracker's very records, whatever happens to a conversation on its way."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handshake.units import NS_PER_SECOND
from tests.capture.files import pcap_header, pcap_record
from tests.oracle import public
from tests.survey.engines import by_survey, by_tracker
from tests.survey.made import CAPTURES

if TYPE_CHECKING:
    from random import Random


Frames: TypeAlias = list[tuple[int, bytes]]
"""When each frame was seen, and all its octets."""


def save(path: Path, frames: Frames, snap: int) -> Path:
    """Write a capture that keeps `snap` octets of each frame."""
    records = [
        pcap_record(
            octets[:snap],
            seconds=at // NS_PER_SECOND,
            fraction=at % NS_PER_SECOND,
            length=len(octets),
        )
        for at, octets in frames
    ]
    path.write_bytes(pcap_header(magic=0xA1B23C4D) + b"".join(records))
    return path


def calls(dice: Random, count: int) -> Frames:
    """Return the frames of some connections of benchmarks/generate.py, in order of time."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
    try:
        module: Any = __import__("generate")
    finally:
        sys.path.pop(0)
    made = [module.Connection(number, dice.randrange(6, 30), 1, dice) for number in range(count)]
    return sorted((at, frame) for call in made for at, frame in call)


def lose(dice: Random, frames: Frames) -> None:
    del frames[dice.randrange(len(frames))]


def repeat(dice: Random, frames: Frames) -> None:
    at = dice.randrange(len(frames))
    again = frames[at][0] + dice.choice((0, 5_000, 250_000_000, NS_PER_SECOND, 6 * NS_PER_SECOND))
    frames.append((again, frames[at][1]))


def overtake(dice: Random, frames: Frames) -> None:
    at = dice.randrange(len(frames) - 1)
    (early, one), (late, two) = frames[at : at + 2]
    frames[at : at + 2] = [(early, two), (late, one)]


def pause(dice: Random, frames: Frames) -> None:
    at, long = dice.randrange(len(frames)), dice.choice((1, 5)) * NS_PER_SECOND
    frames[at:] = [(time + long, octets) for time, octets in frames[at:]]


def change(dice: Random, frames: Frames) -> None:
    """Change one octet of the IP or TCP header, ports and addresses left alone."""
    at, place = dice.randrange(len(frames)), dice.choice((14, 17, 20, 22, *range(38, 62)))
    time, octets = frames[at]
    if place < len(octets):
        changed = octets[:place] + bytes((dice.randrange(256),)) + octets[place + 1 :]
        frames[at] = time, changed


def connect_again(dice: Random, frames: Frames) -> None:
    """Use two ports again, from a number that the time gives, as hosts do (RFC 9293 3.4.1)."""
    time, syn = dice.choice([each for each in frames if each[1][47] == 2] or frames)
    later = time + dice.choice((1, 10, 200)) * NS_PER_SECOND
    number = (later // 4096 % 2**32).to_bytes(4, "big")
    frames.append((later, syn[:38] + number + syn[42:]))


MISHAPS = (lose, repeat, overtake, pause, change, connect_again)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.randoms(use_true_random=False),
    st.sampled_from((54, 70, 96, 2000)),
    st.lists(st.sampled_from(MISHAPS), max_size=3),
    st.sampled_from((0, 61)),
)
def test_whatever_happens_both_agree(
    dice: Random, snap: int, mishaps: list[Any], idle: int
) -> None:
    frames = calls(dice, 3)
    # Together shorter than the time after which the survey forgets a connection.
    middle = frames[len(frames) // 2][0]
    frames = [(at + idle * NS_PER_SECOND * (at > middle), octets) for at, octets in frames]
    for mishap in mishaps:
        mishap(dice, frames)
        frames.sort(key=lambda each: each[0])
    with TemporaryDirectory() as directory:
        path = save(Path(directory) / "made.pcap", frames, snap)
        actual = by_survey(path)
        assert actual == by_tracker(path)


@pytest.mark.parametrize("path", sorted(CAPTURES.glob("*.pcap")), ids=lambda path: path.stem)
def test_our_own_captures(path: Path) -> None:
    assert by_survey(path) == by_tracker(path)


@public.each(public.captures())
def test_public_captures(path: Path) -> None:
    assert by_survey(path) == by_tracker(path)


def test_no_room_at_all(tmp_path: Path) -> None:
    from random import Random

    frames = calls(Random(1), 30)
    path = save(tmp_path / "made.pcap", frames, 96)
    # Every flow is followed step by step as soon as it is looked at: the records stay the same.
    assert by_survey(path, most_kept=0) == by_tracker(path)
