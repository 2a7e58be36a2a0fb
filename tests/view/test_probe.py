"""What a probe found, drawn."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from handshake.endpoint.ack_monitor import AckStatus
from handshake.endpoint.outcome import note
from handshake.linux.privileges import Shell
from handshake.messages import Message
from handshake.prober import Close, DataExchange, Negotiated, Result, Verdict, Waiting
from handshake.tcp import Observed
from handshake.tcp.icmp import IcmpError
from handshake.tracker import Tracker
from handshake.view.probe import ProbeView
from handshake.view.probe_live import LiveView
from tests.reasons import because
from tests.segments import LINUX, A, B, segment

if TYPE_CHECKING:
    from handshake.events import Step

TALK = (
    (0, "><SEQ=1000><CTL=SYN>"),
    (28, "<<SEQ=5000><ACK=1001><CTL=SYN,ACK>"),
    (29, "><SEQ=1001><ACK=5001><CTL=ACK>"),
    (30, "><SEQ=1001><ACK=5001><CTL=FIN,ACK>"),
    (58, "<<SEQ=5001><ACK=1002><CTL=FIN,ACK>"),
    (59, "><SEQ=1002><ACK=5002><CTL=ACK>"),
)

TRACKER = Tracker()
STEPS = [
    TRACKER.feed(
        Observed(
            segment(
                text[1:],
                by=A if text[0] == ">" else B,
                options=LINUX if "SYN" in text else None,
                window=65160,
            ),
            at * 10**6,
            ttl=52,
        )
    )
    for at, text in TALK
]

OPEN = Result(
    target="example.org:80",
    address="198.51.100.7",
    port=80,
    verdict=Verdict.OPEN,
    reason=because("a program listens on port 80: its SYN-ACK acknowledges our SYN"),
    rtt=0.0284,
    syn_sent=1,
    ttl=52,
    negotiated=Negotiated(1460, 1460, 7, 7, sack=True, timestamps=True, ecn=False),
    close=Close.CLEAN,
    guard="filter",
)


def drawn(view: ProbeView, width: int = 80, *, verbose: bool = True) -> list[str]:
    """Return the lines of a result; by default of all that there is to say."""
    return [line.plain.rstrip() for line in replace(view, verbose=verbose).lines(width)]


def test_an_open_port() -> None:
    assert drawn(ProbeView(OPEN, STEPS)) == [
        "OPEN  example.org:80 (198.51.100.7)  SYN-ACK after 28.4 ms",
        "  a program listens on port 80: its SYN-ACK acknowledges our SYN",
        "",
        "       ms CLIENT       seq relative                                SERVER",
        "    0.000 SYN-SENT     ── SYN seq=0 win=65160 mss=1460 ws=7 ─────▶ ?",
        "   28.000 ESTABLISHED  ◀───────── SYN-ACK seq=0 ack=1 win=65160 ── SYN-RECEIVED",
        "   29.000 ESTABLISHED  ── ACK seq=1 ack=1 win=65160 ─────────────▶ ESTABLISHED",
        "   30.000 FIN-WAIT-1   ── FIN-ACK seq=1 ack=1 win=65160 ─────────▶ CLOSE-WAIT",
        "   58.000 TIME-WAIT    ◀───────── FIN-ACK seq=1 ack=2 win=65160 ── LAST-ACK",
        "   59.000 TIME-WAIT    ── ACK seq=2 ack=2 win=65160 ─────────────▶ CLOSED",
        "",
        "  ack      1        = our seq + 1: acknowledges our SYN",
        "  window   65160    shift 7: up to 8 MiB when scaled",
        "  mss      1460     MTU 1500 (Ethernet), or clamped on the path",
        "  ttl      52       12 hops if it started at 64",
        "  in use            window scaling, SACK, timestamps",
        "  close    clean    both ends sent a FIN, and both were acknowledged",
        "  guard    filter   kept the local kernel from resetting the connection",
    ]


def test_what_was_said_is_summed_up() -> None:
    said = DataExchange(18, 18, b"HTTP/1.0 200 OK\r\n" + bytes(90), expected=True)
    assert drawn(ProbeView(replace(OPEN, data=said), STEPS))[-5:] == [
        "  sent     18       octets, all acknowledged",
        "  received 107      octets: HTTP/1.0 200 OK\\r\\n\\x00\\x00\\x00\\x00\\x00\\x00 ...",
        "  expected yes      the --expect text was received",
        "  close    clean    both ends sent a FIN, and both were acknowledged",
        "  guard    filter   kept the local kernel from resetting the connection",
    ]


def test_what_was_expected_and_did_not_come_is_the_exit_code() -> None:
    said = DataExchange(4, 3, b"", expected=False)
    lines = drawn(ProbeView(replace(OPEN, data=said), STEPS))
    assert lines[1].endswith("(exit 1)")
    assert "  sent     4        octets, 1 not acknowledged" in lines
    assert "  expected no       the --expect text was not received (exit 1)" in lines


def test_a_cookie_is_shown_with_how_to_use_it() -> None:
    assert OPEN.negotiated is not None
    told = replace(OPEN, negotiated=replace(OPEN.negotiated, fast_open="0123456789abcdef"))
    assert "cookie 0123456789abcdef for the next connection: --fast-open=0123456789abcdef" in (
        " ".join(" ".join(drawn(ProbeView(told, STEPS))).split())
    )


def test_no_answer_says_so_and_what_it_exits_with() -> None:
    silent = replace(
        OPEN, verdict=Verdict.FILTERED, rtt=None, close=None, reason=because("no answer")
    )
    lines = drawn(ProbeView(silent, STEPS[:1]))
    assert lines[:5] == [
        "NO ANSWER (filtered)  example.org:80 (198.51.100.7)",
        "  evidence 1 SYN sent: no SYN-ACK, no RST, no ICMP error came back",
        "  next     sudo handshake probe 198.51.100.7:80 --trace  where on the path?",
        "           sudo tcpdump -ni any 'tcp port 80 or icmp'  at both ends",
        "  no answer (exit 1)",
    ]
    assert lines[5:9] == [
        "  cause    no-answer (possible)",
        "  next     Capture at the server (tcpdump -ni any host 198.51.100.7): if the SYN",
        "           does not arrive, the path or a firewall before it drops it; if a",
        "           SYN-ACK leaves, it is lost on the way back.",
    ]
    assert len(lines) == 12


def test_a_name_without_an_address_has_no_ladder() -> None:
    unknown = Result(
        target="a\x1b[2Jb:80",
        address=None,
        port=80,
        verdict=Verdict.NAME_ERROR,
        reason=because("a\x1b[2Jb: unknown"),
    )
    assert drawn(ProbeView(unknown, [])) == [
        "NAME ERROR  a\\x1b[2Jb:80",
        "  a\\x1b[2Jb: unknown (exit 3)",
        "  next     getent ahosts 'a\\x1b[2Jb'  does this machine know the name?",
    ]


def test_an_ambiguous_time_and_a_note_are_spelled_out() -> None:
    told = replace(OPEN, rtt_ambiguous=True, findings=(note("unsent", why="something odd " * 8),))
    lines = drawn(ProbeView(told, STEPS))
    title = " ".join(each.strip() for each in lines[:2])
    assert title.endswith("after 28.4 ms? (unclear which SYN was answered)")
    assert lines[-3].startswith(
        "  note     This machine did not send one of our segments: something odd"
    )
    assert lines[-1].startswith("           something odd")


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (None, "not scaled: at most 64 KiB"),
        (0, "not scaled: at most 64 KiB"),
        (3, "shift 3: up to 512 KiB when scaled"),
        (4, "shift 4: up to 1 MiB when scaled"),
        (14, "shift 14: up to 1 GiB when scaled"),
    ],
)
def test_what_a_window_means(shift: int | None, words: str) -> None:
    agreed = Negotiated(1460, 1460, shift, 7, sack=True, timestamps=True, ecn=False)
    lines = drawn(ProbeView(replace(OPEN, negotiated=agreed), STEPS))
    assert f"  window   65160    {words}" in lines


def test_a_call_of_the_kernels_shows_what_the_kernel_tells() -> None:
    told = replace(OPEN, guard="none", ttl=None)
    assert drawn(ProbeView(told, [])) == [
        "OPEN  example.org:80 (198.51.100.7)  round trip 28.4 ms",
        "  a program listens on port 80: its SYN-ACK acknowledges our SYN",
        "",
        "  mss      1460     octets of data at most in a segment to the peer",
        "  shift    7        of the peer's window: up to 8 MiB when scaled",
        "  sack     yes      selective acknowledgments (RFC 2018)",
        "  tstamps  yes      timestamps in every segment (RFC 7323)",
        "  ecn      no       explicit congestion notification (RFC 3168)",
        "  close    clean    both ends sent a FIN, and both were acknowledged",
        "  guard    none     not needed: the kernel opened the connection",
    ]
    closed = replace(told, verdict=Verdict.CLOSED, negotiated=None, close=None)
    assert drawn(ProbeView(closed, []))[0].endswith("RST after 28.4 ms")


@pytest.mark.parametrize("reset", [False, True])
def test_a_syn_ack_of_ours_is_no_answer(reset: bool) -> None:
    talk = [(True, "<SEQ=1000><ACK=5000><CTL=SYN,ACK>"), (False, "<SEQ=5000><CTL=RST>")]
    tracker = Tracker()
    steps = [
        tracker.feed(Observed(segment(text, by=A if outgoing else B), 0, outgoing=outgoing))
        for outgoing, text in talk[: 1 + reset]
    ]
    verdict = Verdict.RESET if reset else Verdict.FILTERED
    rtt = 0.0284 if reset else None
    lines = drawn(ProbeView(replace(OPEN, verdict=verdict, rtt=rtt, negotiated=None), steps))
    title = "RESET" if reset else "NO ANSWER (filtered)"
    after = "  RST after 28.4 ms" if reset else ""
    assert lines[0] == f"{title}  example.org:80 (198.51.100.7){after}"
    assert not [line for line in lines if line.startswith(("  ack ", "  window "))]


def test_what_was_sent_out_of_nothing_opens_nothing() -> None:
    tracker = Tracker(client=A)
    talk = [(True, "<SEQ=1000><ACK=5000><CTL=SYN,ACK>"), (False, "<SEQ=5000><CTL=RST>")]
    steps = [
        tracker.feed(Observed(segment(text, by=A if outgoing else B), 0, outgoing=outgoing))
        for outgoing, text in talk
    ]
    # The client is known, although a SYN-ACK alone looks like an answer.
    assert [str(step.by) for step in steps] == ["client", "server"]
    lines = drawn(ProbeView(replace(OPEN, verdict=Verdict.RESET, negotiated=None), steps))
    assert lines[-2:] == [
        "  note     The first segment was not a SYN, so neither end has a connection: the",
        "           states are inferred from the packets.",
    ]


def test_where_syns_were_sent_again_both_times_are_told() -> None:
    late = replace(OPEN, syn_sent=3, rtt=0.0284, waited=3.0291)
    assert drawn(ProbeView(late, STEPS))[0] == (
        "OPEN  example.org:80 (198.51.100.7)  SYN-ACK after 3.03 s, 28.4 ms after SYN 3"
    )


def test_an_icmp_error_has_a_row() -> None:
    error = IcmpError(4, 3, 13, ip_address("192.0.2.9"), A, B, STEPS[0].segment.seq, at=14 * 10**6)
    lines = drawn(ProbeView(replace(OPEN, errors=(error,)), STEPS[:2]))
    assert lines[4:8] == [
        "    0.000 SYN-SENT     ── SYN seq=0 win=65160 mss=1460 ws=7 ─────▶ ?",
        "   14.000!             ◀───────────────────────────── ICMP 3/13 ──",
        (" " * 20) + "from 192.0.2.9: communication administratively prohibited",
        "   28.000 ESTABLISHED  ◀───────── SYN-ACK seq=0 ack=1 win=65160 ── SYN-RECEIVED",
    ]


@pytest.mark.parametrize(
    ("agreed", "shown"),
    [
        (
            Negotiated(1460, 1460, 0, 0, sack=False, timestamps=False, ecn=False),
            "no options",
        ),
        (
            Negotiated(1460, 1460, 7, 0, sack=True, timestamps=False, ecn=True),
            "window scaling, SACK, ECN",
        ),
    ],
)
def test_what_is_in_force(agreed: Negotiated, shown: str) -> None:
    lines = drawn(ProbeView(replace(OPEN, negotiated=agreed), STEPS))
    assert f"  in use            {shown}" in lines


def diagnosed(packets: list[tuple[int, str, int]], verdict: Verdict) -> list[str]:
    """Return what is drawn of a probe of these segments: milliseconds, text, TTL."""
    seen = tuple(
        Observed(
            segment(text[1:], by=A if text[0] == ">" else B),
            at * 10**6,
            ttl=ttl,
            outgoing=text[0] == ">",
        )
        for at, text, ttl in packets
    )
    told = replace(OPEN, verdict=verdict, rtt=None, close=None, negotiated=None, segments=seen)
    return drawn(ProbeView(replace(told, reason=because("why")), []))


SYN, SYN_ACK = (0, "><SEQ=1000><CTL=SYN>", 64), (28, "<<SEQ=5000><ACK=1001><CTL=SYN,ACK>", 52)


def test_a_likely_cause_is_told_with_what_shows_it() -> None:
    rst = (9, "<<SEQ=0><ACK=1001><CTL=RST,ACK>", 61)
    lines = diagnosed([SYN, rst, SYN_ACK], Verdict.BAD_PEER)
    assert lines[4].startswith("  cause    injected-reset (proven): A RST answered the SYN, and")
    assert any(line.startswith("  next     Capture at the server:") for line in lines)


def test_a_possible_cause_that_the_reason_names_is_not_told_twice() -> None:
    ack = (29, "><SEQ=1001><ACK=5001><CTL=ACK>", 64)
    rst = (60, "<<SEQ=5001><ACK=1001><CTL=RST,ACK>", 52)
    lines = diagnosed([SYN, SYN_ACK, ack, rst], Verdict.RESET)
    assert lines[5] == "  cause    closed-at-once (possible)"
    assert lines[6].startswith("  next     Read the log of the program on port 80")


def test_a_probe_that_went_well_has_no_cause() -> None:
    lines = drawn(ProbeView(OPEN, STEPS))
    assert not any(line.startswith(("  cause", "  next")) for line in lines)


# The answer first: what is shown of one target unless more is asked for.


def short(result: Result, steps: list[Step] | None = None, width: int = 80) -> list[str]:
    return drawn(ProbeView(result, steps or []), width, verbose=False)


def observed(at: int, text: str, ttl: int = 52) -> Observed:
    """Return a segment after so many milliseconds; `>` is ours."""
    ours = text[0] == ">"
    end = A if ours else B
    return Observed(segment(text[1:], by=end), at * 10**6, ttl=64 if ours else ttl, outgoing=ours)


def icmp(kind: int, code: int, sender: str) -> IcmpError:
    return IcmpError(4, kind, code, ip_address(sender), A, B, STEPS[0].segment.seq)


def verdict(code: str, /, **values: object) -> Message:
    return Message("verdicts", code, values)


REFUSED = observed(28, "<<SEQ=0><ACK=1001><CTL=RST,ACK>")
ACCEPTED = observed(28, "<<SEQ=5000><ACK=1001><CTL=SYN,ACK>")
OURS = observed(0, "><SEQ=1000><CTL=SYN>")
ACK = observed(29, "><SEQ=1001><ACK=5001><CTL=ACK>")
NONE = replace(OPEN, rtt=None, ttl=None, close=None, negotiated=None)

ANSWERS = {
    "closed": (
        replace(
            NONE,
            verdict=Verdict.CLOSED,
            rtt=0.0284,
            ttl=52,
            reason=verdict("closed", port=80),
            segments=(OURS, REFUSED),
        ),
        "CLOSED  example.org:80 (198.51.100.7)  RST after 28.4 ms",
        "RST with TTL 52: it passed 12 routers if it began at 64",
        "ss -ltn 'sport = :80'",
    ),
    "closed by a firewall": (
        replace(
            NONE,
            verdict=Verdict.CLOSED,
            rtt=0.0284,
            ttl=64,
            reason=verdict("closed", port=80),
            findings=(
                note(
                    "refused-by-firewall",
                    "near",
                    ttl=64,
                    address="198.51.100.7",
                    gateway="192.0.2.1",
                    most=63,
                ),
            ),
        ),
        "CLOSED  example.org:80 (198.51.100.7)  RST after 28.4 ms",
        "RST with TTL 64, but a gateway lies between: likely a firewall's RST",
        "sudo handshake probe 198.51.100.7:80 --trace",
    ),
    "filtered": (
        replace(
            NONE,
            verdict=Verdict.FILTERED,
            syn_sent=3,
            reason=verdict("filtered.silent", count=3, seconds=5.0),
        ),
        "NO ANSWER (filtered)  example.org:80 (198.51.100.7)",
        "3 SYNs sent: no SYN-ACK, no RST, no ICMP error came back",
        "sudo handshake probe 198.51.100.7:80 --trace",
    ),
    "unreachable": (
        replace(
            NONE,
            verdict=Verdict.UNREACHABLE,
            icmp=icmp(3, 13, "192.0.2.9"),
            errors=(icmp(3, 13, "192.0.2.9"),),
            segments=(OURS,),
            reason=verdict("unreachable.router", sender="192.0.2.9", error="why"),
        ),
        "UNREACHABLE  example.org:80 (198.51.100.7)  admin-prohibited by 192.0.2.9",
        "ICMP 3/13 from 192.0.2.9 quotes our SYN",
        "sudo nft list ruleset",
    ),
    "no reply to ARP": (
        replace(
            NONE,
            verdict=Verdict.UNREACHABLE,
            reason=verdict(
                "unreachable.neighbour", protocol="ARP", gateway=True, address="192.0.2.1"
            ),
        ),
        "UNREACHABLE  example.org:80 (198.51.100.7)  no reply to ARP for 192.0.2.1",
        "no reply to ARP for 192.0.2.1",
        "ip neigh show 192.0.2.1",
    ),
    "half-open": (
        replace(
            NONE,
            verdict=Verdict.HALF_OPEN,
            rtt=0.0284,
            ack_status=AckStatus(confirmed=False, watched=3, again=(1.0, 3.0)),
            findings=(note("syn-ack-again", soon=False, syns=False),),
            reason=verdict("half-open.retransmitted", after=["1.0", "3.0"]),
        ),
        "HALF OPEN  example.org:80 (198.51.100.7)  SYN-ACK after 28.4 ms",
        "SYN-ACK again after 1.0 and 3.0 s, although we had acknowledged it",
        "ss -ltn 'sport = :80'",
    ),
    "reset": (
        replace(
            NONE,
            verdict=Verdict.RESET,
            rtt=0.0284,
            segments=(OURS, ACCEPTED, ACK, observed(60, "<<SEQ=5001><CTL=RST>", 61)),
            reason=verdict("reset", accepted=False),
        ),
        "RESET  example.org:80 (198.51.100.7)  SYN-ACK after 28.4 ms",
        "RST 31 ms after our ACK, TTL 61 (its SYN-ACK: 52)",
        "sudo ss -ltnp 'sport = :80'",
    ),
    "bad-peer": (
        replace(
            NONE,
            verdict=Verdict.BAD_PEER,
            findings=(note("wrong-ack", what="SYN-ACK", ack=77, expected=1001),),
            reason=verdict("bad-peer", count=3),
        ),
        "BAD PEER  example.org:80 (198.51.100.7)",
        "the SYN-ACK acknowledges 77; our SYN needs 1001",
        "ss -tan 'sport = :80'",
    ),
    "local-error": (
        replace(
            NONE,
            verdict=Verdict.LOCAL_ERROR,
            reason=verdict("unsent.segment", asked="SYN", why=verdict("unsent.dropped")),
        ),
        "LOCAL ERROR  example.org:80 (198.51.100.7)",
        "a firewall on this machine drops it, or the link accepts nothing",
        "sudo nft list ruleset",
    ),
    "name-error": (
        replace(
            NONE,
            verdict=Verdict.NAME_ERROR,
            address=None,
            reason=because("example.org: unknown"),
        ),
        "NAME ERROR  example.org:80",
        "example.org: unknown (exit 3)",
        "getent ahosts example.org",
    ),
    "no name server": (
        replace(
            NONE,
            verdict=Verdict.NAME_ERROR,
            address=None,
            reason=Message("errors", "target.no-name-server", {"host": "example.org", "why": "no"}),
        ),
        "NAME ERROR  example.org:80",
        "example.org: no: no name server gave an answer (exit 3)",
        "cat /etc/resolv.conf",
    ),
}
"""For each verdict: its result, and what the first three lines say."""


@pytest.mark.parametrize("case", ANSWERS)
def test_the_first_three_lines_say_what_happened_how_it_is_known_and_what_next(case: str) -> None:
    result, title, how, command = ANSWERS[case]
    lines = short(result)
    assert lines[0] == title
    assert lines[1] in (f"  evidence {how}", f"  {how}")
    assert lines[2].startswith(f"  next     {command}  ")
    if result.verdict in (Verdict.HALF_OPEN, Verdict.BAD_PEER):
        assert not [each for each in lines if each.startswith("  note")], "it is said already"
    sentences = [each.plain for each in ProbeView(result, []).sentences()]
    assert sentences[:2] in ([title, f"  evidence: {how}"], [title, f"  {how}"])
    assert sentences[2].startswith(f"  next: {command} (")


def test_an_open_port_needs_no_next_step() -> None:
    lines = short(OPEN, STEPS)
    assert lines[:2] == [
        "OPEN  example.org:80 (198.51.100.7)  SYN-ACK after 28.4 ms",
        "  a program listens on port 80: its SYN-ACK acknowledges our SYN",
    ]
    assert [line.split()[0] for line in lines[11:]] == ["window", "mss", "ttl", "in", "close"]
    assert not any(line.startswith("  next") for line in lines)


def test_a_command_is_for_the_shell_that_started_this() -> None:
    result = ANSWERS["half-open"][0]
    again = replace(result, ack_status=AckStatus(confirmed=False, watched=1, withheld=True))
    shell = Shell(".venv/bin/handshake", "")
    lines = [each.plain for each in ProbeView(again, [], shell=shell).lines(80)]
    assert lines[2] == ("  next     .venv/bin/handshake probe 198.51.100.7:80  with our ACK")
    v6 = replace(again, address="2001:db8::7")
    assert "probe '[2001:db8::7]:80'" in ProbeView(v6, []).lines(80)[2].plain


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("segments", [2, 6, 60])
@pytest.mark.parametrize("remarks", [0, 1, 12])
def test_it_never_takes_more_than_thirty_lines_of_eighty_columns(
    width: int, segments: int, remarks: int
) -> None:
    steps = (STEPS * 10)[:segments]
    notes = tuple(note("unsent", why=f"something odd {number} " * 9) for number in range(remarks))
    lines = ProbeView(replace(OPEN, findings=notes), steps).lines(width)
    assert all(each.cell_len <= width for each in lines)
    assert width < 80 or len(lines) <= 30
    text = " ".join(" ".join(each.plain for each in lines).split())
    # Nothing is left out in silence.
    left = [int(each) for each in re.findall(r"(\d+) more segments?: -v shows all", text)]
    # Each segment that is shown has its arrow; the states have no room on 40 columns.
    assert sum(left) + text.count("▶") + text.count("◀") >= segments
    assert text.count("something odd 0") == (9 if remarks else 0) or "more note" in text


def test_of_a_long_ladder_the_beginning_and_the_end_are_kept() -> None:
    lines = short(OPEN, STEPS * 10)
    (gap,) = [number for number, each in enumerate(lines) if "more segments: -v" in each]
    assert "── SYN seq=0" in lines[5 - 1]
    assert lines[gap].strip().startswith("…")
    left = int(lines[gap].split()[1])
    assert left + sum("win=65160" in each for each in lines) == 60


def test_what_is_not_over_shows_what_it_waits_for() -> None:
    view = LiveView("example.org:80", "198.51.100.7", STEPS[:1], (), Waiting(False, 2, 3, 1.42))
    lines = [each.plain.rstrip() for each in view.lines(80, 24)]
    assert lines == [
        "PROBE  example.org:80 (198.51.100.7)",
        "       ms CLIENT       seq relative                                SERVER",
        "    0.000 SYN-SENT     ── SYN seq=0 win=65160 mss=1460 ws=7 ─────▶ ?",
        "  waiting for an answer, 2 of 3 SYNs, 1.4 s left",
    ]
    opened = replace(view, steps=STEPS[:3], waiting=Waiting(True, 1, 3, 0.5))
    assert opened.lines(80, 24)[-1].plain == (
        "  open: watching whether the SYN-ACK comes again, 0.5 s left"
    )
    closing = replace(opened, steps=STEPS[:4])
    assert closing.lines(80, 24)[-1].plain == "  open: closing, 0.5 s left"
    for width, height in ((20, 3), (40, 6), (80, 10)):
        small = replace(view, steps=STEPS * 5).lines(width, height)
        assert len(small) < height


@pytest.mark.parametrize(
    ("steps", "errors", "known"),
    [
        (STEPS[:1], (), "1 SYN sent, no answer so far (exit 130)"),
        (
            STEPS[:1],
            (icmp(3, 1, "192.0.2.9"),),
            "1 SYN sent, so far reported as host-unreachable by 192.0.2.9 (exit 130)",
        ),
        (STEPS[:3], (), "a SYN-ACK has answered; the connection is reset now (exit 130)"),
    ],
)
def test_an_interrupt_says_what_is_known(
    steps: list[Step], errors: tuple[IcmpError, ...], known: str
) -> None:
    view = LiveView("example.org:80", "198.51.100.7", steps, errors)
    lines = [each.plain for each in view.interrupted(80)]
    assert lines[:2] == ["INTERRUPTED  example.org:80 (198.51.100.7)", f"  {known}"]
    assert len([each for each in lines if "win=65160" in each]) == len(steps)
    assert [each.plain for each in view.interrupted(None)][:2] == lines[:2]


def test_a_split_handshake_is_answered_by_an_ack_and_no_rst() -> None:
    tracker = Tracker(client=A)
    talk = (
        (True, "<SEQ=1000><CTL=SYN>"),
        (False, "<SEQ=5001><ACK=1001><CTL=ACK>"),
        (False, "<SEQ=5000><CTL=SYN>"),
        (True, "<SEQ=1000><ACK=5001><CTL=SYN,ACK>"),
        (False, "<SEQ=5001><ACK=1001><CTL=ACK>"),
    )
    steps = [
        tracker.feed(Observed(segment(text, by=A if outgoing else B), 0, outgoing=outgoing))
        for outgoing, text in talk
    ]
    lines = drawn(ProbeView(OPEN, steps))
    assert lines[0] == "OPEN  example.org:80 (198.51.100.7)  ACK after 28.4 ms"
    assert any(each.startswith("  window   65535 ") for each in lines)
