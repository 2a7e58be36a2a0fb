"""A capture that was made with its true answers: the survey, the tracker and tshark give them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from handshake.capture.open import read
from handshake.survey import records
from tests.cli.test_help import run
from tests.survey.engines import by_survey, by_tracker
from tests.survey.made import save

_ENDS = ("client", "server")
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generated(tmp_path_factory.mktemp("generated"), connections=300, seconds=20)


def generated(folder: Path, *, connections: int, seconds: int) -> Path:
    path = folder / "small.pcap"
    generate = BENCHMARKS / "generate.py"
    command = [sys.executable, str(generate), str(path), "--connections", str(connections)]
    subprocess.run([*command, "--packets", "6000", "--seconds", str(seconds)], check=True)
    return path


@cache
def truth(capture: Path) -> list[dict[str, Any]]:
    lines = capture.with_suffix(".pcap.truth.jsonl").read_text("utf-8").splitlines()
    return sorted(map(json.loads, lines), key=lambda each: (each["client"], each["client_port"]))


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A capture of a second, in which few connections have many packets each."""
    return generated(tmp_path_factory.mktemp("busy"), connections=20, seconds=1)


def cut(capture: Path) -> list[Path]:
    """Cut a capture into 20 files."""
    with read(capture) as whole:
        frames = [(bytes(each.data), each.time) for each in whole]
    each = -(-len(frames) // 20)
    found = [
        save(capture.with_name(f"part{at:02}"), frames[at * each : (at + 1) * each])
        for at in range(20)
    ]
    assert all(path.stat().st_size > 1000 for path in found)
    return found


@pytest.fixture(scope="module")
def parts(capture: Path) -> list[Path]:
    return cut(capture)


@pytest.fixture(scope="module")
def busy_parts(busy: Path) -> list[Path]:
    return cut(busy)


def test_twenty_parts_are_the_whole(capture: Path, parts: list[Path]) -> None:
    whole = [replace(each, capture=None) for each in records(capture)]
    for order in (parts, parts[::-1], parts[10:] + parts[:10]):
        merged = records(*order, merge=True)
        assert [replace(each, capture=None) for each in merged] == whole
        assert merged.warnings == []


def test_twenty_parts_are_the_whole_in_json(capture: Path, parts: list[Path]) -> None:
    def lines(*args: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in run("list", *args, "--json").stdout.splitlines()]
        return [each | {"capture": None} for each in found]

    folder = parts[0].parent
    assert lines(f"{folder}/part*", "--merge") == lines(str(capture))


def test_twenty_busy_parts_are_the_whole(busy: Path, busy_parts: list[Path]) -> None:
    merged = records(*busy_parts, merge=True)
    whole = [replace(each, capture=None) for each in records(busy)]
    assert [replace(each, capture=None) for each in merged] == whole
    assert merged.warnings == []


@pytest.mark.parametrize("gone", range(2, 19))
def test_a_part_that_is_missing_is_noticed(busy_parts: list[Path], gone: int) -> None:
    parts = busy_parts
    merged = records(*parts[:gone], *parts[gone + 1 :], merge=True)
    assert len(list(merged)) > 0
    # A connection that pauses meanwhile may show it only in the file after the next.
    missing, *more = (each for each in merged.warnings if each.code == "list.missing")
    assert len(more) < 2
    assert missing.place == str(parts[gone + 1])
    assert missing.values["before"] == str(parts[gone - 1])
    assert 1 <= int(str(missing.values["count"])) <= 20


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
