"""What is wrong with a packet, and at which octet: codes by what was crafted wrong."""

from __future__ import annotations

import pytest

from handshake.crafter.decode import decode
from tests.crafter.making import crafted


def found(*args: str) -> list[tuple[str, int]]:
    """Return the codes of what is wrong, and their octets."""
    octets = crafted(args)
    return [(each.code, each.at) for each in decode(octets, "ip").problems]


@pytest.mark.parametrize(
    ("args", "want"),
    [
        ("", []),
        ("--checksum wrong", [("checksum", 36)]),
        ("--checksum partial", [("checksum-partial", 36)]),
        ("--checksum 0", [("checksum-partial", 36)]),
        ("--reserved 1", [("reserved", 32)]),
        ("--offset 4 --no-timestamps", [("offset-below", 32)]),
        ("--offset 15", [("offset-beyond", 32)]),
        ("--option 2/3:05b4", [("option", 60), ("option", 63)]),
        ("--mss 0 --option 2:05b4 --option 2:05b4", [("option-twice", 60)]),
        ("--option 19/0:", [("option", 60)]),
        ("--wscale 15", [("shift", 59)]),
        ("--flags ACK --mss 1460", [("option-without-syn", 40)]),
        ("--flags SYN,FIN", [("flags", 33)]),
        ("--flags none", [("flags-none", 33)]),
        ("--flags FIN,PSH,URG", [("flags-fin", 33)]),
        ("--ack 5", [("ack-unused", 28)]),
        ("--urgent 5", [("urgent-unused", 38)]),
        ("--flags URG,ACK --urgent 5", []),
        ("--ip-checksum wrong", [("ip-checksum", 10)]),
        ("--ip-checksum 0", [("ip-checksum-zero", 10)]),
        ("--ip-flags RESERVED", [("ip-reserved", 6)]),
        ("--ip-flags MF", [("fragment", 6), ("checksum-unknown", 36)]),
        ("--protocol 17", [("protocol", 9)]),
        ("--ihl 3", [("ip-words", 0)]),
        ("--length 10", [("ip-length", 2)]),
        ("--length 61", [("checksum-unknown", 36), ("cut", 60)]),
        ("--length 50", [("offset-beyond", 32)]),
        ("--trailer 0000", [("trailer", 60)]),
        ("--cut 27", [("cut-tcp", 27), ("cut", 27)]),
        ("--cut 50", [("checksum-unknown", 36), ("cut-options", 50), ("cut", 50)]),
        ("--cut 9", [("cut-ip", 9)]),
        ("[::1]:80 --checksum wrong", [("checksum", 56)]),
        ("[::1]:80 --ip-flags RESERVED --ip-checksum 1", []),
    ],
)
def test_what_is_wrong(args: str, want: list[tuple[str, int]]) -> None:
    have = found(*args.split())
    assert [each for each in have if each in want] == want, have
    if not want:
        assert have == []


def test_a_right_checksum_is_named_and_is_right() -> None:
    octets = crafted(["--checksum", "0x1234", "--payload", "odd"])
    right = decode(octets).right_checksum
    assert right is not None
    mended = octets[:36] + right.to_bytes(2, "big") + octets[38:]
    assert decode(mended).problems == ()


def test_what_an_icmp_error_quotes_is_decoded() -> None:
    from scapy.layers.inet import ICMP, IP
    from scapy.packet import Raw

    quoted = crafted([])[:48]
    error = bytes(IP(src="10.0.0.1", dst="192.0.2.1") / ICMP(type=3, code=13) / Raw(quoted))
    decoded = decode(error)
    assert (decoded.via, decoded.ip_at, decoded.at) == (("icmp",), 28, 48)
    assert [each.code for each in decoded.problems] == ["checksum-unknown", "cut-options", "cut"]
