"""The forms in which people paste octets, made by the programs that write them."""

from __future__ import annotations

import base64
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.capture.open import read
from handshake.crafter.hex_text import packets
from handshake.errors import UsageError

CAPTURES = Path(__file__).parents[2] / "captures"
HEADER = bytes.fromhex("4500003c1c4640004006b1e6ac100a63ac100a0c")
HAND_MADE = (
    b"E" * 80,
    bytes(64),
    bytes(range(256)),
    b"beefbeefdeadcafe" * 3 + b"be",  # its text looks like octets
    b"ab cd ef 01 23 45",
    HEADER,
    b"\0",
)


def samples() -> list[bytes]:
    """Return packets, some of which look like text."""
    dice = random.Random(1)
    return [*HAND_MADE, *(dice.randbytes(dice.randrange(1, 200)) for _ in range(40))]


@pytest.mark.parametrize(
    "program",
    [
        "xxd",
        "xxd -p",
        "xxd -i",
        "xxd -g1",
        "xxd -c32",
        "hexdump -C",
        "hexdump",
        "od -Ax -tx1",
        "od -Ax -tx1z",
    ],
)
def test_dumps_of_programs(program: str) -> None:
    words = program.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    for octets in samples():
        shown = subprocess.run(words, input=octets, capture_output=True, check=True).stdout
        assert packets(shown.decode("latin-1")) == [octets], shown


@pytest.mark.parametrize(("option", "link"), [("-x", 14), ("-xx", 0), ("-X", 14), ("-XX", 0)])
def test_all_packets_of_tcpdump(option: str, link: int) -> None:
    path = CAPTURES / "mixed.pcap"
    shown = subprocess.run(
        ["tcpdump", "-nr", str(path), option], capture_output=True, text=True, check=True
    ).stdout
    assert packets(shown) == [bytes(frame.data)[link:] for frame in read(path)]


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_all_packets_of_wireshark() -> None:
    path = CAPTURES / "mixed.pcap"
    frames = [bytes(frame.data) for frame in read(path)]
    for options in (["-x"], ["-V", "-x"]):
        shown = subprocess.run(
            ["tshark", "-r", str(path), *options], capture_output=True, text=True, check=True
        ).stdout
        assert packets(shown) == frames


@pytest.mark.parametrize(
    "text",
    [
        "45 00 00 3c",
        "45:00:00:3c",
        "45-00-00-3C",
        "4500 003c",
        "0x4500003c",
        "0X4500003C",
        "0x45, 0x00, 0x0, 0x3c",
        "unsigned char p[4] = { 0x45, 0x00, /* 0xff */ 0x00, 0x3c }; // 0x11",
        '"\\x45\\x00" \\\n"\\x00\\x3c"',
        "\\x45\\x00\\x00\\x3c",
        "b'E\\x00\\x00<'",
        'b"E\\x00\\x00<"',
        "$'\\x45\\x00\\x00\\x3c'",
        "[0x45, 0x00, 0x00, 0x3c]",
        "RQAAPA==",
        "  45\n00\n00\n3c\n",
        "\ufeff45 00 00 3c",
        "\\x4500003c",
        "45 00 00 3c  E..<",
        '{"octets": "4500003c"}',
        '{"index": {}}\n{"layers": {"frame_raw": "4500003c"}}',
        '[{"_source": {"layers": {"frame_raw": ["4500003c", 0, 4, 0, 1]}}}]',
        "byte[] p = {(byte) 0x45, (byte) 0x00, (byte) 0x00, (byte) 0x3c};",
        "> 45 00\n> 00 3c\n",
        "[  1.5] skb linear:   00000000: 45 00 00 3c",
        "```\n4500003c\n```",
        "0x7ffe00000010:\t0x45\t0x00\n0x7ffe00000012 <p+2>:\t0x00\t0x3c\n",
    ],
)
def test_forms(text: str) -> None:
    assert packets(text) == [b"E\0\0<"]


@pytest.mark.parametrize(
    "around",
    [
        "bytes.fromhex('{hex}')",
        "echo {base64} | base64 -d",
        "data:application/octet-stream;base64,{base64}",
        "X'{hex}'",
        "let p: [u8; 20] = [{rust}];",
        "vec![{numbers}]",
        "[{decimal}]",
        "{decimal}",
    ],
)
def test_a_header_within_something_else(around: str) -> None:
    octets = HEADER
    text = around.format(
        hex=octets.hex(),
        base64=base64.b64encode(octets).decode(),
        numbers=", ".join(map(hex, octets)),
        rust=", ".join(f"0x{each:02x}u8" for each in octets),
        decimal=", ".join(map(str, octets)),
    )
    assert packets(text) == [octets]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "decode.empty"),
        ("hello world", "decode.digit"),
        ("450", "decode.odd"),
        ("0x450", "decode.odd"),
        ("'\\xzz'", "decode.escape"),
        ("45 0g", "decode.digit"),
    ],
)
def test_what_is_no_octets(text: str, code: str) -> None:
    with pytest.raises(UsageError) as error:
        packets(text)
    assert error.value.code == code


@given(st.text(max_size=200))
def test_any_text_is_octets_or_an_error(text: str) -> None:
    try:
        found = packets(text)
    except UsageError:
        return
    assert all(found)


@given(st.binary(min_size=1, max_size=80))
def test_python_writes_what_is_read(octets: bytes) -> None:
    assert packets(repr(octets)) == [octets]
    assert packets(octets.hex(":")) == [octets]
