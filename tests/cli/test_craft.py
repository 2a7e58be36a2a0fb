"""`handshake craft`: every form holds the same octets, every mistake is one line."""

from __future__ import annotations

import json
import subprocess
from io import BytesIO, TextIOWrapper
from typing import TYPE_CHECKING, Any

import pytest

from handshake.cli import main
from handshake.crafter.hex_text import packets
from handshake.escape import printable
from tests.cli.terminal import Terminal
from tests.cli.test_help import run
from tests.crafter.making import crafted
from tests.errors import says
from tests.schema import valid

if TYPE_CHECKING:
    from pathlib import Path

SYN = (
    "4500003c000140004006b6b7c0000201c00002029c4000500000000000000000a002faf02c7b0000"
    "020405b40402080a000000000000000001030307"
)


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Return what a command prints."""
    assert main(list(args)) == 0, args
    return capsys.readouterr().out


def test_in_a_pipe_it_is_a_line_of_hexadecimal() -> None:
    done = run("craft")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{SYN}\n", "")


@pytest.mark.parametrize("form", ["hex", "0x", "c", "tcpdump"])
def test_each_form_holds_the_same_octets(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "craft", "--format", form, "--payload", "hi!")
    assert packets(text) == [crafted(["--payload", "hi!"])]


def test_the_form_of_scapy_builds_them(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    exec(printed(capsys, "craft", "--format", "scapy"), names)
    assert bytes(names["packet"]).hex() == SYN


def test_the_form_of_tcpdump_is_what_tcpdump_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "syn.pcap")
    assert printed(capsys, "craft", "-w", path) == ""
    shown = subprocess.run(
        ["tcpdump", "-nvxr", path], capture_output=True, text=True, check=True
    ).stdout
    assert shown.endswith(printed(capsys, "craft", "--format", "tcpdump"))
    assert "Flags [S], cksum 0x2c7b (correct)" in shown


@pytest.mark.parametrize(
    ("name", "magic"),
    [("syn.pcap", b"\x4d\x3c\xb2\xa1"), ("syn.pcapng", b"\n\r\r\n"), ("-", b"\n\r\r\n")],
)
def test_a_capture_holds_it(
    name: str, magic: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = TextIOWrapper(BytesIO())
    monkeypatch.setattr("sys.stdout", out)
    path = tmp_path / name
    assert main(["craft", "-w", name if name == "-" else str(path)]) == 0
    written = out.buffer.getvalue() if name == "-" else path.read_bytes()
    assert written.startswith(magic)
    assert bytes.fromhex(SYN) in written


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(printed(capsys, "craft", "--checksum", "wrong", "--json"))
    valid(found, "packet")
    assert found["checksum"] == "wrong"
    assert found["segment"]["checksum"] == found["right_checksum"] ^ 1
    assert [each["code"] for each in found["problems"]] == ["checksum"]
    assert found["command"] == "handshake craft 192.0.2.2:80 --checksum 0x2c7a"


@pytest.mark.parametrize(
    ("args", "at", "octets"),
    [
        (["--flags", "SA", "--seq", "0x10", "--ack", "301"], 24, "00000010 0000012d a012"),
        (["--ecn"], 33, "c2"),
        (["--flags", "SYN,ACK", "--ecn"], 33, "52"),
        (["--reserved", "5", "--flags", "AE"], 32, "5b00"),
        (["--window", "1", "--urgent", "0xffff", "--checksum", "7"], 34, "0001 0007 ffff"),
        (["--mss", "536", "--no-wscale", "--no-sack", "--no-timestamps"], 40, "02040218"),
        (["--wscale", "255"], 57, "0303ff"),
        (["--flags", "ACK", "--timestamps"], 40, "0101080a 0000000000000000"),
        (["--flags", "ACK", "--tsval", "1", "--tsecr", "2"], 44, "00000001 00000002"),
        (
            ["--flags", "ACK", "--sack-blocks", "1-2,3-4"],
            40,
            "0512 00000001000000020000000300000004",
        ),
        (["--option", "254/9:f989"], 60, "fe09f989"),
        (["--option", "253:"], 60, "fd02"),
        (["--options-raw", "0x0101"], 40, "0101"),
        (["--fast-open"], 60, "2202"),
        (["--fast-open=01020304"], 60, "220601020304"),
        (["--ttl", "5", "--tos", "0xb8"], 1, "b8"),
        (["--id", "0xbeef", "--ip-flags", "MF,RESERVED", "--fragment", "3"], 4, "beef a003"),
        (["--length", "9", "--ip-checksum", "0xabcd"], 2, "0009"),
        (["--ihl", "4", "--protocol", "17"], 0, "44"),
        (["--ip-options", "01"], 20, "01000000"),
        (["[::1]:8080", "--flow-label", "0x12345"], 0, "60012345"),
        (["--destination", "10.0.0.1"], 16, "0a000001 9c40 0050"),
        (["10.0.0.1:https", "--source-port", "http"], 16, "0a000001 0050 01bb"),
        (["--source", "10.0.0.9:7", "--source-port", "8"], 12, "0a000009 c0000202 0008"),
        (["--payload", "hex:00ff"], 60, "00ff"),
        (["--payload", r"a\r\n\x41"], 60, "610d0a41"),
        (["--bare"], 0, "9c400050"),
        (["--cut", "2", "--trailer", "beef"], 0, "4500beef"),
    ],
)
def test_an_option_sets_its_field(args: list[str], at: int, octets: str) -> None:
    want = bytes.fromhex(octets)
    assert crafted(args)[at : at + len(want)].hex(" ") == want.hex(" ")


def test_a_payload_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(bytes(range(256)))
    assert crafted(["--payload", f"@{path}"]).endswith(bytes(range(256)))


def test_md5_signs_it(capsys: pytest.CaptureFixture[str]) -> None:
    from handshake.crafter.decode import decode
    from handshake.tcp.signature import verified

    found = decode(crafted(["--md5", "secret"]))
    assert verified(found.segment, b"secret")
    assert not verified(found.segment, b"other")
    assert printed(capsys, "decode", found.octets.hex()).count("MD5") >= 2


@pytest.mark.parametrize(
    ("args", "code", "values"),
    [
        (["www:80"], "craft.name", {"option": "TARGET", "value": "www:80"}),
        (["[::1:80"], "craft.endpoint", {"option": "TARGET", "value": "[::1:80"}),
        (
            ["1.2.3.4:99999"],
            "craft.number",
            {"option": "TARGET 1.2.3.4:99999: port", "value": "99999", "most": 65535},
        ),
        (["1.2.3.4", "--destination", "1.2.3.5"], "craft.twice", None),
        (["1.2.3.4", "--source", "::1"], "craft.versions", None),
        (["--seq", "-1"], "craft.number", {"option": "--seq", "value": "-1", "most": 0xFFFFFFFF}),
        (["--offset", "16"], "craft.number", {"option": "--offset", "value": "16", "most": 15}),
        (["--checksum", "bad"], "craft.checksum", None),
        (["--ip-flags", "XF"], "craft.ip-flags", {"text": "XF"}),
        (["--option", "MSS:05b4"], "craft.option", {"text": "MSS:05b4"}),
        (["--option", "2/256:00"], "craft.option", {"text": "2/256:00"}),
        (["--option", "2:0g"], "probe.hex", {"option": "--option 2:0g", "text": "0g"}),
        (["--options-raw", "00" * 41], "craft.options-length", {"length": 41, "most": 40}),
        (["--ip-options", "00" * 41], "craft.ip-options-length", {"length": 44, "most": 40}),
        (["--sack-blocks", "1"], "craft.sack-blocks", {"text": "1"}),
        (["--payload", "@/nowhere"], None, None),
        (["--payload", r"\q"], "probe.escape", {"option": "--payload", "escape": r"\q"}),
        (["--format", "yaml"], "choice", None),
        (["--json", "--format", "c"], "exclusive", {"options": ["--json", "--format"]}),
        (["-w", "/nowhere/x.pcap"], None, None),
        (["-w", "x.pcap", "--bare"], "craft.write-bare", {}),
        (["--flags", "XYZ"], "probe.flags", {"text": "XYZ"}),
    ],
)
def test_a_mistake_is_one_line(
    args: list[str],
    code: str | None,
    values: dict[str, object] | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["craft", *args]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    if code is not None and values is not None:
        assert shown.err == f"error: {printable(says(code, **values))}\n"


def test_a_drawing_is_for_a_terminal_and_says_how_scapy_builds_it() -> None:
    with Terminal(["-m", "handshake", "craft", "--payload", "hi"], columns=120, lines=40) as screen:
        screen.see("│ Source Port")
        screen.see("9c 40 00 50")
        screen.see("from scapy.all import IP, TCP, Raw")
        assert screen.end() == 0


def test_octets_are_not_written_to_a_terminal() -> None:
    with Terminal(["-m", "handshake", "craft", "-w", "-"]) as screen:
        screen.see("is a terminal")
        assert screen.end() == 2
