"""What the kernel's tables say about an address: next hop, neighbour, whether it is local."""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import suppress
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.linux.sockaddr import family, sockaddr
from handshake.tcp.address import ip_address
from handshake.units import TCP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.packet.checksum import Address

# rtnetlink (RFC 3549), which needs no privilege: <linux/netlink.h>.
_MESSAGE: Final = struct.Struct("=IHHII")
_ATTRIBUTE: Final = struct.Struct("=HH")
_NUMBER: Final = struct.Struct("=I")

_REQUEST: Final = 0x1
_ACKNOWLEDGE, _DUMP, _CREATE = 0x4, 0x300, 0x400
_MESSAGE_ERROR, _MESSAGE_DONE = 2, 3

# <linux/rtnetlink.h>, <linux/if_addr.h>, <linux/neighbour.h>, <linux/if.h>
_GET_LINK, _GET_ADDRESS, _GET_ROUTE, _GET_NEIGHBOUR, _GET_RULE = 18, 22, 26, 30, 34
_NEW_NEIGHBOUR: Final = 28

_ROUTE: Final = struct.Struct("=BBBBBBBBI")
_ROUTE_KIND: Final = 7
_LOCAL, _BROADCAST = 2, 3  # RTN_LOCAL, RTN_BROADCAST
_DESTINATION, _SOURCE, _OUT, _GATEWAY, _PREFERRED_SOURCE, _METRICS, _VIA = 1, 2, 4, 5, 7, 8, 18
_USER, _PROTOCOL, _SOURCE_PORT, _DESTINATION_PORT = 25, 27, 28, 29
_METRIC_MTU: Final = 2
_TOS: Final = {4: 0x1C, 6: 0xFF}
"""The bits of the type of service by which a route can be chosen, by version of IP."""

# <linux/fib_rules.h>: every system has rules that name a table only.
_PLAIN: Final = frozenset({1, 6, 14, 15, 18, 21})  # destination, priority, table, its author
_BY_USER, _BY_PROTOCOL, _BY_SOURCE_PORT, _BY_PORT = 20, 22, 23, 24

_ADDRESS: Final = struct.Struct("=BBBBI")
_PEER_ADDRESS, _LOCAL_ADDRESS = 1, 2
"""On a point-to-point link IPv4 has both; elsewhere there may be only the first."""

_NEIGHBOUR: Final = struct.Struct("=BxxxiHBB")
_UNRESOLVED: Final = 0x01 | 0x20  # NUD_INCOMPLETE, NUD_FAILED
_NEIGHBOUR_MAC: Final = 2
_USE: Final = 0x01  # NTF_USE

_LINK: Final = struct.Struct("=BxHiII")
_LINK_NAME: Final = 3
_UP, _NO_ARP, _LOWER_UP = 0x1, 0x80, 0x10000

_LIMITED_BROADCAST: Final = IPv4Address(0xFFFFFFFF)


class Selector(NamedTuple):
    """What a policy rule can select packets of ours by, other than their destination."""

    source: Address | None = None
    """Our address; None before it is chosen."""

    interface: str | None = None
    """The outgoing interface that the socket is bound to."""

    source_port: int = 0
    port: int = 0
    """The destination port. 0 stands for one that is not known yet, as it does for the kernel."""

    tos: int = 0
    """The type of service, or traffic class."""

    user: int | None = None
    """The user whose socket it is; None for the current one."""


class Hop(NamedTuple):
    """How packets to an address leave this machine."""

    gateway: Address | None
    """The router they are sent to; None if the address is on a local link."""

    interface: str
    """The outgoing interface."""

    local: bool
    """Whether the address is one of this machine's, so that they do not leave it."""

    broadcast: bool
    """Whether the address is a broadcast address of a link."""

    source: Address | None = None
    """The source address that the kernel prefers; None if one was given."""

    mtu: int | None = None
    """The MTU that the route itself has, in octets; None if it is that of the interface."""


class Rules(NamedTuple):
    """What the policy rules of this machine select by (ip-rule(8))."""

    plain: bool
    """Whether they depend on the destination alone, as without any rules of the administrator."""

    user: bool
    """Whether one depends on the user."""

    transport: bool
    """Whether one depends on the protocol above IP, or on ports."""


def next_hop(address: Address, flow: Selector = Selector()) -> Hop:  # noqa: B008 - it is immutable
    """Return the next hop of TCP segments to this address.

    Raises OSError if there is no route, or the kernel does not answer.
    """
    source = flow.source
    wanted = _attribute(_DESTINATION, address.packed) + _attribute(_PROTOCOL, bytes((TCP,)))
    if source is not None:
        wanted += _attribute(_SOURCE, source.packed)
    scope = sockaddr(address)[-1] if address.version == 6 else 0
    out = int(scope) if flow.interface is None else socket.if_nametoindex(flow.interface)
    if out:
        wanted += _attribute(_OUT, _number(out))
    if flow.user is not None:
        wanted += _attribute(_USER, _number(flow.user))
    for kind, port in ((_SOURCE_PORT, flow.source_port), (_DESTINATION_PORT, flow.port)):
        if port:
            wanted += _attribute(kind, port.to_bytes(2, "big"))
    bits = 8 * len(address.packed)
    of_source = 0 if source is None else bits
    tos = flow.tos & _TOS[address.version]
    route = _ROUTE.pack(family(address), bits, of_source, tos, 0, 0, 0, 0, 0)
    (answer,) = _ask(_GET_ROUTE, route + wanted)
    found = _attributes(answer, _ROUTE.size)
    router = None
    if _GATEWAY in found:
        router = ip_address(found[_GATEWAY])
    elif _VIA in found:  # a gateway of the other IP version: two octets name its family
        router = ip_address(found[_VIA][2:])
    index = int.from_bytes(found.get(_OUT, b""), sys.byteorder)
    kind = _ROUTE.unpack_from(answer)[_ROUTE_KIND]
    name = socket.if_indextoname(index) if index else ""
    preferred = found.get(_PREFERRED_SOURCE)
    metrics = _attributes(found.get(_METRICS, b""), 0)
    return Hop(
        router,
        name,
        kind == _LOCAL,
        kind == _BROADCAST,
        None if preferred is None else ip_address(preferred),
        int.from_bytes(metrics.get(_METRIC_MTU, b""), sys.byteorder) or None,
    )


def gateway(address: Address, flow: Selector) -> Address | None:
    """Return the router that packets to this address are sent to; None if none is known."""
    try:
        return next_hop(address, flow).gateway
    except OSError:  # the route is gone, or the kernel does not answer
        return None


def rules(version: int) -> Rules:
    """Return what the policy rules of an IP version select by.

    Where the kernel does not answer, or has no such rules, they are plain.
    """
    of = socket.AF_INET if version == 4 else socket.AF_INET6
    kinds: set[int] = set()
    plain = True
    with suppress(OSError):
        for each in _ask(_GET_RULE, _ROUTE.pack(of, 0, 0, 0, 0, 0, 0, 0, 0), dump=True):
            _, _, _, tos, *_ = _ROUTE.unpack_from(each)
            found = _attributes(each, _ROUTE.size)
            plain = plain and not tos and _PLAIN.issuperset(found)
            kinds.update(found)
    transport = not kinds.isdisjoint((_BY_PROTOCOL, _BY_SOURCE_PORT, _BY_PORT))
    return Rules(plain, _BY_USER in kinds, transport)


def unresolved_neighbour(address: Address, flow: Selector) -> Address | None:
    """Return the neighbour that does not answer ARP or neighbour discovery (RFC 826, RFC 4861).

    It is the address itself, or the gateway to it. None if it is resolved, if the kernel has not
    tried to resolve it, or does not answer.
    """
    try:
        hop = next_hop(address, flow)
        neighbour = hop.gateway or address
        state, _ = _neighbour(neighbour, hop.interface)
    except OSError:
        return None
    return neighbour if state & _UNRESOLVED else None


def neighbour_mac(neighbour: Address, interface: str) -> bytes | None:
    """Return the link-layer address of a neighbour; None if it is not resolved.

    It is empty on a link that has no such addresses. Raises OSError if there is no such interface.
    """
    if _interface_flags()[interface] & _NO_ARP:
        return b""
    try:
        state, mac = _neighbour(neighbour, interface)
    except OSError:  # the kernel has not tried to resolve it
        return None
    return mac if mac and not state & _UNRESOLVED else None


def resolve(neighbour: Address, interface: str) -> bool:
    """Let the kernel resolve a neighbour; return whether it does, which needs CAP_NET_ADMIN."""
    index = socket.if_nametoindex(interface)
    request = _NEIGHBOUR.pack(family(neighbour), index, 0, _USE, 0)
    try:
        wanted = request + _attribute(_DESTINATION, neighbour.packed)
        for _ in _ask(_NEW_NEIGHBOUR, wanted, flags=_ACKNOWLEDGE | _CREATE):
            pass
    except OSError:
        return False
    return True


def _neighbour(neighbour: Address, interface: str) -> tuple[int, bytes]:
    """Return the state of a neighbour, and its link-layer address if there is one."""
    index = socket.if_nametoindex(interface)
    request = _NEIGHBOUR.pack(family(neighbour), index, 0, 0, 0)
    (answer,) = _ask(_GET_NEIGHBOUR, request + _attribute(_DESTINATION, neighbour.packed))
    mac = _attributes(answer, _NEIGHBOUR.size).get(_NEIGHBOUR_MAC, b"")
    return _NEIGHBOUR.unpack_from(answer)[2], mac


def is_local(address: Address) -> bool:
    """Whether packets to the address stay on this machine, as for all of 127.0.0.0/8."""
    with suppress(OSError):
        return next_hop(address).local
    return False


def is_own_address(address: Address) -> bool:
    """Whether an interface of this machine has the address, or a local route covers it.

    Binding a socket does not tell, with net.ipv4.ip_nonlocal_bind. Raises OSError if the kernel
    does not answer.
    """
    packed = address.packed
    for answer in _ask(_GET_ADDRESS, _ADDRESS.pack(family(address), 0, 0, 0, 0), dump=True):
        found = _attributes(answer, _ADDRESS.size)
        if found.get(_LOCAL_ADDRESS, found.get(_PEER_ADDRESS)) == packed:
            return True
    return is_local(address)


def is_valid_source(address: Address) -> bool:
    """Whether a packet may have this source address at all: whether it is unicast."""
    return not (address.is_multicast or address.is_unspecified or address == _LIMITED_BROADCAST)


def interfaces_down() -> list[str]:
    """Return the names of the interfaces that are down, those without ARP left out.

    Raises OSError if the kernel does not answer.
    """
    return [name for name, flags in _interface_flags().items() if not flags & (_UP | _NO_ARP)]


def interfaces_without_carrier() -> list[str]:
    """Return the names of the interfaces that are up and have no carrier."""
    return [
        name for name, flags in _interface_flags().items() if flags & _UP and not flags & _LOWER_UP
    ]


def _interface_flags() -> dict[str, int]:
    found = {}
    for link in _ask(_GET_LINK, _LINK.pack(0, 0, 0, 0, 0), dump=True):
        name = _attributes(link, _LINK.size)[_LINK_NAME].rstrip(b"\0").decode("utf-8", "replace")
        found[name] = _LINK.unpack_from(link)[3]
    return found


def _ask(kind: int, body: bytes, *, dump: bool = False, flags: int = 0) -> Iterator[bytes]:
    """Yield the body of each reply to one request. Raises OSError if the kernel refuses."""
    flags |= _REQUEST | (_DUMP if dump else 0)
    request = _MESSAGE.pack(_MESSAGE.size + len(body), kind, flags, 0, 0) + body
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.sendto(request, (0, 0))
        while True:
            octets, at = kernel.recv(0xFFFF), 0
            while at + _MESSAGE.size <= len(octets):
                length, answer, *_ = _MESSAGE.unpack_from(octets, at)
                found = octets[at + _MESSAGE.size : at + length]
                if answer == _MESSAGE_DONE:
                    return
                if answer == _MESSAGE_ERROR:
                    _raise(found)
                yield found
                at += max(_MESSAGE.size, length + -length % 4)
            if not dump:
                return


def _attribute(kind: int, value: bytes) -> bytes:
    """Return an attribute for the body of a request."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(-length % 4)


def _number(value: int) -> bytes:
    """Return a number as an attribute holds it."""
    return _NUMBER.pack(value)


def _attributes(body: bytes, at: int) -> dict[int, bytes]:
    """Return the attributes in a body, from the offset `at` on, by kind."""
    found = {}
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += max(_ATTRIBUTE.size, length + -length % 4)
    return found


def _raise(body: bytes) -> None:
    (code,) = struct.unpack_from("=i", body)
    if code:
        raise OSError(-code, os.strerror(-code))
