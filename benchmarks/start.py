"""CPU time of small commands against that of `handshake --help`, and of tshark.

    python benchmarks/start.py [--runs 15]

The commands take turns, so that other load on the machine affects all. Modules are compiled before:
the first run of each command does not count.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
OURS: Final = (sys.executable, "-m", "handshake")
REFUSED, MIXED = (str(ROOT / "captures" / name) for name in ("refused.pcap", "mixed.pcap"))

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "handshake --help": (*OURS, "--help"),
    "handshake list refused.pcap": (*OURS, "list", REFUSED),
    "handshake list mixed.pcap": (*OURS, "list", MIXED),
    "handshake list mixed.pcap --json": (*OURS, "list", MIXED, "--json"),
    "handshake replay refused.pcap": (*OURS, "replay", REFUSED),
    "handshake replay refused.pcap --json": (*OURS, "replay", REFUSED, "--json"),
    "handshake replay mixed.pcap": (*OURS, "replay", MIXED),
    "tshark -q -z conv,tcp -r mixed.pcap": ("tshark", "-q", "-z", "conv,tcp", "-r", MIXED),
}


def spent(command: tuple[str, ...]) -> float:
    """Run a command; return the seconds of CPU time, of user and system."""
    environment = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, env=environment, cwd=ROOT, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Parse the arguments, run, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    asked = parser.parse_args()
    found = {name: each for name, each in COMMANDS.items() if shutil.which(each[0])}
    for each in found.values():
        spent(each)
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(asked.runs):
        for name, each in found.items():
            times[name].append(spent(each))
    base = times["handshake --help"]
    print(f"{'seconds of CPU time':38} {'best':>6} {'median':>7} {'of --help':>10}")
    for name, values in times.items():
        ratio = statistics.median(each / one for each, one in zip(values, base, strict=True))
        print(f"{name:38} {min(values):6.3f} {statistics.median(values):7.3f} {ratio:10.2f}")


if __name__ == "__main__":
    main()
