"""Connections by server and port."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from handshake.query.groups import ORDERS, server_groups
from tests.query.made import CLIENT, CLOSED, OPENING, SERVER, record

if TYPE_CHECKING:
    from handshake.record import Record


def at(
    second: int, outcome: str = "established", port: int = 80, rtt: float | None = 0.1
) -> Record:
    return record(
        stream=second,
        start=f"2026-11-22T12:00:{second:02}.000000000Z",
        outcome=outcome,
        server=replace(SERVER, port=port),
        client=replace(CLIENT, address=f"10.0.0.{second}"),
        handshake=replace(OPENING if rtt else CLOSED, rtt=rtt),
    )


RECORDS = [
    at(1),
    at(2, "refused", 81, None),
    at(9, "no-answer", 81, None),
    at(5, "refused", 81, None),
    at(3, "mid-stream", 82, None),
    at(4, rtt=0.3),
]


def test_failures_by_kind_and_when() -> None:
    failing, web, other = server_groups(RECORDS)
    assert (failing.port, failing.attempts, failing.failed) == (81, 3, 3)
    assert failing.failures == [("refused", 2), ("no-answer", 1)]
    spans = {kind: (a.stream, b.stream) for kind, (a, b) in failing.spans.items()}
    assert spans == {"refused": (2, 5), "no-answer": (9, 9)}
    assert failing.first_failure is RECORDS[1]
    assert failing.last_failure is RECORDS[2]
    assert failing.rtt is None
    assert (web.attempts, web.failed, web.first, web.last) == (2, 0, RECORDS[0], RECORDS[5])
    assert web.rtt is not None
    assert (web.rtt.median, web.rtt.p95) == (0.2, 0.3)
    assert len(web.clients) == 2
    assert (other.port, other.failed) == (82, 0)


def test_every_order_sorts() -> None:
    groups = server_groups(RECORDS)
    for measure in ORDERS.values():
        assert len(sorted(groups, key=measure)) == 3  # type: ignore[arg-type]
    assert min(groups, key=ORDERS["p95"]).port == 80  # type: ignore[arg-type]
