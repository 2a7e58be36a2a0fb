"""Many connections by the kernel, to names and addresses, from given sources."""

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from handshake.prober import Target, Timeouts
from handshake.prober.run import connect_all
from handshake.tcp import Endpoint, Flags
from tests.live.lab.backends import V4, of
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import TIMEOUT, pair
from tests.live.lab.servers import answering
from tests.live.lab.sockets import see_fin
from tests.live.lab.tcpdump import capture
from tests.live.lab.unprivileged import connected
from tests.live.test_probe import PORT, seen
from tests.live.test_probe_many import MIXED
from tests.schema import valid

# From where.


@pytest.mark.live
@pytest.mark.parametrize("version", ["v4", "v6"])
def test_the_source_asked_for_is_used(version: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    source = {"v4": "10.77.0.7", "v6": "fd77::7"}[version]
    options = {"source": source, "source_port": 41000, "interface": "eth0", "ttl": 7, "tos": 0x28}
    with pair() as (client, server), answering(server):
        client.ip(f"addr add {source}/{24 if version == 'v4' else 64} dev eth0")
        with capture(server, "eth0", path):
            target = of(getattr(server, version))
            # One port connects to two targets, and to one of them again.
            closed = of(getattr(server, version), 1)
            found = connected(client, target, closed, closed, options=options, concurrency=1)
    assert [each["verdict"] for each in found] == ["open", "closed", "closed"]
    syns = [each for each in seen(path) if each.segment.flags == Flags.SYN]
    assert {str(each.segment.source) for each in syns} == {str(Endpoint.of(source, 41000))}
    assert {each.ttl for each in syns} == {7}

    # In IPv6 it begins in the middle of an octet.
    shift = 0 if version == "v4" else 4
    assert {int.from_bytes(each.packet[:2], "big") >> shift & 0xFF for each in syns} == {0x28}


@pytest.mark.live
def test_a_name_with_two_addresses(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("10.77.0.2 two.example\nfd77::2 two.example\n")
    mount = f'mount --bind {hosts} /etc/hosts && exec "$@"'
    before = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    with pair() as (client, server), answering(server, PORT):
        found = connected(client, f"two.example:{PORT}", before=before, concurrency=1)
    assert [(each["address"], each["verdict"]) for each in found] == [
        ("fd77::2", "open"),
        ("10.77.0.2", "open"),
    ]
    assert {each["target"] for each in found} == {f"two.example:{PORT}"}


# Many.


@pytest.mark.live
def test_every_verdict_comes_out_of_one_run() -> None:
    with pair() as (client, server), answering(server), drop(server, "input", "tcp dport 9"):
        found = connected(client, *sorted(target for target, *_ in MIXED))
    assert {(each["target"], each["verdict"], each["close"]) for each in found} == MIXED
    assert len(found) == len(MIXED)
    for each in found:
        valid(each, "probe")
        assert each["guard"] == (None if each["verdict"] == "name-error" else "none")


@pytest.mark.live
def test_a_thousand_at_once_or_nearly() -> None:
    ports = range(9001, 10001)
    dropped = "tcp dport 9101-9200"
    with pair() as (client, server), answering(server), drop(server, "input", dropped):
        # A tenth are open, a tenth drop, and the rest are closed.
        hook = "type nat hook prerouting priority -100;"
        to_one = f"tcp dport 9001-9100 redirect to :{PORT}"
        server.nft(f"table inet many {{ chain in {{ {hook}\n{to_one}\n}}; }}")
        targets = [of("10.77.0.2", port) for port in ports]
        began = time.monotonic()
        found = connected(client, *targets, concurrency=128, times={"timeout": 1.0})
        took = time.monotonic() - began
    assert sorted(each["port"] for each in found) == list(ports)
    by_verdict: dict[str, set[int]] = {}
    for each in found:
        by_verdict.setdefault(each["verdict"], set()).add(each["port"])
        assert each["close"] == ("clean" if each["verdict"] == "open" else None)
    assert by_verdict == {
        "open": set(range(9001, 9101)),
        "filtered": set(range(9101, 9201)),
        "closed": set(range(9201, 10001)),
    }
    assert took < TIMEOUT / 2


@pytest.mark.live
def test_connections_start_at_the_rate_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), capture(server, "eth0", path):
        targets = [of(server.v4, port) for port in range(1, 41)]
        assert len(connected(client, *targets, rate=100)) == 40
    at = [each.at for each in seen(path) if each.segment.syn]
    assert len(at) == 40
    assert 0.36 <= (at[-1] - at[0]) / 1e9 < 2


@pytest.mark.live
def test_left_early_it_closes_its_sockets(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        drop(server, "input", "tcp dport 9"),
        server.listen(PORT) as listener,
        capture(server, "eth0", path),
        client.entered(),
    ):
        calls = [Target.parse(text) for text in (V4, "10.77.0.2:9", "10.77.0.2:1")]
        results = connect_all(calls, timeouts=Timeouts.of(hold=5))
        assert str(next(results).verdict) == "closed"
        results.close()
        accepted, _ = listener.accept()
        with accepted:
            accepted.settimeout(TIMEOUT)
            see_fin(accepted)


@pytest.mark.live
def test_memory_stays_flat() -> None:
    begun = 0

    def calls() -> Iterator[Target]:
        nonlocal begun
        for number in range(6_000):
            begun += 1
            yield Target.of("10.77.0.2", 1 + number)

    marks = []
    timeouts = Timeouts.of(timeout=0.5)
    with (
        pair() as (client, server),
        drop(server, "input", "tcp dport 5000-5031"),
        client.entered(),
    ):
        tracemalloc.start()
        for place, _ in enumerate(connect_all(calls(), concurrency=128, timeouts=timeouts)):
            # Targets are taken as they are needed, however fast each is refused.
            assert begun <= place + 1 + 2 * 128
            if place in (1000, 5900):
                marks.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert marks[1] < marks[0] + 1_000_000


def test_importing_it_loads_no_sockets_of_ours() -> None:
    code = "import sys, handshake.prober.run; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = run.stdout.split()
    assert "handshake.prober.run" in loaded
    assert not {"scapy", "numpy", "handshake.linux.connect", "handshake.linux.rst_guard"} & set(
        loaded
    )
