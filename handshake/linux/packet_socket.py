"""The packet socket: sends segments, and returns every packet from or to our ports."""

from __future__ import annotations

import select
import socket
import struct
import time
from contextlib import suppress
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.supersocket import SuperSocket

from handshake.errors import LocalError, system_error
from handshake.linux import bpf
from handshake.linux.packet_batch import PacketBatch
from handshake.linux.packet_ring import PacketRing
from handshake.linux.route import bind_to_interface
from handshake.linux.sockaddr import LINK, bind_everywhere, sockaddr
from handshake.packet.icmp import IcmpError, quoted
from handshake.packet.ip import Datagram, header
from handshake.packet.reassembly import Fragments
from handshake.packet.template import Templates
from handshake.tcp import Observed, Segment
from handshake.tcp.address import ip_address
from handshake.units import NS_PER_SECOND, SOONEST_TIMER, TCP

if TYPE_CHECKING:
    from collections.abc import Collection

    from handshake.linux.packet_batch import Batch
    from handshake.linux.policy_route import PolicyRoute
    from handshake.packet.checksum import Address

Received: TypeAlias = Observed | IcmpError

_SO_TIMESTAMPNS: Final = 35
_TIMESPEC: Final = struct.Struct("@ll")
_STAMP_ROOM: Final = socket.CMSG_SPACE(_TIMESPEC.size)
"""Octets of ancillary data for one time stamp."""
_LOOPBACK: Final = "127.0.0.1"
_STAMP_TRIALS: Final = 100
_STAMP_REST: Final = 0.0002
_LOOPBACK_DELAY: Final = 5
"""Milliseconds in which a packet arrives over loopback, unless it is filtered."""

_SOL_PACKET: Final = 263
_PACKET_STATISTICS, _PACKET_AUXDATA = 6, 8
_STATISTICS: Final = struct.Struct("=II")  # tp_packets, tp_drops
_AUXDATA: Final = struct.Struct("=III")  # tp_status, tp_len, tp_snaplen; the rest is Ethernet's
_CHECKSUM_NOT_READY: Final = 0x08  # TP_STATUS_CSUMNOTREADY
_ROOM: Final = _STAMP_ROOM + socket.CMSG_SPACE(20)
_FOR_OTHERS: Final = 3  # PACKET_OTHERHOST
_OUTGOING: Final = 4  # PACKET_OUTGOING
_IPV6_HDRINCL: Final = 36
_SO_SNDBUFFORCE: Final = 32
_BUFFER: Final = 4 << 20
_AT_ONCE: Final = 64
"""Packets read per call: a flood must not keep our caller from its timers."""

_REMEMBERED: Final = 1024
"""The latest packets that are remembered at least, to recognize copies."""


class Captured(NamedTuple):
    """A packet as the kernel hands it over, from its IP header on."""

    octets: bytes
    at: int
    """The kernel's time stamp, in nanoseconds since 1970."""

    interface: str
    outgoing: bool
    unfinished: bool
    """Whether the checksum was left to the network card (checksum offload)."""


class PacketSocket(SuperSocket):  # type: ignore[misc]
    """Our segments on every interface, in both directions, with the kernel's time stamps.

    A Scapy `SuperSocket`, so that `sniff(opened_socket=...)` works on it. Raises LocalError
    if the kernel refuses.
    """

    desc = "segments from and to our ports, with kernel time stamps"
    nonblocking_socket = False

    def __init__(
        self,
        ports: Collection[int],
        *,
        all_of_ours: bool = True,
        interface: str | None = None,
        ring: bool = False,
    ) -> None:
        """Open it for these local ports; of our segments, receive SYNs only unless `all_of_ours`.

        What we send leaves through `interface` if one is given. With a `ring` thousands of packets
        a second take less work, but opening and closing takes 30 ms more, and Scapy cannot sniff.
        """
        self.iface = None
        self.ports = frozenset(ports)
        """The local ports whose segments are received."""

        self._all_of_ours = all_of_ours
        self._templates = Templates()
        self._fragments: Fragments | None = None
        self.drained = True
        """Whether the last `read` returned all packets that had arrived."""

        self._seen: dict[bytes, tuple[str, int]] = {}
        self._seen_before: dict[bytes, tuple[str, int]] = {}
        # An address on the wire has no scope: it gets the one that we sent to.
        self._known: dict[bytes, Address] = {}
        self._senders: dict[int, socket.socket] = {}
        self._batches: dict[int, PacketBatch] = {}
        self._ring: PacketRing | None = None
        try:
            # Protocol 0 receives nothing: the filter is in place before the first packet.
            self.ins = self.outs = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            self._listen(ring=ring)
            self._senders[4] = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            if socket.has_ipv6:
                self._senders[6] = _raw_v6()
            for sender in self._senders.values():
                _make_non_blocking(sender)
                if interface is not None:
                    bind_to_interface(sender, interface)
            self._senders[LINK] = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
            _make_non_blocking(self._senders[LINK])
        except PermissionError as error:
            self.close()
            from handshake.linux.privileges import with_sudo

            raise LocalError("no-cap-net-raw", command=with_sudo()) from error
        except (AttributeError, OSError) as error:
            self.close()
            why = system_error(error) if isinstance(error, OSError) else error
            raise LocalError("no-raw-sockets", why=why) from error

    def _listen(self, *, ring: bool) -> None:
        self.ins.setblocking(False)
        self.ins.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.ins.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        self.ins.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.listen_to(self.ports)
        if ring:
            with suppress(OSError):  # without memory for it, `recvmsg` does as well
                self._ring = PacketRing(self.ins)
        bind_everywhere(self.ins)
        _wait_for_stamps()

    def listen_to(self, ports: Collection[int]) -> None:
        """Receive the segments of these local ports from now on."""
        self.ports = frozenset(ports)
        bpf.attach(self.ins, bpf.segments(self.ports, all_of_ours=self._all_of_ours))

    def confine(self, ports: Collection[int]) -> None:
        """Receive the segments of these local ports, and of no others ever: for good.

        A program that has taken control of this process reads nothing else by these sockets.
        """
        self.listen_to(ports)
        # Without a filter, binding this one would be enough to read everything.
        bpf.attach(self._senders[LINK], bpf.NOTHING)
        for sock in (self.ins, self._senders[LINK]):
            bpf.lock(sock)

    def close(self) -> None:
        """Close every socket."""
        for sender in self._senders.values():
            sender.close()
        if self._ring is not None:
            self._ring.close()
        if hasattr(self, "ins"):
            self.ins.close()
        self.closed = True

    def transmit(self, segment: Segment, ttl: int = 64) -> None:
        """Send the segment with its checksum filled in. Raises OSError if the kernel refuses.

        The kernel routes it and passes it through the local firewall, as it does its own.
        """
        self.know(segment.source.address, segment.destination.address)
        to = segment.destination.address
        self.pass_on(self._templates.packet(segment, ttl), to.version, sockaddr(to))

    def know(self, *addresses: Address) -> None:
        """Give received addresses the scopes of these."""
        for each in addresses:
            if isinstance(each, IPv6Address) and each.scope_id:
                self._known[each.packed] = each

    def pass_on(self, octets: bytes, version: int, to: tuple[Any, ...] | PolicyRoute) -> None:
        """Send a packet unchanged. Raises OSError if the kernel refuses.

        The kernel looks up the route to the address `to` alone; a `PolicyRoute` tells it more.
        """
        if isinstance(to, tuple):
            self._senders[version].sendto(octets, to)
        else:
            to.send(octets, self._senders)

    def pass_on_all(self, packets: Batch) -> int:
        """Send packets unchanged, by few system calls; return how many were sent, from the first.

        The one after them is to be passed on alone: it cannot be sent so, or the kernel refuses.
        """
        sent = 0
        while len(packets) - sent > 1:
            version = packets[sent][0][0] >> 4
            batch = self._batches.get(version)
            if batch is None:
                batch = self._batches[version] = PacketBatch(self._senders[version], version)
            accepted = batch.send(packets, sent)
            if not accepted:
                break
            sent += accepted
        return sent

    def send(self, packet: Any, to: Address | None = None) -> int:
        """Send a Scapy packet that begins with its IP header; return its length in octets."""
        to = ip_address(packet.dst) if to is None else to
        sent: int = self._senders[to.version].sendto(bytes(packet), sockaddr(to))
        return sent

    def receive(self) -> list[Received]:
        """Return the segments and ICMP errors since the last call, in order."""
        return [found for each in self.read() if (found := self.decode(each)) is not None]

    def read(self) -> list[Captured]:
        """Return the packets since the last call, not decoded; `receive` would drop some.

        There may be more: `drained` tells.
        """
        if self._ring is not None:
            found = self._ring.read(_AT_ONCE, self._captured)
            self.drained = self._ring.drained
            return found
        read = []
        self.drained = False
        for _ in range(_AT_ONCE):
            try:
                captured = self._read()
            except BlockingIOError:
                self.drained = True
                break
            if captured is not None:
                read.append(captured)
        return read

    def lost(self) -> int:
        """Return how many packets the full queue has lost since the last call."""
        found = self.ins.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _STATISTICS.size)
        return int(_STATISTICS.unpack(found)[1])

    def recv_raw(self, x: int = 0xFFFF) -> tuple[Any, bytes | None, float | None]:
        """Return layer, octets and time of one packet, as Scapy expects of a socket."""
        try:
            captured = self._read(x)
        except BlockingIOError:
            captured = None
        if captured is None:
            return None, None, None
        layer = IP if captured.octets[0] >> 4 == 4 else IPv6
        return layer, captured.octets, captured.at / NS_PER_SECOND

    def _read(self, most: int = 0xFFFF) -> Captured | None:
        """Return the next packet; None for a copy."""
        octets, ancillary, _, (interface, _, kind, *_) = self.ins.recvmsg(most, _ROOM)
        at, status = 0, 0
        for level, name, data in ancillary:
            if level == socket.SOL_SOCKET and name == _SO_TIMESTAMPNS:
                at = _stamp(data)
            elif level == _SOL_PACKET and name == _PACKET_AUXDATA:
                status = _AUXDATA.unpack_from(data)[0]
        return self._captured(octets, at, interface, kind, status)

    def _captured(
        self, octets: bytes, at: int, interface: str, kind: int, status: int
    ) -> Captured | None:
        """Return a packet with what the kernel tells of it; None for a copy."""
        if interface == "lo":
            # Loopback shows each packet as it leaves and as it arrives; like tcpdump, take the
            # second. Both ends may be local, and only the port tells which is ours.
            if kind == _OUTGOING:
                return None
            kind = _OUTGOING if self._is_ours(octets) else 0
        if kind == _FOR_OTHERS or not octets:  # one for a macvlan above is received there again
            return None
        if len(self._seen) >= _REMEMBERED:
            # To forget them all at once, but not the latest, is cheaper than one for each packet.
            self._seen_before, self._seen = self._seen, {}
        # The same packet is seen again on a bridge, a bond or a VLAN. A retransmission may be equal
        # and come by another interface, but no timer is so short.
        first = self._seen.get(octets) or self._seen_before.get(octets)
        if first and first[0] != interface and abs(at - first[1]) < SOONEST_TIMER:
            return None
        self._seen[octets] = interface, at
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

    def decode(self, captured: Captured) -> Received | None:
        """Return the segment or ICMP error in a packet; None for others and for fragments."""
        try:
            datagram = Datagram.parse(captured.octets)
            # Receivers drop packets with a damaged header (RFC 1122 section 3.2.1.2).
            if not (captured.outgoing or datagram.header_ok):
                return None
            if datagram.fragment:
                whole = self._reassemble(captured)
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
        except ValueError:  # too malformed for any receiver
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

    def _reassemble(self, captured: Captured) -> Captured | None:
        """Return the packet that this fragment completes (RFC 1122 section 3.3.2)."""
        if captured.outgoing:
            return None
        octets = captured.octets
        found = header(octets, 0, len(octets))
        if self._fragments is None:  # most hosts send none
            self._fragments = Fragments()
        whole = self._fragments.add(octets, 0, found, (captured.interface,), 0)
        return None if whole is None else captured._replace(octets=whole.octets)

    def _address(self, octets: bytes, interface: str) -> Address:
        if (known := self._known.get(octets)) is not None:
            return known
        address = ip_address(octets)
        if isinstance(address, IPv6Address) and address.is_link_local:
            return IPv6Address(f"{address}%{interface}")
        return address


def _make_non_blocking(sender: socket.socket) -> None:
    """Let send fail at once when the send buffer is full, and enlarge the buffer.

    Packets that wait for ARP or neighbour discovery fill it, too: otherwise probes of hosts that
    are down would delay all others for seconds.
    """
    sender.setblocking(False)
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    with suppress(PermissionError):  # more than the system limit needs CAP_NET_ADMIN
        sender.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, _BUFFER)


def _raw_v6() -> socket.socket:
    raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_HDRINCL, 1)
    return raw


def _stamp(data: bytes) -> int:
    """Return a time stamp as nanoseconds since 1970."""
    seconds: int
    nanoseconds: int
    seconds, nanoseconds = _TIMESPEC.unpack(data)
    return seconds * NS_PER_SECOND + nanoseconds


def _wait_for_stamps() -> None:
    """Wait until the kernel stamps packets on arrival, after a socket has asked for it.

    Until then they are stamped when read, so that a SYN can seem later than its answer. A
    datagram over loopback shows when it works; if loopback is filtered, wait as long as it
    usually takes.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        arrivals = select.poll()
        arrivals.register(sock, select.POLLIN)
        with suppress(OSError):
            sock.bind((_LOOPBACK, 0))
            for _ in range(_STAMP_TRIALS):
                sock.sendto(b"", sock.getsockname())
                if not arrivals.poll(_LOOPBACK_DELAY):
                    return
                read = time.time_ns()
                _, ancillary, *_ = sock.recvmsg(0, _STAMP_ROOM)
                if any(
                    _stamp(data) < read for _, name, data in ancillary if name == _SO_TIMESTAMPNS
                ):
                    return
                time.sleep(_STAMP_REST)
            return
    time.sleep(_LOOPBACK_DELAY / 1000)
