"""Turns the options of `handshake craft` into the fields of a packet."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handshake.cli.probe.values import cookie, digits, flags, octets
from handshake.crafter.fields import DESTINATION, LIMITS, SOURCE
from handshake.errors import UsageError, system_error
from handshake.tcp import Endpoint
from handshake.tcp.address import ip_address
from handshake.tcp.checksum import Checksum
from handshake.tcp.options import MAX_OCTETS

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

__all__ = ["cookie", "flags", "octets"]

_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")
_BRACKETED: Final = re.compile(r"\[([^\]]*)\](?::(.*))?")
_OPTION: Final = re.compile(r"([0-9]{1,6})(?:/([0-9]{1,6}))?:?(.*)")
_IP_FLAGS: Final = {"DF": 2, "MF": 1, "RESERVED": 4, "EVIL": 4, "NONE": 0}
_WHOLE: Final = 0xFFFFFFFF
_LAST_PORT: Final = 0xFFFF


def number(text: str | None, option: str, most: int) -> int | None:
    """Return the number in a word, decimal or hexadecimal; None without a word."""
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or (found := int(text, 0 if "x" in text.lower() else 10)) > most:
        raise UsageError("craft.number", option=option, value=text, most=most)
    return found


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
    if not _NUMBER.fullmatch(text):
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
        if not dash or not (_NUMBER.fullmatch(first) and _NUMBER.fullmatch(end)):
            raise UsageError("craft.sack-blocks", text=text)
        edges = [number(each, "--sack-blocks", _WHOLE) or 0 for each in (first, end)]
        blocks.append((Seq(edges[0]), Seq(edges[1])))
    return (sack(blocks),)


def ends(
    source: str | None, port: str | None, destination: str | None
) -> tuple[Endpoint, Endpoint]:
    """Return both ends; what is not given is an address for documentation."""
    ours = None if source is None else endpoint(source, "--source")
    theirs = None if destination is None else endpoint(destination, "TARGET")
    version = next((each[0].version for each in (theirs, ours) if each is not None), 4)
    local, remote = (
        default if each is None else Endpoint(each[0], default.port if each[1] is None else each[1])
        for each, default in ((ours, SOURCE[version]), (theirs, DESTINATION[version]))
    )
    if port is not None:
        local = Endpoint(local.address, number(port, "--source-port", _LAST_PORT) or 0)
    return local, remote


def endpoint(text: str, option: str) -> tuple[Address, int | None]:
    """Return the address and port of `192.0.2.1:80` or `[2001:db8::1]:80`; the port may lack."""
    found = _BRACKETED.fullmatch(text)
    if found is not None:
        host, port = found[1], found[2]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, None
    try:
        address = ip_address(host)
    except ValueError:
        if not host or "[" in text or ":" in host:
            raise UsageError("craft.endpoint", option=option, value=text) from None
        raise UsageError("craft.name", option=option, value=text) from None
    return address, number(port, f"{option} {text}: port", _LAST_PORT)
