"""The link: sends segments as packets, and hands back all that passes for our ports."""

from __future__ import annotations

import ctypes
import os
import shlex
import socket
import struct
import sys
from collections import OrderedDict
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.supersocket import SuperSocket

from handshake.errors import LocalError
from handshake.linux import bpf, timestamping
from handshake.linux.route import bind_to
from handshake.linux.sockaddr import sockaddr
from handshake.packet.icmp import IcmpError, quoted
from handshake.packet.ip import TCP, Datagram, header
from handshake.packet.reassembly import Fragments
from handshake.packet.template import Templates
from handshake.tcp import Observed, Segment
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Collection

    from handshake.packet.checksum import Address

Received: TypeAlias = Observed | IcmpError

_ETH_P_ALL: Final = 0x0003
_SOCKADDR_LL: Final = struct.Struct("=HHi12x")
_SOL_PACKET: Final = 263
_PACKET_AUXDATA: Final = 8
_AUXDATA: Final = struct.Struct("=III")  # tp_status, tp_len, tp_snaplen; the rest is Ethernet's
_CHECKSUM_NOT_READY: Final = 0x08  # TP_STATUS_CSUMNOTREADY
_ROOM: Final = timestamping.ROOM + socket.CMSG_SPACE(20)
_FOR_OTHERS: Final = 3  # PACKET_OTHERHOST
_OUTGOING: Final = 4  # PACKET_OUTGOING
_IPV6_HDRINCL: Final = 36
_SO_SNDBUFFORCE: Final = 32
_BUFFER: Final = 4 << 20
_AT_ONCE: Final = 64
"""Packets read before the caller gets a turn: a flood must not keep it from its timers."""

_REMEMBERED: Final = 1024


class Captured(NamedTuple):
    """A packet as the kernel hands it over, from its IP header on."""

    octets: bytes
    at: int
    """When the kernel stamped it, in nanoseconds since 1970."""

    interface: str
    outgoing: bool
    unfinished: bool
    """Whether a network card was to fill the checksum in, and no card has seen it."""


class PacketSocket(SuperSocket):  # type: ignore[misc]
    """Our segments on every interface of this machine, both directions, as the kernel stamps them.

    A Scapy `SuperSocket`, so that `sniff(opened_socket=...)` works on it. Raises LocalError
    where the kernel does not let us.
    """

    desc = "segments of our ports, with time stamps of the kernel"
    nonblocking_socket = False

    def __init__(
        self, ports: Collection[int], *, all_of_ours: bool = True, interface: str | None = None
    ) -> None:
        """Open it for these ports of ours; of what we send, SYNs alone unless `all_of_ours`.

        What we send leaves by `interface` if one is given.
        """
        self.iface = None
        self.ports = frozenset(ports)
        """The ports of ours that are listened to."""

        self._all_of_ours = all_of_ours
        self._templates = Templates()
        self._fragments = Fragments()
        self._seen: OrderedDict[bytes, str] = OrderedDict()
        # An address on the wire has no scope: it comes back as the one who sent to it knows it.
        self._known: dict[bytes, Address] = {}
        self._senders: dict[int, socket.socket] = {}
        try:
            # Protocol 0 hears nothing: the filter is in place before the first packet.
            self.ins = self.outs = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            self._listen()
            self._senders[4] = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            if socket.has_ipv6:
                self._senders[6] = _raw_v6()
            for sender in self._senders.values():
                _never_wait(sender)
                if interface is not None:
                    bind_to(sender, interface)
        except PermissionError as error:
            self.close()
            raise LocalError(f"hand-built segments need CAP_NET_RAW: run {_with_sudo()}") from error
        except (AttributeError, OSError) as error:
            self.close()
            raise LocalError(
                f"hand-built segments need Linux and its raw sockets: {error}"
            ) from error

    def _listen(self) -> None:
        self.ins.setblocking(False)
        timestamping.ask(self.ins)
        self.ins.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self.ins.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.listen_to(self.ports)
        _bind_everywhere(self.ins)
        timestamping.wait_for_stamps()

    def listen_to(self, ports: Collection[int]) -> None:
        """Let these be our ports from now on."""
        self.ports = frozenset(ports)
        bpf.attach(self.ins, bpf.segments(self.ports, all_of_ours=self._all_of_ours))

    def close(self) -> None:
        """Close every socket."""
        for sender in self._senders.values():
            sender.close()
        if hasattr(self, "ins"):
            self.ins.close()
        self.closed = True

    def transmit(self, segment: Segment, ttl: int = 64) -> None:
        """Send the segment, its checksum filled in; raise OSError where the kernel refuses.

        The kernel routes it and lets the local firewall see it, as it does its own.
        """
        self.know(segment.source.address, segment.destination.address)
        to = segment.destination.address
        self.pass_on(self._templates.packet(segment, ttl), to.version, sockaddr(to))

    def know(self, *addresses: Address) -> None:
        """Give what comes from or to these addresses their scope."""
        for each in addresses:
            if isinstance(each, IPv6Address) and each.scope_id:
                self._known[each.packed] = each

    def pass_on(self, octets: bytes, version: int, to: tuple[Any, ...]) -> None:
        """Send a packet as it is; raise OSError where the kernel refuses."""
        self._senders[version].sendto(octets, to)

    def send(self, packet: Any, to: Address | None = None) -> int:
        """Send a Scapy packet that begins with its IP header; return how many octets it had."""
        to = ip_address(packet.dst) if to is None else to
        sent: int = self._senders[to.version].sendto(bytes(packet), sockaddr(to))
        return sent

    def receive(self) -> list[Received]:
        """Return what has passed since the last call, in order; nothing if nothing has."""
        return [found for each in self.read() if (found := self.decode(each)) is not None]

    def read(self) -> list[Captured]:
        """Return the packets that `receive` would decode, and some that it would drop."""
        read = []
        for _ in range(_AT_ONCE):
            try:
                captured = self._read()
            except BlockingIOError:
                break
            if captured is not None:
                read.append(captured)
        return read

    def recv_raw(self, x: int = 0xFFFF) -> tuple[Any, bytes | None, float | None]:
        """Return layer, octets and time of one packet, as Scapy asks its sockets."""
        try:
            captured = self._read(x)
        except BlockingIOError:
            captured = None
        if captured is None:
            return None, None, None
        layer = IP if captured.octets[0] >> 4 == 4 else IPv6
        return layer, captured.octets, captured.at / NS_PER_SECOND

    def _read(self, most: int = 0xFFFF) -> Captured | None:
        """Return the next packet; None for one that passes a second time."""
        octets, ancillary, _, (interface, _, kind, *_) = self.ins.recvmsg(most, _ROOM)
        if interface == "lo":
            # Loopback shows each packet as it leaves and as it arrives; tcpdump, too, takes
            # the second. Both ends may be here, and only the port tells which is ours.
            if kind == _OUTGOING:
                return None
            kind = _OUTGOING if self._is_ours(octets) else 0
        if kind == _FOR_OTHERS or not octets or self._is_copy(octets, interface):
            return None
        at, status = 0, 0
        for level, name, data in ancillary:
            if level == socket.SOL_SOCKET and name == timestamping.SO_TIMESTAMPNS:
                at = timestamping.stamp(data)
            elif level == _SOL_PACKET and name == _PACKET_AUXDATA:
                status = _AUXDATA.unpack_from(data)[0]
        return Captured(
            octets, at, interface, kind == _OUTGOING, bool(status & _CHECKSUM_NOT_READY)
        )

    def _is_ours(self, octets: bytes) -> bool:
        try:
            found = header(octets, 0, len(octets))
        except ValueError:
            return False
        ports = octets[found.at : found.at + 2]
        return found.protocol == TCP and int.from_bytes(ports, "big") in self.ports

    def _is_copy(self, octets: bytes, interface: str) -> bool:
        """Whether it is the same packet on its way through a bridge, a bond or a VLAN."""
        first = self._seen.setdefault(octets, interface)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return first != interface

    def decode(self, captured: Captured) -> Received | None:
        """Return what the packet is; None where it is nothing to us, or not whole yet."""
        try:
            datagram = Datagram.parse(captured.octets)
            # No receiver takes a damaged header (RFC 1122 section 3.2.1.2).
            if not (captured.outgoing or datagram.header_ok):
                return None
            if datagram.fragment:
                whole = self._whole(captured)
                return None if whole is None else self.decode(whole)
            if datagram.protocol != TCP:
                damaged = captured.outgoing or not (captured.unfinished or datagram.icmp_ok)
                return None if damaged else quoted(datagram, captured.at)
            segment = Segment.parse(
                self._address(datagram.source, captured.interface),
                self._address(datagram.destination, captured.interface),
                datagram.payload,
                datagram.length,
            )
        except ValueError:  # no receiver could read it
            return None
        if self.ports.isdisjoint((segment.source.port, segment.destination.port)):
            return None
        return Observed(
            segment=segment,
            at=captured.at,
            length=len(captured.octets),
            ttl=datagram.ttl,
            checksum_ok=None if captured.unfinished else datagram.checksum_ok,
            outgoing=captured.outgoing,
            packet=datagram.packet,
        )

    def _whole(self, captured: Captured) -> Captured | None:
        """Return the packet that this part of it makes whole (RFC 1122 section 3.3.2)."""
        if captured.outgoing:
            return None
        octets = captured.octets
        found = header(octets, 0, len(octets))
        whole = self._fragments.add(octets, 0, found, (captured.interface,), 0)
        return None if whole is None else captured._replace(octets=whole.octets)

    def _address(self, octets: bytes, interface: str) -> Address:
        if (known := self._known.get(octets)) is not None:
            return known
        address = ip_address(octets)
        if isinstance(address, IPv6Address) and address.is_link_local:
            return IPv6Address(f"{address}%{interface}")
        return address


def _bind_everywhere(packets: socket.socket) -> None:
    """Bind to every protocol and interface: Python's own bind() wants the name of one."""
    libc = ctypes.CDLL(None, use_errno=True)
    address = _SOCKADDR_LL.pack(socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0)
    if libc.bind(packets.fileno(), address, len(address)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _never_wait(sender: socket.socket) -> None:
    """Let a packet that there is no room for be refused at once, and make much room.

    What waits for an answer to ARP or to a solicitation counts, too: calls to hosts that are not
    there would else keep those to all others waiting for seconds.
    """
    sender.setblocking(False)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    with suppress(PermissionError):  # beyond the limit of this machine, only for administrators
        sender.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _BUFFER)


def _raw_v6() -> socket.socket:
    raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
    return raw


def _with_sudo() -> str:
    """Return the command that was run, with sudo before it, for a shell."""
    program = Path(sys.argv[0]).absolute()
    # sudo has a PATH of its own, in which a virtual environment's programs are not.
    command = [str(program)]
    if not program.is_file() or program.name == "__main__.py":
        command = [sys.executable, "-m", "handshake"]
    return shlex.join(["sudo", *command, *sys.argv[1:]])
