"""The command line that makes a packet again: `handshake craft ...`."""

from __future__ import annotations

import shlex
from dataclasses import fields as fields_of
from typing import TYPE_CHECKING, Final

from handshake.crafter.fields import SOURCE, PacketFields
from handshake.crafter.minimal import minimal
from handshake.crafter.tcp_options import TcpOptions
from handshake.tcp import Flags
from handshake.tcp.checksum import Checksum

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES: Final = {
    "seq": "--seq",
    "ack": "--ack",
    "window": "--window",
    "urgent": "--urgent",
    "reserved": "--reserved",
    "offset": "--offset",
    "checksum": "--checksum",
    "ttl": "--ttl",
    "tos": "--tos",
    "identification": "--id",
    "fragment": "--fragment",
    "protocol": "--protocol",
    "length": "--length",
    "words": "--ihl",
    "ip_checksum": "--ip-checksum",
    "label": "--flow-label",
    "cut": "--cut",
}
"""Options that take a number, by the name of the field."""

_HEXADECIMAL: Final = ("checksum", "ip_checksum", "tos", "label", "identification")
_OCTETS: Final = {
    "ip_options": "--ip-options",
    "extensions": "--extensions",
    "trailer": "--trailer",
}
_IP_FLAGS: Final = ((4, "RESERVED"), (2, "DF"), (1, "MF"))
_ESCAPES: Final = {0x0D: "\\r", 0x0A: "\\n", 0x09: "\\t", 0x5C: "\\\\"}


def command(fields: PacketFields) -> str:
    """Return the command that makes these fields' octets, to be pasted into a shell."""
    return shlex.join(["handshake", "craft", *arguments(fields)])


def arguments(fields: PacketFields) -> list[str]:
    """Return the arguments of the command: none that need not be given."""
    return list(_arguments(minimal(fields)))


def _arguments(fields: PacketFields) -> Iterator[str]:
    defaults = {each.name: each.default for each in fields_of(PacketFields)}
    yield str(fields.destination)
    if fields.source != SOURCE[fields.version]:
        yield from ("--source", str(fields.source))
    if fields.flags != Flags.SYN:
        yield from ("--flags", ",".join(fields.flags.names) or "none")
    for name, option in NAMES.items():
        value = getattr(fields, name)
        if value is None or value == defaults[name]:
            continue
        shown = f"{value:#x}" if name in _HEXADECIMAL and isinstance(value, int) else value
        yield from (option, shown.value if isinstance(shown, Checksum) else str(shown))
    if fields.ip_flags != defaults["ip_flags"] and fields.version == 4 and not fields.bare:
        set_bits = [name for bit, name in _IP_FLAGS if fields.ip_flags & bit]
        yield from ("--ip-flags", ",".join(set_bits) or "none")
    yield from _options(TcpOptions.of(fields.options, fields.flags, fields.version))
    for name, option in _OCTETS.items():
        if value := getattr(fields, name):
            yield from (option, value.hex())
    if fields.payload:
        yield from ("--payload", payload_text(fields.payload))
    if fields.bare:
        yield "--bare"


def _options(options: TcpOptions) -> Iterator[str]:
    if options.raw is not None:
        yield from ("--options-raw", options.raw.hex() or "none")
        return
    if options.mss is not None:
        yield from ("--mss", str(options.mss))
    if options.window_scale is False:
        yield "--no-wscale"
    elif options.window_scale is not None:
        yield from ("--wscale", str(int(options.window_scale)))
    if options.sack is not None:
        yield "--sack" if options.sack else "--no-sack"
    if options.timestamps is False:
        yield "--no-timestamps"
    elif options.timestamps is not None and options.timestamps is not True:
        yield from ("--tsval", str(options.timestamps.value))
        yield from ("--tsecr", str(options.timestamps.echo))
    if options.fast_open is not None:
        yield f"--fast-open={options.fast_open.hex()}"
    for each in options.more:
        yield from ("--option", f"{each[0]}:{each[2:].hex()}")


def payload_text(payload: bytes) -> str:
    """Return a payload as `--payload` takes it: as text with escapes, or in hexadecimal."""
    text = "".join(_ESCAPES.get(each) or _char(each) for each in payload)
    plain = sum(0x20 <= each < 0x7F or each in _ESCAPES for each in payload)
    if plain * 2 < len(payload) or text.startswith(("hex:", "@")):
        return f"hex:{payload.hex()}"
    return text


def _char(octet: int) -> str:
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\x{octet:02x}"
