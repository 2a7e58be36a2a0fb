"""Calls many targets in one process, and prints what memory it held at most: see `memory.py`.

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

AT_ONCE: Final = 256
TIMEOUT, RETRIES, RTO = 0.75, 1, 0.25
"""How long nobody's answer is waited for: short, as every third target says nothing."""

SILENT: Final = PORT + 2
"""The port at which packets vanish."""

VERDICTS: Final = {PORT: Verdict.OPEN, PORT + 1: Verdict.CLOSED, SILENT: Verdict.FILTERED}
"""What becomes of a call, by its port."""


def targets(count: int) -> Iterator[Target]:
    """Yield targets with an address each, of which every third is of the same kind."""
    ports = list(VERDICTS)
    for number in range(count):
        high, low = divmod(number, 256)
        yield Target.of(f"10.78.{high}.{low}", ports[number % len(ports)])


def check(found: Counter[tuple[int, str]], count: int) -> None:
    """Raise SystemExit unless each verdict was reached, at its port, as often as it should be."""
    wanted = Counter((each.port, str(VERDICTS[each.port])) for each in targets(count))
    if found != wanted:
        raise SystemExit(f"wrong verdicts: {found} and not {wanted}")


def main() -> None:
    kind, *counts = sys.argv[1:]
    marks = [int(each) for each in counts]
    timeouts = Timeouts.of(timeout=TIMEOUT, retries=RETRIES, rto=RTO)
    call_all = {"hand": probe_all, "kernel": connect_all}[kind]
    found: Counter[tuple[int, str]] = Counter()
    results = call_all(targets(marks[-1]), concurrency=AT_ONCE, timeouts=timeouts)
    for number, result in enumerate(results, 1):
        found[result.port, str(result.verdict)] += 1
        if number in marks:
            print(_most())
    check(found, marks[-1])


def _most() -> int:
    """Return the most octets of memory that this process has held.

    Not what getrusage() says: that of a child begins with what its parent held.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    main()
