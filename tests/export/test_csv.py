"""Records as CSV: what the csv module reads back is what they hold."""

from __future__ import annotations

import csv
from dataclasses import replace

from handshake.export.csv import rows
from handshake.query.keys import KEYS
from handshake.record import Finding
from tests.query.made import CLIENT, CLOSED, SERVER, record

ABANDONED = Finding("abandoned", 2)
REFLECTED = Finding("ecn-reflected", None)


def test_a_row_of_names_and_one_for_each_record() -> None:
    odd = record(
        capture='a "b", c\nd.pcap',
        outcome="refused",
        closed=None,
        handshake=CLOSED,
        client=replace(CLIENT, address="fd77::1", sack_permitted=True, ecn=False),
        server=replace(SERVER, iss=0),
        findings=(ABANDONED, REFLECTED),
    )
    table = list(csv.reader("\r\n".join(rows([odd, record()])).splitlines(keepends=True)))
    assert table[0] == list(KEYS)
    assert len(table) == 3
    assert {len(row) for row in table} == {len(KEYS)}
    found = dict(zip(*table[:2], strict=True))
    assert {name: value for name, value in found.items() if value not in ("", "0")} == {
        "capture": 'a "b", c\nd.pcap',
        "client.address": "fd77::1",
        "client.port": "49152",
        "client.sack_permitted": "true",
        "client.ecn": "false",
        "server.address": "198.51.100.7",
        "server.port": "80",
        "roles": "syn",
        "start": "2026-11-22T12:00:00.000000000Z",
        "duration": "0.5",
        "outcome": "refused",
        "handshake.simultaneous": "false",
        "handshake.fast_open": "false",
        "handshake.rtt_ambiguous": "false",
        "conn_state": "SF",
        "history": "ShADadFf",
        "frames": "1;10",
        "findings.code": "abandoned;ecn-reflected",
        "findings.frame": "2;",
        "findings.text": f"{ABANDONED.text};{REFLECTED.text}",
        "findings.certainty": f"{ABANDONED.certainty};{REFLECTED.certainty}",
    }
    assert (found["server.iss"], found["client.iss"], found["closed"]) == ("0", "", "")


def test_without_records_there_are_still_names() -> None:
    assert list(rows([])) == [",".join(KEYS)]
