"""Records in order: by one key or several, the unknown last."""

from __future__ import annotations

from dataclasses import replace

import pytest

from handshake.errors import UsageError
from handshake.query.keys import COLUMNS, KEYS
from handshake.query.order import order
from tests.query.made import CLIENT, OPENING, record

SOME = [
    record(
        stream=at,
        client=replace(CLIENT, address=address),
        handshake=replace(OPENING, rtt=rtt),
        closed=closed,
    )
    for at, (address, rtt, closed) in enumerate(
        [
            ("10.0.0.9", 0.2, "fin"),
            ("10.0.0.10", None, None),
            ("2001:db8::1", 0.1, "fin"),
            ("10.0.0.9", 0.3, None),
        ]
    )
]


@pytest.mark.parametrize(
    ("keys", "streams"),
    [
        ("stream", [0, 1, 2, 3]),
        ("-stream", [3, 2, 1, 0]),
        ("handshake.rtt", [2, 0, 3, 1]),
        ("-handshake.rtt", [3, 0, 2, 1]),
        ("client.address", [0, 3, 1, 2]),
        ("-client.address", [2, 1, 0, 3]),
        ("closed,-handshake.rtt", [0, 2, 3, 1]),
        (" client.address , -stream", [3, 0, 1, 2]),
        ("rtt", [2, 0, 3, 1]),
        ("-#", [3, 2, 1, 0]),
        ("client", [0, 3, 1, 2]),
        ("outcome", [0, 1, 2, 3]),
        ("-outcome", [0, 1, 2, 3]),
    ],
)
def test_orders(keys: str, streams: list[int]) -> None:
    assert [each.stream for each in order(keys)(SOME)] == streams


@pytest.mark.parametrize("name", KEYS)
def test_every_key_gives_an_order(name: str) -> None:
    assert sorted(each.stream for each in order(f"-{name}")(SOME)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("keys", "place", "similar"),
    [
        ("", "--sort ''", []),
        ("initial_rtt", "--sort 'initial_rtt'", ["handshake.initial_rtt"]),
        ("stream,--rtt", "--sort '-rtt'", ["rtt"]),
    ],
)
def test_an_unknown_key_names_those_near_it(keys: str, place: str, similar: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        order(keys)
    error = caught.value
    assert (error.place, error.code, error.values) == (
        place,
        "unknown-key",
        {"similar": similar, "keys": COLUMNS},
    )
