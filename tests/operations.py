"""Counts operations, to show how work grows: time would depend on the machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

LINEAR: Final = 2.5
"""How many times the operations may be where the work is twice as much; quadratic work has four."""


def operations(work: Callable[[], object]) -> int:
    """Return how many bytecode instructions some work takes."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if event == "call":
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
        elif event == "opcode":
            count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def growth(work: Callable[[int], Callable[[], object]], n: int) -> float:
    """Return how many times the operations of `work(n)` those of `work(2 * n)` are."""
    return operations(work(2 * n)) / operations(work(n))
