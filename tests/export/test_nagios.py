"""Probes as Nagios reads them."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given

from handshake.export.monitor import nagios, status, unknown
from handshake.prober import DataExchange, Result, Verdict, exit_code
from tests.export.results import NO_ROUTE, OPEN, REFUSED, RESULTS, SILENT, UNKNOWN_NAME
from tests.reasons import because

_VALUE = r"-?[0-9]+(?:\.[0-9]+)?"
_LABEL = r"(?:'(?:[^'=|\n]|'')+'|[^'= |\n]+)"
_MEASURED = re.compile(
    rf"({_LABEL})=({_VALUE})(us|ms|s|%|[KMGT]?B|c|)(?:;({_VALUE})?(?:;({_VALUE})?"
    rf"(?:;({_VALUE})?(?:;({_VALUE})?)?)?)?)?"
)
"""'label'=value[unit];[warn];[crit];[min];[max], as the guidelines of the plugins have it."""

_LINE = re.compile(r"TCP (OK|WARNING|CRITICAL|UNKNOWN) - ([^|\n]+?)(?: \| ([^|\n]+))?")


def measured(results: list[Result]) -> dict[str, tuple[str, str]]:
    """The measurements in the first line of a plugin's output, each with its unit."""
    first, *below = nagios(results)[0].split("\n")
    line = _LINE.fullmatch(first)
    assert line is not None
    assert line[1] == {0: "OK", 2: "CRITICAL", 3: "UNKNOWN"}[nagios(results)[1]]
    assert all(each.isprintable() and "|" not in each for each in below)
    assert len(below) == (len(results) if len(results) > 1 else 0)
    found = {}
    for each in (line[3] or "").split():
        values = _MEASURED.fullmatch(each)
        assert values is not None, each
        assert (values[4], values[5], values[6], values[7]) == (None, None, "0", None)
        assert values[1] not in found
        found[values[1]] = (values[2], values[3])
    return found


def test_an_open_port() -> None:
    assert nagios([OPEN]) == (
        (
            "TCP OK - example.org:443 (198.51.100.7) open, SYN-ACK after 28.4 ms | "
            "rtt=0.028400s;;;0 duration=0.085731s;;;0 syn_sent=1;;;0"
        ),
        0,
    )
    assert measured([OPEN]) == {
        "rtt": ("0.028400", "s"),
        "duration": ("0.085731", "s"),
        "syn_sent": ("1", ""),
    }


@pytest.mark.parametrize(
    ("result", "line", "code"),
    [
        (
            REFUSED,
            (
                "TCP CRITICAL - example.org:443 (198.51.100.7) closed, RST after 0.031 ms: RST "
                "answered our SYN | rtt=0.000031s;;;0 duration=0.085731s;;;0 syn_sent=1;;;0"
            ),
            2,
        ),
        (
            SILENT,
            (
                "TCP CRITICAL - example.org:443 (2001:db8::7) filtered: nothing answered 3 SYNs in "
                "5.0 s | duration=5.000000s;;;0 syn_sent=3;;;0"
            ),
            2,
        ),
        # The service cannot be reached by its name: that is known.
        (UNKNOWN_NAME, "TCP CRITICAL - a.example:80 name-error: a.example: not known", 2),
        (
            NO_ROUTE,
            (
                "TCP UNKNOWN - 203.0.113.9:80 local-error: this machine did not send our SYN | "
                "syn_sent=0;;;0"
            ),
            3,
        ),
        # Which SYN was answered is not known: no measurement.
        (
            replace(OPEN, rtt_ambiguous=True, syn_sent=2, duration=None),
            (
                "TCP OK - example.org:443 (198.51.100.7) open, SYN-ACK after 28.4 ms "
                "(unclear which SYN was answered) | syn_sent=2;;;0"
            ),
            0,
        ),
        # A segment that asks for no connection is answered by RST.
        (
            replace(
                OPEN, verdict=Verdict.RESET, reason=because("RST answered our ACK"), duration=None
            ),
            (
                "TCP CRITICAL - example.org:443 (198.51.100.7) reset, RST after 28.4 ms: "
                "RST answered our ACK | rtt=0.028400s;;;0 syn_sent=1;;;0"
            ),
            2,
        ),
    ],
)
def test_one_line_for_one_probe(result: Result, line: str, code: int) -> None:
    assert nagios([result]) == (line, code)
    measured([result])


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_a_status(verdict: Verdict) -> None:
    expected = {Verdict.OPEN: 0, Verdict.LOCAL_ERROR: 3}.get(verdict, 2)
    assert status(replace(OPEN, verdict=verdict)) == expected


OTHER = replace(SILENT, target="example.net:443")


def test_of_several_targets_the_worst_decides() -> None:
    text, code = nagios([OPEN, NO_ROUTE, OTHER])
    first, *below = text.split("\n")
    assert code == 2
    assert first.startswith(
        "TCP CRITICAL - 2 of 3 failed: example.net:443 (2001:db8::7) filtered: nothing answered"
    )
    assert below == [
        "OK - example.org:443 (198.51.100.7) open, SYN-ACK after 28.4 ms",
        "UNKNOWN - 203.0.113.9:80 local-error: this machine did not send our SYN",
        "CRITICAL - example.net:443 (2001:db8::7) filtered: nothing answered 3 SYNs in 5.0 s",
    ]
    text, code = nagios([OPEN, NO_ROUTE])
    assert (text.split(": ")[0], code) == ("TCP UNKNOWN - 1 of 2 failed", 3)
    text, code = nagios([OPEN, replace(OPEN, target="example.net:443")])
    assert (text.split(" | ")[0], code) == ("TCP OK - all 2 succeeded", 0)


def test_one_address_of_a_name_that_opens_is_enough() -> None:
    text, code = nagios([SILENT, OPEN])
    first, *below = text.split("\n")
    assert code == exit_code([SILENT, OPEN]) == 0
    assert first.startswith("TCP OK - example.org:443 (198.51.100.7) open, SYN-ACK after 28.4 ms")
    assert [each.split()[0] for each in below] == ["CRITICAL", "OK"]


def test_what_is_measured_again_has_another_label() -> None:
    assert measured([OPEN, SILENT, OPEN]) == {
        "rtt_198.51.100.7:443": ("0.028400", "s"),
        "duration_198.51.100.7:443": ("0.085731", "s"),
        "syn_sent_198.51.100.7:443": ("1", ""),
        "duration_[2001:db8::7]:443": ("5.000000", "s"),
        "syn_sent_[2001:db8::7]:443": ("3", ""),
        "rtt_198.51.100.7:443#2": ("0.028400", "s"),
        "duration_198.51.100.7:443#2": ("0.085731", "s"),
        "syn_sent_198.51.100.7:443#2": ("1", ""),
    }


def test_an_open_port_that_sends_something_else_is_no_success() -> None:
    result = replace(OPEN, data=DataExchange(4, 4, b"something else", expected=False))
    text, code = nagios([result])
    assert code == 2
    assert "open, SYN-ACK after 28.4 ms: the --expect text was not received" in text


def test_without_a_probe_nothing_is_known() -> None:
    assert nagios([]) == ("TCP UNKNOWN - no target", 3)
    assert measured([]) == {}


def test_unknown_has_the_same_form() -> None:
    output, code = unknown("a|b:\x1b[2J which port?")
    assert (output, code) == (r"TCP UNKNOWN - a\x7cb:\x1b[2J which port?", 3)
    assert _LINE.fullmatch(output)


def test_nothing_of_a_name_reaches_the_format() -> None:
    odd = replace(
        UNKNOWN_NAME, target="a|b\x1b[2J\n:80", reason=because("a|b\r\n\u2028\udc80: not known")
    )
    assert nagios([odd]) == (
        r"TCP CRITICAL - a\x7cb\x1b[2J\n:80 name-error: a\x7cb\r\n\u2028\udc80: not known",
        2,
    )


@given(RESULTS)
def test_every_result_is_valid_plugin_output(results: list[Result]) -> None:
    measured(results)
