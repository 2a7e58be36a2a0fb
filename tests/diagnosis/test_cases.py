"""Captures of situations that people reported: the outcome and the diagnosis of each."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from handshake.survey import records
from tests.diagnosis.made import assert_proven

CASES: Final = Path(__file__).parents[2].parent / "shared" / "cases"

EXPECTED: Final[dict[str, list[tuple[str, str | None]]]] = {
    "01-old-ack-answers-new-syn.pcap": [
        ("established", None),
        ("established", "stale-connection likely"),
    ],
    "06c-partial-sums-of-the-other-end.pcap": [("established", None)],
    "10-second-synack-wrong-ack.pcap": [("half-open", "wrong-acknowledgment proven")],
    "58-synack-acks-isn-not-isn-plus-1.pcap": [("half-open", "wrong-acknowledgment proven")],
    "49-challenge-ack-rst-then-open-v6.pcap": [("established", "stale-connection likely")],
}
"""Each capture's connections: outcome, and code and certainty of the diagnosis."""


@pytest.mark.skipif(not CASES.is_dir(), reason="the captures do not lie beside the clone")
@pytest.mark.parametrize("name", EXPECTED)
def test_each_case(name: str) -> None:
    path = CASES / name
    if not path.exists():
        pytest.skip("not here")
    told = []
    for record in sorted(records(path), key=lambda each: each.stream):
        found = record.diagnosis
        if found is not None:
            assert_proven(found, path)
        told.append((record.outcome, found and f"{found.code} {found.certainty}"))
    assert told == EXPECTED[name]
