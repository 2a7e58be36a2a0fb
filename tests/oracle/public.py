"""Captures that others recorded, and what tshark 4.0 shows of every segment in them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).parents[3] / "shared" / "public-captures"

_SUFFIX: Final = ".tshark.tsv"

Row = dict[str, str]


def captures_with_rows() -> list[Path]:
    """Return the captures that have tshark's rows beside them."""
    rows = sorted(FOLDER.glob(f"*{_SUFFIX}"))
    return [path.with_name(path.name.removesuffix(_SUFFIX)) for path in rows]


def captures() -> list[Path]:
    """Return every capture, those that come with Zeek's rows too."""
    more = [path for path in sorted(FOLDER.glob("zeek/*")) if path.suffix != ".tsv"]
    return captures_with_rows() + more


def each(paths: list[Path]) -> pytest.MarkDecorator:
    """Run a test on each capture; skip it where there are none."""
    if paths:
        return pytest.mark.parametrize("path", paths, ids=lambda path: path.name)
    skip = pytest.mark.skip(reason=f"the public captures are not at {FOLDER}")
    return pytest.mark.parametrize("path", [pytest.param(Path(), marks=skip)])


def segments(path: Path) -> dict[int, Row]:
    """Return tshark's row for each frame that is a segment, not one quoted in an ICMP error."""
    with path.with_name(path.name + _SUFFIX).open(newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {int(row["frame"]): row for row in rows if not row["in_icmp"]}
