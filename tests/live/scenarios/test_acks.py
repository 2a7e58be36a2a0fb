"""Scenarios 9 and 10: our ACK does not reach the peer, or never leaves."""

import re
from pathlib import Path

import pytest

from handshake.prober import ClientOptions, Close, Timeouts, Verdict
from tests.live.lab.exchanges import OPENED, SYN
from tests.live.lab.figures import draw, on_time, seconds, segments
from tests.live.lab.firewall import drop, drop_first
from tests.live.lab.namespaces import pair
from tests.live.lab.probing import Way, alone, codes, every_way, two_ways
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture

BARE_ACK = "tcp flags == ack"
WATCHFUL = Timeouts.of(observe=1.25)
ACK = OPENED[1]
RST = "--> <SEQ=101><CTL=RST>"


@pytest.mark.live
@every_way
def test_09_every_bare_ack_dropped(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        answering(server),
        drop(server, "input", BARE_ACK) as rule,
        capture(server, "eth0", path),
    ):
        result = way.call(client, server, WATCHFUL, resets=True)
        assert rule.packets == 2
    assert (result.verdict, result.close, result.exit_code) == (Verdict.HALF_OPEN, None, 1)
    # The SYN-ACK is retransmitted after 1 and 3 s, and was acknowledged each time.
    assert [round(each) for each in result.ack_status.again] == [1, 3]
    # The kernel's timer is as late as it likes.
    assert result.reason.code == "half-open.retransmitted"
    assert re.search(r"retransmitted after 1\.\d and 3\.\d s", str(result.reason))
    assert codes(result) == {"syn-ack-again"}
    wire = draw(path, way.address(client))
    assert wire == [SYN, *OPENED, *OPENED, OPENED[0], RST]
    answers = [each for each in segments(path) if each.segment.syn and each.segment.ack]
    assert on_time(seconds(answers), [0, 1, 3])


@pytest.mark.live
@every_way
def test_09_with_data_it_opens(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        answering(server),
        drop(server, "input", BARE_ACK),
        capture(server, "eth0", path),
    ):
        result = way.call(client, server, WATCHFUL, options=ClientOptions(data=b"hello"))
    assert result.verdict is Verdict.OPEN
    assert result.data is not None
    assert (result.data.sent, result.data.acknowledged) == (5, 5)
    wire = draw(path, way.address(client))
    assert wire[3:5] == [
        "--> <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
        "<-- <SEQ=301><ACK=106><CTL=ACK>",
    ]


@pytest.mark.live
@alone
def test_09_one_bare_ack_dropped(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        answering(server),
        drop_first(server, "input", BARE_ACK),
        capture(server, "eth0", path),
    ):
        result = way.call(client, server, WATCHFUL)
    assert (result.verdict, result.close) == (Verdict.OPEN, Close.CLEAN)
    assert [round(each) for each in result.ack_status.again] == [1]
    assert draw(path, way.address(client))[:5] == [SYN, *OPENED, *OPENED]


@pytest.mark.live
@two_ways
def test_10_ack_withheld(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), answering(server), capture(server, "eth0", path):
        timeouts, options = Timeouts.of(observe=8), ClientOptions(answer=False)
        result = way.call(client, server, timeouts, options=options, resets=True)
    assert result.verdict is Verdict.HALF_OPEN
    assert result.reason.code == "half-open.withheld"
    assert "the SYN-ACK was retransmitted after 1." in str(result.reason)
    # Linux's timer is coarse at its third turn: 7.1 s, or a little more.
    assert result.ack_status.again == pytest.approx([1.0, 3.0, 7.1], abs=0.25)
    assert draw(path, way.address(client)) == [SYN, *[OPENED[0]] * 4, RST]


@pytest.mark.live
@alone
def test_10_a_server_that_keeps_nothing_does_not_repeat_itself(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with pair() as (client, server), answering(server), capture(server, "eth0", path):
        server.sysctl("net.ipv4.tcp_syncookies", 2)
        timeouts, options = Timeouts.of(observe=1.5), ClientOptions(answer=False)
        result = way.call(client, server, timeouts, options=options, resets=True)
    assert (result.verdict, result.ack_status.again) == (Verdict.HALF_OPEN, ())
    assert result.reason.code == "half-open.withheld-silent"
    assert result.reason.values["stateless"]
    assert draw(path, way.address(client)) == [SYN, OPENED[0], RST]
