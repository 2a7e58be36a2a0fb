"""The grammar of filters, and all keys with what they may be."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from handshake.messages import ENGLISH, translated
from handshake.query.keys import COLUMNS, KEYS, SHORT
from handshake.view.layout import wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from handshake.query.keys import Key

_INTRODUCTION: Final = "A filter selects connections: --filter EXPR, or / in the list."

_GRAMMAR: Final = (
    ("KEY == VALUE", "also != < <= > >=; VALUE may be another key; null is unknown"),
    ("KEY in {A, B}", "one of several; an address also in a network: client in 10.0.0.0/8"),
    ("KEY ~ TEXT", "contains TEXT, in any case (or: KEY contains TEXT)"),
    ("KEY", "is known, and neither false, 0 nor empty"),
    ("WORD", "an address, network or port, or an outcome or finding: 10.0.0.7, 443, syn-lost"),
    ("not, and, or, ( )", "not binds closest, then and, then or (or: ! && ||)"),
)

_EXAMPLES: Final = (
    "outcome != established and server in 10.0.0.0/8",
    "rtt > 200ms or retry",
    "findings in {syn-lost, syn-ack-lost} and time > 30s",
    "server == 10.77.0.2:443 and not ok",
)

_ABOUT: Final = (
    "Seconds may have a unit (ns, us, ms, s). A comparison with a list is true if it is true for "
    "any item. Put a value that has spaces or signs in quotes. --sort takes the same keys."
)

_INDENT: Final = 22

_CODES: Final = ("diagnosis.code", "findings.code")
"""Keys with so many values that they stand at the end."""


def filter_help(width: int, language: str = ENGLISH) -> Iterator[str]:
    """Yield the help on filters line by line."""
    said = partial(translated, language=language)
    yield from wrap(said(_INTRODUCTION), width)
    yield ""
    for form, meaning in _GRAMMAR:
        yield from _entry(form, said(meaning), width)
    yield ""
    yield from wrap(said(_ABOUT), width)
    yield ""
    yield from (f"  {each}" for each in _EXAMPLES)
    yield ""
    yield said("Keys as the headings of the list have them:")
    for name in COLUMNS:
        key = SHORT.get(name) or KEYS[name]
        yield from _entry(name, _meaning(key, name, said), width)
    yield ""
    yield said("All other keys, as --json prints them:")
    for name, key in KEYS.items():
        if name == "server.address":
            yield from _entry("server.address ...", said("the same keys of the server"), width)
        elif name not in COLUMNS and not name.startswith("server."):
            yield from _entry(name, _meaning(key, name, said), width)
    for name in _CODES:
        yield ""
        yield said(f"Values of {name}:")
        yield from ("  " + each for each in wrap(", ".join(KEYS[name].words), width - 2))


def _meaning(key: Key, name: str, said: Callable[[str], str]) -> str:
    """Return what a key is, and its possible values."""
    parts = [said(key.description.removesuffix("."))] if key.description else []
    if key.name != name and key.name in KEYS:
        parts.insert(0, said(f"short for {key.name}"))
    if key.kind is bool:
        parts.append(said("true or false"))
    elif key.words and key.name not in _CODES:
        parts.append(", ".join(key.words))
    elif key.words:
        parts.append(said("see below"))
    return ": ".join(parts) or said("a number" if key.kind is float else "a text")


def _entry(name: str, meaning: str, width: int) -> Iterator[str]:
    """Yield a name and its meaning, which begins on the next line after a long name."""
    first, *rest = wrap(meaning, max(20, width - _INDENT))
    if len(name) > _INDENT - 4:
        yield f"  {name}"
        rest = [first, *rest]
    else:
        yield f"  {name:<{_INDENT - 2}}{first}"
    yield from (" " * _INDENT + each for each in rest)
