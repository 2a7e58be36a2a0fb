"""What answers a segment that asks for no connection, and what that tells (section 3.10.7)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from handshake.endpoint.single_segment import SingleSegmentProbe
from handshake.packet.icmp import IcmpError
from handshake.prober import ClientOptions, Timeouts, Verdict
from handshake.prober.explanation import reason
from handshake.tcp import Flags, Observed, Segment, Seq
from tests.segments import A, B, segment

MS = 1_000_000
FIN = Flags.FIN
ACK = Flags.ACK
SYN_FIN = Flags.SYN | Flags.FIN


def knocked(flags: Flags, timeouts: Timeouts | None = None) -> tuple[SingleSegmentProbe, Segment]:
    how = {"timeouts": timeouts or Timeouts(), "options": ClientOptions(flags=flags)}
    probe = SingleSegmentProbe(A, B, Seq(100), **how)  # type: ignore[arg-type]
    (sent,) = probe.start(0)
    return probe, sent


def hear(probe: SingleSegmentProbe, text: str, *, checksum_ok: bool = True) -> tuple[Segment, ...]:
    return probe.receive(Observed(segment(text, by=B), MS, checksum_ok=checksum_ok), MS)


def why(probe: SingleSegmentProbe) -> str:
    return reason(probe, 5)


@pytest.mark.parametrize(
    ("flags", "answer", "verdict"),
    [
        # Without an ACK the answer acknowledges all that came, SYN and FIN counted.
        (FIN, "<SEQ=0><ACK=101><CTL=RST,ACK>", Verdict.CLOSED),
        (Flags(0), "<SEQ=0><ACK=100><CTL=RST,ACK>", Verdict.CLOSED),
        (Flags.FIN | Flags.PSH | Flags.URG, "<SEQ=0><ACK=101><CTL=RST,ACK>", Verdict.CLOSED),
        (SYN_FIN, "<SEQ=0><ACK=102><CTL=RST,ACK>", Verdict.CLOSED),
        # With one it has the number that the ACK asked for.
        (ACK, f"<SEQ={2**32 - 101}><CTL=RST>", Verdict.RESET),
        (Flags.SYN | ACK, f"<SEQ={2**32 - 101}><CTL=RST>", Verdict.RESET),
    ],
)
def test_a_reset_that_has_the_right_numbers(flags: Flags, answer: str, verdict: Verdict) -> None:
    probe, sent = knocked(flags)
    assert sent.flags == flags
    assert hear(probe, answer) == ()
    assert (probe.done, probe.verdict) == (True, verdict)
    told = why(probe)
    assert ("nothing listens on port 80" in told) == (verdict is Verdict.CLOSED)
    assert ("it does not tell" in told) == (verdict is Verdict.RESET)
    # Of a SYN, RFC 9293 does not ask that.
    silent = verdict is Verdict.CLOSED and Flags.SYN not in flags
    assert ("a listener would have dropped it in silence" in told) == silent


@pytest.mark.parametrize(
    ("flags", "answer"),
    [
        (FIN, "<SEQ=0><ACK=100><CTL=RST,ACK>"),
        (FIN, "<SEQ=0><CTL=RST>"),
        (ACK, "<SEQ=7><CTL=RST>"),
        (ACK, "<SEQ=0><ACK=100><CTL=RST,ACK>"),
        (FIN, "<SEQ=300><ACK=101><CTL=SYN,ACK>"),
        (SYN_FIN, "<SEQ=300><ACK=100><CTL=SYN,ACK>"),
    ],
)
def test_what_answers_nothing_of_ours_is_ignored(flags: Flags, answer: str) -> None:
    probe, _ = knocked(flags)
    assert hear(probe, answer) == ()
    assert not probe.done
    assert len(probe.notes) == 1


def test_a_bad_checksum_is_dropped() -> None:
    probe, _ = knocked(FIN)
    hear(probe, "<SEQ=0><ACK=101><CTL=RST,ACK>", checksum_ok=False)
    assert not probe.done


@pytest.mark.parametrize("acknowledged", [101, 102])
def test_a_listener_that_takes_a_syn_with_fin_is_reset(acknowledged: int) -> None:
    probe, _ = knocked(SYN_FIN)
    (rst,) = hear(probe, f"<SEQ=300><ACK={acknowledged}><CTL=SYN,ACK>")
    assert str(rst) == f"<SEQ={acknowledged}><CTL=RST>"
    assert probe.verdict is Verdict.HALF_OPEN
    assert why(probe) == "SYN+ACK answered our SYN-FIN: a program listens on port 80. We reset it"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (FIN, "nothing answered our FIN 3 times in 5.0 s: a program listens on port 80, and drops"),
        (Flags(0), "nothing answered our segment without control bits 3 times"),
        (ACK, "a firewall drops what belongs to no connection"),
        (SYN_FIN, "hosts and firewalls that take it for an attack drop it, listener or not"),
    ],
)
def test_silence_means_one_thing_or_another(flags: Flags, says: str) -> None:
    probe, sent = knocked(flags)
    times: list[int] = []
    again: list[Segment] = []
    while not probe.done:
        times.append(probe.deadline // MS)
        again += probe.on_timer(probe.deadline)
    assert times == [1000, 3000, 5000]
    assert [(each.seq, each.flags) for each in again] == [(sent.seq, sent.flags)] * 2
    assert (probe.verdict, probe.syn_sent) == (Verdict.FILTERED, 3)
    assert says in why(probe)


@pytest.mark.parametrize(("seq", "done"), [(100, True), (99, False)])
def test_an_icmp_error_must_quote_our_number(seq: int, done: bool) -> None:
    probe, _ = knocked(FIN)
    probe.icmp(IcmpError(4, 3, 13, ip_address("203.0.113.1"), A, B, Seq(seq)))
    assert probe.done == done


def test_what_was_not_sent_is_a_local_error() -> None:
    probe, _ = knocked(FIN)
    probe.unsent("a firewall on this machine dropped it")
    assert (probe.verdict, probe.syn_sent) == (Verdict.LOCAL_ERROR, 0)
    assert why(probe) == "this machine did not send our FIN: a firewall on this machine dropped it"
