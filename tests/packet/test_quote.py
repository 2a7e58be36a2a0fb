"""What an ICMP error quotes: as much as its sender likes."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6TimeExceeded, IPv6

from handshake.packet.icmp import quoted
from handshake.packet.ip import Datagram
from handshake.packet.quote import packet_quote, quote_of
from tests.packet.test_icmp import ROUTER, ROUTER6

OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]
SYN = TCP(sport=40000, dport=80, seq=1234, flags="S", window=64240, options=OPTIONS)
SENT = IP(src="192.0.2.1", dst="198.51.100.1", tos=0x20, ttl=1) / SYN
SENT6 = IPv6(src="2001:db8::1", dst="2001:db8::2", tc=0x20, hlim=1) / SYN


@pytest.mark.parametrize(
    "packet",
    [
        ROUTER / ICMP(type=11, code=0) / bytes(SENT),
        ROUTER6 / ICMPv6TimeExceeded(code=0) / bytes(SENT6),
        # Filled up to 128 octets, with an extension behind it (RFC 4884): its length tells.
        ROUTER / ICMP(type=11, code=0) / (bytes(SENT).ljust(128, b"\0") + b"\x20\x00\x00\x00"),
    ],
)
def test_a_whole_quote_has_type_of_service_window_and_options(packet: IP | IPv6) -> None:
    error = quoted(Datagram.parse(bytes(packet)))
    assert error is not None
    quote = quote_of(error)
    assert quote is not None
    assert (quote.ttl, quote.tos, quote.whole) == (1, 0x20, True)
    assert quote.segment is not None
    assert (quote.segment.window, quote.segment.options.mss) == (64240, 1460)
    assert quote == packet_quote(bytes(SENT if error.version == 4 else SENT6))


@pytest.mark.parametrize(
    ("octets", "window", "whole"), [(8, None, False), (20, 64240, False), (30, 64240, False)]
)
def test_a_short_quote_leaves_the_rest_unknown(
    octets: int, window: int | None, whole: bool
) -> None:
    error = quoted(
        Datagram.parse(bytes(ROUTER / ICMP(type=11, code=0) / bytes(SENT)[: 20 + octets]))
    )
    assert error is not None
    quote = quote_of(error)
    assert quote is not None
    assert (quote.tos, quote.whole) == (0x20, whole)
    assert (None if quote.segment is None else quote.segment.window) == window


def test_of_an_error_that_was_not_kept_there_is_no_quote() -> None:
    error = quoted(Datagram.parse(bytes(ROUTER / ICMP(type=11, code=0) / bytes(SENT))))
    assert error is not None
    object.__setattr__(error, "packet", b"")
    assert quote_of(error) is None
