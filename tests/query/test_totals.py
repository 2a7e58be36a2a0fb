"""Totals, and which connections are problems."""

from __future__ import annotations

from dataclasses import replace

from handshake.query.problems import is_problem
from handshake.query.totals import Spread, Totals
from handshake.record import Finding
from tests.query.made import CLIENT, CLOSED, OPENING, SERVER, record


def test_how_values_are_spread() -> None:
    assert Spread.of([]) is None
    assert Spread.of([3.0]) == (3, 3, 3, 3)
    assert Spread.of([4.0, 1.0, 2.0, 3.0]) == (1, 2.5, 4, 4)
    assert Spread.of(float(each) for each in range(1, 101)) == (1, 50.5, 95, 100)


def test_a_capture_summed_up() -> None:
    refused = record(outcome="refused", closed=None, handshake=CLOSED)
    silent = replace(
        refused,
        outcome="no-answer",
        handshake=replace(CLOSED, syn_retransmissions=2),
        client=replace(CLIENT, segments=3, retransmissions=2),
        server=replace(SERVER, port=9),
        findings=(Finding("no-answer", 3),),
    )
    resent = record(server=replace(SERVER, segments=4, bytes=100, retransmissions=1))
    assert Totals([refused, refused, silent, resent]).as_json() == {
        "captures": ["sample.pcap"],
        "connections": 4,
        "left_out": 0,
        "segments": 33,
        "bytes": 100,
        "outcomes": {
            "established": 1,
            "refused": 2,
            "no-answer": 1,
            "half-open": 0,
            "reset": 0,
            "unreachable": 0,
            "mid-stream": 0,
        },
        "closed": {"open": 3, "fin": 1},
        "rtt": {"min": 0.0284, "median": 0.0284, "p95": 0.0284, "max": 0.0284},
        "retransmissions": {"syn": 2, "syn_ack": 0, "data": 1},
        "refusing": [{"address": "198.51.100.7", "port": 80, "connections": 2}],
        "silent": [{"address": "198.51.100.7", "port": 9, "connections": 1}],
        "diagnoses": {},
        "codes": {"no-answer": 1},
        "findings": [],
    }


def test_a_scan_is_named_once_with_its_capture() -> None:
    refused = record(outcome="refused", closed=None, handshake=CLOSED)
    scan = [replace(refused, server=replace(SERVER, port=port)) for port in range(1, 101)]
    ((capture, finding),) = Totals(scan).findings
    assert (capture, finding.code) == ("sample.pcap", "port-scan")


def test_what_to_look_at() -> None:
    assert not is_problem(record())
    assert not is_problem(record(closed=None))
    assert not is_problem(record(outcome="mid-stream"))
    assert not is_problem(record(findings=(Finding("port-reuse", 1),)))
    assert is_problem(record(outcome="reset"))
    assert is_problem(record(closed="rst-by-server"))
    assert is_problem(record(handshake=replace(OPENING, syn_retransmissions=1)))
    assert is_problem(record(findings=(Finding("zero-window", 1),)))
