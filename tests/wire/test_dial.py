from __future__ import annotations

from typing import Any

import pytest

from handshake.errors import UsageError
from handshake.wire.dial import Manner


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        ({"ttl": 0}, "a time to live is a number from 1 to 255, not 0"),
        ({"ttl": 256}, "a time to live is a number from 1 to 255, not 256"),
        ({"tos": -1}, "a type of service is a number from 0 to 255, not -1"),
        ({"source_port": 65536}, "a port is a number from 0 to 65535, not 65536"),
    ],
)
def test_a_number_that_has_no_room_in_its_field(manner: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Manner(**manner)


def test_the_largest_and_the_smallest_have() -> None:
    assert Manner(source_port=65535, ttl=1, tos=0).ttl == 1
    assert Manner(ttl=255, tos=255).source_port == 0
