from __future__ import annotations

import pytest

from handshake.endpoint.timeouts import SECOND, Patience
from handshake.errors import UsageError


def test_seconds_become_nanoseconds() -> None:
    found = Patience.of(timeout=1.5, retries=4, rto=0.5, hold=2.0, close_timeout=0.25, observe=3.5)
    assert (found.opening, found.rto, found.hold) == (3 * SECOND // 2, SECOND // 2, 2 * SECOND)
    assert (found.closing, found.observe) == (SECOND // 4, 7 * SECOND // 2)
    assert found.retries == 4


def test_as_it_is_unless_asked_for_otherwise() -> None:
    assert Patience.of() == Patience()
    assert Patience().observe == 0


@pytest.mark.parametrize("seconds", [-1.0, 86_401.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["timeout", "rto", "hold", "close_timeout", "observe"])
def test_a_time_that_makes_no_sense(name: str, seconds: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 86400 seconds"):
        Patience.of(**{name: seconds})  # type: ignore[arg-type]
