"""Whose answer it was: the target's, a firewall's in its name, or a proxy's before it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from handshake.prober import ClientOptions, Result, Timeouts, Verdict
from handshake.record import Finding
from tests.live.lab.firewall import drop, firewall
from tests.live.lab.namespaces import Host, join, routed
from tests.live.lab.probing import Way, every_way
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.test_options import call, target
from tests.live.test_probe import PORT, flags

REJECTED = "reject with tcp reset"
MATCH = f"tcp dport {PORT}"
CLAMP = "tcp option maxseg size set 1300"


def note(result: Result, code: str) -> Finding | None:
    return next((each for each in result.findings if each.code == code), None)


@contextmanager
def far() -> Iterator[tuple[Host, Host, Host, Host]]:
    """Yield client, two routers in a row, and server."""
    with ExitStack() as stack:
        names = ("client", "near", "far", "server")
        client, near, distant, server = (stack.enter_context(Host(name)) for name in names)
        for router in (near, distant):
            router.sysctl("net.ipv4.ip_forward", 1)
            router.sysctl("net.ipv6.conf.all.forwarding", 1)
        hosts = (client, near, distant, server)
        for subnet in range(3):
            join(hosts[subnet], hosts[subnet + 1], subnet)
        for host, gateway in ((client, near), (near, distant)):
            there = gateway.interfaces[0]
            host.ip(f"route add default via {there.v4}", f"route add default via {there.v6}")
        for host, gateway in ((server, distant), (distant, near)):
            there = gateway.interfaces[1]
            host.ip(f"route add default via {there.v4}", f"route add default via {there.v6}")
        yield client, near, distant, server


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_the_ttl_of_its_rst_gives_a_firewall_away(version: int, tmp_path: Path) -> None:
    with routed() as (client, router, server), firewall(router, "forward", MATCH, REJECTED):
        with capture(client, "eth0", tmp_path / "a.pcap"):
            found = call(client, target(server, version))
        gateway = router.v4 if version == 4 else router.v6
    assert (found.verdict, found.ttl) == (Verdict.CLOSED, 64)
    told = note(found, "refused-by-firewall")
    assert told is not None
    assert (told.variant, told.values["ttl"], told.values["most"]) == ("near", 64, 63)
    assert str(told.values["gateway"]) == gateway
    # That could be told without another packet.
    assert flags(tmp_path / "a.pcap") == ["SYN", "RST-ACK"]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_a_firewall_further_on_is_found_by_a_syn_that_may_not_pass_it(version: int) -> None:
    with far() as (client, _, router, server), firewall(router, "forward", MATCH, REJECTED):
        found = call(client, target(server, version))
        there = router.v4 if version == 4 else router.v6
    assert (found.verdict, found.ttl, found.syn_sent) == (Verdict.CLOSED, 63, 1)
    told = note(found, "refused-by-firewall")
    assert told is not None
    assert (told.variant, told.values["routers"]) == ("beyond", 1)
    assert str(told.values["sender"]) == there
    assert [(each.expired, str(each.sender)) for each in found.errors] == [(True, there)]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_a_host_that_refuses_by_itself_is_no_firewall(version: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with far() as (client, _, _, server), capture(server, "eth0", path):
        found = call(client, target(server, version))
    assert (found.verdict, found.ttl) == (Verdict.CLOSED, 62)
    (told,) = found.findings
    assert (told.code, told.values) == ("refused-by-host", {"routers": 2})
    # The second SYN came just as far.
    assert flags(path) == ["SYN", "RST-ACK"] * 2


@pytest.mark.live
def test_who_asked_for_one_syn_alone_sends_no_second(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with far() as (client, _, _, server), capture(server, "eth0", path):
        found = call(client, target(server, 4), Timeouts.of(retries=0))
    assert found.verdict is Verdict.CLOSED
    assert flags(path) == ["SYN", "RST-ACK"]


@pytest.mark.live
def test_on_our_own_link_there_is_nothing_to_ask(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with routed() as (client, router, _), capture(client, "eth0", path):
        found = call(client, target(router, 4, 1))
    assert (found.verdict, found.findings) == (Verdict.CLOSED, ())
    assert flags(path) == ["SYN", "RST-ACK"]


PROXY = f"""
table ip proxy {{
    chain untrack {{
        type filter hook prerouting priority raw;
        tcp dport {PORT} tcp flags syn notrack
    }}
    chain through {{
        type filter hook forward priority 0;
        tcp dport {PORT} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
        ct state invalid drop
    }}
}}
"""


@contextmanager
def behind_a_proxy() -> Iterator[tuple[Host, Host]]:
    with routed() as (client, router, server):
        router.nft(PROXY)
        router.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
        yield client, server


@pytest.mark.live
def test_a_syn_proxy_before_a_server_that_is_there() -> None:
    with behind_a_proxy() as (client, server), answering(server):
        found = call(client, target(server, 4), Timeouts.of(observe=1.25))
    assert found.verdict is Verdict.OPEN
    told = note(found, "syn-proxy")
    assert told is not None
    assert (told.variant, told.values) == ("opened", {"ttl": 64, "ttls": [63]})
    assert note(found, "answered-on-the-way") is not None


@pytest.mark.live
def test_a_syn_proxy_before_a_server_that_is_not() -> None:
    # The handshake completes, and connect() would return: nobody is there.
    with behind_a_proxy() as (client, server), drop(server, "input", MATCH):
        found = call(client, target(server, 4), Timeouts.of(observe=0.5, close_timeout=1.2))
    assert found.verdict is Verdict.HALF_OPEN
    told = note(found, "syn-proxy")
    assert told is not None
    assert told.variant == "never-opened"


@pytest.mark.live
def test_a_syn_proxy_before_a_port_that_is_closed() -> None:
    with behind_a_proxy() as (client, server):
        found = call(client, target(server, 4), Timeouts.of(observe=0.5, close_timeout=1.2))
    assert found.verdict is not Verdict.OPEN
    assert note(found, "syn-proxy") is not None


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_a_router_that_lowers_the_mss_is_hinted_at(version: int) -> None:
    clamped = partial(firewall, hook="forward", match="tcp flags syn", verdict=CLAMP)
    with routed() as (client, router, server), answering(server), clamped(router):
        found = call(client, target(server, version))
    assert found.negotiated is not None
    assert found.negotiated.mss == 1300
    told = note(found, "mss-low")
    assert told is not None
    assert told.values["below"] == (1460 - 1300 if version == 4 else 1440 - 1300)


@pytest.mark.live
def test_syn_cookies_without_timestamps_keep_no_option() -> None:
    with routed() as (client, _, server), answering(server):
        server.sysctl("net.ipv4.tcp_syncookies", 2)
        found = call(client, target(server, 4), options=ClientOptions(timestamps=False))
    assert found.verdict is Verdict.OPEN
    assert {"options-stripped", "syn-cookies"} <= {each.code for each in found.findings}


TAKEN_OVER = f"""
table inet takeover {{ chain into {{
type nat hook prerouting priority dstnat;
tcp dport {PORT} redirect to :4000
}}; }}
"""


@pytest.mark.live
@every_way
def test_a_router_that_takes_the_call_over(way: Way) -> None:
    with routed() as (client, router, server), router.listen(4000):
        router.nft(TAKEN_OVER)
        found = way.call(client, server, Timeouts.of(close_timeout=0.2), port=PORT)
        gateway = way.address(router)
    assert (found.verdict, found.ttl) == (Verdict.OPEN, 64)
    told = note(found, "answered-on-the-way")
    assert told is not None
    assert (told.values["answer"], told.values["ttl"], told.values["most"]) == ("SYN-ACK", 64, 63)
    assert (str(told.values["address"]), str(told.values["gateway"])) == (found.address, gateway)


@pytest.mark.live
@every_way
def test_a_server_behind_a_router_answers_for_itself(way: Way) -> None:
    with routed() as (client, _, server), server.listen(PORT):
        found = way.call(client, server, Timeouts.of(close_timeout=0.2), port=PORT)
    assert (found.verdict, found.ttl) == (Verdict.OPEN, 63)
    assert note(found, "answered-on-the-way") is None


@pytest.mark.live
@every_way
def test_an_address_of_the_router_itself_may_be_the_reason(way: Way) -> None:
    with routed() as (client, router, _), router.listen(PORT):
        far = router.interfaces[1].v4 if way.version == 4 else router.interfaces[1].v6
        found = way.call(client, far, Timeouts.of(close_timeout=0.2), port=PORT)
        gateway = way.address(router)
    told = note(found, "answered-on-the-way")
    assert told is not None
    assert f"unless {far} is an address of {gateway} itself or the host has" in told.text


@pytest.mark.live
@every_way
@pytest.mark.parametrize("port", [PORT, 1])
def test_on_our_own_link_and_on_this_machine_no_answer_is_too_near(way: Way, port: int) -> None:
    with routed() as (client, router, _), router.listen(PORT), client.listen(PORT):
        for host in (router, client):
            found = way.call(client, host, Timeouts.of(close_timeout=0.2), port=port)
            assert (found.ttl, found.findings) == (64, ())
