import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live import conftest
from tests.live.lab.delayed_link import delayed
from tests.live.lab.firewall import drop, drop_first, firewall
from tests.live.lab.namespaces import TIMEOUT, CommandError, Host, eventually, pair, routed
from tests.live.lab.tcpdump import capture

SYN = "tcp flags syn / syn,ack"
TESTS = Path(__file__).parents[1]

VICTIM = """
import subprocess, sys
from pathlib import Path
from tests.live.lab.tcpdump import capture
from tests.live.lab.namespaces import pair

with pair() as (client, server):
    for name, host in (("witness0", client), ("witness1", server)):
        veth = f"ip link add {name} type veth peer name far netns {host.path}"
        subprocess.run(veth.split(), check=True)
    server.popen(["sleep", "infinity"])
    with capture(client, "eth0", Path(sys.argv[1])):
        print("ready", flush=True)
        sys.stdin.read()
"""


def greet(client: Host, server: Host, address: str) -> bytes:
    """Return what arrives when the client sends one line to the server."""
    with server.listen(80) as listener, client.connect(address, 80) as client_socket:
        accepted, _ = listener.accept()
        with accepted:
            client_socket.sendall(b"hello")
            return accepted.recv(100)


def send_datagrams(client: Host, server: Host, count: int) -> None:
    with client.socket(kind=socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(b"..", (server.v4, 9))


def namespace() -> Path:
    """Return the kernel's name of this thread's namespace."""
    return Path("/proc/thread-self/ns/net").readlink()


@pytest.mark.live
@pytest.mark.parametrize("version", ["v4", "v6"])
def test_a_pair_is_connected(version: str) -> None:
    with pair() as (client, server):
        assert greet(client, server, getattr(server, version)) == b"hello"


@pytest.mark.live
def test_a_pair_has_the_same_addresses_every_time() -> None:
    with pair() as (client, server):
        assert [client.v4, server.v4] == ["10.77.0.1", "10.77.0.2"]
        assert [client.v6, server.v6] == ["fd77::1", "fd77::2"]
        assert "02:00:00:00:00:02" in server.run(["ip", "link", "show", "eth0"]).stdout


@pytest.mark.live
def test_link_local_addresses_work_at_once() -> None:
    with pair() as (client, server):
        assert greet(client, server, "fe80::ff:fe00:2%eth0") == b"hello"


@pytest.mark.live
@pytest.mark.parametrize("version", ["v4", "v6"])
def test_a_router_forwards(version: str) -> None:
    with routed() as (client, router, server), drop(router, "forward", "tcp dport 9001") as rule:
        assert greet(client, server, getattr(server, version)) == b"hello"
        assert rule.packets == 0
        family = {"v4": socket.AF_INET, "v6": socket.AF_INET6}[version]
        with client.socket(family) as client_socket:
            client_socket.setblocking(False)
            client_socket.connect_ex((getattr(server, version), 9001))
            eventually(lambda: rule.packets == 1, "the router to drop a SYN")


@pytest.mark.live
def test_a_firewall_rule_rejects_while_it_lasts() -> None:
    with pair() as (client, server):
        with (
            firewall(server, "input", "tcp dport 80", "reject with tcp reset"),
            pytest.raises(ConnectionRefusedError),
        ):
            greet(client, server, server.v4)
        assert greet(client, server, server.v4) == b"hello"


@pytest.mark.live
def test_the_first_syn_is_dropped_and_the_second_passes() -> None:
    with pair() as (client, server), drop_first(server, "input", SYN) as rule:
        begin = time.monotonic()
        assert greet(client, server, server.v4) == b"hello"
        assert time.monotonic() - begin > 0.9
        assert rule.packets == 1


@pytest.mark.live
@pytest.mark.parametrize("nano", [False, True])
def test_a_capture_has_every_packet(tmp_path: Path, nano: bool) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), capture(client, "eth0", path, only="udp", nano=nano):
        send_datagrams(client, server, 100)
    data = path.read_bytes()
    assert data[:4] == (0xA1B23C4D if nano else 0xA1B2C3D4).to_bytes(4, sys.byteorder)
    assert len(data) == 24 + 100 * (16 + 14 + 20 + 8 + 2)


@pytest.mark.live
def test_a_capture_can_be_waited_for(tmp_path: Path) -> None:
    with pair() as (client, server), capture(server, "eth0", tmp_path / "a.pcap") as written:
        assert written.packets == 0
        with pytest.raises(ConnectionRefusedError):
            client.connect(server.v6, 1)
        written.wait(2)
        with pytest.raises(TimeoutError, match="3 packets"):
            written.wait(3, timeout=0.1)


@pytest.mark.live
def test_a_capture_that_cannot_start_fails_with_a_reason(tmp_path: Path) -> None:
    with (
        Host("alone") as host,
        pytest.raises(CommandError, match="eth7"),
        capture(host, "eth7", tmp_path / "a.pcap"),
    ):
        pass


@pytest.mark.live
@pytest.mark.parametrize("version", ["v4", "v6"])
def test_a_delayed_link_takes_its_time(version: str) -> None:
    with delayed(0.05) as (client, server):
        greet(client, server, getattr(server, version))  # neighbours are known from here on
        begin = time.monotonic()
        assert greet(client, server, getattr(server, version)) == b"hello"
        assert time.monotonic() - begin >= 0.15


@pytest.mark.live
def test_commands_run_inside_and_failures_have_a_reason() -> None:
    with pair() as (client, server):
        server.sysctl("net.ipv4.tcp_ecn", 0)
        shown = [
            host.run(["cat", "/proc/sys/net/ipv4/tcp_ecn"]).stdout for host in (client, server)
        ]
        assert shown == ["2\n", "0\n"]
        with pytest.raises(CommandError, match=r"client: ip link show nix(?s:.)*does not exist"):
            client.run(["ip", "link", "show", "nix"])
        assert client.run(["false"], check=False).returncode == 1
        with pytest.raises(subprocess.TimeoutExpired):
            client.run(["sleep", "infinity"], timeout=0.05)


@pytest.mark.live
def test_the_thread_comes_home_even_after_an_error() -> None:
    home = namespace()
    with Host("a") as a, Host("b") as b:
        try:
            with a.entered(), b.entered():
                assert namespace() != home
                raise KeyError
        except KeyError:
            assert namespace() == home


@pytest.mark.live
def test_nothing_stays_when_the_process_is_killed(tmp_path: Path) -> None:
    with Host("outer") as outer:
        # The kernel takes away a veth when the namespace of its other end is no more.
        def witnesses() -> int:
            return outer.run(["ip", "-oneline", "link"]).stdout.count("witness")

        victim = outer.popen(
            [sys.executable, "-c", VICTIM, str(tmp_path / "a.pcap")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(TESTS)},
        )
        assert victim.stdout is not None
        assert victim.stdout.readline() == "ready\n"
        assert witnesses() == 2
        victim.kill()
        eventually(lambda: witnesses() == 0, "the kernel to remove both namespaces", TIMEOUT)


def test_what_is_missing_skips_a_live_test_or_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conftest, "missing", lambda: "the programs nft")
    monkeypatch.delenv("HANDSHAKE_LIVE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="live tests need the programs nft"):
        conftest.allow()
    monkeypatch.setenv("HANDSHAKE_LIVE", "required")
    with pytest.raises(pytest.fail.Exception, match="live tests need the programs nft"):
        conftest.allow()
