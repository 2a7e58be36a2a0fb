"""Two hosts in network namespaces: the client, where we run, and a server."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.live.lab.delayed_link import delayed
from tests.live.lab.namespaces import Host, pair

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = 8080
US, THEM = "10.77.0.1", "10.77.0.2"

SERVER = """
import select, socket, sys
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=16384)
listener.setblocking(False)
ready = select.epoll()
ready.register(listener, select.EPOLLIN)
clients = {}
print("up", flush=True)
while True:
    for number, _ in ready.poll():
        if number != listener.fileno():
            clients.pop(number).close()
            continue
        try:
            while True:
                client, _ = listener.accept()
                clients[client.fileno()] = client
                ready.register(client, select.EPOLLIN)
        except BlockingIOError:
            pass
"""
"""Accepts all connections; closes one when its client sends data or a FIN."""


@contextmanager
def served() -> Iterator[tuple[Host, Host]]:
    """Yield client and server, joined by a veth; the calling thread is at the client."""
    with pair() as hosts, _serving(*hosts):
        yield hosts


@contextmanager
def served_from_afar(seconds: float) -> Iterator[tuple[Host, Host]]:
    """Yield the same over a link with this delay each way."""
    with delayed(seconds) as hosts, _serving(*hosts):
        yield hosts


@contextmanager
def _serving(us: Host, server: Host) -> Iterator[None]:
    server.sysctl("net.ipv4.tcp_max_syn_backlog", 16384)
    server.sysctl("net.core.somaxconn", 16384)
    us.sysctl("net.ipv4.ip_local_port_range", "2000 60999")
    us.sysctl("net.ipv4.tcp_tw_reuse", 1)
    running = server.popen([sys.executable, "-c", SERVER, str(PORT)], stdout=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.readline()
    with us.entered():
        yield
