"""Numbers of the record that only the packets may decide: times, offers, what nobody accepts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handshake.tcp import Segment
from handshake.tcp.address import ip_address
from handshake.tracker import Tracker, summarize
from tests.segments import A, B
from tests.tracker.conversation import findings, observed, records

SYN = "0 A <SEQ=100><CTL=SYN>"
SYN_ACK = "0.01 B <SEQ=300><ACK=101><CTL=SYN,ACK>"
ACK = "0.02 A <SEQ=101><ACK=301><CTL=ACK>"
CLOSE = (
    "A <SEQ=101><ACK=301><CTL=FIN,ACK>",
    "B <SEQ=301><ACK=102><CTL=FIN,ACK>",
    "A <SEQ=102><ACK=302><CTL=ACK>",
)


def test_a_time_of_zero_is_a_time() -> None:
    (record,) = records(SYN, SYN_ACK.replace("0.01", "0"), ACK.replace("0.02", "0"))
    assert record.handshake.rtt == 0
    assert record.handshake.initial_rtt is None


def test_the_clients_own_rst_answers_nothing() -> None:
    (record,) = records(SYN, "0.2 A <SEQ=101><ACK=1><CTL=RST,ACK>")
    assert record.handshake.rtt is None
    assert record.handshake.initial_rtt == 0.2


def test_no_time_across_a_clock_that_stepped_back() -> None:
    lines = (SYN.replace("0 A", "9 A"), SYN_ACK, ACK)
    (record,) = records(*lines)
    assert (record.handshake.rtt, record.duration) == (None, None)
    assert record.handshake.syn_ack_to_ack == 0.01
    assert findings(*lines) == ["clock-step@2"]


def test_an_answer_before_its_syn_gives_no_round_trip() -> None:
    lines = ("0 B <SEQ=300><ACK=101><CTL=SYN,ACK>", "0.01 A <SEQ=100><CTL=SYN>", ACK)
    (record,) = records(*lines)
    client = record.client
    assert (client.mss, client.window_scale, client.sack_permitted) == (1460, 7, True)
    assert record.handshake.rtt is None
    assert findings(*lines) == ["answer-first@2"]


@pytest.mark.parametrize("flags", ["FIN,SYN,RST,ACK", "FIN,SYN,ACK", "SYN,RST,ACK", "SYN,ACK"])
def test_a_stray_syn_wipes_nothing(flags: str) -> None:
    (record,) = records(SYN, SYN_ACK, ACK, f"B <SEQ=777><ACK=101><CTL={flags}> opts=")
    assert record.negotiated is not None
    assert (record.negotiated.client_mss, record.negotiated.client_shift) == (1460, 7)
    assert (record.server.state, record.server.iss, record.closed) == ("ESTABLISHED", 300, None)


def test_a_stray_syn_after_the_close_wipes_nothing() -> None:
    (record,) = records(SYN_ACK, ACK, *CLOSE, "A <SEQ=100><CTL=SYN>")
    assert (record.server.state, record.server.iss) == ("CLOSED", 300)
    assert (record.conn_state, record.closed) == ("SF", "fin")


@pytest.mark.parametrize("offset", [2, 4, 15])
@pytest.mark.parametrize("flags", [0x02, 0x07, 0x14, 0x10])
def test_an_impossible_data_offset_changes_nothing(offset: int, flags: int) -> None:
    head = bytes.fromhex("c0000050 00000065 0000012d") + bytes((offset << 4, flags)) + bytes(6)
    bogus = Segment.parse(A.address, B.address, head, len(head))
    tracker = Tracker()
    tracker.feed(replace(observed(ACK, 0, 1), segment=bogus))
    (record,) = [summarize(each) for each in tracker.connections]
    assert (record.outcome, record.closed) == ("mid-stream", None)
    assert (record.client.state, record.client.zero_windows) == (None, 0)
    assert [each.code for each in record.findings] == ["malformed"]

    tracker = Tracker()
    for frame, line in enumerate((SYN, SYN_ACK, ACK), start=1):
        tracker.feed(observed(line, 0, frame))
    step = tracker.feed(replace(observed(ACK, 0, 4), segment=bogus))
    assert not step.sender.changed
    assert not step.receiver.changed


def test_mapped_addresses_are_written_as_rfc_5952_has_them() -> None:
    assert str(ip_address("::ffff:102:304")) == "::ffff:1.2.3.4"
    assert str(ip_address("::ffff:102:304%eth0")) == "::ffff:1.2.3.4%eth0"
    assert str(ip_address("::102:304")) == "::102:304"
