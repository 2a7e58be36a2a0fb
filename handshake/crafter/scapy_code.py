"""Scapy code that builds the same octets. Scapy itself is not needed to write it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from handshake.crafter.fields import CHECKSUM_AT, build
from handshake.crafter.minimal import minimal
from handshake.packet.ip_header import V4, V6, IpHeader
from handshake.tcp import Flags, Kind, Options
from handshake.tcp.checksum import Checksum
from handshake.tcp.options import MAX_OCTETS
from handshake.units import TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.crafter.fields import PacketFields
    from handshake.tcp import Option

_LETTERS: Final = (
    (Flags.FIN, "F"),
    (Flags.SYN, "S"),
    (Flags.RST, "R"),
    (Flags.PSH, "P"),
    (Flags.ACK, "A"),
    (Flags.URG, "U"),
    (Flags.ECE, "E"),
    (Flags.CWR, "C"),
    (Flags.AE, "N"),
)
"""The control bits as Scapy writes them: AE has its older name, NS."""

_IP_FLAGS: Final = {1: "MF", 2: "DF"}
_DEFAULT_TTL: Final = 64
_DEFAULT_ID: Final = 1


def scapy_code(fields: PacketFields) -> str:
    """Return Python code after which `packet` is a Scapy packet with the same octets."""
    few = minimal(fields)
    layers = list(_layers(few, build(replace(few, cut=None, trailer=b""))))
    if few.trailer and few.cut is None:
        layers.append(f"Padding({few.trailer!r})")
    names = [each.partition("(")[0] for each in layers]
    if few.cut is not None:
        names.append("Raw")
    lines = [
        f"from scapy.all import {', '.join(dict.fromkeys(names))}",
        f"packet = {' / '.join(layers)}",
    ]
    if few.cut is not None:
        rest = f" + {few.trailer!r}" if few.trailer else ""
        lines.append(f"packet = Raw(bytes(packet)[:{few.cut}]{rest})")
    return "\n".join(lines)


def _layers(few: PacketFields, octets: bytes) -> Iterator[str]:
    """Yield the call of each layer of the whole packet, whose octets are known."""
    at = 0
    if not few.bare:
        above = IpHeader.parse(octets)
        options = few.ip_options if few.words is not None else above.options
        between = few.extensions
        if few.version == 6:
            options = b""
        elif len(options) % 4:
            # Scapy would pad them.
            options, between = b"", options + between
        at = (V6.size if few.version == 6 else V4.size) + len(options) + len(between)
        values = _ip(few, above, options, followed=not between)
        yield _call("IP" if few.version == 4 else "IPv6", values)
        if between:
            yield f"Raw({between!r})"
    header, rest = _tcp(few), few.payload
    if "options" not in header and few.options:
        # Scapy would write other octets for a list of these.
        rest = few.options + rest
    if not _is_left_to_scapy(few):
        header["chksum"] = int.from_bytes(octets[at + CHECKSUM_AT : at + CHECKSUM_AT + 2], "big")
    yield _call("TCP", header)
    if rest:
        yield f"Raw({rest!r})"


def _ip(few: PacketFields, above: IpHeader, options: bytes, *, followed: bool) -> dict[str, Any]:
    """Return what is not Scapy's default in the IP header; `followed` by TCP itself or not."""
    protocol = TCP if followed else None
    found: dict[str, Any] = {"src": str(above.source), "dst": str(above.destination)}
    if few.version == 6:
        _put(found, "tc", few.tos, 0)
        _put(found, "fl", few.label, 0)
        _put(found, "plen", few.length, None)
        _put(found, "nh", few.protocol, protocol)
        _put(found, "hlim", few.ttl, _DEFAULT_TTL)
        return found
    _put(found, "ihl", few.words, None)
    _put(found, "tos", few.tos, 0)
    _put(found, "len", few.length, None)
    _put(found, "id", few.identification, _DEFAULT_ID)
    _put(found, "flags", _IP_FLAGS.get(few.ip_flags, few.ip_flags), 0)
    _put(found, "frag", few.fragment, 0)
    _put(found, "ttl", few.ttl, _DEFAULT_TTL)
    _put(found, "proto", few.protocol, protocol)
    if few.ip_checksum is not Checksum.RIGHT or few.words is not None:
        found["chksum"] = above.checksum
    if options:
        found["options"] = [options]
    return found


def _tcp(few: PacketFields) -> dict[str, Any]:
    """Return what is not Scapy's default in the TCP header, but for the checksum."""
    found: dict[str, Any] = {"sport": few.source.port, "dport": few.destination.port}
    _put(found, "seq", few.seq, 0)
    _put(found, "ack", few.ack, 0)
    options = Options(few.options)
    listed = [_as_scapy(each) for each in options]
    plain = not options.malformed and not len(few.options) % 4 and len(few.options) <= MAX_OCTETS
    offset = few.offset
    if few.options and not plain and offset is None:
        offset = 5 + -(-len(few.options) // 4)
    _put(found, "dataofs", offset, None)
    _put(found, "reserved", few.reserved, 0)
    found["flags"] = "".join(letter for flag, letter in _LETTERS if flag in few.flags) or 0
    found["window"] = few.window
    _put(found, "urgptr", few.urgent, 0)
    if few.options and plain:
        found["options"] = [each for several in listed for each in several]
    return found


def _as_scapy(option: Option) -> list[tuple[Any, Any]]:
    """Return an option as Scapy lists it."""
    number = int.from_bytes(option.data, "big")
    if option.problem is not None:
        return []
    match option.kind:
        case Kind.END:
            return [("EOL", None)] * len(option.raw)
        case Kind.NOP:
            return [("NOP", None)]
        case Kind.MSS:
            return [("MSS", number)]
        case Kind.WINDOW_SCALE:
            return [("WScale", number)]
        case Kind.SACK_PERMITTED:
            return [("SAckOK", b"")]
        case Kind.SACK:
            data = option.data
            edges = [int.from_bytes(data[at : at + 4], "big") for at in range(0, len(data), 4)]
            return [("SAck", tuple(edges))]
        case Kind.TIMESTAMPS:
            return [("Timestamp", (number >> 32, number & 0xFFFFFFFF))]
    return [(option.kind, option.data)]


def _is_left_to_scapy(few: PacketFields) -> bool:
    """Whether Scapy calculates the same TCP checksum."""
    plain = not (few.bare or few.extensions or (few.ip_options and few.version == 4))
    told = few.length is not None or few.words is not None
    return few.checksum is Checksum.RIGHT and plain and not told


def _put(found: dict[str, Any], name: str, value: object, default: object) -> None:
    if value != default:
        found[name] = value


def _call(name: str, values: dict[str, Any]) -> str:
    shown = (
        f"{key}=0x{value:04x}" if key == "chksum" else f"{key}={value!r}"
        for key, value in values.items()
    )
    return f"{name}({', '.join(shown)})"
