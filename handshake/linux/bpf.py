"""Assembles classic BPF filters: which packets the kernel passes to a socket."""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.units import SYN_BIT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from ipaddress import IPv4Network, IPv6Network

SO_LOCK_FILTER: Final = 44
_SO_ATTACH_FILTER: Final = 26

# Operation codes, as linux/bpf_common.h composes them.
_LOAD_WORD: Final = 0x20  # A = the word at K
_LOAD_HALF: Final = 0x28
_LOAD_BYTE: Final = 0x30
_LOAD_HALF_X: Final = 0x48  # A = the half word at X + K
_LOAD_BYTE_X: Final = 0x50
_X_IS: Final = 0x01  # X = K
_X_IS_HEADER_LENGTH: Final = 0xB1  # X = 4 * (the low four bits of the octet at K)
_AND: Final = 0x54  # A = A & K
_GOTO: Final = 0x05
_IF_EQUAL: Final = 0x15
_IF_GREATER: Final = 0x25
_IF_AT_LEAST: Final = 0x35
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06

_PROTOCOL: Final = 0xFFFFF000  # SKF_AD_OFF + SKF_AD_PROTOCOL: the ether type, on any link
_WHOLE_PACKET: Final = 0xFFFF
_INSTRUCTION: Final = struct.Struct("=HBBI")


MOST_RANGES: Final = 50
"""A conditional jump reaches 255 instructions: this many ranges leave room for the rest."""


class _Op(NamedTuple):
    """One instruction. An empty label means the next instruction."""

    code: int
    k: int = 0
    yes: str = ""
    no: str = ""


def _assemble(*lines: str | _Op) -> bytes:
    """Return the program; a string is a label for the instruction after it."""
    places: dict[str, int] = {}
    program: list[_Op] = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(program)
        else:
            program.append(line)

    def reach(label: str, at: int) -> int:
        return places[label] - at - 1 if label else 0

    return b"".join(
        _INSTRUCTION.pack(op.code, 0, 0, op.k + reach(op.yes, at))
        if op.code == _GOTO
        else _INSTRUCTION.pack(op.code, reach(op.yes, at), reach(op.no, at), op.k)
        for at, op in enumerate(program)
    )


NOTHING: Final = _assemble(_Op(_RETURN, 0))
"""Pass no packet."""


def segments(ports: Collection[int], *, all_of_ours: bool = True) -> bytes:
    """Return a filter for TCP segments from or to `ports` and for ICMP errors, IPv4 and IPv6.

    Of segments from `ports` to other ports, it passes SYNs only unless `all_of_ours`. It expects
    packets as a packet socket of type SOCK_DGRAM has them: from the IP header on.
    """
    ranges = _ranges(ports)
    from_us = "take" if all_of_ours else "from-us"
    return _assemble(
        _Op(_LOAD_WORD, _PROTOCOL),
        _Op(_IF_EQUAL, 0x0800, yes="ipv4"),
        _Op(_IF_EQUAL, 0x86DD, yes="ipv6", no="drop"),
        "ipv4",
        _Op(_LOAD_HALF, 6),
        _Op(_IF_ANY_BIT, 0x1FFF, yes="fragment"),
        _Op(_X_IS_HEADER_LENGTH, 0),
        _Op(_LOAD_BYTE, 9),
        _Op(_IF_EQUAL, 6, yes="tcp"),
        _Op(_IF_EQUAL, 1, no="drop"),
        _Op(_LOAD_BYTE_X, 0),
        _Op(_IF_EQUAL, 3, yes="take"),  # destination unreachable
        _Op(_IF_EQUAL, 11, yes="take"),  # time exceeded
        _Op(_IF_EQUAL, 12, yes="take", no="drop"),  # parameter problem
        "fragment",  # a later fragment has no TCP header: take all
        _Op(_LOAD_BYTE, 9),
        _Op(_IF_EQUAL, 6, yes="take"),
        _Op(_IF_EQUAL, 1, yes="take", no="drop"),
        "ipv6",
        _Op(_X_IS, 40),
        _Op(_LOAD_BYTE, 6),
        _Op(_IF_EQUAL, 6, yes="tcp"),
        _Op(_IF_EQUAL, 58, yes="icmpv6"),
        # Extension headers are rare, and classic BPF cannot walk them: take all.
        _Op(_IF_EQUAL, 0, yes="take"),
        _Op(_IF_EQUAL, 43, yes="take"),
        _Op(_IF_EQUAL, 44, yes="take"),
        _Op(_IF_EQUAL, 60, yes="take", no="drop"),
        "icmpv6",
        _Op(_LOAD_BYTE, 40),
        _Op(_IF_GREATER, 4, yes="drop", no="take"),  # 1 to 4 are the errors
        "tcp",
        _Op(_LOAD_HALF_X, 2),
        *_in(ranges, "take", "not-to-us"),
        _Op(_LOAD_HALF_X, 0),
        *_in(ranges, from_us, "not-from-us"),
        _Op(_RETURN, 0),
        "from-us",
        _Op(_LOAD_BYTE_X, 13),
        _Op(_IF_ANY_BIT, SYN_BIT, yes="take"),
        "drop",
        _Op(_RETURN, 0),
        "take",
        _Op(_RETURN, _WHOLE_PACKET),
    )


_NET: Final = 0xFFF00000  # SKF_NET_OFF: from the IP header on, whatever the link layer
_HARDWARE: Final = 0xFFFFF000 + 28  # SKF_AD_OFF + SKF_AD_HATYPE: the kind of interface
_ARPHRD_ETHER, _ARPHRD_LOOPBACK = 1, 772
_LOADS: Final = frozenset(
    (_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, 0x40, _LOAD_HALF_X, _LOAD_BYTE_X, _X_IS_HEADER_LENGTH)
)
"""The instructions that read from the packet, 0x40 the word at X + K."""


def watched(
    networks: Sequence[IPv4Network | IPv6Network], ports: Sequence[int], snap: int
) -> bytes:
    """Return a filter for TCP segments and ICMP errors, of which `snap` octets are passed.

    Of segments either end must be in each of the networks, and either port each of the ports. ICMP
    errors, later fragments, and packets with IPv6 extension headers are passed by their addresses.
    """
    wrong = {4: any(each.version == 6 for each in networks)}
    wrong[6] = any(each.version == 4 for each in networks)
    return _assemble(
        _Op(_LOAD_WORD, _PROTOCOL),
        _Op(_IF_EQUAL, 0x0800, yes="drop" if wrong[4] else "ipv4"),
        _Op(_IF_EQUAL, 0x86DD, yes="drop" if wrong[6] else "ipv6"),
        _Op(_IF_EQUAL, 0x8100, yes="tagged", no="drop"),
        "ipv4",
        *(op for at, each in enumerate(networks) for op in _either_in(each, f"v4-{at}")),
        _Op(_LOAD_HALF, _NET + 6),
        _Op(_IF_ANY_BIT, 0x1FFF, yes="take"),
        _Op(_X_IS_HEADER_LENGTH, _NET),
        _Op(_LOAD_BYTE, _NET + 9),
        _Op(_IF_EQUAL, 6, yes="tcp"),
        _Op(_IF_EQUAL, 1, yes="take", no="drop"),
        "ipv6",
        *(op for at, each in enumerate(networks) for op in _either_in(each, f"v6-{at}")),
        _Op(_X_IS, 40),
        _Op(_LOAD_BYTE, _NET + 6),
        _Op(_IF_EQUAL, 6, yes="tcp"),
        _Op(_IF_EQUAL, 58, no="extended"),
        _Op(_LOAD_BYTE, _NET + 40),
        _Op(_IF_GREATER, 4, yes="drop", no="take"),  # 1 to 4 are the errors
        "extended",
        _Op(_IF_EQUAL, 0, yes="options"),
        _Op(_IF_EQUAL, 43, yes="take"),
        _Op(_IF_EQUAL, 44, yes="take"),
        _Op(_IF_EQUAL, 60, yes="take", no="drop"),
        "options",
        _Op(_LOAD_BYTE, _NET + 40),
        _Op(_IF_EQUAL, 58, yes="drop", no="take"),  # multicast listener reports
        "tcp",
        *(op for at, each in enumerate(ports) for op in _either_port(each, f"port-{at}")),
        _Op(_GOTO, yes="take"),
        "tagged",
        # Seldom: most drivers take VLAN tags off.
        _Op(_RETURN, 0 if networks or ports else snap),
        "drop",
        _Op(_RETURN, 0),
        "take",
        _Op(_RETURN, snap),
    )


def by_link(ethernet: bytes, raw: bytes) -> bytes:
    """Return a filter of two: one for Ethernet and loopback, one for all other interfaces.

    `raw` expects packets from their IP header on, wherever the link layer puts that.
    """
    choice = _assemble(
        _Op(_LOAD_WORD, _HARDWARE),
        _Op(_IF_EQUAL, _ARPHRD_ETHER, yes="ethernet"),
        _Op(_IF_EQUAL, _ARPHRD_LOOPBACK, yes="ethernet", no="raw"),
        "raw",
        _Op(_GOTO, len(ethernet) // _INSTRUCTION.size),
        "ethernet",
    )
    behind = (
        (code, yes, no, _NET + k if code in _LOADS else k)
        for code, yes, no, k in _INSTRUCTION.iter_unpack(raw)
    )
    return choice + ethernet + b"".join(_INSTRUCTION.pack(*each) for each in behind)


def _either_in(network: IPv4Network | IPv6Network, name: str) -> Iterator[_Op | str]:
    """Yield instructions that go on if source or destination is in a network, else drop."""
    words = network.network_address.packed
    masks = network.netmask.packed
    first = 12 if network.version == 4 else 8
    for end in range(2):
        missed = "drop" if end else f"{name}-destination"
        for at in range(0, len(words), 4):
            mask = int.from_bytes(masks[at : at + 4], "big")
            if mask:
                yield _Op(_LOAD_WORD, _NET + first + end * len(words) + at)
                yield _Op(_AND, mask)
                yield _Op(_IF_EQUAL, int.from_bytes(words[at : at + 4], "big"), no=missed)
        if not end:
            yield _Op(_GOTO, yes=f"{name}-in")
            yield f"{name}-destination"
    yield f"{name}-in"


def _either_port(port: int, name: str) -> Iterator[_Op | str]:
    """Yield instructions that go on if either port is this one, else drop."""
    yield _Op(_LOAD_HALF_X, _NET)
    yield _Op(_IF_EQUAL, port, yes=name)
    yield _Op(_LOAD_HALF_X, _NET + 2)
    yield _Op(_IF_EQUAL, port, no="drop")
    yield name


def _ranges(ports: Collection[int]) -> list[tuple[int, int]]:
    """Return first and last port of each run; if there are too many, join the nearest."""
    found: list[tuple[int, int]] = []
    for port in sorted(ports):
        if found and port == found[-1][1] + 1:
            found[-1] = (found[-1][0], port)
        else:
            found.append((port, port))
    while len(found) > MOST_RANGES:
        at = min(range(1, len(found)), key=lambda each: found[each][0] - found[each - 1][1])
        found[at - 1 : at + 1] = [(found[at - 1][0], found[at][1])]
    return found


def _in(ranges: list[tuple[int, int]], label: str, otherwise: str) -> Iterator[_Op | str]:
    """Yield instructions that jump to `label` if A is in one of the ranges, else to `otherwise`."""
    for first, last in ranges:
        if first == last:
            yield _Op(_IF_EQUAL, first, yes=label)
        else:
            # The ranges are in order: a port below this one is in none of the rest.
            yield _Op(_IF_AT_LEAST, first, no=otherwise)
            yield _Op(_IF_GREATER, last, no=label)
    yield otherwise


def attach(sock: socket.socket, program: bytes) -> None:
    """Attach the program to a socket: the kernel runs it on every packet for that socket."""
    octets = ctypes.create_string_buffer(program)
    count = len(program) // _INSTRUCTION.size
    # struct sock_fprog: count and address; the kernel copies the program before it returns.
    found = struct.pack("HP", count, ctypes.addressof(octets))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, found)


def lock(sock: socket.socket) -> None:
    """Forbid this process, and all that it becomes, to change the socket's filter (Linux 3.9)."""
    sock.setsockopt(socket.SOL_SOCKET, SO_LOCK_FILTER, 1)
