"""What is wrong with a packet, and at which octet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.crafter.problem import Problem
from handshake.packet.ip_header import LEAST_WORDS, V4, V6
from handshake.tcp import Flags, Kind
from handshake.tcp.checksum import Checksum
from handshake.tcp.segment import HEADER
from handshake.units import TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.crafter.decoded import Decoded
    from handshake.packet.ip_header import IpHeader
    from handshake.tcp import Option

# Offsets of fields in their headers.
_IP_LENGTH, _IP_FLAGS, _IP_CHECKSUM = 2, 6, 10
_IP_PROTOCOL: Final = {4: 9, 6: 6}
_ACK, _OFFSET, _FLAGS, _TCP_CHECKSUM, _URGENT = 8, 12, 13, 16, 18

_EVIL: Final = 4
_LARGEST_SHIFT: Final = 14
"""The largest window shift (RFC 7323 section 2.3)."""

_SYN_ONLY: Final = (Kind.MSS, Kind.WINDOW_SCALE, Kind.SACK_PERMITTED)
_CONTRADICTIONS: Final = (
    Flags.SYN | Flags.FIN,
    Flags.SYN | Flags.RST,
    Flags.FIN | Flags.RST,
)


def problems(found: Decoded) -> tuple[Problem, ...]:
    """Return what is wrong with a packet, in the order of its octets."""
    of_ip = [] if found.ip is None else list(_of_ip(found, found.ip))
    if any(each.code == "cut-ip" for each in of_ip):
        return tuple(of_ip)  # nothing else of it is there
    both = [*of_ip, *_of_tcp(found), *_of_end(found)]
    return tuple(sorted(both, key=lambda each: each.at))


def _of_ip(found: Decoded, above: IpHeader) -> Iterator[Problem]:
    begin = found.ip_at
    there = len(found.octets) - begin
    fixed = V4.size if above.version == 4 else V6.size
    if there < fixed:
        yield Problem("cut-ip", len(found.octets), "ip", {"size": fixed, "there": there})
        return
    if above.version == 4:
        if above.words < LEAST_WORDS:
            yield Problem("ip-words", begin, "ip", {"words": above.words})
        if above.length < above.words * 4:
            yield Problem("ip-length", begin + _IP_LENGTH, "ip", {"length": above.length})
        if above.flags & _EVIL:
            yield Problem("ip-reserved", begin + _IP_FLAGS, "ip")
        if above.is_fragment:
            values = {"offset": above.fragment * 8}
            yield Problem("fragment", begin + _IP_FLAGS, "ip", values, wrong=False)
        right = above.right_checksum
        # All ones and all zeros are the same number to a receiver.
        if there >= fixed + len(above.options) and (above.checksum - right) % 0xFFFF:
            values = {"found": above.checksum, "right": right}
            code = "ip-checksum" if above.checksum else "ip-checksum-zero"
            at = begin + _IP_CHECKSUM
            yield Problem(code, at, "ip", values, wrong=bool(above.checksum))
    if above.protocol != TCP and not above.extensions:
        values = {"protocol": above.protocol}
        yield Problem("protocol", begin + _IP_PROTOCOL[above.version], "ip", values)


def _of_tcp(found: Decoded) -> Iterator[Problem]:
    at, seg = found.at, found.segment
    there = found.captured
    if there < HEADER.size:
        yield Problem("cut-tcp", at + there, "end", {"there": there})
        return
    size = seg.data_offset * 4
    values: dict[str, object] = {"offset": seg.data_offset, "size": size}
    if size < HEADER.size:
        yield Problem("offset-below", at + _OFFSET, "data_offset", values)
    elif size > found.end - at:
        values["length"] = found.end - at
        yield Problem("offset-beyond", at + _OFFSET, "data_offset", values)
    elif size > there:
        yield Problem("cut-options", at + there, "options", values | {"there": there})
    if seg.reserved:
        yield Problem("reserved", at + _OFFSET, "reserved", {"bits": seg.reserved})
    yield from _of_flags(found)
    if found.checksum in (Checksum.WRONG, Checksum.PARTIAL):
        values = {"found": seg.checksum, "right": found.right_checksum}
        partial = found.checksum is Checksum.PARTIAL
        code = "checksum-partial" if partial else "checksum"
        yield Problem(code, at + _TCP_CHECKSUM, "checksum", values, wrong=not partial)
    elif found.checksum is Checksum.UNKNOWN:
        code = "checksum-addresses" if found.ip is None else "checksum-unknown"
        yield Problem(code, at + _TCP_CHECKSUM, "checksum", wrong=False)
    yield from _of_options(found)


def _of_flags(found: Decoded) -> Iterator[Problem]:
    at, flags, seg = found.at + _FLAGS, found.segment.flags, found.segment
    bad = next((each for each in _CONTRADICTIONS if each in flags), None)
    if bad is not None:
        yield Problem("flags", at, "flags", {"flags": bad})
    elif not flags & (Flags.SYN | Flags.ACK | Flags.RST | Flags.FIN):
        yield Problem("flags-none", at, "flags", {"flags": flags})
    elif flags & Flags.FIN and seg.ack is None:
        yield Problem("flags-fin", at, "flags")
    if seg.ack_field and seg.ack is None and not seg.rst:
        values = {"ack": seg.ack_field}
        yield Problem("ack-unused", found.at + _ACK, "ack", values, wrong=False)
    if seg.urgent and Flags.URG not in flags:
        values = {"urgent": seg.urgent}
        yield Problem("urgent-unused", found.at + _URGENT, "urgent", values, wrong=False)


def _of_options(found: Decoded) -> Iterator[Problem]:
    seg, at = found.segment, found.at + HEADER.size
    seen: set[int] = set()
    for option in seg.options:
        if option.problem is None:
            yield from _of_option(option, at, seen, syn=seg.syn)
        elif not seg.cut:
            values = {"name": option.name, "kind": option.kind, "why": option.problem}
            yield Problem("option", at, "options", values)
        at += len(option.raw)


def _of_option(option: Option, at: int, seen: set[int], *, syn: bool) -> Iterator[Problem]:
    values = {"name": option.name, "kind": option.kind}
    if option.kind in _SYN_ONLY and not syn:
        yield Problem("option-without-syn", at, "options", values)
    if option.kind in seen and option.kind not in (Kind.NOP, Kind.MPTCP):
        yield Problem("option-twice", at, "options", values)
    seen.add(option.kind)
    if option.kind == Kind.WINDOW_SCALE and option.data[0] > _LARGEST_SHIFT:
        yield Problem("shift", at + 2, "options", {"shift": option.data[0]})


def _of_end(found: Decoded) -> Iterator[Problem]:
    if found.end > len(found.octets) and found.ip is not None:
        values = {"said": found.end - found.ip_at, "there": len(found.octets) - found.ip_at}
        yield Problem("cut", len(found.octets), "end", values)
    if found.trailer:
        values = {"length": len(found.trailer), "zeros": not any(found.trailer)}
        yield Problem("trailer", found.end, "end", values, wrong=False)
