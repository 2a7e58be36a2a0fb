"""Feeds broken captures to replay and list, and fails at the first that is not taken calmly.

    python -m tests.fuzz --files 200000 [--seed N] [--jobs 2]

Calmly: steps and records, or a CaptureError; no other exception, never more than two seconds,
never more than 512 MiB of address space beyond the start. A file that fails is kept.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.calm import Nervous, check, limit_memory, seeds
from tests.fuzz.mutate import mutated


def worker(number: int, first: int, files: int, seed: int) -> int:
    """Check `files` files from number `first` on; return how many of them could be read."""
    import random

    limit_memory()
    known = seeds()
    readable = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "broken.pcap"
        for index in range(first, first + files):
            raw = mutated(random.Random(f"{seed}/{index}"), known)
            path.write_bytes(raw)
            try:
                readable += check(path)
            except Nervous as error:
                kept = Path(f"fuzz-{seed}-{index}.pcap")
                kept.write_bytes(raw)
                print(f"{kept}: {error}", file=sys.stderr)
                return -1
            if number == 0 and (index - first) % 5000 == 4999:
                print(f"{index - first + 1} of {files}", file=sys.stderr)
    return readable


def main() -> int:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    each = -(-asked.files // asked.jobs)
    began = time.monotonic()
    with multiprocessing.Pool(asked.jobs) as pool:
        counts = pool.starmap(
            worker, [(job, job * each, each, asked.seed) for job in range(asked.jobs)]
        )
    if min(counts) < 0:
        return 1
    took = time.monotonic() - began
    print(f"{each * asked.jobs} files, {sum(counts)} readable, all taken calmly, {took:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
