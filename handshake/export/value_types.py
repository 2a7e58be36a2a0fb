"""The type of each value of the record, as its JSON schema describes it: for tables.

Integers that the schema bounds are fields of a header, and as wide as that: 8, 16 or 32 bits,
unsigned. The others count, and have 64 bits and a sign, so that two of them can be subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from handshake.record import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WIDTHS: Final = (8, 16, 32)


@dataclass(frozen=True, slots=True)
class ValueType:
    """The type of one value."""

    name: str
    """As numpy and Arrow name a scalar: `uint16`, `int64`, `float64`, `bool`, `string`; `time` is
    nanoseconds since 1970, and `object` and `list` hold other values."""

    nullable: bool = False
    """Whether it may be null: unknown."""

    values: Mapping[str, ValueType] = field(default_factory=dict)
    """Of an object: its keys, in order."""

    item: ValueType | None = None
    """Of a list: the type of each item."""


def record_type() -> ValueType:
    """Return the type of the record."""
    whole = schema()["$defs"]
    return _type(whole["record"], whole)


def flat_types() -> dict[str, ValueType]:
    """Return the type of each key by its dotted name, as CSV has it: `client.address`.

    A key of objects in a list, such as `findings.code`, is a list.
    """
    return dict(_flat(record_type(), "", nullable=False))


def utf_8(text: str | None) -> str | None:
    """Return a text that UTF-8 can hold: octets of a file name that it cannot are escaped."""
    return text if text is None else text.encode("utf-8", "backslashreplace").decode()


def _type(part: Mapping[str, Any], known: Mapping[str, Any]) -> ValueType:
    if "$ref" in part:
        return _type(known[part["$ref"].removeprefix("#/$defs/")], known)
    if "anyOf" in part:
        (one,) = [each for each in part["anyOf"] if each.get("type") != "null"]
        found = _type(one, known)
        return ValueType(found.name, nullable=True, values=found.values, item=found.item)
    if "enum" in part:
        return ValueType("string", nullable=None in part["enum"])
    names = part["type"] if isinstance(part["type"], list) else [part["type"]]
    nullable = "null" in names
    (name,) = [each for each in names if each != "null"]
    if name == "object":
        values = {key: _type(each, known) for key, each in part["properties"].items()}
        return ValueType("object", nullable, values)
    if name == "array":
        return ValueType("list", nullable, item=_type(part["items"], known))
    if name == "integer":
        return ValueType(_integer(part.get("maximum")), nullable)
    if name == "string" and part.get("format") == "date-time":
        return ValueType("time", nullable)
    return ValueType({"number": "float64", "boolean": "bool", "string": "string"}[name], nullable)


def _integer(most: int | None) -> str:
    if most is None:
        return "int64"
    return next(f"uint{bits}" for bits in _WIDTHS if most < 1 << bits)


def _flat(kind: ValueType, path: str, *, nullable: bool) -> Iterator[tuple[str, ValueType]]:
    """Yield the keys of an object; `nullable`: it may be missing as a whole."""
    for key, each in kind.values.items():
        name = path + key
        if each.name == "object":
            yield from _flat(each, f"{name}.", nullable=nullable or each.nullable)
        elif each.item is not None and each.item.name == "object":
            for inner, one in _flat(each.item, f"{name}.", nullable=False):
                yield inner, ValueType("list", item=one)
        elif each.item is not None:
            # Where there is no object, CSV and filters have an empty list.
            yield name, ValueType("list", item=each.item)
        else:
            yield name, ValueType(each.name, nullable=nullable or each.nullable)
