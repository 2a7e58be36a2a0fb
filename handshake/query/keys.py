"""Every key of the record by its dotted name: its type, and how to get its value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import partial
from operator import attrgetter
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin, get_type_hints

from handshake.record import Diagnosis, Finding, Record
from handshake.tcp import Agreement
from handshake.tcp.icmp import IcmpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FINDING: Final = (("code", str), ("frame", float), ("text", str), ("certainty", str))

_CLOSE: Final = 0.8
"""How similar a key must be to be suggested."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the record."""

    name: str
    """Dotted, as CSV has it: `client.address`."""

    kind: type
    """The type of its value: str, float (any number) or bool. The value may be None."""

    get: Callable[[Record], Any]
    """Return its value: a scalar, or a list if `many`."""

    many: bool = False
    """Whether it holds a list."""

    @property
    def is_address(self) -> bool:
        """Whether it holds an IP address, which has several notations."""
        return self.name.endswith((".address", ".from"))


def _keys(kind: type, path: str = "") -> Iterator[Key]:
    """Yield the keys of a dataclass and of the dataclasses in it."""
    hints = get_type_hints(kind, localns={"Agreement": Agreement, "IcmpError": IcmpError})
    for each in fields(kind):
        yield from _key(hints[each.name], path + each.name)


def _key(hint: Any, name: str) -> Iterator[Key]:
    hint = _known(hint)
    get = _getter(name)
    if hint is IcmpError:
        # As in the JSON: type, code and sender matter, not the segment it quotes.
        yield Key(f"{name}.type", float, _getter(f"{name}.type"))
        yield Key(f"{name}.code", float, _getter(f"{name}.code"))
        yield Key(f"{name}.from", str, lambda record: _text(_getter(f"{name}.sender")(record)))
    elif hint is Diagnosis:
        for each in ("code", "certainty", "text", "next"):
            yield Key(f"{name}.{each}", str, _getter(f"{name}.{each}"))
        evidence, ruled_out = _getter(f"{name}.evidence"), _getter(f"{name}.ruled_out")
        of_evidence = partial(_of_all, evidence, int)
        yield Key(f"{name}.evidence", float, of_evidence, many=True)
        for each in ("code", "frame", "text"):
            of_all = partial(_of_all, ruled_out, attrgetter(each))
            kind = float if each == "frame" else str
            yield Key(f"{name}.ruled_out.{each}", kind, of_all, many=True)
    elif is_dataclass(hint):
        yield from _keys(hint, f"{name}.")  # type: ignore[arg-type]
    elif isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Sequence):
        inner = _known(get_args(hint)[0])
        if inner is Finding:
            # As it is written: its values are in its text.
            for each, kind in _FINDING:
                of_all = partial(_of_all, get, attrgetter(each))
                yield Key(f"{name}.{each}", kind, of_all, many=True)
        else:
            yield Key(name, _kind(inner), get, many=True)
    else:
        yield Key(name, _kind(hint), get)


def _getter(name: str) -> Callable[[Any], Any]:
    """Return the getter of a value by its dotted name; the value is None if its parent is None."""
    get = attrgetter(name)

    def get_if_there(record: Any) -> Any:
        try:
            return get(record)
        except AttributeError:
            return None

    return get_if_there if "." in name else get


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _of_all(get: Callable[[Record], Any], of_one: Callable[[Any], Any], record: Record) -> Any:
    return [of_one(each) for each in get(record) or ()]


def _known(hint: Any) -> Any:
    """Return a type hint without its None."""
    if get_origin(hint) in (Union, UnionType):
        return next(each for each in get_args(hint) if each is not type(None))
    return hint


def _kind(hint: Any) -> type:
    return float if hint is int else hint if hint in (str, bool, float) else str


KEYS: Final = {each.name: each for each in _keys(Record)}

SHORT: Final = {
    "diagnosis": KEYS["diagnosis.code"],
    "findings": KEYS["findings.code"],
    "icmp": KEYS["icmp.type"],
}
"""Keys of objects, and the key that a filter takes for each."""


def similar_keys(name: str) -> list[str]:
    """Return the keys similar to a name: the same last word, or a similar spelling."""
    last = name.rpartition(".")[2].casefold()
    same = [key for key in KEYS if key.casefold().endswith(f".{last}")]
    begin = [key for key in KEYS if name and key.casefold().startswith(name.casefold())]
    alike = get_close_matches(name.casefold(), KEYS, n=3, cutoff=_CLOSE)
    return list(dict.fromkeys([*same, *alike, *begin]))[:4]
