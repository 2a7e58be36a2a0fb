"""Times `handshake list --json` against `tshark -q -z conv,tcp`, and checks its records.

    python benchmarks/list.py [CAPTURE] [--runs 5] [--connections N] [--packets N] [--seconds N]

Without CAPTURE, `generate.py` makes one in a temporary directory. The two programs take turns, so
that other load on the machine affects both.
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

NO_TRUTH = "no truth file beside it: not checked"


class Run(NamedTuple):
    """One run of a program."""

    seconds: float
    megabytes: float
    """The peak memory of its largest process."""


def main() -> None:
    """Parse the arguments, run, and print."""
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
    """Run both programs in turns, and print the results."""
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
    """Run a program until it exits."""
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
    """Return the ratios of the best runs, of the medians, and of each turn."""
    one, two = ([each.seconds for each in runs] for runs in (ours, theirs))
    turns = ", ".join(f"{a / b:.2f}" for a, b in zip(one, two, strict=True))
    return (
        f"ratio      min {min(one) / min(two):6.2f}     median "
        f"{statistics.median(one) / statistics.median(two):6.2f}     by turns {turns}"
    )


def check(output: Path, truth: Path) -> str:
    """Compare the records with the truth; exit if one is wrong."""
    if not truth.is_file():
        return NO_TRUTH
    with truth.open(encoding="utf-8") as lines:
        expected = {socket_pair(each): each for each in map(json.loads, lines)}
    wrong: list[str] = []
    count = 0
    with output.open(encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            count += 1
            actual = as_truth(record)
            if actual != expected.pop(socket_pair(actual), None):
                wrong.append(f"stream {record['stream']}")
    if wrong or expected:
        raise SystemExit(f"wrong: {', '.join(wrong[:10])}; missing: {len(expected)}")
    return f"all {count} records are right"


def socket_pair(truth: dict[str, Any]) -> tuple[Any, ...]:
    """Return the addresses and ports of a connection."""
    return truth["client"], truth["client_port"], truth["server"], truth["server_port"]


def as_truth(record: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a record that the truth has."""
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
