"""What a receiver holds ahead of the next number, whatever the order in which data comes."""

from __future__ import annotations

from random import Random

import pytest

from handshake.tcp import ReceiveSpace, Seq
from tests.segments import segment

START = (0, 1, 2**31 - 300, 2**32 - 300)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_held_is_what_came_ahead(seed: int) -> None:
    dice = Random(seed)
    start = dice.choice(START)
    space, came = ReceiveSpace(nxt=Seq(start)), set[int]()
    for _ in range(60):
        first, length = dice.randrange(600), dice.choice((1, 1, 5, 40))
        seq = (start + first) % 2**32
        space = space.take(segment(f"<SEQ={seq}><ACK=1><DATA={length}><CTL=ACK>"))
        came.update(range(first, first + length))
        nxt = next(each for each in range(1000) if each not in came)
        begins = [each for each in sorted(came) if each > nxt and each - 1 not in came]
        ends = [each + 1 for each in sorted(came) if each > nxt and each + 1 not in came]
        held = [(begin + start, end + start) for begin, end in zip(begins, ends, strict=True)]
        assert space.nxt == Seq(nxt + start)
        assert space.held == tuple((Seq(begin), Seq(end)) for begin, end in held[:64])
