"""Peak memory with many targets: open, closed, and without an answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import many
from hosts import THEM, served

if TYPE_CHECKING:
    from tests.live.lab.namespaces import Host

FEW, MANY = 1_000, 10_000
_HERE: Final = Path(__file__).parent
_ENVIRONMENT: Final = os.environ | {"PYTHONPATH": str(_HERE.parent)}
_MEGABYTE: Final = 1e6

_RUN = """
import os, resource, subprocess, sys
subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, file=sys.stderr)
"""
"""Runs a program and prints its peak memory.

This must be a small process, since a child inherits the peak of its parent.
"""

RULES = f"""
table inet scratch {{
    chain input {{ type filter hook input priority 0; tcp dport {many.SILENT} drop; }}
}}
"""


def measure() -> None:
    """Print the peak memory with few targets and with many."""
    with served() as (us, server):
        # The server has all of these addresses.
        server.ip("route add local 10.78.0.0/16 dev lo")
        server.nft(RULES)
        us.ip(f"route add 10.78.0.0/16 via {THEM}")
        few, all_of_them = f"{FEW:,} targets", f"{MANY:,} targets"
        print(f"{'peak memory, MB':34} {few:>15} {all_of_them:>15} {'growth':>8}")
        for name, kind in (("this probe", "hand"), ("this probe, --connect", "kernel")):
            show(name, *library(us, kind))
        show("this probe, --json, as a program", program(us, FEW), program(us, MANY))


def show(name: str, few: int, all_of_them: int) -> None:
    one, other = few / _MEGABYTE, all_of_them / _MEGABYTE
    print(f"{name:34} {one:15.1f} {other:15.1f} {other - one:8.1f}")


def library(us: Host, kind: str) -> tuple[int, int]:
    """Return the peak memory of one process after few results and after all."""
    argv = [sys.executable, str(_HERE / "many.py"), kind, str(FEW), str(MANY)]
    few, all_of_them = us.run(argv, env=_ENVIRONMENT, timeout=120).stdout.split()
    return int(few), int(all_of_them)


def program(us: Host, count: int) -> int:
    """Return the peak memory of `handshake probe` with a file of so many targets."""
    with tempfile.TemporaryDirectory() as folder:
        listed, output = Path(folder) / "targets", Path(folder) / "results"
        listed.write_text("".join(f"{each.text}\n" for each in many.targets(count)))
        argv = [
            *(sys.executable, "-I", "-S", "-c", _RUN),
            *(sys.executable, "-m", "handshake", "probe", "--file", str(listed), "--json"),
            *("--concurrency", str(many.CONCURRENCY), "--rate", "1000000"),
            *("--timeout", str(many.TIMEOUT), "--retries", str(many.RETRIES)),
            *("--rto", str(many.RTO)),
        ]
        with output.open("w") as out:
            running = us.popen(argv, stdout=out, stderr=subprocess.PIPE, env=_ENVIRONMENT)
            _, printed = running.communicate(timeout=120)
        with output.open() as lines:
            results = [json.loads(each) for each in lines]
        many.check(Counter((each["port"], each["verdict"]) for each in results), count)
        return int(printed.split()[-1])
