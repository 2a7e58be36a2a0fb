"""Files of packets that we write are to Wireshark's programs what they are to us."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from handshake.version import __version__
from tests.capture.blocks import INBOUND, OUTBOUND, Packet
from tests.capture.packets import AT, QUOTING, V4, V6, written
from tests.oracle import tshark

if TYPE_CHECKING:
    from pathlib import Path

KOREAN = "연결을 요청합니다: 번호는 1234부터"

ALL = (
    Packet(AT, V4, 40, OUTBOUND, ["SYN from the client\nasks", KOREAN]),
    Packet(AT + 1, V6, len(V6), INBOUND, ['tab\tquote"back\\slash', "é😀" * 1000]),
    Packet(AT + 1_000_000_002, QUOTING, len(QUOTING), INBOUND, ["한" * 21_845]),
    Packet(2**63 - 1, V4[:30], 40, None, []),
    Packet(0, V4, 40, None, ["1970"]),
)


@tshark.needed
def test_tshark_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    path.write_bytes(written(*ALL))
    fields = {
        "frame.time_epoch": (
            "1795348701.123456789 1795348701.123456790 1795348702.123456791 "
            "9223372036.854775807 0.000000000"
        ),
        "frame.len": "40 63 68 40 40",
        "frame.cap_len": "40 63 68 30 40",
        "frame.packet_flags_direction": "0x00000002 0x00000001 0x00000001 - -",
        "tcp.flags": "0x0002 0x0002 0x0002 - 0x0002",
        "ip.src": "192.0.2.1 - 203.0.113.1,192.0.2.1 192.0.2.1 192.0.2.1",
        "ipv6.src": "- 2001:db8::1 - - -",
        "icmp.code": "- - 13 - -",
    }
    program = [str(tshark.PROGRAM), "-n", "-r", str(path), "-T"]
    named = [word for name in fields for word in ("-e", name)]
    rows = [line.split("\t") for line in output([*program, "fields", *named]).splitlines()]
    columns = [" ".join(each or "-" for each in column) for column in zip(*rows, strict=True)]
    assert dict(zip(fields, columns, strict=True)) == fields
    # As JSON nothing is escaped that would have to be guessed back.
    found = json.loads(output([*program, "json", "-e", "frame.comment"]))
    layers = [each["_source"]["layers"] for each in found]
    assert [each.get("frame.comment", []) for each in layers] == [each.comments for each in ALL]


@tshark.needed
def test_capinfos_reads_the_same(tmp_path: Path) -> None:
    program = shutil.which("capinfos")
    if program is None:
        pytest.skip("capinfos is not installed")
    path = tmp_path / "a.pcapng"
    path.write_bytes(written(*ALL[:3]))
    lines = [line.partition(":") for line in output([program, "-M", str(path)]).splitlines()]
    found = {name: value.strip() for name, _, value in lines}
    expected = {
        "File type": "pcapng",
        "File encapsulation": "rawip",
        "File timestamp precision": "nanoseconds (9)",
        "Number of packets": "3",
        "Capture duration": "1.000000002 seconds",
        "Capture application": f"handshake {__version__}",
        "Number of interfaces in file": "1",
    }
    assert {name: found[name] for name in expected} == expected


def output(program: list[str]) -> str:
    run = subprocess.run(program, capture_output=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert b"cut short" not in run.stderr
    return run.stdout.decode("utf-8")
