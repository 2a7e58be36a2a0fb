"""Copies of values that do not change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handshake.record import HandshakeRecord
from handshake.tcp import ControlBlock, State
from handshake.tcp.copy import changed, copier
from tests.segments import A, B, segment

SYN = segment("<SEQ=100><CTL=SYN>")


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        (ControlBlock(A), {"remote": B, "state": State.LISTEN}),
        (ControlBlock(A).sent(SYN), {}),
        (SYN, {"window": 7}),
        (
            HandshakeRecord(None, None, None, 0, 0, simultaneous=False, fast_open=False),
            {"rtt": 0.5},
        ),
    ],
)
def test_a_copy_is_what_replace_makes(value: object, fields: dict[str, object]) -> None:
    before = repr(value)
    copy = changed(value, **fields)
    assert copy == replace(value, **fields)  # type: ignore[type-var]
    assert copy is not value
    assert repr(value) == before


def test_a_copier_takes_values_by_place() -> None:
    block = ControlBlock(A).sent(SYN)
    of_b = copier(ControlBlock, "remote", "state")
    assert of_b(block, B, State.CLOSED) == changed(block, state=State.CLOSED, remote=B)


def test_what_follows_from_a_segment_follows_from_its_copy() -> None:
    copy = changed(SYN, flags=SYN.flags | 1, payload=b"abc", payload_length=3)
    assert (copy.syn, copy.fin, copy.length, int(copy.end)) == (True, True, 5, 105)


def test_no_field_is_misspelt() -> None:
    with pytest.raises(TypeError):
        changed(SYN, sequence=1)
