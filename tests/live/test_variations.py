"""Variations on the scenarios: two faults at once, and faults that change their mind."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from handshake.prober import Close, Result, Target, Timeouts, Verdict
from handshake.prober.run import probe_all
from handshake.tcp import Endpoint, Observed
from tests.live.lab.exchanges import CLEAN, OPENED, SYN, of_a_kernel
from tests.live.lab.figures import draw, ours, segments
from tests.live.lab.firewall import drop, drop_first, firewall
from tests.live.lab.namespaces import TIMEOUT, Socket, eventually, pair, routed
from tests.live.lab.packets import packet
from tests.live.lab.probing import Way, codes, every_way, play
from tests.live.lab.scripted_server import ACK, FIN_ACK, RST, RST_ACK, Listener, Packets, reply
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.lab.topologies import chain
from tests.live.test_probe import SYN as ANY_SYN
from tests.live.test_probe import SYN_ACK

FIRST = "numgen inc mod 4294967295 < 1"
SECOND = "numgen inc mod 2 == 1"
QUICK = Timeouts.of(rto=0.3)


@pytest.mark.live
@every_way
def test_the_first_syn_and_the_first_syn_ack_are_lost(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        answering(server, 1),
        drop_first(server, "input", ANY_SYN) as there,
        drop_first(server, "output", SYN_ACK) as back,
        capture(server, "eth0", path),
    ):
        result = way.call(client, server, QUICK, port=1)
        assert (there.packets, back.packets) == (1, 1)
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 3)
    assert of_a_kernel(draw(path, client_socket)) == [SYN, SYN, *CLEAN]
    # The answer echoes the clock of the second SYN: it is unknown which one it answers.
    assert result.rtt_ambiguous


@pytest.mark.live
@every_way
def test_our_ack_and_our_first_fin_are_lost(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        answering(server, 65535),
        drop_first(server, "input", "tcp flags & (syn | ack) == ack", 2) as rule,
        capture(server, "eth0", path),
    ):
        result = way.call(client, server, QUICK, port=65535)
        assert rule.packets == 2
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 1)
    # The FIN that comes again completes the handshake, too, and closes.
    assert of_a_kernel(draw(path, client_socket)) == [*CLEAN[:4], *CLEAN[3:]]


@pytest.mark.live
@pytest.mark.parametrize("attentive", [False, True])
def test_three_of_ten_packets_are_lost_each_way(attentive: bool, tmp_path: Path) -> None:
    # The verdict must follow from what passed the wire, whatever that was: open where a SYN-ACK
    # came, and else silence.
    path = tmp_path / "wire.pcap"
    ports = range(7001, 7021)
    calls = [Target.of(host, port) for port in ports for host in ("10.77.0.2", "fd77::2")]
    timeouts = Timeouts.of(timeout=4, rto=0.25, retries=4, close_timeout=1)
    lossy = "numgen random mod 100 < 30"
    with ExitStack() as stack:
        client, server = stack.enter_context(pair())
        for port in ports:
            stack.enter_context(answering(server, port))
        stack.enter_context(drop(server, "input", f"meta l4proto tcp {lossy}"))
        stack.enter_context(drop(server, "output", f"meta l4proto tcp {lossy}"))
        # Here everything is seen that the client sent, and all that reached it.
        stack.enter_context(capture(server, "eth0", path))
        with client.entered():
            found = list(
                probe_all(calls, concurrency=len(calls), timeouts=timeouts, attentive=attentive)
            )
    assert len(found) == len(calls)
    wire = segments(path)
    for result in found:
        judge(result, wire, timeouts)
    assert sum(result.verdict is Verdict.OPEN for result in found) > len(calls) / 2


def judge(result: Result, wire: list[Observed], timeouts: Timeouts) -> None:
    """Check that a verdict follows from all that was received during the probe."""
    there = (result.address, result.port)
    began = next(each.at for each in wire if end_of(each.segment.destination) == there)
    received = [each for each in wire if end_of(each.segment.source) == there]
    answers = [
        each for each in received if each.segment.syn and each.at < began + timeouts.handshake
    ]
    if result.verdict is Verdict.FILTERED:
        assert answers == []
        return
    first = answers[0]
    syn_acked = first.segment.ack
    assert syn_acked is not None
    taken = [each for each in received if each.segment.ack and syn_acked < each.segment.ack]
    if result.verdict is Verdict.HALF_OPEN:
        assert not [each for each in taken if each.at < first.at + timeouts.close]
        return
    # A RST arrives if something of ours is retransmitted to a server that has forgotten us.
    assert result.verdict is Verdict.OPEN
    if result.close is Close.CLEAN:
        assert [each for each in received if each.segment.fin]
    if result.close is not None:
        assert taken


def end_of(end: Endpoint) -> tuple[str, int]:
    return str(end.address), end.port


@pytest.mark.live
@every_way
@pytest.mark.parametrize("by", ["host", "router"])
def test_an_icmp_error_comes_through_a_nat(way: Way, by: str, tmp_path: Path) -> None:
    # It quotes our SYN as it was behind the NAT, which turns that back.
    family, answer = ("ip", "icmp") if way.version == 4 else ("ip6", "icmpv6")
    hook = "type nat hook postrouting priority 100;"
    with chain(2) as (client, nat, router, server):
        nat.nft(f"table {family} nat {{ chain post {{ {hook} oif eth1 masquerade; }}; }}")
        who, at = (server, "input") if by == "host" else (router, "forward")
        reject = f"reject with {answer} type admin-prohibited"
        with (
            firewall(who, at, "tcp dport 9300", reject) as rule,
            capture(server if by == "host" else router, "eth0", tmp_path / "wire.pcap"),
        ):
            result = way.call(client, server, port=9300)
            assert rule.packets == 1
        speaker = way.address(who)
        outside = nat.interfaces[1].v4 if way.version == 4 else nat.interfaces[1].v6
    assert (result.verdict, result.syn_sent) == (Verdict.UNREACHABLE, 1)
    assert result.icmp is not None
    assert str(result.icmp.sender) == speaker
    assert (result.icmp.type, result.icmp.code) == ((3, 13) if way.version == 4 else (1, 1))
    assert str(result.reason).startswith("the host itself" if by == "host" else speaker)
    assert draw(tmp_path / "wire.pcap", outside)[0] == SYN


@pytest.mark.live
@every_way
def test_the_host_is_unreachable_for_the_first_syn_alone(way: Way) -> None:
    # "Since these Unreachable messages indicate soft error conditions, a TCP implementation MUST
    # NOT abort the connection" (RFC 9293 section 3.9.2.2: codes 0, 1 and 5, of ICMPv6 0 and 3).
    answer = "icmp type host-unreachable" if way.version == 4 else "icmpv6 type addr-unreachable"
    with (
        routed() as (client, router, server),
        answering(server, 9100),
        firewall(router, "forward", f"{ANY_SYN} {FIRST}", f"reject with {answer}"),
    ):
        result = way.call(client, server, QUICK, port=9100)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 2)
    assert result.icmp is None
    assert codes(result) == {"icmp", "syn-retransmitted"}


@pytest.mark.live
@every_way
def test_a_router_rejects_the_second_syn_alone(way: Way, tmp_path: Path) -> None:
    # The first one is lost behind it. A RST is a RST, and its hops show that it came from near.
    path = tmp_path / "wire.pcap"
    with (
        routed() as (client, router, server),
        answering(server, 9200),
        drop_first(server, "input", ANY_SYN) as lost,
        firewall(router, "forward", f"{ANY_SYN} {SECOND}", "reject with tcp reset") as rule,
        capture(router, "eth0", path),
    ):
        result = way.call(client, server, QUICK, port=9200)
        assert (lost.packets, rule.packets) == (1, 1)
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.CLOSED, None, 2)
    assert result.ttl == 64
    assert draw(path, client_socket) == [SYN, SYN, "<-- <SEQ=0><ACK=101><CTL=RST,ACK>"]


@pytest.mark.live
@every_way
def test_the_port_is_closed_after_the_first_syn(way: Way, tmp_path: Path) -> None:
    # The first SYN was answered, and the answer lost; then the program ended.
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        server.listen(9400) as listener,
        drop_first(server, "output", SYN_ACK) as rule,
        capture(server, "eth0", path),
        ended(listener, lambda: rule.packets > 0),
    ):
        result = way.call(client, server, Timeouts.of(rto=0.7), port=9400)
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.CLOSED, None, 2)
    assert draw(path, client_socket) == [SYN, SYN, "<-- <SEQ=0><ACK=101><CTL=RST,ACK>"]


@contextmanager
def ended(listener: Socket, when: Callable[[], bool]) -> Iterator[None]:
    """Close a listener as soon as something is so."""

    def end() -> None:
        eventually(when, "the moment to close")
        listener.close()

    thread = threading.Thread(target=end, daemon=True)
    thread.start()
    yield
    thread.join(TIMEOUT)
    assert not thread.is_alive()


@pytest.mark.live
@every_way
def test_a_rst_overtakes_the_syn_ack_before_it(way: Way, tmp_path: Path) -> None:
    # The peer opened and gave up at once. Alone its RST says nothing: nothing of ours is
    # acknowledged. Our answer to the SYN-ACK then brings the RST of a host without a connection.
    def syn(listener: Listener, received: Observed) -> Packets:
        return [packet(reply(received, RST)), *listener.syn(received)]

    def gone(_: Listener, received: Observed) -> Packets:
        assert received.segment.ack is not None
        return [packet(reply(received, RST, seq=received.segment.ack))]

    listener = Listener(syn=syn, ack=gone, fin=gone)
    found = play(way, tmp_path, listener, Timeouts.of(hold=0.3), port=9500)
    assert (found.result.verdict, found.result.close) == (Verdict.RESET, Close.RESET)
    assert found.wire == [
        SYN,
        "<-- <SEQ=301><CTL=RST>",
        *OPENED,
        "<-- <SEQ=301><CTL=RST>",
    ]
    assert codes(found.result) == {"rst-ignored"}


@pytest.mark.live
@every_way
def test_the_syn_ack_overtakes_a_rst_for_the_same_syn(way: Way, tmp_path: Path) -> None:
    # A firewall refuses in the host's name, too late: the number 0 of its RST lies outside the
    # window of what is open by then.
    def syn(listener: Listener, received: Observed) -> Packets:
        late = packet(reply(received, RST_ACK, seq=0))
        return [*listener.syn(received), late]

    found = play(way, tmp_path, Listener(syn=syn), port=9500)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert ours(found.wire) == ours(CLEAN)
    assert codes(found.result) == {"rst-ignored"}


@pytest.mark.live
@every_way
def test_the_fin_overtakes_the_data_before_it(way: Way, tmp_path: Path) -> None:
    # What comes ahead is kept, and asked for by the number that is missing (RFC 9293 section
    # 3.10.7.4, seventh step): the FIN counts once all before it is there.
    def fin(_: Listener, received: Observed) -> Packets:
        data = packet(reply(received, ACK, payload=b"hello"))
        return [packet(reply(received, FIN_ACK, seq=306)), data]

    found = play(way, tmp_path, Listener(fin=fin), port=9600)
    assert (found.result.verdict, found.result.close) == (Verdict.OPEN, Close.CLEAN)
    assert ours(found.wire) == [
        *ours(CLEAN[:4]),
        "--> <SEQ=102><ACK=301><CTL=ACK>",
        "--> <SEQ=102><ACK=307><CTL=ACK>",
    ]
