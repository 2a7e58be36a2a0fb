"""A short run of the fuzzer; for the long one see CONTRIBUTING.md."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.fuzz.calm import check, seeds
from tests.fuzz.mutate import mutated

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("seed", range(10))
def test_broken_captures_are_taken_calmly(seed: int, tmp_path: Path) -> None:
    known = seeds()
    dice = random.Random(seed)
    path = tmp_path / "broken.pcap"
    readable = 0
    for _ in range(60):
        path.write_bytes(mutated(dice, known))
        readable += check(path)
    # Most are broken so lightly that something can be read: the check checks something.
    assert readable > 20
