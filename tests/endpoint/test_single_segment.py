"""What answers a segment that opens no connection, and what that tells (section 3.10.7)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from handshake.endpoint.single_segment import SingleSegmentProbe
from handshake.packet.icmp import IcmpError
from handshake.prober import ClientOptions, Timeouts, Verdict
from handshake.tcp import Flags, Observed, Segment, Seq
from tests.reasons import because, explained
from tests.segments import A, B, segment

MS = 1_000_000
FIN = Flags.FIN
ACK = Flags.ACK
SYN_FIN = Flags.SYN | Flags.FIN


def probed(flags: Flags, timeouts: Timeouts | None = None) -> tuple[SingleSegmentProbe, Segment]:
    how = {"timeouts": timeouts or Timeouts(), "options": ClientOptions(flags=flags)}
    probe = SingleSegmentProbe(A, B, Seq(100), **how)  # type: ignore[arg-type]
    (sent,) = probe.start(0)
    return probe, sent


def receive(
    probe: SingleSegmentProbe, text: str, *, checksum_ok: bool = True
) -> tuple[Segment, ...]:
    return probe.receive(Observed(segment(text, by=B), MS, checksum_ok=checksum_ok), MS)


@pytest.mark.parametrize(
    ("flags", "answer", "verdict"),
    [
        # Without an ACK the RST acknowledges all octets, SYN and FIN included.
        (FIN, "<SEQ=0><ACK=101><CTL=RST,ACK>", Verdict.CLOSED),
        (Flags(0), "<SEQ=0><ACK=100><CTL=RST,ACK>", Verdict.CLOSED),
        (Flags.FIN | Flags.PSH | Flags.URG, "<SEQ=0><ACK=101><CTL=RST,ACK>", Verdict.CLOSED),
        (SYN_FIN, "<SEQ=0><ACK=102><CTL=RST,ACK>", Verdict.CLOSED),
        # With an ACK the RST has the sequence number that the ACK expects.
        (ACK, f"<SEQ={2**32 - 101}><CTL=RST>", Verdict.RESET),
        (Flags.SYN | ACK, f"<SEQ={2**32 - 101}><CTL=RST>", Verdict.RESET),
    ],
)
def test_a_valid_rst(flags: Flags, answer: str, verdict: Verdict) -> None:
    probe, sent = probed(flags)
    assert sent.flags == flags
    assert receive(probe, answer) == ()
    assert (probe.done, probe.verdict) == (True, verdict)
    code = "reset" if verdict is Verdict.RESET else "closed"
    # RFC 9293 does not require that a listening socket drops a SYN.
    syn = verdict is Verdict.CLOSED and Flags.SYN in flags
    assert explained(probe).code == f"segment.{code}{'-syn' if syn else ''}"


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
def test_an_invalid_answer_is_ignored(flags: Flags, answer: str) -> None:
    probe, _ = probed(flags)
    assert receive(probe, answer) == ()
    assert not probe.done
    assert len(probe.notes) == 1


def test_a_bad_checksum_is_dropped() -> None:
    probe, _ = probed(FIN)
    receive(probe, "<SEQ=0><ACK=101><CTL=RST,ACK>", checksum_ok=False)
    assert not probe.done


@pytest.mark.parametrize("acknowledged", [101, 102])
def test_a_listener_that_accepts_syn_fin_is_reset(acknowledged: int) -> None:
    probe, _ = probed(SYN_FIN)
    (rst,) = receive(probe, f"<SEQ=300><ACK={acknowledged}><CTL=SYN,ACK>")
    assert str(rst) == f"<SEQ={acknowledged}><CTL=RST>"
    assert probe.verdict is Verdict.HALF_OPEN
    reason = explained(probe)
    assert (reason.code, reason.values) == ("segment.open", {"asked": SYN_FIN, "port": 80})


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (FIN, "filtered"),
        (Flags(0), "filtered"),
        (ACK, "filtered-ack"),
        (SYN_FIN, "filtered-syn"),
    ],
)
def test_no_answer(flags: Flags, code: str) -> None:
    probe, sent = probed(flags)
    times: list[int] = []
    retransmitted: list[Segment] = []
    while not probe.done:
        times.append(probe.deadline // MS)
        retransmitted += probe.on_timer(probe.deadline)
    assert times == [1000, 3000, 5000]
    assert [(each.seq, each.flags) for each in retransmitted] == [(sent.seq, sent.flags)] * 2
    assert (probe.verdict, probe.syn_sent) == (Verdict.FILTERED, 3)
    reason = explained(probe, 5)
    assert (reason.code, reason.values["count"]) == (f"segment.{code}", 3)
    assert ("our segment without control bits" in str(reason)) == (not flags)


@pytest.mark.parametrize(("seq", "done"), [(100, True), (99, False)])
def test_an_icmp_error_must_quote_our_number(seq: int, done: bool) -> None:
    probe, _ = probed(FIN)
    probe.icmp(IcmpError(4, 3, 13, ip_address("203.0.113.1"), A, B, Seq(seq)))
    assert probe.done == done


def test_an_unsent_segment_is_a_local_error() -> None:
    probe, _ = probed(FIN)
    probe.unsent(because("a firewall on this machine dropped it"))
    assert (probe.verdict, probe.syn_sent) == (Verdict.LOCAL_ERROR, 0)
    assert explained(probe).code == "unsent.segment"
