"""Turns the options of `handshake craft` into the fields of a packet."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

from handshake.cli.probe.values import cookie, digits, flags, octets
from handshake.crafter.endpoints import NUMBER, endpoint, ends, number
from handshake.crafter.fields import LIMITS
from handshake.errors import UsageError, system_error
from handshake.tcp.checksum import Checksum
from handshake.tcp.options import MAX_OCTETS

__all__ = ["cookie", "ends", "flags", "number", "octets"]

_OPTION: Final = re.compile(r"([0-9]{1,6})(?:/([0-9]{1,6}))?:?(.*)")
_IP_FLAGS: Final = {"DF": 2, "MF": 1, "RESERVED": 4, "EVIL": 4, "NONE": 0}
_WHOLE: Final = 0xFFFFFFFF


def given_number(text: str | None, option: str, field: str, default: int) -> int:
    """Return the number of a field of `LIMITS`, or its default."""
    found = number(text, option, LIMITS[field])
    return default if found is None else found


def checksum(text: str, option: str, *, partial: bool) -> int | Checksum:
    """Return the checksum that `right`, `wrong`, `partial` or a number stands for."""
    kinds = {each.value: each for each in (Checksum.RIGHT, Checksum.WRONG)}
    if partial:
        kinds[Checksum.PARTIAL.value] = Checksum.PARTIAL
    if text in kinds:
        return kinds[text]
    if not NUMBER.fullmatch(text):
        raise UsageError("craft.checksum", option=option, value=text, partial=partial)
    return given_number(text, option, "checksum", 0)


def hexadecimal(text: str | None, option: str) -> bytes:
    """Return the octets of hexadecimal digits; none without a word."""
    return b"" if text is None else digits(text.removeprefix("0x"), f"{option} {text}")


def payload(text: str | None) -> bytes:
    """Return the payload: text with escapes, `hex:...`, or the content of `@FILE`."""
    if not text:
        return b""
    if text.startswith("hex:"):
        return digits(text[4:], f"--payload {text[:40]}")
    if not text.startswith("@"):
        return octets(text, "--payload")
    name = text[1:]
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError("file.unopened", why=system_error(error)).at(name) from None
    except ValueError as error:  # NUL in a name
        raise UsageError("file.unopened", why=error).at(name) from None


def ip_flags(text: str | None, default: int) -> int:
    """Return the three bits of `DF,MF`."""
    if text is None:
        return default
    found = 0
    for name in re.split(r"[,+]", text.upper()):
        if name not in _IP_FLAGS:
            raise UsageError("craft.ip-flags", text=text)
        found |= _IP_FLAGS[name]
    return found


def has_port(source: str | None) -> bool:
    """Whether `--source` names a port, too."""
    return source is not None and endpoint(source, "--source")[1] is not None


def option(text: str) -> bytes:
    """Return the octets of `KIND:HEX`, or of `KIND/LENGTH:HEX` with a length that may lie."""
    found = _OPTION.fullmatch(text)
    kind, length = (int(found[1]), found[2]) if found else (256, None)
    if found is None or kind > 0xFF or (length is not None and int(length) > 0xFF):
        raise UsageError("craft.option", text=text)
    data = digits(found[3], f"--option {text}") if found[3] else b""
    if kind < 2 and length is None:
        return bytes((kind,)) + data
    if length is None and len(data) > 0xFD:
        raise UsageError("craft.options-length", length=len(data) + 2, most=MAX_OCTETS)
    return bytes((kind, len(data) + 2 if length is None else int(length))) + data


def raw_options(text: str | None) -> bytes | None:
    """Return all options as octets; none for `none`, and None without a word."""
    if text is None:
        return None
    return b"" if text == "none" else hexadecimal(text, "--options-raw")


def sack_blocks(text: str | None) -> tuple[bytes, ...]:
    """Return a SACK option with the blocks of `1001-2001,3001-4001`."""
    from handshake.tcp import Seq
    from handshake.tcp.options import sack

    if text is None:
        return ()
    blocks = []
    for block in text.split(","):
        first, dash, end = block.partition("-")
        if not dash or not (NUMBER.fullmatch(first) and NUMBER.fullmatch(end)):
            raise UsageError("craft.sack-blocks", text=text)
        edges = [number(each, "--sack-blocks", _WHOLE) or 0 for each in (first, end)]
        blocks.append((Seq(edges[0]), Seq(edges[1])))
    return (sack(blocks),)
