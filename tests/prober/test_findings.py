"""What an expert would point at in the answers to a call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handshake.prober.findings import (
    REFUSED,
    answered_on_path,
    dropped_by_local_firewall,
    findings_of,
)
from handshake.record import Finding
from handshake.tcp import Observed, Options
from handshake.tcp import options as opt
from tests.segments import LINUX, A, B, segment

SYN = Observed(segment("<SEQ=100><CTL=SYN>", options=LINUX), 0, ttl=64, outgoing=True)


def heard(
    text: str, options: Options | None = None, *, ttl: int = 60, window: int = 500
) -> Observed:
    seg = segment(text, by=B, options=options, window=window)
    return Observed(seg, 10, ttl=ttl, outgoing=False)


def syn_ack(*parts: bytes, ttl: int = 60, window: int = 500) -> Observed:
    return heard("<SEQ=300><ACK=101><CTL=SYN,ACK>", Options.of(*parts), ttl=ttl, window=window)


def found(*segments: Observed, findings: tuple[Finding, ...] = ()) -> dict[str, Finding]:
    return {each.code: each for each in findings_of([SYN, *segments], 1460, findings)}


MSS = opt.mss(1460)
CLOCKS = opt.timestamps(7, 1000)
SHIFT = opt.nop() + opt.window_scale(9)


def test_an_ordinary_answer_has_none() -> None:
    assert found(syn_ack(MSS, opt.sack_permitted(), CLOCKS, SHIFT)) == {}
    assert found() == {}
    assert found(heard("<SEQ=0><ACK=101><CTL=RST,ACK>")) == {}


@pytest.mark.parametrize(
    ("parts", "code", "values"),
    [
        ((MSS, CLOCKS, SHIFT), "options-refused", {"missing": ["SACK"], "one": True}),
        (
            (MSS, opt.sack_permitted()),
            "options-refused",
            {"missing": ["timestamps", "window scaling"], "one": False},
        ),
        ((MSS,), "options-stripped", {"missing": ["SACK", "timestamps", "window scaling"]}),
        (
            (opt.mss(1380),),
            "mss-low",
            {"mss": 1380, "below": 80, "path": 1460, "tiny": False},
        ),
        ((opt.mss(27),), "mss-low", {"mss": 27, "below": 1433, "path": 1460, "tiny": True}),
        ((), "no-mss", {"default": 536}),
    ],
)
def test_options_that_are_not_there(
    parts: tuple[bytes, ...], code: str, values: dict[str, object]
) -> None:
    assert found(syn_ack(*parts))[code].values == values


def test_what_was_not_offered_is_not_missed() -> None:
    bare = replace(SYN, segment=segment("<SEQ=100><CTL=SYN>", options=Options.of(MSS)))
    assert list(findings_of([bare, syn_ack(MSS)], 1460, ())) == []


def test_a_syn_proxy_has_no_room_before_its_server_has() -> None:
    full = (MSS, opt.sack_permitted(), CLOCKS, SHIFT)
    update = heard("<SEQ=301><ACK=101><CTL=ACK>", ttl=59)
    proxy = found(syn_ack(*full, window=0), update)["syn-proxy"]
    assert (proxy.variant, proxy.values) == ("opened", {"ttl": 60, "ttls": [59]})
    proxy = found(syn_ack(*full, window=0))["syn-proxy"]
    assert (proxy.variant, proxy.values) == ("never-opened", {"ttl": 60, "ttls": []})


def test_of_the_trackers_findings_those_of_a_caller_are_told() -> None:
    told = Finding("ecn-refused", 1)
    not_told = Finding("mid-stream", 1)
    assert found(findings=(told, not_told)) == {told.code: replace(told, frame=None)}


def test_ours_and_theirs_are_not_mixed_up() -> None:
    theirs = Observed(segment("<SEQ=5><CTL=SYN>", by=B), 5, outgoing=False)
    assert theirs.segment.source == B != A
    assert found(theirs) == {}


@pytest.mark.parametrize(("answer", "code"), [("RST", REFUSED), ("SYN-ACK", "answered-on-the-way")])
def test_an_answer_from_nearer_than_the_target(answer: str, code: str) -> None:
    finding = answered_on_path(answer, 128, B.address, A.address)
    assert finding.code == code
    assert (finding.values["ttl"], finding.values["most"]) == (128, 127)
    assert (finding.values["address"], finding.values["gateway"]) == (B.address, A.address)


def test_the_local_firewall_is_not_the_only_reason_for_a_missing_answer() -> None:
    finding = dropped_by_local_firewall()
    assert finding.code == "own-firewall"
    assert "reverse-path filtering" in finding.text
