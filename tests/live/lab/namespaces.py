"""Network namespaces, the links between them, and real kernel sockets inside."""

import ipaddress
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeAlias

from handshake.linux.network_namespace import NetworkNamespace

TIMEOUT = 30.0
"""Seconds after which a socket, a command or a wait of ours gives up."""

# Host has a method of this name, so its signatures cannot use socket.socket.
Socket: TypeAlias = socket.socket

_SETTINGS = {
    "net.ipv6.conf.default.accept_dad": 0,  # an address is ours at once, link-local too
    "net.ipv6.conf.default.router_solicitations": 0,
    "net.ipv4.icmp_ratelimit": 0,  # every refused packet gets its answer
    "net.ipv6.icmp.ratelimit": 0,
}


class CommandError(RuntimeError):
    """A command in a namespace failed: which, where, and what it wrote to stderr."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a link."""

    name: str
    mac: str
    v4: str
    v6: str

    @classmethod
    def numbered(cls, name: str, subnet: int, side: int) -> Self:
        """Return the interface on `side` (1 or 2) of link `subnet`: the same addresses always."""
        return cls(
            name=name,
            mac=f"02:00:00:00:{subnet:02x}:{side:02x}",
            v4=f"10.77.{subnet}.{side}",
            v6=str(ipaddress.IPv6Address(f"fd77:0:0:{subnet}::{side}")),
        )


class Host(NetworkNamespace):
    """A network namespace with `lo` up, its links, and the programs that run there."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.interfaces: list[Interface] = []
        self._children: list[subprocess.Popen[str]] = []
        super().__init__()
        for setting, value in _SETTINGS.items():
            self.sysctl(setting, value)

    @property
    def v4(self) -> str:
        """The IPv4 address of the first interface."""
        return self.interfaces[0].v4

    @property
    def v6(self) -> str:
        """The IPv6 address of the first interface."""
        return self.interfaces[0].v6

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[str]:
        """Start a command; it is killed with this host, or with the calling thread."""
        # A process left behind would keep the namespace alive: the kernel must end it with us.
        with self.entered():
            child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *argv], text=True, **options
            )
        self._children.append(child)
        return child

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: str = "",
        env: dict[str, str] | None = None,
        timeout: float = TIMEOUT,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; raise CommandError if it fails, unless `check` is false."""
        pipe = subprocess.PIPE
        child = self.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, env=env)
        self._children.remove(child)
        with child:
            try:
                stdout, stderr = child.communicate(stdin, timeout)
            except BaseException:
                child.kill()
                raise
        if check and child.returncode:
            what = f"{self.name}: {' '.join(argv)}: exit code {child.returncode}"
            raise CommandError(f"{what}\n{stderr.strip()}")
        return subprocess.CompletedProcess(argv, child.returncode, stdout, stderr)

    def ip(self, *commands: str) -> None:
        """Run commands of iproute2, each without its leading `ip`. Raises CommandError."""
        self.run(["ip", "-batch", "-"], stdin="\n".join(commands))

    def nft(self, rules: str) -> None:
        """Load nftables rules."""
        self.run(["nft", "-f", "-"], stdin=rules)

    def sysctl(self, name: str, value: int | str) -> None:
        """Set a kernel parameter of this namespace, which this kernel must have."""
        with self.entered():
            Path("/proc/sys", *name.split(".")).write_text(str(value))

    def socket(
        self,
        family: int = socket.AF_INET,
        kind: int = socket.SOCK_STREAM,
        proto: int = 0,
    ) -> Socket:
        """Return a socket of this namespace, which gives up after TIMEOUT seconds."""
        with self.entered():
            made = socket.socket(family, kind, proto)
        made.settimeout(TIMEOUT)
        return made

    def listen(self, port: int, address: str = "::") -> Socket:
        """Return a listening TCP socket; by default it takes IPv4 and IPv6."""
        family, place = _place(self, address, port)
        listener = self.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address == "::":
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(place)
        listener.listen()
        return listener

    def connect(self, address: str, port: int, *, source_port: int = 0) -> Socket:
        """Return a connected TCP socket."""
        family, place = _place(self, address, port)
        client_socket = self.socket(family)
        try:
            client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client_socket.bind(("", source_port))
            client_socket.connect(place)
        except BaseException:
            client_socket.close()
            raise
        return client_socket

    def next_interface(self, subnet: int, side: int) -> Interface:
        """Return the next interface of this host: eth0, eth1 ... (it does not exist yet)."""
        return Interface.numbered(f"eth{len(self.interfaces)}", subnet, side)

    def bring_up(self, interface: Interface) -> None:
        """Give an interface its addresses and wait until they can be used."""
        name = interface.name
        self.ip(
            f"link set {name} address {interface.mac} up",
            f"addr add {interface.v4}/24 dev {name}",
            f"addr add {interface.v6}/64 dev {name} nodad",
        )
        self.interfaces.append(interface)

    def close(self) -> None:
        """End what still runs here and let go of the namespace."""
        for child in self._children:
            with child:
                child.kill()
        self._children.clear()
        super().close()


def join(left: Host, right: Host, subnet: int = 0) -> None:
    """Lay a veth between two hosts: 10.77.<subnet>.1 and fd77:0:0:<subnet>::1 left, 2 right."""
    here, there = left.next_interface(subnet, 1), right.next_interface(subnet, 2)
    left.ip(f"link add {here.name} type veth peer name {there.name} netns {right.path}")
    left.bring_up(here)
    right.bring_up(there)
    eventually(lambda: _ready(left) and _ready(right), "the link to come up")


@contextmanager
def pair() -> Iterator[tuple[Host, Host]]:
    """Yield client and server, joined by a veth."""
    with Host("client") as client, Host("server") as server:
        join(client, server)
        yield client, server


@contextmanager
def routed() -> Iterator[tuple[Host, Host, Host]]:
    """Yield client, router, server: a subnet on each side of a router that forwards."""
    with ExitStack() as stack:
        client, router, server = (
            stack.enter_context(Host(name)) for name in ("client", "router", "server")
        )
        router.sysctl("net.ipv4.ip_forward", 1)
        router.sysctl("net.ipv6.conf.all.forwarding", 1)
        join(client, router, 0)
        join(router, server, 1)
        near, far = router.interfaces
        client.ip(f"route add default via {near.v4}", f"route add default via {near.v6}")
        server.ip(f"route add default via {far.v4}", f"route add default via {far.v6}")
        yield client, router, server


def eventually(condition: Callable[[], bool], what: str, timeout: float = TIMEOUT) -> None:
    """Wait until the condition holds; raise TimeoutError with `what` if it does not."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(0.002)


def _place(host: Host, address: str, port: int) -> tuple[socket.AddressFamily, Any]:
    with host.entered():  # eth0 of fe80::1%eth0 is this namespace's
        numeric = socket.AI_NUMERICHOST
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=numeric)
    return found[0][0], found[0][4]


def _ready(host: Host) -> bool:
    """Whether every link is up and no IPv6 address is tentative."""
    output = host.run(["ip", "-oneline", "addr"]).stdout
    links = host.run(["ip", "-oneline", "link"]).stdout
    return "tentative" not in output and "state DOWN" not in links
