from __future__ import annotations

import pytest

from handshake.endpoint.options import Timeouts
from handshake.errors import UsageError
from handshake.units import NS_PER_SECOND


def test_seconds_become_nanoseconds() -> None:
    found = Timeouts.of(timeout=1.5, retries=4, rto=0.5, hold=2.0, close_timeout=0.25, observe=3.5)
    assert (found.handshake, found.rto, found.hold) == (
        3 * NS_PER_SECOND // 2,
        NS_PER_SECOND // 2,
        2 * NS_PER_SECOND,
    )
    assert (found.close, found.observe) == (NS_PER_SECOND // 4, 7 * NS_PER_SECOND // 2)
    assert found.retries == 4


def test_the_defaults() -> None:
    assert Timeouts.of() == Timeouts()
    assert Timeouts().observe == 0


@pytest.mark.parametrize("seconds", [-1.0, 86_401.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["timeout", "rto", "hold", "close_timeout", "observe"])
def test_a_time_out_of_range(name: str, seconds: float) -> None:
    with pytest.raises(UsageError, match="from 0 to 86400 seconds"):
        Timeouts.of(**{name: seconds})  # type: ignore[arg-type]
