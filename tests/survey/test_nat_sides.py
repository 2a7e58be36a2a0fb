"""A connection that a capture has on both sides of a NAT is one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from handshake.survey import records
from tests.survey.made import save
from tests.tracker.test_copies import MS, Way, packets

if TYPE_CHECKING:
    from pathlib import Path

    from tests.survey.made import Packet


def translated(found: list[Packet], *, late: int, server: bool = False) -> list[Packet]:
    """Return the packets after a device that changes the address and port of one end."""
    made = []
    for octets, at in found:
        frame = Ether(octets)
        ip = frame[IP] if IP in frame else frame[IPv6]
        old = (443 if server else 40000), (8443 if server else 61000)
        address = "203.0.113.5" if IP in frame else "2001:db8:5::5"
        if frame[TCP].sport == old[0]:
            ip.src, frame[TCP].sport = address, old[1]
        else:
            ip.dst, frame[TCP].dport = address, old[1]
        del frame[TCP].chksum
        if IP in frame:
            del frame[IP].chksum
        made.append((bytes(frame), at + late))
    return made


def found_codes(path: Path) -> list[list[str]]:
    return [[each.code for each in record.findings] for record in records(path)]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("server", [False, True])
@pytest.mark.parametrize("late", [9_000, 30 * MS])
def test_one_connection_on_both_sides(
    tmp_path: Path, version: int, server: bool, late: int
) -> None:
    one = packets(Way(version))
    seen = sorted([*one, *translated(one, late=late, server=server)], key=lambda each: each[1])
    path = save(tmp_path / "nat.pcap", seen)
    assert found_codes(path) == [["both-sides-of-nat"]] * 2
    found = [record.findings[0].values for record in records(path)]
    assert [each["stream"] for each in found] == [2, 1]
    assert [each["end"] for each in found] == ["server" if server else "client"] * 2
    assert found[0]["was"] == found[1]["now"] != found[1]["was"] == found[0]["now"]


@pytest.mark.parametrize("late", [150 * MS, 2_000 * MS])
def test_equal_numbers_at_another_time_are_another_connection(tmp_path: Path, late: int) -> None:
    one = packets(Way())
    seen = sorted([*one, *translated(one, late=late)], key=lambda each: each[1])
    assert found_codes(save(tmp_path / "two.pcap", seen)) == [[], []]
