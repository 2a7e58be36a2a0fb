"""What many connections together show: scans, SYN floods, refusals with another TTL."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from handshake.messages import listed
from handshake.record import Finding
from handshake.tcp import Endpoint, Observed
from handshake.tracker import Tracker, summarize
from handshake.tracker.findings import CaptureFindings, capture_findings
from handshake.tracker.findings.capture import FLOOD, SCAN, TRACKED
from tests.tracker.conversation import observed

SYN = "A <SEQ=100><CTL=SYN>"
REFUSED = "B <SEQ=0><ACK=101><CTL=RST,ACK>"
SYN_ACK = "B <SEQ=300><ACK=101><CTL=SYN,ACK>"
ACK = "A <SEQ=101><ACK=301><CTL=ACK>"


def address(number: int) -> str:
    return str(ip_address("10.0.0.0") + number)


class Wire:
    """Feeds short conversations between any two endpoints."""

    def __init__(self) -> None:
        self.tracker = Tracker()
        self.frames = 0

    def call(self, client: str, server: str, port: int, *lines: str, sport: int = 40000) -> None:
        ends = {"A": Endpoint.of(client, sport), "B": Endpoint.of(server, port)}
        for line in lines:
            self.frames += 1
            seen = observed(line, self.frames * 10**9, self.frames)
            by = ends[line.split()[0]]
            to = ends["B" if by is ends["A"] else "A"]
            seg = replace(seen.segment, source=by, destination=to)
            self.tracker.feed(Observed(seg, seen.at, frame=self.frames, ttl=seen.ttl))

    @property
    def findings(self) -> list[Finding]:
        return capture_findings(summarize(each) for each in self.tracker.connections)

    @property
    def codes(self) -> list[str]:
        return [each.code for each in self.findings]


def described(finding: Finding) -> dict[str, object]:
    """Return what a finding holds, its outcomes as they are written."""
    outcomes = listed(finding.values["outcomes"], "and")  # type: ignore[arg-type]
    return {**finding.values, "outcomes": outcomes}


def test_a_port_scan_is_one_finding() -> None:
    wire = Wire()
    wire.call("10.0.0.9", "10.0.0.2", 443, SYN, SYN_ACK, ACK)
    for port in range(1, 31):
        wire.call("10.0.0.1", "10.0.0.2", port, SYN, *([REFUSED] if port < 6 else []))
    wire.call("10.0.0.1", "10.0.0.2", 80, SYN, SYN_ACK, ACK)
    (found,) = wire.findings
    assert (found.code, found.frame) == ("port-scan", 4)
    assert described(found) == {
        "client": "10.0.0.1",
        "server": "10.0.0.2",
        "total": 31,
        "names": 30,
        "more": False,
        "outcomes": "25 unanswered, 5 refused and 1 established",
    }


@pytest.mark.parametrize("ports", [SCAN - 1, SCAN])
def test_fewer_ports_are_no_scan(ports: int) -> None:
    wire = Wire()
    for port in range(1, ports + 1):
        wire.call("10.0.0.1", "10.0.0.2", port, SYN, REFUSED)
    assert wire.codes == ["port-scan"] * (ports == SCAN)


def test_one_port_tried_again_and_again_is_no_scan() -> None:
    wire = Wire()
    for number in range(SCAN * 2):
        wire.call("10.0.0.1", "10.0.0.2", 80, SYN, REFUSED, sport=40000 + number)
    assert wire.codes == []


def test_a_busy_client_is_no_scan() -> None:
    wire = Wire()
    for port in range(1, SCAN + 1):
        wire.call("10.0.0.1", "10.0.0.2", port, SYN, REFUSED)
        wire.call("10.0.0.1", "10.0.0.2", port + 1000, SYN, SYN_ACK, ACK)
    assert wire.codes == []


def test_a_scan_for_hosts() -> None:
    wire = Wire()
    for number in range(SCAN):
        wire.call("10.0.0.1", address(256 + number), 22, SYN)
    (found,) = wire.findings
    assert (found.code, found.frame) == ("host-scan", 1)
    assert described(found) == {
        "client": "10.0.0.1",
        "port": 22,
        "total": SCAN,
        "names": SCAN,
        "more": False,
        "outcomes": f"{SCAN} unanswered",
    }


def test_a_flood_from_many_addresses() -> None:
    wire = Wire()
    for number in range(FLOOD):
        wire.call(address(1000 + number), "10.0.0.2", 80, SYN, SYN_ACK)
    wire.call("10.0.0.1", "10.0.0.2", 80, SYN, SYN_ACK, ACK)
    (found,) = wire.findings
    assert (found.code, found.frame, found.variant) == ("syn-flood", 1, "many")
    assert described(found) == {
        "server": "10.0.0.2",
        "port": 80,
        "hanging": FLOOD,
        "total": FLOOD + 1,
        "names": FLOOD,
        "more": False,
        "client": address(1000),
        "outcomes": f"{FLOOD} half-open and 1 established",
    }


def test_many_refusals_are_no_flood() -> None:
    wire = Wire()
    for number in range(FLOOD):
        wire.call(address(1000 + number), "10.0.0.2", 80, SYN, REFUSED)
    assert wire.codes == []


def test_refused_by_another_box() -> None:
    wire = Wire()
    wire.call("10.0.0.1", "10.0.0.2", 80, SYN, SYN_ACK, ACK)
    wire.call("10.0.0.1", "10.0.0.2", 81, SYN, REFUSED)
    assert wire.codes == []
    wire.call("10.0.0.1", "10.0.0.2", 82, SYN, f"{REFUSED} ttl=61")
    wire.call("10.0.0.1", "10.0.0.3", 82, SYN, f"{REFUSED} ttl=61")
    values = {"server": "10.0.0.2", "ttl": 61, "others": [52]}
    assert wire.findings == [Finding("refused-by-other-ttl", 7, values)]


def test_memory_does_not_grow_with_the_addresses() -> None:
    wire = Wire()
    wire.call("10.0.0.1", "10.0.0.2", 1, SYN)
    (record,) = [summarize(each) for each in wire.tracker.connections]
    collected = CaptureFindings()
    for port in range(1, SCAN + 1):
        collected.add(replace(record, server=replace(record.server, port=port)))
    for number in range(3 * TRACKED):
        collected.add(replace(record, client=replace(record.client, address=address(number + 999))))
    assert len(list(collected.pairs.items())) <= TRACKED
    # What failed often is not let go for what failed once.
    assert {each.code for each in collected.found()} == {"port-scan", "syn-flood"}
