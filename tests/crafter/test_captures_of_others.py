"""Real segments through decode and craft: the same octets, with every kind of option there is."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from handshake.capture.open import read
from handshake.crafter.command import arguments
from handshake.crafter.decode import decode
from handshake.crafter.fields import build
from handshake.errors import UsageError
from handshake.tcp import Kind
from tests.crafter.making import crafted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.crafter.decoded import Decoded

SHARED: Final = Path(__file__).parents[3] / "shared"
OURS: Final = Path(__file__).parents[2] / "captures"
FILES: Final = [
    path
    for folder in ("public-captures", "public-captures/zeek", "real-captures")
    for path in sorted((SHARED / folder).glob("*"))
    if path.is_file() and path.suffix != ".tsv"
]

MOST: Final = 1000
"""Segments of one capture: those of a long one are like those before them."""

ENOUGH: Final = 2000
SOME: Final = 3
"""Segments of one capture that go through the command line, too, and all with new options."""


def segments(path: Path) -> Iterator[Decoded]:
    """Yield every segment of a capture, taken apart."""
    with read(path) as capture:
        for frame in capture:
            try:
                yield decode(bytes(frame.data), link_type=frame.link_type, length=frame.length)
            except UsageError:  # no TCP segment
                continue


def same(found: Decoded) -> bool:
    """Whether the command that decode prints makes the same packet."""
    return crafted(arguments(found.fields)) == found.octets[found.ip_at :]


@pytest.mark.parametrize("path", sorted(OURS.glob("*.pcap*")), ids=lambda path: path.name)
def test_our_captures(path: Path) -> None:
    for found in segments(path):
        assert build(found.fields) == found.octets[found.ip_at :]


def check(path: Path, seen: set[int], most: int, some: int) -> int:
    """Check segments of a capture; return how many. `seen` are the kinds of options so far."""
    count = 0
    for count, found in enumerate(islice(segments(path), most), 1):
        assert build(found.fields) == found.octets[found.ip_at :]
        kinds = {each.kind for each in found.segment.options}
        if count <= some or not kinds <= seen:
            assert same(found), path
            seen |= kinds
    return count


@pytest.mark.skipif(not FILES, reason="the public captures are not there")
def test_two_thousand_real_segments_make_the_same_octets() -> None:
    seen: set[int] = set()
    assert sum(check(path, seen, MOST, SOME) for path in FILES) >= ENOUGH
    assert seen >= {Kind.MSS, Kind.SACK, Kind.TIMESTAMPS, Kind.AO, Kind.MPTCP, Kind.FAST_OPEN}


if __name__ == "__main__":  # all of them through the command line: python -m ..., half a minute
    kinds: set[int] = set()
    sys.stdout.write(f"{sum(check(each, kinds, MOST, 80) for each in FILES)} {sorted(kinds)}\n")
