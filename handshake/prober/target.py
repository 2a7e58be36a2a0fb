"""Whom to call: `host:port`, `[v6]:port`, a URL, or `host port`; and the addresses behind it."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from handshake.errors import UsageError
from handshake.tcp import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PORTS: Final = {
    "ftp": 21,
    "ssh": 22,
    "sftp": 22,
    "telnet": 23,
    "smtp": 25,
    "http": 80,
    "ws": 80,
    "imap": 143,
    "ldap": 389,
    "https": 443,
    "wss": 443,
    "smtps": 465,
    "rtsp": 554,
    "ldaps": 636,
    "imaps": 993,
    "mqtt": 1883,
    "mysql": 3306,
    "rdp": 3389,
    "postgres": 5432,
    "postgresql": 5432,
    "amqp": 5672,
    "vnc": 5900,
    "redis": 6379,
}
"""Where a URL of this scheme leads that names no port."""

_SEVERAL: Final = re.compile(r"[0-9]+([,-][0-9]*)+|[\w-]*(,[\w-]*)+", re.ASCII)
"""Ports that are more than one: with a comma, or with a dash between numbers."""

_RANGE: Final = re.compile(r"([0-9]+)-(.*)")

_USER: Final = re.compile(r"(?<=://)[^/?#]*@")
"""In a URL, a user and his password: nobody calls by them, and nobody should read them."""

_BROADCAST: Final = IPv4Address(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to call, as asked for."""

    host: str
    """A name, or an address, without brackets."""

    port: int
    text: str
    """The words in which it was asked for."""

    @classmethod
    def of(cls, host: str, port: int, text: str | None = None) -> Target:
        """Return the target; raise UsageError where host or port cannot be one."""
        if not 1 <= port <= 0xFFFF:
            raise UsageError(f"{text or host}: a port is a number from 1 to 65535, not {port}")
        _refuse_user(host, port)
        if not host or not host.isprintable() or any(sign in host for sign in " /@[]"):
            raise UsageError(f"{(text or host)!r}: there is no host in it")
        literal = _literal(host)
        if literal is not None and (why := unfit(_plain(literal))) is not None:
            raise UsageError(why)
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return cls(host, port, text or shown)

    @classmethod
    def parse(cls, text: str) -> Target:
        """Return the target that one word names; raise UsageError where it names none."""
        if not text:
            raise UsageError("an empty word names no target: write host:port")
        if not text.isprintable():
            raise UsageError(f"{text!r}: there is no host in it, but what cannot be printed")
        if "://" in text:
            return cls._parse_url(text)
        _refuse_user(text)
        if "/" in text:
            raise UsageError(f"{text}: only a URL has a /, as http://example.org/: write host:port")
        host, port = _parted(text)
        if not host:
            raise UsageError(f"{text!r}: there is no host in it")
        return cls.of(host, _port(port, text), text)

    @classmethod
    def parse_all(cls, text: str) -> Iterator[Target]:
        """Yield a target for each port in `host:80,443,8000-8010`; raise UsageError likewise."""
        host, colon, ports = text.rpartition(":")
        if "://" in text or not colon or not _SEVERAL.fullmatch(ports):
            yield cls.parse(text)
            return
        for port in _each_port(ports, text):
            yield cls.parse(f"{host}:{port}")

    @classmethod
    def _parse_url(cls, text: str) -> Target:
        text = _USER.sub("", text)
        try:
            url = urlsplit(text)
            host, port = url.hostname, url.port
        except ValueError as error:
            raise UsageError(f"{text}: {str(error).lower()}") from error
        if port is None and (port := _PORTS.get(url.scheme)) is None:
            raise UsageError(
                f"{text}: which port? It is not known where {url.scheme}: leads: write host:port"
            )
        # A scope in a URL has its % escaped (RFC 6874).
        return cls.of((host or "").replace("%25", "%"), port, text)

    @property
    def is_address(self) -> bool:
        """Whether the host is an address, so that nothing has to be looked up."""
        return _literal(self.host) is not None

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every address of the host, IPv6 first; raise LookupError where it has none.

        An address is taken as it is: only names are looked up. Whether a connection can lead to
        what they stand for, `unfit` tells.
        """
        literal = _literal(self.host)
        if literal is not None:
            return (Endpoint(_plain(literal), self.port),)
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, ValueError) as error:  # UnicodeError, a ValueError: no name of a host
            why = error.strerror if isinstance(error, OSError) else "it is no name of a host"
            raise LookupError(f"{self.host}: {(why or str(error)).lower()}") from error
        addresses = dict.fromkeys(_plain(_address(sockaddr)) for *_, sockaddr in found)
        # Stable: within a version the order stays that of RFC 6724.
        ordered = sorted(addresses, key=lambda address: -address.version)
        return tuple(Endpoint(address, self.port) for address in ordered)


def unfit(address: IPv4Address | IPv6Address) -> str | None:
    """Return why no connection can lead to this address; None where one may."""
    if address.is_multicast or address.is_unspecified or address == _BROADCAST:
        return f"{address}: a connection has one peer, and this is no single host"
    if not isinstance(address, IPv6Address) or not address.is_link_local:
        return None
    if address.scope_id is None:
        return f"{address}: on which link? Write {address}%eth0, with your interface"
    try:
        socket.if_nametoindex(address.scope_id)
    except OSError:
        return f"{address}: there is no interface {address.scope_id}"
    return None


def targets(words: Iterable[str]) -> Iterator[Target]:
    """Yield a target for each word, or for each pair of a host and a port of its own."""
    waiting: str | None = None
    for word in words:
        if waiting is not None:
            if _SEVERAL.fullmatch(word):
                for port in _each_port(word, waiting):
                    yield Target.of(waiting.strip("[]"), port)
            else:
                if not word.isdecimal() and _service(word) is None:
                    yield Target.parse(waiting)  # raises: it had no port
                yield Target.of(waiting.strip("[]"), _port(word, waiting), f"{waiting} {word}")
            waiting = None
        elif _has_port(word):
            yield from Target.parse_all(word)
        else:
            waiting = word
    if waiting is not None:
        yield Target.parse(waiting)


def read_targets(lines: Iterable[str]) -> Iterator[Target]:
    """Yield the targets of a list: some on each line, and what follows a # is a remark.

    Raises UsageError that names the line.
    """
    for number, line in enumerate(lines, 1):
        # Some editors begin a file with the mark of its byte order.
        text = line.removeprefix("\ufeff") if number == 1 else line
        try:
            yield from targets(text.partition("#")[0].split())
        except UsageError as error:
            raise UsageError(f"line {number}: {error}") from error


def _each_port(text: str, whole: str) -> Iterator[int]:
    """Yield the ports of `80,443,8000-8010`, in this order."""
    for part in text.split(","):
        found = _RANGE.fullmatch(part)
        low, high = (_port(each, whole) for each in (found.groups() if found else (part, part)))
        if not 1 <= low <= high <= 0xFFFF:
            raise UsageError(f"{whole}: {part} is no range of ports from 1 to 65535")
        yield from range(low, high + 1)


def _refuse_user(text: str, port: int | None = None) -> None:
    """Raise UsageError where a user stands before the host; of him, nothing is said again."""
    _, at, host = text.rpartition("@")
    if at:
        whole = host if port is None else f"{host}:{port}"
        raise UsageError(f"a user before an @ has no place in a target: write {whole!r} alone")


def _parted(text: str) -> tuple[str, str]:
    """Return host and port of `host:port`, with or without brackets.

    Raises UsageError where it is not clear what is what.
    """
    bracketed = text.startswith("[")
    if bracketed:
        host, closed, rest = text[1:].partition("]")
        if not closed:
            raise UsageError(f"{text}: its bracket is not closed{_perhaps(host)}")
        colon, port = rest[:1], rest[1:]
        if colon not in ("", ":"):
            raise UsageError(f"{text}: a colon stands before the port: write [{host}]:443")
    elif text.count(":") > 1:
        raise UsageError(f"{text}: which port? An IPv6 address stands in brackets{_perhaps(text)}")
    else:
        host, colon, port = text.partition(":")
    if host and not port:
        ends = " ends with a colon" if colon else ""
        whole = f"[{host}]" if bracketed else host
        raise UsageError(f"{text}{ends}: which port? Write {whole}:443")
    return host, port


def _perhaps(text: str) -> str:
    """Return what may be meant by an IPv6 address without brackets, or with one."""
    ways = [] if _literal(text) is None else [f"[{text}]:443"]
    host, _, port = text.rpartition(":")
    if _literal(host) is not None and port.isdecimal():
        ways.append(f"[{host}]:{port}")
    return f": write {' or '.join(ways or ['[::1]:443'])}"


def _has_port(word: str) -> bool:
    if word.startswith("["):
        return "]:" in word
    # A bare IPv6 address has colons, and no port.
    return ":" in word and _literal(word) is None


def _port(text: str, whole: str) -> int:
    if text.isascii() and text.isdecimal():
        number = int(text.lstrip("0")[:6] or "0")
        if not 1 <= number <= 0xFFFF:
            raise UsageError(f"{whole}: a port is a number from 1 to 65535, not {text}")
        return number
    found = _service(text)
    if found is None:
        raise UsageError(
            f"{whole}: a port is a number from 1 to 65535, or the name of a service that this "
            f"machine knows, not {text!r}"
        )
    return found


def _service(name: str) -> int | None:
    """Return the port of a service such as `https`; None where this machine knows none."""
    try:
        return socket.getservbyname(name.lower(), "tcp")
    except (OSError, ValueError):  # UnicodeError, a ValueError: no name of anything
        # A small system may have no list of services at all.
        return _PORTS.get(name.lower())


@lru_cache(1024)
def _literal(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return an IPv4 address in IPv6 clothes as what it is: such a packet travels as IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _address(sockaddr: tuple[object, ...]) -> IPv4Address | IPv6Address:
    host, scope = str(sockaddr[0]), sockaddr[3] if len(sockaddr) == 4 else 0
    if isinstance(scope, int) and scope and "%" not in host:
        with suppress(OSError):  # it is gone by now: then it is not known on which link
            host = f"{host}%{socket.if_indextoname(scope)}"
    return ip_address(host)
