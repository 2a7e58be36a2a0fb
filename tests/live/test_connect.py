"""The kernel's connect(), without privileges, has the same results as the user-space probe."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handshake.linux.inet_diag import InetDiag
from handshake.packet.checksum import checksummed
from handshake.tcp import Endpoint, Flags, Segment, Seq, State
from tests.live.lab.backends import V4, V6, alike, in_user_space, of
from tests.live.lab.delayed_link import delayed
from tests.live.lab.firewall import drop, drop_first, firewall
from tests.live.lab.namespaces import TIMEOUT, Host, eventually, pair, routed
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.lab.unprivileged import Found, connected, connected_to
from tests.live.test_probe import PORT, SYN, SYN_ACK, flags, seen

ICMP = {
    "net-unreachable": 0,
    "host-unreachable": 1,
    "prot-unreachable": 2,
    "port-unreachable": 3,
    "net-prohibited": 9,
    "host-prohibited": 10,
    "admin-prohibited": 13,
}
ICMPV6 = {
    "no-route": 0,
    "admin-prohibited": 1,
    "addr-unreachable": 3,
    "port-unreachable": 4,
    "policy-fail": 5,
    "reject-route": 6,
}


# It opens.


@pytest.mark.live
@pytest.mark.parametrize("target", [V4, V6, f"[fe80::ff:fe00:2%eth0]:{PORT}"])
def test_open(target: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), answering(server):
        with capture(server, "eth0", path):
            found = connected_to(client, target)
        alike(found, in_user_space(client, target)[target])
    assert (found["verdict"], found["close"], found["syn_sent"]) == ("open", "clean", 1)
    assert found["negotiated"]["mss"] == (1460 if "." in target else 1440)
    assert found["said"] is None
    assert found["rtt"] is not None
    assert 0 < found["rtt"] < 0.5
    assert not found["rtt_ambiguous"]
    assert "RST" not in "".join(flags(path))


@pytest.mark.live
@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ("tcp_timestamps", "timestamps"),
        ("tcp_sack", "sack"),
        ("tcp_window_scaling", "snd_shift"),
    ],
)
@pytest.mark.parametrize("target", [V4, V6])
def test_an_option_that_the_server_does_not_take(setting: str, key: str, target: str) -> None:
    with pair() as (client, server), answering(server):
        server.sysctl(f"net.ipv4.{setting}", 0)
        found = connected_to(client, target)
        alike(found, in_user_space(client, target)[target])
    assert not found["negotiated"][key]
    others = {"timestamps", "sack", "snd_shift"} - {key}
    assert all(found["negotiated"][each] for each in others)
    assert bool(found["negotiated"]["rcv_shift"]) == (key != "snd_shift")


@pytest.mark.live
@pytest.mark.parametrize(("takes", "ecn"), [(2, True), (0, False)])
def test_ecn_where_this_machine_asks_for_it(takes: int, ecn: bool) -> None:
    with pair() as (client, server), answering(server):
        client.sysctl("net.ipv4.tcp_ecn", 1)
        server.sysctl("net.ipv4.tcp_ecn", takes)
        assert connected_to(client, V4)["negotiated"]["ecn"] == ecn


@pytest.mark.live
def test_a_smaller_mss() -> None:
    with pair() as (client, server), answering(server):
        server.ip(f"route replace 10.77.0.0/24 dev eth0 src {server.v4} advmss 1000")
        found = connected_to(client, V4)
        alike(found, in_user_space(client, V4)[V4])
    assert found["negotiated"]["mss"] == 1000


@pytest.mark.live
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.77.0.1", "::ffff:127.0.0.1"])
def test_open_on_the_same_host(address: str) -> None:
    with pair() as (client, _), answering(client):
        found = connected_to(client, of(address))
    assert (found["verdict"], found["close"], found["syn_sent"]) == ("open", "clean", 1)
    # A window there has no room for two segments: what the peer would take does not show.
    assert found["negotiated"]["mss"] is None


@pytest.mark.live
def test_the_first_syn_is_lost() -> None:
    with pair() as (client, server), answering(server), drop_first(server, "input", SYN):
        found = connected_to(client, V4)
    assert (found["verdict"], found["close"], found["syn_sent"]) == ("open", "clean", 2)
    # The answer echoes the clock of the second SYN.
    assert not found["rtt_ambiguous"]
    assert found["rtt"] < 0.5


@pytest.mark.live
@pytest.mark.parametrize("timestamps", [1, 0])
def test_the_first_syn_ack_is_lost(timestamps: int) -> None:
    with pair() as (client, server), answering(server), drop_first(server, "output", SYN_ACK):
        server.sysctl("net.ipv4.tcp_timestamps", timestamps)
        found = connected_to(client, V4)
    assert (found["verdict"], found["syn_sent"], found["rtt_ambiguous"]) == ("open", 2, True)
    assert (found["rtt"] is None) == (not timestamps)


@pytest.mark.live
def test_the_round_trip_is_that_of_tcpdump(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        answering(server),
        capture(client, "eth0", path, nano=True),
    ):
        found = connected(client, *[V4, "10.77.0.2:1"] * 20, concurrency=1)
    asked: dict[Endpoint, int] = {}
    truth: dict[int, list[float]] = {PORT: [], 1: []}
    for each in seen(path):
        seg = each.segment
        if seg.ack is None:
            asked[seg.source] = each.at
        elif seg.source.port in truth and (seg.syn or seg.rst) and seg.destination in asked:
            # What is sent again is not counted.
            truth[seg.source.port].append((each.at - asked.pop(seg.destination)) / 1e9)
    for port, limit in ((PORT, 30e-6), (1, 150e-6)):
        output = [each["rtt"] for each in found if each["port"] == port]
        errors = sorted(abs(ours - real) for ours, real in zip(output, truth[port], strict=True))
        # The median, since a busy machine is late now and then.
        assert errors[10] < limit


@pytest.mark.live
def test_both_ends_connect_at_once() -> None:
    found: list[Found] = []

    def call() -> None:
        times, options = {"close_timeout": 0.5}, {"source_port": 41000}
        found.append(connected_to(client, V4, times=times, options=options))

    # Each SYN is 50 ms on its way, so that they cross (figure 7).
    with delayed(0.05) as (client, server), server.socket() as peer:
        peer.bind((server.v4, PORT))
        peer.setblocking(False)
        table = InetDiag(client, 4)
        client_socket = threading.Thread(target=call)
        client_socket.start()
        eventually(lambda: [each.state for each in table.read()] == [State.SYN_SENT], "the call")
        peer.connect_ex((client.v4, 41000))
        client_socket.join(TIMEOUT)
        table.close()
        assert peer.getpeername() == (client.v4, 41000)
    assert [(each["verdict"], each["close"]) for each in found] == [("open", "peer-kept-open")]


# It does not.


@pytest.mark.live
@pytest.mark.parametrize("target", ["10.77.0.2:1", "[fd77::2]:1"])
def test_closed(target: str) -> None:
    with pair() as (client, _):
        found = connected_to(client, target)
        alike(found, in_user_space(client, target)[target])
    assert (found["verdict"], found["syn_sent"], found["said"]) == ("closed", 1, None)
    assert 0 < found["rtt"] < 0.5


@pytest.mark.live
@pytest.mark.parametrize("linear", [4, 0])
def test_filtered(linear: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), drop(server, "input", f"tcp dport {PORT}"):
        client.sysctl("net.ipv4.tcp_syn_linear_timeouts", linear)
        with capture(server, "eth0", path):
            found = connected_to(client, V4, times={"timeout": 3.5})
    syns = [each for each in seen(path) if each.segment.flags == Flags.SYN]
    assert len(syns) == len(seen(path)) == found["syn_sent"] == (4 if linear else 3)
    assert (found["verdict"], found["rtt"], found["icmp"]) == ("filtered", None, None)
    assert f"no answer to {len(syns)} SYNs within 3.5 s" in found["reason"]


@pytest.mark.live
@pytest.mark.parametrize(("version", "codes"), [("v4", ICMP), ("v6", ICMPV6)])
def test_unreachable(version: str, codes: dict[str, int]) -> None:
    ports = dict(zip(codes, range(9001, 9100), strict=False))
    with routed() as (client, router, server), ExitStack() as rules:
        for name, port in ports.items():
            answer = f"reject with {'icmp' if version == 'v4' else 'icmpv6'} type {name}"
            rules.enter_context(firewall(router, "forward", f"tcp dport {port}", answer))
        targets = [of(getattr(server, version), port) for port in ports.values()]
        found = {each["target"]: each for each in connected(client, *targets)}
        # By hand a soft error does not end it while a SYN is left (section 3.9.2.2).
        for target, other in in_user_space(client, *targets, retries=0).items():
            alike(found[target], other)
        output = {each["port"]: each["icmp"] for each in found.values()}
        sender = getattr(router, version)
    kind = 3 if version == "v4" else 1
    assert output == {
        ports[name]: {"type": kind, "code": code, "from": sender} for name, code in codes.items()
    }
    assert {each["verdict"] for each in found.values()} == {"unreachable"}


@pytest.mark.live
@pytest.mark.parametrize(("version", "kind"), [("v4", 11), ("v6", 3)])
def test_the_time_to_live_runs_out(version: str, kind: int) -> None:
    with routed() as (client, router, server):
        found = connected_to(client, of(getattr(server, version)), options={"ttl": 1})
        assert found["icmp"] == {"type": kind, "code": 0, "from": getattr(router, version)}
    assert (found["verdict"], found["syn_sent"]) == ("unreachable", 1)
    assert "time to live exceeded" in found["reason"]


@pytest.mark.live
@pytest.mark.parametrize("version", ["v4", "v6"])
def test_the_host_itself_reports_the_port_as_unreachable(version: str) -> None:
    answer = "reject with icmpx type port-unreachable"
    with pair() as (client, server), firewall(server, "input", f"tcp dport {PORT}", answer):
        target = of(getattr(server, version))
        found = connected_to(client, target)
        alike(found, in_user_space(client, target)[target])
    # For that the kernel reports ECONNREFUSED, as for a RST.
    assert found["verdict"] == "unreachable"
    assert found["reason"].startswith("the host itself reports: port unreachable")


@pytest.mark.live
@pytest.mark.parametrize("target", ["10.77.0.9:80", "[fd77::9]:80"])
@pytest.mark.parametrize("retries", [0, 2])
def test_no_answer_to_arp(target: str, retries: int) -> None:
    with pair() as (client, _):
        found = connected_to(client, target, times={"retries": retries})
        alike(found, in_user_space(client, target)[target])
    assert (found["verdict"], found["syn_sent"]) == ("unreachable", 0)


@pytest.mark.live
@pytest.mark.parametrize(
    ("target", "missing"),
    [
        ("10.77.0.9:80", "ARP for 10.77.0.9"),
        ("[fd77::9]:80", "neighbour discovery for fd77::9"),
        ("192.0.2.1:80", "ARP for the gateway 10.77.0.8"),
    ],
)
@pytest.mark.parametrize("seconds", [0.7, 1.5])
def test_it_is_given_up_while_the_syn_still_waits_to_leave(
    target: str, missing: str, seconds: float
) -> None:
    times = {"timeout": seconds}
    with pair() as (client, _):
        client.ip("route add default via 10.77.0.8")
        found = connected_to(client, target, times=times)
        client.ip("neigh flush dev eth0")
        alone = in_user_space(client, target, **times)[target]
    for each in found, alone:
        assert (each["verdict"], each["syn_sent"], each["icmp"]) == ("unreachable", 0, None)
        assert each["reason"].startswith(f"no reply to {missing}: ")


@contextmanager
def answering_wrongly(host: Host) -> Iterator[None]:
    """Answer each SYN with a SYN-ACK that acknowledges another one."""
    stopped = threading.Event()

    def answer() -> None:
        while not stopped.is_set():
            try:
                octets = wire.recv(0xFFFF)
            except TimeoutError:
                continue
            seg = Segment.parse(there.address, here.address, octets[20:], len(octets) - 20)
            if seg.flags == Flags.SYN:
                wrong = Segment(
                    source=here,
                    destination=replace(there, port=seg.source.port),
                    seq=Seq(7),
                    ack=seg.seq + 1000,
                    flags=Flags.SYN | Flags.ACK,
                )
                wire.sendto(checksummed(wrong).pack(), (str(there.address), 0))

    here, there = Endpoint.of(host.v4, PORT), Endpoint.of("10.77.0.1", 0)
    with (
        drop(host, "output", "tcp flags & rst == rst"),  # its kernel has no socket there
        host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as wire,
    ):
        wire.settimeout(0.05)
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(TIMEOUT)


@pytest.mark.live
def test_a_peer_that_acknowledges_what_was_not_sent() -> None:
    with pair() as (client, server), answering_wrongly(server):
        found = connected_to(client, V4, times={"timeout": 1.5})
        other = in_user_space(client, V4, timeout=1.5)[V4]
    assert found["verdict"] == other["verdict"] == "bad-peer"


# This machine does not let it.


@pytest.mark.live
@pytest.mark.parametrize("route", [None, "unreachable", "blackhole", "prohibit"])
@pytest.mark.parametrize("target", ["198.51.100.1:80", "[2001:db8::1]:80"])
def test_no_way_there(route: str | None, target: str, tmp_path: Path) -> None:
    with pair() as (client, _), capture(client, "eth0", tmp_path / "a.pcap"):
        if route is not None:
            client.ip(f"route add {route} {target.rpartition(':')[0].strip('[]')}")
        found = connected_to(client, target)
        alike(found, {**in_user_space(client, target)[target], "guard": "none"})
    assert (found["verdict"], found["syn_sent"]) == ("local-error", 0)
    assert seen(tmp_path / "a.pcap") == []


@pytest.mark.live
@pytest.mark.parametrize("target", [V4, V6])
def test_the_link_is_down(target: str) -> None:
    with pair() as (client, _):
        client.ip("link set eth0 down")
        found = connected_to(client, target)
        alike(found, in_user_space(client, target)[target])
    assert found["verdict"] == "local-error"


@pytest.mark.live
@pytest.mark.parametrize("target", [V4, V6])
def test_a_firewall_of_our_own_drops_it(target: str) -> None:
    with pair() as (client, _), drop(client, "output", f"tcp dport {PORT}") as rule:
        found = connected_to(client, target)
        other = in_user_space(client, target)[target]
        assert rule.packets > 1
    assert (found["verdict"], found["syn_sent"]) == ("local-error", 0)
    assert other["verdict"] == "local-error"
    assert "a firewall on this machine drops it" in found["reason"]


@pytest.mark.live
@pytest.mark.parametrize("version", ["v4", "v6"])
@pytest.mark.parametrize("kind", ["admin-prohibited", "host-unreachable"])
def test_a_firewall_of_our_own_rejects_it(version: str, kind: str) -> None:
    answer = f"reject with icmpx type {kind}"
    with pair() as (client, server), firewall(client, "output", f"tcp dport {PORT}", answer):
        target = of(getattr(server, version))
        found = connected_to(client, target)
        other = in_user_space(client, target)[target]
        sender = getattr(client, version)
    assert found["verdict"] == other["verdict"] == "local-error"
    assert (found["syn_sent"], found["icmp"]["from"]) == (0, sender)
    assert "a firewall on this machine rejects it" in found["reason"]


@pytest.mark.live
@pytest.mark.parametrize(
    ("target", "options", "reason"),
    [
        (V4, {"source": "10.77.0.9"}, "10.77.0.9: not an address of this machine (EADDRNOTAVAIL)"),
        (V6, {"source": "fd77::9"}, "fd77::9: not an address of this machine (EADDRNOTAVAIL)"),
        (
            V6,
            {"source": "10.77.0.1"},
            "10.77.0.1 and fd77::2 have different IP versions (EAFNOSUPPORT)",
        ),
        (V4, {"source_port": 79}, "port 79: ports below 1024 need CAP_NET_BIND_SERVICE (EACCES)"),
        (V6, {"source_port": 5000}, "port 5000: it is in use (EADDRINUSE)"),
        (V4, {"interface": "eth9"}, "eth9: no such interface (ENODEV)"),
        # The loopback interface has no way there.
        (V6, {"interface": "lo"}, "this machine has no route to the address (ENETUNREACH)"),
    ],
)
def test_a_source_that_cannot_be_used(target: str, options: dict[str, Any], reason: str) -> None:
    with pair() as (client, server), answering(server), client.listen(5000):
        found = connected_to(client, target, options=options)
    assert (found["verdict"], found["syn_sent"], found["said"]) == ("local-error", 0, None)
    assert reason in found["reason"]


@pytest.mark.live
def test_too_many_sockets_at_once_cannot_be_had() -> None:
    few = ["prlimit", "--nofile=20"]
    with pair() as (client, server), drop(server, "input", "tcp dport 9000-9100"):
        targets = [of(server.v4, port) for port in range(9000, 9050)]
        with pytest.raises(RuntimeError, match="LocalError: too many open sockets"):
            connected(client, *targets, before=few, concurrency=50)


@pytest.mark.live
def test_a_port_that_would_connect_to_itself() -> None:
    with pair() as (client, _):
        found = connected_to(client, "10.77.0.1:5000", options={"source_port": 5000})
        assert found["verdict"] == "local-error"
        assert "port 5000 would connect to itself" in found["reason"]
        # The kernel takes even ports first: chosen by it, the port is chosen again.
        client.sysctl("net.ipv4.ip_local_port_range", "45000 45001")
        found = connected_to(client, "10.77.0.1:45000")
    assert (found["verdict"], found["syn_sent"]) == ("closed", 1)
