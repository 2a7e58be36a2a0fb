"""A short run of the fuzzer of decode; a long one: python -m tests.crafter.fuzz 100000."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handshake.crafter.hex_text import packets
from handshake.errors import UsageError
from tests.crafter.fuzz import run


def test_a_short_run() -> None:
    outcomes = run(1500, seed=1)
    assert outcomes["decoded"] > 400
    assert outcomes["lines"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "\\x" + '"' * 5000,
        "\\x'" + "\\a" * 5000,
        "000000 00\n*\nffffffff 00",
        "0x" * 5001,
        "b'" + "(" * 5000,
    ],
)
def test_a_text_made_to_take_long_does_not(text: str) -> None:
    with pytest.raises(UsageError):
        packets(text)


@settings(max_examples=100)
@given(st.text(alphabet="0123456789abcdefx \n\\'\"{}*|:,", max_size=300))
def test_signs_that_mean_something_here(text: str) -> None:
    try:
        assert all(packets(text))
    except UsageError as error:
        assert error.code.startswith("decode.")  # noqa: PT017 - any of them
