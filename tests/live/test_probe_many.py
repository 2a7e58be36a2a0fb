"""Many calls at once: the same verdicts as one at a time, on one link, and at a pace."""

import struct
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from handshake.linux import packet_ring
from handshake.prober import Close, Result, Target, Timeouts, Verdict, probe
from handshake.prober.run import probe_all
from handshake.prober.userspace import connections
from tests.live.lab.firewall import drop, drop_first
from tests.live.lab.namespaces import pair
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import PORT, SYN, SYN_ACK, seen


@pytest.mark.live
def test_those_who_are_not_there_hold_up_nobody() -> None:
    # Each SYN to them waits for an answer to ARP, and takes room that all share.
    there = f"10.77.0.2:{PORT}"
    absent = [f"10.77.0.{host}:{port}" for host in range(3, 255) for port in (1, 2)]
    began = time.monotonic()
    with pair() as (client, server), answering(server), client.entered():
        asked = Timeouts.of(timeout=2, retries=0)
        found = list(probe_all(targets(*absent, there), concurrency=600, timeouts=asked))
    took = time.monotonic() - began
    assert Counter(each.verdict for each in found) == {
        Verdict.UNREACHABLE: len(absent),
        Verdict.OPEN: 1,
    }
    assert took < 5
    (opened,) = (each for each in found if each.verdict is Verdict.OPEN)
    assert (opened.target, opened.syn_sent) == (there, 1)


def targets(*texts: str) -> list[Target]:
    return [Target.parse(each) for each in texts]


def outcomes(results: list[Result]) -> set[tuple[str, str, str | None]]:
    return {(each.target, str(each.verdict), each.close and str(each.close)) for each in results}


MIXED = {
    ("10.77.0.2:8080", "open", "clean"),
    ("[fd77::2]:8080", "open", "clean"),
    ("[fe80::ff:fe00:2%eth0]:8080", "open", "clean"),
    ("10.77.0.2:1", "closed", None),
    ("[fd77::2]:1", "closed", None),
    ("10.77.0.2:9", "filtered", None),
    ("10.77.0.9:80", "unreachable", None),
    ("198.51.100.1:80", "local-error", None),
    ("10.77.0.1:1", "closed", None),
    ("no-such-host.invalid:80", "name-error", None),
}


@pytest.mark.live
@pytest.mark.parametrize("attentive", [False, True])
def test_every_verdict_comes_out_of_one_run(attentive: bool, tmp_path: Path) -> None:
    calls = targets(*sorted(target for target, *_ in MIXED))
    timeouts = Timeouts.of(timeout=4.5, retries=1)
    path = tmp_path / "a.pcap"
    with (
        pair() as (client, server),
        answering(server),
        drop(server, "input", "tcp dport 9"),
        client.entered(),  # nobody here could be asked for a name
        capture(client, "eth0", path),
    ):
        found = list(probe_all(calls, timeouts=timeouts, attentive=attentive))
    assert outcomes(found) == MIXED
    assert len(found) == len(MIXED)
    by_target = {each.target: each for each in found}
    for result in found:
        assert bool(result.segments) == (attentive and result.syn_sent > 0)
        if result.verdict in (Verdict.OPEN, Verdict.CLOSED):
            assert result.rtt is not None
            assert 0 < result.rtt < 1
            assert (result.syn_sent, result.ttl, result.guard) == (1, 64, "filter")
    assert by_target["10.77.0.2:9"].syn_sent == 2
    opened = by_target["10.77.0.2:8080"].negotiated
    assert opened is not None
    assert (opened.mss, opened.timestamps, opened.sack) == (1460, True, True)
    assert (by_target["10.77.0.2:8080"].client is not None) == attentive
    # One port of ours was enough for all of one address.
    v4 = {e.segment.source.port for e in seen(path) if str(e.segment.source.address) == "10.77.0.1"}
    assert len(v4) == 1
    assert not [e for e in seen(path) if e.segment.rst and e.segment.source.port in v4]


@pytest.mark.live
def test_one_call_is_the_same_alone_and_among_many() -> None:
    with pair() as (client, server), answering(server), client.entered():
        alone = probe("10.77.0.2", PORT)
        (among,) = probe_all(targets(f"10.77.0.2:{PORT}"))
    for field in ("address", "port", "verdict", "reason", "syn_sent", "ttl", "negotiated", "close"):
        assert getattr(alone, field) == getattr(among, field)


@pytest.mark.live
def test_the_same_target_many_times_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    calls = targets(f"10.77.0.2:{PORT}") * 400
    with (
        pair() as (client, server),
        answering(server),
        capture(client, "eth0", path),
        client.entered(),
    ):
        found = list(probe_all(calls, concurrency=16))
    assert Counter((each.verdict, each.close) for each in found) == {
        (Verdict.OPEN, Close.CLEAN): 400
    }
    ports = [each.segment.source.port for each in seen(path) if str(each.segment.flags) == "SYN"]
    assert len(ports) == 400
    # Not one for each call: 16 were under way, 128 rest, and more wait their turn the less the
    # connections end in the order in which they began (only a few of the pool are looked at).
    assert 128 < len(set(ports)) <= 200
    # A port rests until 128 others have ended: up to 15 of them may have begun before it.
    last: dict[int, int] = {}
    for place, port in enumerate(ports):
        assert place - last.get(port, -400) >= 128 - 15
        last[port] = place
    assert not [each for each in seen(path) if each.segment.rst]


@pytest.mark.live
@pytest.mark.parametrize(("hook", "lost", "syns"), [("input", SYN, 2), ("output", SYN_ACK, 2)])
def test_what_is_lost_comes_again(hook: str, lost: str, syns: int) -> None:
    timeouts = Timeouts.of(rto=0.5)
    with (
        pair() as (client, server),
        answering(server),
        drop_first(server, hook, lost),
        client.entered(),
    ):
        (found,) = probe_all(targets(f"10.77.0.2:{PORT}"), timeouts=timeouts)
    assert (found.verdict, found.close, found.syn_sent) == (Verdict.OPEN, Close.CLEAN, syns)
    assert found.rtt is not None
    assert found.rtt < 0.4
    assert found.rtt_ambiguous == (hook == "output")


@pytest.mark.live
def test_connections_start_at_the_rate_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    with pair() as (client, server), capture(server, "eth0", path), client.entered():
        calls = [Target.of("10.77.0.2", port) for port in range(1, 41)]
        assert len(list(probe_all(calls, rate=100))) == 40
    at = [each.at for each in seen(path) if each.segment.syn]
    assert len(at) == 40
    # 38 intervals, less 20 ms of a late start that may be made up for, less 10 ms by which a SYN
    # may leave after its start. The first leaves later: it waits for the sockets.
    assert 0.35 <= (at[-1] - at[1]) / 1e9 < 2
    # Never more at once than what a late event loop may catch up with.
    assert all(later - at[place] > 20_000_000 for place, later in enumerate(at[6:]))


@pytest.mark.live
def test_a_run_that_is_left_early_does_not_wait() -> None:
    with pair() as (client, server), drop(server, "input", "tcp dport 9"), client.entered():
        began = time.monotonic()
        timeouts = Timeouts.of(timeout=1)
        with closing(probe_all(targets("10.77.0.2:9", "10.77.0.2:1"), timeouts=timeouts)) as found:
            assert next(found).verdict is Verdict.CLOSED
        # It was left early, and did not wait for the other.
        assert time.monotonic() - began < 0.9


@pytest.mark.live
def test_an_answer_counts_though_our_syn_was_not_seen_leaving(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As where the queue of our own link was full in that moment.
    monkeypatch.setattr(connections, "_SYN_ACK", 0)  # no segment of ours is taken for a SYN
    with pair() as (client, server), answering(server), client.entered():
        (found,) = probe_all([Target.of(server.v4, PORT)])
    assert (found.verdict, found.close) == (Verdict.OPEN, Close.CLEAN)
    assert (found.syn_sent, found.rtt, found.waited) == (0, None, None)


@pytest.mark.live
def test_syns_that_a_full_queue_loses_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    # All SYNs leave before one of them is read, and the ring has room for 32.
    monkeypatch.setattr(packet_ring, "_SIZE", 1 << 16)
    monkeypatch.setattr(packet_ring, "_REQUEST", struct.pack("=IIII", 1 << 16, 1, 2048, 32))
    silent = [Target.of("10.77.0.2", port) for port in range(5000, 5200)]
    timeouts = Timeouts.of(timeout=0.5, retries=0)
    with (
        pair() as (client, server),
        drop(server, "input", "tcp dport 5000-5199"),
        client.entered(),
    ):
        found = list(probe_all(silent, concurrency=200, timeouts=timeouts))
    assert Counter((each.verdict, each.syn_sent) for each in found) == {(Verdict.FILTERED, 1): 200}


@pytest.mark.live
def test_one_that_cannot_be_sent_holds_up_no_other() -> None:
    # The SYNs leave together: the kernel refuses every third of them.
    ports = {PORT: Verdict.OPEN, 81: Verdict.CLOSED, 82: Verdict.LOCAL_ERROR}
    addresses = ["10.77.0.2", "fd77::2"]
    calls = [Target.of(host, port) for _ in range(20) for host in addresses for port in ports]
    with (
        pair() as (client, server),
        answering(server),
        drop(client, "output", "tcp dport 82"),
        client.entered(),
    ):
        found = list(probe_all(calls, concurrency=len(calls)))
    assert Counter((each.address, each.port, each.verdict) for each in found) == {
        (host, port, verdict): 20 for host in addresses for port, verdict in ports.items()
    }
    assert all(each.close is Close.CLEAN for each in found if each.verdict is Verdict.OPEN)


@pytest.mark.live
def test_memory_stays_flat() -> None:
    def calls() -> Iterator[Target]:
        for number in range(10_000):
            yield Target.of("10.77.0.2", 1 + number)

    marks = []
    timeouts = Timeouts.of(timeout=0.5, retries=0)
    with (
        pair() as (client, server),
        drop(server, "input", "tcp dport 5000-5031"),
        client.entered(),
    ):
        tracemalloc.start()
        for place, _ in enumerate(probe_all(calls(), concurrency=128, timeouts=timeouts)):
            if place in (2000, 9900):
                marks.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert marks[1] < marks[0] + 2_000_000
