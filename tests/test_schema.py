"""The schema in the package describes every line of JSON, and leaves no key out."""

from __future__ import annotations

from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from handshake.diagnosis import CODES as DIAGNOSES
from handshake.endpoint.outcome import Close, Verdict
from handshake.events import Fate, Role
from handshake.record import (
    _LIKELY,
    _POSSIBLE,
    Diagnosis,
    EndRecord,
    Finding,
    HandshakeRecord,
    Record,
    schema,
)
from handshake.replayer import replay
from handshake.step_record import step_record
from handshake.tcp import Agreement, Offer, State
from handshake.tcp.icmp import IcmpError
from handshake.tracker import summarize
from handshake.tracker.findings import CODES
from tests.messages.samples import NOTES
from tests.oracle import public
from tests.schema import valid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from enum import Enum

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


PLAIN = {"int": "integer", "str": "string", "bool": "boolean", "float": "number", "None": "null"}
NAMED = {
    EndRecord: "end",
    Finding: "finding",
    HandshakeRecord: "handshake",
    Diagnosis: "diagnosis",
    IcmpError: "icmp",
    Agreement: "negotiated",
}
TYPES = {each.__name__: f"#{name}" for each, name in NAMED.items()}


def of_annotation(text: str) -> set[str]:
    """Return the JSON types that a field may have; #name is an object that the schema names."""
    if text.startswith("tuple["):
        parts = [part for part in split(text[6:-1], ",") if part != "..."]
        return {"array"}.union(*(of_annotation(part) for part in parts))
    return {PLAIN.get(part) or TYPES[part] for part in split(text, "|")}


def split(text: str, mark: str) -> list[str]:
    """Split at each mark that stands in no bracket."""
    parts, depth = [""], 0
    for each in text:
        depth += {"[": 1, "]": -1}.get(each, 0)
        if each == mark and not depth:
            parts.append("")
        else:
            parts[-1] += each
    return [part.strip() for part in parts]


def of_schema(part: dict[str, Any]) -> set[str]:
    """Return the same for what the schema says of a key."""
    if "$ref" in part:
        return {f"#{part['$ref'].rpartition('/')[2]}"}
    if "anyOf" in part:
        return set().union(*map(of_schema, part["anyOf"]))
    if "enum" in part:
        return {PLAIN[type(each).__name__.replace("NoneType", "None")] for each in part["enum"]}
    found = {part["type"]} if isinstance(part["type"], str) else set(part["type"])
    return found | (of_schema(part["items"]) if "items" in part else set())


@pytest.mark.parametrize(
    ("made", "name"),
    [
        (Record, "record"),
        (EndRecord, "end"),
        (HandshakeRecord, "handshake"),
        (Agreement, "negotiated"),
        (Offer, "offer"),
    ],
)
def test_each_field_of_a_type_is_in_the_schema_with_its_type(made: type, name: str) -> None:
    described = schema()["$defs"][name]
    declared = {each.name: str(each.type) for each in fields(made)}
    if made is Offer:
        declared["fast_open"] = "str | None"  # octets, written in hexadecimal
    assert list(described["properties"]) == list(declared)
    assert described["required"] == list(declared)
    for key, annotation in declared.items():
        assert of_schema(described["properties"][key]) == of_annotation(annotation), key


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("end state", State),
        ("block state", State),
        ("probe verdict", Verdict),
        ("probe close", Close),
        ("step by", Role),
        ("step fate", Fate),
    ],
)
def test_words_of_an_enumeration_are_those_of_the_schema(path: str, values: type[Enum]) -> None:
    name, key = path.split()
    words = schema()["$defs"][name]["properties"][key]["enum"]
    assert [each for each in words if each is not None] == [str(each) for each in values]


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
        assert record.diagnosis is None or record.diagnosis.code in DIAGNOSES


def test_the_certainties_of_findings_are_of_codes_that_exist() -> None:
    """A renamed code must not become certain unnoticed."""
    assert {*CODES, *(sample.code for sample in NOTES)} >= _LIKELY | _POSSIBLE
    assert not _LIKELY & _POSSIBLE
