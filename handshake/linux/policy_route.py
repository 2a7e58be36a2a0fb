"""Routes that policy rules choose: packets that we build leave as those of connect() would.

A raw socket sends by a route lookup of its own, which knows our source address, protocol and ports
only if it is told, and never the ports. Where a rule asks for them, and chooses another way than
the raw socket would, the packet is handed to the outgoing interface: past the local firewall.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from handshake.errors import ConnectError
from handshake.linux.next_hop import Hop, Selector, neighbour_mac, next_hop, resolve, rules
from handshake.linux.sockaddr import LINK, family, sockaddr
from handshake.packet.checksum import internet_checksum
from handshake.tcp.address import ip_address
from handshake.units import TCP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handshake.packet.checksum import Address

_IP_PROTOCOL: Final = 52
_IP_PKTINFO: Final = 8
_IN_PKTINFO: Final = struct.Struct("=i4s4x")
_IN6_PKTINFO: Final = struct.Struct("=16si")
_SIOCGIFMTU: Final = 0x8921
_INTERFACE_MTU: Final = struct.Struct("=16si20x")
_NUMBER: Final = struct.Struct("=i")

_TELLS_PROTOCOL: Final = (6, 4)
"""Since this version of Linux, a raw socket can be told the protocol to find a route for."""

_DISCARD: Final = 9
_ETHERTYPE: Final = {4: 0x0800, 6: 0x86DD}
_RESOLUTION: Final = 0.05
"""Seconds to wait for ARP or neighbour discovery: after that the packet counts as lost."""


@dataclass(frozen=True, slots=True)
class PolicyRoute:
    """How segments of one flow leave, by the policy rules of this machine."""

    address: Address
    hop: Hop
    source: Address
    """Our address on this route, with its scope if it needs one."""

    mtu: int
    """The largest packet on this path, in octets."""

    to: tuple[Any, ...]
    """The address, as a raw socket expects it."""

    control: tuple[tuple[int, int, bytes], ...]
    """What a raw socket must be told to choose this route."""

    forced: bool
    """Whether a raw socket would choose another way."""

    exact: bool = False
    """Whether packets go to the interface as they are: a raw socket would mend an IPv4 header."""

    def send(self, octets: bytes, senders: Mapping[int, socket.socket]) -> None:
        """Send a packet. Raises OSError if the kernel refuses."""
        version = self.address.version
        if not (self.forced or self.exact):
            senders[version].sendmsg([octets], self.control, 0, self.to)
            return
        mac = self._neighbour()
        if mac is None:  # lost, as in the kernel's queue: it is retransmitted
            return
        if version == 4 and not self.exact:
            check = internet_checksum(octets[:10] + bytes(2) + octets[12:20])
            octets = octets[:10] + check.to_bytes(2, "big") + octets[12:]
        place = (self.hop.interface, _ETHERTYPE[version], 0, 0, mac)
        senders[LINK].sendto(octets, place)

    def _neighbour(self) -> bytes | None:
        """Return the link-layer address of the next hop; None if it is not resolved in time."""
        neighbour, interface = self.hop.gateway or self.address, self.hop.interface
        mac = neighbour_mac(neighbour, interface)
        if mac is not None:
            return mac
        if not resolve(neighbour, interface):
            _provoke(neighbour, interface)
        until = time.monotonic() + _RESOLUTION
        while mac is None and time.monotonic() < until:
            time.sleep(0.001)
            mac = neighbour_mac(neighbour, interface)
        return mac


def _provoke(neighbour: Address, interface: str) -> None:
    """Let the kernel resolve a neighbour by a datagram to it, which needs no privilege."""
    with suppress(OSError), socket.socket(family(neighbour), socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        to = sockaddr(neighbour, _DISCARD)
        if neighbour.version == 6 and neighbour.is_link_local:
            to = (*to[:-1], socket.if_nametoindex(interface))
        sock.sendto(b"", to)


def policy_route(address: Address, flow: Selector, source_port: int = 0) -> PolicyRoute:
    """Return the route of a flow, found as connect() finds it. Raises OSError if there is none.

    The source and the source port of the flow are those that were asked for. `source_port` is the
    one that was chosen, if none was.
    """
    found = _first_hop(address, flow)
    source = flow.source if flow.source is not None else _scoped(found)
    if source is None:
        raise ConnectError("send.no-source", errno="EADDRNOTAVAIL", down=())
    if address.version == 4:
        # IPv4 looks it up again with the source that was found, and our port; IPv6 keeps it.
        flow = flow._replace(source=source, source_port=flow.source_port or source_port)
        found = _hop(address, flow)
    control, to = _control(flow, address.version), sockaddr(address)
    forced = False
    if rules(address.version).transport and not (found.local or found.broadcast):
        forced = not _kernel_at_least(*_TELLS_PROTOCOL)
        if not forced:
            raw = _hop_of_raw(address, flow)
            forced = raw is None or (raw.interface, raw.gateway) != (found.interface, found.gateway)
            if address.version == 4:
                control = (*control, (socket.IPPROTO_IP, _IP_PROTOCOL, _NUMBER.pack(TCP)))
            else:
                to = (to[0], TCP, *to[2:])
    return PolicyRoute(address, found, source, _mtu(found, address), to, control, forced)


def _first_hop(address: Address, flow: Selector) -> Hop:
    try:
        return _hop(address, flow)
    except OSError:
        if address.version == 4 or flow.source is not None:
            raise
        # Where all routes are for certain sources, IPv6 chooses the source before the route.
        with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            sock.connect(sockaddr(address, _DISCARD))
            source = ip_address(sock.getsockname()[0])
            return _hop(address, flow._replace(source=source))._replace(source=source)
        raise


def _hop(address: Address, flow: Selector) -> Hop:
    found = next_hop(address, flow)
    if address.version == 6 and flow.interface and found.interface != flow.interface:
        # A bound socket uses no route through another interface, and netlink knows no socket.
        return next_hop(address, flow._replace(source=None))
    return found


def _hop_of_raw(address: Address, flow: Selector) -> Hop | None:
    """Return the next hop that a raw socket would use; None if it would not send."""
    with suppress(OSError):
        return _hop(address, flow._replace(port=0, source_port=0))
    return None


def _scoped(hop: Hop) -> Address | None:
    """Return the source address that the kernel prefers, with the scope that it may need."""
    if hop.source is not None and hop.source.version == 6 and hop.source.is_link_local:
        return ip_address(f"{hop.source}%{hop.interface}")
    return hop.source


def _control(flow: Selector, version: int) -> tuple[tuple[int, int, bytes], ...]:
    """Return what a raw socket must be told of the source and the type of service."""
    source, found = flow.source, []
    level, kind = (
        (socket.IPPROTO_IP, socket.IP_TOS)
        if version == 4
        else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
    )
    # IPv6 looks the route up without a source, unless one was asked for: a raw socket does, too.
    if source is not None and version == 4:
        found.append((level, _IP_PKTINFO, _IN_PKTINFO.pack(0, source.packed)))
    elif source is not None:
        scope = int(sockaddr(source)[-1])
        found.append((level, socket.IPV6_PKTINFO, _IN6_PKTINFO.pack(source.packed, scope)))
    if flow.tos:
        found.append((level, kind, _NUMBER.pack(flow.tos)))
    return tuple(found)


def _mtu(hop: Hop, address: Address) -> int:
    """Return the MTU of a route. Raises OSError if its interface is gone."""
    if hop.mtu is not None:
        return hop.mtu
    if address.version == 6:  # a router may have announced a smaller one than the link's
        with suppress(OSError, ValueError):
            return int(Path(f"/proc/sys/net/ipv6/conf/{hop.interface}/mtu").read_text())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = _INTERFACE_MTU.pack(hop.interface.encode(), 0)
        mtu: int = _INTERFACE_MTU.unpack(fcntl.ioctl(sock, _SIOCGIFMTU, request))[1]
        return mtu


def _kernel_at_least(major: int, minor: int) -> bool:
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return found is not None and (int(found[1]), int(found[2])) >= (major, minor)
