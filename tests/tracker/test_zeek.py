"""Conversations as Zeek's conn.log words them: state, history, octets and what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.tcp import Flags, Observed, Options, Seq
from handshake.tracker import Tracker, summarize, zeek_records
from handshake.tracker.zeek import Zeek, record
from tests.segments import A, B, segment

if TYPE_CHECKING:
    from handshake.tracker import Connection
    from handshake.tracker.zeek import ZeekRecord

SYN = "A <SEQ=100><CTL=SYN>"
SYN_ACK = "B <SEQ=300><ACK=101><CTL=SYN,ACK>"
ACK = "A <SEQ=101><ACK=301><CTL=ACK>"
OPEN = (SYN, SYN_ACK, ACK)
REFUSED = "B <SEQ=0><ACK=101><CTL=RST,ACK>"
ASK = "A <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>"
ANSWER = "B <SEQ=301><ACK=106><DATA=9><CTL=PSH,ACK>"
CLOSE = (
    "A <SEQ=106><ACK=310><CTL=FIN,ACK>",
    "B <SEQ=310><ACK=107><CTL=FIN,ACK>",
    "A <SEQ=107><ACK=311><CTL=ACK>",
)

# B's port is a server's that Zeek knows: where no SYN begins, the roles are turned to suit.
ONE_ROW: dict[str, tuple[tuple[str, ...], str]] = {
    # The opening.
    "nobody answers": ((SYN, SYN, SYN), "S0 S 0/0"),
    "refused": ((SYN, REFUSED), "REJ Sr 0/0"),
    "given up": ((SYN, "A <SEQ=101><CTL=RST>"), "RSTOS0 SR 0/0"),
    "given up, after an ACK that came before any SYN,ACK": (
        (SYN, "B <SEQ=7><ACK=9><CTL=ACK>", "A <SEQ=101><CTL=RST>"),
        "RSTOS0 SaR 0/0",
    ),
    "open": (OPEN, "S1 ShA 0/0"),
    "open, all of it twice": ((SYN, SYN, SYN_ACK, SYN_ACK, ACK, ACK), "S1 ShA 0/0"),
    "half-open scan": ((SYN, SYN_ACK, "A <SEQ=101><CTL=RST>"), "RSTO ShR 0/0"),
    "SYN not seen": ((SYN_ACK, ACK), "S1 ^hA 0/0"),
    "SYN,ACK read before its SYN": (
        ("A <SEQ=100><ACK=301><CTL=SYN,ACK>", "B <SEQ=300><CTL=SYN>"),
        "S1 Hs^ 0/0",
    ),
    # Zeek does not know A's port for a server's: what follows shows that its SYN-ACK is no scan.
    "SYN-ACK of an unknown port, then an ACK": (
        ("A <SEQ=100><ACK=301><CTL=SYN,ACK>", "B <SEQ=301><ACK=101><CTL=ACK>"),
        "S1 ^hA 0/0",
    ),
    "SYN-ACK of an unknown port, then data of the other side": (
        ("A <SEQ=100><ACK=301><CTL=SYN,ACK>", "B <SEQ=301><ACK=101><DATA=5><CTL=PSH,ACK>"),
        "S1 ^hD 5/0",
    ),
    "SYN-ACK of an unknown port, then data of its own": (
        ("A <SEQ=100><ACK=301><CTL=SYN,ACK>", ASK),
        "OTH ^hd 0/5",
    ),
    "SYN-ACK of an unknown port, then a RST: a scan": (
        ("A <SEQ=100><ACK=301><CTL=SYN,ACK>", "B <SEQ=301><CTL=RST>"),
        "REJ Hr 0/0",
    ),
    "SYN-ACK of an unknown port, then a FIN": (
        ("A <SEQ=100><ACK=301><CTL=SYN,ACK>", "B <SEQ=301><ACK=101><CTL=FIN,ACK>"),
        "S3 Hf 0/0",
    ),
    "data in the SYN": (
        # Zeek knows the number after a SYN at once, so that its data seem to come again.
        ("A <SEQ=100><DATA=5><CTL=SYN>", "B <SEQ=300><ACK=106><CTL=SYN,ACK>"),
        "S1 STh 5/0",
    ),
    "from the middle": ((ASK, ANSWER), "OTH Dd 5/9"),
    "from the middle, the server first": ((ANSWER, ASK), "OTH ^dD 5/9"),
    "one segment": ((ASK,), "OTH D -"),
    # The end.
    "closed": ((*OPEN, ASK, ANSWER, *CLOSE), "SF ShADdFf 5/9"),
    "closed, FINs repeated": ((*OPEN, ASK, ANSWER, *CLOSE[:2], *CLOSE), "SF ShADdFf 5/9"),
    "half-closed by the client": ((*OPEN, "A <SEQ=101><ACK=301><CTL=FIN,ACK>"), "S2 ShAF 0/0"),
    "half-closed by the server": ((*OPEN, "B <SEQ=301><ACK=101><CTL=FIN,ACK>"), "S3 ShAf 0/0"),
    "SYN and FIN, no answer": ((SYN, "A <SEQ=101><CTL=FIN>"), "SH SF 0/0"),
    "SYN,ACK and FIN alone": ((SYN_ACK, "B <SEQ=301><ACK=101><CTL=FIN,ACK>"), "SHR ^hf 0/0"),
    "SYN,ACK and RST alone": ((SYN_ACK, "B <SEQ=301><ACK=101><CTL=RST>"), "RSTRH ^hr 0/0"),
    "reset by the client": ((*OPEN, ASK, "A <SEQ=106><ACK=301><CTL=RST,ACK>"), "RSTO ShADR 5/0"),
    "reset by the server": ((*OPEN, ASK, "B <SEQ=301><ACK=106><CTL=RST,ACK>"), "RSTR ShADr 5/0"),
    "FIN, RST, FIN": (
        (
            *OPEN,
            "A <SEQ=101><ACK=301><CTL=FIN,ACK>",
            "A <SEQ=102><CTL=RST>",
            "B <SEQ=301><ACK=102><CTL=FIN,ACK>",
        ),
        "SF ShAFRf 0/0",
    ),
    # What happens between.
    "a gap": (
        (*OPEN, "A <SEQ=111><ACK=301><DATA=5><CTL=ACK>", "B <SEQ=301><ACK=116><CTL=ACK>"),
        "S1 ShADaG 15/0 missed 10",
    ),
    "a gap before the FIN": (
        (*OPEN, "A <SEQ=111><ACK=301><CTL=FIN,ACK>", "B <SEQ=301><ACK=112><CTL=FIN,ACK>"),
        "SF ShAFfG 10/0 missed 10",
    ),
    "out of order is no gap": (
        (*OPEN, "A <SEQ=106><ACK=301><DATA=5><CTL=ACK>", ASK, "B <SEQ=301><ACK=111><CTL=ACK>"),
        "S1 ShADTa 10/0",
    ),
    "an ACK of half a segment": (
        (*OPEN, ASK, "B <SEQ=301><ACK=103><CTL=ACK>", "B <SEQ=301><ACK=106><CTL=ACK>"),
        "S1 ShADa 5/0",
    ),
    "ten times again": ((*OPEN, ASK, *[ASK] * 10), "S1 ShADTT 5/0"),
    "zero windows": ((*OPEN, *["B <SEQ=301><ACK=101><CTL=ACK>!"] * 10), "S1 ShAaww 0/0"),
    "SYN and FIN in one": (("A <SEQ=100><CTL=SYN,FIN>", SYN_ACK), "S2 Qh 0/0"),
    "FIN and RST in one": (("A <SEQ=100><CTL=FIN,RST>",), "OTH I -"),
}

# After a timeout of Zeek, one connection has several rows; the last one counts.
MORE_ROWS: dict[str, tuple[tuple[str | int, ...], list[str], str]] = {
    "answered after 5 seconds": (
        (SYN, 1, SYN, 5, SYN, SYN_ACK, ACK),
        ["S0 S 0/0", "S1 ShA 0/0"],
        "S1 ShA",
    ),
    "5 minutes of silence": (
        (*OPEN, ASK, 301, ANSWER),
        ["S1 ShAD 5/0", "OTH ^d -"],
        "S1 ShAD",
    ),
    "a segment long after the end": (
        (*OPEN, ASK, ANSWER, *CLOSE, 6, CLOSE[-1]),
        ["SF ShADdFf 5/9", "OTH A -"],
        "SF ShADdFf",
    ),
    "the same call refused twice": (
        (SYN, REFUSED, SYN, REFUSED),
        ["REJ Sr 0/0", "REJ Sr 0/0"],
        "REJ Sr",
    ),
    "both call at once": (
        (SYN, "B <SEQ=300><CTL=SYN>", "A <SEQ=100><ACK=301><CTL=SYN,ACK>"),
        ["S0 S -", "S1 Sh 0/0"],
        "S1 Sh",
    ),
}


def connections(*conversation: str | int) -> list[Connection]:
    """Feed segments 10 ms apart; a number is so many seconds of silence, `!` a window of 0."""
    tracker, at = Tracker(), 0
    for line in conversation:
        if isinstance(line, int):
            at += line * 10**9
            continue
        by, text = line.removesuffix("!").split(" ", 1)
        window = 0 if line.endswith("!") else 65535
        seg = segment(text, by=A if by == "A" else B, window=window)
        tracker.feed(Observed(seg, at))
        at += 10**7
    return tracker.connections


def shown(row: ZeekRecord) -> str:
    octets = "-" if row.orig_bytes is None else f"{row.orig_bytes}/{row.resp_bytes}"
    missed = f" missed {row.missed_bytes}" if row.missed_bytes else ""
    return f"{row.conn_state} {row.history} {octets}{missed}"


def rows(found: list[Connection]) -> list[str]:
    return [shown(row) for connection in found for row in zeek_records(connection)]


@pytest.mark.parametrize("name", ONE_ROW)
def test_one_connection_is_one_row(name: str) -> None:
    conversation, expected = ONE_ROW[name]
    assert rows(connections(*conversation)) == [expected]


@pytest.mark.parametrize("name", MORE_ROWS)
def test_after_a_timeout_of_zeek(name: str) -> None:
    conversation, expected, main = MORE_ROWS[name]
    found = connections(*conversation)
    assert rows(found) == expected
    last = summarize(found[-1])
    assert f"{last.conn_state} {last.history}" == main


def test_who_connected_to_whom_and_how_many_ip_octets() -> None:
    (row,) = zeek_records(connections(SYN_ACK, ACK, ASK)[0])
    assert (row.orig_h, row.orig_p, row.resp_h, row.resp_p) == (A.address, 49152, B.address, 80)
    assert (row.orig_pkts, row.orig_ip_bytes, row.resp_pkts, row.resp_ip_bytes) == (2, 85, 1, 40)
    assert (row.ts, row.duration) == (0, 20_000_000)


def test_a_keyboard_may_be_silent_for_an_hour() -> None:
    zeek = Zeek((40000, 22))
    for by, seconds, flags, seq, ack in (
        (0, 0, Flags.SYN, 100, 0),
        (1, 0, Flags.SYN | Flags.ACK, 300, 101),
        (0, 0, Flags.ACK, 101, 301),
        (0, 3599, Flags.ACK, 101, 301),
    ):
        zeek.feed(by, seconds * 10**9, flags, seq, ack, 65535, 0, 0, 40)
    assert len(zeek.conns) == 1


def test_a_snapped_payload_is_a_gap() -> None:
    """Zeek cannot pass on what was not captured: an ACK of it shows a hole."""
    tracker = Tracker()
    for line in OPEN:
        tracker.feed(Observed(segment(line[2:], by=A if line[0] == "A" else B), 0))
    snapped = replace(segment(ASK[2:]), payload=b"x")
    tracker.feed(Observed(snapped, 1000))
    tracker.feed(Observed(segment("<SEQ=301><ACK=106><CTL=ACK>", by=B), 2000))
    assert rows(tracker.connections) == ["S1 ShADaG 5/0 missed 5"]


def test_a_header_that_was_not_captured_whole_is_not_read() -> None:
    tracker = Tracker()
    tracker.feed(Observed(replace(segment(SYN[2:]), data_offset=10, options=Options()), 0))
    assert zeek_records(tracker.connections[0]) == []
    assert summarize(tracker.connections[0]).history is None


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_where_numbers_begin_anew_changes_nothing(client: int, server: int) -> None:
    tracker = Tracker()
    lines = (*OPEN, ASK, ANSWER, *CLOSE)
    for at, line in enumerate(lines):
        seg = segment(line[2:], by=A if line[0] == "A" else B)
        own, other = (client, server) if line[0] == "A" else (server, client)
        ack = None if seg.ack is None else seg.ack + other
        tracker.feed(Observed(replace(seg, seq=Seq(int(seg.seq) + own), ack=ack, ack_field=-1), at))
    assert rows(tracker.connections) == ["SF ShADdFf 5/9"]


NUMBERS = st.one_of(st.integers(0, 4000), st.integers(0, 2**32 - 1))
SEGMENTS = st.tuples(
    st.integers(0, 1),
    st.integers(0, 511),
    NUMBERS,
    NUMBERS,
    st.integers(0, 1),
    st.integers(0, 3000),
)


@given(st.lists(SEGMENTS, max_size=40))
def test_any_segments_give_rows(segments: list[tuple[int, int, int, int, int, int]]) -> None:
    zeek = Zeek((A.port, B.port))
    for at, (by, flags, seq, ack, window, length) in enumerate(segments):
        zeek.feed(by, at * 10**9, flags, seq, ack, window, length, length, length + 40)
    found = [record(flow, A, B) for flow in zeek.conns]
    assert sum(row.orig_pkts + row.resp_pkts for row in found) == len(segments)
    for row in found:
        assert set(row.history.upper()) <= set("SHADFRGTWIQ^")
        assert (row.orig_bytes or 0) >= 0
        assert (row.resp_bytes or 0) >= 0
        assert row.missed_bytes >= 0
