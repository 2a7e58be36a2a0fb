"""A capture that was made with its true answers: the survey, the tracker and tshark give them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.survey.engines import by_survey, by_tracker

_ENDS = ("client", "server")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("generated") / "small.pcap"
    generate = BENCHMARKS / "generate.py"
    command = [sys.executable, str(generate), str(path), "--connections", "300"]
    subprocess.run([*command, "--packets", "6000", "--seconds", "20"], check=True)
    return path


@cache
def truth(capture: Path) -> list[dict[str, Any]]:
    lines = capture.with_suffix(".pcap.truth.jsonl").read_text("utf-8").splitlines()
    return sorted(map(json.loads, lines), key=lambda each: (each["client"], each["client_port"]))


def test_the_records_are_true(capture: Path) -> None:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        actual: Any = __import__("truth").actual
    finally:
        sys.path.pop(0)
    records = {
        (each.client.address, each.client.port): json.loads(json.dumps(each.as_json()))
        for each in by_survey(capture)
    }
    assert len(records) == len(truth(capture))
    for true in truth(capture):
        record = records[true["client"], true["client_port"]]
        ends = (record["server"]["address"], record["server"]["port"])
        assert ends == (true["server"], true["server_port"])
        facts = {name: value for name, value in true.items() if not name.startswith(_ENDS)}
        assert {name: actual(record, name) for name in facts} == facts


def test_the_survey_agrees_with_the_tracker(capture: Path) -> None:
    assert by_survey(capture) == by_tracker(capture)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_the_truth_is_what_tshark_reads(capture: Path) -> None:
    fields = ("tcp.stream", "ip.src", "tcp.srcport", "tcp.completeness", "tcp.analysis.initial_rtt")
    command = ["tshark", "-2", "-r", str(capture), "-T", "fields"]
    command += [part for field in fields for part in ("-e", field)]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    clients: dict[str, tuple[str, int]] = {}
    read: dict[tuple[str, int], tuple[int, float | None]] = {}
    for row in rows:
        stream, source, port, completeness, rtt = row.split("\t")
        client = clients.setdefault(stream, (source, int(port)))
        known = read.get(client, (0, None))[1]
        read[client] = int(completeness), float(rtt) if rtt else known
    expected = {
        (each["client"], each["client_port"]): (each["completeness"], each["rtt"])
        for each in truth(capture)
    }
    assert read == expected
