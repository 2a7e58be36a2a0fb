"""`handshake decode`: any form of input, where it begins, what is wrong, errors in a line."""

from __future__ import annotations

import base64
import json
import lzma
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import read
from handshake.cli import main
from handshake.crafter.decode import decode
from handshake.errors import UsageError
from tests.cli.terminal import Terminal
from tests.cli.test_craft import SYN
from tests.crafter.making import crafted
from tests.errors import says
from tests.schema import valid

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
MIXED = str(ROOT / "captures" / "mixed.pcap")
REFUSED = str(ROOT / "captures" / "refused.pcap")
OCTETS = bytes.fromhex(SYN)
ARP = "ffffffffffff0200000000010806000108000604000102000000000a4d0001000000000000000a4d0002"


def decoded(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, object]:
    """Return the JSON object that decode prints."""
    assert main(["decode", *args, "--json"]) == 0, args
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    valid(found, "packet")
    return found


def piped(args: Sequence[str], octets: bytes) -> subprocess.CompletedProcess[bytes]:
    """Run decode with these octets on its standard input."""
    program = [sys.executable, "-m", "handshake", "decode", *args]
    return subprocess.run(program, input=octets, capture_output=True, check=False, cwd=ROOT)


@pytest.mark.parametrize(
    "text",
    [
        SYN,
        SYN.upper(),
        OCTETS.hex(" "),
        OCTETS.hex(":"),
        f"0x{SYN}",
        "".join(f"\\x{each:02x}" for each in OCTETS),
        repr(OCTETS),
        ", ".join(f"0x{each:02X}" for each in OCTETS),
        base64.b64encode(OCTETS).decode(),
    ],
)
def test_an_argument_in_any_form(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert decoded(capsys, text)["octets"] == SYN


def test_words_that_a_shell_split(capsys: pytest.CaptureFixture[str]) -> None:
    assert decoded(capsys, *OCTETS.hex(" ").split())["octets"] == SYN


def test_what_craft_prints_is_what_decode_reads() -> None:
    for form in ("hex", "0x", "c", "tcpdump"):
        made = subprocess.run(
            [sys.executable, "-m", "handshake", "craft", "--format", form],
            capture_output=True,
            check=True,
        ).stdout
        assert json.loads(piped(["-", "--json"], made).stdout)["octets"] == SYN


@pytest.mark.parametrize("args", [["-"], []])
def test_octets_that_are_no_text_and_captures_come_through_a_pipe(args: list[str]) -> None:
    assert json.loads(piped([*args, "--json"], OCTETS).stdout)["octets"] == SYN
    done = piped([*args, "--json", "--frame", "2"], Path(REFUSED).read_bytes())
    assert json.loads(done.stdout)["segment"]["flags"] == ["RST", "ACK"]


def test_a_file_of_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dump.txt"
    path.write_text(OCTETS.hex(" "))
    assert decoded(capsys, str(path))["octets"] == SYN


def test_a_frame_of_a_capture(capsys: pytest.CaptureFixture[str]) -> None:
    for number, frame in enumerate(read(REFUSED), 1):
        found = decoded(capsys, REFUSED, "--frame", str(number))
        assert found["octets"] == bytes(frame.data).hex()
        assert (found["beginning"], found["ip_at"], found["tcp_at"]) == ("ethernet", 14, 34)


def test_without_a_number_it_is_the_first_with_a_segment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["decode", MIXED]) == 0
    shown = capsys.readouterr()
    assert shown.err == f"note: {says('decode.first', frame=1)}\n"


@pytest.mark.parametrize(
    ("prefix", "beginning", "ip_at"),
    [
        (b"", "ip", 0),
        (bytes(12) + b"\x08\x00", "ethernet", 14),
        (bytes(12) + b"\x81\x00\x00\x05\x08\x00", "ethernet", 18),
        (b"\0\0\0\x01\0\x06" + bytes(8) + b"\x08\x00", "cooked", 16),
        (b"\x08\x00\0\0\0\0\0\x01\0\x01\0\x06" + bytes(8), "cooked2", 20),
        (b"\x02\0\0\0", "loopback", 4),
    ],
)
def test_it_finds_out_where_the_packet_begins(
    prefix: bytes, beginning: str, ip_at: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = decoded(capsys, (prefix + OCTETS).hex())
    assert (found["beginning"], found["ip_at"], found["tcp_at"]) == (beginning, ip_at, ip_at + 20)
    assert found["command"] == "handshake craft 192.0.2.2:80"


def test_a_segment_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = decoded(capsys, OCTETS[20:].hex())
    assert (found["beginning"], found["ip_at"], found["checksum"]) == ("tcp", None, "unknown")
    ends = ["--source", "192.0.2.1", "--destination", "192.0.2.2"]
    assert decoded(capsys, OCTETS[20:].hex(), *ends)["checksum"] == "right"
    assert main(["decode", OCTETS[20:].hex()]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "handshake craft 192.0.2.2:80 --bare"


def test_the_text_says_what_is_wrong_at_which_octet(capsys: pytest.CaptureFixture[str]) -> None:
    octets = crafted(["--checksum", "0x1234", "--reserved", "2", "--payload", "hi"])
    assert main(["decode", octets.hex()]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "SYN  192.0.2.1:40000 → 192.0.2.2:80  seq=0 win=64240 len=2"
    where = "IPv4 at octet 0, TCP at octet 20, data at octet 60"
    assert shown[1] == f"{where} · 62 octets"
    assert shown[-4:-2] == [
        "wrong: octet 32: the reserved bits are 2: must be 0 (RFC 9293 3.1)",
        "wrong: octet 36: TCP checksum 0x1234 is wrong: must be 0xc00f",
    ]
    command = "handshake craft 192.0.2.2:80 --reserved 2 --checksum 0x1234 --payload hi"
    assert shown[-1] == command


def test_korean(capsys: pytest.CaptureFixture[str]) -> None:
    octets = crafted(["--offset", "3"])
    assert main(["decode", octets.hex(), "--lang", "ko"]) == 0
    shown = capsys.readouterr().out
    assert "오류: 32번 옥텟: 데이터 오프셋 3" in shown
    assert "0번 옥텟부터 IPv4" in shown


@pytest.mark.parametrize("columns", [20, 40, 64, 80, 120])
def test_no_line_is_wider_than_the_screen(columns: int, capsys: pytest.CaptureFixture[str]) -> None:
    from handshake.crafter.decode import decode
    from handshake.view.packet_page import PacketPage

    octets = crafted(["--checksum", "wrong", "--option", "2/3:05b4", "--payload", "x" * 90])
    for ruled in (True, False):
        lines = PacketPage(decode(octets), ruled=ruled).lines(columns)
        widest = max(each.cell_len for each in lines)
        assert widest <= max(columns, 27)  # four octets, and the same as text
    capsys.readouterr()


@pytest.mark.parametrize(
    ("args", "code", "values"),
    [
        (["4500 003g"], "decode.digit", {"sign": "g", "word": "003g"}),
        (["450"], "decode.odd", {"count": 3}),
        ([""], "decode.empty", {}),
        (["  "], "decode.empty", {}),
        (["nosuch.pcap"], None, None),
        ([str(ROOT)], None, None),
        ([SYN, "--as", "wifi"], "choice", None),
        ([SYN, "--as", "ethernet"], "decode.no-ip", {"beginning": "Ethernet"}),
        ([SYN, "--frame", "2"], "decode.frame-text", {"number": 2, "count": 1}),
        (["00" * 40], "decode.unknown", None),
        ([MIXED, "--frame", "9999"], None, None),
        ([SYN, "--source", "1.2.3.4"], "decode.ends", {}),
        (["\\xzz\\x"], "decode.escape", {}),
        (
            [crafted(["--protocol", "17"]).hex()],
            "decode.protocol",
            {"at": 0, "protocol": 17, "name": "UDP"},
        ),
        ([ARP], "decode.ether-type", {"at": 12, "ether_type": "0x0806", "name": "ARP"}),
        (
            [ARP, "--as", "ethernet"],
            "decode.ether-type",
            {"at": 12, "ether_type": "0x0806", "name": "ARP"},
        ),
    ],
)
def test_a_mistake_is_one_line(
    args: list[str],
    code: str | None,
    values: dict[str, object] | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["decode", *args]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    if code is not None and values is not None:
        assert shown.err == f"error: {says(code, **values)}\n"


def test_nothing_to_decode() -> None:
    with Terminal(["-m", "handshake", "decode"]) as screen:
        screen.see(says("decode.nothing"))
        assert screen.end() == 2
    done = piped([], b"")
    assert done.stderr.decode() == f"error: {says('decode.empty')}\n"
    assert done.returncode == 2


def test_names_of_files_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a\x1b[2Jb"
    path.write_text("zz")
    assert main(["decode", str(path)]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_a_capture_of_one_packet_needs_no_remark() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "handshake", "craft", "-w", "-"], capture_output=True, check=True
    ).stdout
    done = piped(["-"], made)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_frame_of_a_capture_without_ip() -> None:
    octets = bytes.fromhex(f"{ARP[:24]}810000058892{ARP[28:]}")
    with pytest.raises(UsageError) as error:
        decode(octets, link_type=1)
    assert error.value.values == {"at": 16, "ether_type": "0x8892", "name": ""}


def test_a_compressed_capture_is_no_packet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mixed.pcap.xz"
    path.write_bytes(lzma.compress(Path(MIXED).read_bytes()))
    assert main(["decode", str(path)]) == 2
    assert "decompress it with xz -d" in capsys.readouterr().err
