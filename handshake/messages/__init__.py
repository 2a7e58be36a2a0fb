"""Sentences by code: what users read of events, findings, reasons and errors, by language.

Code states what happened by a code and values; the sentence stands in a table of its family, one
TOML file for each language (`en/findings.toml`). `Message` is a code and its values where nothing
else holds them; an event (`events.base.Event`) and a finding (`record.Finding`) hold their own.
A sentence names its values in braces, by name or by an attribute (`{by.other}`), and how to
write them:

    {count}               as it is
    {rtt:time}            seconds in the unit that reads best: "28.4 ms"
    {bits:rate}           bits per second likewise: "26.2 Mbit/s"
    {count:octets}        "1 octet", "12 octets"; of bytes, how many they are
    {count:n,segment}     "1 segment", "3 segments"; {count:n,copy,copies} names the plural
    {count:count,packet}  the same with the thousands separated: "2,000 packets"
    {end:end}             an end of a connection, "client" or "server", in the language
    {names:and}           "a", "a and b", "a, b and c"; {names:or} likewise
    {clauses:list}        "a; b; c"
    {name:quoted}         "'a b'", with what cannot be printed escaped
    {many:?A|B}           A if the value is true, else B; both may name other values in braces
    {share:.0%}           any format that Python knows

A table may nest: the code `filtered` with the variant `signed` is the entry `filtered.signed`. Of a
list, the entries are `code.0`, `code.1` (`entries`).
A code has variants where its sentences differ as a whole; a clause more or less is `{...:?A|}`.
What a value brings that cannot be printed is escaped (`handshake.escape`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, Protocol

from handshake.escape import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FAMILIES: Final = (
    *("diagnosis", "errors", "events", "findings"),
    *("notes", "probe", "problems", "reasons", "screens", "serve", "verdicts", "watch"),
)

ENGLISH: Final = "en"

LANGUAGES: Final = (ENGLISH, "ko")


_CONJUNCTIONS: Final = {"ko": {"and": "및", "or": "또는"}}
"""The words between the last two items of a list, where they are not the English ones."""

_ENDS: Final = {"ko": {"client": "클라이언트", "server": "서버"}}
"""The words for the ends of a connection, likewise."""

_AS_THEY_ARE: Final = (str, int)
"""Types of values that need no format."""

_OCTETS: Final = {"ko": "{}옥텟"}
"""A number of octets, likewise."""


class Values(Protocol):
    """What a sentence takes its values from: a mapping, or anything else that is asked by name."""

    def __getitem__(self, name: str, /) -> object:
        """Return the value of this name."""


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence, or a part of one, as its code and values: `str` is the English."""

    family: str
    code: str
    values: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return self.said(ENGLISH)

    def said(self, language: str) -> str:
        """Return the sentence in a language."""
        return text(self.family, self.code, self.values, language)


def text(
    family: str, code: str, values: Values, language: str = ENGLISH, *, variant: str = ""
) -> str:
    """Return the sentence of a code. Raises KeyError for a code or value that is not there."""
    sentence = table(family, language)[f"{code}.{variant}" if variant else code]
    return printable(_written(sentence, values, language))


@cache
def table(family: str, language: str = ENGLISH) -> dict[str, str]:
    """Return the sentences of a family by code; variants stand behind a dot.

    What is not translated is English.
    """
    import tomllib  # many runs write no sentence

    # `importlib.resources` would load twenty modules.
    path = Path(__file__).parent / language / f"{family}.toml"
    if language == ENGLISH:
        return dict(_flat(tomllib.loads(path.read_bytes().decode()), ""))
    found = dict(table(family, ENGLISH))
    if path.is_file():
        found |= _flat(tomllib.loads(path.read_bytes().decode()), "")
    return found


def translated(english: str, language: str, family: str = "help") -> str:
    """Return a text whose English stands in the code, as that of a help; it may not be translated.

    The tables of the family have the English as their keys. Those of `[patterns]` name values,
    which are translated, too: `Missing argument {name}`.
    """
    if language == ENGLISH:
        return english
    exact, patterns = _translations(language, family)
    asked = " ".join(english.split())
    if asked in exact:
        return exact[asked]
    for pattern, sentence in patterns:
        if found := pattern.fullmatch(asked):
            values = {
                name: translated(each, language, family) for name, each in found.groupdict().items()
            }
            return sentence.format(**values)
    return english


@cache
def _translations(
    language: str, family: str
) -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    """Return the translations of texts, and of sentences with values in them."""
    import tomllib

    tables = tomllib.loads(
        (Path(__file__).parent / language / f"{family}.toml").read_bytes().decode()
    )
    sentences = tables.pop("patterns", {})
    exact = {text: own for table in tables.values() for text, own in table.items()}
    return exact, [
        (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(english))), own)
        for english, own in sentences.items()
    ]


def entries(family: str, prefix: str, language: str = ENGLISH) -> list[tuple[str, str]]:
    """Return the pairs of a table of pairs, in its order: what is explained, and the text."""
    found = table(family, language)
    codes = [each.removesuffix(".0") for each in found if each.startswith(f"{prefix}.")]
    return [(found[f"{each}.0"], found[f"{each}.1"]) for each in codes if f"{each}.0" in found]


def load(language: str = ENGLISH) -> None:
    """Read all tables now: a program that gives up its privileges may not be able to later."""
    for family in FAMILIES:
        table(family, language)  # as `text` asks for it: the cache tells arguments from defaults
        table(family, ENGLISH)


def time(seconds: float) -> str:
    """Return a time in the unit that reads best: `0.0205 ms`, `28.4 ms`, `1.02 s`, `3600 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 999.5 else f"{seconds:.0f} s"


def rate(bits: float) -> str:
    """Return bits per second in the unit that reads best: `26.2 Mbit/s`."""
    units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]
    while bits >= 999.5 and len(units) > 1:
        bits /= 1000
        del units[0]
    return f"{bits:.3g} {units[0]}"


def number(count: int, singular: str, plural: str = "") -> str:
    """Return a count and its noun: `1 segment`, `2 segments`."""
    return f"{count} {singular if count == 1 else plural or singular + 's'}"


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a count and its noun, its thousands separated: `1 packet`, `2,000 packets`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listed(items: Iterable[object], conjunction: str) -> str:
    """Return items as a sentence lists them: `a, b and c`; nothing for none."""
    *most, last = list(map(str, items)) or [""]
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def _written(sentence: str, values: Values, language: str) -> str:
    written = ""
    for literal, name, spec in _parts(sentence):
        written += literal
        if name:
            value = _value(name, values)
            if not spec and type(value) in _AS_THEY_ARE:
                written += str(value)
            elif spec.startswith("?"):
                # Only the branch that is taken: the other may name what is not there.
                written += _written(_branches(spec)[not value], values, language)
            else:
                written += _formatted(value, spec, language)
    return written


@cache
def _parts(sentence: str) -> tuple[tuple[str, str, str], ...]:
    parsed = Formatter().parse(sentence)
    return tuple((literal, name or "", spec or "") for literal, name, spec, _ in parsed)


def _value(name: str, values: Values) -> Any:
    first, _, rest = name.partition(".")
    return attrgetter(rest)(values[first]) if rest else values[first]


@cache
def _branches(spec: str) -> tuple[str, str]:
    """Return both branches of `?A|B`, which may have branches of their own in braces."""
    depth = 0
    for at, char in enumerate(spec):
        depth += (char == "{") - (char == "}")
        if char == "|" and not depth:
            return spec[1:at], spec[at + 1 :]
    return spec[1:], ""


def _formatted(value: Any, spec: str, language: str) -> str:
    """Return a value as its format says; Python's own formats stand last."""
    if isinstance(value, Message):
        value = value.said(language)
    match spec.split(","):
        case ["time"]:
            return time(value)
        case ["rate"]:
            return rate(value)
        case ["octets"]:
            octets = len(value) if isinstance(value, bytes) else value
            return (
                _OCTETS[language].format(octets) if language in _OCTETS else number(octets, "octet")
            )
        case ["n", *nouns]:
            return number(value, *nouns)
        case ["count", *nouns]:
            return count(value, *nouns)
        case ["end"]:
            return _ENDS.get(language, {}).get(str(value), str(value))
        case ["and" | "or" as conjunction]:
            word = _CONJUNCTIONS.get(language, {}).get(conjunction, conjunction)
            return listed((_formatted(each, "end", language) for each in value), word)
        case ["list"]:
            return "; ".join(map(str, value))
        case ["quoted"]:
            return repr(value)
    return format(value, spec) if spec else str(value)


def _flat(found: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, str]]:
    for key, value in found.items():
        if isinstance(value, str):
            yield prefix + key, value
        elif isinstance(value, list):
            yield from ((f"{prefix}{key}.{at}", each) for at, each in enumerate(value))
        else:
            yield from _flat(value, f"{prefix}{key}.")
