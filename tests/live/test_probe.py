import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from handshake.errors import CannotRun
from handshake.probe import (
    Close,
    Manner,
    Patience,
    Probe,
    Result,
    Target,
    Verdict,
    own_listener,
    probes,
)
from handshake.tcp import Flags, Observed, State
from handshake.wire.capture import read
from handshake.wire.decode import Decoder

from .capture import capture
from .delay import delayed
from .loss import drop, drop_first, firewall
from .net import TIMEOUT, Host, eventually, pair, routed
from .talk import reset

PORT = 8080
SYN = "tcp flags syn / syn,ack"
SYN_ACK = "tcp flags & (syn | ack) == syn | ack"

VICTIM = """
import sys
from handshake.probe import Probe, Target
target = Target.parse(sys.argv[1])
for step in Probe(target, target.endpoints()[0]):
    print("sent", flush=True)
"""

CLEAN = ["SYN", "SYN+ACK", "ACK", "FIN+ACK", "FIN+ACK", "ACK"]


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


def agree(probe: Probe) -> bool:
    """Whether the tracker, which saw the wire alone, knows what our own end knows."""
    assert probe.attempt is not None
    if not probe.tracker.connections:
        return True
    ours, tracked = probe.attempt.block, probe.tracker.connections[-1].client.block
    assert tracked is not None
    if ours.ts_recent != tracked.ts_recent:
        # Of segments that came one right after the other, the wire does not show that the first
        # was acknowledged before the second was looked at (RFC 7323 section 4.3).
        clocks = [each.segment.options.timestamps for each in probe.result.segments]
        assert tracked.ts_recent in [each.value for each in clocks if each]
        ours = replace(ours, ts_recent=tracked.ts_recent)
    return ours == tracked


def call(client: Host, target: str, patience: Patience | None = None) -> tuple[Probe, Result]:
    """Probe one address to the end; what both sides of it remember must agree."""
    with client.entered():
        (probe,) = probes(Target.parse(target), patience)
        assert isinstance(probe, Probe)
        result = probe.result
    if probe.attempt is not None:
        assert agree(probe)
    assert "kernel-reset" not in [note.code for note in result.findings]
    resets = [each for each in result.segments if each.outgoing and each.segment.rst]
    # Ours ends what the peer would keep half-open; the kernel's is never seen.
    assert len(resets) == (result.verdict is Verdict.HALF_OPEN)
    return probe, result


def seen(path: Path) -> list[Observed]:
    decoder = Decoder()
    return [found for frame in read(path) if isinstance(found := decoder.observed(frame), Observed)]


def flags(path: Path) -> list[str]:
    return [str(each.segment.flags) for each in seen(path)]


@pytest.mark.live
@pytest.mark.parametrize(
    "target", ["10.77.0.2:8080", "[fd77::2]:8080", "[fe80::ff:fe00:2%eth0]:8080"]
)
def test_open(target: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), serving(server), capture(server, "eth0", path):
        probe, result = call(client, target)
    assert (result.verdict, result.close, result.guard) == (Verdict.OPEN, Close.CLEAN, "filter")
    assert (result.syn_sent, result.ttl, result.rtt_ambiguous) == (1, 64, False)
    assert flags(path) in (
        CLEAN,
        # The kernel acknowledges our FIN before its program has closed.
        [*CLEAN[:4], "ACK", *CLEAN[4:]],
    )
    assert all(each.checksum_ok is not False for each in result.segments)
    assert probe.attempt is not None
    assert probe.attempt.block.state is State.TIME_WAIT
    assert result.server is not None
    assert result.server.state == "CLOSED"
    assert result.negotiated is not None
    assert result.negotiated.sack
    assert result.negotiated.timestamps
    assert result.negotiated.mss == (1460 if "." in target else 1440)


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
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.77.0.1", "::ffff:127.0.0.1"])
def test_open_on_the_same_host(address: str) -> None:
    with pair() as (client, _), serving(client):
        _, result = call(client, f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}")
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    # Each packet of loopback passes twice, and counts once.
    assert len([each for each in result.segments if each.segment.syn]) == 2


@pytest.mark.live
def test_a_listener_of_our_own() -> None:
    with Host("alone") as host, host.entered(), own_listener() as target:
        for _ in range(2):
            (probe,) = probes(target)
            assert isinstance(probe, Probe)
            assert (probe.result.verdict, probe.result.close) == (Verdict.OPEN, Close.CLEAN)


@pytest.mark.live
@pytest.mark.parametrize("version", ["v4", "v6"])
def test_closed(version: str) -> None:
    with pair() as (client, server):
        _, result = call(client, f"[{server.v6}]:1" if version == "v6" else f"{server.v4}:1")
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.CLOSED, None, 1)
    assert "nothing listens" in result.reason
    assert [str(each.segment.flags) for each in result.segments] == ["SYN", "RST+ACK"]


@pytest.mark.live
def test_filtered(tmp_path: Path) -> None:
    with pair() as (client, server), drop(server, "input", f"tcp dport {PORT}") as rule:
        with capture(server, "eth0", tmp_path / "a.pcap"):
            probe, result = call(client, f"{server.v4}:{PORT}", Patience.of(timeout=3.5))
        assert rule.packets == 3
    assert (result.verdict, result.syn_sent, result.rtt) == (Verdict.FILTERED, 3, None)
    syns = seen(tmp_path / "a.pcap")
    assert {each.segment.flags for each in syns} == {Flags.SYN}
    assert [round((each.at - syns[0].at) / 1e9, 1) for each in syns] == [0, 1, 3]
    assert len({int(each.segment.seq) for each in syns}) == 1
    stamps = [each.segment.options.timestamps for each in syns]
    assert [stamp.value - stamps[0].value for stamp in stamps if stamp and stamps[0]] == [
        pytest.approx(0),
        pytest.approx(1000, abs=20),
        pytest.approx(3000, abs=20),
    ]
    assert probe.attempt is not None
    assert probe.attempt.block.state is State.SYN_SENT


@pytest.mark.live
def test_the_first_syn_is_lost() -> None:
    with pair() as (client, server), drop_first(server, "input", SYN), serving(server):
        _, result = call(client, f"{server.v4}:{PORT}")
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 2)
    # The answer echoes the clock of the second SYN: it can only belong to that one.
    assert not result.rtt_ambiguous
    assert result.rtt is not None
    assert result.rtt < 0.5


@pytest.mark.live
def test_the_first_syn_ack_is_lost() -> None:
    with pair() as (client, server), drop_first(server, "output", SYN_ACK), serving(server):
        # We ask again before the peer repeats its answer by itself, after a second.
        _, result = call(client, f"{server.v4}:{PORT}", Patience.of(rto=0.5))
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert result.rtt_ambiguous


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
        _, result = call(client, f"{server.v4}:{PORT}", Patience.of(hold=0.2))
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert result.server is not None
    assert result.server.bytes == 11


@pytest.mark.live
def test_the_peer_closes_first() -> None:
    with pair() as (client, server), serving(server, lambda _: None):
        probe, result = call(client, f"{server.v4}:{PORT}", Patience.of(hold=5))
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert probe.attempt is not None
    assert probe.attempt.block.state is State.CLOSED


@pytest.mark.live
def test_the_peer_keeps_it_open(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), server.listen(PORT), capture(server, "eth0", path):
        probe, result = call(client, f"{server.v4}:{PORT}", Patience.of(close_timeout=0.5))
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.PEER_KEPT_OPEN)
    assert flags(path) == ["SYN", "SYN+ACK", "ACK", "FIN+ACK", "ACK"]
    assert probe.attempt is not None
    assert probe.attempt.block.state is State.FIN_WAIT_2


@pytest.mark.live
def test_the_peer_resets() -> None:
    with pair() as (client, server), serving(server, reset):
        _, result = call(client, f"{server.v4}:{PORT}", Patience.of(hold=5))
    assert (result.verdict, result.close) == (Verdict.RESET, Close.RESET)


@pytest.mark.live
def test_both_call_at_once() -> None:
    # Each SYN is 50 ms on its way, so that they cross (figure 7).
    with delayed(0.05) as (client, server), server.socket() as peer, client.entered():
        peer.bind((server.v4, PORT))
        peer.setblocking(False)
        target = Target.of(server.v4, PORT)
        (remote,) = target.endpoints()
        manner = Manner(source_port=41000)
        probe = Probe(target, remote, Patience.of(close_timeout=0.5), manner)
        for step in probe:
            if step.index == 1:
                peer.connect_ex((client.v4, 41000))
        result = probe.result
        assert peer.getpeername() == (client.v4, 41000)
        assert peer.recv(1) == b""  # our FIN
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.PEER_KEPT_OPEN)
    shown = [str(each.segment.flags) for each in result.segments]
    assert shown[:2] == ["SYN", "SYN"]
    assert shown.count("SYN+ACK") == 2
    assert "simultaneous-open" in [note.code for note in result.findings]
    assert agree(probe)


@pytest.mark.live
def test_behind_a_nat() -> None:
    hook = "type nat hook postrouting priority 100;"
    with routed() as (client, router, server), serving(server):
        router.nft(f"table ip nat {{ chain post {{ {hook} oif eth1 masquerade; }}; }}")
        _, result = call(client, f"{server.v4}:{PORT}")
    assert (result.verdict, result.close, result.ttl) == (Verdict.OPEN, Close.CLEAN, 63)


@pytest.mark.live
@pytest.mark.parametrize(
    ("version", "answer", "kind", "code"),
    [
        ("v4", "icmp type host-unreachable", 3, 1),
        ("v4", "icmp type admin-prohibited", 3, 13),
        ("v6", "icmpv6 type no-route", 1, 0),
        ("v6", "icmpv6 type admin-prohibited", 1, 1),
    ],
)
def test_unreachable(version: str, answer: str, kind: int, code: int) -> None:
    with routed() as (client, router, server):
        address = getattr(server, version)
        target = f"[{address}]:{PORT}" if version == "v6" else f"{address}:{PORT}"
        with firewall(router, "forward", f"tcp dport {PORT}", f"reject with {answer}"):
            _, result = call(client, target)
        assert (result.verdict, result.syn_sent) == (Verdict.UNREACHABLE, 1)
        assert result.icmp is not None
        assert (result.icmp.type, result.icmp.code) == (kind, code)
        assert str(result.icmp.sender) == getattr(router, version)
        assert result.reason.startswith(f"{getattr(router, version)} says: ")


@pytest.mark.live
@pytest.mark.parametrize("target", ["10.77.0.9:80", "[fd77::9]:80"])
def test_nobody_on_the_link_answers(target: str) -> None:
    with pair() as (client, _):
        _, result = call(client, target)
    assert result.verdict is Verdict.UNREACHABLE
    assert "nobody on the link answers" in result.reason


@pytest.mark.live
@pytest.mark.parametrize(
    ("route", "words"),
    [
        (None, "no route"),
        ("unreachable", "unreachable"),
        ("blackhole", "blackhole"),
        ("prohibit", "prohibited"),
    ],
)
@pytest.mark.parametrize("target", ["198.51.100.1", "2001:db8::1"])
def test_no_way_there(route: str | None, words: str, target: str, tmp_path: Path) -> None:
    with pair() as (client, _), capture(client, "eth0", tmp_path / "a.pcap"):
        if route is not None:
            client.ip(f"route add {route} {target}")
        _, result = call(client, f"[{target}]:80" if ":" in target else f"{target}:80")
    assert (result.verdict, result.syn_sent) == (Verdict.LOCAL_ERROR, 0)
    assert words in result.reason
    assert result.verdict.exit_code == 3
    assert seen(tmp_path / "a.pcap") == []


@pytest.mark.live
def test_a_firewall_of_our_own() -> None:
    with pair() as (client, server), drop(client, "output", f"tcp dport {PORT}"):
        _, result = call(client, f"{server.v4}:{PORT}")
    assert (result.verdict, result.syn_sent) == (Verdict.LOCAL_ERROR, 0)
    assert "firewall on this machine" in result.reason


@pytest.mark.live
def test_a_firewall_of_our_own_that_lets_answers_in() -> None:
    stateful = "ct state != established"
    with pair() as (client, server), serving(server), drop(client, "input", stateful):
        _, result = call(client, f"{server.v4}:{PORT}")
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)


@pytest.mark.live
def test_the_round_trip_is_what_tcpdump_says(tmp_path: Path) -> None:
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
@pytest.mark.parametrize("after", [1, 4])
def test_nothing_stays_when_it_is_killed(after: int) -> None:
    with pair() as (client, server):

        def sockets() -> str:
            tables = ("tcp", "tcp6", "raw", "raw6", "packet")
            shown = client.run(["cat", *(f"/proc/self/net/{table}" for table in tables)]).stdout
            return "\n".join(line for line in shown.splitlines() if "sl " not in line)

        before = sockets()
        with server.listen(PORT):
            # Killed while it waits: for an answer to its SYN, or for the peer's FIN.
            hook = "tcp flags syn / syn,ack" if after == 1 else "udp dport 9"
            with drop(server, "input", hook):
                argv = [sys.executable, "-c", VICTIM, f"{server.v4}:{PORT}"]
                victim = client.popen(argv, stdout=subprocess.PIPE)
                assert victim.stdout is not None
                for _ in range(after):
                    assert victim.stdout.readline() == "sent\n"
                assert sockets() != before
                victim.kill()
                victim.wait(TIMEOUT)
        # Its own packet socket is closed a moment after the process is gone.
        eventually(lambda: sockets() == before, "the sockets of the killed probe to go")
        assert client.run(["nft", "list", "ruleset"]).stdout == ""


@pytest.mark.live
def test_without_the_privilege_it_says_what_to_do() -> None:
    with pair() as (client, server):
        target = f"{server.v4}:{PORT}"
        argv = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", "--reuid", "65534"]
        run = client.run([*argv, sys.executable, "-c", VICTIM, target], check=False)
    if "ModuleNotFoundError" in run.stderr or "Permission" in run.stderr.splitlines()[-1]:
        pytest.skip("another user cannot read this Python")
    last = run.stderr.splitlines()[-1]
    assert last.startswith(f"{CannotRun.__module__}.CannotRun: ")
    assert "run sudo " in last
