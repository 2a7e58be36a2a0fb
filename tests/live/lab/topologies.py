"""Networks larger than a cable or a router: chains of routers, two ways, a switch."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.live.lab.namespaces import Host, join

UPPER = {
    "vlan": "vlan id 7",
    "vxlan": "vxlan id 7 local {here} remote {there} dstport 4789",
    "macvlan": "macvlan mode bridge",
}
"""What stands on a cable, in the words of ip: packets pass both, and can be captured on both."""

UPPER_ADDRESSES = {4: ("10.88.7.1", "10.88.7.2"), 6: ("fd88:7::1", "fd88:7::2")}
"""The addresses of client and server, by the version of IP."""

_LOWER = ("10.88.0.1", "10.88.0.2")


@contextmanager
def chain(routers: int) -> Iterator[list[Host]]:
    """Yield client, routers and server, each joined with the next by a subnet of its own."""
    with ExitStack() as stack:
        names = ["client", *(f"router{number}" for number in range(routers)), "server"]
        hosts = [stack.enter_context(Host(name)) for name in names]
        for subnet, (left, right) in enumerate(itertools.pairwise(hosts)):
            join(left, right, subnet)
        for router in hosts[1:-1]:
            forward(router)
        # All that lies on one side of a host is reached by its neighbour there.
        for left, right in itertools.pairwise(hosts):
            near = right.interfaces[0]
            left.ip(f"route add default via {near.v4}", f"route add default via {near.v6}")
        for place, router in enumerate(hosts[2:-1], 2):
            near = hosts[place - 1].interfaces[1]
            for subnet in range(place - 1):
                router.ip(
                    f"route add 10.77.{subnet}.0/24 via {near.v4}",
                    f"route add fd77:0:0:{subnet}::/64 via {near.v6}",
                )
        near = hosts[-2].interfaces[-1]
        hosts[-1].ip(f"route add default via {near.v4}", f"route add default via {near.v6}")
        yield hosts


@contextmanager
def asymmetric() -> Iterator[tuple[Host, Host, Host, Host]]:
    """Yield client, the router there, the router back, and server: answers take another way.

    The client's first interface leads to the one router, and its second to the other.
    """
    with ExitStack() as stack:
        names = ("client", "there", "back", "server")
        client, there, back, server = (stack.enter_context(Host(name)) for name in names)
        for subnet, (left, right) in enumerate(
            [(client, there), (there, server), (client, back), (back, server)]
        ):
            join(left, right, subnet)
        for router in (there, back):
            forward(router)
        for host in (client, server):
            # An answer comes in where no route leads out.
            host.sysctl("net.ipv4.conf.all.rp_filter", 0)
            for interface in host.interfaces:
                host.sysctl(f"net.ipv4.conf.{interface.name}.rp_filter", 0)
        near, far, last = there.interfaces[0], back.interfaces[1], client.interfaces[1]
        client.ip(f"route add {server.v4} via {near.v4}", f"route add {server.v6} via {near.v6}")
        server.ip(f"route add {client.v4} via {far.v4}", f"route add {client.v6} via {far.v6}")
        back.ip(f"route add {client.v4} via {last.v4}", f"route add {client.v6} via {last.v6}")
        yield client, there, back, server


@contextmanager
def switched(kind: str) -> Iterator[tuple[Host, Host, Host]]:
    """Yield client, switch and server: two hosts on a bridge, each with an interface on top.

    Of what `kind` it is `UPPER` tells; it alone has addresses, the `UPPER_ADDRESSES`. Raises
    CommandError where the kernel has no such interfaces.
    """
    with ExitStack() as stack:
        client, switch, server = (
            stack.enter_context(Host(name)) for name in ("client", "switch", "server")
        )
        join(client, switch, 0)
        join(switch, server, 1)
        switch.ip("link add br0 type bridge", "link set br0 up")
        for port in ("eth0", "eth1"):
            switch.ip(f"addr flush dev {port}", f"link set {port} master br0")
        for side, host in enumerate((client, server)):
            below, beyond = _LOWER[side], _LOWER[1 - side]
            options = UPPER[kind].format(here=below, there=beyond)
            host.ip(
                "addr flush dev eth0",
                f"addr add {below}/24 dev eth0",
                f"link add link eth0 name upper type {options}",
                "link set upper up",
                f"addr add {UPPER_ADDRESSES[4][side]}/24 dev upper",
                f"addr add {UPPER_ADDRESSES[6][side]}/64 dev upper nodad",
            )
        yield client, switch, server


def forward(router: Host) -> None:
    """Let a host hand on what is not for itself."""
    router.sysctl("net.ipv4.ip_forward", 1)
    router.sysctl("net.ipv6.conf.all.forwarding", 1)
