"""Broken captures: both engines make the same of them, in columns and packet by packet."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from handshake.capture import columns, pcap, pcapng
from handshake.errors import CaptureError
from tests.fuzz.calm import seeds
from tests.fuzz.mutate import mutated
from tests.oracle import public
from tests.survey.engines import by_survey, by_tracker

if TYPE_CHECKING:
    from pathlib import Path

FILES = 60
"""Files of one test. `python -m tests.fuzz` reads far more of them, but does not compare."""

SMALL = 60_000


@pytest.fixture(autouse=True)
def in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read everything in columns, however short it is."""
    monkeypatch.setattr(pcap, "MUCH", 0)
    monkeypatch.setattr(pcapng, "MUCH", 0)
    monkeypatch.setattr(columns, "FEWEST", 2)


def compare(path: Path, known: list[bytes], seed: int) -> None:
    for number in range(FILES):
        path.write_bytes(mutated(Random(f"{seed}/{number}"), known))
        try:
            expected = by_tracker(path)
        except CaptureError:
            continue
        assert by_survey(path) == expected, f"{seed}/{number}"


@pytest.mark.parametrize("seed", range(6))
def test_our_own(tmp_path: Path, seed: int) -> None:
    compare(tmp_path / "broken.pcap", seeds(), seed)


@pytest.mark.skipif(not public.captures(), reason="no captures of others beside this project")
@pytest.mark.parametrize("seed", range(6))
def test_those_of_others(tmp_path: Path, seed: int) -> None:
    small = [each.read_bytes() for each in public.captures() if each.stat().st_size < SMALL]
    compare(tmp_path / "broken.pcap", small, seed)


def test_a_packet_that_is_longer_than_the_tunnel_around_it(tmp_path: Path) -> None:
    """The inner header claims eight octets more than the outer one has: they are padding."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    from tests.survey.made import save

    def inside(packet: IP, more: int) -> bytes:
        inner = bytes(packet)
        longer = bytes(IP(inner[:2] + (len(inner) + more).to_bytes(2, "big") + inner[4:]))
        outer = IPv6(src="2001:db8::1", dst="2001:db8::2", nh=4, plen=len(inner))
        return bytes(
            Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / outer / longer
        ) + bytes(80)

    ends = {"src": "192.0.2.1", "dst": "192.0.2.2"}, {"src": "192.0.2.2", "dst": "192.0.2.1"}
    ports = {"sport": 4000, "dport": 80}, {"sport": 80, "dport": 4000}
    data = b"x" * 100
    path = save(
        tmp_path / "tunnel.pcap",
        [
            (inside(IP(**ends[0]) / TCP(**ports[0], flags="S", seq=100), 0), 0),
            (inside(IP(**ends[1]) / TCP(**ports[1], flags="SA", seq=200, ack=101), 8), 1_000),
            (inside(IP(**ends[0]) / TCP(**ports[0], flags="A", seq=101, ack=201) / data, 0), 2_000),
        ],
    )
    assert by_survey(path) == by_tracker(path)
    assert [each.server.bytes for each in by_survey(path)] == [0]
