"""Probes many targets in one process and prints its peak memory: see `memory.py`.

python benchmarks/many.py hand|kernel COUNT [COUNT]...
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hosts import PORT

from handshake.prober import Target, Timeouts, Verdict
from handshake.prober.run import connect_all, probe_all

if TYPE_CHECKING:
    from collections.abc import Iterator

CONCURRENCY: Final = 256
TIMEOUT, RETRIES, RTO = 0.75, 1, 0.25
"""Short timeouts, as every third target does not answer."""

SILENT: Final = PORT + 2
"""The port at which packets vanish."""

VERDICTS: Final = {PORT: Verdict.OPEN, PORT + 1: Verdict.CLOSED, SILENT: Verdict.FILTERED}
"""The expected verdict, by port."""


def targets(count: int) -> Iterator[Target]:
    """Yield targets, each with its own address; the ports alternate."""
    ports = list(VERDICTS)
    for number in range(count):
        high, low = divmod(number, 256)
        yield Target.of(f"10.78.{high}.{low}", ports[number % len(ports)])


def check(found: Counter[tuple[int, str]], count: int) -> None:
    """Exit unless the verdicts are as expected."""
    wanted = Counter((each.port, str(VERDICTS[each.port])) for each in targets(count))
    if found != wanted:
        raise SystemExit(f"wrong verdicts: {found}, expected {wanted}")


def main() -> None:
    kind, *counts = sys.argv[1:]
    marks = [int(each) for each in counts]
    timeouts = Timeouts.of(timeout=TIMEOUT, retries=RETRIES, rto=RTO)
    probe_many = {"hand": probe_all, "kernel": connect_all}[kind]
    found: Counter[tuple[int, str]] = Counter()
    results = probe_many(targets(marks[-1]), concurrency=CONCURRENCY, timeouts=timeouts)
    for number, result in enumerate(results, 1):
        found[result.port, str(result.verdict)] += 1
        if number in marks:
            print(_peak_memory())
    check(found, marks[-1])


def _peak_memory() -> int:
    """Return the peak memory of this process in octets.

    getrusage() does not tell: a child inherits the peak of its parent.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
