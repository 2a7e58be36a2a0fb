"""What is written of a run that is left in the middle: all that was seen, in a whole file."""

import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

from handshake.tcp import State
from tests.capture.blocks import Packet, packets
from tests.live.lab.firewall import drop, firewall
from tests.live.lab.namespaces import TIMEOUT, eventually, pair
from tests.live.lab.servers import answering
from tests.live.lab.tcpdump import capture
from tests.live.test_probe import PORT, seen
from tests.live.test_signals import EACH, PROBE, V4, known, left, opened, started

FIRST: Final = [
    "SYN from the client: client ? -> SYN-SENT, server ?",
    "SYN-ACK from the server: client SYN-SENT -> ESTABLISHED, server ? -> SYN-RECEIVED",
    "ACK from the client: client ESTABLISHED, server SYN-RECEIVED -> ESTABLISHED",
    "RST from the client: client ESTABLISHED -> CLOSED, server ESTABLISHED -> CLOSED",
]


def output(found: list[Packet]) -> list[str]:
    """Return the first line of each packet's comment."""
    return [each.comments[0].split("\n")[0] for each in found]


def in_order(found: list[Packet]) -> bool:
    times = [each.at for each in found]
    return times == sorted(times)


@pytest.mark.live
@EACH
@pytest.mark.parametrize("target", [V4, f"[fd77::2]:{PORT}"])
def test_a_connection_that_is_held(target: str, number: signal.Signals, tmp_path: Path) -> None:
    path, ours = tmp_path / "wire.pcap", tmp_path / "x.pcapng"
    with pair() as (client, server), server.listen(PORT), capture(server, "eth0", path) as wire:
        with started(client, target, "--hold", "30", "-w", str(ours)) as running:
            eventually(lambda: opened(server, 1, State.ESTABLISHED), "the connection")
            left(running, number)
        wire.wait(4)
    found = packets(ours.read_bytes())
    assert output(found) == FIRST
    assert [each.octets for each in found] == [each.packet for each in seen(path)]


@pytest.mark.live
def test_a_probe_without_an_answer(tmp_path: Path) -> None:
    ours = tmp_path / "x.pcapng"
    with pair() as (client, server), drop(server, "input", "tcp dport 9") as rule:
        words = ("10.77.0.2:9", "--rto", "0.2", "--timeout", "30", "-w", str(ours))
        with started(client, *words) as running:
            eventually(lambda: rule.packets == 3, "three SYNs")
            left(running, signal.SIGINT)
    found = packets(ours.read_bytes())
    assert [each.split(":")[0] for each in output(found)] == ["SYN from the client"] * 3


@pytest.mark.live
@EACH
def test_many_of_which_some_are_filtered(number: signal.Signals, tmp_path: Path) -> None:
    path, ours = tmp_path / "wire.pcap", tmp_path / "x.pcapng"
    prohibited = "reject with icmp type admin-prohibited"
    with (
        pair() as (client, server),
        answering(server),
        drop(server, "input", "tcp dport 9") as rule,
        firewall(server, "input", "tcp dport 12", prohibited),
        capture(client, "eth0", path, nano=True),
    ):
        targets = f"10.77.0.2:9,{PORT},1,12,{PORT},9"
        words = (targets, "--rto", "0.3", "--hold", "30", "--timeout", "30", "-w", str(ours))
        with started(client, *words) as running:
            eventually(lambda: rule.packets == 4 and opened(server, 2, State.ESTABLISHED), "them")
            left(running, number)
        eventually(lambda: not known(server), "all to be gone", 2)
    found = packets(ours.read_bytes())
    assert in_order(found)
    wire = [each.packet for each in seen(path)]
    kept = [each.octets for each in found]
    assert [each for each in kept if each in set(wire)] == wire
    # What is no segment is the ICMP error.
    (error,) = [each for each in found if each.octets not in set(wire)]
    assert error.comments[0].startswith("10.77.0.2 reports: ")
    assert sorted(output(found)).count(FIRST[-1]) == 2


@pytest.mark.live
def test_it_is_there_before_it_is_over(tmp_path: Path) -> None:
    # Not even SIGKILL loses what has passed.
    ours = tmp_path / "x.pcapng"
    with pair() as (client, server), server.listen(PORT):
        argv = [*PROBE, V4, "--hold", "30", "-w", str(ours)]
        running = client.popen(argv, stdout=subprocess.DEVNULL)
        eventually(lambda: ours.exists() and ours.stat().st_size > 0, "the file")
        eventually(lambda: len(packets(ours.read_bytes())) == 3, "the handshake")
        running.kill()
        running.wait(TIMEOUT)
    assert output(packets(ours.read_bytes())) == FIRST[:3]


@pytest.mark.live
def test_many_in_flight(tmp_path: Path) -> None:
    ours = tmp_path / "x.pcapng"
    ports = ",".join([str(PORT)] * 100)
    with pair() as (client, server), server.listen(PORT) as listener:
        listener.listen(1000)
        words = (f"10.77.0.2:{ports}", "--concurrency", "100", "--rate", "200", "--hold", "60")
        with started(client, *words, "--rto", "9", "--timeout", "60", "-w", str(ours)) as running:
            eventually(lambda: opened(server, 100, State.ESTABLISHED), "all of them")
            left(running, signal.SIGINT)
        eventually(lambda: not known(server), "all to be gone", 0.5)
    found = packets(ours.read_bytes())
    assert in_order(found)
    assert sorted(output(found)) == sorted(FIRST * 100)


@pytest.mark.live
def test_where_the_file_takes_no_more() -> None:
    # The error of the file is reported, and the peer is not affected.
    with pair() as (client, server), server.listen(PORT):
        words = (f"10.77.0.2:{PORT},{PORT}", "--hold", "30", "-w", "-", "--quiet")
        with started(client, *words) as running:
            assert running.stdout is not None
            running.stdout.close()
            assert running.wait(TIMEOUT) == 3
            assert running.stderr is not None
            assert (
                running.stderr.read()
                == "error: standard output: cannot be written: broken pipe (EPIPE)\n"
            )
        eventually(lambda: not known(server), "all to be gone", 0.5)
