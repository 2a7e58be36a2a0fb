"""Captures of situations that people reported: the diagnosis of each connection."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from handshake.survey import records
from tests.diagnosis.made import assert_proven

CASES: Final = Path(__file__).parents[2].parent / "shared" / "cases"

WELL: Final = None

EXPECTED: Final[dict[str, list[str | None]]] = {
    "01-old-ack-answers-new-syn.pcap": [WELL, "stale-connection likely"],
    "03-defer-accept-idle.pcap": ["deferred-accept possible"],
    "04-backlog-full-data-answered-by-synack.pcap": ["accept-queue-full likely"],
    "05-windows-syn-after-rst.pcap": ["refused possible"],
    "06-synack-bad-checksum-never-accepted.pcap": ["wrong-checksum likely"],
    "06c-partial-sums-of-the-other-end.pcap": [WELL],
    "07-synack-from-other-address.pcap": ["translation-undone proven"] * 2,
    "08-tw-recycle-nat-timestamps-behind.pcap": [WELL, WELL, "timestamps-behind likely", WELL],
    "09-two-servers-two-isns.pcap": ["two-servers likely"],
    "10-second-synack-wrong-ack.pcap": ["wrong-acknowledgment proven"],
    "11-syn-twice-at-once.pcap": [WELL],
    "12-rtt-above-rto-client-side.pcap": ["slow-path likely"],
    "13-syn-turned-into-ack.pcap": ["syn-turned-ack proven"],
    "14-scapy-kernel-rst.pcap": ["hand-made-syn likely"],
    "15-rst-injected-before-synack.pcap": ["injected-reset proven"],
    "15b-rst-injected-after-request.pcap": ["injected-reset proven"],
    "23-pktmon-three-copies.pcapng": [WELL],
    "24-span-both-sides-of-router.pcap": [WELL],
    "26-both-sides-of-nat.pcap": [WELL, WELL],
    "27-answers-stamped-an-hour-earlier.pcap": [WELL],
    "29-replayed-three-times.pcap": [WELL],
    "31-snaplen-54.pcap": [WELL],
    "40-live-accept-queue-full.pcap": [WELL, WELL, *["accept-queue-full likely"] * 2],
    "41-live-answer-from-other-address.pcap": ["translation-undone proven"] * 4,
    "44-live-self-connect.pcap": ["self-connect proven"],
    "45-syn-answered-by-ack-without-syn.pcap": ["ack-without-syn proven"],
    "46-tfo-black-hole.pcap": ["fast-open-fallback likely"],
    "47-server-ignores-unscaled-window.pcap": ["window-overrun proven"],
    "49-challenge-ack-rst-then-open-v6.pcap": ["stale-connection likely"],
    "55-pmtu-black-hole-server-side.pcap": ["path-mtu likely"],
    "58-synack-acks-isn-not-isn-plus-1.pcap": ["wrong-acknowledgment proven"],
    "70-zeek-handshake-reorder.pcap": [WELL],
    "72-truncated-original-length-lost.pcapng": [WELL],
    "74-vxlan-outer-udp-checksum-wrong.pcap": ["tunnel-checksum likely"],
    "82-live-port2.pcapng": ["refused possible"] * 2,
    "84-live-port4.pcapng": ["ack-without-syn proven"],
}
"""Code and certainty of each connection's diagnosis."""


ABSENT: Final[dict[str, set[str]]] = {
    "01-old-ack-answers-new-syn.pcap": {"syn-ack-lost"},
    "09-two-servers-two-isns.pcap": {"reset-by-other-ttl", "reset-after-accept"},
    "10-second-synack-wrong-ack.pcap": {"syn-ack-isns"},
    "12-rtt-above-rto-client-side.pcap": {"final-ack-lost", "syn-ack-lost"},
    "15-rst-injected-before-synack.pcap": {"refused"},
    "15b-rst-injected-after-request.pcap": {"reset-after-accept"},
    "44-live-self-connect.pcap": {"one-sided", "capture-gap"},
    "45-syn-answered-by-ack-without-syn.pcap": {"syn-ack-lost"},
    "46-tfo-black-hole.pcap": {"syn-data-rejected"},
    "49-challenge-ack-rst-then-open-v6.pcap": {"syn-ack-lost"},
    "58-synack-acks-isn-not-isn-plus-1.pcap": {"reset-out-of-window", "syn-ack-lost"},
}
"""Findings that would be false."""

OUTCOMES: Final[dict[str, list[str]]] = {
    "03-defer-accept-idle.pcap": ["established"],
    "05-windows-syn-after-rst.pcap": ["refused"],
    "07-synack-from-other-address.pcap": ["no-answer", "reset"],
    "10-second-synack-wrong-ack.pcap": ["half-open"],
    "15-rst-injected-before-synack.pcap": ["half-open"],
    "15b-rst-injected-after-request.pcap": ["established"],
    "58-synack-acks-isn-not-isn-plus-1.pcap": ["half-open"],
}

HERE: Final = pytest.mark.skipif(not CASES.is_dir(), reason="the captures lie not beside the clone")


@HERE
@pytest.mark.parametrize("name", ABSENT)
def test_nothing_false_is_found(name: str) -> None:
    found = {each.code for record in records(CASES / name) for each in record.findings}
    assert not found & ABSENT[name]


@HERE
@pytest.mark.parametrize("name", OUTCOMES)
def test_each_outcome(name: str) -> None:
    told = sorted(records(CASES / name), key=lambda each: each.stream)
    assert [each.outcome for each in told] == OUTCOMES[name]


@HERE
@pytest.mark.parametrize("name", EXPECTED)
def test_each_case(name: str) -> None:
    path = CASES / name
    told = []
    for record in sorted(records(path), key=lambda each: each.stream):
        found = record.diagnosis
        if found is not None:
            assert_proven(found, path)
        told.append(found and f"{found.code} {found.certainty}")
    assert told == EXPECTED[name]
