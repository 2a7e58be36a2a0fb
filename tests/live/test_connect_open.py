"""A connection that the kernel opened: data, how it ends, and whether the peer took our ACK."""

import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.live.lab.backends import V4, alike, in_user_space, of
from tests.live.lab.firewall import drop, drop_first
from tests.live.lab.namespaces import TIMEOUT, pair
from tests.live.lab.servers import answering
from tests.live.lab.serving import served
from tests.live.lab.sockets import reset
from tests.live.lab.tcpdump import capture
from tests.live.lab.unprivileged import connected, connected_to
from tests.live.test_probe import PORT, flags, hang_up, seen, serving

BARE_ACK = "tcp flags == ack"
ALL_BUT_THE_SYN = "tcp flags & (syn | ack) == ack"


# How it ends.


@pytest.mark.live
def test_the_peer_resets() -> None:
    with pair() as (client, server):
        with serving(server, reset):
            found = connected_to(client, V4, times={"hold": 5.0})
        with serving(server, reset):
            other = in_user_space(client, V4, hold=5.0)[V4]
    alike(found, other)
    assert (found["verdict"], found["close"]) == ("reset", "reset")


@pytest.mark.live
def test_the_peer_resets_when_it_has_answered() -> None:
    def insult(client_socket: socket.socket) -> None:
        client_socket.sendall(b"220 hello\r\n")
        reset(client_socket)

    with pair() as (client, server), serving(server, insult):
        found = connected_to(client, V4, times={"hold": 5.0})
    assert (found["verdict"], found["close"]) == ("open", "reset")
    assert found["said"]["received"] == 11


@pytest.mark.live
def test_the_peer_keeps_it_open(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), server.listen(PORT):
        with capture(server, "eth0", path):
            found = connected_to(client, V4, times={"close_timeout": 0.5})
        alike(found, in_user_space(client, V4, close_timeout=0.5)[V4])
    assert (found["verdict"], found["close"]) == ("open", "peer-kept-open")
    assert flags(path) == ["SYN", "SYN-ACK", "ACK", "FIN-ACK", "ACK"]


@pytest.mark.live
def test_the_peer_closes_first() -> None:
    with pair() as (client, server):
        began = time.monotonic()
        with serving(server, lambda _: None):
            found = connected_to(client, V4, times={"hold": 8.0})
        assert time.monotonic() - began < 7
        with serving(server, lambda _: None):
            alike(found, in_user_space(client, V4, hold=8.0)[V4])
    assert (found["verdict"], found["close"]) == ("open", "clean")


@pytest.mark.live
def test_nothing_acknowledges_our_fin() -> None:
    lost = "tcp flags & fin == fin"
    with pair() as (client, server), answering(server), drop(server, "input", lost):
        found = connected_to(client, V4, times={"close_timeout": 0.5})
        alike(found, in_user_space(client, V4, close_timeout=0.5)[V4], "findings")
    assert (found["verdict"], found["close"]) == ("half-open", None)
    assert "nothing that we sent after it was acknowledged" in found["reason"]
    assert [each["code"] for each in found["findings"]] == ["no-answer-to-fin"]


@pytest.mark.live
@pytest.mark.parametrize(("close", "last"), [("rst", ["RST-ACK"]), ("none", ["FIN-ACK", "ACK"])])
def test_closed_otherwise_than_by_fin(close: str, last: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), server.listen(PORT), capture(server, "eth0", path):
        # What is left open ends with the run: the second connection lasts until then.
        found = connected(client, V4, "10.77.0.9:80", close=close, times={"timeout": 0.5})[0]
    assert (found["verdict"], found["close"]) == ("open", None)
    assert flags(path) == ["SYN", "SYN-ACK", "ACK", *last]
    waited = (seen(path)[3].at - seen(path)[2].at) / 1e9
    assert (waited > 0.4) == (close == "none")


# Whether the peer took our ACK.


@pytest.mark.live
def test_half_open_where_every_bare_ack_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), server.listen(PORT), drop(server, "input", BARE_ACK):
        with capture(server, "eth0", path):
            found = connected_to(client, V4, times={"observe": 4.0})
        # Our FIN acknowledges too, so that the peer opens all the same.
        hasty = connected_to(client, V4, times={"close_timeout": 0.5})
    assert (found["verdict"], found["close"], found["syn_sent"]) == ("half-open", None, 1)
    assert [each["code"] for each in found["findings"]] == ["syn-ack-again"]
    answers = [each.at / 1e9 for each in seen(path) if each.segment.syn and each.segment.ack]
    assert [round(at - answers[0]) for at in answers] == [0, 1, 3]
    # It is not left to retransmit without end.
    assert flags(path)[-1] == "RST-ACK"
    assert (hasty["verdict"], hasty["close"]) == ("open", "peer-kept-open")


@pytest.mark.live
def test_half_open_where_all_but_our_syn_is_lost() -> None:
    with pair() as (client, server), server.listen(PORT), drop(server, "input", ALL_BUT_THE_SYN):
        found = connected_to(client, V4)
        alike(found, in_user_space(client, V4)[V4])
        assert found["verdict"] == "half-open"
        # Once may be chance: it is waited for the second time.
        found = connected_to(client, V4, times={"observe": 1.5}, close="rst")
    assert found["verdict"] == "half-open"
    assert [round(each) for each in found["syn_ack_again"]] == [1, 3]
    assert [each["code"] for each in found["findings"]] == ["syn-ack-again"]


@pytest.mark.live
@pytest.mark.parametrize(
    ("name", "begins", "notes", "expected"),
    [
        # It acknowledges our probes of its window, as it does our FIN in user space.
        (
            "zero-window",
            "a program likely listens",
            ["no-answer-to-fin", "syn-proxy"],
            ("open", None),
        ),
        # No program listens, which does not show.
        ("simultaneous-open", "port 8080 is open: connect() succeeded", [], ("open", "clean")),
    ],
)
def test_it_claims_what_the_kernel_tells(
    name: str, begins: str, notes: list[str], expected: tuple[str, str | None]
) -> None:
    times = {"observe": 0.3, "close_timeout": 1.5}
    with pair() as (client, server), served(server, "--misbehave", name, "-4"):
        found = connected_to(client, V4, times=times)
        other = in_user_space(client, V4, **times)[V4]
    assert [(each["verdict"], each["close"]) for each in (found, other)] == [expected] * 2
    assert found["reason"].startswith(begins)
    assert "SYN-ACK" not in found["reason"]
    assert [each["code"] for each in found["findings"]] == notes


@pytest.mark.live
def test_one_ack_that_is_lost_is_not_half_open() -> None:
    with pair() as (client, server), answering(server), drop_first(server, "input", BARE_ACK):
        found = connected_to(client, V4, times={"observe": 3.5})
    assert (found["verdict"], found["close"]) == ("open", "clean")
    assert [each["code"] for each in found["findings"]] == ["syn-ack-again"]


@pytest.mark.live
def test_a_server_that_waits_for_data_is_not_half_open() -> None:
    with pair() as (client, server), server.listen(PORT) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
        found = connected_to(client, V4, times={"observe": 3.5, "close_timeout": 0.5})
    assert (found["verdict"], found["close"]) == ("open", "peer-kept-open")
    assert [each["code"] for each in found["findings"]] == ["syn-ack-again"]


@pytest.mark.live
def test_a_keep_alive_is_no_answer_that_comes_again() -> None:
    # To a socket of ours both look the same, and come at the same times.
    alive, deaf = of("10.77.0.2", 8001), of("10.77.0.2", 8002)
    lost = f"tcp dport 8002 {ALL_BUT_THE_SYN}"
    with (
        pair() as (client, server),
        server.listen(8001) as listener,
        server.listen(8002),
        drop(server, "input", lost),
    ):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL):
            listener.setsockopt(socket.IPPROTO_TCP, option, 1)
        times = {"observe": 3.6, "close_timeout": 0.5}
        found = {each["target"]: each for each in connected(client, alive, deaf, times=times)}
    assert (found[alive]["verdict"], found[alive]["findings"]) == ("open", [])
    # Where both came between two looks, it is not known whose was which.
    assert found[deaf]["verdict"] in ("half-open", "open")
    assert found[deaf]["close"] is None


# Data.


def echo(client_socket: socket.socket) -> None:
    client_socket.sendall(b"220 hello\r\n")
    client_socket.sendall(client_socket.recv(100))
    hang_up(client_socket)


@pytest.mark.live
def test_data_is_sent_and_what_is_expected_is_found() -> None:
    with pair() as (client, server), serving(server, echo):
        # In two pieces, and what is looked for lies across them.
        found = connected_to(client, V4, data="EHLO\r\n", expect="\nEHLO")
    assert (found["verdict"], found["close"]) == ("open", "clean")
    assert found["said"] == {
        "sent": 6,
        "acknowledged": 6,
        "received": 17,
        "text": "220 hello\r\nEHLO\r\n",
        "expected": True,
    }


@pytest.mark.live
def test_what_is_expected_does_not_come() -> None:
    with pair() as (client, server):
        began = time.monotonic()
        with serving(server, echo):
            found = connected_to(client, V4, data="EHLO", expect="no", times={"timeout": 0.7})
        assert time.monotonic() - began > 0.7
    assert (found["verdict"], found["close"]) == ("open", "clean")
    output = found["said"]
    assert (output["sent"], output["acknowledged"], output["received"]) == (4, 4, 15)
    assert output["expected"] is False
    assert found["reason"].endswith(
        "The expected data is not in the 15 octets that the server sent"
    )


@pytest.mark.live
def test_more_data_than_the_peer_takes() -> None:
    size = 60_000
    with pair() as (client, server), server.listen(PORT) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        found = connected_to(client, V4, data="x" * size, times={"hold": 0.3, "close_timeout": 0.3})
    assert found["verdict"] == "open"
    assert [each["code"] for each in found["findings"]] == ["no-answer-to-fin"]
    assert 0 < found["said"]["acknowledged"] < found["said"]["sent"] == size


@pytest.mark.live
def test_a_flood_of_data_delays_no_other_connection() -> None:
    def flood(client_socket: socket.socket) -> None:
        with suppress(ConnectionError):
            while True:
                client_socket.sendall(bytes(1 << 20))

    other = "10.77.0.2:9"
    with pair() as (client, server), serving(server, flood), drop(server, "input", "tcp dport 9"):
        times = {"hold": 1.5, "timeout": 1.0, "close_timeout": 0.2}
        began = time.monotonic()
        found = {each["target"]: each for each in connected(client, V4, other, times=times)}
        assert time.monotonic() - began < TIMEOUT / 2
    assert (found[V4]["verdict"], found[other]["verdict"]) == ("open", "filtered")
    assert "within 1.0 s" in found[other]["reason"]
