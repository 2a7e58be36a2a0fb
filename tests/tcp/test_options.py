"""What options mean, and what the ECN bits of a SYN and its answer negotiate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.tcp import Flags, Offer, Options, State
from handshake.tcp.control_block import ControlBlock
from handshake.tcp.option_text import option_text
from tests.segments import A, B, segment

SYN, SYN_ACK = "<SEQ=100><CTL=SYN>", "<SEQ=300><ACK=101><CTL=SYN,ACK>"


ALIGNED = b"\x01\x01\x08\x0a"
"""How the options of nearly every segment begin: timestamps alone."""


@pytest.mark.parametrize(
    ("octets", "output"),
    [
        ("02 04 05b4", "MSS 1460"),
        ("03 03 07", "WScale 7"),
        ("04 02", "SACK ok"),
        ("05 12 00000001 00000002 00000005 00000009", "SACK 1-2,5-9"),
        ("08 0a 00000001 00000002", "TS 1/2"),
        ("22 02", "TFO request"),
        ("22 06 01020304", "TFO cookie"),
        ("fe 04 f989", "experiment-254 TFO request"),
        ("fe 08 f989 01020304", "experiment-254 TFO cookie"),
        ("1e 04 01 81", "MPTCP MP_CAPABLE v1"),
        ("1e 0c 10 00 00000001 00000002", "MPTCP MP_JOIN"),
        ("1e 04 20 00", "MPTCP DSS"),
        ("1e 03 90", "MPTCP subtype 9"),
        ("13 12" + "00" * 16, "MD5"),
        ("1d 10 05 06" + "00" * 12, "AO key 5 next 6"),
        ("1c 04 001e", "UTO 30 s"),
        ("1c 04 8002", "UTO 2 min"),
        ("ac 05 000001", "AccECN0 e0=1"),
        ("ae 0b 000001 000002 000003", "AccECN1 e1=1 ce=2 e0=3"),
        ("fe 06 acc0 0001", "experiment-254 AccECN0"),
        ("fd 04 454e", "experiment-253 TCP-ENO"),
        ("fe 06 e2d4c3d9", "experiment-254 SMC-R"),
        ("fe 06 12345678", "experiment-254 0x1234"),
        ("fe 02", "experiment-254 (2)"),
        ("63 04 0102", "kind-99 (4)"),
        ("02 03 05", "MSS malformed"),
        ("1e 02", "MPTCP malformed"),
        ("1d 03 01", "AO malformed"),
        ("ac 04 0001", "AccECN0 malformed"),
    ],
)
def test_each_option_in_words(octets: str, output: str) -> None:
    assert [option_text(option) for option in Options(bytes.fromhex(octets))] == [output]


def test_what_an_offer_takes_from_its_options() -> None:
    raw = bytes.fromhex("1e0401 81 1d10 0506" + "00" * 12 + "1c04 8002 fe04 f989")
    offer = Offer.of(segment(SYN, options=Options(raw)))
    assert offer == Offer(mptcp="MP_CAPABLE", ao_key=5, user_timeout=120, fast_open=b"")
    assert Offer.of(segment(SYN, options=Options(bytes.fromhex("1312" + "00" * 16)))).md5


def test_32_bits_of_an_experiment() -> None:
    (wide,) = Options(bytes.fromhex("fe06 e2d4c3d9"))
    (narrow,) = Options(bytes.fromhex("fe06 e2d40000"))
    assert (wide.exid, narrow.exid) == (0xE2D4C3D9, 0xE2D4)


# RFC 9768 table 2, and RFC 3168 section 6.1.1: AE, CWR, ECE of the SYN and of its answer.
ECN = [
    ("111", "010", "accecn"),
    ("111", "011", "accecn"),
    ("111", "100", "accecn"),
    ("111", "110", "accecn"),
    ("111", "101", "accecn"),
    ("111", "001", "classic"),
    ("111", "000", "none"),
    ("111", "111", "none"),
    ("011", "001", "classic"),
    ("011", "000", "none"),
    ("011", "011", "none"),
    ("000", "000", "none"),
    ("000", "001", "none"),
    ("001", "001", "none"),
]


@pytest.mark.parametrize(("asked", "answered", "in_force"), ECN)
def test_ecn_in_force(asked: str, answered: str, in_force: str) -> None:
    def with_bits(text: str, bits: str, flags: Flags) -> Offer:
        seg = segment(text, by=A if text is SYN else B)
        return Offer.of(replace(seg, flags=flags | Flags(int(bits, 2) << 6)))

    block = ControlBlock(
        A,
        state=State.ESTABLISHED,
        offered=with_bits(SYN, asked, Flags.SYN),
        peer_offered=with_bits(SYN_ACK, answered, Flags.SYN | Flags.ACK),
    )
    found = "accecn" if block.accecn else "classic" if block.ecn else "none"
    assert found == in_force


@given(st.one_of(st.binary(max_size=40), st.binary(min_size=8, max_size=8).map(ALIGNED.__add__)))
def test_data_is_that_of_the_last_well_formed_option(raw: bytes) -> None:
    options = Options(raw)
    data = {each.kind: each.data for each in Options(raw) if each.problem is None}
    assert {kind: options.data(kind) for kind in range(256)} == {
        kind: data.get(kind) for kind in range(256)
    }
    assert options.malformed == tuple(each for each in Options(raw) if each.problem)
