"""The options of `handshake probe`, and what their words mean."""

from __future__ import annotations

import math
import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from handshake.errors import UsageError

if TYPE_CHECKING:
    from handshake.probe import Closing
    from handshake.tcp import Flags

Targets: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TARGET]...",
        help="host:port, [v6]:port, a URL, or host port; without one, a listener of our own.",
    ),
]

# Whom to call, how often and how fast.

File: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="Take targets from a file, too: some a line, # begins a remark, - is stdin. May be "
        "given again.",
    ),
]
Concurrency: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=1, max=16384, help="Calls under way at once.")
]
Rate: TypeAlias = Annotated[
    float, typer.Option(metavar="N", help="Calls that begin in a second, at most.")
]
Count: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, max=10**15, help="Call N times, and sum up as ping does."),
]
Interval: TypeAlias = Annotated[
    float, typer.Option(metavar="SECONDS", help="With --count: from one call to the next.")
]

# How patiently.

Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", min=0.001, help="How long to wait for an answer: 5, or for all retries."
    ),
]
Retries: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=0, help="How often to send the SYN again.")
]
Rto: TypeAlias = Annotated[
    float,
    typer.Option(metavar="SECONDS", help="How long to wait before that; each time twice as long."),
]
Observe: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        help="How long to watch whether the SYN+ACK comes again, before closing: 1.25, "
        "or 0 of many targets, where the FIN finds out.",
    ),
]
Hold: TypeAlias = Annotated[
    float, typer.Option(metavar="SECONDS", help="How long to keep the connection open.")
]

# What the SYN says.

Mss: TypeAlias = Annotated[
    int | None, typer.Option(metavar="OCTETS", help="The MSS; 0 for no such option.")
]
Window: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="OCTETS", help="The window. (How long to watch is --observe.)"),
]
WindowScale: TypeAlias = Annotated[
    int | None, typer.Option("--wscale", metavar="SHIFT", help="The window shift.")
]
NoWindowScale: TypeAlias = Annotated[
    bool, typer.Option("--no-wscale", help="Offer no window scaling.")
]
Sack: TypeAlias = Annotated[
    bool, typer.Option("--sack/--no-sack", help="Offer selective acknowledgments.")
]
Timestamps: TypeAlias = Annotated[
    bool, typer.Option("--timestamps/--no-timestamps", help="Offer timestamps.")
]
Ecn: TypeAlias = Annotated[bool, typer.Option("--ecn", help="Ask for ECN.")]
FastOpen: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="[=COOKIE]",
        help="Ask for a Fast Open cookie; with one, in hexadecimal, send --data in the SYN.",
    ),
]
Md5: TypeAlias = Annotated[
    str | None, typer.Option("--md5", metavar="KEY", help="Sign every segment (RFC 2385).")
]
SynFlags: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="FLAGS", help="Begin with other control bits: SYN,ECE or FIN or none."),
]
SequenceNumber: TypeAlias = Annotated[
    int | None, typer.Option("--seq", metavar="N", help="The sequence number of the SYN.")
]
OtherOptions: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KIND:HEX", help="Add any option; may be given again."),
]

# Which way it goes.

SourcePort: TypeAlias = Annotated[
    int, typer.Option(metavar="PORT", help="The port to call from; 0 for any.")
]
Source: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="The address of ours to call from.")
]
Interface: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="The interface to leave by.")
]
Ttl: TypeAlias = Annotated[
    int, typer.Option("--ttl", metavar="N", help="Time to live, or hop limit.")
]
Tos: TypeAlias = Annotated[
    int, typer.Option("--tos", metavar="N", help="Type of service, or traffic class.")
]

# What follows the handshake.

Data: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help=r"What to say once it is open; \r \n \t \0 \xHH \\ count."),
]
Expect: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What the peer must say; else exit with 1.")
]
NoAck: TypeAlias = Annotated[
    bool, typer.Option("--no-ack", help="Withhold our ACK, watch for 8 s, and reset.")
]
Close: TypeAlias = Annotated[
    str, typer.Option(metavar="fin|rst|none", help="How to end the connection.")
]

# Who makes the call.

Connect: TypeAlias = Annotated[
    bool, typer.Option("--connect", help="Let the kernel connect: needs no privilege.")
]
Raw: TypeAlias = Annotated[
    bool, typer.Option("--raw", help="By hand or not at all, even where the right is missing.")
]
Adopt: TypeAlias = Annotated[
    bool,
    typer.Option("--adopt", help="Let the kernel carry it on, joined to stdin and stdout."),
]

# What is shown and kept.

Write: TypeAlias = Annotated[
    str | None,
    typer.Option("-w", "--write", metavar="FILE", help="Write the packets, each with a comment."),
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing: the exit code tells.")
]
Brief: TypeAlias = Annotated[
    bool, typer.Option("--brief", help="Print one line for each address, of one target, too.")
]
Monitor: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="nagios|prometheus", help="Print what a monitoring system reads."),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Show the SYN, field by field, and send nothing.")
]

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


def closing(text: str) -> Closing:
    """Return how a connection is to end."""
    from handshake.probe.manner import Closing

    try:
        return Closing(text)
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
