"""Times `handshake list` against other programs that read captures, and checks its records.

    python benchmarks/survey.py [--kinds clean,cut,...] [--packets 100000] [--runs 3]
                                [--real DIR]... [--tools handshake,tshark,...]

For each kind of `kinds.py` it makes a capture in a temporary directory, and every program that is
installed reads it, in turns. Each record is compared with the truth: a fast wrong answer is an
error. With --real it reads the captures of a directory instead: `handshake` all of them at once,
the others one by one.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kinds import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

DPKT = """
import sys, dpkt
with open(sys.argv[1], "rb") as file:
    for _, octets in dpkt.pcap.UniversalReader(file):
        dpkt.ethernet.Ethernet(octets)
"""
SCAPY = """
import sys
from scapy.utils import RawPcapReader
for _ in RawPcapReader(sys.argv[1]):
    pass
"""
NFSTREAM = """
import sys
from nfstream import NFStreamer
for _ in NFStreamer(source=sys.argv[1], n_dissections=0, n_meters=1):
    pass
"""
SUFFIXES = (".pcap", ".pcapng", ".cap")


class Run(NamedTuple):
    """One run of a program."""

    cpu: float
    """Seconds of CPU time, of all its processes."""

    wall: float
    megabytes: float
    """The peak memory of its largest process."""


def ours(*words: str) -> Callable[[Path], list[str]]:
    """Return how `handshake list` is called on a capture."""
    return lambda path: [sys.executable, "-m", "handshake", "list", str(path), *words]


def python(script: str) -> Callable[[Path], list[str]]:
    """Return how a script is called on a capture."""
    return lambda path: [sys.executable, "-c", script, str(path)]


def tools() -> dict[str, Callable[[Path], list[str]]]:
    """Return how each program that is installed is called on a capture."""
    found: dict[str, Callable[[Path], list[str]]] = {
        "handshake": ours("--summary"),
        "handshake --json": ours("--json"),
    }
    programs: dict[str, Callable[[Path], list[str]]] = {
        "tshark": lambda path: ["tshark", "-q", "-z", "conv,tcp", "-r", str(path)],
        "tcptrace": lambda path: ["tcptrace", "-n", str(path)],
        "argus": lambda path: ["argus", "-r", str(path), "-w", os.devnull],
        "softflowd": lambda path: ["softflowd", "-r", str(path), "-d"],
    }
    found |= {name: call for name, call in programs.items() if shutil.which(name)}
    scripts = {"dpkt": DPKT, "scapy": SCAPY, "nfstream": NFSTREAM}
    for name, script in scripts.items():
        if not subprocess.run(
            [sys.executable, "-c", f"import {name}"], capture_output=True
        ).returncode:
            found[name] = python(script)
    return found


def main() -> None:
    """Parse the arguments, run, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--packets", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--real", type=Path, action="append", default=[])
    parser.add_argument("--tools", default="")
    asked = parser.parse_args()
    package = find_spec("handshake")
    if package is not None and package.origin is not None:
        # As pip does where it installs: else each start may compile all modules.
        compileall.compile_dir(Path(package.origin).parent, quiet=2)
    known = tools()
    names = asked.tools.split(",") if asked.tools else list(known)
    chosen = {name: known[name] for name in names}
    with tempfile.TemporaryDirectory() as directory:
        empty = Path(directory) / "empty.pcap"
        write_empty(empty)
        idle = {
            name: best(name, [call(empty)], 3, Path(os.devnull)) for name, call in chosen.items()
        }
        print("start-up: " + ", ".join(f"{name} {run.cpu:.2f} s" for name, run in idle.items()))
        for real in asked.real:
            captures = sorted(each for each in real.rglob("*") if each.suffix in SUFFIXES)
            print(f"\n{real}: {len(captures)} captures")
            compare_real(captures, chosen, asked.runs, Path(directory))
        if asked.real:
            return
        for kind in asked.kinds.split(","):
            path = Path(directory) / f"{kind}.pcap"
            # In a process of its own: what this one holds would count as memory of the others.
            count = int(script("kinds.py", kind, str(path), "--packets", str(asked.packets)))
            print(f"\n{kind}: {count} packets, {path.stat().st_size / 1e6:.0f} MB")
            compare(path, chosen, asked.runs, idle, count)
            path.unlink()


def compare(
    path: Path,
    chosen: dict[str, Callable[[Path], list[str]]],
    runs: int,
    idle: dict[str, Run],
    count: int,
) -> None:
    """Let every program read a capture, in turns, and print a line for each."""
    output = path.with_suffix(".out")
    found: dict[str, list[Run]] = defaultdict(list)
    for _ in range(runs):
        for name, call in chosen.items():
            found[name].append(run(call(path), output))
            if name == "handshake --json" and len(found[name]) == 1:
                truth = path.with_suffix(path.suffix + ".truth.jsonl")
                print(f"  {script('truth.py', str(output), str(truth))}")
    theirs = min((each.cpu for each in found.get("tshark", ())), default=None)
    for name, each in found.items():
        cpu = min(one.cpu for one in each)
        net = max(0.0, cpu - idle[name].cpu)
        ratio = "" if not theirs else f"{cpu / theirs:7.2f} of tshark's"
        print(
            f"  {name:18} CPU {cpu:7.2f} s  net {1e6 * net / count:6.2f} us a packet  "
            f"wall {statistics.median(one.wall for one in each):7.2f} s  "
            f"{max(one.megabytes for one in each):6.0f} MB  {ratio}"
        )


def compare_real(
    captures: list[Path],
    chosen: dict[str, Callable[[Path], list[str]]],
    runs: int,
    directory: Path,
) -> None:
    """Let every program read real captures, and print a line for each program."""
    theirs = None
    for name, call in sorted(chosen.items(), key=lambda item: item[0] != "tshark"):
        commands = [call(each) for each in captures]
        if name.startswith("handshake"):
            words = commands[0][5:]
            commands = [[*commands[0][:4], *map(str, captures), *words]]
        found = best(name, commands, runs, directory / "out")
        theirs = found.cpu if name == "tshark" else theirs
        ratio = "" if theirs is None else f"{found.cpu / theirs:7.2f} of tshark's"
        print(
            f"  {name:18} CPU {found.cpu:7.2f} s  wall {found.wall:7.2f} s  "
            f"{found.megabytes:6.0f} MB  {ratio}"
        )


def best(name: str, commands: list[list[str]], runs: int, output: Path) -> Run:
    """Return the cheapest of some runs of all these commands, one after another."""
    results = []
    for _ in range(runs):
        each = [run(command, output, strict=name == "tshark") for command in commands]
        results.append(
            Run(
                sum(one.cpu for one in each),
                sum(one.wall for one in each),
                max(one.megabytes for one in each),
            )
        )
    return min(results)


def run(command: list[str], output: Path, *, strict: bool = True) -> Run:
    """Run a program until it exits; with `strict` it must succeed."""
    with output.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and strict and "handshake" in command:
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def write_empty(path: Path) -> None:
    """Write a capture of one packet, to measure how long a program takes to start."""
    script("kinds.py", "one-pair", str(path), "--packets", "1")


def script(name: str, *words: str) -> str:
    """Return what a script beside this one prints; exit if it fails."""
    command = [sys.executable, str(Path(__file__).with_name(name)), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr or f"{name}: exit code {done.returncode}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
