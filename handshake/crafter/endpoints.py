"""Numbers and ends as they are written: `0x50`, `192.0.2.1:80`, `[2001:db8::1]:80`."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from handshake.crafter.fields import DESTINATION, SOURCE
from handshake.errors import UsageError
from handshake.tcp import Endpoint
from handshake.tcp.address import ip_address

if TYPE_CHECKING:
    from handshake.packet.checksum import Address

NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}")
_BRACKETED: Final = re.compile(r"\[([^\]]*)\](?::(.*))?")
_LAST_PORT: Final = 0xFFFF


def number(text: str | None, option: str, most: int) -> int | None:
    """Return the number in a word, decimal or hexadecimal; None without a word."""
    if text is None:
        return None
    if not NUMBER.fullmatch(text) or (found := int(text, 0 if "x" in text.lower() else 10)) > most:
        raise UsageError("craft.number", option=option, value=text, most=most)
    return found


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
        local = Endpoint(local.address, _port(port, "--source-port") or 0)
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
    return address, _port(port, f"{option} {text}: port")


def _port(text: str | None, option: str) -> int | None:
    """Return the port of a number, or of the name of a service, such as http."""
    if text is not None and not NUMBER.fullmatch(text):
        with suppress(OSError, ValueError):
            return socket.getservbyname(text.lower(), "tcp")
    return number(text, option, _LAST_PORT)
