"""Measures `handshake probe` in network namespaces: round trips, rates, CPU time, memory.

    sudo python benchmarks/probe.py [--only rtt|rate|cpu|memory] [--connections 20000] [--rounds 3]

`README.md` explains the output. No packet leaves this machine.
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cpu
import memory
import rates
import rtt


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("rtt", "rate", "cpu", "memory"))
    parser.add_argument("--connections", type=int, default=20_000, help="per rate and round")
    parser.add_argument("--rounds", type=int, default=3, help="of each rate")
    given = parser.parse_args()
    # Each connection in flight may have its own port.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    parts = {
        "rtt": rtt.measure,
        "rate": lambda: rates.measure(given.connections, given.rounds),
        "cpu": lambda: cpu.measure(given.connections // 5, 2 * given.rounds),
        "memory": memory.measure,
    }
    for name, measure in parts.items():
        if given.only in (None, name):
            measure()
            print(flush=True)


if __name__ == "__main__":
    main()
