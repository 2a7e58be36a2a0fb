"""Ports that have called: which of them may call the same remote end again, and when."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from handshake.prober import Close, Verdict
from handshake.prober.userspace.time_wait import TimeWait
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.prober.userspace.connection import UserspaceConnection

REMOTE, OTHER = bytes(8) + b"\x00\x50", bytes(8) + b"\x00\x51"


def ended(remote: bytes, port: int, verdict: Verdict, close: Close | None) -> UserspaceConnection:
    """Return as much of a call as is remembered."""
    outcome = SimpleNamespace(verdict=verdict, close=close)
    incoming = remote + port.to_bytes(2, "big")
    return cast(
        "UserspaceConnection",
        SimpleNamespace(
            outcome=outcome, incoming=incoming, last=b"", departure=SimpleNamespace(to=())
        ),
    )


def recently_used(known: TimeWait, incoming: bytes, now: int) -> bool:
    return known.recently_used(incoming[:-2], now)(int.from_bytes(incoming[-2:], "big"))


@pytest.mark.parametrize(
    ("verdict", "close"),
    [
        (Verdict.OPEN, Close.CLEAN),
        (Verdict.OPEN, Close.PEER_KEPT_OPEN),
        (Verdict.RESET, Close.RESET),
        (Verdict.CLOSED, None),
        (Verdict.FILTERED, None),
    ],
)
def test_a_port_rests_for_a_minute_however_its_call_ended(
    verdict: Verdict, close: Close | None
) -> None:
    known = TimeWait()
    call = ended(REMOTE, 4242, verdict, close)
    assert not recently_used(known, call.incoming, 0)
    known.end(call, 5)
    assert recently_used(known, call.incoming, 5 + 60 * NS_PER_SECOND - 1)
    assert not recently_used(known, call.incoming, 5 + 60 * NS_PER_SECOND)
    # Another remote end knows nothing of it.
    assert not recently_used(known, OTHER + call.incoming[-2:], 6)


def test_the_last_128_of_a_remote_end_rest() -> None:
    known = TimeWait()
    calls = [ended(REMOTE, port, Verdict.OPEN, Close.CLEAN) for port in range(1, 201)]
    for call in calls:
        known.end(call, 0)
    resting = [call for call in calls if recently_used(known, call.incoming, 1)]
    assert resting == calls[-128:]
    # Who calls again is the last once more.
    known.end(resting[0], 1)
    known.end(ended(REMOTE, 999, Verdict.OPEN, Close.CLEAN), 1)
    assert recently_used(known, resting[0].incoming, 2)
    assert not recently_used(known, resting[1].incoming, 2)
