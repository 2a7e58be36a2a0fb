"""Packets of each kind, and files of them."""

from __future__ import annotations

import io

from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import IPv6

from handshake.capture.pcapng_writer import PcapngWriter
from tests.capture.blocks import INBOUND, OUTBOUND, Packet

SYN = TCP(sport=40000, dport=80, seq=1234, flags="S")
V4 = bytes(IP(src="192.0.2.1", dst="198.51.100.1") / SYN)
V6 = bytes(IPv6(src="2001:db8::1", dst="2001:db8::2") / SYN / b"odd")
QUOTING = bytes(IP(src="203.0.113.1", dst="192.0.2.1") / ICMP(type=3, code=13) / V4)

AT = 1_795_348_701_123_456_789


def written(*each: Packet) -> bytes:
    out = io.BytesIO()
    writer = PcapngWriter(out)
    for at, octets, length, direction, comments in each:
        outgoing = {None: None, INBOUND: False, OUTBOUND: True}[direction]
        writer.packet(octets, at, outgoing, comments, length)
    return out.getvalue()
