"""`handshake probe --trace` over chains of routers."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.lab.firewall import drop, firewall
from tests.live.lab.namespaces import Host
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.lab.topologies import chain
from tests.live.test_probe import seen
from tests.live.test_probe_screen import remains, screen
from tests.schema import valid

PORT = 9000

CLAMP = """
table {family} handshake_trace {{
  chain forward {{
    type filter hook forward priority mangle
    tcp flags syn tcp option maxseg size set 1300
    {dscp} dscp set cs1
  }}
}}
"""


def trace(client: Host, target: str, *words: str) -> dict[str, object]:
    argv = [sys.executable, "-m", "handshake", "probe", target, "--trace", "--json", *words]
    done = client.run(argv, check=False)
    found: dict[str, object] = json.loads(done.stdout)
    valid(found, "trace")
    assert done.stderr == ""
    assert done.returncode == (0 if "SYN-ACK" in str(found["reason"]) else 1)
    return found


def senders(found: dict[str, object]) -> list[object]:
    hops = found["hops"]
    assert isinstance(hops, list)
    return [each["from"] for each in hops]


@contextmanager
def path(version: int) -> Iterator[tuple[list[Host], str, list[str]]]:
    """Yield a chain of three routers, the target's address, and the routers' addresses."""
    with chain(3) as hosts:
        *routers, server = hosts[1:]
        near = [each.interfaces[0] for each in (*routers, server)]
        addresses = [each.v4 if version == 4 else each.v6 for each in near]
        host = addresses[-1] if version == 4 else f"[{addresses[-1]}]"
        yield hosts, host, addresses[:-1]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_each_router_and_what_one_of_them_changes(version: int, tmp_path: Path) -> None:
    wire = tmp_path / "wire.pcap"
    family, dscp = ("ip", "ip") if version == 4 else ("ip6", "ip6")
    with path(version) as (hosts, host, routers), answering(hosts[-1], PORT):
        hosts[2].nft(CLAMP.format(family=family, dscp=dscp))
        with capture(hosts[0], "eth0", wire):
            found = trace(hosts[0], f"{host}:{PORT}")
    assert (found["verdict"], found["last"]) == ("answered", 3)
    assert senders(found) == [*routers, None]
    mss = 1460 if version == 4 else 1440
    assert found["changes"] == [
        {"behind": 2, "hop": 3, "field": "tos", "before": "0x00", "after": "0x20"},
        {
            "behind": 2,
            "hop": 3,
            "field": "mss",
            "before": f"MSS {mss}",
            "after": "MSS 1300",
        },
    ]
    # One SYN to each hop, each from a socket pair of its own.
    syns = [each for each in seen(wire) if each.segment.syn and each.segment.ack is None]
    assert [each.ttl for each in syns] == [1, 2, 3, 4]
    assert len({each.segment.source.port for each in syns}) == 4


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
def test_a_router_that_drops(version: int, tmp_path: Path) -> None:
    wire = tmp_path / "wire.pcap"
    with (
        path(version) as (hosts, host, routers),
        drop(hosts[2], "forward", f"tcp dport {PORT}"),
        capture(hosts[0], "eth0", wire),
    ):
        found = trace(hosts[0], f"{host}:{PORT}", "--timeout", "0.2")
    assert (found["verdict"], found["last"]) == ("dropped", 2)
    assert str(found["reason"]).startswith(f"after hop 2, {routers[1]} (or ")
    assert senders(found) == [*routers[:2], None, None, None, None]
    sent: dict[int, int] = {}
    for each in seen(wire):
        sent[each.ttl or 0] = sent.get(each.ttl or 0, 0) + 1
    assert sent == {1: 1, 2: 1, 3: 3, 4: 3, 5: 1, 6: 1, 64: 3}


@pytest.mark.live
def test_a_router_that_rejects_and_a_port_that_is_closed() -> None:
    rule = "reject with icmp type admin-prohibited"
    with path(4) as (hosts, host, routers):
        with firewall(hosts[2], "forward", f"tcp dport {PORT}", rule):
            found = trace(hosts[0], f"{host}:{PORT}")
        closed = trace(hosts[0], f"{host}:81")
    assert found["reason"] == f"by hop 2, {routers[1]}: admin-prohibited"
    assert closed["reason"] == "RST from hop 4"


@pytest.mark.live
def test_silent_routers_do_not_hide_the_target() -> None:
    with path(4) as (hosts, host, _), answering(hosts[-1], PORT):
        for router in hosts[1:-1]:
            router.nft(
                "table ip quiet { chain out { type filter hook output priority 0\n"
                "icmp type time-exceeded drop\n}\n}"
            )
        found = trace(hosts[0], f"{host}:{PORT}", "--timeout", "0.2")
    assert found["reason"] == "SYN-ACK from hop 4"
    assert senders(found) == [None] * 4


@pytest.mark.live
def test_the_table_grows_on_a_terminal_and_the_verdict_comes_first() -> None:
    with (
        path(4) as (hosts, host, routers),
        drop(hosts[2], "forward", f"tcp dport {PORT}"),
        screen(hosts[0], f"{host}:{PORT}", "--trace", "--timeout", "0.3") as shown,
    ):
        shown.see("waiting for hop 3")
        assert shown.end() == 1
        lines = remains(shown)
    assert lines[0].startswith(f"DROPPED  {host}:{PORT}  after hop 2, {routers[1]}")
    assert [line.split()[0] for line in lines if "ttl-exceeded" in line] == ["1", "2"]


@pytest.mark.live
def test_an_interrupt_shows_the_hops_that_are_known() -> None:
    with (
        path(4) as (hosts, host, _),
        drop(hosts[2], "forward", f"tcp dport {PORT}"),
        screen(hosts[0], f"{host}:{PORT}", "--trace") as shown,
    ):
        shown.see("waiting for hop 3")
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 130
        lines = remains(shown)
    assert [each.split()[0] for each in lines if each.strip()] == ["INTERRUPTED", "hop", "1", "2"]


@pytest.mark.live
def test_what_this_machine_does_not_send_is_no_trace() -> None:
    with path(4) as (hosts, _, _):
        argv = [sys.executable, "-m", "handshake", "probe", "10.77.0.99:80", "--trace"]
        done = hosts[0].run([*argv, "--timeout", "1.5"], check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("UNREACHABLE  10.77.0.99:80  no reply to ARP for 10.77.0.99\n")
