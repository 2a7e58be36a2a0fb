"""A SYN that is answered twice: by a RST and by a SYN-ACK, or by RSTs from different places."""

import json
import sys
from pathlib import Path

import pytest

from handshake.prober import Timeouts, Verdict
from handshake.tcp import Observed
from tests.capture.blocks import packets
from tests.live.lab.exchanges import SYN
from tests.live.lab.namespaces import TIMEOUT, routed
from tests.live.lab.packets import packet
from tests.live.lab.probing import PORT, Way, alone, codes, every_way, play, target
from tests.live.lab.scripted_peer import peer, scripted
from tests.live.lab.scripted_server import RST, RST_ACK, Listener, Packets, reply, syn_ack
from tests.schema import valid

REFUSAL = "<-- <SEQ=0><ACK=101><CTL=RST,ACK>"
SYN_ACK = "<-- <SEQ=300><ACK=101><CTL=SYN,ACK>"
AWAY = "--> <SEQ=101><CTL=RST>"


def refused(received: Observed, ttl: int = 64, after: float = 0.0) -> Packets:
    return [packet(reply(received, RST_ACK, seq=0), ttl=ttl).later(after)]


def accepted(received: Observed, ttl: int = 64, after: float = 0.0) -> Packets:
    return [packet(syn_ack(received), ttl=ttl).later(after)]


@pytest.mark.live
@alone
@pytest.mark.parametrize("ttl", [50, 64])
@pytest.mark.parametrize("after", [0.0, 0.15])
def test_a_syn_ack_after_a_rst(way: Way, ttl: int, after: float, tmp_path: Path) -> None:
    def syn(_: Listener, received: Observed) -> Packets:
        return [*refused(received), *accepted(received, ttl, after)]

    found = play(way, tmp_path, Listener(syn=syn), resets=True, may_differ=True)
    # As a kernel does, which has no connection any more: the server must not wait.
    assert found.wire == [SYN, REFUSAL, SYN_ACK, AWAY]
    result = found.result
    assert result.verdict is Verdict.CLOSED
    (said,) = [each for each in result.findings if each.code == "reset-and-syn-ack"]
    assert (said.values["reset"], said.values["ttl"], said.values["later"]) == (64, ttl, True)
    assert said.values["gap"] == pytest.approx(after, abs=0.1)
    assert result.reason.code == "refused.contradicted"
    assert "refused-by-host" not in codes(result)


@pytest.mark.live
@every_way
@pytest.mark.parametrize("ttl", [50, 64])
def test_a_rst_after_a_syn_ack(way: Way, ttl: int, tmp_path: Path) -> None:
    # Right or not, it has the number that resets the connection.
    def ack(_: Listener, received: Observed) -> Packets:
        return [packet(reply(received, RST, seq=301), ttl=ttl)]

    def fin(_: Listener, __: Observed) -> Packets:
        return []  # one that answers our FIN would show that it did not send that RST

    found = play(way, tmp_path, Listener(ack=ack, fin=fin), resets=True)
    assert found.result.verdict is Verdict.RESET
    if not way.many:
        assert ("reset-by-other-ttl" in codes(found.result)) == (ttl == 50)


@pytest.mark.live
@alone
def test_a_rst_and_a_syn_ack_at_once(way: Way, tmp_path: Path) -> None:
    # It is reset before we send anything: it was open, and the RST has the right number.
    def syn(_: Listener, received: Observed) -> Packets:
        late = packet(reply(received, RST_ACK, seq=0), ttl=50).later(0.05)
        return [*accepted(received), late]

    found = play(way, tmp_path, Listener(syn=syn), Timeouts.of(observe=0.3), resets=True)
    assert found.result.verdict is not Verdict.CLOSED


@pytest.mark.live
@alone
def test_rsts_with_different_ttls(way: Way, tmp_path: Path) -> None:
    def syn(_: Listener, received: Observed) -> Packets:
        return [*refused(received, 64), *refused(received, 57, after=0.02)]

    found = play(way, tmp_path, Listener(syn=syn), may_differ=True)
    assert found.result.verdict is Verdict.CLOSED
    assert codes(found.result) == {"resets-differ"}
    assert found.result.reason.code == "refused.several"


@pytest.mark.live
@alone
def test_two_equal_rsts_contradict_nothing(way: Way, tmp_path: Path) -> None:
    def syn(_: Listener, received: Observed) -> Packets:
        return [*refused(received), *refused(received, after=0.02)]

    found = play(way, tmp_path, Listener(syn=syn), may_differ=True)
    assert codes(found.result) == set()
    assert found.result.reason.code == "closed"


@pytest.mark.live
@alone
@pytest.mark.parametrize("second", ["SYN-ACK", "another TTL", "the same"])
def test_the_second_syn_is_answered_otherwise(way: Way, second: str) -> None:
    """Behind a router a second SYN asks who sent the RST; its answer may contradict the first."""

    def syn(listener: Listener, received: Observed) -> Packets:
        if listener.times("syn") == 1 or second == "the same":
            return refused(received)
        return accepted(received) if second == "SYN-ACK" else refused(received, 60)

    with routed() as (client, _, server), scripted(server, Listener(syn=syn)):
        result = way.call(client, server, resets=True, may_differ=True)
    assert result.verdict is Verdict.CLOSED
    found = codes(result)
    assert ("refused-by-host" in found) == (second == "the same")
    assert ("resets-differ" in found) == (second == "another TTL")
    assert ("reset-and-syn-ack" in found) == (second == "SYN-ACK")


@pytest.mark.live
def test_it_is_said_in_every_form_of_output(tmp_path: Path) -> None:
    path = tmp_path / "probe.pcapng"

    def syn(_: Listener, received: Observed) -> Packets:
        return [*refused(received), *accepted(received, 50, 0.05)]

    with peer(Listener(syn=syn)) as (client, server):
        argv = [sys.executable, "-m", "handshake", "probe", target(server.v4, PORT)]
        text = client.run(argv, check=False, timeout=2 * TIMEOUT).stdout
        more = [*argv, "--json", "-w", str(path)]
        whole = json.loads(client.run(more, check=False, timeout=2 * TIMEOUT).stdout)
    valid(whole, "probe")
    assert "RST and by a SYN-ACK" in " ".join(text.split())
    assert "reset-and-syn-ack" in {each["code"] for each in whole["findings"]}
    comments = ["\n".join(each.comments) for each in packets(path.read_bytes())]
    assert len(comments) == 4
    assert "Our SYN was answered by a RST (TTL 64) and by a SYN-ACK (TTL 50)" in comments[2]
    assert comments[3].startswith("RST from the client")
    assert not [each for each in comments if "spoofed" in each]
