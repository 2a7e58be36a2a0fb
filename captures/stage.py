"""The setup of a recording: two hosts, a listening server, and a packet count."""

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path

from tests.live.lab.delayed_link import delayed
from tests.live.lab.namespaces import TIMEOUT, Host
from tests.live.lab.sockets import Ends, dial
from tests.live.lab.tcpdump import Capture, capture

PORT = 80
"""The server's port in all scenes."""

REFUSALS = (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EACCES)

Play = Callable[["Stage"], None]
Link = Callable[[], AbstractContextManager[tuple[Host, Host]]]

SCENES: dict[str, Callable[[Path], None]] = {}
"""The function that records each file, by name."""

NEAR: Link = partial(delayed, 0.005)


class TakeError(Exception):
    """The packets are not those that the scene should show."""


class Stage:
    """Two hosts, a server listening on port 80, and the file to record into."""

    def __init__(self, client: Host, server: Host, path: Path, nano: bool) -> None:
        self.client = client
        self.server = server
        self.path = path
        self.nano = nano
        self.open_at_the_end = ExitStack()
        self.listener = self.keep(server.listen(PORT))
        for host in (client, server):  # RFC 6298 doubles; Linux since 6.5 begins with 1, 1, 1, 1 s
            host.sysctl("net.ipv4.tcp_syn_linear_timeouts", 0)
        for address in (server.v4, server.v6):  # so that no SYN waits for a neighbour's address
            self.refused(address, 1)

    def keep(self, made: socket.socket) -> socket.socket:
        """Close the socket at the end of the recording."""
        return self.open_at_the_end.enter_context(made)

    @contextmanager
    def tape(self, at: Host, packets: int, only: str = "tcp") -> Iterator[Capture]:
        """Record at one end until exactly so many packets have passed."""
        with capture(at, "eth0", self.path, only=only, nano=self.nano) as tape:
            yield tape
            tape.wait(packets)
        if tape.packets != packets:
            raise TakeError(f"{tape.packets} packets, not {packets}")

    def open(self, address: str, source_port: int) -> Ends:
        """Open a connection to the server."""
        client = self.keep(self.client.connect(address, PORT, source_port=source_port))
        return client, self.keep(self.listener.accept()[0])

    def open_together(self, sources: list[tuple[str, int]]) -> list[Ends]:
        """Open connections, by address and source port, with overlapping handshakes."""
        clients = [
            self.start_connect(address, PORT, source_port) for address, source_port in sources
        ]
        accepted = {}
        for _ in clients:
            end, peer = self.listener.accept()
            accepted[peer[1]] = self.keep(end)
        for client in clients:
            client.settimeout(TIMEOUT)
        return [(client, accepted[client.getsockname()[1]]) for client in clients]

    def start_connect(self, address: str, port: int, source_port: int) -> socket.socket:
        """Send a SYN and do not wait for the answer."""
        client = self.keep(
            self.client.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        )
        return dial(client, source_port, (address, port))

    def refused(self, address: str, port: int, source_port: int = 0) -> None:
        """Try to open a connection; that must fail."""
        try:
            self.client.connect(address, port, source_port=source_port).close()
        except OSError as error:
            if error.errno not in REFUSALS:
                raise
        else:
            raise TakeError(f"port {port} is open")


def scene(*, nano: bool = False, link: Link = NEAR) -> Callable[[Play], Play]:
    """Register a function as a scene; the file has its name."""

    def register(play: Play) -> Play:
        def record(path: Path) -> None:
            with link() as (client, server):
                stage = Stage(client, server, path, nano)
                with stage.open_at_the_end:
                    play(stage)

        record.__doc__ = play.__doc__
        SCENES[play.__name__.replace("_", "-")] = record
        return play

    return register
