"""How a sentence writes its values."""

import contextlib
import pickle
from dataclasses import replace

import pytest

from handshake import messages
from handshake.events import Role
from handshake.messages import Message


@pytest.mark.parametrize(
    ("sentence", "values", "expected"),
    [
        ("TTL {ttl}", {"ttl": 64}, "TTL 64"),
        ("after {rtt:time}", {"rtt": 0.0284}, "after 28.4 ms"),
        ("after {rtt:time}", {"rtt": 0.9999}, "after 1 s"),
        ("after {idle:time}", {"idle": 3600.4}, "after 3600 s"),
        ("{count:octets}", {"count": 1}, "1 octet"),
        ("{count:octets}", {"count": 0}, "0 octets"),
        ("{count:n,SYN}", {"count": 3}, "3 SYNs"),
        ("{count:n,copy,copies}", {"count": 2}, "2 copies"),
        ("with {ttls:and}", {"ttls": [1]}, "with 1"),
        ("down{names:?: {names:and}|}", {"names": []}, "down"),
        ("with {ttls:and}", {"ttls": [1, 2]}, "with 1 and 2"),
        ("with {ttls:or}", {"ttls": [1, 2, 3]}, "with 1, 2 or 3"),
        ("a cookie of {cookie:octets}", {"cookie": b"12345678"}, "a cookie of 8 octets"),
        ("{bits:rate}", {"bits": 999}, "999 bit/s"),
        ("{bits:rate}", {"bits": 26214000.0}, "26.2 Mbit/s"),
        (
            "{problems:list}",
            {"problems": ["no END", "length 1, must be 2"]},
            "no END; length 1, must be 2",
        ),
        ("the {by} and the {by.other}", {"by": Role.SERVER}, "the server and the client"),
        ("done{more:?, {more:octets} left|}", {"more": 7}, "done, 7 octets left"),
        ("done{more:?, {more:octets} left|}", {"more": 0}, "done"),
        ("{rtt:?after {rtt:time}|at once}", {"rtt": None}, "at once"),
        ("{a:?{b:?both|only a}|none}", {"a": True, "b": True}, "both"),
        ("{a:?{b:?both|only a}|none}", {"a": True, "b": False}, "only a"),
        ("{a:?{b:?both|only a}|none}", {"a": False}, "none"),
        ("{one:?it|them}", {"one": False}, "them"),
        ("{name:quoted}", {"name": "a\x1b"}, r"'a\x1b'"),
        ("{share:.0%}", {"share": 0.25}, "25%"),
    ],
)
def test_a_value_is_written_in_its_format(
    sentence: str, values: dict[str, object], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "table", lambda *_: {"code": sentence})
    assert messages.text("findings", "code", values) == expected


def test_a_variant_stands_behind_a_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "table", lambda *_: {"code.late": "late by {n}"})
    assert messages.text("findings", "code", {"n": 2}, variant="late") == "late by 2"


def test_a_message_is_its_sentence_and_equal_by_its_values() -> None:
    message = Message("reasons", "outcome.refused", {"count": 5})
    assert str(message) == messages.text("reasons", "outcome.refused", {"count": 5})
    assert pickle.loads(pickle.dumps(message)) == message
    assert hash(message) == hash(replace(message, values={}))
    assert message != replace(message, values={"count": 6})


def test_what_was_loaded_is_not_read_again() -> None:
    messages.load()
    read = messages.table.cache_info().misses
    for family in messages.FAMILIES:
        for code in messages.table(family, messages.ENGLISH):
            with contextlib.suppress(KeyError):
                messages.text(family, code, {})
    assert messages.table.cache_info().misses == read


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        messages.text("findings", "no such code", {})
