"""A probe's diagnosis is that which `list` gives of its own capture."""

from __future__ import annotations

from dataclasses import replace

from handshake.prober import Result, Verdict
from handshake.prober.explanation import verdict_message
from handshake.tcp import Observed
from tests.segments import B, segment


def sent(text: str, at: float) -> Observed:
    return Observed(segment(text), round(at * 10**9), outgoing=True, ttl=64)


def received(text: str, at: float, ttl: int = 60) -> Observed:
    return Observed(segment(text, by=B), round(at * 10**9), outgoing=False, ttl=ttl)


def result(verdict: Verdict, *segments: Observed) -> Result:
    return Result(
        verdict=verdict,
        target="198.51.100.7:80",
        address=str(B.address),
        port=B.port,
        reason=verdict_message("reset", accepted=False),
        segments=segments,
        syn_sent=sum(bool(each.outgoing and each.segment.syn) for each in segments),
    )


SYN = sent("<SEQ=100><CTL=SYN>", 0)
AGAIN = sent("<SEQ=100><CTL=SYN>", 1)


def test_a_refused_probe() -> None:
    found = result(Verdict.CLOSED, SYN, received("<SEQ=0><ACK=101><CTL=RST,ACK>", 0.02))
    assert found.diagnosis is not None
    assert (found.diagnosis.code, found.diagnosis.evidence) == ("refused", (1, 2))
    as_json = found.as_json()["diagnosis"]
    assert as_json["code"] == "refused"


def test_a_probe_without_an_answer() -> None:
    found = result(Verdict.FILTERED, SYN, AGAIN).diagnosis
    assert found is not None
    assert (found.code, found.certainty) == ("no-answer", "possible")


def test_a_wrong_acknowledgment() -> None:
    wrong = received("<SEQ=300><ACK=91><CTL=SYN,ACK>", 0.02)
    found = result(Verdict.BAD_PEER, SYN, wrong, sent("<SEQ=91><CTL=RST>", 0.0201)).diagnosis
    assert found is not None
    assert (found.code, found.certainty) == ("wrong-acknowledgment", "proven")


def test_a_rst_before_the_hosts_own_syn_ack() -> None:
    rst = received("<SEQ=0><ACK=101><CTL=RST,ACK>", 0.02, ttl=57)
    own = received("<SEQ=300><ACK=101><CTL=SYN,ACK>", 0.18, ttl=48)
    found = result(Verdict.CLOSED, SYN, rst, own).diagnosis
    assert found is not None
    assert (found.code, found.certainty) == ("injected-reset", "proven")


def test_a_probe_that_opens_at_once_has_none_and_spends_no_time_on_it() -> None:
    answer = received("<SEQ=300><ACK=101><CTL=SYN,ACK>", 0.02)
    opened = result(Verdict.OPEN, SYN, answer, sent("<SEQ=101><ACK=301><CTL=ACK>", 0.021))
    assert opened.diagnosis is None
    assert opened.as_json()["diagnosis"] is None


def test_a_probe_of_which_no_segment_was_kept_leaves_the_cause_open() -> None:
    for verdict, code in ((Verdict.FILTERED, "no-answer"), (Verdict.CLOSED, "refused")):
        found = replace(result(verdict), syn_sent=3, duration=7.0).diagnosis
        assert found is not None
        assert (found.code, found.certainty, found.evidence) == (code, "possible", ())
        assert found.text
    assert result(Verdict.LOCAL_ERROR).diagnosis is None
