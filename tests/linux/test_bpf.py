"""The filter, run by a small machine of the test's own: no kernel, no privilege."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6TimeExceeded, IPv6, IPv6ExtHdrDestOpt

from handshake.linux import bpf

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT = 40000
V4, V6, ARP = 0x0800, 0x86DD, 0x0806


def run(program: bytes, packet: bytes, protocol: int = V4) -> int:
    """Return how many octets of the packet the program lets through."""
    lines = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at = a = x = 0
    while True:
        code, yes, no, k = lines[at]
        at += 1
        try:
            match code:
                case 0x20:
                    assert k == 0xFFFFF000
                    a = protocol
                case 0x28:
                    (a,) = struct.unpack_from("!H", packet, k)
                case 0x30:
                    a = packet[k]
                case 0x48:
                    (a,) = struct.unpack_from("!H", packet, x + k)
                case 0x50:
                    a = packet[x + k]
                case 0x01:
                    x = k
                case 0xB1:
                    x = (packet[k] & 0xF) * 4
                case 0x15:
                    at += yes if a == k else no
                case 0x25:
                    at += yes if a > k else no
                case 0x35:
                    at += yes if a >= k else no
                case 0x45:
                    at += yes if a & k else no
                case 0x06:
                    return int(k)
                case _:
                    raise AssertionError(f"no such instruction: {code:#x}")
        except (IndexError, struct.error):
            return 0  # the kernel, too, drops a packet that is too short for a load


TO_US = TCP(sport=80, dport=PORT)
FROM_US = TCP(sport=PORT, dport=80)
ELSE = TCP(sport=80, dport=PORT + 1)


@pytest.mark.parametrize(
    ("packet", "taken"),
    [
        (IP() / TO_US, True),
        (IP() / FROM_US, True),
        (IP(options=b"\x01\x01\x01\x01") / TO_US, True),
        (IP() / ELSE, False),
        (IP() / UDP(sport=80, dport=PORT), False),
        # Only the first fragment has the ports.
        (IP(frag=5, proto=6) / bytes(TO_US), True),
        (IP(frag=5, proto=1) / bytes(TO_US), True),
        (IP(frag=5, proto=17) / bytes(TO_US), False),
        (IP() / ICMP(type=3, code=1), True),
        (IP() / ICMP(type=11), True),
        (IP() / ICMP(type=8), False),
        (IPv6() / TO_US, True),
        (IPv6() / FROM_US, True),
        (IPv6() / ELSE, False),
        (IPv6() / ICMPv6TimeExceeded(), True),
        (IPv6() / ICMPv6EchoRequest(), False),
        (IPv6() / IPv6ExtHdrDestOpt() / TO_US, True),
        (IPv6() / UDP(dport=PORT), False),
    ],
)
def test_it_takes_our_segments_and_icmp_errors(packet: IP | IPv6, taken: bool) -> None:
    protocol = V4 if isinstance(packet, IP) else V6
    assert (run(bpf.segments([PORT]), bytes(packet), protocol) > 0) == taken


def test_other_protocols_are_not_read_as_ip() -> None:
    assert run(bpf.segments([PORT]), bytes(IP() / TO_US), ARP) == 0


def test_a_packet_that_is_too_short_is_dropped() -> None:
    for length in range(22):
        assert run(bpf.segments([PORT]), bytes(IP() / TO_US)[:length]) == 0


@pytest.mark.parametrize(
    "ports",
    [
        range(1000, 3000),
        [*range(1000, 1100), 5000, *range(5002, 5004), 65535],
        range(1000, 1000 + 2 * bpf.MOST_RANGES, 2),
    ],
)
def test_every_port_of_many_is_taken_and_no_other(ports: Sequence[int]) -> None:
    program = bpf.segments(ports)
    near = {port + each for port in ports for each in (-1, 0, 1)} & set(range(65536))
    taken = {port for port in near if run(program, bytes(IP() / TCP(sport=80, dport=port)))}
    assert taken == set(ports)
    assert {port for port in ports if run(program, bytes(IP() / TCP(sport=port, dport=80)))} == set(
        ports
    )


def test_of_too_many_ranges_the_nearest_are_joined() -> None:
    ports = [1, *range(1000, 1000 + 2 * bpf.MOST_RANGES, 2)]
    program = bpf.segments(ports)
    assert all(run(program, bytes(IP() / TCP(sport=80, dport=port))) for port in ports)
    assert not run(program, bytes(IP() / TCP(sport=80, dport=500)))


@pytest.mark.parametrize("ip", [IP(), IPv6()])
def test_of_what_we_send_only_syns_may_be_wanted(ip: IP | IPv6) -> None:
    program = bpf.segments([PORT], all_of_ours=False)
    protocol = V4 if isinstance(ip, IP) else V6

    def taken(**fields: object) -> bool:
        return run(program, bytes(ip / TCP(**fields)), protocol) > 0

    assert taken(sport=PORT, dport=80, flags="S")
    assert not taken(sport=PORT, dport=80, flags="A")
    assert taken(sport=80, dport=PORT, flags="A")
    assert taken(sport=PORT, dport=PORT, flags="A")


def test_nothing_is_nothing() -> None:
    assert run(bpf.NOTHING, bytes(IP() / TO_US)) == 0
