"""A SYN answered by something that opens no connection, and what only looks like it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from handshake.survey import records
from tests.capture.files import pcap_header, pcap_record
from tests.diagnosis.made import BEGIN, RAW, assert_proven, between, codes, down, only, up
from tests.diagnosis.made import found as records_of

if TYPE_CHECKING:
    from pathlib import Path

    from handshake.record import Diagnosis
    from tests.diagnosis.made import Packet

SYN = up(0, "S", 100)
OPEN = [SYN, down(0.02, "SA", 900, 101), up(0.021, "A", 101, 901)]


def test_a_connection_that_goes_well_has_no_diagnosis() -> None:
    assert only(OPEN) is None


def test_a_syn_ack_that_acknowledges_the_isn_itself() -> None:
    found = only([SYN, down(0.01, "SA", 900, 100), up(0.0101, "R", 100)])
    assert found is not None
    assert (found.code, found.certainty, found.evidence) == (
        "wrong-acknowledgment",
        "proven",
        (1, 2, 3),
    )


def test_a_wrong_acknowledgment_across_the_end_of_the_sequence_space() -> None:
    assert codes([up(0, "S", 2**32 - 1), down(0.01, "SA", 900, 1)]) == ["wrong-acknowledgment"]
    assert codes([up(0, "S", 2**32 - 1), down(0.01, "SA", 900, 0)]) == ["syn-ack-unanswered"]


def test_a_syn_ack_that_takes_part_of_the_data_is_right() -> None:
    asked = up(0, "S", 100, length=18)
    assert codes([asked, down(0.01, "SA", 900, 111)]) == ["syn-ack-unanswered"]
    assert codes([asked, down(0.01, "SA", 900, 120)]) == ["wrong-acknowledgment"]


def test_an_old_connection_answers_until_it_is_reset() -> None:
    stale = [
        SYN,
        down(0.001, "A", 5000, 777),
        up(0.0011, "R", 777),
        up(1, "S", 100),
        down(1.001, "SA", 900, 101),
        up(1.002, "A", 101, 901),
    ]
    found = only(stale)
    assert found is not None
    assert (found.code, found.evidence) == ("stale-connection", (1, 2, 3, 5))
    assert [(each.code, each.frame) for each in found.ruled_out] == [("syn-ack-lost", 5)]


def test_an_ack_of_the_syn_without_syn_opens_nothing() -> None:
    assert codes([SYN, down(0.02, "A", 900, 101), up(1, "S", 100)]) == ["ack-without-syn"]


def test_a_split_handshake_is_no_missing_syn() -> None:
    split = [SYN, down(0.02, "A", 900, 101), down(0.03, "S", 899), up(0.031, "SA", 100, 900)]
    assert codes([*split, down(0.05, "A", 900, 101)]) == [None]


def test_an_old_segment_that_the_syn_overtook_delays_nothing() -> None:
    assert codes([SYN, down(0.001, "A", 5000, 777), *OPEN[1:]]) == [None]


def test_a_syn_ack_that_was_not_captured_is_no_old_connection() -> None:
    going_on = [SYN, up(0.021, "A", 101, 901), up(0.022, "PA", 101, 901, 10)]
    for ack in (101, 111):
        (code,) = codes([*going_on, down(0.04, "A", 901, ack)])
        assert code not in ("ack-without-syn", "stale-connection")


def test_a_syn_ack_with_the_echo_of_no_syn() -> None:
    asked = up(0, "S", 100, stamps=(1000, 0))
    answer = down(0.02, "SA", 900, 101, stamps=(5000, 4242))
    assert codes([asked, answer, up(0.0201, "R", 101)]) == ["timestamp-mangled"]
    for echo in (1000, 0):
        plain = down(0.02, "SA", 900, 101, stamps=(5000, echo))
        assert codes([asked, plain, up(0.0201, "R", 101)]) == ["reset-by-client"]


def test_answers_that_open_nothing_and_fit_no_cause() -> None:
    assert codes([SYN, down(0.02, "R", 0), up(1, "S", 100), down(1.02, "R", 0)]) == ["unexplained"]


@pytest.mark.parametrize("version", [4, 6])
def test_a_client_that_other_syn_acks_reach(version: int) -> None:
    server = "192.0.2.10" if version == 4 else "2001:db8::10"
    client = "10.0.0.1" if version == 4 else "2001:db8::1"
    opened = [up(0, "S", 100), down(0.01, "SA", 900, 101), up(0.02, "A", 101, 901)]
    stuck = [up(1, "S", 500), down(1.01, "SA", 77, 501), down(2.01, "SA", 77, 501)]
    other = between(opened, client=(client, 40001), server=(server, 443))
    stuck = between(stuck, client=(client, 40000), server=(server, 80))
    again = [*other, up(0.03, "PA", 101, 901, length=5), down(0.04, "A", 901, 106)]
    # The survey sums up an ordinary connection; the tracker follows one that has only begun.
    again = between(
        [up(0.03, "PA", 101, 901, length=5), down(0.04, "A", 901, 106)],
        client=(client, 40001),
        server=(server, 443),
    )
    for packets, reached in (
        ([*other, *stuck], True),
        ([*other, *again, *stuck], True),
        (stuck, False),
        ([*other[:2], *stuck], False),
    ):
        diagnosis = records_of(packets)[-1].diagnosis
        assert diagnosis is not None
        assert diagnosis.code == "syn-ack-unanswered"
        assert diagnosis.values["reached"] is reached
        assert [each.code for each in diagnosis.ruled_out] == ["path-back"] * reached


def tunnelled(path: Path, packets: list[Packet], wrong: set[int]) -> Diagnosis | None:
    """Return the diagnosis where the packets of these numbers have a wrong outer UDP checksum."""
    written = [pcap_header(magic=0xA1B23C4D, link_type=RAW)]
    for number, each in enumerate(packets, 1):
        inner = Ether() / IP(each.octets(number))
        outer = IP(src="192.0.2.1", dst="192.0.2.2") / UDP(sport=49999, dport=8472)
        made = bytearray(bytes(outer / VXLAN(flags=8, vni=5) / inner))
        if number in wrong:
            made[26] ^= 0x55
        seconds, fraction = divmod(BEGIN + round(each.at * 10**9), 10**9)
        octets = bytes(made)
        written.append(pcap_record(octets, seconds=seconds, fraction=fraction, length=len(octets)))
    path.write_bytes(b"".join(written))
    (record,) = records(path)
    if record.diagnosis is not None:
        assert_proven(record.diagnosis, path)
    return record.diagnosis


def test_a_tunnel_whose_outer_checksum_is_wrong(tmp_path: Path) -> None:
    asked = [up(at, "S", 100, stamps=(1000 + at, 0)) for at in (0, 1, 3)]
    opened = [down(3.01, "SA", 900, 101, stamps=(5, 1003)), up(3.011, "A", 101, 901)]
    diagnosis = tunnelled(tmp_path / "made.pcap", [*asked, *opened], {1, 2})
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty, diagnosis.evidence) == (
        "tunnel-checksum",
        "likely",
        (1, 2, 3, 4),
    )
    silent = tunnelled(tmp_path / "silent.pcap", asked, {1, 2, 3})
    assert silent is not None
    assert (silent.code, silent.certainty) == ("tunnel-checksum", "possible")


def test_a_tunnel_whose_wrong_checksum_is_not_why(tmp_path: Path) -> None:
    asked = [up(at, "S", 100, stamps=(1000 + at, 0)) for at in (0, 1, 3)]
    # The answer names a SYN with a wrong sum, or one with a right sum got none either.
    named = [down(3.01, "SA", 900, 101, stamps=(5, 1001)), up(3.011, "A", 101, 901)]
    late = tunnelled(tmp_path / "named.pcap", [*asked, *named], {1, 2})
    assert late is not None
    assert late.code == "syn-lost"
    silent = tunnelled(tmp_path / "silent.pcap", asked, {1, 2})
    assert silent is not None
    assert silent.code == "no-answer"
