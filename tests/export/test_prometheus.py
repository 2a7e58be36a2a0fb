"""Probes as Prometheus reads them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from handshake.escape import printable_lines
from handshake.export.monitor import prometheus
from tests.export.exposition import parse
from tests.export.results import OPEN, REFUSED, RESULTS, SILENT, UNKNOWN_NAME

if TYPE_CHECKING:
    from handshake.prober import Result


def test_one_probe_as_metrics() -> None:
    whom = 'target="example.org:443",address="198.51.100.7",port="443"'
    assert prometheus([OPEN]).splitlines() == [
        "# HELP probe_success Whether the probe succeeded.",
        "# TYPE probe_success gauge",
        f"probe_success{{{whom}}} 1",
        "# HELP probe_duration_seconds Duration of the probe.",
        "# TYPE probe_duration_seconds gauge",
        f"probe_duration_seconds{{{whom}}} 0.0857314",
        "# HELP probe_ip_protocol IP version: 4 or 6.",
        "# TYPE probe_ip_protocol gauge",
        f"probe_ip_protocol{{{whom}}} 4",
        ("# HELP probe_tcp_rtt_seconds Time from the SYN to its answer, from kernel time stamps."),
        "# TYPE probe_tcp_rtt_seconds gauge",
        f"probe_tcp_rtt_seconds{{{whom}}} 0.0284",
        "# HELP probe_syn_sent SYNs sent, retransmissions included.",
        "# TYPE probe_syn_sent gauge",
        f"probe_syn_sent{{{whom}}} 1",
        "# HELP probe_answer_ttl TTL or hop limit of the answer.",
        "# TYPE probe_answer_ttl gauge",
        f"probe_answer_ttl{{{whom}}} 52",
        "# HELP probe_verdict_info The verdict: open, closed, filtered and so on.",
        "# TYPE probe_verdict_info gauge",
        f'probe_verdict_info{{{whom},verdict="open"}} 1',
    ]


def values(text: str) -> dict[str, dict[str, float]]:
    """Return the value of each metric by the target address."""
    return {
        name: {dict(labels)["address"]: value for labels, value in family.samples.items()}
        for name, family in parse(text).items()
    }


def test_what_was_not_measured_has_no_sample() -> None:
    ambiguous = replace(OPEN, address="192.0.2.1", rtt_ambiguous=True)
    assert values(prometheus([OPEN, SILENT, UNKNOWN_NAME, ambiguous])) == {
        "probe_success": {"198.51.100.7": 1, "2001:db8::7": 0, "": 0, "192.0.2.1": 1},
        "probe_duration_seconds": {
            "198.51.100.7": 0.0857314,
            "2001:db8::7": 5,
            "192.0.2.1": 0.0857314,
        },
        "probe_ip_protocol": {"198.51.100.7": 4, "2001:db8::7": 6, "192.0.2.1": 4},
        "probe_tcp_rtt_seconds": {"198.51.100.7": 0.0284},
        "probe_syn_sent": {"198.51.100.7": 1, "2001:db8::7": 3, "": 0, "192.0.2.1": 1},
        "probe_answer_ttl": {"198.51.100.7": 52, "192.0.2.1": 52},
        "probe_verdict_info": {"198.51.100.7": 1, "2001:db8::7": 1, "": 1, "192.0.2.1": 1},
    }
    assert list(values(prometheus([UNKNOWN_NAME]))) == [
        "probe_success",
        "probe_syn_sent",
        "probe_verdict_info",
    ]
    assert prometheus([]) == ""


def test_of_one_address_the_last_probe_stands() -> None:
    assert prometheus([OPEN, REFUSED]) == prometheus([REFUSED])


@given(RESULTS)
def test_whatever_came_of_them_prometheus_can_read_it(results: list[Result]) -> None:
    found = parse(prometheus(results))
    last = {(each.target, each.address, each.port): each for each in results}
    success = found["probe_success"].samples if results else {}
    assert [tuple(dict(labels).values()) for labels in success] == [
        (printable_lines(target), address or "", str(port)) for target, address, port in last
    ]
    assert list(success.values()) == [each.succeeded for each in last.values()]


def test_a_name_that_is_no_utf_8_is_written_all_the_same() -> None:
    (labels,) = parse(prometheus([replace(OPEN, target='\udc80"\\\n')]))["probe_success"].samples
    assert dict(labels)["target"] == '\\udc80"\\\n'


@given(RESULTS)
def test_the_client_library_of_prometheus_reads_the_same(results: list[Result]) -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    text = prometheus(results)
    theirs = {
        family.name: (family.type, family.documentation, len(family.samples))
        for family in parser.text_string_to_metric_families(text)
    }
    ours = {name: ("gauge", words, len(samples)) for name, (words, samples) in parse(text).items()}
    assert theirs == ours
    samples = [
        (tuple(sample.labels.items()), sample.value)
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    ]
    assert samples == [each for _, found in parse(text).values() for each in found.items()]


def test_importing_it_loads_neither_scapy_nor_rich() -> None:
    names = "handshake.export.evidence, handshake.export.monitor, handshake.capture.pcapng_writer"
    code = f"import sys, {names}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"scapy", "rich", "typer", "numpy"} & set(run.stdout.split())
