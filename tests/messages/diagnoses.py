"""Every diagnosis with values that a person can read."""

from __future__ import annotations

from typing import Final

from handshake.messages import table
from handshake.record import Diagnosis, RuledOut

_VALUES: Final[dict[str, object]] = {
    "ack": 777,
    "after": 0.16,
    "alike": False,
    "answering": 443,
    "answered": "192.0.2.11:80",
    "at_once": False,
    "by": "server",
    "capped": False,
    "client": "10.0.0.1",
    "clients": 120,
    "data": 18,
    "echo": 5000,
    "echoed": False,
    "hosts": 25,
    "told": False,
    "what": "SYN-ACK",
    "edge": 9002349,
    "endpoint": "127.0.0.1:44620",
    "error": "host unreachable (ICMP 3/1)",
    "first": 900,
    "flight": 28960,
    "idle": 300.0,
    "itself": False,
    "known": 901030,
    "named": True,
    "octets": 1448,
    "ports": 25,
    "rst": True,
    "receiver": "client",
    "second": 77000,
    "sender": "192.0.2.1",
    "sent_to": "192.0.2.10:80",
    "series": False,
    "stamp": 102000,
    "took": 1.6,
    "waited": 1.0,
    "while": True,
    "window": 8192,
    "again": False,
    "asked": True,
    "count": 4,
    "delay": 1.02,
    "expected": 101,
    "frame": 7,
    "hanging": 5,
    "many": True,
    "more": True,
    "opened": True,
    "opening": True,
    "other": "client",
    "own": 48,
    "port": 80,
    "refused": False,
    "rejected": True,
    "repeats": 2,
    "second_ttl": 51,
    "server": "192.0.2.10",
    "span": 7.0,
    "times": 4,
    "ttl": 57,
    "up": False,
    "reached": False,
}
"""What the sentences name."""

_MORE: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("no-answer", {"count": 1, "more": False}),
    ("no-answer", {"up": True}),
    ("port-scan", {"up": True}),
    ("wrong-acknowledgment", {"rejected": False}),
    ("stale-connection", {"count": 1, "rejected": False, "opened": False}),
    ("ack-without-syn", {"count": 1, "many": False}),
    ("syn-ack-unanswered", {"count": 1, "many": False, "asked": False}),
    ("syn-ack-unanswered", {"count": 1, "many": False, "reached": True}),
    ("syn-ack-unanswered", {"reached": True}),
    ("syn-ack-lost", {"named": False}),
    ("injected-reset", {"opening": False, "other": False}),
    ("tunnel-checksum", {"answered": False, "many": False, "count": 1}),
    ("refused", {"times": 5, "again": True}),
)
"""Sentences with a clause more or less."""

_CODES: Final = dict.fromkeys(key.rpartition(".")[0] for key in table("diagnosis"))

DIAGNOSES: Final = tuple(
    Diagnosis(code, "likely", (1, 2), (), _VALUES | values)
    for code, values in (*((each, {}) for each in _CODES if each != "ruled-out"), *_MORE)
)

RULED_OUT: Final = tuple(
    RuledOut(key.partition(".")[2], 7, _VALUES)
    for key in table("diagnosis")
    if key.startswith("ruled-out.")
)
