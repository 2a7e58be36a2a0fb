"""Every key by its dotted name: its type, its possible values, and how to get its value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache, partial
from operator import attrgetter
from types import UnionType
from typing import TYPE_CHECKING, Any, Final, Union, get_args, get_origin, get_type_hints

from handshake.query.problems import is_problem, reasons, resent
from handshake.record import Diagnosis, Finding, Record, schema
from handshake.tcp import Agreement
from handshake.tcp.icmp import IcmpError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.record import EndRecord, Json

_FINDING: Final = (("code", str), ("frame", float), ("text", str), ("certainty", str))

_CLOSE: Final = 0.8
"""How similar a key must be to be suggested."""

_SECONDS: Final = (
    "time",
    "duration",
    "handshake.rtt",
    "handshake.initial_rtt",
    "handshake.syn_to_syn_ack",
    "handshake.syn_ack_to_ack",
)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the record, or one that is calculated from it."""

    name: str
    """Dotted, as CSV has it: `client.address`."""

    kind: type
    """The type of its value: str, float (any number) or bool. The value may be None."""

    get: Callable[[Record], Any]
    """Return its value: a scalar, or a list if `many`."""

    many: bool = False
    """Whether it holds a list."""

    is_endpoint: bool = False
    """Whether it holds an address and a port: `10.0.0.1:80`."""

    meaning: str = ""
    """What it is; empty where the schema tells it."""

    @property
    def is_address(self) -> bool:
        """Whether it holds an IP address, which has several notations."""
        return self.name.endswith((".address", ".from"))

    @property
    def is_time(self) -> bool:
        """Whether it holds a date and a time of day."""
        return self.name == "start"

    @property
    def in_seconds(self) -> bool:
        """Whether it holds a number of seconds, which may be written with a unit."""
        return self.name in _SECONDS

    @property
    def words(self) -> tuple[str, ...]:
        """All values that it may have; empty if there is no such list."""
        return _words(self.name)

    @property
    def description(self) -> str:
        """What it is, in a sentence; empty if nothing is written about it."""
        return self.meaning or str(_described().get(self.name, {}).get("description", ""))


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


def _endpoint(end: EndRecord) -> str:
    return f"[{end.address}]:{end.port}" if ":" in end.address else f"{end.address}:{end.port}"


KEYS: Final = {each.name: each for each in _keys(Record)}
"""The keys of the record."""

_CALCULATED: Final = (
    Key("#", float, lambda record: record.stream + 1, meaning="Its number on the screen, from 1."),
    Key(
        "ok",
        bool,
        lambda record: not is_problem(record),
        meaning="Whether it opened at once and shows no sign of a problem.",
    ),
    Key(
        "client",
        str,
        lambda record: _endpoint(record.client),
        is_endpoint=True,
        meaning="Address and port of the client; the address alone matches any port.",
    ),
    Key(
        "server",
        str,
        lambda record: _endpoint(record.server),
        is_endpoint=True,
        meaning="Address and port of the server.",
    ),
    Key(
        "retry",
        float,
        lambda record: (
            record.handshake.syn_retransmissions + record.handshake.syn_ack_retransmissions
        ),
        meaning="Retransmissions of SYN and SYN-ACK; S2 on the screen is two of the SYN.",
    ),
    Key("resent", float, resent, meaning="Retransmissions after the handshake, without copies."),
    Key(
        "packets",
        float,
        lambda record: record.client.segments + record.server.segments,
        meaning="Segments of both ends.",
    ),
    Key(
        "octets",
        float,
        lambda record: record.client.bytes + record.server.bytes,
        meaning="Unique payload octets of both ends.",
    ),
    Key(
        "why",
        str,
        reasons,
        many=True,
        meaning="What went wrong: diagnosis, reset, retransmissions, findings.",
    ),
)

SHORT: Final = {
    "rtt": KEYS["handshake.rtt"],
    "diagnosis": KEYS["diagnosis.code"],
    "findings": KEYS["findings.code"],
    "icmp": KEYS["icmp.type"],
    **{each.name: each for each in _CALCULATED},
}
"""Short names, as the headings of lists have them, and the key that each stands for."""

COLUMNS: Final = (
    *("#", "outcome", "client", "server", "rtt", "retry", "resent", "packets", "octets", "time"),
    *("closed", "why", "diagnosis", "findings", "ok"),
)
"""The keys that most filters need."""


def find_key(name: str) -> Key | None:
    """Return a key by its name or its short name."""
    return KEYS.get(name) or SHORT.get(name)


def similar_keys(name: str) -> list[str]:
    """Return the keys similar to a name: the same last word, or a similar spelling."""
    last = name.rpartition(".")[2].casefold()
    every = [*SHORT, *KEYS]
    same = [key for key in KEYS if key.casefold().endswith(f".{last}")]
    begin = [key for key in every if name and key.casefold().startswith(name.casefold())]
    alike = get_close_matches(name.casefold(), every, n=3, cutoff=_CLOSE)
    return list(dict.fromkeys([*same, *alike, *begin]))[:4]


@cache
def _words(name: str) -> tuple[str, ...]:
    from handshake.diagnosis import CODES as DIAGNOSES
    from handshake.tracker.findings.codes import CODES

    if name == "diagnosis.code":
        return tuple(DIAGNOSES)
    if name == "findings.code":
        return tuple(CODES)
    return tuple(each for each in _described().get(name, {}).get("enum", ()) if each is not None)


@cache
def _described() -> dict[str, Json]:
    """Return what the schema says of each key, by its dotted name."""
    whole = schema()["$defs"]
    return dict(_parts(whole["record"], whole, ""))


def _parts(part: Json, known: Json, name: str) -> Iterator[tuple[str, Json]]:
    whole = part
    while "$ref" in whole or "anyOf" in whole or "items" in whole:
        if "$ref" in whole:
            whole = known[whole["$ref"].removeprefix("#/$defs/")]
        else:
            whole = whole["items"] if "items" in whole else whole["anyOf"][0]
    if "properties" not in whole:
        yield name, part
        return
    for key, each in whole["properties"].items():
        yield from _parts(each, known, f"{name}.{key}" if name else key)
