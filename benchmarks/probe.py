"""Measures `handshake probe` in network namespaces: round trips, handshakes a second, memory.

    sudo python benchmarks/probe.py [--only rtt|rate|memory] [--calls 20000] [--rounds 3]

`README.md` says how to read what it prints. No packet leaves this machine.
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import memory
import rates
import rtt


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("rtt", "rate", "memory"))
    parser.add_argument("--calls", type=int, default=20_000, help="for each handshakes a second")
    parser.add_argument("--rounds", type=int, default=3, help="of handshakes a second")
    given = parser.parse_args()
    # Every call under way may have a port of its own.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    parts = {
        "rtt": rtt.measure,
        "rate": lambda: rates.measure(given.calls, given.rounds),
        "memory": memory.measure,
    }
    for name, measure in parts.items():
        if given.only in (None, name):
            measure()
            print(flush=True)


if __name__ == "__main__":
    main()
