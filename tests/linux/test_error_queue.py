from __future__ import annotations

import errno
import socket
from ipaddress import ip_address

import pytest

from handshake.linux.error_queue import QueuedError, parse, queued, report_errors
from handshake.tcp import Endpoint, Seq

HERE, THERE = ip_address("10.77.0.1"), ip_address("10.77.1.2")
HERE6, THERE6 = ip_address("fd77::1"), ip_address("fd77:0:0:1::2")

# Linux 6.18, x86-64: what a router's answers to two SYNs left on the queues. First the SYNs ...
SYN = bytes.fromhex(
    "be68 0009 1c211411 00000000 a002 faf0 15cb 0000"  # ports 48744 and 9, seq 0x1c211411
    "020405b4 0402080a e14f32c5 00000000 0103030a"
)
SYN6 = bytes.fromhex(
    "93e0 0009 33752596 00000000 a002 fd20 fb21 0000"  # ports 37856 and 9, seq 0x33752596
    "020405a0 0402080a f52d4043 00000000 0103030a"
)
# ... and then the control messages: errno, origin, type, code, -, info, data; the offender.
PROHIBITED = bytes.fromhex(
    "71000000 02 03 0d 00 00000000 00000000"  # EHOSTUNREACH, ICMP 3/13
    "0200 0000 0a4d0002 0000000000000000"  # AF_INET, port, 10.77.0.2
)
POLICY = bytes.fromhex(
    "0d000000 03 01 05 00 00000000 00000000"  # EACCES, ICMPv6 1/5
    "0a00 0000 00000000 fd770000000000000000000000000002 00000000"  # AF_INET6, fd77::2
)
# Of UDP datagrams larger than the MTU that this machine knew of.
TOO_BIG = bytes.fromhex("5a000000 01 00 00 00 dc050000 00000000" + "00" * 16)
TOO_BIG6 = bytes.fromhex("5a000000 01 00 00 00 dc050000 00000000" + "00" * 28)


def test_an_error_has_sender_meaning_and_segment() -> None:
    found = parse(PROHIBITED, SYN, HERE, THERE, 5)
    assert (found.number, found.mtu) == (errno.EHOSTUNREACH, None)
    error = found.icmp
    assert error is not None
    assert (error.version, error.type, error.code, str(error.sender)) == (4, 3, 13, "10.77.0.2")
    assert error.source == Endpoint(HERE, 48744)
    assert error.destination == Endpoint(THERE, 9)
    assert (error.seq, error.at) == (Seq(0x1C211411), 5)
    assert str(error) == "communication administratively prohibited (ICMP 3/13)"


def test_icmpv6_has_numbers_and_addresses_of_its_own() -> None:
    found = parse(POLICY, SYN6, HERE6, THERE6)
    error = found.icmp
    assert found.number == errno.EACCES
    assert error is not None
    assert (error.version, error.type, error.code, str(error.sender)) == (6, 1, 5, "fd77::2")
    assert (error.source, error.destination) == (Endpoint(HERE6, 37856), Endpoint(THERE6, 9))
    assert error.seq == Seq(0x33752596)


def test_eight_octets_of_the_segment_are_enough() -> None:
    found = parse(PROHIBITED, SYN[:8], HERE, THERE)
    assert found.icmp is not None
    assert found.icmp.seq == Seq(0x1C211411)
    assert parse(PROHIBITED, SYN[:7], HERE, THERE) == QueuedError(errno.EHOSTUNREACH, None, None)


@pytest.mark.parametrize("octets", [TOO_BIG, TOO_BIG6])
def test_what_this_machine_found_out_itself(octets: bytes) -> None:
    assert parse(octets, b"", HERE, THERE) == QueuedError(errno.EMSGSIZE, None, 1500)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_an_empty_queue(family: socket.AddressFamily) -> None:
    with socket.socket(family) as sock:
        sock.setblocking(False)
        report_errors(sock)
        assert list(queued(sock, HERE, THERE)) == []
