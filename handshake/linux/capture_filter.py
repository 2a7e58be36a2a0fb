"""Filters for captures: a few words of our own, and tcpdump's language where libpcap is there.

`host 192.0.2.7 and port 443`, `net 10.0.0.0/8`: these work on every interface. All else is compiled
by libpcap, which every tcpdump brings: for Ethernet, and for interfaces whose packets begin with an
IP header; the kernel takes the one that fits each packet.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import re
import struct
from ipaddress import IPv4Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final

from handshake.errors import UsageError
from handshake.linux import bpf

if TYPE_CHECKING:
    from ipaddress import IPv6Network

_WORDS: Final = re.compile(r"\s*(host|net|port)\s+(\S+)\s*")
_MOST: Final = 6
"""Words of our own that a program has room for."""

_ETHERNET: Final = 1
_RAW: Final = 12  # DLT_RAW of Linux
_INSTRUCTION: Final = struct.Struct("=HBBI")
_UNKNOWN_MASK: Final = 0xFFFFFFFF


def compiled(text: str | None, snap: int) -> bytes:
    """Return the kernel's program for a filter, which passes `snap` octets of each packet.

    Without one, and in our own words, it passes TCP segments and ICMP errors alone.

    Raises UsageError for a filter that cannot be understood.
    """
    if text is None or not text.strip():
        return bpf.watched((), (), snap)
    simple = _simple(text)
    if simple is not None:
        return bpf.watched(*simple, snap)
    ethernet = _by_libpcap(text, snap, _ETHERNET)
    try:
        raw = _by_libpcap(text, snap, _RAW)
    except UsageError:  # it names what Ethernet alone has, such as MAC addresses
        raw = bpf.NOTHING
    return bpf.by_link(ethernet, raw)


def _simple(text: str) -> tuple[list[IPv4Network | IPv6Network], list[int]] | None:
    """Return the networks and ports that all must match; None for another language."""
    networks: list[IPv4Network | IPv6Network] = []
    ports: list[int] = []
    for part in re.split(r"\s+and\s+", text.strip()):
        found = _WORDS.fullmatch(part)
        if found is None:
            return None
        kind, value = found.groups()
        try:
            if kind == "port":
                if not (value.isascii() and value.isdecimal() and int(value[:6]) <= 0xFFFF):
                    return None
                ports.append(int(value))
            elif kind == "host":
                networks.append(ip_network(ip_address(value)))
            else:
                networks.append(ip_network(value))
        except ValueError:  # a name, or half an address: libpcap knows it, or says what is wrong
            return None
    return (networks, ports) if len(networks) + len(ports) <= _MOST else None


class _Program(ctypes.Structure):
    """struct bpf_program."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


def _by_libpcap(text: str, snap: int, link: int) -> bytes:
    """Return what libpcap makes of a filter for a link type."""
    name = ctypes.util.find_library("pcap") or "libpcap.so.0.8"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        raise UsageError("watch.no-libpcap", text=text) from None
    library.pcap_open_dead.restype = ctypes.c_void_p
    library.pcap_geterr.restype = ctypes.c_char_p
    library.pcap_geterr.argtypes = library.pcap_close.argtypes = (ctypes.c_void_p,)
    library.pcap_compile.argtypes = (
        ctypes.c_void_p,
        ctypes.POINTER(_Program),
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_uint,
    )
    library.pcap_freecode.argtypes = (ctypes.POINTER(_Program),)
    handle = library.pcap_open_dead(link, snap)
    program = _Program()
    try:
        octets = text.encode("utf-8", "surrogateescape")
        if library.pcap_compile(handle, program, octets, 1, _UNKNOWN_MASK) != 0:
            why = library.pcap_geterr(handle).decode("utf-8", "replace")
            raise UsageError("watch.filter", text=text, why=why)
        size = program.length * _INSTRUCTION.size
        found = ctypes.string_at(program.instructions, size)
        library.pcap_freecode(program)
        return found
    finally:
        library.pcap_close(handle)
