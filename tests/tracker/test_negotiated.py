"""What each end offered, and what of it is in force."""

from __future__ import annotations

from dataclasses import asdict
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from handshake import events as ev
from handshake.tcp import Seq
from handshake.tcp.icmp import IcmpError
from handshake.tracker import Tracker, summarize
from tests.segments import A, B
from tests.tracker.conversation import observed, records, tracked

if TYPE_CHECKING:
    from handshake.tcp import Agreement

SYN = "A <SEQ=100><CTL=SYN>"
SYN_ACK = "B <SEQ=300><ACK=101><CTL=SYN,ACK>"
ACK = "A <SEQ=101><ACK=301><CTL=ACK>"


def in_force(syn: str, syn_ack: str) -> Agreement:
    found = records(syn, syn_ack)[0].negotiated
    assert found is not None
    return found


def test_all_that_both_offered() -> None:
    found = in_force(
        f"{SYN} opts=mss1460,sack,ts1/0,ws7 ecn=ece,cwr",
        f"{SYN_ACK} opts=mss1400,sack,ts2/1,ws9 ecn=ece",
    )
    assert asdict(found) == {
        "client_mss": 1400,
        "server_mss": 1460,
        "client_shift": 7,
        "server_shift": 9,
        "sack": True,
        "timestamps": True,
        "ecn": "classic",
        "fast_open": "none",
        "mptcp": False,
        "md5": False,
        "ao": False,
        "user_timeout": None,
    }


@pytest.mark.parametrize(
    "lines",
    [
        (f"{SYN} opts=mss1300,sack,ws2", f"{SYN_ACK} opts=mss1400,ts1/0,ws3"),
        (
            f"{SYN} opts=mss1300,ws2",
            "B <SEQ=300><CTL=SYN> opts=mss1400,ws3",
            "B <SEQ=300><ACK=101><CTL=SYN,ACK> opts=mss1400,ws3",
            "A <SEQ=100><ACK=301><CTL=SYN,ACK> opts=mss1300,ws2",
        ),
    ],
)
def test_the_event_and_the_record_agree(lines: tuple[str, ...]) -> None:
    tracker, found = Tracker(), list[ev.Event]()
    for number, line in enumerate(lines):
        found += tracker.feed(observed(line, number, number)).events
    (event,) = (each for each in found if isinstance(each, ev.OptionsNegotiated))
    assert event.agreed == summarize(tracker.connections[0]).negotiated
    assert (event.agreed.client_mss, event.agreed.server_mss, event.scaled) == (1400, 1300, True)


def test_what_only_one_offered_is_not_in_force() -> None:
    found = in_force(f"{SYN} opts=mss1460,sack,ts1/0,ws7,mptcp ecn=ece,cwr", f"{SYN_ACK} opts=")
    assert (found.client_mss, found.server_mss) == (536, 1460)
    assert (found.client_shift, found.server_shift) == (0, 0)
    assert (found.sack, found.timestamps, found.mptcp, found.ecn) == (False, False, False, "none")


@pytest.mark.parametrize(
    ("syn", "syn_ack", "word"),
    [
        (f"{SYN} opts=tfo0", f"{SYN_ACK} opts=", "requested"),
        (f"{SYN} opts=tfo0", f"{SYN_ACK} opts=tfo8", "cookie"),
        ("A <SEQ=100><DATA=9><CTL=SYN> opts=tfo8", SYN_ACK, "data-rejected"),
        (
            "A <SEQ=100><DATA=9><CTL=SYN> opts=tfo8",
            "B <SEQ=300><ACK=110><CTL=SYN,ACK>",
            "data-accepted",
        ),
        (SYN, SYN_ACK, "none"),
    ],
)
def test_fast_open(syn: str, syn_ack: str, word: str) -> None:
    assert in_force(syn, syn_ack).fast_open == word


def test_accurate_ecn_and_multipath() -> None:
    found = in_force(
        f"{SYN} opts=mss1460,mptcp ecn=ae,ece,cwr", f"{SYN_ACK} opts=mss1460,mptcp ecn=ae"
    )
    assert (found.ecn, found.mptcp) == ("accecn", True)
    (record,) = records(f"{SYN} opts=mss1460,mptcp ecn=ae,ece,cwr")
    assert (record.client.accecn, record.client.ecn, record.client.mptcp) == (
        True,
        True,
        "MP_CAPABLE",
    )
    assert record.negotiated is None


def error(seq: int = 100, code: int = 13) -> IcmpError:
    return IcmpError(4, 3, code, ip_address("203.0.113.9"), A, B, Seq(seq), frame=2)


def test_unreachable() -> None:
    tracker = tracked(SYN)
    tracker.quoted(error())
    record = summarize(tracker.connections[0])
    assert (record.outcome, record.icmp) == ("unreachable", error())
    assert record.as_json()["icmp"] == {"type": 3, "code": 13, "from": "203.0.113.9"}
    (found,) = record.findings
    assert (found.code, found.frame, found.values["sender"]) == (
        "unreachable",
        2,
        ip_address("203.0.113.9"),
    )


@pytest.mark.parametrize(
    ("lines", "quoted", "outcome", "code"),
    [
        # Not the SYN's number: a guess.
        ((SYN,), error(seq=7), "no-answer", "icmp-error"),
        # A packet that is too big does not show whether the host can be reached.
        ((SYN,), error(code=4), "no-answer", "icmp-error"),
        ((SYN, SYN_ACK, ACK), error(), "established", "icmp-error"),
    ],
)
def test_an_icmp_error_that_decides_nothing(
    lines: tuple[str, ...], quoted: IcmpError, outcome: str, code: str
) -> None:
    tracker = tracked(*lines)
    tracker.quoted(quoted)
    record = summarize(tracker.connections[0])
    assert (record.outcome, record.icmp) == (outcome, None)
    assert code in [each.code for each in record.findings]


def test_an_answer_after_all() -> None:
    tracker = tracked(SYN)
    tracker.quoted(error())
    tracked(SYN, SYN_ACK, ACK, tracker=tracker)
    record = summarize(tracker.connections[0])
    assert (record.outcome, record.icmp) == ("established", None)


def test_an_icmp_error_about_nothing_known() -> None:
    assert tracked().quoted(error()) is None
