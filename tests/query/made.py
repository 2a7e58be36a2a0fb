"""Records made by hand, each different in what a test is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from handshake.record import EndRecord, HandshakeRecord, Record


def end(address: str, port: int, **changed: Any) -> EndRecord:
    known: dict[str, Any] = dict.fromkeys(
        ("segments", "bytes", "retransmissions", "out_of_order", "duplicate_acks"), 0
    )
    known |= dict.fromkeys(("zero_windows", "fin", "rst"), 0)
    known |= dict.fromkeys(("state", "iss", "mss", "window_scale", "sack_permitted"))
    known |= dict.fromkeys(("timestamps", "ecn"))
    return EndRecord(**(known | {"address": address, "port": port} | changed))


CLIENT = end("192.0.2.10", 49152)
SERVER = end("198.51.100.7", 80)
OPENING = HandshakeRecord(
    rtt=0.0284,
    syn_to_syn_ack=0.0283,
    syn_ack_to_ack=0.0001,
    syn_retransmissions=0,
    syn_ack_retransmissions=0,
    simultaneous=False,
    fast_open=False,
)
CLOSED = replace(OPENING, rtt=None, syn_to_syn_ack=None, syn_ack_to_ack=None)


def record(**changed: Any) -> Record:
    """Return the record of a clean connection with the changes given."""
    known: dict[str, Any] = {
        "capture": "sample.pcap",
        "stream": 0,
        "client": replace(CLIENT, segments=6),
        "server": replace(SERVER, segments=4),
        "roles": "syn",
        "start": "2026-11-22T12:00:00.000000000Z",
        "duration": 0.5,
        "outcome": "established",
        "closed": "fin",
        "handshake": OPENING,
        "conn_state": "SF",
        "history": "ShADadFf",
        "frames": (1, 10),
    }
    return Record(**(known | changed))
