"""What a capture cut off is not known: options, and the length where the file lost it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from handshake.survey import records
from tests.capture.files import pcap_header, pcap_record
from tests.survey.engines import by_survey, by_tracker

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.record import Record

OPTIONS = [("MSS", 1400), ("SAckOK", b""), ("Timestamp", (5, 0)), ("NOP", None), ("WScale", 7)]


def connection(version: int) -> list[bytes]:
    """Return a connection of which the server sends 6,000 octets."""
    ends = ("192.0.2.1", "198.51.100.1") if version == 4 else ("2001:db8::1", "2001:db8::2")
    made = []
    for by_client, flags, seq, ack, size in (
        (True, "S", 100, 0, 0),
        (False, "SA", 900, 101, 0),
        (True, "A", 101, 901, 0),
        (True, "PA", 101, 901, 400),
        *((False, "A", 901 + 1400 * at, 501, 1400) for at in range(4)),
        (True, "A", 501, 6501, 0),
    ):
        source, target = ends if by_client else ends[::-1]
        ports = (40000, 80) if by_client else (80, 40000)
        ip = IP(src=source, dst=target) if version == 4 else IPv6(src=source, dst=target)
        options = OPTIONS if "S" in flags else [("Timestamp", (6, 5))]
        tcp = TCP(sport=ports[0], dport=ports[1], seq=seq, ack=ack, flags=flags, options=options)
        made.append(bytes(Ether() / ip / tcp / (b"x" * size)))
    return made


def saved(path: Path, frames: list[bytes], snap: int, *, lost: bool) -> Record:
    """Write a capture that keeps `snap` octets of each frame; with `lost` it says no more of it."""
    path.write_bytes(
        pcap_header()
        + b"".join(
            pcap_record(frame[:snap], seconds=at, length=None if lost else len(frame))
            for at, frame in enumerate(frames)
        )
    )
    assert by_survey(path) == by_tracker(path)
    (record,) = records(path)
    return record


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("snap", [96, 110, 1000])
def test_the_ip_header_tells_a_length_that_the_file_lost(
    tmp_path: Path, version: int, snap: int
) -> None:
    found = saved(tmp_path / "lost.pcap", connection(version), snap, lost=True)
    whole = saved(tmp_path / "whole.pcap", connection(version), 2000, lost=False)
    assert (found.client.bytes, found.server.bytes) == (400, 5600)
    assert not {"bad-checksum", "capture-gap", "malformed"} & {e.code for e in found.findings}
    assert found.negotiated == whole.negotiated


def test_a_damaged_ip_header_tells_no_length(tmp_path: Path) -> None:
    frames = connection(4)
    damaged = bytearray(frames[3][:200])
    damaged[24] ^= 0xFF
    found = saved(tmp_path / "bad.pcap", [*frames[:3], bytes(damaged)], 2000, lost=True)
    assert found.client.bytes == 200 - 66


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("options", [0, 4, 6, 19])
def test_options_that_were_cut_off_are_not_known(
    tmp_path: Path, version: int, options: int
) -> None:
    snap = (54 if version == 4 else 74) + options
    found = saved(tmp_path / "cut.pcap", connection(version), snap, lost=False)
    codes = {each.code for each in found.findings}
    assert codes & {"no-mss", "no-window-scaling", "malformed", "timestamps-missing"} == set()
    assert "options-cut" in codes
    assert found.client.mss == (1400 if options >= 4 else None)
    assert found.client.sack_permitted is (True if options >= 6 else None)
    assert found.client.window_scale is None
    assert (found.client.options_cut, found.negotiated) == (True, None)
    assert found.outcome == "established"
