from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from rich.cells import cell_len

from handshake.messages import Message
from handshake.prober import Close, Result, Verdict
from handshake.tcp import Endpoint, Seq
from handshake.tcp.icmp import IcmpError
from handshake.view.probe_lines import Kinds, ResultRow, Series, Tally, shortened, three_digits
from tests.reasons import because

OPEN = Result(
    target="10.0.0.1:80",
    address="10.0.0.1",
    port=80,
    verdict=Verdict.OPEN,
    reason=because(""),
    rtt=0.00042,
    close=Close.CLEAN,
)
GUESS = Result(
    target="10.0.0.1:80",
    address="10.0.0.1",
    port=80,
    verdict=Verdict.OPEN,
    reason=because(""),
    rtt=1.5,
    rtt_ambiguous=True,
)
SILENT = Result(
    target="a.example:80",
    address="10.0.0.2",
    port=80,
    verdict=Verdict.FILTERED,
    reason=because("nothing\x1b[2J answered"),
    syn_sent=3,
)


LATE = "close: clean; 3 SYNs, 3.03 s after the first"


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        (OPEN, "OPEN         10.0.0.1:80    0.420 ms            close: clean"),
        (
            replace(OPEN, ttl=64, rtt=0.0205),
            "OPEN         10.0.0.1:80     20.5 ms   ttl 64   close: clean",
        ),
        (GUESS, "OPEN         10.0.0.1:80     1500 ms?           close: no answer"),
        (
            replace(OPEN, syn_sent=3, waited=3.0291),
            f"{'OPEN':13}10.0.0.1:80    0.420 ms{'':12}{LATE}",
        ),
        (
            SILENT,
            "FILTERED     a.example:80 (10.0.0.2)                        no answer to 3 SYNs",
        ),
        (
            replace(SILENT, verdict=Verdict.NAME_ERROR),
            "NAME-ERROR   a.example:80 (10.0.0.2)                        nothing\\x1b[2J answered",
        ),
    ],
)
def test_a_result_is_a_line(result: Result, shown: str) -> None:
    assert ResultRow(result).line().plain == shown


def test_what_many_add_up_to() -> None:
    tally = Tally()
    for rtt in (0.001, 0.003, 0.002):
        tally.add(
            Result(
                target="a:1",
                address="192.0.2.1",
                port=1,
                verdict=Verdict.OPEN,
                reason=because(""),
                rtt=rtt,
            )
        )
    tally.add(GUESS)
    tally.add(SILENT)
    assert [each.plain for each in tally.lines(2.5)] == [
        "5 probes in 2.5 s, 2 per second: 4 open, 1 filtered",
        "rtt min/median/p95/max/stddev = 1.000/2.000/3.000/3.000/0.816 ms",
    ]
    assert [each.plain for each in Tally().lines(0.1)] == ["0 probes in 100 ms: none"]


def test_a_series_is_summed_up_as_ping_does() -> None:
    series = Series("10.0.0.1:80")
    for number in range(1, 101):
        rtt = None if number > 98 else number / 1000
        series.add(
            Result(
                target="10.0.0.1:80",
                address="10.0.0.1",
                port=80,
                verdict=Verdict.OPEN,
                reason=because(""),
                rtt=rtt,
            )
        )
    assert [each.plain for each in series.lines()] == [
        "",
        "--- 10.0.0.1:80 ---",
        "100 probes, 98 answered, 2% loss",
        "rtt min/median/p95/max/stddev = 1.000/49.500/94.000/98.000/28.289 ms",
    ]


def probed(rtt: float | None, syns: int = 1, waited: float | None = None, **more: bool) -> Result:
    """Return a probe that sent so many SYNs and was answered after `rtt`, if at all."""
    return Result(
        target="a:1",
        address="192.0.2.1",
        port=1,
        verdict=Verdict.FILTERED if rtt is None else Verdict.OPEN,
        reason=because(""),
        rtt=rtt,
        syn_sent=syns,
        waited=waited,
        rtt_ambiguous=more.get("unclear", False),
    )


def test_a_lossy_path_has_a_verdict() -> None:
    series = Series("a:1")
    for each in (
        *(probed(0.002) for _ in range(8)),
        probed(0.002, syns=2, waited=1.002),
        probed(0.004, syns=3, waited=3.004),
        probed(None, syns=3),
        # Slow, and not lost: it counts neither as a round trip nor as a loss.
        probed(0.3, syns=2, waited=1.3, unclear=True),
    ):
        series.add(each)
    *lines, verdict = (each.plain for each in series.lines()[2:])
    assert verdict.startswith(
        "LOSSY  6 of 16 SYNs (38%) were not answered by a target that answers"
    )
    assert lines == [
        "12 probes, 11 answered, 8.33% loss, 6 SYNs retransmitted",
        "rtt min/median/p95/max/stddev = 2.000/2.000/4.000/4.000/0.600 ms, of 10 probes",
        "1 answer: unclear which SYN was answered",
        "retransmission timers: 2 answers came 1 s to 3 s later than a round trip",
    ]


@pytest.mark.parametrize(
    "results", [[probed(None, 3), probed(None, 3)], [probed(0.1), probed(0.2)]]
)
def test_what_is_filtered_or_whole_is_not_lossy(results: list[Result]) -> None:
    series = Series("a:1")
    for each in results:
        series.add(each)
    assert not [each for each in series.lines() if "LOSSY" in each.plain]


@pytest.mark.parametrize(
    ("verdicts", "shown"),
    [
        ("open", "1 probe, 1 answered, 0% loss"),
        ("open filtered", "2 probes, 1 answered, 50% loss"),
        ("filtered bad-peer", "2 probes, 0 answered, 100% loss"),
        ("open unreachable", "2 probes, 1 answered, 1 unreachable"),
        ("unreachable unreachable", "2 probes, 0 answered, 2 unreachable"),
        ("local-error name-error", "2 probes, 0 answered, 2 not sent"),
        # Of what was sent a third was lost.
        (
            "open filtered unreachable local-error",
            "4 probes, 1 answered, 1 not sent, 1 unreachable, 33.3% loss",
        ),
    ],
)
def test_what_was_not_sent_or_is_unreachable_was_not_lost(verdicts: str, shown: str) -> None:
    series = Series("10.0.0.1:80")
    for each in verdicts.split():
        rtt = 0.001 if each == "open" else None
        series.add(
            Result(
                target="10.0.0.1:80",
                address="10.0.0.1",
                port=80,
                verdict=Verdict(each),
                reason=because(""),
                rtt=rtt,
            )
        )
    assert series.lines()[2].plain == shown


PROHIBITED = Result(
    target="10.9.9.3:83",
    address="10.9.9.3",
    port=83,
    verdict=Verdict.UNREACHABLE,
    reason=Message("verdicts", "unreachable.router", {"sender": "10.9.1.254", "error": "why"}),
    icmp=IcmpError(
        4,
        3,
        13,
        ip_address("10.9.1.254"),
        Endpoint.of("10.9.9.1", 4000),
        Endpoint.of("10.9.9.3", 83),
        Seq(1),
    ),
    rtt=0.0123,
    ttl=63,
    syn_sent=1,
)


@pytest.mark.parametrize(
    ("width", "rows"),
    [
        (
            90,
            ["UNREACHABLE  10.9.9.3:83     12.3 ms   ttl 63   admin-prohibited by 10.9.1.254"],
        ),
        # The TTL says least, then the round trip, then the middle of the target.
        (74, ["UNREACHABLE  10.9.9.3:83     12.3 ms   admin-prohibited by 10.9.1.254"]),
        (60, ["UNREACHABLE  10.9.9.3:83  admin-prohibited by 10.9.1.254"]),
        (40, ["UNREACHABLE  10.9.9.3:83", "  admin-prohibited by 10.9.1.254"]),
    ],
)
def test_what_does_not_fit_is_left_out_but_never_the_cause(width: int, rows: list[str]) -> None:
    assert [each.plain for each in ResultRow(PROHIBITED).lines(width)] == rows


def test_of_a_long_target_the_port_remains() -> None:
    name = replace(PROHIBITED, target=f"{'long-' * 14}name.example:83", address="10.9.9.3")
    rows = [each.plain for each in ResultRow(name).lines(80)]
    assert rows[0].startswith("UNREACHABLE  long-")
    assert rows[0].endswith("-name.example:83")
    assert "…" in rows[0]
    assert rows[1] == "  admin-prohibited by 10.9.1.254"
    assert cell_len(rows[0]) == 80
    long = "[2001:db8:85a3:8d3:1319:8a2e:370:7348]:443"
    assert shortened(long, 20, "…") == "[2001:db8…:7348]:443"
    assert cell_len(shortened("한글한글한글.example:443", 16, "…")) <= 16


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.00123, "0.00123"),
        (0.058149, "0.0581"),
        (0.42, "0.420"),
        (9.996, "10.0"),
        (28.04, "28.0"),
        (99.96, "100"),
        (999.7, "1000"),
        (12345.6, "12346"),
        (0.0000042, "0.000004"),
        (0, "0.000000"),
    ],
)
def test_three_digits_tell_enough(number: float, shown: str) -> None:
    assert three_digits(number) == shown


def test_the_reason_stands_once_for_each_kind() -> None:
    kinds = Kinds()
    closed = replace(
        OPEN, verdict=Verdict.CLOSED, reason=Message("verdicts", "closed", {"port": 80})
    )
    for each in (OPEN, closed, PROHIBITED, replace(closed, target="10.0.0.9:80"), closed):
        kinds.add(each)
    assert [each.plain for each in kinds.lines(None)] == [
        "",
        f"CLOSED       10.0.0.1:80 and 2 more: {closed.reason}",
        "UNREACHABLE  10.9.9.3:83: 10.9.1.254 reports: why",
    ]
    assert all(each.cell_len <= 60 for each in kinds.lines(60))
    # What one router reports explains no other's report.
    assert PROHIBITED.icmp is not None
    for icmp in (
        replace(PROHIBITED.icmp, code=0),
        replace(PROHIBITED.icmp, sender=ip_address("10.9.1.253")),
    ):
        kinds.add(replace(PROHIBITED, icmp=icmp))
    assert [each.plain[:16] for each in kinds.lines(None)].count("UNREACHABLE  10.") == 3
    assert Kinds().lines(None) == []
