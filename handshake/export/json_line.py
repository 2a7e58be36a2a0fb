"""Writes a record as one line of JSON: what many records have alike is written once.

The line is that of `json.dumps(record.as_json())`, in a third to two thirds of its time: of about
ninety members few differ from one connection of a capture to the next.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from handshake.record import EndRecord, HandshakeRecord, Record
from handshake.tcp.agreement import Agreement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handshake.record import Diagnosis, Finding

_MOST: Final = 4096
"""Texts of one kind that are kept."""

_OWN: Final = ("address", "port", "iss", "segments", "bytes", "ttl")
_TIMES: Final = ("rtt", "initial_rtt", "syn_to_syn_ack", "syn_ack_to_ack")
_PARTS: Final = (
    *("stream", "client", "server", "start", "time", "duration", "handshake", "frames"),
    *("negotiated", "icmp", "findings", "diagnosis"),
)


class _Members:
    """Writes values of one class: its `own` attributes each time, the others once if they recur.

    Each of the others has one type, besides None: so what is equal is written alike.
    """

    def __init__(self, kind: type[Any], own: tuple[str, ...]) -> None:
        self._names: tuple[str, ...] = tuple(kind.__slots__)
        self._own = frozenset(own)
        self._rest: Callable[[Any], tuple[Any, ...]] = attrgetter(
            *(each for each in self._names if each not in self._own)
        )
        self._kept: dict[tuple[Any, ...], str] = {}

    def template(self, value: object) -> str:
        """Return the object with a `%s` for each of its own attributes, in their order."""
        rest = self._rest(value)
        found = self._kept.get(rest)
        if found is None:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            found = self._kept[rest] = self._written(value)
        return found

    def _written(self, value: object) -> str:
        members = (
            f'"{each}": '
            + ("%s" if each in self._own else json.dumps(getattr(value, each)).replace("%", "%%"))
            for each in self._names
        )
        return f"{{{', '.join(members)}}}"


_RECORD: Final = _Members(Record, _PARTS)
_END: Final = _Members(EndRecord, _OWN)
_HANDSHAKE: Final = _Members(HandshakeRecord, _TIMES)
_AGREEMENT: Final = _Members(Agreement, ())
_SENTENCES: Final[dict[tuple[object, ...], str]] = {}
"""Findings and diagnoses with a `%s` for their frames, by all else that they have."""


def json_line(record: Record) -> str:
    """Return a record as one line of JSON, without the end of the line."""
    diagnosis, findings = record.diagnosis, record.findings
    negotiated = record.negotiated
    handshake = record.handshake
    times = (
        handshake.rtt,
        handshake.initial_rtt,
        handshake.syn_to_syn_ack,
        handshake.syn_ack_to_ack,
    )
    first, last = record.frames
    return _RECORD.template(record) % (
        record.stream,
        _end(record.client),
        _end(record.server),
        _text(record.start),
        _number(record.time),
        _number(record.duration),
        _HANDSHAKE.template(handshake) % tuple(map(_number, times)),
        f"[{_number(first)}, {_number(last)}]",
        "null" if negotiated is None else _AGREEMENT.template(negotiated) % (),
        "null" if record.icmp is None else json.dumps(record.as_json()["icmp"]),
        f"[{', '.join(map(_finding, findings))}]" if findings else "[]",
        "null" if diagnosis is None else _diagnosis(diagnosis),
    )


def _number(value: float | None) -> str:
    """Return a number as `json.dumps` writes it: a float as `repr` does."""
    return "null" if value is None else repr(value)


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring_ascii(value)


def _end(end: EndRecord) -> str:
    return _END.template(end) % (
        _text(end.address),
        end.port,
        _number(end.iss),
        end.segments,
        end.bytes,
        _number(end.ttl),
    )


def _finding(finding: Finding) -> str:
    key = finding.family, finding.code, finding.variant, *_typed(finding.values)
    return _said(key, finding, "frame") % _number(finding.frame)


def _diagnosis(diagnosis: Diagnosis) -> str:
    if diagnosis.ruled_out:
        return json.dumps(diagnosis.as_json())
    key = diagnosis.code, diagnosis.certainty, *_typed(diagnosis.values)
    return _said(key, diagnosis, "evidence") % json.dumps(diagnosis.evidence)


def _typed(values: Mapping[str, object]) -> tuple[object, ...]:
    """Return values, and their types: 1, 1.0 and True are equal, but not written alike."""
    return *values.items(), *map(type, values.values())


def _said(key: tuple[object, ...], value: Finding | Diagnosis, own: str) -> str:
    """Return what is said of a connection with a `%s` for its frames; `key` is all else it has."""
    try:
        found = _SENTENCES.get(key)
    except TypeError:  # a list among its values
        found, key = None, ()
    if found is None:
        members = (
            f'"{name}": ' + ("%s" if name == own else json.dumps(each).replace("%", "%%"))
            for name, each in value.as_json().items()
        )
        found = f"{{{', '.join(members)}}}"
        if len(_SENTENCES) >= _MOST:
            _SENTENCES.clear()
        if key:
            _SENTENCES[key] = found
    return found
