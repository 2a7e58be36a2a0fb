"""Two hosts of a real kernel and the wire between them, set up for the conditions of a part."""

from __future__ import annotations

import errno
import select
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from handshake.errors import LocalError
from handshake.events import Role
from handshake.lessons.script import CLIENT, LINUX, ROUTER, SERVER
from handshake.lessons.ss import ANY, OPEN, SsRow, information, state_name
from handshake.linux.inet_diag import InetDiag
from handshake.linux.network_namespace import NetworkNamespace
from handshake.linux.wire import Wire, WireEnd
from handshake.tcp import Endpoint, State

if TYPE_CHECKING:
    from handshake.lessons.script import Conditions
    from handshake.linux.inet_diag import KernelSocket

MSG_FASTOPEN: Final = 0x20000000
ABORT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with which close() sends a RST."""

SETTINGS: Final[dict[str, int | str]] = {
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    "net.ipv4.tcp_synack_retries": 5,
    "net.ipv4.tcp_fin_timeout": 60,
    "net.ipv4.tcp_ecn": 2,
    "net.ipv4.icmp_ratelimit": 0,
    "net.ipv4.tcp_no_metrics_save": 1,
}
"""What Linux has by default: this machine may be set otherwise. And no connection shall be quicker
or slower because of one before it."""

_ROUTES: Final = {
    13: (f"route add prohibit {SERVER.address}",),
    1: (f"route add unreachable {SERVER.address}",),
    0: (f"route add {CLIENT.address} dev eth0", "route del default"),
}
"""What makes a router drop what is for the server, by the code of the ICMP error that it then
sends."""

PORT_UNREACHABLE: Final = 3
"""The code for which no route makes a kernel send an error: the wire does it in its place."""

_SOON: Final = 2.0
"""Seconds before which a connected host sends nothing again where nothing is lost: that this
process was late is no loss."""

_LEARNS: Final = 2.0
"""Seconds in which a connection over this wire is open, or never."""


@dataclass
class LiveHosts:
    """The hosts of one part: their sockets are made in `hosts`, `rows` shows them all."""

    given: Conditions
    hosts: dict[Role, NetworkNamespace] = field(init=False)
    """Where a router drops what is for the server, the router is there in its place."""

    wire: Wire = field(init=False)

    def __post_init__(self) -> None:
        given = self.given
        self.hosts = {role: NetworkNamespace() for role in Role}
        for role, offer in zip(Role, given.offers, strict=True):
            host = self.hosts[role]
            _configure(host, given, role)
            for name, wanted in (
                ("window_scaling", offer.window_scale is not None),
                ("sack", offer.sack_permitted),
                ("timestamps", offer.timestamps),
            ):
                host.sysctl(f"net.ipv4.tcp_{name}", int(wanted))
        ends = [
            WireEnd(
                self.hosts[role],
                str(end.address),
                None if offer.mss == LINUX.mss else offer.mss,
                None if given.drops else _SOON,
            )
            for role, end, offer in zip(Role, (CLIENT, SERVER), given.offers, strict=True)
        ]
        self._middle = NetworkNamespace()
        self.wire = Wire(self._middle, (ends[0], ends[1]))
        self._tables = {role: InetDiag(host) for role, host in self.hosts.items()}
        if given.icmp in _ROUTES:
            self._route(given.icmp)
        if given.offers[0].fast_open:
            self._learn()
        self._set_fast_open(Role.SERVER, on=bool(given.fast_open))

    def rows(self) -> tuple[tuple[SsRow, ...], tuple[SsRow, ...]]:
        """Return what `ss -tan` and `ss -ti` show on both hosts now."""
        client, server = (tuple(map(_row, self._tables[role].read())) for role in Role)
        return client, server

    def _route(self, code: int) -> None:
        """Make a router of the server's host: the server is behind it, and cannot be reached."""
        router = self.hosts[Role.SERVER]
        router.sysctl("net.ipv4.ip_forward", 1)
        router.ip(
            f"addr add {ROUTER}/32 dev eth0",
            f"addr del {SERVER.address}/32 dev eth0",
            *_ROUTES[code],
        )

    def _set_fast_open(self, role: Role, *, on: bool) -> None:
        enabled = 1 if role is Role.CLIENT else 2
        self.hosts[role].sysctl("net.ipv4.tcp_fastopen", enabled if on else 0)

    def _learn(self) -> None:
        """Let the client's kernel get its Fast Open cookie: by a connection before the part."""
        self._set_fast_open(Role.SERVER, on=True)
        listener = self.hosts[Role.SERVER].socket()
        client = self.hosts[Role.CLIENT].socket()
        with listener, client:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((ANY, SERVER.port))
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 1)
            listener.listen(1)
            client.bind((str(CLIENT.address), CLIENT.port + 1))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            opens = threading.Thread(target=_open, args=(client, SERVER), daemon=True)
            opens.start()
            self._carry(opens)
            accepted, _ = listener.accept()
            with accepted:
                client.close()
                self._carry()

    def _carry(self, until: threading.Thread | None = None) -> None:
        """Carry what both send, until a thread has ended and nothing more is sent."""
        waits = 0.0 if until is None else _LEARNS
        while select.select(self.wire.sockets, [], [], waits)[0]:
            for number in range(len(Role)):
                while (found := self.wire.read(number)) is not None:
                    self.wire.write(1 - number, found[0])
            if until is not None and not until.is_alive():
                waits = 0.0
        if until is not None and until.is_alive():
            raise LocalError("live.ended")

    def close(self) -> None:
        """Let go of everything."""
        self.wire.close()
        for table in self._tables.values():
            table.close()
        for host in (*self.hosts.values(), self._middle):
            host.close()


def _open(client: socket.socket, remote: Endpoint) -> None:
    """Connect with an empty Fast Open option: the SYN asks for a cookie."""
    try:
        client.sendto(b".", MSG_FASTOPEN, (str(remote.address), remote.port))
    except OSError as error:
        if error.errno != errno.EINPROGRESS:
            return


def _configure(host: NetworkNamespace, given: Conditions, role: Role) -> None:
    for name, value in SETTINGS.items():
        host.sysctl(name, value)
    host.sysctl("net.ipv4.tcp_syn_retries", given.retries)
    host.sysctl("net.ipv4.tcp_syn_linear_timeouts", given.linear)
    host.sysctl("net.ipv4.tcp_syncookies", int(given.cookies))
    if not given.drops:
        host.sysctl("net.ipv4.tcp_early_retrans", 0)  # a tail loss probe needs no loss
    wanted = role is Role.CLIENT and given.offers[0].fast_open is not None
    host.sysctl("net.ipv4.tcp_fastopen", int(wanted))


def _row(each: KernelSocket) -> SsRow:
    peer = f"{ANY}:*" if each.state is State.LISTEN else str(each.remote)
    info, told = each.info, ""
    if info is not None and each.state in OPEN:
        shifts = (info.snd_shift, info.rcv_shift) if info.window_scale else None
        told = information(
            timestamps=info.timestamps, sack=info.sack, shifts=shifts, mss=info.snd_mss
        )
    return SsRow(state_name(each.state), each.recv_q, each.send_q, str(each.local), peer, told)
