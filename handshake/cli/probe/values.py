"""What the words of the options of `handshake probe` mean."""

from __future__ import annotations

import math
import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final

from handshake.errors import UsageError

if TYPE_CHECKING:
    from handshake.prober import CloseMode
    from handshake.tcp import Flags

_TIMEOUT: Final = 5.0
_AFTER_THE_LAST: Final = 2.0
"""Seconds for an answer to the last SYN."""

_SHORTEST: Final = 0.001
_LONGEST: Final = 86_400.0

_ESCAPE: Final = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.|$)", re.DOTALL)
_ESCAPES: Final = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}

_LETTERS: Final = {
    "F": "FIN",
    "S": "SYN",
    "R": "RST",
    "P": "PSH",
    "A": "ACK",
    "U": "URG",
    "E": "ECE",
    "C": "CWR",
    "W": "CWR",
}
"""The control bits by the letters that tcpdump, nmap and hping3 give them."""


def octets(text: str | None, option: str) -> bytes:
    r"""Return the octets of a text in which \r, \n, \t, \0, \xHH and \\ stand for one each."""

    def found(match: re.Match[bytes]) -> bytes:
        (escaped,) = match.groups()
        if len(escaped) == 3:
            return bytes.fromhex(escaped[1:].decode())
        if escaped not in _ESCAPES:
            shown = ascii("\\" + escaped.decode("utf-8", "replace"))[1:-1].replace("\\\\", "\\")
            raise UsageError(rf"{option}: {shown} stands for nothing: \\ is a backslash itself")
        return _ESCAPES[escaped]

    if text == "":
        raise UsageError(f"{option}: there is nothing in it: write something, or leave it out")
    return _ESCAPE.sub(found, (text or "").encode("utf-8", "surrogateescape"))


def digits(text: str, option: str) -> bytes:
    """Return the octets that hexadecimal digits stand for; colons and spaces may part them."""
    try:
        return bytes.fromhex(text.replace(":", " "))
    except ValueError:
        raise UsageError(f"{option}: {text!r} is not hexadecimal, two digits an octet") from None


def options(words: list[str] | None) -> tuple[tuple[int, bytes], ...]:
    """Return kind and data of each `KIND:HEX`."""
    found = []
    for word in words or ():
        kind, _, data = word.partition(":")
        if not (kind.isascii() and kind.isdecimal()):
            raise UsageError(f"--option {word}: write its kind, a colon and its data: 253:f989")
        found.append((int(kind[:6]), digits(data, f"--option {word}")))
    return tuple(found)


def flags(text: str | None) -> Flags:
    """Return the control bits of `SYN,ECE`, `syn+ece`, `SE` or `none`."""
    from handshake.tcp import Flags

    found = Flags(0)
    if text is None:
        return Flags.SYN
    if text.lower() == "none":
        return found
    names = re.split(r"[,+]", text.upper())
    if text and len(names) == 1 and names[0] not in Flags.__members__:
        names = [_LETTERS.get(letter, letter) for letter in names[0]]
    for name in names:
        if name not in Flags.__members__:
            raise UsageError(
                f"--flags {text}: write names as in SYN,ECE, letters as in SE, or none"
            )
        found |= Flags[name]
    return found


def cookie(text: str | None) -> bytes | None:
    """Return the cookie of `--fast-open=COOKIE`; empty where one is asked for."""
    if text is None:
        return None
    found = digits(text, "--fast-open")
    if found and (len(found) % 2 or not 4 <= len(found) <= 16):
        raise UsageError(f"--fast-open: a cookie has 4 to 16 octets, an even number, not {text}")
    return found


def address(text: str | None) -> IPv4Address | IPv6Address | None:
    """Return the address that a word is."""
    if text is None:
        return None
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        raise UsageError(f"--source {text}: write an address of this machine") from None


def interface(text: str | None) -> str | None:
    """Return the name of an interface that this machine has."""
    if text is not None:
        try:
            socket.if_nametoindex(text)
        except (OSError, ValueError):
            raise UsageError(f"--interface {text}: this machine has no such interface") from None
    return text


def chosen(options: dict[str, bool]) -> list[str]:
    """Return the names of the options that were given."""
    return [name for name, wanted in options.items() if wanted]


def refuse(names: list[str], option: str, why: str) -> None:
    """Raise UsageError where any of these stands beside an option that it does not go with."""
    if names:
        raise UsageError(f"{option} does not go with {' and '.join(names)}: {why}")


def above_zero(value: float, option: str, most: float = math.inf) -> float:
    """Return the value if it is more than zero, and no more than the `most` that there may be."""
    if not 0 < value <= most:
        limit = "" if most == math.inf else f", and {most:g} at most"
        raise UsageError(f"{option} {value:g}: it must be more than 0{limit}")
    return value


def pace(rate: float, interval: float) -> None:
    """Raise UsageError for a pace that never gets on: from one call to the next, at most a day."""
    above_zero(rate, "--rate")
    above_zero(interval, "--interval", _LONGEST)
    if rate * _LONGEST < 1:
        raise UsageError(f"--rate {rate:g}: it must be one call a day, or more")


def closing(text: str) -> CloseMode:
    """Return how a connection is to end."""
    from handshake.endpoint.options import CloseMode

    try:
        return CloseMode(text)
    except ValueError:
        raise UsageError(f"--close {text}: it is one of fin, rst and none") from None


def timeout(seconds: float | None, retries: int, rto: float) -> float:
    """Return how long to wait for an answer: long enough for all retries, unless it is given.

    Raises UsageError for retries that would leave all at once.
    """
    if rto < _SHORTEST:
        raise UsageError(f"--rto {rto:g}: it must be {_SHORTEST:g} seconds, or more")
    if seconds is not None:
        return seconds
    last = rto * float(2 ** min(retries, 17) - 1)
    return min(max(_TIMEOUT, last + _AFTER_THE_LAST), _LONGEST)
