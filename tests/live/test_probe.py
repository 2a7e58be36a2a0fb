import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from handshake.capture.open import read
from handshake.errors import LocalError
from handshake.packet.decode import Decoder
from handshake.prober import (
    Close,
    Probe,
    Result,
    Target,
    Timeouts,
    Verdict,
    loopback_listener,
    probes,
)
from handshake.tcp import Observed, State
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import TIMEOUT, Host, pair
from tests.live.lab.probing import agree
from tests.live.lab.sockets import reset
from tests.live.lab.tcpdump import capture

PORT = 8080
SYN = "tcp flags syn / syn,ack"
SYN_ACK = "tcp flags & (syn | ack) == syn | ack"

VICTIM = """
import sys
from handshake.prober import Probe, Target
target = Target.parse(sys.argv[1])
for step in Probe(target, target.endpoints()[0]):
    print("sent", flush=True)
"""


def hang_up(caller: socket.socket) -> None:
    while caller.recv(100):
        pass


@contextmanager
def serving(
    host: Host,
    do: Callable[[socket.socket], None] = hang_up,
    address: str = "::",
    prepare: Callable[[socket.socket], None] = lambda _: None,
) -> Iterator[None]:
    """Let one caller in, and treat him so; `prepare` is given the listening socket before."""

    def serve() -> None:
        caller, _ = listener.accept()
        with caller:
            caller.settimeout(TIMEOUT)
            do(caller)

    with host.listen(PORT, address) as listener:
        prepare(listener)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(TIMEOUT)
        assert not thread.is_alive()


def call(client: Host, target: str, timeouts: Timeouts | None = None) -> tuple[Probe, Result]:
    """Probe one address to the end; what both sides of it remember must agree."""
    with client.entered():
        (probe,) = probes(Target.parse(target), timeouts)
        assert isinstance(probe, Probe)
        result = probe.finish()
    if probe.endpoint is not None:
        assert agree(probe)
    assert "kernel-reset" not in [note.code for note in result.findings]
    resets = [each for each in result.segments if each.outgoing and each.segment.rst]
    # Ours ends what the peer would keep half-open; the kernel's is never seen.
    assert bool(resets) == (result.verdict is Verdict.HALF_OPEN)
    return probe, result


def seen(path: Path) -> list[Observed]:
    decoder = Decoder()
    return [found for frame in read(path) if isinstance(found := decoder.observed(frame), Observed)]


def flags(path: Path) -> list[str]:
    return [str(each.segment.flags) for each in seen(path)]


@pytest.mark.live
def test_the_syn_looks_like_that_of_linux(tmp_path: Path) -> None:
    with pair() as (client, server), capture(server, "eth0", tmp_path / "a.pcap") as written:
        for address in (server.v4, server.v6):
            with pytest.raises(ConnectionRefusedError):
                client.connect(address, PORT)
            call(client, f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}")
        written.wait(8)
    syns = [each for each in seen(tmp_path / "a.pcap") if each.segment.syn]
    for theirs, ours in (syns[:2], syns[2:]):
        assert ours.segment.window == theirs.segment.window
        assert ours.ttl == theirs.ttl
        kinds = [[option.kind for option in each.segment.options] for each in (theirs, ours)]
        assert kinds[0] == kinds[1]
        assert ours.segment.options.mss == theirs.segment.options.mss
        # Byte for byte the same first octets: version, header length, DF ...
        assert ours.packet[6:7] == theirs.packet[6:7]


@pytest.mark.live
def test_a_listener_of_our_own() -> None:
    with Host("alone") as host, host.entered(), loopback_listener() as target:
        for _ in range(2):
            (probe,) = probes(target)
            assert isinstance(probe, Probe)
            result = probe.finish()
            assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)


@pytest.mark.live
def test_every_bare_ack_is_lost() -> None:
    # A FIN carries an ACK too, so that the peer opens and closes at once; our last ACK is lost.
    with pair() as (client, server), drop(server, "input", "tcp flags == ack"), serving(server):
        _, result = call(client, f"{server.v4}:{PORT}")
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)


@pytest.mark.live
def test_half_open() -> None:
    # All but our SYN is lost: the peer repeats its answer after a second.
    lost = "tcp flags & (syn | ack) == ack"
    with pair() as (client, server), server.listen(PORT), drop(server, "input", lost):
        _, result = call(client, f"{server.v4}:{PORT}")
    assert (result.verdict, result.close) == (Verdict.HALF_OPEN, None)


@pytest.mark.live
def test_the_peer_speaks_first() -> None:
    def banner(caller: socket.socket) -> None:
        caller.sendall(b"220 hello\r\n")
        hang_up(caller)

    with pair() as (client, server), serving(server, banner):
        _, result = call(client, f"{server.v4}:{PORT}", Timeouts.of(hold=0.2))
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert result.server is not None
    assert result.server.bytes == 11


@pytest.mark.live
def test_the_peer_closes_first() -> None:
    with pair() as (client, server), serving(server, lambda _: None):
        probe, result = call(client, f"{server.v4}:{PORT}", Timeouts.of(hold=5))
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert probe.endpoint is not None
    assert probe.endpoint.block.state is State.CLOSED


@pytest.mark.live
def test_the_peer_keeps_it_open(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), server.listen(PORT), capture(server, "eth0", path):
        probe, result = call(client, f"{server.v4}:{PORT}", Timeouts.of(close_timeout=0.5))
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.PEER_KEPT_OPEN)
    assert flags(path) == ["SYN", "SYN-ACK", "ACK", "FIN-ACK", "ACK"]
    assert probe.endpoint is not None
    assert probe.endpoint.block.state is State.FIN_WAIT_2


@pytest.mark.live
def test_the_peer_resets() -> None:
    with pair() as (client, server), serving(server, reset):
        _, result = call(client, f"{server.v4}:{PORT}", Timeouts.of(hold=5))
    assert (result.verdict, result.close) == (Verdict.RESET, Close.RESET)


@pytest.mark.live
@pytest.mark.parametrize("target", ["10.77.0.9:80", "[fd77::9]:80"])
def test_no_answer_to_arp(target: str) -> None:
    with pair() as (client, _):
        _, result = call(client, target)
    assert result.verdict is Verdict.UNREACHABLE
    # By an ICMP error of our own kernel, which sends only a few each second.
    assert result.reason.code in ("unreachable.no-reply", "unreachable.neighbour")


@pytest.mark.live
def test_the_round_trip_is_that_of_tcpdump(tmp_path: Path) -> None:
    errors = []
    with pair() as (client, server):
        for number in range(5):
            path = tmp_path / f"{number}.pcap"
            with serving(server), capture(client, "eth0", path, nano=True):
                _, result = call(client, f"{server.v4}:{PORT}")
            syn, answer = seen(path)[:2]
            assert result.rtt is not None
            errors.append(abs(result.rtt * 1e9 - (answer.at - syn.at)))
    # In nanoseconds; the median, since a busy machine stamps late now and then.
    assert sorted(errors)[2] < 5_000


@pytest.mark.live
def test_without_the_privilege_it_says_what_to_do() -> None:
    with pair() as (client, server):
        target = f"{server.v4}:{PORT}"
        argv = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--reuid", "65534"]
        run = client.run([*argv, sys.executable, "-c", VICTIM, target], check=False)
    if "ModuleNotFoundError" in run.stderr or "Permission" in run.stderr.splitlines()[-1]:
        pytest.skip("another user cannot read this Python")
    last = run.stderr.splitlines()[-1]
    assert last.startswith(f"{LocalError.__module__}.LocalError: ")
    assert "run sudo " in last


@pytest.mark.live
def test_the_timer_of_the_syn_runs_from_when_it_leaves(tmp_path: Path) -> None:
    path, waits = tmp_path / "a.pcap", []
    with pair() as (client, server), drop(server, "input", f"tcp dport {PORT}"):
        place = f"{server.v4}:{PORT}"
        argv = [sys.executable, "-m", "handshake", "probe", place, "--retries", "1"]
        for _ in range(2):
            # Each in a process of its own, where sockets and templates have still to be made.
            with capture(client, "eth0", path):
                client.run([*argv, "--timeout", "1.9"], check=False)
            first, second = seen(path)
            waits.append((second.at - first.at) / 1e9)
    # The longest: who waits for ARP sends the first one late. Who is kept from the processor sends
    # the second one late.
    assert max(waits) > 0.998
