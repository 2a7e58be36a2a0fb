"""MD5 signatures, held to segments that Linux 6.18 signed with the key `secret` (RFC 2385)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from handshake.tcp import Options, Segment
from handshake.tcp import options as opt
from handshake.tcp.signature import signed, verified

SYN_V4 = """
    4500 0048 222b 4000 4006 03e9 0a4d0001 0a4d0002
    8656 00b3 d912b8c2 00000000 d002 faf0 14d7 0000
    0101 1312 06de21a989882edc466e003aef7ff607 020405b4 01010402 0103030a
"""
DATA_V6 = """
    600c9b7d 002d 06 40 fd770000000000000000000000000001 fd770000000000000000000000000002
    c4c8 00b3 05dcfa80 5fe2f0bc a018 0040 fb25 0000
    0101 1312 a6d247dfa7e01368ff6d733ad9219d7d 68656c6c6f
"""


def read(text: str) -> Segment:
    octets = bytes.fromhex("".join(text.split()))
    begin, end, tcp = (12, 20, 20) if octets[0] >> 4 == 4 else (8, 40, 40)
    middle = (begin + end) // 2
    ends = ip_address(octets[begin:middle]), ip_address(octets[middle:end])
    return Segment.parse(*ends, octets[tcp:], len(octets) - tcp)


@pytest.mark.parametrize("text", [SYN_V4, DATA_V6])
def test_what_linux_signed_is_verified_and_signed_alike(text: str) -> None:
    seg = read(text)
    assert verified(seg, b"secret")
    assert not verified(seg, b"Secret")
    blank = seg.options.raw.replace(seg.options.raw[4:20], bytes(16))
    assert signed(replace(seg, options=Options(blank)), b"secret") == seg


def test_whatever_is_changed_shows() -> None:
    seg = read(DATA_V6)
    changed = (
        replace(seg, seq=seg.seq + 1),
        replace(seg, window=seg.window + 1),
        replace(seg, payload=b"hallo"),
        replace(seg, source=seg.destination),
    )
    assert not any(verified(each, b"secret") for each in changed)
    # The checksum is not covered: a NAT or a network card may write it anew.
    assert verified(replace(seg, checksum=0), b"secret")


def test_what_is_not_signed_is_not_verified() -> None:
    seg = replace(read(SYN_V4), options=Options.of(opt.mss(1460)), data_offset=6)
    assert not verified(seg, b"secret")
