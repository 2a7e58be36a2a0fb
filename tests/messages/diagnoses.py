"""Every diagnosis with values that a person can read."""

from __future__ import annotations

from typing import Final

from handshake.messages import table
from handshake.record import Diagnosis, RuledOut

_VALUES: Final[dict[str, object]] = {
    "ack": 777,
    "after": 0.16,
    "again": False,
    "asked": True,
    "count": 4,
    "delay": 1.02,
    "expected": 101,
    "frame": 7,
    "many": True,
    "more": True,
    "opened": True,
    "opening": True,
    "other": 443,
    "own": 48,
    "port": 80,
    "refused": False,
    "rejected": True,
    "server": "192.0.2.10",
    "span": 7.0,
    "times": 1,
    "ttl": 57,
}
"""What the sentences name."""

_MORE: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("no-answer", {"count": 1, "more": False}),
    ("wrong-acknowledgment", {"rejected": False}),
    ("stale-connection", {"count": 1, "rejected": False, "opened": False}),
    ("ack-without-syn", {"count": 1, "many": False}),
    ("syn-ack-unanswered", {"count": 1, "many": False, "asked": False}),
    ("injected-reset", {"opening": False, "other": False}),
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
