"""The target: `host:port`, `[v6]:port`, a URL, or `host port`; and its addresses."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from handshake.errors import ResolveError, UsageError
from handshake.tcp import Endpoint
from handshake.tcp.address import ip_address

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
"""The default port of a URL scheme."""

_SEVERAL: Final = re.compile(r"[0-9]+([,-][0-9]*)+|[\w-]*(,[\w-]*)+", re.ASCII)
"""Several ports: with a comma, or with a dash between numbers."""

_RANGE: Final = re.compile(r"([0-9]+)-(.*)")

_USER: Final = re.compile(r"(?<=://)[^/?#]*@")
"""User and password in a URL: not used, and not echoed, since they may be secret."""

_UNRESOLVED: Final[dict[int | None, str]] = {
    socket.EAI_AGAIN: "target.no-name-server",
    socket.EAI_NONAME: "target.unknown-name",
    socket.EAI_NODATA: "target.unknown-name",
}
"""Why a name has no address, by the error of getaddrinfo(); the others say it themselves."""

_LONGEST: Final = 253
"""The most characters of a name (RFC 1035 section 2.3.4, less the length octets of both ends)."""

_SHOWN: Final = 40
"""As many characters tell which name is too long."""

_FAMILIES: Final = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}
_BROADCAST: Final = IPv4Address(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port to connect to, as the user wrote it."""

    host: str
    """A name, or an address, without brackets."""

    port: int
    text: str
    """As the user wrote it."""

    version: int | None = None
    """4 or 6 for its addresses of that version of IP alone; None for all."""

    @classmethod
    def of(cls, host: str, port: int, text: str | None = None) -> Target:
        """Return the target. Raises UsageError for an invalid host or port."""
        if not 1 <= port <= 0xFFFF:
            raise UsageError("target.port-range", target=text or host, port=port)
        _refuse_user(host, port)
        if not host or not host.isprintable() or any(sign in host for sign in " /@[]"):
            raise UsageError("target.no-host", target=text or host)
        if len(host) > _LONGEST:
            raise UsageError("target.long", begin=host[:_SHOWN], count=len(host))
        literal = _literal(host)
        if literal is not None and (error := unusable(literal)) is not None:
            raise error
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return cls(host, port, text or shown)

    @classmethod
    def parse(cls, text: str) -> Target:
        """Return the target in one word. Raises UsageError if it is not one."""
        if not text:
            raise UsageError("target.empty")
        if not text.isprintable():
            raise UsageError("target.unprintable", target=text)
        if "://" in text:
            return cls._parse_url(text)
        _refuse_user(text)
        if "/" in text:
            raise UsageError("target.slash", target=text)
        host, port = _split(text)
        if not host:
            raise UsageError("target.no-host", target=text)
        return cls.of(host, _port(port, text), text)

    @classmethod
    def parse_all(cls, text: str) -> Iterator[Target]:
        """Yield a target for each port in `host:80,443,8000-8010`. Raises UsageError likewise."""
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
            raise UsageError("target.url", target=text, why=str(error).lower()) from error
        if port is None and (port := _PORTS.get(url.scheme)) is None:
            raise UsageError("target.scheme", target=text, scheme=url.scheme)
        # A scope in a URL has its % escaped (RFC 6874).
        return cls.of((host or "").replace("%25", "%"), port, text)

    @property
    def endpoint(self) -> Endpoint | None:
        """The remote end, if the host is an address; None if it is to be looked up, or is wrong."""
        literal = _literal(self.host)
        wrong = literal is not None and self.version not in (None, literal.version)
        return None if literal is None or wrong else Endpoint(literal, self.port)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every address of the host, IPv6 first. Raises ResolveError if it has none.

        Only names are looked up. `unusable` tells whether a connection to an address is possible.
        """
        if (literal := self.endpoint) is not None:
            return (literal,)
        family = _FAMILIES[self.version]
        if _literal(self.host) is not None:
            raise ResolveError("target.version", host=self.host, version=self.version)
        try:
            found = socket.getaddrinfo(self.host, self.port, family, socket.SOCK_STREAM)
        except (OSError, ValueError) as error:  # UnicodeError, a ValueError: not a host name
            if not isinstance(error, OSError):
                raise ResolveError("target.not-a-name", host=self.host) from error
            code = _UNRESOLVED.get(error.errno, "target.unresolved")
            why = (error.strerror or str(error)).lower()
            raise ResolveError(code, host=self.host, why=why, version=self.version) from error
        addresses = dict.fromkeys(_plain(_address(sockaddr)) for *_, sockaddr in found)
        # Stable: within a version the order stays that of RFC 6724.
        ordered = sorted(addresses, key=lambda address: -address.version)
        return tuple(Endpoint(address, self.port) for address in ordered)


def unusable(address: IPv4Address | IPv6Address) -> UsageError | None:
    """Return why no connection to this address is possible; None if one may be."""
    if address.is_multicast or address.is_unspecified or address == _BROADCAST:
        return UsageError("target.not-unicast", address=address)
    if not isinstance(address, IPv6Address) or not address.is_link_local:
        return None
    if address.scope_id is None:
        return UsageError("target.no-scope", address=address)
    try:
        socket.if_nametoindex(address.scope_id)
    except OSError:
        return UsageError("target.no-interface", address=address, interface=address.scope_id)
    return None


def targets(words: Iterable[str]) -> Iterator[Target]:
    """Yield a target for each word, or for each pair of host and port."""
    host: str | None = None
    for word in words:
        if host is not None:
            if _SEVERAL.fullmatch(word):
                for port in _each_port(word, host):
                    yield Target.of(host.strip("[]"), port)
            else:
                if not word.isdecimal() and _service(word) is None:
                    yield Target.parse(host)  # raises: it had no port
                yield Target.of(host.strip("[]"), _port(word, host), f"{host} {word}")
            host = None
        elif _has_port(word):
            yield from Target.parse_all(word)
        else:
            host = word
    if host is not None:
        yield Target.parse(host)


def read_targets(lines: Iterable[str]) -> Iterator[Target]:
    """Yield the targets of a list: any number a line; # begins a comment.

    Raises UsageError that names the line.
    """
    for number, line in enumerate(lines, 1):
        # Some editors begin a file with a byte order mark.
        text = line.removeprefix("\ufeff") if number == 1 else line
        try:
            yield from targets(text.partition("#")[0].split())
        except UsageError as error:
            raise error.at(f"line {number}") from None


def _each_port(text: str, whole: str) -> Iterator[int]:
    """Yield the ports of `80,443,8000-8010`, in this order."""
    for part in text.split(","):
        found = _RANGE.fullmatch(part)
        low, high = (_port(each, whole) for each in (found.groups() if found else (part, part)))
        if not 1 <= low <= high <= 0xFFFF:
            raise UsageError("target.ports", target=whole, ports=part)
        yield from range(low, high + 1)


def _refuse_user(text: str, port: int | None = None) -> None:
    """Raise UsageError if a user precedes the host; do not echo it, as it may be a secret."""
    _, at, host = text.rpartition("@")
    if at:
        raise UsageError("target.user", target=host if port is None else f"{host}:{port}")


def _split(text: str) -> tuple[str, str]:
    """Return host and port of `host:port`, with or without brackets.

    Raises UsageError if it is ambiguous.
    """
    bracketed = text.startswith("[")
    if bracketed:
        host, closed, rest = text[1:].partition("]")
        if not closed:
            raise UsageError("target.bracket", target=text, meant=_meant(host))
        colon, port = rest[:1], rest[1:]
        if colon not in ("", ":"):
            raise UsageError("target.no-colon", target=text, host=host)
    elif text.count(":") > 1:
        raise UsageError("target.no-brackets", target=text, meant=_meant(text))
    else:
        host, colon, port = text.partition(":")
    if host and not port:
        whole = f"[{host}]" if bracketed else host
        raise UsageError("target.no-port", target=text, host=whole, colon=bool(colon))
    return host, port


def _meant(text: str) -> list[str]:
    """Return what an IPv6 address without brackets, or with only one, may mean."""
    meant = [] if _literal(text) is None else [f"[{text}]:443"]
    host, _, port = text.rpartition(":")
    if _literal(host) is not None and port.isdecimal():
        meant.append(f"[{host}]:{port}")
    return meant or ["[::1]:443"]


def _has_port(word: str) -> bool:
    if word.startswith("["):
        return "]:" in word
    # An IPv6 address without brackets has colons but no port.
    return ":" in word and _literal(word) is None


def _port(text: str, whole: str) -> int:
    if text.isascii() and text.isdecimal():
        number = int(text.lstrip("0")[:6] or "0")
        if not 1 <= number <= 0xFFFF:
            raise UsageError("target.port-range", target=whole, port=text)
        return number
    found = _service(text)
    if found is None:
        raise UsageError("target.port", target=whole, port=text)
    return found


def _service(name: str) -> int | None:
    """Return the port of a service such as `https`; None if this machine does not know it."""
    try:
        return socket.getservbyname(name.lower(), "tcp")
    except (OSError, ValueError):  # UnicodeError, a ValueError: not a name
        # A small system may have no /etc/services at all.
        return _PORTS.get(name.lower())


@lru_cache(1024)
def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address in this text; None for a name."""
    try:
        return _plain(ip_address(host))
    except ValueError:
        return None


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return an IPv4-mapped IPv6 address as the IPv4 address: its packets are IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _address(sockaddr: tuple[object, ...]) -> IPv4Address | IPv6Address:
    host, scope = str(sockaddr[0]), sockaddr[3] if len(sockaddr) == 4 else 0
    if isinstance(scope, int) and scope and "%" not in host:
        with suppress(OSError):  # the interface is gone: the link is unknown
            host = f"{host}%{socket.if_indextoname(scope)}"
    return ip_address(host)
