"""`handshake probe` as it is run: which backend connects, and where the output goes."""

import json
import os
import pty
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from handshake.capture.open import read
from handshake.packet.decode import Decoder
from handshake.tcp import Flags, Observed
from handshake.tcp.icmp import IcmpError
from tests.live.lab.firewall import drop, firewall
from tests.live.lab.namespaces import TIMEOUT, Host, pair, routed
from tests.live.lab.servers import accepting_all, answering
from tests.live.lab.tcpdump import capture
from tests.live.test_cli_many import PROBE, parts
from tests.live.test_privileges import NET_RAW_ALONE
from tests.live.test_probe import PORT, flags, seen
from tests.schema import valid

NO_RIGHT = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
V4, V6 = f"10.77.0.2:{PORT}", f"[fd77::2]:{PORT}"


def run(
    host: Host, *words: str, before: Sequence[str] = (), stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    return host.run([*before, *PROBE, *words], stdin=stdin, check=False, timeout=3 * TIMEOUT)


def shouting(host: Host, address: str = "::") -> AbstractContextManager[None]:
    """Answer each client in capitals, and close when it does."""

    def treat(client_socket: socket.socket) -> None:
        while data := client_socket.recv(1 << 16):
            client_socket.sendall(data.upper())

    return accepting_all(host, treat, 9, address)


# The backend.


@pytest.mark.live
@pytest.mark.parametrize("target", [V4, V6])
def test_without_the_privilege_the_kernel_connects_with_a_remark(target: str) -> None:
    with pair() as (client, server), answering(server):
        done = run(client, target, "--json", before=NO_RIGHT)
        asked = run(client, target, "--json", "--connect")
    found, other = json.loads(done.stdout), json.loads(asked.stdout)
    assert done.returncode == asked.returncode == 0
    assert done.stderr.startswith("note: no CAP_NET_RAW: using the kernel's connect() (--connect)")
    assert done.stderr.count("\n") == 1
    assert asked.stderr == ""
    for each in (found, other):
        valid(each, "probe")
        assert (each["verdict"], each["close"], each["guard"]) == ("open", "clean", "none")


@pytest.mark.live
@pytest.mark.parametrize("words", [["--raw"], ["--mss", "900"], ["--no-ack"], ["-w", "/dev/null"]])
def test_raw_without_the_privilege_names_it(words: list[str]) -> None:
    with pair() as (client, server), answering(server):
        done = run(client, V4, *words, before=NO_RIGHT)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: sending raw packets needs CAP_NET_RAW: run sudo ")
    assert done.stderr.count("\n") == 1


@pytest.mark.live
def test_many_connections_by_the_kernel() -> None:
    with pair() as (client, server), answering(server):
        done = run(client, f"10.77.0.2:{PORT},1,2", V6, before=NO_RIGHT)
    lines, _, (summary, _) = parts(done.stdout)
    assert sorted(line.split()[0] for line in lines) == ["CLOSED", "CLOSED", "OPEN", "OPEN"]
    assert ": 2 open, 2 closed" in summary or ": 2 closed, 2 open" in summary


@pytest.mark.live
def test_the_kernel_sends_our_data() -> None:
    with pair() as (client, server), shouting(server):
        words = ["--connect", "--data", r"hello\n", "--expect", "HELLO", "--json"]
        done = run(client, "10.77.0.2:9", *words)
        in_vain = run(client, "10.77.0.2:9", *words[:-2], "BYE", "--timeout", "0.5")
    assert json.loads(done.stdout)["said"] == {
        "sent": 6,
        "acknowledged": 6,
        "received": 6,
        "text": "HELLO\n",
        "expected": True,
    }
    assert (done.returncode, in_vain.returncode) == (0, 1)
    assert "the --expect text was not received" in in_vain.stdout


# The kernel carries it on.


@pytest.mark.live
@pytest.mark.parametrize("target", ["10.77.0.2:9", "[fd77::2]:9", "[fe80::ff:fe00:2%eth0]:9"])
def test_adopted_it_is_joined_to_our_streams(target: str, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), shouting(server), capture(server, "eth0", path):
        done = run(client, target, "--adopt", "--ttl", "33", stdin="hello\nworld\n")
    assert (done.returncode, done.stdout) == (0, "HELLO\nWORLD\n")
    assert done.stderr == f"OPEN  {target}: handed over to the kernel\n"
    assert not [each for each in flags(path) if "RST" in each]
    # From the first to the last it is one connection, with the same marks.
    ours = [each for each in seen(path) if each.segment.destination.port == 9]
    assert {each.ttl for each in ours} == {33}
    assert ours[0].segment.flags == Flags.SYN


@pytest.mark.live
def test_once_adopted_no_packet_is_read_any_more() -> None:
    pipe = subprocess.PIPE
    with pair() as (client, server), shouting(server):
        argv = [*PROBE, "10.77.0.2:9", "--adopt"]
        running = client.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe)
        assert running.stderr is not None
        assert "handed over" in running.stderr.readline()
        # Its own sockets alone are in this namespace: a line for each, after the heading.
        tables = [
            Path(f"/proc/{running.pid}/net/{table}").read_text().splitlines()[1:]
            for table in ("packet", "raw", "raw6")
        ]
        listening = client.run(["ss", "-Htln"]).stdout
        stdout, _ = running.communicate("hello\n", timeout=TIMEOUT)
    assert (running.returncode, stdout) == (0, "HELLO\n")
    assert tables == [[], [], []]
    assert listening == ""


@pytest.mark.live
def test_what_does_not_open_is_not_adopted() -> None:
    with pair() as (client, _):
        done = run(client, "10.77.0.2:9", "--adopt", stdin="hello")
        quiet = run(client, "10.77.0.2:9", "--adopt", "--quiet", stdin="hello")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CLOSED ")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, "", "")


@pytest.mark.live
def test_adoption_names_the_privilege_it_needs_before_it_connects(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), shouting(server), capture(server, "eth0", path):
        done = run(client, "10.77.0.2:9", "--adopt", before=NET_RAW_ALONE)
    assert (done.returncode, done.stdout) == (3, "")
    assert "needs CAP_NET_ADMIN" in done.stderr
    assert done.stderr.count("\n") == 1
    assert flags(path) == []


# What is shown and kept.


def kept(path: Path) -> tuple[list[Observed], list[IcmpError]]:
    decoder = Decoder()
    found = [decoder.observed(frame) for frame in read(path)]
    segments = [each for each in found if isinstance(each, Observed)]
    return segments, [each for each in found if isinstance(each, IcmpError)]


@pytest.mark.live
def test_what_was_sent_and_received_is_written_down(tmp_path: Path) -> None:
    path, ours = tmp_path / "wire.pcap", tmp_path / "ours.pcapng"
    rejected = "reject with icmp type admin-prohibited"
    with (
        routed() as (client, router, server),
        answering(server),
        firewall(router, "forward", "tcp dport 9001", rejected),
    ):
        with capture(client, "eth0", path, nano=True):
            targets = [f"10.77.1.2:{PORT}", "10.77.1.2:1", "10.77.1.2:9001"]
            done = run(client, *targets, "-w", str(ours))
        assert done.returncode == 1
    segments, errors = kept(ours)
    wire = {each.packet: each.at for each in seen(path)}
    assert {each.packet for each in segments} == set(wire)
    assert all(abs(wire[each.packet] - each.at) < 2_000_000 for each in segments)
    assert [(each.type, each.code) for each in errors] == [(3, 13)]


@pytest.mark.live
def test_the_packets_may_go_to_standard_output_alone() -> None:
    with pair() as (client, server), answering(server):
        argv = [*PROBE, V4, "-w", "-"]
        with client.entered():
            done = subprocess.run(argv, capture_output=True, check=False, timeout=TIMEOUT)
            master, terminal = pty.openpty()
            refused = subprocess.run(
                argv, stdout=terminal, stderr=subprocess.PIPE, check=False, timeout=TIMEOUT
            )
            os.close(master)
            os.close(terminal)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"\x0a\x0d\x0d\x0a")
    assert refused.returncode == 2
    assert b"standard output: is a terminal" in refused.stderr


@pytest.mark.live
def test_a_dry_run_sends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), answering(server), capture(client, "eth0", path, only=""):
        done = run(client, V4, V6, "--dry-run", before=NO_RIGHT)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("DRY RUN") == 2
    assert not [each for each in seen(path) if each.segment.syn]


@pytest.mark.live
def test_monitoring_output_for_a_port_without_an_answer() -> None:
    with pair() as (client, server), drop(server, "input", "tcp dport 9"):
        words = ["10.77.0.2:9", "--timeout", "0.3", "--retries", "0", "--monitor"]
        nagios, prometheus = (run(client, *words, each) for each in ("nagios", "prometheus"))
    assert nagios.returncode == 2
    assert nagios.stdout.startswith("TCP CRITICAL - 10.77.0.2:9 filtered: no answer to 1 SYN")
    assert prometheus.returncode == 1
    assert 'probe_success{target="10.77.0.2:9",address="10.77.0.2",port="9"} 0' in prometheus.stdout


@pytest.mark.live
def test_counted_probes_are_numbered_in_the_order_of_their_start() -> None:
    # Every other SYN is dropped: these probes end after those that started after them.
    lost = "tcp flags syn / syn,ack numgen inc mod 2 == 0"
    options = ["--count", "4", "--interval", "0.05", "--timeout", "0.5", "--retries", "0"]
    with pair() as (client, server), answering(server), drop(server, "input", lost):
        rows = run(client, V4, *options).stdout.splitlines()[:4]
        objects = run(client, V4, *options, "--json").stdout.splitlines()
    assert [row.split()[:3] for row in rows] == [
        ["OPEN", V4, "#2"],
        ["OPEN", V4, "#4"],
        ["FILTERED", V4, "#1"],
        ["FILTERED", V4, "#3"],
    ]
    assert {json.loads(each)["target"] for each in objects} == {V4}


@pytest.mark.live
@pytest.mark.parametrize("words", [[], ["--connect"]])
def test_one_target_in_a_line(words: list[str]) -> None:
    with pair() as (client, server), answering(server):
        done = run(client, V4, "--brief", *words)
        closed = run(client, "10.77.0.2:1", "--brief", *words)
    assert done.stdout.startswith(f"OPEN         {V4}  ")
    assert closed.stdout.startswith("CLOSED       10.77.0.2:1  ")
    assert [each.stdout.count("\n") for each in (done, closed)] == [1, 1]
    assert (done.returncode, closed.returncode) == (0, 1)


@pytest.mark.live
def test_a_small_terminal_gets_it_all_too() -> None:
    with pair() as (client, server), answering(server):
        env = os.environ | {"COLUMNS": "40", "LINES": "10"}
        argv = [sys.executable, "-m", "handshake", "probe", V4]
        done = client.run(argv, env=env, check=False)
    assert done.returncode == 0
    assert f"OPEN  {V4}" in done.stdout


@pytest.mark.live
def test_the_firewall_in_the_readme() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    block = readme.split("    $ sudo handshake probe 10.77.1.2:9001\n")[1].split("\n\n")[0]
    quoted = [line[4:] for line in block.splitlines() if line.strip() not in ("", "...")]
    with (
        routed() as (client, router, _),
        firewall(router, "forward", "tcp dport 9001", "reject with tcp reset"),
    ):
        by_sudo = os.environ | {"SUDO_UID": "0", "SUDO_GID": "0"}
        done = client.run([*PROBE, "10.77.1.2:9001"], env=by_sudo, check=False)
    output = done.stdout.splitlines()
    assert len(quoted) > 5
    # Each time takes its own time.
    assert quoted[0].startswith("CLOSED  10.77.1.2:9001  RST after ")
    assert any(line.startswith("CLOSED  10.77.1.2:9001  RST after ") for line in output)
    assert [line for line in quoted[1:] if line not in output] == []
