from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import ICMP, IP

from handshake.errors import CaptureError
from handshake.packet import scapy_codec
from handshake.replayer import replay
from handshake.tcp import State
from tests.capture.files import pcap_header, pcap_record
from tests.errors import coded
from tests.segments import A, B, segment
from tests.survey.made import CAPTURES

if TYPE_CHECKING:
    from pathlib import Path

RAW_IP = 101
HANDSHAKE = [
    segment("<SEQ=100><CTL=SYN>"),
    segment("<SEQ=300><ACK=101><CTL=SYN,ACK>", by=B),
    segment("<SEQ=101><ACK=301><CTL=ACK>"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "handshake.pcap"
    packets = (pcap_record(bytes(scapy_codec.packet(seg))) for seg in HANDSHAKE)
    path.write_bytes(pcap_header(link_type=RAW_IP) + b"".join(packets))
    return path


@pytest.mark.parametrize("name", ["half-close", "mixed", "refused", "rst-mid-stream"])
def test_a_step_changes_something_where_it_changes_a_field(name: str) -> None:
    for step in replay(CAPTURES / f"{name}.pcap"):
        for change in (step.sender, step.receiver):
            assert change.any is bool(change.changed)


def test_each_segment_is_a_step(file: Path) -> None:
    replayed = replay(file)
    steps = list(replayed)
    assert [str(step.segment) for step in steps] == [str(seg) for seg in HANDSHAKE]
    ends = [steps[-1].client.after, steps[-1].server.after]
    assert [end and end.state for end in ends] == [State.ESTABLISHED] * 2
    assert len(replayed.tracker.connections) == 1
    assert (replayed.name, replayed.warnings) == (str(file), [])


def test_warnings_of_the_file_and_of_its_packets(file: Path) -> None:
    no_tcp = pcap_record(bytes(scapy_codec.packet(HANDSHAKE[0]))[:30])
    file.write_bytes(file.read_bytes() + no_tcp + b"\0")
    replayed = replay(file)
    assert len(list(replayed)) == 3
    assert coded(replayed.warnings) == [
        ("capture.truncated", {"offset": 238, "packet": 5, "why": ""}),
        ("skipped.short", {"count": 1, "why": "", "first": 4}),
    ]


def test_what_is_no_capture_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="no such file"):
        replay(tmp_path / "missing.pcap")


def test_an_icmp_error_about_a_segment_is_reported(file: Path) -> None:
    error = IP(src="203.0.113.1", dst=str(A.address)) / ICMP(type=3, code=13)
    packets = [scapy_codec.packet(HANDSHAKE[0]), error / scapy_codec.packet(HANDSHAKE[0])]
    file.write_bytes(
        pcap_header(link_type=RAW_IP) + b"".join(pcap_record(bytes(each)) for each in packets)
    )
    replayed = replay(file)
    assert len(list(replayed)) == 1
    (connection,) = replayed.tracker.connections
    assert connection.unreachable is not None
    assert (connection.unreachable.code, connection.unreachable.frame) == (13, 2)


def test_nothing_whole_is_nothing_readable(file: Path) -> None:
    file.write_bytes(pcap_header(link_type=RAW_IP) + b"\xff" * 40)
    replayed = replay(file)
    assert list(replayed) == []
    assert not replayed.readable


def test_an_ordinary_capture_loads_no_scapy(file: Path) -> None:
    program = """
import sys
from handshake.replayer import replay
for step in replay(sys.argv[1]):
    pass
print(*sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", program, file], capture_output=True, check=True)
    assert not [name for name in run.stdout.decode().split() if name.startswith("scapy")]


def test_the_name_alone_loads_no_scapy() -> None:
    program = "import sys, handshake.replayer; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert not [name for name in loaded.stdout.decode().split() if name.startswith("scapy")]


def test_scapy_keeps_its_doubts_to_itself(file: Path) -> None:
    # A data offset of 4 and an option of length 0: Scapy would log both.
    broken = bytearray(file.read_bytes())
    broken[40 + 20 + 12] = 0x40
    broken[40 + 40 + 16 + 20 + 12] = 0x60
    file.write_bytes(broken)
    program = "import sys; from handshake.replayer import replay; list(replay(sys.argv[1]))"
    run = subprocess.run([sys.executable, "-c", program, file], capture_output=True, check=True)
    assert (run.stdout, run.stderr) == (b"", b"")
