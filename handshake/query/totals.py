"""Totals over many records: outcomes, round-trip times, servers that refuse or do not answer."""

from __future__ import annotations

from array import array
from collections import Counter
from heapq import nsmallest
from math import ceil
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeVar

from handshake.tracker.findings import CaptureFindings
from handshake.tracker.findings.capture import refusal

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


_Key = TypeVar("_Key")


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


class Counted(NamedTuple):
    """What totals take of a record: much less than all of it to send from another process."""

    capture: str | None
    outcome: str
    closed: str | None
    client: str
    server: str
    port: int
    frame: int | None
    segments: int
    octets: int
    retransmissions: tuple[int, int, int]
    """Of SYNs, of SYN-ACKs, and of data."""

    rtt: float | None
    ttl: int | None
    refused: int | None
    """The frame of the RST that refused it."""

    diagnosis: str | None
    codes: tuple[str, ...]
    """Those of its findings, each once."""

    @classmethod
    def of(cls, record: Record) -> Counted:
        """Return what totals take of a record."""
        client, server, handshake = record.client, record.server, record.handshake
        syns, syn_acks = handshake.syn_retransmissions, handshake.syn_ack_retransmissions
        again = client.retransmissions + server.retransmissions
        return cls(
            record.capture,
            record.outcome,
            record.closed,
            client.address,
            server.address,
            server.port,
            record.frames[0],
            client.segments + server.segments,
            client.bytes + server.bytes,
            (syns, syn_acks, max(0, again - syns - syn_acks)),
            handshake.rtt,
            server.ttl,
            refusal(record),
            None if record.diagnosis is None else record.diagnosis.code,
            tuple(dict.fromkeys([each.code for each in record.findings])),
        )


class Totals:
    """Counts records; of each it keeps only the round-trip time."""

    def __init__(self, records: Iterable[Record | Counted] = ()) -> None:
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

    def add(self, record: Record | Counted) -> None:
        """Count one record."""
        own = record if isinstance(record, Counted) else Counted.of(record)
        self.add_alike(own, 1)
        self.segments += own.segments
        self.octets += own.octets
        if own.outcome == "refused":
            self.refusing[own.server, own.port] += 1
        elif own.outcome == "no-answer":
            self.silent[own.server, own.port] += 1
        if own.rtt is not None:
            self._rtts.append(own.rtt)
        if own.diagnosis is not None:
            self.diagnoses[own.diagnosis] += 1
        capture = self.of_capture(own.capture)
        capture.take(own.outcome, own.client, own.server, own.port, own.frame)
        if own.ttl is not None:
            capture.answered(own.outcome, own.server, own.ttl, own.refused)

    def add_alike(self, model: Counted, count: int) -> None:
        """Count what so many records have alike."""
        self.connections += count
        self.outcomes[model.outcome] += count
        self.closed[model.closed] += count
        syns, syn_acks, data = model.retransmissions
        self.syn_retransmissions += syns * count
        self.syn_ack_retransmissions += syn_acks * count
        self.data_retransmissions += data * count
        for code in model.codes:
            self.codes[code] += count

    def add_rtts(self, seconds: Iterable[float]) -> None:
        """Count round-trip times."""
        self._rtts.extend(seconds)

    def of_capture(self, name: str | None) -> CaptureFindings:
        """Return what was found about a capture as a whole."""
        found = self._capture_findings.get(name)
        if found is None:
            found = self._capture_findings[name] = CaptureFindings()
        return found

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
            "closed": {each or "open": count for each, count in ranked(self.closed)},
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
            "diagnoses": dict(ranked(self.diagnoses)),
            "codes": dict(ranked(self.codes)),
            "findings": [
                {"capture": capture, **finding.as_json()} for capture, finding in self.findings
            ],
        }


def ranked(found: Counter[_Key]) -> list[tuple[_Key, int]]:
    """Return what was counted, the most first; of equal counts in the order of the names."""
    return sorted(found.items(), key=_rank)


def top(found: Counter[tuple[str, int]]) -> list[tuple[tuple[str, int], int]]:
    """Return the first ones of `ranked`."""
    return nsmallest(TOP, found.items(), key=_rank)


def _rank(item: tuple[object, int]) -> tuple[int, object]:
    return -item[1], item[0] or ""


def _top(found: Counter[tuple[str, int]]) -> list[Json]:
    return [
        {"address": address, "port": port, "connections": count}
        for (address, port), count in top(found)
    ]
