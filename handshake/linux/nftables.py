"""An nftables table that a socket of ours owns, set up over netlink.

The kernel removes an owned table when the socket closes: however the process ends, no rule is
left behind (linux/netfilter/nf_tables.h, NFT_TABLE_F_OWNER).
"""

from __future__ import annotations

import os
import secrets
import socket
import struct
from typing import Final

_NETLINK_NETFILTER: Final = 12
_MESSAGE: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NUMBER: Final = struct.Struct("!I")  # nftables uses network byte order

_ERROR: Final = 2
_REQUEST, _ACK, _CREATE, _APPEND = 0x1, 0x4, 0x400, 0x800
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_NFTABLES: Final = 10
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE = (_NFTABLES << 8 | each for each in (0, 3, 6))
_NESTED: Final = 0x8000

_OWNER: Final = 0x2
_LOCAL_IN: Final = 1
_RAW: Final = -300  # before the host's own rules, after connection tracking
_ACCEPT, _DROP = 1, 0
_VERDICT_REGISTER, _REGISTER = 0, 1
_L4PROTO: Final = 16
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_DESTINATION: Final = {socket.AF_INET: (16, 4), socket.AF_INET6: (24, 16)}
"""Offset and length of the destination in the IP header."""


def drop_segments_to(address: bytes, port: int, family: int) -> socket.socket:
    """Drop all segments to this address and port; return the socket that owns the rule.

    The rule goes when the socket is closed. Raises OSError if the kernel refuses.
    """
    owner = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    try:
        owner.bind((0, 0))
        owner.sendto(_batch(address, port, family), (0, 0))
        _raise_errors(owner)
    except BaseException:
        owner.close()
        raise
    return owner


def _batch(address: bytes, port: int, family: int) -> bytes:
    table = _text(1, f"handshake-{os.getpid()}-{port}-{secrets.token_hex(4)}")
    hook = _nest(4, _number(1, _LOCAL_IN), _number(2, _RAW & 0xFFFFFFFF))
    chain = (_text(3, "input"), hook, _number(5, _ACCEPT), _text(7, "filter"))
    offset, length = _DESTINATION[socket.AddressFamily(family)]
    rule = _nest(
        4,
        _expression("meta", _number(1, _REGISTER), _number(2, _L4PROTO)),
        _equal(bytes((socket.IPPROTO_TCP,))),
        _load(_NETWORK_HEADER, offset, length),
        _equal(address),
        _load(_TRANSPORT_HEADER, 2, 2),
        _equal(port.to_bytes(2, "big")),
        _expression("immediate", _number(1, _VERDICT_REGISTER), _nest(2, _drop())),
    )
    return b"".join(
        (
            _message(_BATCH_BEGIN, 0, socket.AF_UNSPEC, b"", _NFTABLES),
            _message(_NEW_TABLE, _CREATE | _ACK, family, table + _number(2, _OWNER)),
            _message(_NEW_CHAIN, _CREATE | _ACK, family, table + b"".join(chain)),
            _message(_NEW_RULE, _CREATE | _APPEND | _ACK, family, table + _text(2, "input") + rule),
            _message(_BATCH_END, 0, socket.AF_UNSPEC, b"", _NFTABLES),
        )
    )


def _raise_errors(owner: socket.socket) -> None:
    """Read the kernel's reply to each message: they are all there once the batch is sent."""
    while True:
        try:
            octets = owner.recv(0xFFFF, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        at = 0
        while at + _MESSAGE.size <= len(octets):
            length, kind, *_ = _MESSAGE.unpack_from(octets, at)
            if kind == _ERROR:
                (number,) = struct.unpack_from("=i", octets, at + _MESSAGE.size)
                if number:
                    raise OSError(-number, os.strerror(-number))
            at += max(_MESSAGE.size, length + -length % 4)


def _message(kind: int, flags: int, family: int, body: bytes, resource: int = 0) -> bytes:
    # struct nfgenmsg: family, version 0, and a resource id in network byte order.
    body = struct.pack("!BBH", family, 0, resource) + body
    return _MESSAGE.pack(_MESSAGE.size + len(body), kind, _REQUEST | flags, 0, 0) + body


def _attribute(kind: int, body: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(body)
    return _ATTRIBUTE.pack(length, kind) + body + bytes(-length % 4)


def _nest(kind: int, *parts: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(parts))


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, _NUMBER.pack(value))


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _expression(name: str, *data: bytes) -> bytes:
    return _nest(1, _text(1, name), _nest(2, *data))


def _load(base: int, offset: int, length: int) -> bytes:
    where = (_number(2, base), _number(3, offset), _number(4, length))
    return _expression("payload", _number(1, _REGISTER), *where)


def _equal(value: bytes) -> bytes:
    return _expression("cmp", _number(1, _REGISTER), _number(2, 0), _nest(3, _attribute(1, value)))


def _drop() -> bytes:
    return _nest(2, _number(1, _DROP))
