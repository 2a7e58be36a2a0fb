"""Scenarios 7 and 8: a segment of the opening is lost."""

from pathlib import Path

import pytest

from handshake.prober import Close, Timeouts, Verdict
from tests.live.lab.exchanges import CLEAN, SYN, of_a_kernel
from tests.live.lab.figures import draw, on_time, seconds, segments
from tests.live.lab.firewall import drop, drop_first
from tests.live.lab.namespaces import pair
from tests.live.lab.probing import Way, codes, every_way
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import SYN as ANY_SYN
from tests.live.test_probe import SYN_ACK, serving

EVERY_OTHER = "numgen inc mod 2 == 0"


@pytest.mark.live
@every_way
def test_07_first_syn_lost(way: Way, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        serving(server),
        drop(server, "input", f"{ANY_SYN} {EVERY_OTHER}") as rule,
        capture(server, "eth0", path),
    ):
        result = way.call(client, server)
        assert rule.packets == 1
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 2)
    assert of_a_kernel(draw(path, way.address(client))) == [SYN, *CLEAN]
    assert on_time(seconds(segments(path))[:2], [0, 1])
    # The answer echoes the clock of the second SYN: it can only belong to that one.
    assert not result.rtt_ambiguous
    assert result.rtt is not None
    assert result.rtt < 0.5
    assert codes(result) == {"syn-retransmitted"}


@pytest.mark.live
@every_way
@pytest.mark.parametrize("stamped", [True, False])
def test_08_first_syn_ack_lost(way: Way, stamped: bool, tmp_path: Path) -> None:
    path = tmp_path / "wire.pcap"
    with (
        pair() as (client, server),
        serving(server),
        drop_first(server, "output", SYN_ACK) as rule,
        capture(server, "eth0", path),
    ):
        server.sysctl("net.ipv4.tcp_timestamps", int(stamped))
        # We ask again before the peer repeats its answer by itself, after a second.
        result = way.call(client, server, Timeouts.of(rto=0.4))
        assert rule.packets == 1
        client_socket = way.address(client)
    assert (result.verdict, result.close, result.syn_sent) == (Verdict.OPEN, Close.CLEAN, 2)
    assert of_a_kernel(draw(path, client_socket)) == [SYN, *CLEAN]
    # It echoes the clock of the first SYN, if any, and may answer either (RFC 6298 section 3).
    assert result.rtt_ambiguous
    assert result.rtt is not None
    assert result.rtt < 0.4
    assert codes(result) == {"syn-retransmitted"}
