"""Times `handshake list --json` against `tshark -q -z conv,tcp`, and checks what it says.

    python benchmarks/list.py [CAPTURE] [--runs 5] [--connections N] [--packets N] [--seconds N]

Without CAPTURE one is made by `generate.py` in a directory that is removed afterwards. The two
take turns, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from generate import write

NO_TRUTH = "no truth file beside it: nothing was checked"


class Run(NamedTuple):
    """One run of a program."""

    seconds: float
    megabytes: float
    """The most memory that it, or one process of it, held."""


def main() -> None:
    """Read the arguments, run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("capture", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connections", type=int, default=20_000)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=60)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        capture = asked.capture
        if capture is None:
            capture = Path(directory) / "bulk.pcap"
            count = write(
                capture,
                connections=asked.connections,
                packets=asked.packets,
                snap=96,
                seconds=asked.seconds,
            )
            print(f"{count} packets in {asked.connections} connections, {asked.seconds} s")
        compare(capture, Path(directory), asked.runs)


def compare(capture: Path, directory: Path, runs: int) -> None:
    """Run both in turn, and print what came of it."""
    output = directory / "records.jsonl"
    ours = [sys.executable, "-m", "handshake", "list", str(capture), "--json"]
    tshark = shutil.which("tshark")
    theirs = [tshark, "-q", "-z", "conv,tcp", "-r", str(capture)] if tshark else None
    times: dict[str, list[Run]] = {"handshake": [], "tshark": []}
    for _ in range(runs):
        times["handshake"].append(run(ours, output))
        if theirs is not None:
            times["tshark"].append(run(theirs, Path(os.devnull)))
    for name, found in times.items():
        if found:
            print(line(name, found))
    if theirs is not None:
        print(ratios(times["handshake"], times["tshark"]))
    print(check(output, capture.with_suffix(capture.suffix + ".truth.jsonl")))


def run(command: list[str], output: Path) -> Run:
    """Run a program to its end."""
    with output.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024)


def line(name: str, runs: list[Run]) -> str:
    """Return a program's figures."""
    seconds = [each.seconds for each in runs]
    return (
        f"{name:10} min {min(seconds):6.2f} s   median {statistics.median(seconds):6.2f} s   "
        f"peak {max(each.megabytes for each in runs):6.0f} MB"
    )


def ratios(ours: list[Run], theirs: list[Run]) -> str:
    """Return how they compare: of the best runs, the medians, and turn by turn."""
    one, two = ([each.seconds for each in runs] for runs in (ours, theirs))
    turns = ", ".join(f"{a / b:.2f}" for a, b in zip(one, two, strict=True))
    return (
        f"ratio      min {min(one) / min(two):6.2f}     median "
        f"{statistics.median(one) / statistics.median(two):6.2f}     by turns {turns}"
    )


def check(output: Path, truth: Path) -> str:
    """Return whether the records say what is true."""
    if not truth.is_file():
        return NO_TRUTH
    with truth.open(encoding="utf-8") as lines:
        expected = {named(each): each for each in map(json.loads, lines)}
    wrong: list[str] = []
    count = 0
    with output.open(encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            count += 1
            told = as_truth(record)
            if told != expected.pop(named(told), None):
                wrong.append(f"stream {record['stream']}")
    if wrong or expected:
        raise SystemExit(f"wrong: {', '.join(wrong[:10])}; missing: {len(expected)}")
    return f"all {count} records say what is true"


def named(told: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells a connection from all others."""
    return told["client"], told["client_port"], told["server"], told["server_port"]


def as_truth(record: dict[str, Any]) -> dict[str, Any]:
    """Return of a record what the truth speaks of."""
    ends = record["client"], record["server"]
    return {
        "client": ends[0]["address"],
        "client_port": ends[0]["port"],
        "server": ends[1]["address"],
        "server_port": ends[1]["port"],
        "outcome": record["outcome"],
        "closed": record["closed"],
        "rtt": record["handshake"]["rtt"],
        "completeness": record["completeness"],
        "conn_state": record["conn_state"],
        "segments": [end["segments"] for end in ends],
        "bytes": [end["bytes"] for end in ends],
        "retransmissions": [end["retransmissions"] for end in ends],
    }


if __name__ == "__main__":
    main()
