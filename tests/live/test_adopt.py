"""A connection that was opened by hand, and that the kernel then carries on."""

import socket
from itertools import takewhile
from pathlib import Path

import pytest

from handshake.linux import rst_guard as guard
from handshake.units import NS_PER_MS
from tests.live.lab.adoption import (
    OURS,
    TARGETS,
    agrees,
    echo,
    exchange_much,
    finish,
    info,
    opened,
    quietly,
    without_a_fault,
)
from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import pair
from tests.live.lab.sockets import reset, see, see_fin, send
from tests.live.lab.tcpdump import WHOLE, capture
from tests.live.test_probe import PORT, seen


def barred(*_: object) -> None:
    raise PermissionError(1, "barred")


@pytest.mark.live
@pytest.mark.parametrize("target", TARGETS)
def test_the_kernel_carries_it_on(target: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        capture(server, "eth0", path, snap=WHOLE),
        opened(client, server, target) as (connection, peer),
    ):
        block = connection.block
        with connection.adopt() as ours:
            agrees(info(client, block), block)
            assert ours.getsockname()[1] == peer.getpeername()[1]
            echo(ours, peer)
            finish(ours, peer)
    found = without_a_fault(path)
    ours_sent = [each for each in found if each.segment.source.port == block.local.port]
    if block.local.version == 6:
        # One flow label from the first SYN to the last ACK (RFC 6437 section 3).
        assert len({int.from_bytes(each.packet[:4]) & 0xFFFFF for each in ours_sent}) == 1
    # Not a segment more than it takes, and nothing before we have data to send.
    assert [str(each.segment.flags) for each in found[:4]] == ["SYN", "SYN-ACK", "ACK", "PSH-ACK"]


@pytest.mark.live
@pytest.mark.parametrize(
    ("name", "give_up_guard"),
    # The socket of a guard may stay as long as it likes; a table of the firewall must go.
    [
        *((name, True) for name in guard.METHODS),
        ("filter", False),
        ("md5", False),
        ("minttl", False),
    ],
)
@pytest.mark.parametrize("target", TARGETS)
def test_under_every_guard(
    name: str, give_up_guard: bool, target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in set(guard.METHODS) - {name}:
        monkeypatch.setitem(guard.METHODS, other, barred)
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        capture(server, "eth0", path, snap=WHOLE),
        opened(client, server, target) as (connection, peer),
        connection.adopt(give_up_guard=give_up_guard) as ours,
    ):
        echo(ours, peer)
        finish(ours, peer)
    without_a_fault(path)


@pytest.mark.live
@pytest.mark.parametrize("target", TARGETS)
def test_a_banner_that_was_acknowledged_before(target: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server):
        # Our own engine may be slow to acknowledge: that must not pass for a loss.
        server.sysctl("net.ipv4.tcp_early_retrans", 0)
        with (
            capture(server, "eth0", path, snap=WHOLE),
            opened(client, server, target) as (connection, peer),
        ):
            for line in (b"220 hello\r\n", bytes(20_000)):
                nxt = connection.block.rcv.nxt
                assert nxt is not None
                peer.sendall(line)
                connection.receive_until(nxt + len(line))
            with connection.adopt() as ours:
                see(b"220 hello\r\n" + bytes(20_000), ours)
                echo(ours, peer)
                finish(peer, ours)
    without_a_fault(path)


@pytest.mark.live
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_an_unacknowledged_banner_is_retransmitted(when: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        capture(server, "eth0", path, snap=WHOLE),
        opened(client, server) as (connection, peer),
    ):
        block = connection.block

        def send_all() -> None:
            peer.sendall(b"220 hello\r\n")

        if when == "before":
            send_all()
        with connection.adopt(send_all if when == "meanwhile" else lambda: None) as ours:
            see(b"220 hello\r\n", ours)
            quietly(ours, peer)
    # Nothing is answered before the kernel has all state; then the peer is probed for its own.
    first = next(each.segment for each in seen(path)[3:] if each.segment.source == block.local)
    assert block.snd.nxt is not None
    assert (first.seq, first.ack, first.length) == (block.snd.nxt - 1, block.rcv.nxt, 0)


@pytest.mark.live
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_an_unacknowledged_fin_is_retransmitted(when: str) -> None:
    with pair() as (client, server), opened(client, server) as (connection, peer):
        if when == "before":
            peer.shutdown(socket.SHUT_WR)
        with connection.adopt(
            (lambda: peer.shutdown(socket.SHUT_WR)) if when == "meanwhile" else lambda: None
        ) as ours:
            see_fin(ours)
            send(b"one way", ours, peer)
            ours.shutdown(socket.SHUT_WR)
            see_fin(peer)


@pytest.mark.live
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_lost_reset_is_noticed(when: str) -> None:
    with pair() as (client, server), opened(client, server) as (connection, peer):
        if when == "before":
            reset(peer)
        with (
            connection.adopt(
                (lambda: reset(peer)) if when == "meanwhile" else lambda: None
            ) as ours,
            pytest.raises(ConnectionResetError),
        ):
            ours.recv(1)


@pytest.mark.live
@pytest.mark.parametrize("target", TARGETS[:2])
def test_megabytes_both_ways_at_once(target: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        capture(server, "eth0", path, snap=WHOLE),
        opened(client, server, target) as (connection, peer),
        connection.adopt() as ours,
    ):
        exchange_much(ours, peer)
    found = without_a_fault(path, busy=True)
    late = [
        (each.at // NS_PER_MS - stamp.value) % 2**32
        for each in found
        if each.segment.source == connection.block.local
        and (stamp := each.segment.options.timestamps)
    ]
    # It still counts milliseconds: a busy machine sends late what has its stamp, but not always.
    half = len(late) // 2
    assert min(late[half:]) == pytest.approx(min(late[:half]), abs=5)


@pytest.mark.live
@pytest.mark.parametrize("option", ["timestamps", "sack", "window_scaling", "all of them"])
def test_without_what_the_peer_does_not_offer(option: str, tmp_path: Path) -> None:
    names = ("timestamps", "sack", "window_scaling") if option == "all of them" else (option,)
    with pair() as (client, server):
        for name in names:
            server.sysctl(f"net.ipv4.tcp_{name}", 0)
        for number, exchange in enumerate((quietly, exchange_much)):
            path = tmp_path / f"{number}.pcap"
            with (
                capture(server, "eth0", path, snap=WHOLE),
                opened(client, server) as (connection, peer),
            ):
                block = connection.block
                assert block.timestamps is ("timestamps" not in names)
                assert block.sack is ("sack" not in names)
                assert bool(block.rcv_shift) is ("window_scaling" not in names)
                with connection.adopt() as ours:
                    agrees(info(client, block), block)
                    exchange(ours, peer)
            without_a_fault(path, busy=exchange is exchange_much)


@pytest.mark.live
@pytest.mark.parametrize("option", ["timestamps", "sack", "window_scaling"])
def test_what_the_kernel_itself_would_not_offer(option: str, tmp_path: Path) -> None:
    with pair() as (client, server):
        client.sysctl(f"net.ipv4.tcp_{option}", 0)
        for number, exchange in enumerate((quietly, exchange_much)):
            path = tmp_path / f"{number}.pcap"
            with (
                capture(server, "eth0", path, snap=WHOLE),
                opened(client, server) as (connection, peer),
            ):
                block = connection.block
                with connection.adopt() as ours:
                    agrees(info(client, block), block, 0 if option == "timestamps" else 12)
                    exchange(ours, peer)
            without_a_fault(path, busy=exchange is exchange_much)


@pytest.mark.live
@pytest.mark.parametrize("mtu", [600, 1280, 9000, 65535])
def test_segments_are_as_large_as_the_peer_takes(mtu: int, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server):
        # Each segment is a packet of its own, as on a card that cannot split large ones.
        client.ip("link set eth0 gso_max_segs 1")
        (client if mtu > 1500 else server).ip(f"link set eth0 mtu {mtu}")
        with (
            capture(server, "eth0", path, snap=WHOLE),
            opened(client, server) as (connection, peer),
        ):
            block = connection.block
            with connection.adopt() as ours:
                agrees(info(client, block), block)
                send(bytes(40_000), ours, peer)
                finish(ours, peer)
    # Seventy packets at once make a busy kernel send some again, adopted or not.
    found = without_a_fault(path, busy=True)
    assert block.mss == min(mtu, 1500) - 40
    sent = [each.segment for each in found if each.segment.source == block.local]
    # From the first one on.
    assert next(filter(None, (seg.payload_length for seg in sent))) == block.mss - 12
    assert max(seg.payload_length for seg in sent) == block.mss - 12


@pytest.mark.live
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", OURS])
def test_with_a_peer_on_the_same_host(address: str) -> None:
    with pair() as (client, _):
        target = f"[{address}]:{PORT}" if ":" in address else f"{address}:{PORT}"
        with opened(client, client, target) as (connection, peer), connection.adopt() as ours:
            echo(ours, peer)
            exchange_much(ours, peer)


@pytest.mark.live
@pytest.mark.parametrize("first", ["we", "the peer"])
def test_an_ordinary_close(first: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        capture(server, "eth0", path, snap=WHOLE) as written,
        opened(client, server) as (connection, peer),
        connection.adopt() as ours,
    ):
        finish(*(ours, peer) if first == "we" else (peer, ours))
        written.wait(6)
    found = without_a_fault(path)
    fins = [each.segment.source == connection.block.local for each in found if each.segment.fin]
    assert fins == [first == "we", first != "we"]


@pytest.mark.live
def test_with_a_firewall_that_lets_answers_in(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        drop(client, "input", "ct state != established"),
        capture(server, "eth0", path, snap=WHOLE),
        opened(client, server) as (connection, peer),
        connection.adopt() as ours,
    ):
        client.sysctl("net.ipv4.conf.all.rp_filter", 1)
        echo(ours, peer)
        finish(ours, peer)
    without_a_fault(path)


@pytest.mark.live
def test_without_its_own_packets_it_echoes_nothing_before_the_peer_sends(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        capture(server, "eth0", path, snap=WHOLE),
        opened(client, server) as (connection, peer),
        drop(client, "input", "iif lo") as rule,
        connection.adopt() as ours,
    ):
        echo(ours, peer)
        finish(ours, peer)
        assert rule.packets == 1
    echoes = [
        stamp.echo
        for each in seen(path)
        if each.segment.source == connection.block.local
        and (stamp := each.segment.options.timestamps)
    ]
    # Its SYN, and the first data: as from a kernel without the connection.
    assert [index for index, value in enumerate(echoes) if not value] == [0, 2]


@pytest.mark.live
@pytest.mark.parametrize("silent", [True, False])
def test_the_peer_is_asked_where_the_kernel_cannot_begin_in_silence(
    silent: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not silent:
        # What a kernel before 4.19 takes -1 for.
        monkeypatch.setattr("handshake.linux.tcp_repair._OFF_WITHOUT_PROBE", 7)
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        capture(server, "eth0", path, snap=WHOLE) as written,
        opened(client, server) as (connection, _),
        connection.adopt(),
    ):
        written.wait(3 if silent else 5)
    block = connection.block
    assert block.snd.nxt is not None
    probed = [
        (str(each.segment.flags), each.segment.seq, each.segment.payload_length)
        for each in takewhile(lambda each: not each.segment.fin, seen(path)[3:])
        if each.segment.source == block.local
    ]
    assert probed == ([] if silent else [("ACK", block.snd.nxt - 1, 0)])
