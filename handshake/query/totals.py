"""Totals over many records: outcomes, round-trip times, servers that refuse or do not answer."""

from __future__ import annotations

from array import array
from collections import Counter
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from handshake.tracker.findings import CaptureFindings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from handshake.record import Finding, Json, Record

OUTCOMES: Final = (
    "established",
    "refused",
    "no-answer",
    "half-open",
    "reset",
    "unreachable",
    "mid-stream",
)
"""All outcomes, in the order in which they are shown."""

TOP: Final = 5
"""How many servers of a kind are listed."""


class Spread(NamedTuple):
    """Minimum, median, 95th percentile and maximum of values."""

    least: float
    median: float
    p95: float

    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread | None:
        """Return the spread of values; None if there are none."""
        found = sorted(values)
        if not found:
            return None
        middle = (found[(len(found) - 1) // 2] + found[len(found) // 2]) / 2
        return cls(found[0], middle, found[ceil(0.95 * len(found)) - 1], found[-1])


class OutcomeTotals(Protocol):
    """Outcomes and round-trip times."""

    outcomes: Counter[str]

    @property
    def rtt(self) -> Spread | None:
        """The spread of the handshakes' round-trip times, in seconds."""
        ...


class QuickTotals:
    """Outcomes and round-trip times alone: of 20,000 records in a few milliseconds."""

    def __init__(self, records: Iterable[Record]) -> None:
        found = list(records)
        self.outcomes = Counter(each.outcome for each in found)
        self.rtt = Spread.of(each.handshake.rtt for each in found if each.handshake.rtt is not None)


class Totals:
    """Counts records one by one; of each it keeps only the round-trip time."""

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.connections = self.segments = self.octets = 0
        self.left_out = 0
        """Connections that are not among the records, as too many were open at a time."""

        self.outcomes: Counter[str] = Counter()
        self.closed: Counter[str | None] = Counter()
        self.refusing: Counter[tuple[str, int]] = Counter()
        self.silent: Counter[tuple[str, int]] = Counter()
        self.syn_retransmissions = self.syn_ack_retransmissions = self.data_retransmissions = 0
        self.codes: Counter[str] = Counter()
        """In how many connections each finding occurs."""

        self.diagnoses: Counter[str] = Counter()

        self._rtts = array("d")
        self._capture_findings: dict[str | None, CaptureFindings] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Count one record."""
        client, server, handshake = record.client, record.server, record.handshake
        self.connections += 1
        self.segments += client.segments + server.segments
        self.octets += client.bytes + server.bytes
        self.outcomes[record.outcome] += 1
        self.closed[record.closed] += 1
        if record.outcome == "refused":
            self.refusing[server.address, server.port] += 1
        elif record.outcome == "no-answer":
            self.silent[server.address, server.port] += 1
        self.syn_retransmissions += handshake.syn_retransmissions
        self.syn_ack_retransmissions += handshake.syn_ack_retransmissions
        total = client.retransmissions + server.retransmissions
        self.data_retransmissions += max(
            0, total - handshake.syn_retransmissions - handshake.syn_ack_retransmissions
        )
        if handshake.rtt is not None:
            self._rtts.append(handshake.rtt)
        if record.diagnosis is not None:
            self.diagnoses[record.diagnosis.code] += 1
        # Each once, in their order: of equal counts the first comes first.
        for code in dict.fromkeys([each.code for each in record.findings]):
            self.codes[code] += 1
        capture = self._capture_findings.get(record.capture)
        if capture is None:
            capture = self._capture_findings[record.capture] = CaptureFindings()
        capture.add(record)

    @property
    def captures(self) -> list[str | None]:
        """The names of the captures, in order."""
        return list(self._capture_findings)

    @property
    def rtt(self) -> Spread | None:
        """The spread of the handshakes' round-trip times, in seconds."""
        return Spread.of(self._rtts)

    @property
    def findings(self) -> list[tuple[str | None, Finding]]:
        """Findings about each capture as a whole, with the capture's name."""
        return [
            (capture, finding)
            for capture, each in self._capture_findings.items()
            for finding in each.found()
        ]

    def as_json(self) -> Json:
        """Return it as one JSON object."""
        rtt = self.rtt
        return {
            "captures": self.captures,
            "connections": self.connections,
            "left_out": self.left_out,
            "segments": self.segments,
            "bytes": self.octets,
            "outcomes": {each: self.outcomes[each] for each in OUTCOMES},
            "closed": {each or "open": count for each, count in self.closed.items()},
            "rtt": None
            if rtt is None
            else {"min": rtt.least, "median": rtt.median, "p95": rtt.p95, "max": rtt.most},
            "retransmissions": {
                "syn": self.syn_retransmissions,
                "syn_ack": self.syn_ack_retransmissions,
                "data": self.data_retransmissions,
            },
            "refusing": _top(self.refusing),
            "silent": _top(self.silent),
            "diagnoses": dict(self.diagnoses.most_common()),
            "codes": dict(self.codes.most_common()),
            "findings": [
                {"capture": capture, **finding.as_json()} for capture, finding in self.findings
            ],
        }


def _top(found: Counter[tuple[str, int]]) -> list[Json]:
    return [
        {"address": address, "port": port, "connections": count}
        for (address, port), count in found.most_common(TOP)
    ]
