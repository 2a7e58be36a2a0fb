import socket
import threading
from collections import Counter
from ipaddress import ip_address
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP
from scapy.sendrecv import sniff

from handshake.linux import bpf
from handshake.linux import rst_guard as module
from handshake.linux.packet_socket import Captured, PacketSocket, Received
from handshake.linux.rst_guard import METHODS, guard
from handshake.linux.sockaddr import LINK, family, sockaddr
from handshake.packet.checksum import checksummed
from handshake.packet.icmp import IcmpError
from handshake.packet.template import Templates
from handshake.prober import Target, Timeouts, Verdict
from handshake.prober.driver import Driver
from handshake.prober.resolver import Resolver
from handshake.prober.userspace.connections import UserspaceConnections
from handshake.tcp import Endpoint, Flags, Observed, Segment, Seq
from tests.live.lab.firewall import drop, firewall
from tests.live.lab.namespaces import Host, eventually, pair

_SO_DETACH_FILTER = 27


def syn(source: Endpoint, destination: Endpoint) -> Segment:
    return Segment(source, destination, Seq(1000), None, Flags.SYN, window=1000)


def hear(link: PacketSocket, count: int) -> list[Received]:
    received: list[Received] = []

    def enough() -> bool:
        received.extend(link.receive())
        return len(received) >= count

    eventually(enough, f"{count} packets")
    return received


@pytest.mark.live
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("address", ["10.77.0.1", "fd77::1", "fe80::ff:fe00:1%eth0"])
def test_a_guard_of_each_kind_keeps_the_kernel_silent(name: str, address: str) -> None:
    with pair() as (client, server), client.entered(), server.listen(80):
        ours = ip_address(address)
        theirs = ip_address(address.replace("1%", "2%") if "%" in address else address[:-1] + "2")
        with guard(ours, names=[name]) as held, PacketSocket([held.port]) as link:
            assert held.name == name
            link.transmit(syn(Endpoint(ours, held.port), Endpoint(theirs, 80)))
            # Our SYN, its SYN-ACK, and again after a second: nothing of the kernel's between.
            received = hear(link, 3)
    flags = [str(each.segment.flags) for each in received if isinstance(each, Observed)]
    assert flags == ["SYN", "SYN-ACK", "SYN-ACK"]


@pytest.mark.live
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.77.0.1", "fd77::1"])
def test_the_self_check_notices_a_missing_guard(address: str) -> None:
    with pair() as (client, _), client.entered():
        ours = ip_address(address)
        with guard(ours) as held, module._bound(ours) as unguarded:
            assert not module._answers(ours, held.port)
            assert module._answers(ours, unguarded.getsockname()[1])


@pytest.mark.live
@pytest.mark.parametrize("address", ["10.77.0.1", "fd77::1"])
def test_what_is_too_short_for_a_segment_does_not_end_the_check(address: str) -> None:
    ours = ip_address(address)
    with pair() as (client, _), client.entered():
        wire = socket.socket(family(ours), socket.SOCK_RAW, socket.IPPROTO_TCP)
        with wire, module._bound(ours) as here, module._bound(ours) as there:
            wire.bind(sockaddr(ours))
            ends = [Endpoint(ours, sock.getsockname()[1]) for sock in (here, there)]
            reset = Segment(ends[1], ends[0], Seq(1), None, Flags.RST)
            for octets in (b"", b"\1\2", checksummed(reset).pack()):
                wire.sendto(octets, sockaddr(ours))
            assert module._first_reset(wire, (ends[0], ends[1])) == ends[1]


@pytest.mark.live
def test_a_guard_is_believed_where_it_cannot_be_tried() -> None:
    with pair() as (client, _), drop(client, "input", "iif lo"), client.entered():
        held = guard(ip_address("10.77.0.1"))
    held.close()
    assert held.name == "filter"


@pytest.mark.live
@pytest.mark.parametrize("ring", [False, True])
def test_received_packets_are_complete(ring: bool) -> None:
    with pair() as (client, _), client.entered():
        ours, theirs = Endpoint.of("10.77.0.1", 41000), Endpoint.of("10.77.0.2", 1)
        with PacketSocket([41000], ring=ring) as link:
            link.transmit(syn(ours, theirs), ttl=77)
            sent, refused, *_ = hear(link, 2)
    assert isinstance(sent, Observed)
    assert isinstance(refused, Observed)
    assert (sent.outgoing, refused.outgoing) == (True, False)
    assert (sent.ttl, refused.ttl) == (77, 64)
    assert sent.checksum_ok
    assert refused.checksum_ok is not False
    assert refused.segment.flags == Flags.RST | Flags.ACK
    assert 0 < refused.at - sent.at < 10**9
    assert sent.packet[6] == 0x40  # do not fragment
    assert sent.packet[4:6] != b"\0\0"  # the kernel chose an identification


@pytest.mark.live
@pytest.mark.parametrize("ring", [False, True])
def test_the_first_packet_is_stamped_like_the_others(ring: bool) -> None:
    spans = []
    with pair() as (client, server), client.entered(), server.listen(80):
        theirs = Endpoint.of("10.77.0.2", 80)
        # A new port each time: of one that is half open the server tells nothing for a second.
        for port in range(41000, 41009):
            ours = Endpoint.of("10.77.0.1", port)
            with guard(ours.address, ours.port), PacketSocket([ours.port], ring=ring) as link:
                link.transmit(syn(ours, theirs))
                first, second, *_ = hear(link, 2)
            assert isinstance(first, Observed)
            assert isinstance(second, Observed)
            spans.append(second.at - first.at)
    # Over a veth the answer comes within microseconds, if both stamps are the kernel's.
    assert sorted(spans)[4] < 200_000
    assert min(spans) > 0


@pytest.mark.live
@pytest.mark.parametrize("ring", [False, True])
def test_icmp_errors_are_received(ring: bool) -> None:
    reject = "reject with icmp type admin-prohibited"
    ours, theirs = Endpoint.of("10.77.0.1", 41000), Endpoint.of("10.77.0.2", 80)
    with (
        pair() as (client, server),
        firewall(server, "input", "tcp dport 80", reject),
        client.entered(),
        PacketSocket([41000], ring=ring) as link,
    ):
        link.transmit(syn(ours, theirs))
        _, error = hear(link, 2)
    assert isinstance(error, IcmpError)
    assert (error.type, error.code, error.seq) == (3, 13, Seq(1000))
    assert (error.source, error.destination) == (ours, theirs)


@pytest.mark.live
@pytest.mark.parametrize("ring", [False, True])
def test_other_ports_are_not_received(ring: bool) -> None:
    with Host("alone") as host, host.entered(), PacketSocket([41000], ring=ring) as link:
        for port in (40999, 41000):
            with socket.socket() as client_socket:
                client_socket.bind(("127.0.0.1", port))
                client_socket.connect_ex(("127.0.0.1", 1))
        ports = [each.segment.source.port for each in hear(link, 2) if isinstance(each, Observed)]
    assert ports == [41000, 1]


@pytest.mark.live
@pytest.mark.parametrize("ring", [False, True])
def test_a_bridge_does_not_double_what_passes(ring: bool) -> None:
    with pair() as (client, server), server.listen(80):
        client.ip(
            "link add br0 type bridge",
            "addr flush dev eth0",
            "link set eth0 master br0",
            "link set br0 up",
            "addr add 10.77.0.1/24 dev br0",
        )
        with (
            client.entered(),
            guard(ip_address("10.77.0.1")) as held,
            PacketSocket([held.port], ring=ring) as link,
        ):
            link.transmit(syn(Endpoint.of("10.77.0.1", held.port), Endpoint.of("10.77.0.2", 80)))
            flags = [
                str(each.segment.flags) for each in hear(link, 2) if isinstance(each, Observed)
            ]
    assert flags == ["SYN", "SYN-ACK"]


@pytest.mark.live
def test_it_is_a_socket_that_scapy_can_sniff_on() -> None:
    with Host("alone") as host, host.entered(), PacketSocket([41000]) as link:

        def call() -> None:
            with host.socket() as client_socket:
                client_socket.bind(("127.0.0.1", 41000))
                client_socket.connect_ex(("127.0.0.1", 1))

        thread = threading.Thread(target=call)
        thread.start()
        packets = sniff(opened_socket=link, count=2, timeout=5)
        thread.join()
    assert [str(packet[TCP].flags) for packet in packets] == ["S", "RA"]
    assert all(packet[IP].src == "127.0.0.1" and float(packet.time) > 1e9 for packet in packets)


@pytest.mark.live
@pytest.mark.parametrize("ring", [False, True])
def test_nothing_is_left_open(ring: bool) -> None:
    with Host("alone") as host, host.entered():
        before = len(list(Path("/proc/self/fd").iterdir()))
        with guard(ip_address("127.0.0.1")) as held, PacketSocket([held.port], ring=ring):
            pass
        assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.live
def test_a_copy_comes_within_moments() -> None:
    octets = b"\x45" + bytes(39)
    with pair() as (client, _), client.entered(), PacketSocket([80]) as link:

        def taken(at: float, interface: str) -> bool:
            found = link._captured(octets, 10**18 + round(at * 10**9), interface, 0, 0)
            return found is not None

        # On a bridge it is seen twice, and a retransmission may come by another interface.
        times = [(0, "eth0"), (0.001, "br0"), (1, "br0"), (1.001, "eth0"), (1.3, "br0")]
        assert [taken(*each) for each in times] == [True, False, True, False, True]


def filled(link: PacketSocket, data: int) -> list[Captured]:
    """Return the packets up to the one with the last of so many octets of data."""
    found: list[Captured] = []

    def enough() -> bool:
        found.extend(link.read())
        return sum(len(each.octets) - 52 for each in found) >= data

    eventually(enough, f"{data} octets")
    return found


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_a_ring_holds_what_other_sockets_receive(version: int) -> None:
    size = 4 << 20  # in packets of up to 64 KB, which are longer than the frames of the ring
    with pair() as (client, server), server.entered():
        address = server.v4 if version == 4 else server.v6
        listener = socket.create_server((address, 80), family=family(ip_address(address)))
        with listener, client.entered():
            there = socket.create_connection((address, 80))
            port = there.getsockname()[1]
            here, _ = listener.accept()
            with (
                there,
                here,
                PacketSocket([port], ring=True) as ring,
                PacketSocket([port]) as queue,
            ):
                there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for _ in range(size >> 16):
                    here.sendall(bytes(1 << 16))
                    there.recv(1 << 16, socket.MSG_WAITALL)
                    found, expected = filled(ring, 1 << 16), filled(queue, 1 << 16)
                    for one, other in zip(found, expected, strict=False):
                        # What the peer's kernel sent is stamped by each socket in turn.
                        assert abs(one.at - other.at) < 10_000_000
                        assert one._replace(at=0) == other._replace(at=0)
                    ring.read()
                    queue.read()


@pytest.mark.live
def test_a_full_ring_loses_the_last_packets_and_goes_on() -> None:
    ours = Endpoint.of("10.77.0.1", 41000)
    with pair() as (client, _), client.entered(), PacketSocket([41000], ring=True) as link:
        for last in (2, 3, 4):
            link.lost()
            for _ in range(1400):  # and as many RSTs
                link.transmit(syn(ours, Endpoint.of("10.77.0.2", 1)))
            found: list[Captured] = []
            while not link.drained or not found:
                found += link.read()
            # A RST that comes while slots are read, and freed, finds room.
            assert len(found) >= 2048
            assert link.lost()
            end = Endpoint.of("10.77.0.2", last)
            link.transmit(syn(ours, end))
            seen: list[Segment] = []

            def answered(end: Endpoint = end, seen: list[Segment] = seen) -> bool:
                seen.extend(each.segment for each in link.receive() if isinstance(each, Observed))
                return any(each.source == end for each in seen)

            eventually(answered, "the RST of a port of its own")
            assert [each.source for each in seen[-2:]] == [ours, end]


@pytest.mark.live
@pytest.mark.parametrize("target", ["10.77.0.2", "fd77::2"])
def test_once_it_is_open_to_us_alone_its_filter_is_locked(target: str) -> None:
    with pair() as (client, server), client.entered(), server.listen(80):
        ours = ip_address("fd77::1" if ":" in target else "10.77.0.1")
        with guard(ours) as held, PacketSocket([]) as link:
            link.confine([held.port])
            for sock in (link.ins, link._senders[LINK]):
                with pytest.raises(PermissionError):
                    bpf.attach(sock, bpf.NOTHING)
                with pytest.raises(PermissionError):
                    sock.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
                with pytest.raises(PermissionError):
                    sock.setsockopt(socket.SOL_SOCKET, bpf.SO_LOCK_FILTER, 0)
            link.transmit(syn(Endpoint(ours, held.port), Endpoint(ip_address(target), 80)))
            received = hear(link, 2)
    flags = [str(each.segment.flags) for each in received if isinstance(each, Observed)]
    assert flags == ["SYN", "SYN-ACK"]


@pytest.mark.live
def test_a_prober_that_drops_privileges_is_confined_to_its_ports() -> None:
    # More connections than were guarded before, from addresses that were not in use before.
    targets = [f"10.77.0.2:{port}" for port in range(8000, 8150)]
    targets += [f"[fd77::2]:{port}" for port in range(8000, 8150)]
    locked = []
    with pair() as (client, server), server.listen(8080), client.entered():
        connections = UserspaceConnections(
            Timeouts.of(observe=0), opened=lambda: locked.append(connections.packet_socket.ins)
        )
        with connections, Resolver(map(Target.parse, targets)) as resolver:
            results = list(Driver(connections).results(resolver, 100, None))
            locks = [each.getsockopt(socket.SOL_SOCKET, bpf.SO_LOCK_FILTER) for each in locked]
    assert locks == [1]
    assert Counter(each.verdict for each in results) == {Verdict.OPEN: 2, Verdict.CLOSED: 298}


@pytest.mark.live
def test_a_batch_is_sent_up_to_the_packet_that_the_kernel_refuses() -> None:
    port, templates = 41000, Templates()

    def packets(*addresses: str) -> list[tuple[bytes, tuple[object, ...]]]:
        found: list[tuple[bytes, tuple[object, ...]]] = []
        for each in addresses:
            there = ip_address(each)
            ours = Endpoint.of("10.77.0.1" if there.version == 4 else "fd77::1", port)
            packet = templates.packet(syn(ours, Endpoint(there, 1)))
            found.append((packet, sockaddr(there)))
        return found

    v4, v6, nowhere = "10.77.0.2", "fd77::2", "192.0.2.1"  # there is no default route
    with pair() as (client, _), client.entered(), PacketSocket([port]) as link:
        assert link.pass_on_all([]) == 0
        assert link.pass_on_all(packets(v4)) == 0  # one alone is no batch
        many = packets(*[v4] * 100, *[v6] * 3, v4, v4)
        assert link.pass_on_all(many) == len(many)
        assert link.pass_on_all(packets(v4, v4, nowhere, v4)) == 2
        too_long = many[0][0] + bytes(200), many[0][1]
        assert link.pass_on_all([many[0], too_long, many[0]]) == 1
        heard = hear(link, 2 * (len(many) + 3))
    sent = [each.packet for each in heard if isinstance(each, Observed) and each.outgoing]
    expected = [packet for packet, _ in [*many, *packets(v4, v4), many[0]]]
    assert len(sent) == len(expected)
    for one, other in zip(sent, expected, strict=True):
        if one[0] >> 4 == 6:
            assert one == other
        else:  # the kernel fills in the checksum of the header
            assert one[16:] == other[16:]
