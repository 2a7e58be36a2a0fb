"""A header is read and written bit for bit, whatever its values."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.tcp import Endpoint, Flags, Options, Segment, Seq, Timestamps
from handshake.tcp import options as opt
from handshake.tcp.segment import HEADER

HERE, THERE = ip_address("192.0.2.10"), ip_address("198.51.100.7")

octets = st.binary(min_size=20, max_size=80)


@given(octets)
def test_packing_gives_back_every_header(raw: bytes) -> None:
    seg = Segment.parse(HERE, THERE, raw, len(raw))
    header = seg.pack()
    assert raw.startswith(header)
    assert header + seg.payload == raw
    assert seg.payload_length == len(seg.payload)
    assert (seg.ack is None) == (not raw[13] & 0x10)


@given(octets, st.integers(0, 60))
def test_a_cut_capture_keeps_the_length_that_ip_gave(raw: bytes, kept: int) -> None:
    length = len(raw) + 1000
    if kept < 20:
        with pytest.raises(ValueError, match="20 octets"):
            Segment.parse(HERE, THERE, raw[:kept], length)
        return
    seg = Segment.parse(HERE, THERE, raw[:kept], length)
    assert len(seg.payload) <= seg.payload_length
    assert seg.payload_length == length - max(20, seg.data_offset * 4)


@pytest.mark.parametrize(
    ("bits", "problem"),
    [
        (0x4002, "data offset 4 is below 5"),
        (0xF002, "data offset 15 points beyond the end of the segment"),
        (0x5E02, "reserved bits are set"),
    ],
)
def test_a_malformed_header_is_kept_and_reported(bits: int, problem: str) -> None:
    raw = HEADER.pack(1, 2, 3, 4, bits, 5, 6, 7)
    seg = Segment.parse(HERE, THERE, raw, len(raw))
    assert seg.problems == (problem,)
    assert seg.pack() == raw


def test_all_control_bits_have_their_names() -> None:
    assert str(Flags(0x1FF)) == "SYN-FIN-RST-PSH-ACK-URG-ECE-CWR-AE"
    assert str(Flags.SYN | Flags.ACK) == "SYN-ACK"
    assert str(Flags(0)) == "none"


def test_a_syn_and_a_fin_take_a_number_each() -> None:
    a, b = Endpoint(HERE, 1), Endpoint(THERE, 2)
    seg = Segment(a, b, Seq(2**32 - 1), None, Flags.SYN | Flags.FIN, payload=b"abc")
    assert seg.length == 5
    assert seg.end == Seq(4)
    assert str(seg) == "<SEQ=4294967295><DATA=3><CTL=SYN,FIN>"


def test_endpoints_are_written_as_the_field_writes_them() -> None:
    assert str(Endpoint.of("192.0.2.1", 80)) == "192.0.2.1:80"
    assert str(Endpoint.of("2001:db8::1", 443)) == "[2001:db8::1]:443"
    assert str(Endpoint.of("fe80::1%eth0", 22)) == "[fe80::1%eth0]:22"
    assert Endpoint.of("fe80::1%a", 1) != Endpoint.of("fe80::1%b", 1)


def test_the_options_of_a_linux_syn() -> None:
    found = Options(bytes.fromhex("020405b40402080a000003e8000000000103 0307".replace(" ", "")))
    assert [option.name for option in found] == [
        "mss",
        "sack-permitted",
        "timestamps",
        "nop",
        "wscale",
    ]
    assert found.mss == 1460
    assert found.sack_permitted
    assert found.timestamps == Timestamps(1000, 0)
    assert found.window_scale == 7
    assert found.malformed == ()
    assert found == Options.of(
        opt.mss(1460), opt.sack_permitted(), opt.timestamps(1000), opt.nop(), opt.window_scale(7)
    )


@pytest.mark.parametrize(
    ("raw", "name", "problem"),
    [
        ("0200", "mss", "length 0 is below 2"),
        ("0201", "mss", "length 1 is below 2"),
        ("02", "mss", "the length octet is missing"),
        ("020405", "mss", "length 4, but only 3 octets are left"),
        ("02030501", "mss", "length 3, must be 4"),
        ("080a00000001", "timestamps", "length 10, but only 6 octets are left"),
        ("050b0000000000000000ff01", "sack", "length 11, must be 2 + 8 for each block"),
        ("2205aabbcc", "fast-open", "length 5, must be even: 2 + 4 to 16 for a cookie"),
        ("000001", "end", "octets after END are not zero"),
    ],
)
def test_a_malformed_option_is_kept_and_reported(raw: str, name: str, problem: str) -> None:
    found = Options(bytes.fromhex(raw))
    assert [option.name for option in found.malformed] == [name]
    assert (found.malformed[0].problem or "").startswith(problem)
    assert found.mss is None
    assert found.timestamps is None


def test_what_stands_before_a_malformed_option_still_counts() -> None:
    found = Options(bytes.fromhex("020405b4" + "0300"))
    assert found.mss == 1460
    assert found.window_scale is None


@given(st.binary(max_size=40))
def test_options_lose_no_octet(raw: bytes) -> None:
    assert b"".join(option.raw for option in Options(raw)) == raw


def test_more_options_than_a_header_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="44 octets"):
        Options.of(*[opt.timestamps(1)] * 4, opt.mss(1))


@pytest.mark.parametrize(
    ("raw", "cookie"),
    [
        ("2202", b""),
        ("220a0102030405060708", bytes(range(1, 9))),
        ("fe04f989", b""),
        ("fe0cf9890102030405060708", bytes(range(1, 9))),
        ("fe04abcd", None),
    ],
)
def test_fast_open_in_both_its_kinds(raw: str, cookie: bytes | None) -> None:
    assert Options(bytes.fromhex(raw)).fast_open == cookie


def test_sack_blocks() -> None:
    blocks = ((Seq(10), Seq(20)), (Seq(2**32 - 1), Seq(5)))
    assert Options.of(opt.nop(), opt.nop(), opt.sack(blocks)).sack == blocks
