"""What an expert would point at in the answers to a call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handshake.prober.findings import REFUSED, hints, kept_out, too_near
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


def found(*segments: Observed, findings: tuple[Finding, ...] = ()) -> dict[str, str]:
    return {each.code: each.text for each in hints([SYN, *segments], 1460, findings)}


MSS = opt.mss(1460)
CLOCKS = opt.timestamps(7, 1000)
SHIFT = opt.nop() + opt.window_scale(9)


def test_an_ordinary_answer_has_none() -> None:
    assert found(syn_ack(MSS, opt.sack_permitted(), CLOCKS, SHIFT)) == {}
    assert found() == {}
    assert found(heard("<SEQ=0><ACK=101><CTL=RST,ACK>")) == {}


@pytest.mark.parametrize(
    ("parts", "code", "words"),
    [
        ((MSS, CLOCKS, SHIFT), "options-refused", "Our SYN offered SACK, and the SYN+ACK does not"),
        ((MSS, opt.sack_permitted()), "options-refused", "timestamps and window scaling"),
        ((MSS,), "options-stripped", "Nothing that our SYN offered (SACK, timestamps and window"),
        ((opt.mss(1380),), "mss-low", "The SYN+ACK's MSS is 1380, 80 less than our side"),
        ((), "no-mss", "no segment to it may carry more than 536 octets"),
    ],
)
def test_options_that_are_not_there(parts: tuple[bytes, ...], code: str, words: str) -> None:
    assert words in found(syn_ack(*parts))[code]


def test_what_was_not_offered_is_not_missed() -> None:
    bare = replace(SYN, segment=segment("<SEQ=100><CTL=SYN>", options=Options.of(MSS)))
    assert list(hints([bare, syn_ack(MSS)], 1460, ())) == []


def test_a_syn_proxy_has_no_room_before_its_server_has() -> None:
    full = (MSS, opt.sack_permitted(), CLOCKS, SHIFT)
    update = heard("<SEQ=301><ACK=101><CTL=ACK>", ttl=59)
    text = found(syn_ack(*full, window=0), update)["syn-proxy"]
    assert text == (
        "The SYN+ACK gave us no room (window 0) with TTL 60, and what followed with 59, and room "
        "came only later: a SYN proxy answers so, which completes the handshake before it calls "
        "the server."
    )
    text = found(syn_ack(*full, window=0))["syn-proxy"]
    assert "and none came later, so that the server behind it may not be there" in text


def test_of_the_trackers_findings_those_of_a_caller_are_told() -> None:
    told = Finding("ecn-refused", None)
    not_told = Finding("mid-stream", None)
    assert found(findings=(told, not_told)) == {told.code: told.text}


def test_ours_and_theirs_are_not_mixed_up() -> None:
    theirs = Observed(segment("<SEQ=5><CTL=SYN>", by=B), 5, outgoing=False)
    assert theirs.segment.source == B != A
    assert found(theirs) == {}


@pytest.mark.parametrize(
    ("answer", "code", "who"),
    [
        ("RST", REFUSED, "A firewall on the way answered in its name, "),
        ("SYN+ACK", "answered-on-the-way", "Something on the way answered in its name, "),
    ],
)
def test_an_answer_from_nearer_by_than_the_target_has_more_than_one_reason(
    answer: str, code: str, who: str
) -> None:
    note = too_near(answer, 128, B.address, A.address)
    assert note.code == code
    assert note.text.startswith(
        f"The {answer}'s TTL (128) is not the target's: it passed no router"
    )
    assert (
        f"{B.address} lies behind {A.address}, from where 127 at most arrives. {who}" in note.text
    )
    assert note.text.endswith("the host has a shorter way back.")
    itself = f", unless {B.address} is an address of {A.address} itself, or the host has"
    assert (itself in note.text) == (answer == "SYN+ACK")


def test_a_firewall_of_our_own_is_not_the_only_reason_for_what_does_not_arrive() -> None:
    note = kept_out()
    assert note.code == "own-firewall"
    assert "its own firewall, which drops what comes in, or its reverse path filter" in note.text
