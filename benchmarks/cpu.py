"""CPU time of a connection: this probe, asyncio's `connect` and a bare engine, by turns."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Final

import rates
from hosts import served

if TYPE_CHECKING:
    from rates import Engine

_IN_FLIGHT: Final = 128
_ENGINES: Final[dict[str, Engine]] = {
    "asyncio connect": rates.connecting,
    "this probe": rates.in_user_space,
    "this probe, --connect": rates.in_the_kernel,
    "bare asyncio engine": rates.bare,
}


def measure(count: int, rounds: int) -> None:
    """Print microseconds of CPU time per connection, and the ratio to asyncio's in each round."""
    for engine in _ENGINES.values():  # what is imported or prepared once is no part of it
        with served():
            engine(_IN_FLIGHT, _IN_FLIGHT)
    spent: dict[str, list[float]] = {name: [] for name in _ENGINES}
    for _ in range(rounds):
        for name, engine in _ENGINES.items():
            with served():
                began = time.process_time()
                engine(count, _IN_FLIGHT)
                spent[name].append((time.process_time() - began) / count * 1e6)
    base = next(iter(spent.values()))
    print(f"{'microseconds of CPU time':28} {'median':>8} {'best':>8} {'ratio':>8}  of each round")
    for name, values in spent.items():
        ratios = [value / other for value, other in zip(values, base, strict=True)]
        each = " ".join(f"{ratio:.2f}" for ratio in ratios)
        middle = statistics.median(values)
        ratio = statistics.median(ratios)
        print(f"{name:28} {middle:8.0f} {min(values):8.0f} {ratio:8.2f}  {each}")
