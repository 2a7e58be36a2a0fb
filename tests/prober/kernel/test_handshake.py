"""What a socket shows of a SYN, as `tests/live/test_connect.py` has seen it."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from handshake.linux.tcp_info import TcpInfo
from handshake.prober import Verdict
from handshake.prober.kernel.handshake import negotiated, round_trip, syn_outcome
from handshake.tcp import Seq, State
from handshake.tcp.icmp import IcmpError
from tests.linux.test_tcp_info import OCTETS
from tests.segments import A, B

OPEN = TcpInfo.parse(OCTETS)
ASKED = replace(
    OPEN, state=State.SYN_SENT, bytes_acked=0, segs_in=0, rtt=0, timestamps=False, sack=False
)


def icmp(sender: str, code: int) -> IcmpError:
    return IcmpError(4, 3, code, ip_address(sender), A, B, Seq(1))


def judged(
    number: int = 0, error: IcmpError | None = None, given_up: bool = False, **seen: Any
) -> tuple[str, int] | None:
    found = syn_outcome(replace(ASKED, **seen), number, error, (A, B), given_up=given_up)
    return None if found is None else (str(found.verdict), found.syn_sent)


CLOSED = State.CLOSED
ROUTER, OURSELVES = "203.0.113.1", str(A.address)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({}, None),
        ({"state": State.ESTABLISHED}, ("open", 1)),
        ({"state": State.CLOSE_WAIT}, ("open", 1)),
        ({"state": CLOSED, "number": errno.ECONNRESET}, ("open", 1)),
        ({"state": CLOSED, "number": errno.ECONNREFUSED, "total_retrans": 1}, ("closed", 2)),
        # The error was not there yet when it was asked for: another event follows.
        ({"state": CLOSED}, None),
        ({"state": CLOSED, "number": errno.ENETUNREACH}, ("local-error", 0)),
        ({"error": icmp(ROUTER, 1), "number": errno.EHOSTUNREACH}, ("unreachable", 1)),
        ({"error": icmp(ROUTER, 3), "number": errno.ECONNREFUSED}, ("unreachable", 1)),
        ({"error": icmp(ROUTER, 1), "state": State.ESTABLISHED}, ("open", 1)),
        ({"error": icmp(OURSELVES, 13)}, ("local-error", 0)),
        ({"error": icmp(OURSELVES, 1)}, ("local-error", 0)),
        ({"error": icmp(OURSELVES, 1), "state": CLOSED}, ("unreachable", 0)),
        ({"error": icmp(OURSELVES, 1), "state": CLOSED, "total_retrans": 2}, ("unreachable", 2)),
        # What was sent again and got away is among the unacknowledged.
        ({"total_retrans": 2, "retrans": 1}, None),
        ({"total_retrans": 1, "retrans": 0}, None),
        ({"total_retrans": 2, "retrans": 0}, ("local-error", 0)),
        ({"given_up": True}, ("filtered", 1)),
        ({"given_up": True, "retransmits": 2, "total_retrans": 2, "retrans": 1}, ("filtered", 3)),
        ({"given_up": True, "retransmits": 1, "total_retrans": 1}, ("local-error", 0)),
        ({"given_up": True, "retransmits": 1}, ("local-error", 0)),
        ({"given_up": True, "segs_in": 1}, ("bad-peer", 1)),
        ({"given_up": True, "segs_in": None}, ("filtered", 1)),
        ({"given_up": True, "state": State.SYN_RECEIVED}, ("half-open", 1)),
        ({"number": errno.ETIMEDOUT, "state": CLOSED}, ("filtered", 1)),
    ],
)
def test_what_became_of_our_syn(seen: dict[str, Any], expected: tuple[str, int] | None) -> None:
    assert judged(**seen) == expected


def test_only_a_syn_without_an_ack_leads_to_syn_received() -> None:
    for state, crossed in ((State.SYN_RECEIVED, True), (State.SYN_SENT, False)):
        found = syn_outcome(replace(ASKED, state=state), 0, None, (A, B), given_up=True)
        assert found is not None
        assert found.crossed is crossed


def test_a_call_to_ourselves_is_rejected_by_whom_we_call() -> None:
    error = IcmpError(4, 3, 13, A.address, A, A, Seq(1))
    found = syn_outcome(ASKED, 0, error, (A, A), given_up=False)
    assert found is not None
    assert (found.verdict, found.error) == (Verdict.UNREACHABLE, error)


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ({"rtt": 43}, (43e-6, False)),
        ({"rtt": 0}, (None, False)),
        ({"rtt": 1000, "total_retrans": 1}, (0.001, False)),
        # It echoes the clock of the first SYN, and the answer may be to the second.
        ({"rtt": 1_031_000, "total_retrans": 1}, (1.031, True)),
        ({"rtt": 0, "total_retrans": 1, "timestamps": False}, (None, True)),
    ],
)
def test_round_trip(seen: dict[str, Any], expected: tuple[float | None, bool]) -> None:
    assert round_trip(replace(OPEN, **seen)) == expected


def test_what_is_in_force() -> None:
    found = negotiated(OPEN)
    # Room for the timestamps is taken off what the kernel calls its MSS.
    assert (found.mss, found.snd_shift, found.rcv_shift) == (1460, 10, 10)
    assert (found.sack, found.timestamps, found.ecn) == (True, True, False)
    plain = negotiated(replace(OPEN, timestamps=False, window_scale=False))
    assert (plain.mss, plain.snd_shift, plain.rcv_shift) == (1448, 0, 0)


@pytest.mark.parametrize(
    ("window", "mss"),
    [
        (None, 1460),
        (65_536, 1460),
        (2_898, 1460),
        # Half of the window, and not the MSS, is what shows.
        (2_896, None),
        (536, None),
    ],
)
def test_of_a_small_window_the_mss_does_not_show(window: int | None, mss: int | None) -> None:
    assert negotiated(replace(OPEN, snd_wnd=window)).mss == mss
