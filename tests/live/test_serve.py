"""`handshake serve` against Linux's own clients, and each way in which it goes wrong on purpose."""

import json
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import handshake
from handshake.linux.inet_diag import InetDiag, KernelSocket
from handshake.step_record import step_record
from handshake.tcp import Endpoint, State
from tests.live.lab.namespaces import TIMEOUT, Host, eventually, pair, routed
from tests.live.lab.serve_clients import CLIENTS, OPTIONS, complete
from tests.live.lab.serving import SERVE, Server, served
from tests.live.lab.tcpdump import capture
from tests.live.test_cli import NO_RIGHT
from tests.live.test_cli_many import PROBE

PORT = 8080
ADDRESSES = {4: "10.77.0.2", 6: "fd77::2"}
_USER_TIMEOUT = 18

Json = dict[str, Any]

pytestmark = pytest.mark.live


@pytest.mark.parametrize("name", CLIENTS)
def test_linux_clients_complete(name: str) -> None:
    with pair() as (client, server), served(server, *OPTIONS.get(name, ())):
        for address in ADDRESSES.values():
            assert complete(client, name, address, 10) == 10


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "127.3.2.1"])
def test_over_loopback_each_segment_is_seen_once(address: str) -> None:
    with Host("alone") as host, served(host, "--json", "--count", "1") as server:
        with host.connect(address, PORT) as sock:
            sock.sendall(b"hello")
            assert sock.recv(100) == b"hello"
        assert server.wait() == 0
    flags = [(each["by"], "-".join(each["segment"]["flags"])) for each in server.steps]
    assert flags[:3] == [("client", "SYN"), ("server", "SYN-ACK"), ("client", "ACK")]
    assert flags[-2:] == [("server", "FIN-ACK"), ("client", "ACK")]
    assert len(flags) == 11


def test_link_local_addresses() -> None:
    with pair() as (client, server), served(server, "-6"):
        local = server.run(
            ["ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "link"]
        ).stdout
        (found,) = re.findall(r"fe80:\S+(?=/)", local)
        with client.connect(f"{found}%eth0", PORT) as sock:
            sock.sendall(b"hello")
            assert sock.recv(100) == b"hello"


def test_much_data_comes_back_as_it_was_sent() -> None:
    octets = bytes(range(256)) * 2048  # 512 KiB
    with pair() as (client, server), served(server), client.connect(ADDRESSES[4], PORT) as sock:
        sock.settimeout(TIMEOUT)
        found = b""
        for at in range(0, len(octets), 8192):
            sock.sendall(octets[at : at + 8192])
            while len(found) < min(len(octets), at + 8192):
                found += sock.recv(1 << 16)
    assert found == octets


# The kernel is kept silent, and other ports and addresses are the kernel's.


def test_a_port_in_use_is_an_error_that_says_so() -> None:
    with Host("alone") as host, host.listen(PORT):
        done = host.run([*SERVE, str(PORT)], check=False)
    assert done.returncode == 3
    assert done.stderr == (
        f"error: port {PORT} is in use: `ss -tlnp sport = :{PORT}` shows by which program; end it,"
        " or choose another port\n"
    )


def test_without_the_privilege_it_says_what_to_do() -> None:
    with Host("alone") as host:
        done = host.run([*NO_RIGHT, *SERVE, str(PORT)], check=False)
    assert done.returncode == 3
    assert done.stderr.startswith("error: sending raw packets needs CAP_NET_RAW: run sudo ")
    assert done.stderr.count("\n") == 1


def test_one_address_leaves_the_others_to_the_kernel() -> None:
    with pair() as (client, server), served(server, "--address", ADDRESSES[4]):
        client.connect(ADDRESSES[4], PORT).close()
        with pytest.raises(ConnectionRefusedError):
            client.connect(ADDRESSES[6], PORT)
        with pytest.raises(ConnectionRefusedError), server.entered():
            socket.create_connection(("127.0.0.1", PORT), TIMEOUT)


def test_one_interface_leaves_the_others_to_the_kernel() -> None:
    with pair() as (client, server), served(server, "-i", "eth0"):
        client.connect(ADDRESSES[4], PORT).close()
        with pytest.raises(ConnectionRefusedError), server.entered():
            socket.create_connection(("127.0.0.1", PORT), TIMEOUT)


def test_what_a_router_forwards_is_not_answered() -> None:
    with routed() as (client, router, server), served(router, "--json") as run:
        with server.listen(PORT) as listener, client.connect("10.77.1.2", PORT) as sock:
            accepted, _ = listener.accept()
            with accepted:
                accepted.sendall(b"the kernel")
                assert sock.recv(100) == b"the kernel"
        run.interrupt()
    assert run.out == ""


def test_what_is_killed_leaves_nothing() -> None:
    with pair() as (client, server), served(server) as run:
        client.connect(ADDRESSES[4], PORT).close()
        run.process.send_signal(signal.SIGKILL)
        run.process.wait(TIMEOUT)
        with pytest.raises(ConnectionRefusedError):
            client.connect(ADDRESSES[4], PORT)
        assert server.run(["nft", "list", "ruleset"]).stdout == ""
        server.listen(PORT).close()


def test_the_process_keeps_no_privilege() -> None:
    with Host("alone") as host, served(host) as run:
        status = Path(f"/proc/{run.process.pid}/status").read_text()
    found = dict(each.split(":\t", 1) for each in status.splitlines())
    assert found["Uid"].split() == ["65534"] * 4
    assert int(found["CapEff"], 16) == int(found["CapPrm"], 16) == 0


# What it prints.


def test_a_pipe_gets_a_line_a_segment_and_a_summary() -> None:
    with pair() as (client, server), served(server, "--count", "1") as run:
        with client.connect(ADDRESSES[4], PORT) as sock:
            ours = sock.getsockname()[1]
        assert run.wait() == 0
    *lines, summary = run.out.splitlines()
    shown = [re.sub(r"^[\d:]{8}\.\d{6}.|win=\d+ |mss=\d+ |ws=\d+ ", "", each) for each in lines]
    assert shown == [
        f"10.77.0.1:{ours} > SYN seq=0  SYN-SENT ?",
        f"10.77.0.1:{ours} < SYN-ACK seq=0 ack=1  ESTABLISHED SYN-RECEIVED",
        f"10.77.0.1:{ours} > ACK seq=1 ack=1  ESTABLISHED ESTABLISHED",
        f"10.77.0.1:{ours} > FIN-ACK seq=1 ack=1  FIN-WAIT-1 CLOSE-WAIT",
        f"10.77.0.1:{ours} < ACK seq=1 ack=2  FIN-WAIT-2 CLOSE-WAIT",
        f"10.77.0.1:{ours} < FIN-ACK seq=1 ack=2  TIME-WAIT LAST-ACK",
        f"10.77.0.1:{ours} > ACK seq=2 ack=2  TIME-WAIT CLOSED",
    ]
    assert summary == "1 connection is over: 1 closed; 0 half-open, 0 open"


def test_in_full_each_segment_has_its_header_and_both_sockets() -> None:
    with pair() as (client, server), served(server, "-v", "--count", "1") as run:
        client.connect(ADDRESSES[4], PORT).close()
        assert run.wait() == 0
    for words in ("ports ", "checksum ", "options ", " client ", " server ", "SND.NXT *1"):
        assert words in run.out


def test_ctrl_c_resets_what_is_open_and_says_so() -> None:
    with (
        pair() as (client, server),
        served(server) as run,
        client.connect(ADDRESSES[4], PORT) as sock,
    ):
        sock.sendall(b"hello")
        assert sock.recv(100) == b"hello"
        assert run.interrupt() == 130
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
    assert run.out.splitlines()[-1] == "0 connections are over; 0 half-open, 1 open"


def test_the_written_file_has_what_passed(tmp_path: Path) -> None:
    path = tmp_path / "serve.pcapng"
    with pair() as (client, server), served(server, "-w", str(path), "--count", "1") as run:
        client.connect(ADDRESSES[4], PORT).close()
        assert run.wait() == 0
    argv = [sys.executable, "-m", "handshake", "list", str(path), "--json"]
    (row,) = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    found = json.loads(row)
    assert (found["outcome"], found["closed"]) == ("established", "fin")


# The queues, as Linux has them.


@pytest.mark.parametrize("backlog", [0, 3])
def test_the_accept_queue_holds_one_more_than_the_backlog(backlog: int) -> None:
    words = ("--misbehave", "no-accept", "--backlog", str(backlog))
    with pair() as (client, server), served(server, *words) as run:
        client.sysctl("net.ipv4.tcp_syn_retries", 1)
        socks = [client.connect(ADDRESSES[4], PORT) for _ in range(backlog + 1)]
        with pytest.raises(TimeoutError):
            client.connect(ADDRESSES[4], PORT)
        run.interrupt()
        for each in socks:
            each.close()
    assert run.out.splitlines()[-1].endswith(f"0 half-open, {backlog + 1} open")
    assert (
        f"the accept queue is full: 2 ACKs and SYNs are dropped so far (backlog {backlog})"
        in run.out
    )


def test_half_open_entries_are_retransmitted_and_held() -> None:
    with pair() as (client, server), served(server, "--json", "--rto", "0.3") as run:
        client.run([*PROBE, f"10.77.0.2:{PORT}", "--no-ack", "--observe", "1.5"], check=False)
        run.interrupt()
    syn_acks = [each for each in run.steps if each["segment"]["flags"] == ["SYN", "ACK"]]
    gaps = [b["since_start"] - a["since_start"] for a, b in pairwise(syn_acks)]
    assert len(gaps) == 2
    assert gaps == pytest.approx([0.3, 0.6], abs=0.15)


def test_cookies_remember_nothing_and_open() -> None:
    with pair() as (client, server), served(server, "--cookies", "--json") as run:
        with client.connect(ADDRESSES[4], PORT) as sock:
            sock.sendall(b"hello")
            assert sock.recv(100) == b"hello"
            with InetDiag(client, 4) as table:
                (entry,) = _of_port(table.read())
        run.interrupt()
    # As Linux: MSS from a table, the shift in the timestamp.
    assert entry.info is not None
    assert (entry.info.timestamps, entry.info.sack) == (True, True)


def test_a_half_open_flood_is_bounded() -> None:
    words = ("--backlog", "4", "--json", "-4")
    with pair() as (client, server), served(server, *words) as run:
        targets = [f"10.77.0.2:{PORT}"] * 12
        client.run(
            [*PROBE, *targets, "--no-ack", "--observe", "0.3", "--retries", "0"], check=False
        )
        with client.connect(ADDRESSES[4], PORT) as sock:  # by a cookie
            sock.sendall(b"hello")
            assert sock.recv(100) == b"hello"
        run.interrupt()


# What goes wrong on purpose: what Linux's client reports, what `probe` says of it.

MISBEHAVIOURS = {
    "no-syn-ack": (TimeoutError, "filtered"),
    "late-syn-ack=0.5": (None, "open"),
    "syn-ack-twice": (None, "open"),
    "wrong-ack": (TimeoutError, "bad-peer"),
    "rst-after-syn": (ConnectionRefusedError, "closed"),
    "rst-after-accept": (ConnectionResetError, "reset"),
    "no-data-ack": (TimeoutError, "open"),
    "zero-window": (TimeoutError, "open"),
    "no-window-scaling": (None, "open"),
    "mss-1": (None, "open"),
    "options-stripped": (None, "open"),
    "split-handshake": (None, "open"),
    "simultaneous-open": (None, "open"),
    "half-close": (EOFError, "open"),
    "ignore-syns=1": (None, "open"),
    "no-accept": (TimeoutError, "open"),
}


GROUPS = [list(MISBEHAVIOURS)[at::4] for at in range(4)]
"""Misbehaviours that are tried at once, each on a port of its own: most of the time is waiting."""


@pytest.mark.parametrize("names", GROUPS, ids=" ".join)
def test_misbehaviours_as_linux_and_probe_see_them(names: list[str], tmp_path: Path) -> None:
    path, ports = tmp_path / "wire.pcap", range(PORT, PORT + len(names))
    span = f"{ports[0]}-{ports[-1]}"
    words = [*PROBE, f"10.77.0.2:{span}", "--json", "--retries", "1", "--timeout", "4"]
    with pair() as (client, server), ExitStack() as stack, ThreadPoolExecutor(len(names)) as pool:
        client.sysctl("net.ipv4.tcp_syn_retries", 1)

        def serve(name: str, port: int) -> Server:
            serving = served(server, "--misbehave", name, "--json", port=port)
            return stack.enter_context(serving)

        runs = dict(zip(ports, pool.map(serve, names, ports), strict=True))
        wire = stack.enter_context(capture(client, "eth0", path, only=f"tcp portrange {span}"))
        words += ["--observe", "1.25"]  # as for a single target
        probe = client.popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        talks = list(pool.map(lambda port: Talk.of(client, port), ports))
        told, _ = probe.communicate(timeout=4 * TIMEOUT)
        for run in runs.values():
            run.interrupt()
        wire.wait(sum(len(run.steps) for run in runs.values()))
    results = {each["port"]: each for each in map(json.loads, told.splitlines())}
    verdicts = {port: each["verdict"] for port, each in results.items()}
    seen = [step_record(each) for each in handshake.replay(path)]
    for name, port, talk in zip(names, ports, talks, strict=True):
        assert (talk.error, verdicts[port]) == MISBEHAVIOURS[name], name
        # A SYN proxy whose server does not answer looks the same: no program is proven.
        assert ("likely listens" in results[port]["reason"]) == (name == "zero-window")
        check_wire(runs[port], [each for each in seen if port in _ports(each)], name)
        check_states(runs[port], talk, name)


def check_wire(run: Server, seen: list[Json], name: str) -> None:
    """Hold what `serve` has shown to what tcpdump has seen at the client: no more and no less.

    What crosses on the way is in another order there: only that of each end's segments is the same.
    """
    captured = sorted(map(_segment, seen), key=itemgetter(0, 1))
    assert captured == sorted(map(_segment, run.steps), key=itemgetter(0, 1)), name


def check_states(run: Server, talk: "Talk", name: str) -> None:
    """Hold what `serve` last said of the client to what the kernel says of its socket."""
    shown = {}
    for each in run.steps:
        if each["time"] < talk.moment:
            by = each["by"] == "client"
            end, change = ("source", "sender") if by else ("destination", "receiver")
            shown[each["segment"][end]["port"]] = each[change]["after"]
    for local, state in talk.states:
        assert shown[local]["state"] == str(state), (name, local)


class Talk(NamedTuple):
    """What Linux's client reports, and which sockets its kernel had at that moment."""

    error: type[Exception] | None
    moment: str
    states: set[tuple[int, State]]

    @classmethod
    def of(cls, client: Host, port: int) -> "Talk":
        """Connect, send and read; then look at the sockets."""
        error = talked(client, port)
        moment = datetime.now(UTC).isoformat()
        return cls(
            error, moment, {(each.local.port, each.state) for each in _entries(client, port=port)}
        )


def talked(client: Host, port: int) -> type[Exception] | None:
    """Connect, send and read as a program does; return the error that Linux reports."""
    sock = client.socket()
    sock.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, 2500)
    sock.settimeout(4)
    with sock:
        try:
            sock.connect((ADDRESSES[4], port))
            sock.sendall(b"hello")
            if sock.recv(100) != b"hello":
                return EOFError
        except TimeoutError:
            return TimeoutError
        except OSError as error:
            return type(error)
        _close(client, sock, port)
    return None


def _close(client: Host, sock: socket.socket, port: int) -> None:
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)
    states = State.FIN_WAIT_1, State.FIN_WAIT_2
    eventually(lambda: not _entries(client, *states, port=port), "the end")


def _ports(step: Json) -> tuple[int, int]:
    segment = step["segment"]
    return segment["source"]["port"], segment["destination"]["port"]


def _segment(step: Json) -> tuple[str, ...]:
    segment = step["segment"]
    names = ("source", "destination", "seq", "ack", "flags", "window", "length", "options")
    return tuple(json.dumps(segment[each]) for each in names)


def _of_port(entries: list[KernelSocket], port: int = PORT) -> list[KernelSocket]:
    return [each for each in entries if each.remote == Endpoint.of(ADDRESSES[4], port)]


def _entries(host: Host, *states: State, port: int) -> list[KernelSocket]:
    """Return the kernel's sockets towards the port, in these states or in any."""
    with InetDiag(host, 4) as table:
        found = _of_port(table.read(), port)
    return [each for each in found if not states or each.state in states]
