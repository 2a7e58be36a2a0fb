"""The schema in the package describes every line of JSON, and leaves no key out."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from handshake.record import schema, step_record
from handshake.replayer import replay
from handshake.tracker import summarize
from handshake.tracker.findings import CODES
from tests.oracle import public
from tests.schema import valid

if TYPE_CHECKING:
    from collections.abc import Iterator

OURS = sorted((Path(__file__).parents[1] / "captures").glob("*.pcap*"))

MOST = 200
"""Lines checked of one capture: each line of a large one is like those before it."""


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def objects(part: Any) -> Iterator[dict[str, Any]]:
    """Yield each object that the schema describes by its keys."""
    if isinstance(part, dict):
        if "properties" in part:
            yield part
        for each in part.values():
            yield from objects(each)
    elif isinstance(part, list):
        for each in part:
            yield from objects(each)


def test_a_key_that_is_not_described_is_an_error() -> None:
    found = list(objects(schema()))
    assert len(found) > 15
    assert all(each["additionalProperties"] is False for each in found)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_captures(path: Path) -> None:
    check(path)


@public.each(public.captures())
def test_the_captures_of_others(path: Path) -> None:
    check(path)


def check(path: Path) -> None:
    replayed = replay(path)
    for number, step in enumerate(replayed):
        if number < MOST:
            valid(step_record(step), "step")
    for connection in islice(replayed.tracker.connections, MOST):
        record = summarize(connection)
        valid(record.as_json(), "record")
        assert {each.code for each in record.findings} <= set(CODES)
