"""How a sentence writes its values."""

import pytest

from handshake import messages


@pytest.mark.parametrize(
    ("sentence", "values", "expected"),
    [
        ("TTL {ttl}", {"ttl": 64}, "TTL 64"),
        ("after {rtt:time}", {"rtt": 0.0284}, "after 28.4 ms"),
        ("after {rtt:time}", {"rtt": 0.9999}, "after 1 s"),
        ("{count:octets}", {"count": 1}, "1 octet"),
        ("{count:octets}", {"count": 0}, "0 octets"),
        ("{count:n,SYN}", {"count": 3}, "3 SYNs"),
        ("{count:n,copy,copies}", {"count": 2}, "2 copies"),
        ("with {ttls:and}", {"ttls": [1]}, "with 1"),
        ("down{names:?: {names:and}|}", {"names": []}, "down"),
        ("with {ttls:and}", {"ttls": [1, 2]}, "with 1 and 2"),
        ("with {ttls:or}", {"ttls": [1, 2, 3]}, "with 1, 2 or 3"),
        ("done{more:?, {more:octets} left|}", {"more": 7}, "done, 7 octets left"),
        ("done{more:?, {more:octets} left|}", {"more": 0}, "done"),
        ("{one:?it|them}", {"one": False}, "them"),
        ("{share:.0%}", {"share": 0.25}, "25%"),
    ],
)
def test_a_value_is_written_as_its_format_says(
    sentence: str, values: dict[str, object], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "table", lambda *_: {"code": sentence})
    assert messages.text("findings", "code", values) == expected


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        messages.text("findings", "no such code", {})
