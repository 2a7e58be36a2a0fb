"""The kernel takes over near the end of the circle, under a program, and where it cannot."""

import signal
import socket
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from handshake.errors import LocalError
from handshake.linux.clock import IsnGenerator
from handshake.linux.tcp_repair import adopt
from handshake.prober import Probe, Target, Timeouts, probes
from handshake.tcp import (
    ControlBlock,
    Endpoint,
    Flags,
    Observed,
    Offer,
    ReceiveSpace,
    SendSpace,
    Seq,
    State,
)
from handshake.tcp.copy import changed
from tests.live.lab.adoption import OURS, echo, exchange_much, opened, program, without_a_fault
from tests.live.lab.namespaces import TIMEOUT, Host, eventually, pair
from tests.live.lab.packets import packet
from tests.live.lab.scripted_peer import peer
from tests.live.lab.scripted_server import Listener, Packets, reply, syn_ack
from tests.live.lab.sockets import reset, see, see_fin
from tests.live.lab.tcpdump import capture
from tests.live.test_privileges import NET_RAW_ALONE
from tests.live.test_probe import PORT, seen

# Numbers near the end of the circle.


@pytest.mark.live
def test_our_numbers_pass_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pcap"
    monkeypatch.setattr(IsnGenerator, "iss", lambda *_: 2**32 - 1000)
    with (
        pair() as (client, server),
        capture(server, "eth0", path),
        opened(client, server) as (connection, peer),
        connection.adopt() as ours,
    ):
        exchange_much(ours, peer)
    without_a_fault(path, busy=True)


def ends(version: int, snd: int, rcv: int, clocks: tuple[int, int]) -> list[ControlBlock]:
    """Return both ends of a connection that was never opened, at these numbers."""
    local, remote = (
        Endpoint.of(f"10.77.0.{side}" if version == 4 else f"fd77::{side}", PORT) for side in (1, 2)
    )
    offer = Offer(mss=1400, window_scale=7, sack_permitted=True, timestamps=True)
    return [
        ControlBlock(
            local=here,
            remote=there,
            state=State.ESTABLISHED,
            snd=SendSpace(Seq(first - 1), Seq(first), Seq(first), 64000, Seq(next_), Seq(first)),
            rcv=ReceiveSpace(Seq(next_ - 1), Seq(next_), 64000),
            offered=offer,
            peer_offered=offer,
            ts_recent=clock,
            last_ack_sent=Seq(next_),
        )
        for here, there, first, next_, clock in (
            (local, remote, snd, rcv, clocks[1]),
            (remote, local, rcv, snd, clocks[0]),
        )
    ]


@pytest.mark.live
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("snd", "rcv", "clocks"),
    [
        (0, 0, (0, 0)),
        (2**32 - 1, 1, (2**32 - 1, 2**32 - 5)),
        (1, 2**32 - 1, (1, 2**32 - 1)),
        (2**31 - 1, 2**31, (2**31, 2**31 - 1)),
        (2**32 - 4000, 2**32 - 4000, (7, 2**32 - 2)),
    ],
)
def test_any_numbers_will_do(version: int, snd: int, rcv: int, clocks: tuple[int, int]) -> None:
    with pair() as hosts:
        socks = []
        for host, block, clock in zip(hosts, ends(version, snd, rcv, clocks), clocks, strict=True):
            with host.entered():
                socks.append(adopt(block, clock=clock, release=lambda: False))
        ours, peer = socks
        with ours, peer:
            for each in socks:
                each.settimeout(TIMEOUT)
                # Its clock counts milliseconds: TCPI_OPT_USEC_TS is not set.
                assert not each.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5] & 64
            echo(ours, peer)
            exchange_much(ours, peer)


@pytest.mark.live
def test_what_was_received_may_pass_zero() -> None:
    block, _ = ends(4, 5, 3, (0, 0))
    block = changed(block, rcv=changed(block.rcv, irs=Seq(2**32 - 8)))
    octets = b"0123456789"
    with pair() as (client, _), client.entered():
        ours = adopt(block, clock=0, release=lambda: False, received=octets)
        with ours:
            assert ours.recv(100) == octets


def syn_ack_and_a_stray(_: Listener, observed: Observed) -> Packets:
    """Answer a SYN, and connect at once from the same port, as if all were forgotten."""
    return [packet(syn_ack(observed)), packet(reply(observed, Flags.SYN, seq=7777))]


@pytest.mark.live
def test_a_stray_syn_delays_nothing() -> None:
    # To who follows the wire, it begins another connection.
    timeouts = Timeouts.of(hold=TIMEOUT)
    with peer(Listener(syn=syn_ack_and_a_stray)) as (client, _), client.entered():
        (probe,) = probes(Target.parse(f"10.77.0.2:{PORT}"), timeouts)
        assert isinstance(probe, Probe)
        with closing(probe):
            began = time.monotonic()
            ours = probe.adopt()
            assert ours is not None
            assert time.monotonic() - began < TIMEOUT / 2
            with ours:
                assert ours.getpeername() == ("10.77.0.2", PORT)


# With standard input and output.

JOINED = """
import os
from handshake import messages
from handshake.cli.relay import relay
from tests.live.lab.adoption import TARGETS, Here, Opened
from handshake.linux import privileges
taken = Opened(Here(), TARGETS[0]).adopt()
messages.load()
privileges.drop()
try:
    relay(taken)
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


@pytest.mark.live
@pytest.mark.parametrize("end", ["ours", "the peer's", "a reset"])
def test_joined_without_any_privilege(end: str) -> None:
    with pair() as (client, server), server.listen(PORT) as listener:
        running = program(client, JOINED)
        peer, _ = listener.accept()
        peer.settimeout(TIMEOUT)
        assert running.stdin is not None
        assert running.stdout is not None
        with peer:
            running.stdin.write("a question\n")
            running.stdin.flush()
            see(b"a question\n", peer)
            peer.sendall(b"an answer\n")
            assert running.stdout.readline() == "an answer\n"
            if end == "ours":
                running.stdin.close()
                running.stdin = None
                see_fin(peer)
            elif end == "a reset":
                reset(peer)
        out, err = running.communicate(timeout=TIMEOUT)
    output = "ConnectionLostError connection reset by the peer\n"
    assert (running.returncode, out, err) == (0, output if end == "a reset" else "", "")


# Where it cannot be.


@pytest.mark.live
@pytest.mark.parametrize(
    "step",
    [
        "bpf.attach",
        "tcp_repair._connect",
        "tcp_repair._set_options",
        "tcp_repair._set_clock",
        "tcp_repair._queue",
        "tcp_repair._set_windows",
    ],
)
def test_nothing_is_left_of_a_step_that_fails(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes on by hand: both ends close it as if nothing had been tried."""
    path = tmp_path / "a.pcap"

    def fail(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with (
        pair() as (client, server),
        capture(server, "eth0", path),
        opened(client, server) as (connection, peer),
    ):
        before = sockets(client)
        with monkeypatch.context() as patch:
            patch.setattr(f"handshake.linux.{step}", fail)
            with pytest.raises(LocalError, match="ENOMEM"):
                connection.adopt()
        assert sockets(client) == before
        peer.shutdown(socket.SHUT_WR)
        with client.entered():
            assert str(connection.probe.finish().close) == "clean"
        see_fin(peer)
    without_a_fault(path)


@pytest.mark.live
@pytest.mark.parametrize("error", [KeyboardInterrupt(), LocalError("adopt.closed")])
def test_interrupted_it_goes_without_a_word(error: BaseException, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"

    def interrupted() -> None:
        raise error

    with (
        pair() as (client, server),
        capture(server, "eth0", path),
        opened(client, server) as (connection, _),
    ):
        with pytest.raises(type(error)):
            connection.adopt(interrupted)
        assert not [each for each in sockets(client) if each.endswith(" 01")]
        # Nothing of it is left that could close it.
        eventually(lambda: len(seen(path)) == 3, "the handshake to be written")
    ours = [
        str(each.segment.flags) for each in seen(path) if str(each.segment.source.address) == OURS
    ]
    assert ours[:2] == ["SYN", "ACK"]
    assert "FIN-ACK" not in ours


@pytest.mark.live
def test_a_connection_that_the_peer_has_closed() -> None:
    with pair() as (client, server), opened(client, server) as (connection, peer):
        peer.shutdown(socket.SHUT_WR)
        connection.receive(lambda: connection.block.state is not State.ESTABLISHED)
        with pytest.raises(LocalError, match="cannot hand the connection over"):
            connection.adopt()
        block = changed(connection.block, state=State.CLOSE_WAIT)
        with pytest.raises(LocalError, match="the peer has already closed it"):
            adopt(block, clock=0, release=lambda: False)


def sockets(host: Host) -> list[str]:
    """Return every socket of a namespace but those on the server's port."""
    tables = ("tcp", "tcp6", "raw", "raw6", "packet")
    shown = host.run(["cat", *(f"/proc/self/net/{table}" for table in tables)]).stdout
    # Local and remote end, and state: the rest moves by itself.
    return sorted(" ".join(line.split()[1:4]) for line in shown.splitlines() if "sl " not in line)


VICTIM = """
import sys, time
from tests.live.lab.adoption import TARGETS, Here, Opened
connection = Opened(Here(), TARGETS[0])
def wait():
    print("begun", flush=True)
    time.sleep(60)
taken = connection.adopt(*[wait] if sys.argv[1] == "while it is taken over" else [])
wait()
"""


@pytest.mark.live
@pytest.mark.parametrize("when", ["while it is taken over", "once it is"])
def test_killed(when: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), server.listen(PORT) as listener:
        before = sockets(client)
        with capture(server, "eth0", path):
            running = program(client, VICTIM, when)
            peer, _ = listener.accept()
            peer.settimeout(TIMEOUT)
            assert running.stdout is not None
            assert running.stdout.readline() == "begun\n"
            running.send_signal(signal.SIGKILL)
            running.communicate(timeout=TIMEOUT)
            if when == "once it is":
                # A dead process's connection is closed like any other: here, and then there.
                see_fin(peer)
                peer.close()
                eventually(lambda: left(client, before) == ["06"], "TIME-WAIT and nothing else")
            else:
                eventually(lambda: sockets(client) == before, "every socket to go")
                peer.close()
        assert client.run(["nft", "list", "ruleset"]).stdout == ""
    flags = [each.segment.flags for each in seen(path) if str(each.segment.source.address) == OURS]
    if when == "once it is":
        assert not any(each & Flags.RST for each in flags)
    else:
        # To the peer's FIN the kernel says that it knows nothing of it, and before that nothing.
        assert [str(each) for each in flags] == ["SYN", "ACK", "RST"]


def left(host: Host, before: list[str]) -> list[str]:
    """Return the states of the sockets that were not there before."""
    return [each.split()[2] for each in sockets(host) if each not in before]


@pytest.mark.live
def test_without_the_privilege_it_names_it_and_sends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        server.listen(PORT) as listener,
        capture(server, "eth0", path),
    ):
        argv = [*NET_RAW_ALONE, sys.executable, "-c", VICTIM, ""]
        output = client.run(argv, check=False).stderr
        listener.accept()[0].close()
    last = output.splitlines()[-1]
    assert last.startswith("handshake.errors.LocalError: ")
    assert "(TCP_REPAIR) needs CAP_NET_ADMIN" in last
    ours = [each for each in seen(path) if str(each.segment.source.address) == OURS]
    assert [str(each.segment.flags) for each in ours[:2]] == ["SYN", "ACK"]
    assert not any(each.segment.fin for each in ours)
