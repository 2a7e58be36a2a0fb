"""Real segments through decode and craft: the same octets, with every kind of option there is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from handshake.capture.open import read
from handshake.crafter.command import arguments
from handshake.crafter.decode import decode
from handshake.crafter.fields import build
from handshake.errors import UsageError
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

MOST: Final = 400
"""Segments of one capture: those of a long one are like those before them."""

ENOUGH: Final = 2000
SOME: Final = 80
"""Segments of one capture that go through the command line, too."""


def segments(path: Path) -> Iterator[Decoded]:
    """Yield every segment of a capture, taken apart."""
    with read(path) as capture:
        for frame in capture:
            try:
                yield decode(bytes(frame.data), link_type=frame.link_type, length=frame.length)
            except UsageError:  # no TCP segment
                continue


def chosen(path: Path, seen: Counter[tuple[object, ...]]) -> Iterator[Decoded]:
    """Yield segments of a capture: first of all those with options not seen before."""
    for number, found in enumerate(segments(path)):
        kinds = tuple(each.kind for each in found.segment.options)
        if number < MOST or not seen[kinds]:
            seen[kinds] += 1
            yield found


def same(found: Decoded) -> bool:
    """Whether the command that decode prints makes the same packet."""
    return crafted(arguments(found.fields)) == found.octets[found.ip_at :]


@pytest.mark.parametrize("path", sorted(OURS.glob("*.pcap*")), ids=lambda path: path.name)
def test_our_captures(path: Path) -> None:
    for found in segments(path):
        assert build(found.fields) == found.octets[found.ip_at :]


@pytest.mark.skipif(not FILES, reason="the public captures are not there")
def test_two_thousand_real_segments_make_the_same_octets() -> None:
    seen: Counter[tuple[object, ...]] = Counter()
    kinds: set[int] = set()
    every: set[int] = set()
    by_command = 0
    for path in FILES:
        taken = 0
        for found in chosen(path, seen):
            assert build(found.fields) == found.octets[found.ip_at :]
            fresh = {each.kind for each in found.segment.options} - kinds
            if taken < SOME or fresh:
                assert same(found), path
                kinds |= fresh
                by_command += 1
                taken += 1
        every |= {each.kind for found in segments(path) for each in found.segment.options}
    assert by_command >= ENOUGH
    assert kinds == every
