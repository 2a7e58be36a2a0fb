"""What a probe heeds and what it ignores, as the TCP of Linux does."""

import os
import subprocess
from pathlib import Path

import pytest

from handshake.prober import ClientOptions, Close, Timeouts, Verdict
from handshake.tcp import Observed, Options
from handshake.tcp import options as opt
from handshake.tcp.address import ip_address
from tests.live.lab.figures import ours
from tests.live.lab.namespaces import TIMEOUT, pair, routed
from tests.live.lab.packets import icmp, packet
from tests.live.lab.probing import PORT, Way, alone, codes, every_way, play, target
from tests.live.lab.scripted_server import ACK, ISS, Listener, Packets, reply, syn_ack
from tests.live.lab.servers import answering
from tests.live.test_cli_many import PROBE

IGNORED = {4: [(3, 16), (3, 200), (11, 1)], 6: []}


# ICMP.


@pytest.mark.live
@every_way
@pytest.mark.parametrize("number", [0, 1, 2])
def test_icmp_codes_that_linux_ignores(way: Way, number: int, tmp_path: Path) -> None:
    if way.version == 6:
        pytest.skip("Linux heeds each code of ICMPv6")
    kind, code = IGNORED[4][number]

    def syn(_: Listener, received: Observed) -> Packets:
        return [icmp(received, kind, code, sender=ip_address("192.0.2.1"))]

    found = play(way, tmp_path, Listener(syn=syn), Timeouts.of(timeout=0.5, rto=0.2))
    assert (found.result.verdict, found.result.syn_sent) == (Verdict.FILTERED, 2)
    assert codes(found.result) == {"icmp"}


@pytest.mark.live
@every_way
@pytest.mark.parametrize("count", [4000, 20_000])
def test_data_on_a_path_with_a_smaller_mtu(way: Way, count: int) -> None:
    # The router tells, and the data arrives without waiting for a timer.
    options = ClientOptions(data=bytes(count))
    timeouts = Timeouts.of(rto=2, hold=0.5, close_timeout=3)
    with routed() as (client, router, server), answering(server, PORT):
        server.ip("link set eth0 mtu 1500")
        router.ip("link set eth1 mtu 1300")
        result = way.call(client, server, timeouts, options=options, may_differ=True)
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert result.data is not None
    assert result.data.acknowledged == count
    assert "smaller-segments" in codes(result)
    assert result.duration is not None
    assert result.duration < 2


# SYN-ACKs.


@pytest.mark.live
@alone
def test_of_two_syn_acks_the_one_that_we_answered_counts(way: Way, tmp_path: Path) -> None:
    def syn(_: Listener, received: Observed) -> Packets:
        other = Options.of(opt.mss(900))
        return [packet(syn_ack(received)), packet(syn_ack(received, seq=7000, options=other))]

    found = play(way, tmp_path, Listener(syn=syn), Timeouts.of(hold=0.3), may_differ=True)
    server = found.result.as_json()["server"]
    assert isinstance(server, dict)
    assert (server["iss"], server["mss"], server["sack_permitted"]) == (ISS, 1460, True)


@pytest.mark.live
@every_way
def test_a_wrong_ack_behind_a_firewall_that_drops_our_reset(way: Way, tmp_path: Path) -> None:
    # The server remembers an older connection, and forgets it by itself: the next SYN opens.
    def syn(listener: Listener, received: Observed) -> Packets:
        if listener.times("syn") == 1:
            return [packet(reply(received, ACK, seq=ISS, ack=received.segment.seq - 40))]
        return listener.syn(received)

    found = play(way, tmp_path, Listener(syn=syn), resets=True, may_differ=True)
    assert (found.result.verdict, found.result.syn_sent) == (Verdict.OPEN, 2)
    assert found.result.waited is not None
    assert found.result.waited < 0.5
    assert ours(found.wire)[:3] == [
        "--> <SEQ=100><CTL=SYN>",
        "--> <SEQ=60><CTL=RST>",
        "--> <SEQ=100><CTL=SYN>",
    ]


@pytest.mark.live
@every_way
def test_a_signature_that_nobody_asked_for_is_named(way: Way, tmp_path: Path) -> None:
    def syn(_: Listener, received: Observed) -> Packets:
        signed = Options.of(opt.nop(), opt.nop(), opt.md5(bytes(range(16))))
        return [packet(syn_ack(received, options=signed))]

    timeouts = Timeouts.of(timeout=0.5, rto=0.3)
    found = play(way, tmp_path, Listener(syn=syn), timeouts, may_differ=True)
    assert found.result.verdict is Verdict.FILTERED
    assert "uninvited-signature" in codes(found.result)
    assert found.result.reason.code == "filtered.ignored"


# Ourselves.


@pytest.mark.live
@every_way
@pytest.mark.parametrize("loopback", [True, False])
def test_a_port_that_would_connect_to_itself(way: Way, loopback: bool) -> None:
    with pair() as (client, _):
        address = way.address(client)
        if loopback:
            address = "127.0.0.1" if way.version == 4 else "::1"
        options = ClientOptions(source_port=PORT)
        result = way.call(client, address, options=options)
        another = way.call(client, address, port=PORT + 1, options=options)
    assert result.verdict is Verdict.LOCAL_ERROR
    assert result.reason.code == "bind.itself"
    assert another.verdict is Verdict.CLOSED


# Files.


@pytest.mark.live
@pytest.mark.parametrize("place", ["/dev/stdout", "-", "/dev/fd/{number}"])
def test_the_reader_of_the_packets_has_left(place: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    where = place.format(number=writing)
    argv = [*PROBE, target("10.77.0.2", PORT), "--quiet", "-w", where]
    with pair() as (client, server), answering(server, PORT):
        running = client.popen(argv, stdout=writing, stderr=subprocess.PIPE, pass_fds=(writing,))
        _, error = running.communicate(timeout=TIMEOUT)
    os.close(writing)
    assert running.returncode == 3
    assert len(error.splitlines()) == 1
    assert "EPIPE" in error
