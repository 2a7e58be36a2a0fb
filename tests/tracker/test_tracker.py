"""Connections as an observer sees them: states of both ends, and the events of each step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from handshake import events as ev
from handshake.events import Role
from handshake.tcp import ControlBlock, Endpoint, Observed, Options, State
from handshake.tcp import options as opt
from handshake.tracker import Tracker, summarize
from tests.segments import LINUX, A, B, segment
from tests.tracker.conversation import observed, records

if TYPE_CHECKING:
    from handshake.events import Step

OPEN = (
    "A <SEQ=100><CTL=SYN>",
    "B <SEQ=300><ACK=101><CTL=SYN,ACK>",
    "A <SEQ=101><ACK=301><CTL=ACK>",
)


def steps(*conversation: str, tracker: Tracker | None = None, **fields: object) -> list[Step]:
    """Feed segments 10 ms apart; `A` or `B` before each is its sender.

    Each is a packet of its own, with another identification: no copy of one before.
    """
    tracker = tracker or Tracker()
    found = []
    for number, line in enumerate(conversation):
        by, text = line.split(" ", 1)
        seg = segment(text, by=A if by == "A" else B, **fields)  # type: ignore[arg-type]
        packet = b"\x45\x00\x00\x28" + (number + 1).to_bytes(2, "big")
        at = number * 10_000_000
        found.append(tracker.feed(Observed(seg, at, frame=number + 1, packet=packet)))
    return found


def state(block: ControlBlock | None) -> str:
    return "?" if block is None else f"{block.state}{'?' if block.inferred else ''}"


def drawn(conversation: list[Step]) -> list[str]:
    return [
        f"{state(step.client.after):13} {state(step.server.after):13} "
        f"{' '.join(event.code for event in step.events)}"
        for step in conversation
    ]


def test_open_data_and_close() -> None:
    found = steps(
        *OPEN,
        "A <SEQ=101><ACK=301><DATA=5><CTL=PSH,ACK>",
        "B <SEQ=301><ACK=106><CTL=ACK>",
        "A <SEQ=106><ACK=301><CTL=FIN,ACK>",
        "B <SEQ=301><ACK=107><CTL=FIN,ACK>",
        "A <SEQ=107><ACK=302><CTL=ACK>",
    )
    assert drawn(found) == [
        "SYN-SENT      ?             syn",
        "ESTABLISHED   SYN-RECEIVED  syn-ack negotiated",
        "ESTABLISHED   ESTABLISHED   established",
        "ESTABLISHED   ESTABLISHED   data",
        "ESTABLISHED   ESTABLISHED   acknowledged",
        "FIN-WAIT-1    CLOSE-WAIT    fin",
        "TIME-WAIT     LAST-ACK      fin acknowledged",
        "TIME-WAIT     CLOSED        acknowledged closed",
    ]


def test_what_a_segment_changed_at_each_end() -> None:
    _, syn_ack, ack = steps(*OPEN, options=LINUX)
    assert syn_ack.by.value == "server"
    assert "state" in syn_ack.receiver.changed
    assert "rcv.irs" in syn_ack.receiver.changed
    assert syn_ack.sender.before is None
    assert ack.receiver.changed == ("state", "snd.una", "snd.wnd", "snd.wl1", "snd.wl2")
    assert ack.receiver.after is not None
    # The window in a SYN is not scaled, the one in the ACK is (RFC 7323 section 2.2).
    assert ack.receiver.before is not None
    assert ack.receiver.before.snd.wnd == 65535
    assert ack.receiver.after.snd.wnd == 65535 << 7


def test_a_scale_that_only_one_side_offers_is_not_in_force() -> None:
    tracker = Tracker()
    tracker.feed(Observed(segment("<SEQ=1><CTL=SYN>", options=LINUX), 0))
    answer = segment(
        "<SEQ=9><ACK=2><CTL=SYN,ACK>", by=B, options=Options.of(opt.mss(1400)), window=8000
    )
    client = tracker.feed(Observed(answer, 1)).client.after
    assert client is not None
    assert (client.mss, client.snd_shift, client.rcv_shift) == (1400, 0, 0)
    assert (client.sack, client.timestamps) == (False, False)


def test_a_shift_above_14_counts_as_14() -> None:
    tracker = Tracker()
    wide = Options.of(opt.nop(), opt.window_scale(200))
    tracker.feed(Observed(segment("<SEQ=1><CTL=SYN>", options=wide), 0))
    seg = segment("<SEQ=9><ACK=2><CTL=SYN,ACK>", by=B, options=wide)
    client = tracker.feed(Observed(seg, 1)).client.after
    assert client is not None
    assert client.peer_offered is not None
    assert (client.snd_shift, client.peer_offered.window_scale) == (14, 200)


def test_refused() -> None:
    assert drawn(steps(OPEN[0], "B <SEQ=0><ACK=101><CTL=RST,ACK>")) == [
        "SYN-SENT      ?             syn",
        "CLOSED        CLOSED?       refused",
    ]


def test_a_reset_that_acknowledges_nothing_refuses_nothing() -> None:
    assert drawn(steps(OPEN[0], "B <SEQ=0><ACK=7><CTL=RST,ACK>")) == [
        "SYN-SENT      ?             syn",
        "SYN-SENT      CLOSED?       reset not-acceptable",
    ]


def test_lost_syn() -> None:
    assert drawn(steps(OPEN[0], OPEN[0], OPEN[0])) == [
        "SYN-SENT      ?             syn",
        "SYN-SENT      ?             syn-retransmitted",
        "SYN-SENT      ?             syn-retransmitted",
    ]


def test_lost_syn_ack_takes_back_what_was_assumed() -> None:
    assert drawn(steps(OPEN[0], OPEN[1], OPEN[0], OPEN[1], OPEN[2])) == [
        "SYN-SENT      ?             syn",
        "ESTABLISHED   SYN-RECEIVED  syn-ack negotiated",
        "SYN-SENT      SYN-RECEIVED  syn-retransmitted",
        "ESTABLISHED   SYN-RECEIVED  syn-ack-retransmitted",
        "ESTABLISHED   ESTABLISHED   established",
    ]


def test_half_open_because_the_last_ack_was_lost() -> None:
    found = steps(*OPEN, OPEN[1], OPEN[2])
    assert drawn(found)[2:] == [
        "ESTABLISHED   ESTABLISHED   established",
        "ESTABLISHED   SYN-RECEIVED  syn-ack-retransmitted",
        "ESTABLISHED   ESTABLISHED   ack-again",
    ]


def test_simultaneous_open() -> None:
    found = steps(
        "A <SEQ=100><CTL=SYN>",
        "B <SEQ=300><CTL=SYN>",
        "A <SEQ=100><ACK=301><CTL=SYN,ACK>",
        "B <SEQ=300><ACK=101><CTL=SYN,ACK>",
    )
    assert drawn(found) == [
        "SYN-SENT      ?             syn",
        "SYN-RECEIVED  SYN-RECEIVED  simultaneous-open",
        "SYN-RECEIVED  ESTABLISHED   syn-ack-crossed negotiated",
        "ESTABLISHED   ESTABLISHED   syn-ack-crossed established",
    ]


def test_simultaneous_close() -> None:
    found = steps(
        *OPEN,
        "A <SEQ=101><ACK=301><CTL=FIN,ACK>",
        "B <SEQ=301><ACK=101><CTL=FIN,ACK>",
        "A <SEQ=102><ACK=302><CTL=ACK>",
        "B <SEQ=302><ACK=102><CTL=ACK>",
    )
    assert drawn(found)[3:] == [
        "FIN-WAIT-1    CLOSE-WAIT    fin",
        "CLOSING       CLOSING       fin simultaneous-close",
        "CLOSING       TIME-WAIT     acknowledged",
        "TIME-WAIT     TIME-WAIT     acknowledged closed",
    ]


def test_half_close() -> None:
    found = steps(
        *OPEN,
        "A <SEQ=101><ACK=301><CTL=FIN,ACK>",
        "B <SEQ=301><ACK=102><CTL=ACK>",
        "B <SEQ=301><ACK=102><DATA=9><CTL=ACK>",
        "A <SEQ=102><ACK=310><CTL=ACK>",
    )
    assert drawn(found)[3:] == [
        "FIN-WAIT-1    CLOSE-WAIT    fin",
        "FIN-WAIT-2    CLOSE-WAIT    acknowledged",
        "FIN-WAIT-2    CLOSE-WAIT    data",
        "FIN-WAIT-2    CLOSE-WAIT    acknowledged",
    ]


def test_reset_in_mid_stream() -> None:
    found = steps(*OPEN, "A <SEQ=101><ACK=301><CTL=RST,ACK>")
    assert drawn(found)[3:] == ["CLOSED        CLOSED        reset"]


def test_a_reset_outside_the_window_is_not_believed() -> None:
    found = steps(*OPEN, "B <SEQ=999999><CTL=RST>")
    # If it is forged, the client goes on, and so does the end that it names as its sender.
    assert drawn(found)[3:] == ["ESTABLISHED   ESTABLISHED   reset-refused not-acceptable"]


def test_a_reset_inside_the_window_is_asked_back_before_it_is_believed() -> None:
    found = steps(
        *OPEN,
        "B <SEQ=350><CTL=RST>",
        "A <SEQ=101><ACK=301><CTL=ACK>",
        "B <SEQ=301><CTL=RST>",
    )
    assert drawn(found)[3:] == [
        "ESTABLISHED   ESTABLISHED   reset-refused not-acceptable",
        "ESTABLISHED   ESTABLISHED   challenge-ack",
        "CLOSED        CLOSED        reset",
    ]


def test_a_fin_into_a_full_window_counts_once_it_is_acknowledged() -> None:
    tracker = Tracker()
    steps(*OPEN, tracker=tracker)
    full = segment("<SEQ=301><ACK=101><CTL=ACK>", by=B, window=0)
    tracker.feed(Observed(full, 40_000_000))
    fin = tracker.feed(Observed(segment("<SEQ=101><ACK=301><CTL=FIN,ACK>"), 50_000_000))
    taken = segment("<SEQ=301><ACK=102><CTL=ACK>", by=B, window=9000)
    received = tracker.feed(Observed(taken, 60_000_000))
    assert drawn([fin, received]) == [
        "FIN-WAIT-1    ESTABLISHED   fin not-acceptable",
        "FIN-WAIT-2    CLOSE-WAIT?   acknowledged",
    ]


def test_a_zero_window_is_probed_and_opens_again() -> None:
    tracker = Tracker()
    steps(*OPEN, tracker=tracker)
    found = [
        tracker.feed(Observed(segment(text, by=by, window=window), at * 1_000_000))
        for at, (by, text, window) in enumerate(
            (
                (A, "<SEQ=101><ACK=301><DATA=9><CTL=PSH,ACK>", 65535),
                (B, "<SEQ=301><ACK=110><CTL=ACK>", 0),
                (A, "<SEQ=109><ACK=301><CTL=ACK>", 65535),
                (B, "<SEQ=301><ACK=110><CTL=ACK>", 0),
                (A, "<SEQ=109><ACK=301><CTL=ACK>", 65535),
                (B, "<SEQ=301><ACK=110><CTL=ACK>", 5000),
            ),
            50,
        )
    ]
    assert [" ".join(event.code for event in step.events) for step in found] == [
        "data",
        "zero-window acknowledged",
        "window-probe",
        "zero-window ack-again",
        "window-probe",
        "window-update",
    ]


def states(conversation: list[Step]) -> list[str]:
    return [line[:27].rstrip() for line in drawn(conversation)]


CLOSE = (
    "A <SEQ=101><ACK=301><CTL=FIN,ACK>",
    "B <SEQ=301><ACK=102><CTL=ACK>",
    "B <SEQ=301><ACK=102><CTL=FIN,ACK>",
    "A <SEQ=102><ACK=302><CTL=ACK>",
)


def test_a_repeated_fin_was_not_acknowledged() -> None:
    assert states(steps(*OPEN, CLOSE[0], CLOSE[1], CLOSE[0], CLOSE[1]))[4:] == [
        "FIN-WAIT-2    CLOSE-WAIT",
        "FIN-WAIT-1?   CLOSE-WAIT",
        "FIN-WAIT-2?   CLOSE-WAIT",
    ]


def test_the_last_fin_repeated_means_that_the_last_ack_was_lost() -> None:
    assert states(steps(*OPEN, *CLOSE, CLOSE[2], CLOSE[3]))[6:] == [
        "TIME-WAIT     CLOSED",
        "TIME-WAIT     LAST-ACK?",
        "TIME-WAIT     CLOSED?",
    ]


def test_fins_that_crossed_and_come_again() -> None:
    crossed = ("A <SEQ=101><ACK=301><CTL=FIN,ACK>", "B <SEQ=301><ACK=101><CTL=FIN,ACK>")
    found = steps(*OPEN, *crossed, "B <SEQ=302><ACK=102><CTL=ACK>", crossed[0])
    assert drawn(found)[5:] == [
        "TIME-WAIT     CLOSING       acknowledged",
        "CLOSING?      CLOSING       retransmitted",
    ]


def test_repeated_data_shows_that_the_reset_was_lost() -> None:
    data = "B <SEQ=301><ACK=101><DATA=9><CTL=PSH,ACK>"
    found = steps(*OPEN, "A <SEQ=101><ACK=301><CTL=RST,ACK>", data, data)
    # The first may have crossed the RST on its way.
    assert states(found)[3:] == [
        "CLOSED        CLOSED",
        "CLOSED        CLOSED",
        "CLOSED        ESTABLISHED?",
    ]


def test_half_open_connection_discovery() -> None:
    found = steps(
        *OPEN,
        "A <SEQ=400><CTL=SYN>",
        "B <SEQ=301><ACK=101><CTL=ACK>",
        "A <SEQ=101><CTL=RST>",
        "A <SEQ=400><CTL=SYN>",
    )
    assert [step.stream for step in found] == [0, 0, 0, 1, 1, 1, 1]
    assert drawn(found)[3:] == [
        "SYN-SENT      ESTABLISHED   port-reused syn not-acceptable",
        "SYN-SENT      ESTABLISHED   challenge-ack not-acceptable",
        "SYN-SENT      CLOSED        stray-reset",
        "SYN-SENT      ?             syn-retransmitted",
    ]


def test_a_syn_ack_with_a_wrong_ack_is_rejected() -> None:
    found = steps(OPEN[0], "B <SEQ=300><ACK=91><CTL=SYN,ACK>", "A <SEQ=91><CTL=RST>", *OPEN[1:])
    assert drawn(found) == [
        "SYN-SENT      ?             syn",
        "SYN-SENT      SYN-RECEIVED? syn-ack not-acceptable",
        "SYN-SENT      LISTEN?       stray-reset",
        "ESTABLISHED   SYN-RECEIVED  syn-ack negotiated",
        "ESTABLISHED   ESTABLISHED   established",
    ]


def test_one_side_only() -> None:
    found = steps(OPEN[0], OPEN[2], "A <SEQ=101><ACK=401><CTL=FIN,ACK>")
    assert drawn(found) == [
        "SYN-SENT      ?             syn",
        "ESTABLISHED?  ESTABLISHED?  established",
        "FIN-WAIT-1?   CLOSE-WAIT?   fin ack-of-unseen",
    ]


def test_seen_from_the_middle() -> None:
    found = steps(
        "B <SEQ=301><ACK=101><DATA=7><CTL=ACK>",
        "A <SEQ=101><ACK=308><CTL=ACK>",
        "A <SEQ=101><ACK=308><CTL=FIN,ACK>",
    )
    assert drawn(found) == [
        "ESTABLISHED?  ESTABLISHED?  mid-stream data",
        "ESTABLISHED?  ESTABLISHED?  acknowledged",
        "FIN-WAIT-1?   CLOSE-WAIT?   fin",
    ]


def test_gap_reordering_and_retransmission() -> None:
    found = steps(
        *OPEN,
        "A <SEQ=111><ACK=301><DATA=10><CTL=ACK>",
        "A <SEQ=101><ACK=301><DATA=10><CTL=ACK>",
        "B <SEQ=301><ACK=121><CTL=ACK>",
        "A <SEQ=131><ACK=301><DATA=10><CTL=ACK>",
        "B <SEQ=301><ACK=121><CTL=ACK>",
        "A <SEQ=121><ACK=301><DATA=10><CTL=ACK>",
        "B <SEQ=301><ACK=141><CTL=ACK>",
        "A <SEQ=111><ACK=301><DATA=10><CTL=ACK>",
    )
    # Handshake and ACK took 20 ms: what fills a gap later than that is the answer to the loss.
    assert [[event.code for event in step.events] for step in found[3:]] == [
        ["gap", "data"],
        ["out-of-order"],
        ["acknowledged"],
        ["gap", "data"],
        ["duplicate-ack"],
        ["retransmitted"],
        ["acknowledged"],
        ["retransmitted"],
    ]
    assert found[8].events == (ev.Retransmitted(Role.CLIENT, count=0, fin=False, unseen=10),)
    assert found[10].events == (ev.Retransmitted(Role.CLIENT, count=10, fin=False),)
    server = found[-1].server.after
    assert server is not None
    assert int(server.rcv.nxt or 0) == 141


def test_fast_open_with_data_in_the_syn() -> None:
    cookie = bytes((34, 10)) + bytes(8)
    tracker = Tracker()
    tracker.feed(Observed(segment("<SEQ=1><DATA=20><CTL=SYN>", options=Options.of(cookie)), 0))
    taken = tracker.feed(Observed(segment("<SEQ=9><ACK=22><CTL=SYN,ACK>", by=B), 1))
    assert [event.code for event in taken.events][:2] == ["syn-ack", "fast-open-answered"]
    tracker.feed(Observed(segment("<SEQ=22><ACK=10><CTL=ACK>"), 2))
    assert summarize(tracker.connections[0]).handshake.fast_open
    server = tracker.connections[0].server.block
    assert server is not None
    assert (server.state, int(server.rcv.nxt or 0)) == (State.ESTABLISHED, 22)


def test_a_rst_with_an_ack_is_no_answer_to_one() -> None:
    reset = "A <SEQ=101><ACK=301><CTL=RST,ACK>"
    late, answer = "B <SEQ=301><ACK=101><CTL=RST,ACK>", "B <SEQ=301><CTL=RST>"
    for last, variant in ((late, "other"), (answer, "answer")):
        (event,) = steps(*OPEN, reset, last)[-1].events
        assert (event.code, event.variant) == ("stray-reset", variant)


def test_a_checksum_that_offload_left_is_not_called_wrong() -> None:
    seg = segment("<SEQ=100><CTL=SYN>")
    for found, variant in ((0, "partial"), (0x1234, "wrong")):
        observed = Observed(replace(seg, checksum=found), 0, checksum_ok=False)
        assert Tracker().feed(observed).events[-1].variant == variant


@pytest.mark.parametrize("acknowledged", [True, False])
def test_an_octet_that_was_never_acknowledged_is_no_mere_keep_alive(acknowledged: bool) -> None:
    data = "A <SEQ=101><ACK=301><DATA=1><CTL=PSH,ACK>"
    ack = ("B <SEQ=301><ACK=102><CTL=ACK>",) if acknowledged else ()
    (event,) = steps(*OPEN, data, *ack, data)[-1].events
    assert (event.code, event.variant) == ("keep-alive", "asks" if acknowledged else "pending")


def test_a_closed_window_after_the_fin_stops_nothing() -> None:
    closing = (
        "A <SEQ=101><ACK=301><CTL=FIN,ACK>",
        "B <SEQ=301><ACK=102><CTL=ACK> win=0",
        "B <SEQ=301><ACK=102><CTL=FIN,ACK> win=0",
    )
    seen: list[str] = []
    tracker = Tracker()
    for number, text in enumerate((*OPEN, *closing)):
        step = tracker.feed(observed(text, number * 10_000_000, number + 1))
        seen += [each.variant for each in step.events if each.code == "zero-window"]
    assert seen == ["over"]


def test_a_bad_checksum_is_dropped_where_this_host_received_it() -> None:
    tracker = Tracker()
    tracker.feed(Observed(segment("<SEQ=100><CTL=SYN>"), 0, outgoing=True))
    answer = segment("<SEQ=300><ACK=101><CTL=SYN,ACK>", by=B)
    step = tracker.feed(Observed(answer, 1, checksum_ok=False, outgoing=False))
    assert drawn([step])[0].startswith("SYN-SENT      SYN-RECEIVED  syn-ack")
    assert step.events[-1].code == "bad-checksum"
    saved = Tracker()
    saved.feed(Observed(segment("<SEQ=100><CTL=SYN>"), 0))
    assert drawn([saved.feed(Observed(answer, 1, checksum_ok=False))])[0].startswith("ESTABLISHED")


def test_a_known_listener_moves_with_the_syn_itself() -> None:
    listener = ControlBlock(B, state=State.LISTEN, passive=True)
    found = steps(*OPEN, tracker=Tracker(sockets=[ControlBlock(A), listener]))
    assert drawn(found) == [
        "SYN-SENT      SYN-RECEIVED  syn",
        "ESTABLISHED   SYN-RECEIVED  syn-ack negotiated",
        "ESTABLISHED   ESTABLISHED   established",
    ]


def test_the_record_of_a_connection() -> None:
    tracker = Tracker()
    steps(*OPEN, "A <SEQ=101><ACK=301><CTL=RST,ACK>", tracker=tracker, options=LINUX)
    record = summarize(tracker.connections[0])
    assert (record.outcome, record.closed, record.roles) == ("established", "rst-by-client", "syn")
    assert record.handshake.rtt == 0.02
    assert record.handshake.syn_to_syn_ack == 0.01
    assert (record.client.mss, record.client.window_scale, record.client.iss) == (1460, 7, 100)
    assert record.frames == (1, 4)
    assert record.start == "1970-01-01T00:00:00.000000000Z"


def test_the_events_of_each_segment_are_what_is_counted() -> None:
    tracker = Tracker()
    ack = "B <SEQ=301><ACK=101><CTL=ACK>"
    found = steps(
        *(OPEN[0], OPEN[0], *OPEN[1:]),
        "A <SEQ=111><ACK=301><DATA=10><CTL=ACK>",
        *(ack, ack),
        "A <SEQ=101><ACK=301><DATA=20><CTL=ACK>",
        "B <SEQ=301><ACK=121><CTL=ACK>",
        "A <SEQ=120><ACK=301><CTL=ACK>",
        "B <SEQ=301><ACK=121><CTL=ACK>",
        tracker=tracker,
    )
    codes = [event.code for step in found for event in step.events]
    client, server = (
        summarize(tracker.connections[0]).client,
        summarize(tracker.connections[0]).server,
    )
    assert client.retransmissions == codes.count("syn-retransmitted") + codes.count("retransmitted")
    assert client.keep_alives == codes.count("keep-alive") == codes.count("keep-alive-ack") == 1
    assert server.duplicate_acks == codes.count("duplicate-ack") == 2
    assert (client.bytes, client.retransmissions) == (20, 2)


def test_the_round_trip_of_a_retransmission_is_unknown_without_a_timestamp() -> None:
    tracker = Tracker()
    steps(OPEN[0], OPEN[0], *OPEN[1:], tracker=tracker)
    opening = summarize(tracker.connections[0]).handshake
    assert (opening.rtt, opening.syn_to_syn_ack, opening.syn_ack_to_ack) == (0.02, 0.01, 0.01)
    assert opening.rtt_ambiguous

    tracker = Tracker()
    lines = (("A", OPEN[0], 1, 0), ("A", OPEN[0], 2, 0), ("B", OPEN[1], 9, 1), ("A", OPEN[2], 3, 9))
    for number, (by, line, value, echo) in enumerate(lines):
        clocks = Options.of(opt.timestamps(value, echo))
        seg = segment(line[2:], by=A if by == "A" else B, options=clocks)
        tracker.feed(Observed(seg, number * 10_000_000))
    opening = summarize(tracker.connections[0]).handshake
    # The SYN-ACK names the first SYN, though Wireshark counts from the second. Linux names the
    # first in every SYN-ACK, and an earlier one may have been lost: more would have to tell.
    assert (opening.rtt, opening.syn_to_syn_ack, opening.syn_ack_to_ack) == (0.03, 0.02, 0.01)
    assert opening.initial_rtt == 0.02
    assert opening.rtt_ambiguous


SLOW = (
    "0 A <SEQ=100><CTL=SYN> opts=mss1460,ts1000/0",
    "1 A <SEQ=100><CTL=SYN> opts=mss1460,ts2000/0",
    "1.6 B <SEQ=300><ACK=101><CTL=SYN,ACK> opts=mss1460,ts5000/1000",
    "1.61 A <SEQ=101><ACK=301><CTL=ACK> opts=ts2610/5000",
)
SECOND_ANSWER = "2.6 B <SEQ=300><ACK=101><CTL=SYN,ACK> opts=mss1460,ts6000/1000"
DATA = "2 A <SEQ=101><ACK=301><DATA=5><CTL=ACK> opts=ts3000/5000"


@pytest.mark.parametrize(
    ("more", "rtt", "ambiguous", "found"),
    [
        ((), 1.61, True, ["syn-answered-late@2"]),
        # The later SYN is answered too: the path takes as long as it seems.
        ((SECOND_ANSWER,), 1.61, False, ["syn-answered-late@2"]),
        ((DATA, "3.6 B <SEQ=301><ACK=106><CTL=ACK> opts=ts7/3000"), 1.61, False, None),
        # It is far shorter: the first SYN-ACK was lost, and Linux names the first SYN again.
        ((DATA, "2.6 B <SEQ=301><ACK=106><CTL=ACK> opts=ts7/3000"), 0.61, True, None),
    ],
)
def test_a_timestamp_names_the_syn_that_was_answered(
    more: tuple[str, ...], rtt: float, ambiguous: bool, found: list[str] | None
) -> None:
    (record,) = records(*SLOW, *more)
    assert (record.handshake.rtt, record.handshake.rtt_ambiguous) == (rtt, ambiguous)
    assert record.handshake.initial_rtt == 0.61
    codes = [f"{each.code}@{each.frame}" for each in record.findings]
    assert "syn-answered-late@2" in codes
    assert not {each.code for each in record.findings} & {"syn-lost", "final-ack-lost"}
    assert found is None or [each for each in codes if "window" not in each] == found


@pytest.mark.parametrize(("one", "other", "server"), [
    (2430, 44818, 44818),  # EtherNet/IP
    (6667, 1040, 6667),  # IRC, and an old ephemeral port
    (40000, 27017, 27017),
    (3306, 80, 80),  # both are known: the lower one
    (50000, 8123, 8123),  # neither is
    (513, 1022, 513),
])  # fmt: skip
def test_the_server_in_mid_stream_is_the_end_with_a_known_port(
    one: int, other: int, server: int
) -> None:
    for source, destination in ((one, other), (other, one)):
        seg = segment("<SEQ=5><ACK=7><DATA=3><CTL=ACK>", by=A)
        ends = Endpoint(A.address, source), Endpoint(B.address, destination)
        tracker = Tracker()
        tracker.feed(Observed(replace(seg, source=ends[0], destination=ends[1]), 0))
        (connection,) = tracker.connections
        assert (connection.server.endpoint.port, connection.roles) == (server, "guess")


def test_a_socket_that_is_connected_to_itself_acknowledges_its_own_octets() -> None:
    tracker = Tracker()
    lines = (
        "<SEQ=100><CTL=SYN>",
        "<SEQ=100><ACK=101><CTL=SYN,ACK>",
        "<SEQ=101><ACK=101><DATA=5><CTL=ACK>",
        "<SEQ=106><ACK=106><CTL=ACK>",
        "<SEQ=106><ACK=106><CTL=FIN,ACK>",
        "<SEQ=107><ACK=107><CTL=ACK>",
    )
    steps = [
        tracker.feed(Observed(replace(segment(line, by=A), destination=A), at))
        for at, line in enumerate(lines)
    ]
    codes = [[each.code for each in step.events] for step in steps[2:]]
    assert not {"unseen-acknowledged", "window-updated"} & {
        each for found in codes for each in found
    }
    told = [each for step in steps for each in step.events if isinstance(each, ev.Acknowledged)]
    assert [(each.count, each.fin) for each in told] == [(5, False), (1, True)]
