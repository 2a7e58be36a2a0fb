"""What each capture of ../shared/cases proves: outcome, codes and numbers of its connections.

They stay where they are, with their own licences; beside each kind the tests of its package make
captures of their own. A key of the record may be written with dots.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from handshake.survey import records

FOLDER: Final = Path(__file__).parents[3] / "shared" / "cases"

Expected: TypeAlias = dict[str, Any]

COPIES: Final = {
    "outcome": "established",
    "closed": "fin",
    "duration": 0.1201,
    "handshake.rtt": 0.0201,
    "handshake.rtt_ambiguous": False,
    "handshake.syn_retransmissions": 0,
    "handshake.syn_ack_retransmissions": 0,
    "client.resent": 0,
    "server.resent": 0,
    "client.repeated_acks": 0,
}
"""A connection of ten segments, whatever the capture has twice."""

CASES: Final[dict[str, list[Expected]]] = {
    "01-old-ack-answers-new-syn.pcap": [
        {"outcome": "established", "closed": "fin"},
        {
            "outcome": "established",
            "handshake.rtt": 0.04,
            "handshake.syn_to_syn_ack": 0.0005,
            "findings": [
                "port-reuse@11",
                "ack-answers-syn@12",
                "challenge-ack@14",
                "no-window-scaling@16",
            ],
        },
    ],
    "06-synack-bad-checksum-never-accepted.pcap": [
        {
            "outcome": "half-open",
            "client.state": "SYN-SENT",
            "server.state": "SYN-RECEIVED",
            "findings": ["syn-ack-damaged@2", "bad-checksum@2"],
        }
    ],
    "06c-partial-sums-of-the-other-end.pcap": [
        {"outcome": "established", "findings": ["checksum-offload@2"]},
    ],
    "12-rtt-above-rto-client-side.pcap": [
        {
            "outcome": "established",
            "handshake.rtt": 1.6001,
            "handshake.rtt_ambiguous": False,
            "handshake.initial_rtt": 0.6001,
            "findings": ["syn-answered-late@2"],
        }
    ],
    "13-syn-turned-into-ack.pcap": [
        {"outcome": "reset", "roles": "syn", "findings": ["syn-cleared@1"]},
    ],
    "15-rst-injected-before-synack.pcap": [
        {
            "outcome": "half-open",
            "closed": None,
            "handshake.rtt": None,
            "handshake.syn_to_syn_ack": 0.18,
            "findings": ["reset-by-other-ttl@2"],
        },
    ],
    "15b-rst-injected-after-request.pcap": [
        {
            "outcome": "established",
            "closed": "rst-by-client",
            "client.bytes": 19,
            "server.bytes": 19,
            "server.reordered": 0,
            "findings": ["reset-by-other-ttl@5"],
        }
    ],
    "31-snaplen-54.pcap": [
        {
            "outcome": "established",
            "closed": "fin",
            "client.mss": None,
            "client.sack_permitted": None,
            "client.timestamps": None,
            "server.options_cut": True,
            "negotiated": None,
            "findings": ["options-cut@1"],
        }
    ],
    "44-live-self-connect.pcap": [
        {
            "outcome": "established",
            "closed": "fin",
            "client.state": "TIME-WAIT",
            "handshake.simultaneous": True,
            "findings": ["self-connect@1", "checksum-offload@1"],
        }
    ],
    "45-syn-answered-by-ack-without-syn.pcap": [
        {
            "outcome": "no-answer",
            "client.state": "SYN-SENT",
            "server.state": None,
            "handshake.rtt": None,
            "findings": ["ack-without-syn@2"],
        }
    ],
    "49-challenge-ack-rst-then-open-v6.pcap": [
        {"outcome": "established", "handshake.rtt": 0.0004, "findings": ["ack-answers-syn@2"]},
    ],
    "58-synack-acks-isn-not-isn-plus-1.pcap": [
        {"outcome": "half-open", "client.state": "SYN-SENT", "findings": ["half-open@8"]},
    ],
    "84-live-port4.pcapng": [
        {"outcome": "no-answer", "client.state": "SYN-SENT", "findings": ["ack-without-syn@2"]},
    ],
    "09-two-servers-two-isns.pcap": [
        {
            "outcome": "established",
            "closed": "rst-by-server",
            "server.iss": 900,
            "findings": ["syn-ack-isns@4", "challenge-ack@5"],
        }
    ],
    "11-syn-twice-at-once.pcap": [
        {"outcome": "established", "client.copies": 0, "findings": []},
    ],
    "23-pktmon-three-copies.pcapng": [
        COPIES | {"client.copies": 12, "server.copies": 8, "findings": ["seen-twice@2"]},
    ],
    "24-span-both-sides-of-router.pcap": [
        COPIES | {"client.copies": 6, "server.copies": 4, "findings": ["seen-twice@2"]},
    ],
    "26-both-sides-of-nat.pcap": [
        {"outcome": "established", "closed": "fin", "findings": ["both-sides-of-nat@1"]},
        {"outcome": "established", "closed": "fin", "findings": ["both-sides-of-nat@2"]},
    ],
    "27-answers-stamped-an-hour-earlier.pcap": [
        {"outcome": "established", "handshake.rtt": None, "findings": ["clock-step@2"]},
    ],
    "29-replayed-three-times.pcap": [
        COPIES
        | {
            "client.copies": 12,
            "server.copies": 8,
            "client.state": "TIME-WAIT",
            "server.state": "CLOSED",
            "findings": ["seen-twice@11"],
        },
    ],
    "70-zeek-handshake-reorder.pcap": [
        {
            "handshake.rtt": None,
            "handshake.syn_ack_to_ack": 0.000294,
            "findings": ["answer-first@2"],
        },
    ],
    "72-truncated-original-length-lost.pcapng": [
        {
            "outcome": "established",
            "client.bytes": 400,
            "server.bytes": 5600,
            "client.options_cut": False,
            "findings": [],
        }
    ],
    "74-vxlan-outer-udp-checksum-wrong.pcap": [
        {
            "outcome": "established",
            "handshake.rtt": 0.0015,
            "handshake.syn_retransmissions": 6,
            "diagnosis.code": "tunnel-checksum",
            "diagnosis.evidence": [1, 2, 3, 4, 5, 6, 7, 8],
        }
    ],
    "82-live-port2.pcapng": [
        # Only RSTs of one TTL: what sent them, this file does not tell.
        {"outcome": "refused", "diagnosis.certainty": "possible", "diagnosis.ruled_out": []},
    ]
    * 2,
    "76-suricata-detect-ipopts.pcap": [
        {"outcome": "no-answer", "client.copies": 0, "findings": ["no-answer@8"]},
        {"outcome": "no-answer", "client.copies": 0, "findings": ["no-answer@2"]},
        {"outcome": "no-answer", "client.copies": 0, "findings": ["no-answer@7"]},
    ],
    "ipv4-source-route.pcap": [
        {"outcome": "no-answer", "client.copies": 0, "findings": ["no-answer@1"]},
        {"outcome": "no-answer", "client.copies": 0, "findings": ["no-answer@2"]},
    ],
    "rtt-of-no-time.pcap": [
        # Wireshark waits for an ACK that is later than the SYN.
        {"outcome": "established", "handshake.rtt": 0.0, "handshake.initial_rtt": 0.015},
    ],
    "close-at-epoch.pcap": [
        {
            "closed": "fin",
            "client.state": "TIME-WAIT",
            "server.state": "CLOSED",
            "handshake.rtt": 0.0,
        },
    ],
    "syn-after-syn-ack.pcap": [
        {
            "client.mss": 1460,
            "client.window_scale": 4,
            "client.sack_permitted": True,
            "client.timestamps": True,
            "handshake.rtt": None,
        }
    ],
    "syn-ack-ack-then-syn.pcap": [
        {
            "closed": "fin",
            "server.state": "CLOSED",
            "server.iss": 31000,
            "history": "^hADdFf",
            "conn_state": "SF",
        }
    ],
    "syn-fin-rst-wipes-offer.pcap": [
        {
            "outcome": "established",
            "closed": None,
            "negotiated.client_mss": 1460,
            "findings": ["reset-out-of-window@4"],
            "diagnosis": None,
        }
    ],
    "zeek-syn-ack-first-unknown-port.pcap": [
        {"history": "^hADaFf", "roles": "syn-ack", "handshake.rtt": None},
    ],
    "zeek-syn-ack-first-known-ports.pcap": [
        {"history": "^hADa", "roles": "syn-ack", "handshake.rtt": None},
    ],
    "mptcp-add-addr-dup-ack.pcap": [
        {"client.duplicate_acks": 0, "client.repeated_acks": 0, "server.duplicate_acks": 0},
    ],
    "rtt-of-no-answer.pcap": [
        {"outcome": "reset", "handshake.rtt": None, "handshake.initial_rtt": 0.189765},
    ],
    "negative-rtt-invalid-usec.pcap": [
        {"handshake.rtt": None, "findings": ["clock-step@2"]},
    ],
    "bogus-data-offset-is-a-reset.pcap": [
        {
            "outcome": "mid-stream",
            "closed": None,
            "client.state": None,
            "findings": ["malformed@1", "bad-checksum@1"],
        },
    ],
    "zero-window-of-cut-header.pcap": [
        {
            "client.zero_windows": 0,
            "client.state": None,
            "findings": ["malformed@1", "reserved-bits@1", "bad-checksum@1"],
        },
    ],
    "ipv4-mapped-text.pcap": [
        {"client.address": "::ffff:1.2.3.4", "server.address": "::ffff:5.6.7.8"},
    ],
    "unread-cisco-metadata-0x8909.pcap": [{"outcome": "established", "server.mss": 1380}],
    "unread-centrino-0x2452.pcap": [{"outcome": "established", "client.copies": 1}],
    "unread-etag-0x893f.pcap": [{"outcome": "mid-stream", "server.port": 443}],
    "unread-fddi.pcap": [{"outcome": "established", "handshake.rtt": 0.219116}],
    "unread-frame-relay.pcap": [{"outcome": "mid-stream", "server.bytes": 446}],
    "unread-gre-aruba.pcap": [{"outcome": "mid-stream", "closed": "half-closed"}],
    "unread-ipoib.pcap": [{"outcome": "established", "diagnosis.code": "one-sided-capture"}],
}


@cache
def listed(name: str) -> list[dict[str, Any]]:
    found = sorted(records(FOLDER / name), key=lambda each: each.stream)
    return [each.as_json() for each in found]


def value(record: dict[str, Any], key: str) -> Any:
    if key == "findings":
        return [f"{each['code']}@{each['frame']}" for each in record["findings"]]
    found: Any = record
    for part in key.split("."):
        found = None if found is None else found[part]
    return pytest.approx(found) if isinstance(found, float) else found


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the captures are not at {FOLDER}")
@pytest.mark.parametrize("name", CASES)
def test_what_each_capture_proves(name: str) -> None:
    found, expected = listed(name), CASES[name]
    assert len(found) == len(expected)
    for record, wanted in zip(found, expected, strict=True):
        actual = {key: value(record, key) for key in wanted}
        assert actual == wanted, record["stream"]
