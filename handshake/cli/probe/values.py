"""Parses the values of the options of `handshake probe`, and refuses those that conflict."""

from __future__ import annotations

import math
import re
import socket
from typing import TYPE_CHECKING, Final

from handshake.errors import UsageError
from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from ipaddress import IPv4Address, IPv6Address

    import typer

    from handshake.prober import CloseMode
    from handshake.tcp import Flags


_TIMEOUT: Final = 5.0
_LAST_WAIT: Final = 2.0
"""Seconds to wait for an answer to the last SYN."""

_SHORTEST: Final = 0.001
_LONGEST: Final = 86_400.0

_ESCAPE: Final = re.compile(rb"\\(x[0-9A-Fa-f]{2}|.|$)", re.DOTALL)
_ESCAPES: Final = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}


def octets(text: str | None, option: str) -> bytes:
    r"""Return the octets of a text with the escape sequences \r, \n, \t, \0, \xHH and \\."""

    def found(match: re.Match[bytes]) -> bytes:
        (escaped,) = match.groups()
        if len(escaped) == 3:
            return bytes.fromhex(escaped[1:].decode())
        if escaped not in _ESCAPES:
            shown = ascii("\\" + escaped.decode("utf-8", "replace"))[1:-1].replace("\\\\", "\\")
            raise UsageError("probe.escape", option=option, escape=shown)
        return _ESCAPES[escaped]

    if text == "":
        raise UsageError("probe.empty", option=option)
    return _ESCAPE.sub(found, (text or "").encode("utf-8", "surrogateescape"))


def digits(text: str, option: str) -> bytes:
    """Return the octets of hexadecimal digits, which colons or spaces may separate."""
    try:
        return bytes.fromhex(text.replace(":", " "))
    except ValueError:
        raise UsageError("probe.hex", option=option, text=text) from None


def options(words: list[str] | None) -> tuple[tuple[int, bytes], ...]:
    """Return kind and data of each `KIND:HEX`."""
    found = []
    for word in words or ():
        kind, _, data = word.partition(":")
        if not (kind.isascii() and kind.isdecimal()):
            raise UsageError("probe.option", text=word)
        found.append((int(kind[:6]), digits(data, f"--option {word}")))
    return tuple(found)


def flags(text: str | None) -> Flags:
    """Return the control bits in a word: SYN alone without one."""
    from handshake.tcp import Flags
    from handshake.tcp.flag_text import flags_of

    return Flags.SYN if text is None else flags_of(text)


def cookie(text: str | None) -> bytes | None:
    """Return the cookie of `--fast-open=COOKIE`; empty to request one."""
    if text is None:
        return None
    found = digits(text, "--fast-open")
    if found and (len(found) % 2 or not 4 <= len(found) <= 16):
        raise UsageError("probe.cookie", text=text)
    return found


def address(text: str | None) -> IPv4Address | IPv6Address | None:
    """Return the IP address in a word."""
    if text is None:
        return None
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        raise UsageError("probe.source", text=text) from None


def interface(text: str | None) -> str | None:
    """Return the name of an interface, which must exist."""
    if text is not None:
        try:
            socket.if_nametoindex(text)
        except (OSError, ValueError):
            raise UsageError("probe.interface", text=text) from None
    return text


def given(options: dict[str, bool]) -> list[str]:
    """Return the names of the options that were given."""
    return [name for name, wanted in options.items() if wanted]


def check_positive(value: float, option: str, most: float = math.inf) -> None:
    """Raise UsageError for a value of zero or less, or greater than `most`."""
    if not 0 < value <= most:
        limit = "" if most == math.inf else f"{most:g}"
        raise UsageError("probe.positive", option=option, value=f"{value:g}", most=limit)


def check_rate(rate: float, interval: float) -> None:
    """Raise UsageError for less than one probe per day."""
    check_positive(rate, "--rate")
    check_positive(interval, "--interval", _LONGEST)
    if rate * _LONGEST < 1:
        raise UsageError("probe.rate", rate=f"{rate:g}")


def close_mode(text: str) -> CloseMode:
    """Return how to close a connection."""
    from handshake.endpoint.options import CloseMode

    try:
        return CloseMode(text)
    except ValueError:
        raise UsageError("choice", option="--close", value=text, choices=list(CloseMode)) from None


def timeout(seconds: float | None, retries: int, rto: float) -> float:
    """Return how long to wait for an answer: long enough for all retries, unless it is given.

    Raises UsageError for an RTO that would send all retries at once.
    """
    if rto < _SHORTEST:
        raise UsageError("probe.rto", rto=f"{rto:g}", least=f"{_SHORTEST:g}")
    if seconds is not None:
        return seconds
    last = rto * float(2 ** min(retries, 17) - 1)
    return min(max(_TIMEOUT, last + _LAST_WAIT), _LONGEST)


_CONFLICTS: Final = {
    "-4": ("-6",),
    "--wscale": ("--no-wscale",),
    "--md5": ("--timestamps",),
    "--no-ack": ("--close", "--hold"),
    "--adopt": (
        "--connect",
        "--fast-open",
        "--md5",
        "--ecn",
        "--flags",
        "--data",
        "--expect",
        "--no-ack",
        "--close",
        "--observe",
        "--hold",
        "--count",
        "--json",
        "--monitor",
        "-w",
        "--export",
        "--dry-run",
    ),
    "--trace": (
        "--connect",
        "--adopt",
        "--dry-run",
        "--data",
        "--expect",
        "--no-ack",
        "--close",
        "--observe",
        "--hold",
        "--retries",
        "--rto",
        "--flags",
        "--count",
        "--monitor",
        "--brief",
        "--export",
        "-v",
    ),
    "--dry-run": ("--connect", "--monitor", "-w", "--export", "--quiet", "--brief"),
    "--monitor": ("--count",),
}
"""Options that exclude others; the reasons are in errors.toml."""

_REQUIRES: Final = {"--interval": "--count"}
"""Options that require another."""


def check_conflicts(context: typer.Context) -> None:
    """Raise UsageError if options exclude each other, or one lacks another that it requires."""
    given = _given(context)
    for option, others in _CONFLICTS.items():
        conflicting = [each for each in others if each in given]
        if option in given and conflicting:
            name = "version" if option == "-4" else option.removeprefix("--")
            raise UsageError(f"conflict.{name}", others=conflicting)
    for option, other in _REQUIRES.items():
        if option in given and other not in given:
            raise UsageError("conflict.requires", option=option, other=other)


def _given(context: typer.Context) -> AbstractSet[str]:
    """Return the names of the options on the command line."""
    found = set()
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        if source is not None and source.name == "COMMANDLINE":
            off = param.secondary_opts and context.params.get(param.name or "") is False
            found.add((param.secondary_opts if off else param.opts)[0])
    return found
