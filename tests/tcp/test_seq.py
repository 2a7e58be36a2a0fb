"""Sequence numbers over the whole circle."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from handshake.tcp import Seq

numbers = st.one_of(
    st.integers(0, 2**32 - 1),
    st.integers(0, 3),
    st.integers(2**31 - 2, 2**31 + 2),
    st.integers(2**32 - 3, 2**32 - 1),
)
steps = st.integers(1, 2**31 - 1)


@given(numbers, steps)
def test_what_follows_is_greater_wherever_the_circle_begins(start: int, step: int) -> None:
    low, high = Seq(start), Seq(start) + step
    assert low < high
    assert low <= high
    assert high > low
    assert high >= low
    assert not high < low
    assert high - low == step
    assert low - high == -step
    assert high - step == low


@given(numbers)
def test_a_number_is_itself(value: int) -> None:
    seq = Seq(value)
    assert seq == Seq(value + 2**32)
    assert hash(seq) == hash(Seq(value + 2**32))
    assert int(seq) == value
    assert not seq < Seq(value)
    assert seq <= Seq(value)
    assert seq != value
    assert (str(seq), repr(seq), f"{seq:08x}") == (str(value), f"Seq({value})", f"{value:08x}")


@given(numbers)
def test_half_the_circle_away_is_in_no_order(value: int) -> None:
    here, there = Seq(value), Seq(value) + 2**31
    assert not here < there
    assert not there < here
    assert not here <= there
