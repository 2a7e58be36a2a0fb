r"""Octets written as text, in the forms that people paste, and the packets in them.

Plain hexadecimal with any separators, `0x45, 0x00` and C arrays, `\x45\x00` and Python's b"...",
base64, and the dumps of tcpdump (-x, -xx, -X), Wireshark, xxd, hexdump, od and Scapy; also with
code, quotes or the beginnings of lines around them (`wrapping.py`).
"""

from __future__ import annotations

import ast
import binascii
import re
import warnings
from contextlib import suppress
from itertools import pairwise
from typing import Final, NamedTuple

from handshake.crafter.wrapping import contents, in_json, without_addresses
from handshake.errors import UsageError

_LINE: Final = re.compile(
    r"^\s*(0x)?([0-9a-fA-F]{3,8})(:?)(\s*|\s+(?:[0-9a-fA-F]{2})+(?:[\s|].*)?)$"
)
"""A line of a dump: an offset, then octets, then perhaps the same as text."""

_HEADING: Final = re.compile(r"^(?!Frame|Packet).+ \([0-9]+ bytes?\):$")
"""What Wireshark writes above octets that are no frame, but put together from several."""

_TOKEN: Final = re.compile(r"( *)(\S+)")
_WORD: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")
_COMMENT: Final = re.compile(r"/\*.*?\*/|//[^\n]*|#[^\n]*", re.DOTALL)
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_LITERAL: Final = re.compile(r"""(["'])((?:\\.|(?!\1)[^\\])*)\1""", re.DOTALL)
_ESCAPED: Final = re.compile(r"(?:\\x[0-9a-fA-F]{2}|[\s\\\"'+])+")
_PREFIXED: Final = re.compile(r"\b0x([0-9a-fA-F]+)\b")
_SEPARATORS: Final = re.compile(r"[\s:;,.\-|_\[\](){}]+")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/\-_]+={0,2}")

_BYTEA: Final = re.compile(r"""\s*["']?\\x((?:[0-9a-fA-F]{2}){2,})["']?\s*""")
"""As PostgreSQL prints octets."""

_DECIMAL: Final = re.compile(r"\s*(?:0|-?[1-9][0-9]{0,2})\s*")
_WITH_TEXT: Final = re.compile(r"((?:[0-9a-fA-F]{2} )+) *(\S.*)")
_LEAST: Final = 20
"""Decimal numbers of a list: so many octets has a header."""

_PER_LINE: Final = 16
_LONGEST: Final = 1 << 18
"""Octets of a packet in a dump: a line of equal ones may stand for any number."""

_HALF: Final = 8
"""Octets after which many dumps put a wider gap."""

_SWAPPED: Final = 7
"""Digits of the offset where hexdump without -C writes numbers in the order of its machine."""


class _Row(NamedTuple):
    """A line of a dump."""

    at: int
    rest: str
    squeezed: bool
    """Whether lines before it were left out, being equal to the last one that is there."""


def packets(text: str) -> list[bytes]:
    """Return the packets that a text holds: several where a dump has several.

    Raises UsageError if it holds none.
    """
    text = without_addresses(text.removeprefix("\ufeff"))
    with suppress(ValueError):
        if found := [bytes.fromhex(each) for each in in_json(text)]:
            return found
    try:
        return _packets(text)
    except UsageError:
        for each in contents(text):
            with suppress(UsageError):
                return _packets(each)
        raise


def _packets(text: str) -> list[bytes]:
    found = _dumps(text)
    if found:
        return found
    octets = _of_literals(text) or _of_decimals(text) or _of_numbers(text)
    if octets is None:
        octets = _of_lines(text) or _of_base64(text)
    if octets is None:
        octets = _of_digits(text)
    if not octets:
        raise UsageError("decode.empty")
    return [octets]


def _dumps(text: str) -> list[bytes]:
    """Return the packets of a dump; none if the text is not one."""
    rows: list[_Row] = []
    squeezed = skipped = swapped = False
    dropped = 0
    for line in text.splitlines():
        found = _LINE.match(line)
        if found is None:
            squeezed = line.strip() == "*"
            skipped = bool(_HEADING.match(line)) or (skipped and not (line.strip() or dropped))
            dropped = 0
            continue
        dropped += skipped
        if not skipped:
            swapped = len(found[2]) == _SWAPPED and not found[1] and not found[3]
            rows.append(_Row(int(found[2], 16), found[4], squeezed))
        squeezed = False
    # Plain digits over several lines look like offsets alone, and rarely begin with 0 and grow.
    starts = [number for number, row in enumerate(rows) if row.at == 0 and row.rest.strip()]
    if not starts or starts[0] != 0:
        return []
    packets = []
    for begin, end in pairwise([*starts, len(rows)]):
        packet = _dumped(rows[begin:end], swapped=swapped)
        if packet is None:
            return []
        packets.append(packet)
    return packets


def _dumped(rows: list[_Row], *, swapped: bool) -> bytes | None:
    """Return the octets of one dump; None if its offsets do not fit."""
    octets = b""
    last = b""
    for number, row in enumerate(rows):
        if row.at > _LONGEST:
            return None
        if row.squeezed and last:
            while len(octets) < row.at:
                octets += last
        if row.at < len(octets) and not row.rest.strip():
            return octets[: row.at]  # hexdump ends with the length
        if row.at != len(octets):
            return None
        width = rows[number + 1].at - row.at if number + 1 < len(rows) else None
        if width is not None and (width <= 0 or rows[number + 1].squeezed):
            width = len(last) or _PER_LINE
        words = swapped and all(len(each) == 4 for each in row.rest.split())
        if words and width is not None:
            width += width % 2
        last = _row_octets(row.rest, width or (max(len(last), _PER_LINE) if number else None))
        if words:
            last = b"".join(last[at : at + 2][::-1] for at in range(0, len(last), 2))
        octets += last
    return octets


def _row_octets(rest: str, most: int | None) -> bytes:
    """Return the octets of a line, without the text that may stand after them."""
    octets = b""
    for found in _TOKEN.finditer(rest.partition("|")[0].expandtabs()):
        gap, word = len(found[1]), found[2]
        if not _WORD.fullmatch(word) or (most is not None and len(octets) >= most):
            break
        half = gap == 2 and len(octets) == _HALF and len(word) == 2
        if octets and gap > 1 and not half:
            break
        octets += bytes.fromhex(word)
    return octets[:most]


def _of_literals(text: str) -> bytes | None:
    r"""Return the octets of strings with `\x` in them, as C, Python and shells write them."""
    if "\\x" not in text and not text.lstrip().startswith(("b'", 'b"')):
        return None
    if (digits := _BYTEA.fullmatch(text)) is not None:
        return bytes.fromhex(digits[1])
    if text.strip().startswith(("b'", 'b"')) and (whole := _literal(text.strip())) is not None:
        return whole
    if "\\x" in text and _ESCAPED.fullmatch(text.strip().removeprefix("b").removeprefix("$")):
        return bytes.fromhex("".join(re.findall(r"\\x([0-9a-fA-F]{2})", text)))
    parts = [found[2] for found in _LITERAL.finditer(text)]
    if not parts and "\\x" not in text:
        return None
    parts = parts or [text.strip()]
    octets = b""
    for part in parts:
        joined = part.replace("\\\n", "").replace('"', '\\"').replace('\\\\"', '\\"')
        found = _literal(f'b"{joined}"')
        if found is None:
            raise UsageError("decode.escape")
        octets += found
    return octets


def _literal(text: str) -> bytes | None:
    """Return the octets of a bytes literal of Python; None if it is none."""
    with suppress(SyntaxError, ValueError), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes that mean nothing
        found = ast.literal_eval(text)
        return found if isinstance(found, bytes) else None
    return None


def _of_numbers(text: str) -> bytes | None:
    """Return the octets of numbers with 0x before them: a C array, or one long number."""
    plain = _COMMENT.sub(" ", text)
    if "0x" not in plain.lower():
        return None
    inside = "".join(_BRACES.findall(plain)) or plain
    words = _PREFIXED.findall(inside.replace("0X", "0x"))
    if not words or _SEPARATORS.sub("", _PREFIXED.sub("", inside.replace("0X", "0x"))):
        return None
    for word in words:
        if len(word) % 2 and len(word) > 1:
            raise UsageError("decode.odd", count=len(word))
    return b"".join(bytes.fromhex(word.zfill(2)) for word in words)


def _of_decimals(text: str) -> bytes | None:
    """Return the octets of decimal numbers with commas, some of which are not of two digits."""
    words = text.strip().strip("[](){}").split(",")
    if len(words) < _LEAST or not all(_DECIMAL.fullmatch(each) for each in words):
        return None
    numbers = [int(each) for each in words]
    if all(len(each.strip()) == 2 for each in words) or not all(-129 < n < 256 for n in numbers):
        return None
    return bytes(each & 0xFF for each in numbers)


def _of_lines(text: str) -> bytes | None:
    """Return the octets of lines without offsets that end with the same as text, as Scapy's."""
    octets = b""
    for line in text.strip().splitlines():
        found = _WITH_TEXT.fullmatch(line.strip())
        if found is None:
            return None
        row = bytes.fromhex(found[1])
        if found[2] != "".join(chr(each) if 0x20 <= each < 0x7F else "." for each in row):
            return None
        octets += row
    return octets


def _of_base64(text: str) -> bytes | None:
    """Return the octets of base64; None for what is hexadecimal as well, or not base64."""
    joined = "".join(text.split())
    digits = _SEPARATORS.sub("", text)
    hexadecimal = all(each in "0123456789abcdefABCDEF" for each in digits)
    if hexadecimal or not _BASE64.fullmatch(joined):
        return None
    if not any(each.isupper() or each in "+/=" for each in joined):
        return None  # a word, or digits with a slip
    plain = joined.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return binascii.a2b_base64(plain + "=" * (-len(plain) % 4), strict_mode=True)
    except binascii.Error:
        return None


def _of_digits(text: str) -> bytes:
    """Return the octets of hexadecimal digits with any separators."""
    words = [each for each in _SEPARATORS.split(text.strip()) if each]
    joined = ""
    for word in words:
        digits = word[2:] if word[:2].lower() == "0x" else word
        wrong = next((each for each in digits if each not in "0123456789abcdefABCDEF"), None)
        if wrong is not None:
            raise UsageError("decode.digit", sign=wrong, word=word[:40])
        joined += digits
    if len(joined) % 2:
        raise UsageError("decode.odd", count=len(joined))
    return bytes.fromhex(joined)
