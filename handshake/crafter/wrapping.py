"""What stands around octets where people copy them: code, quotes, JSON, prefixes of lines.

Asked only where a text is not octets as a whole.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIXED_LINE: Final = re.compile(
    r"^.*?(?:^|\s)((?:0x)?[0-9a-fA-F]{3,8}:?\s+(?:[0-9a-fA-F]{2}){1,2}\s.*)$"
)
"""A line of a dump behind something else, such as the kernel's `skb linear:   00000000: 45 00`."""

_ADDRESS: Final = re.compile(r"^\s*0x[0-9a-fA-F]{4,16}(?:\s*<[^>]*>)?:\s+(?=0x)", re.MULTILINE)
"""Before the numbers that gdb prints."""

_QUOTING: Final = re.compile(r"^[>\s]*>[ \t]?|^```.*$", re.MULTILINE)
"""What mail and Markdown put before lines, or around them."""

_CASTS: Final = re.compile(r"\(byte\)\s*|(?<=0x[0-9a-fA-F]{2})(?:u8|[uU])\b")
"""Types of numbers: `(byte) 0x45` in Java, `0x45u8` in Rust."""

_INSIDE: Final = re.compile(r"""\{([^{}]*)\}|\[([^\[\]]*)\]|\(([^()]*)\)|"([^"]*)"|'([^']*)'""")
_WORD: Final = re.compile(r"[0-9A-Za-z+/=_-]{28,}")
"""A word that may be a header of 20 octets, in base64 or longer."""

_KEYS: Final = ("octets", "frame_raw")
"""Where a packet stands in JSON: that of `craft` and `decode`, and of tshark (-T json -x, ek)."""

_LEAST: Final = 28


def contents(text: str) -> Iterator[str]:
    """Yield what may be the octets in a text, the most probable first."""
    lines = [found[1] for each in text.splitlines() if (found := _PREFIXED_LINE.match(each))]
    if lines:
        yield "\n".join(lines)
    text = _CASTS.sub("", _QUOTING.sub("", text))
    yield text
    inside = ["".join(filter(None, each.groups())) for each in _INSIDE.finditer(text)]
    inside += _WORD.findall(text)
    for each in sorted(inside, key=len, reverse=True):
        if len(each) >= _LEAST:
            yield each


def without_addresses(text: str) -> str:
    """Return numbers without the addresses that gdb prints before each line of them."""
    return _ADDRESS.sub("", text)


def in_json(text: str) -> list[str]:
    """Return the packets in JSON, one object or one a line, in hexadecimal."""
    found: list[str] = []

    def take(pairs: list[tuple[str, object]]) -> None:
        for key, value in pairs:
            first = value[0] if isinstance(value, list) and value else value
            if key in _KEYS and isinstance(first, str):
                found.append(first)

    if not text.lstrip().startswith(("{", "[")):
        return []
    lines = text.splitlines()
    for part in [text] if len(lines) == 1 else [text, *lines]:
        try:
            json.loads(part, object_pairs_hook=take)
        except (ValueError, RecursionError):
            continue
        if part is text:
            break
    return found
