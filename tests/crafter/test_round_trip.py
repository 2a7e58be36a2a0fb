"""What is crafted, decoded and crafted again has the same octets, whatever it is."""

from __future__ import annotations

import shlex
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from handshake.crafter.command import arguments, command
from handshake.crafter.decode import decode
from handshake.crafter.fields import DESTINATION, SOURCE, PacketFields, build
from handshake.crafter.minimal import minimal
from handshake.crafter.scapy_code import scapy_code
from handshake.crafter.tcp_options import TcpOptions
from handshake.errors import UsageError
from handshake.tcp import Flags
from tests.crafter.making import OPTIONS, PACKETS, crafted


def beginning_of(fields: PacketFields, octets: bytes) -> str:
    """Return what the octets begin with; one that is cut before its version is no packet."""
    assume(octets)
    assume(fields.bare or octets[0] >> 4 == fields.version)
    return "tcp" if fields.bare else "ip"


@settings(max_examples=120, deadline=None)
@given(PACKETS)
def test_decoded_fields_make_the_same_octets(fields: PacketFields) -> None:
    octets = build(fields)
    found = decode(octets, beginning_of(fields, octets))
    assert build(found.fields) == octets
    assert build(minimal(found.fields)) == octets


@settings(max_examples=50, deadline=None)
@given(PACKETS)
def test_the_command_makes_the_same_octets(fields: PacketFields) -> None:
    octets = build(fields)
    found = decode(octets, beginning_of(fields, octets))
    assert crafted(arguments(found.fields)) == octets


@settings(max_examples=100, deadline=None)
@given(PACKETS)
def test_the_code_for_scapy_builds_the_same_octets(fields: PacketFields) -> None:
    names: dict[str, Any] = {}
    exec(scapy_code(fields), names)
    assert bytes(names["packet"]) == build(fields)


@settings(max_examples=120, deadline=None)
@given(OPTIONS, st.integers(0, 0x1FF).map(Flags), st.sampled_from([4, 6]))
def test_options_by_name_are_the_same_octets(raw: bytes, flags: Flags, version: int) -> None:
    assert TcpOptions.of(raw, flags, version).octets(flags, version) == raw


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=120), st.sampled_from([None, "ethernet", "cooked", "ip", "tcp"]))
def test_any_octets_are_decoded_or_refused_in_a_line(octets: bytes, beginning: str | None) -> None:
    try:
        found = decode(octets, beginning)
    except UsageError:
        return
    assert build(found.fields) == found.octets[found.ip_at :]


def test_a_command_names_only_what_is_not_as_usual() -> None:
    fields = PacketFields(SOURCE[4], DESTINATION[4], options=TcpOptions().octets(Flags.SYN, 4))
    assert command(fields) == "handshake craft 192.0.2.2:80"
    again = decode(build(fields)).fields
    assert command(again) == "handshake craft 192.0.2.2:80"


@pytest.mark.parametrize(
    "line",
    [
        "192.0.2.2:80 --source 192.0.2.1:50000 --flags SYN,ACK --seq 100 --ack 301",
        "[2001:db8::7]:443 --source [2001:db8::1]:50000 --ttl 5 --flow-label 0x12345 --mss 1220",
        "192.0.2.2:80 --reserved 5 --checksum 0x1234",
        "192.0.2.2:80 --flags ACK --tsval 7 --tsecr 9 --payload 'GET / HTTP/1.0\\r\\n\\r\\n'",
        "192.0.2.2:80 --flags none --fragment 8 --ip-flags RESERVED,MF --options-raw 0205ffff",
        "192.0.2.2:80 --no-wscale --no-sack --no-timestamps --option 254:f9890102 --bare",
        "192.0.2.2:80 --options-raw none --trailer 000000",
        "192.0.2.2:80 --fast-open=0102030405060708 --payload hex:00ff00ff80",
    ],
)
def test_a_command_comes_back_as_it_was_given(line: str) -> None:
    octets = crafted(shlex.split(line))
    beginning = "tcp" if "--bare" in line else "ip"
    assert arguments(decode(octets, beginning).fields) == shlex.split(line)


def test_addresses_with_a_scope_are_not_on_the_wire() -> None:
    assert build(
        PacketFields(SOURCE[6].of("fe80::1%lo", 1), DESTINATION[6].of("fe80::2%lo", 2), options=b"")
    )[8:40] == (ip_address("fe80::1").packed + ip_address("fe80::2").packed)
