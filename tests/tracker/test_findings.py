"""What an expert would point at in a connection; beside each, what is nearly it and is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handshake.events import Role
from handshake.tcp import Observed
from handshake.tracker import Tracker, summarize
from handshake.tracker.findings import CODES, HARMLESS
from tests.segments import A, segment
from tests.tracker.conversation import finding, findings

SYN = "A <SEQ=100><CTL=SYN>"
SYN_ACK = "B <SEQ=300><ACK=101><CTL=SYN,ACK>"
ACK = "A <SEQ=101><ACK=301><CTL=ACK>"
OPEN = (SYN, SYN_ACK, ACK)
DATA = "A <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>"
ACKED = "B <SEQ=301><ACK=106><CTL=ACK>"
ANSWER = "B <SEQ=301><ACK=106><DATA=9><CTL=PSH,ACK>"
TIMED = (f"{SYN} opts=mss1460,ts7/0,sack,ws7", f"{SYN_ACK} opts=mss1460,ts9/7,sack,ws7")

CASES: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "nothing to point at": (
        (
            *OPEN,
            DATA,
            ANSWER,
            "A <SEQ=106><ACK=310><CTL=FIN,ACK>",
            "B <SEQ=310><ACK=107><CTL=FIN,ACK>",
            "A <SEQ=107><ACK=311><CTL=ACK>",
        ),
        [],
    ),
    # The opening.
    "no answer to one SYN": ((SYN,), ["no-answer@1"]),
    "no answer to many": ((SYN, f"1 {SYN}", f"3 {SYN}"), ["no-answer@3"]),
    "the SYN was lost": ((SYN, f"1 {SYN}", SYN_ACK, ACK), ["syn-lost@2"]),
    "the SYN was only seen twice": ((SYN, SYN, SYN_ACK, ACK), ["seen-twice@2"]),
    "the SYN,ACK was lost": ((SYN, SYN_ACK, f"1 {SYN}", SYN_ACK, ACK), ["syn-ack-lost@3"]),
    "the last ACK was lost": ((*OPEN, f"1 {SYN_ACK}", ACK), ["final-ack-lost@4"]),
    "the SYN,ACK was repeated before the last ACK": ((SYN, SYN_ACK, f"1 {SYN_ACK}", ACK), []),
    "half-open": ((SYN, SYN_ACK, f"1 {SYN_ACK}", f"3 {SYN_ACK}"), ["half-open@4"]),
    "not yet half-open": ((SYN, SYN_ACK), []),
    "refused": ((SYN, "B <SEQ=0><ACK=101><CTL=RST,ACK>"), ["refused@2"]),
    "reset by another host, and then answered": (
        (SYN, "B <SEQ=0><ACK=101><CTL=RST,ACK> ttl=60", SYN_ACK, "A <SEQ=101><CTL=RST>"),
        ["reset-by-other-ttl@2"],
    ),
    "refused and called again": (
        (SYN, "B <SEQ=0><ACK=101><CTL=RST,ACK>", f"1 {SYN}", "B <SEQ=0><ACK=101><CTL=RST,ACK>"),
        ["refused@2"],
    ),
    "a scanner asks": ((SYN, SYN_ACK, "A <SEQ=101><CTL=RST>"), ["abandoned@3"]),
    "a wrong SYN,ACK is rejected": (
        (SYN, "B <SEQ=300><ACK=91><CTL=SYN,ACK>", "A <SEQ=91><CTL=RST>"),
        [],
    ),
    "a client that opened may reset": ((*OPEN, "A <SEQ=101><ACK=301><CTL=RST,ACK>"), []),
    "two answers": (
        (SYN, SYN_ACK, "B <SEQ=700><ACK=101><CTL=SYN,ACK>", ACK),
        ["syn-ack-isns@3"],
    ),
    "two answers, and the second one is taken": (
        (
            SYN,
            "B <SEQ=90000><ACK=101><CTL=SYN,ACK>",
            SYN_ACK,
            ACK,
            DATA,
            "B <SEQ=301><ACK=106><DATA=5><CTL=ACK>",
            "B <SEQ=306><ACK=106><DATA=5><CTL=ACK>",
            "B <SEQ=311><ACK=106><DATA=5><CTL=ACK>",
        ),
        ["syn-ack-isns@3"],
    ),
    "another answer after the opening": (
        (*OPEN, "B <SEQ=700><ACK=101><CTL=SYN,ACK> ttl=48"),
        ["syn-ack-isns@4"],
    ),
    "the same answer twice": ((SYN, SYN_ACK, f"1 {SYN_ACK}", ACK), []),
    "split handshake": (
        (
            SYN,
            "B <SEQ=300><CTL=SYN>",
            "A <SEQ=100><ACK=301><CTL=SYN,ACK>",
            "B <SEQ=301><ACK=101><CTL=ACK>",
        ),
        ["split-handshake@4"],
    ),
    "simultaneous open": (
        (
            SYN,
            "B <SEQ=300><CTL=SYN>",
            "A <SEQ=100><ACK=301><CTL=SYN,ACK>",
            "B <SEQ=300><ACK=101><CTL=SYN,ACK>",
        ),
        ["simultaneous-open@2"],
    ),
    "port reuse": (
        (SYN, "B <SEQ=0><ACK=101><CTL=RST,ACK>", "A <SEQ=900><CTL=SYN>", ANSWER),
        ["port-reuse@3", "ack-answers-syn@4"],
    ),
    "options that the capture cut off": (
        (
            f"{SYN} opts=mss1460 problem=the_options_are_cut_off_by_the_capture",
            f"{SYN_ACK} opts=mss1460 problem=the_options_are_cut_off_by_the_capture",
            ACK,
        ),
        ["options-cut@1"],
    ),
    "a SYN without its flag": (
        (
            "A <SEQ=100><ACK=0><CTL=ACK> opts=mss1460,sack,ws7",
            "B <SEQ=0><CTL=RST>",
            "1 A <SEQ=100><ACK=0><CTL=ACK> opts=mss1460,sack,ws7",
        ),
        ["syn-cleared@1"],
    ),
    "an ACK of 0 without a SYN's options": (
        ("A <SEQ=100><ACK=0><CTL=ACK>", "B <SEQ=0><CTL=RST>"),
        ["mid-stream@1"],
    ),
    "an ACK without SYN answers": (
        (SYN, "B <SEQ=7777><ACK=101><CTL=ACK>", f"1 {SYN}", "B <SEQ=7777><ACK=101><CTL=ACK>"),
        ["ack-without-syn@2"],
    ),
    "the SYN,ACK was captured after the data": (
        (SYN, "B <SEQ=301><ACK=101><DATA=5><CTL=ACK>", SYN_ACK, ACK),
        [],
    ),
    "a SYN,ACK that names the first SYN": (
        (
            f"{SYN} opts=mss1460,ts7/0,sack,ws7",
            f"1 {SYN} opts=mss1460,ts1007/0,sack,ws7",
            f"1.2 {SYN_ACK} opts=mss1460,ts9/7,sack,ws7",
            f"{ACK} opts=ts1300/9",
        ),
        ["syn-answered-late@2"],
    ),
    "a SYN,ACK that names the second SYN": (
        (
            f"{SYN} opts=mss1460,ts7/0,sack,ws7",
            f"1 {SYN} opts=mss1460,ts1007/0,sack,ws7",
            f"1.2 {SYN_ACK} opts=mss1460,ts9/1007,sack,ws7",
            f"{ACK} opts=ts1300/9",
        ),
        ["syn-lost@2"],
    ),
    "a damaged SYN,ACK": (
        (f"{SYN} good", f"{SYN_ACK} wrong", f"1 {SYN} good", f"{SYN_ACK} wrong"),
        ["syn-ack-damaged@2", "bad-checksum@2"],
    ),
    "a damaged SYN,ACK, and one that is not": (
        (f"{SYN} good", f"{SYN_ACK} wrong", f"1 {SYN} good", f"{SYN_ACK} good", f"{ACK} good"),
        ["bad-checksum@2"],
    ),
    "wrong checksums that are accepted": (
        (f"{SYN} wrong", f"{SYN_ACK} wrong", f"{ACK} wrong"),
        ["checksum-accepted@1", "checksum-accepted@2"],
    ),
    "from the middle": ((DATA, ACKED), ["mid-stream@1"]),
    "data in the SYN was refused": (
        ("A <SEQ=100><DATA=20><CTL=SYN> opts=mss1460,sack,ws7,tfo8", SYN_ACK, ACK),
        ["syn-data-rejected@2"],
    ),
    "data in the SYN was taken": (
        (
            "A <SEQ=100><DATA=20><CTL=SYN> opts=mss1460,sack,ws7,tfo8",
            "B <SEQ=300><ACK=121><CTL=SYN,ACK>",
            "A <SEQ=121><ACK=301><CTL=ACK>",
        ),
        [],
    ),
    # What was offered.
    "only one offers a scale": (
        (SYN, f"{SYN_ACK} opts=mss1460,sack", ACK),
        ["no-window-scaling@2"],
    ),
    "no scale, and not opened": ((SYN, f"{SYN_ACK} opts=mss1460,sack"), []),
    "a shift above 14": ((f"{SYN} opts=mss1460,sack,ws15", SYN_ACK, ACK), ["shift-above-14@2"]),
    "a shift of 14": ((f"{SYN} opts=mss1460,sack,ws14", SYN_ACK, ACK), []),
    "no MSS": ((f"{SYN} opts=sack,ws7", SYN_ACK, ACK), ["no-mss@1"]),
    "a low MSS": ((SYN, f"{SYN_ACK} opts=mss1360,sack,ws7", ACK), ["mss-low@2"]),
    "a large MSS": ((SYN, f"{SYN_ACK} opts=mss8960,sack,ws7", ACK), []),
    "a clamped MSS": (
        (SYN, f"0.001 {SYN} ttl=63 opts=mss1360,sack,ws7", SYN_ACK, ACK),
        ["mss-clamped@2", "seen-twice@2"],
    ),
    "a SYN that its sender changed": (
        (SYN, f"1 {SYN} opts=mss1360,sack,ws7", SYN_ACK, ACK),
        ["syn-lost@2"],
    ),
    "timestamps were not taken": ((TIMED[0], SYN_ACK, ACK), ["timestamps-refused@2"]),
    "timestamps were not offered": (OPEN, []),
    "timestamps were stripped": (
        (TIMED[0], f"0.001 {SYN} ttl=63", SYN_ACK, ACK),
        ["timestamps-stripped@2", "seen-twice@2", "timestamps-refused@3"],
    ),
    "a segment without timestamps": ((*TIMED, ACK), ["timestamps-missing@3"]),
    "a RST without timestamps": (
        (*TIMED, f"{ACK} opts=ts8/9", "A <SEQ=101><CTL=RST>"),
        [],
    ),
    "a foreign clock": (
        (TIMED[0], f"{SYN_ACK} opts=mss1460,ts9/8,sack,ws7", f"{ACK} opts=ts8/9"),
        ["timestamps-echo@2"],
    ),
    "a stack that echoes nothing": (
        (TIMED[0], f"{SYN_ACK} opts=mss1460,ts0/0,sack,ws7", f"{ACK} opts=ts8/9"),
        ["timestamps-echo@2"],
    ),
    "options were blanked": (
        (f"{SYN} opts=mss1460,nops10,ws7,sack", SYN_ACK),
        ["options-blanked@1"],
    ),
    "options were aligned": ((f"{SYN} opts=mss1460,nops4,ws7,sack", SYN_ACK), []),
    "ECN was refused": ((f"{SYN} ecn=ece,cwr", SYN_ACK, ACK), ["ecn-refused@2"]),
    "ECN was agreed on": ((f"{SYN} ecn=ece,cwr", f"{SYN_ACK} ecn=ece", ACK), []),
    "AccECN was agreed on": ((f"{SYN} ecn=ae,ece,cwr", f"{SYN_ACK} ecn=cwr", ACK), []),
    "AccECN fell back": ((f"{SYN} ecn=ae,ece,cwr", f"{SYN_ACK} ecn=ece", ACK), []),
    "ECN was reflected": (
        (f"{SYN} ecn=ece,cwr", f"{SYN_ACK} ecn=ece,cwr", ACK),
        ["ecn-reflected@2"],
    ),
    "only without ECN": (
        (f"{SYN} ecn=ece,cwr", f"1 {SYN}", SYN_ACK, ACK),
        ["syn-lost@2", "ecn-fallback@2"],
    ),
    "Multipath TCP was not taken": (
        (f"{SYN} opts=mss1460,sack,ws7,mptcp", SYN_ACK, ACK),
        ["mptcp-refused@2"],
    ),
    "SYN cookies, perhaps": (
        (SYN, f"{SYN_ACK} opts=mss1460", ACK),
        ["no-window-scaling@2", "syn-cookies@2"],
    ),
    # RSTs.
    "reset after accept": (
        (*OPEN, DATA, "B <SEQ=301><ACK=106><CTL=RST,ACK>"),
        ["reset-after-accept@5"],
    ),
    "reset by a server that may never have accepted": (
        (*OPEN, "B <SEQ=301><CTL=RST>"),
        [],
    ),
    "reset without ACK by a server that had accepted": (
        (*OPEN, DATA, "B <SEQ=301><ACK=106><CTL=ACK>", "B <SEQ=301><CTL=RST>"),
        ["reset-after-accept@6"],
    ),
    "reset after the client had left": (
        (*OPEN, "A <SEQ=101><ACK=301><CTL=FIN,ACK>", "B <SEQ=301><ACK=102><CTL=RST,ACK>"),
        [],
    ),
    "reset after a request and a FIN": (
        (
            *OPEN,
            DATA,
            "A <SEQ=106><ACK=301><CTL=FIN,ACK>",
            "B <SEQ=301><ACK=107><CTL=RST,ACK>",
        ),
        ["reset-after-accept@6"],
    ),
    "reset where nothing was seen to accept": ((SYN, ACK, DATA, "B <SEQ=301><CTL=RST>"), []),
    "reset after an answer": ((*OPEN, DATA, ANSWER, "B <SEQ=310><ACK=106><CTL=RST,ACK>"), []),
    "reset by another": (
        (*OPEN, DATA, ANSWER, "B <SEQ=310><ACK=106><CTL=RST,ACK> ttl=60"),
        ["reset-by-other-ttl@6"],
    ),
    "a RST far off": ((*OPEN, DATA, "B <SEQ=999999999><CTL=RST>"), ["reset-out-of-window@5"]),
    "a RST nearly right": (
        (*OPEN, DATA, ACKED, "B <SEQ=320><CTL=RST>", "A <SEQ=106><ACK=301><CTL=ACK>"),
        ["reset-inexact@6", "challenge-ack@7"],
    ),
    "a RST that answers nothing": (
        (SYN, "B <SEQ=0><ACK=7><CTL=RST,ACK>", SYN_ACK, ACK),
        ["reset-wrong-ack@2"],
    ),
    "a RST with words": (
        (*OPEN, DATA, ANSWER, "B <SEQ=310><ACK=106><DATA=4><CTL=RST,ACK>"),
        ["reset-with-data@6"],
    ),
    "given up after an hour": (
        (*OPEN, DATA, ANSWER, "3600 A <SEQ=106><ACK=310><DATA=5><CTL=ACK>", "B <SEQ=310><CTL=RST>"),
        ["idle-reset@7"],
    ),
    "reset after a minute of silence and an answer": (
        (
            *OPEN,
            DATA,
            ANSWER,
            "3600 B <SEQ=310><ACK=106><DATA=5><CTL=ACK>",
            "B <SEQ=315><ACK=106><CTL=RST,ACK>",
        ),
        [],
    ),
    # Data.
    "zero window": (
        (*OPEN, DATA, f"{ACKED} win=0", f"2 {ACKED} win=9000"),
        ["zero-window@5"],
    ),
    "a window that closed after the peer's FIN": (
        (
            *OPEN,
            "A <SEQ=101><ACK=301><CTL=FIN,ACK>",
            "B <SEQ=301><ACK=102><CTL=ACK> win=0",
            "B <SEQ=301><ACK=102><CTL=FIN,ACK> win=0",
        ),
        [],
    ),
    "three losses": (
        (*OPEN, DATA, f"1 {DATA}", f"2 {DATA}", f"4 {DATA}", ACKED),
        ["retransmissions@5"],
    ),
    "an octet that is sent again and again": (
        (*OPEN, *(f"{2**n} A <SEQ=101><ACK=301><DATA=1><CTL=PSH,ACK>" for n in range(4))),
        ["retransmissions@5", "peer-silent@7"],
    ),
    "keep-alives without an answer": (
        (
            *OPEN,
            "1 A <SEQ=101><ACK=301><DATA=1><CTL=PSH,ACK>",
            "2 B <SEQ=301><ACK=102><CTL=ACK>",
            *(f"{2**n} A <SEQ=101><ACK=301><DATA=1><CTL=ACK>" for n in range(2, 6)),
        ),
        [],
    ),
    "one loss": ((*OPEN, DATA, f"1 {DATA}", ACKED), []),
    "the peer is gone": (
        (*OPEN, DATA, f"1 {DATA}", f"2 {DATA}", f"4 {DATA}"),
        ["retransmissions@5", "peer-silent@7"],
    ),
    # The way, and the capture.
    "another box opened": (
        (*OPEN, f"{ACKED} ttl=40", f"{ANSWER} ttl=40", "B <SEQ=310><ACK=106><CTL=ACK> ttl=40"),
        ["capture-gap@4", "middlebox@6"],
    ),
    "the way changed once": (
        (*OPEN, DATA, ACKED, f"{ANSWER} ttl=51"),
        ["ttl-varies@6"],
    ),
    "all checksums of one end are wrong": (
        (f"{SYN} bad", f"{SYN_ACK} good", f"{ACK} bad"),
        ["checksum-offload@1"],
    ),
    "all of both are": (
        (f"{SYN} bad", f"{SYN_ACK} bad", f"{ACK} bad", f"{ACKED} bad"),
        ["checksum-offload@1", "capture-gap@4"],
    ),
    "one checksum is wrong": (
        (f"{SYN} good", f"{SYN_ACK} good", f"{ACK} good", f"{DATA} bad"),
        ["bad-checksum@4"],
    ),
    "most of one end's are": (
        (f"{SYN} bad", f"{SYN_ACK} good", f"{ACK} bad", "A <SEQ=101><ACK=301><CTL=RST,ACK> good"),
        ["checksum-offload@1"],
    ),
    "nobody checked": (OPEN, []),
    "a malformed header": (
        (*OPEN, f"{DATA} problem=data_offset_4_is_below_5"),
        ["malformed@4"],
    ),
    "reserved bits": ((*OPEN, f"{DATA} problem=reserved_bits_are_set"), ["reserved-bits@4"]),
    "packets seen twice": (
        (*OPEN, f"{DATA} id=5", f"{DATA} id=5 ttl=63"),
        ["seen-twice@5"],
    ),
    "data sent twice": ((*OPEN, f"{DATA} id=5", f"{DATA} id=6"), []),
    "the capture lost packets": (
        (*OPEN, "B <SEQ=301><ACK=606><CTL=ACK>"),
        ["capture-gap@4"],
    ),
    "the packet comes after its ACK": (
        (*OPEN, "B <SEQ=301><ACK=106><CTL=ACK>", DATA),
        [],
    ),
    "one of two packets comes after its ACK": (
        (*OPEN, "B <SEQ=301><ACK=116><CTL=ACK>", DATA),
        ["capture-gap@4"],
    ),
    "an end that only repeats an old ACK": (
        tuple(f"{2**n} A <SEQ=106><ACK=500><CTL=FIN,ACK>" for n in range(3)),
        ["mid-stream@1"],
    ),
    "one direction only, from its middle": (
        tuple(f"A <SEQ=106><ACK={500 + n}><CTL=ACK>" for n in range(3)),
        ["mid-stream@1", "one-sided@3"],
    ),
    "both sides of a device that rewrites numbers": (
        (
            SYN,
            "B <SEQ=2000000000><ACK=954495046><CTL=SYN,ACK> id=7",
            f"{SYN_ACK} id=7",
            ACK,
            DATA,
            "B <SEQ=2000000001><ACK=954495051><DATA=9><CTL=PSH,ACK> id=8",
            f"{ANSWER} id=8",
            "B <SEQ=2000000010><ACK=954495051><DATA=9><CTL=PSH,ACK> id=9",
            "B <SEQ=310><ACK=106><DATA=9><CTL=PSH,ACK> id=9",
            "B <SEQ=2000000019><ACK=954495051><DATA=9><CTL=PSH,ACK> id=10",
            "B <SEQ=319><ACK=106><DATA=9><CTL=PSH,ACK> id=10",
        ),
        ["numbers-rewritten@3"],
    ),
    "one direction only": (
        (SYN, ACK, DATA, "A <SEQ=106><ACK=500><DATA=5><CTL=ACK>"),
        ["one-sided@4"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_there_is_to_point_at(name: str) -> None:
    lines, expected = CASES[name]
    assert findings(*lines) == expected


def test_every_code_is_described() -> None:
    seen = {each.partition("@")[0] for _, expected in CASES.values() for each in expected}
    elsewhere = {"unreachable", "icmp-error", "options-stripped", "clock-step", "answer-first"}
    of_captures = {"port-scan", "host-scan", "syn-flood", "refused-by-other-ttl"}
    of_captures |= {"both-sides-of-nat", "self-connect"}
    assert seen | elsewhere | of_captures == set(CODES)
    assert set(CODES) >= HARMLESS


def test_what_no_scaling_costs() -> None:
    found = finding("no-window-scaling", SYN, f"{SYN_ACK} opts=mss1460,sack", ACK)
    assert found.values == {"most": 65535, "rtt": 0.02, "bits": 65535 * 8 / 0.02}


@pytest.mark.parametrize(
    ("client", "server", "variant"),
    [("", "", "neither"), (",ws7", "", "client-only"), ("", ",ws7", "server-only")],
)
def test_which_end_did_not_offer_window_scaling(client: str, server: str, variant: str) -> None:
    lines = (f"{SYN} opts=mss1460,sack{client}", f"{SYN_ACK} opts=mss1460,sack{server}", ACK)
    assert finding("no-window-scaling", *lines).variant == variant


def test_how_long_a_window_was_closed() -> None:
    lines = (*OPEN, DATA, f"10 {ACKED} win=0", f"12.5 {ACKED} win=9", f"13 {ACKED} win=0")
    found = finding("zero-window", *lines, f"14 {ACKED} win=0")
    assert found.values == {
        "by": Role.SERVER,
        "time": 3.5,
        "times": 2,
        "again": True,
        "still": True,
    }


def test_what_was_captured_after_its_ack_is_no_gap() -> None:
    gap = finding("capture-gap", *OPEN, "B <SEQ=301><ACK=116><CTL=ACK>", DATA)
    assert gap.values["count"] == 10


def test_an_echo_of_zero_is_no_other_clock() -> None:
    answer = f"{SYN_ACK} opts=mss1460,ts0/0,sack,ws7"
    assert finding("timestamps-echo", TIMED[0], answer).variant == "zero"


def test_a_socket_that_is_connected_to_itself() -> None:
    tracker = Tracker()
    for at, text in enumerate(
        (
            "<SEQ=100><CTL=SYN>",
            "<SEQ=100><ACK=101><CTL=SYN,ACK>",
            "<SEQ=101><ACK=101><CTL=ACK>",
            "<SEQ=101><ACK=101><DATA=5><CTL=PSH,ACK>",
            "<SEQ=106><ACK=106><CTL=ACK>",
            "<SEQ=106><ACK=106><CTL=FIN,ACK>",
            "<SEQ=107><ACK=107><CTL=ACK>",
        )
    ):
        seg = replace(segment(text), destination=A)
        tracker.feed(Observed(seg, at * 10_000, frame=at + 1))
    record = summarize(tracker.connections[0])
    assert (record.outcome, record.closed) == ("established", "fin")
    assert (record.client.state, record.handshake.simultaneous) == ("TIME-WAIT", True)
    assert "self-connect" in [each.code for each in record.findings]
    assert "one-sided" not in [each.code for each in record.findings]
