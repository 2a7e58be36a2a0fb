"""Short connections with pauses, keep-alives, repeated ACKs, and every way to end: by shapes."""

from __future__ import annotations

import struct
from random import Random
from typing import TYPE_CHECKING

import pytest

from handshake.units import ACK_BIT, FIN_BIT, MASK, NS_PER_SECOND, PSH_BIT, RST_BIT
from tests.survey.engines import by_survey, by_tracker
from tests.survey.talk import SUMS, Talk

if TYPE_CHECKING:
    from pathlib import Path

PAUSES = (1, 50, 99, 101, 199, 201, 900, 4_900, 5_100, 20_000, 59_900, 60_100, 299_000, 301_000)
"""Milliseconds, around those that a rule asks for."""


def paused(talk: Talk, least: int = 0) -> None:
    talk.at += talk.dice.choice([each for each in PAUSES if each > least]) * NS_PER_SECOND // 1000


def kept_alive(talk: Talk) -> None:
    """An octet that was acknowledged comes again, and is acknowledged again."""
    dice, me = talk.dice, talk.dice.randrange(2)
    mine = talk.sides[me]
    paused(talk, dice.choice((0, 200)))
    flags = ACK_BIT | PSH_BIT * (dice.random() < 0.1)
    talk.send(me, dice.choice((1, 1, 1, 1, 0)), flags, ahead=-1)
    if dice.random() < 0.9:
        edges = ((mine.isn + mine.nxt - 1) & MASK, (mine.isn + mine.nxt) & MASK)
        block = struct.pack("!BBBBII", 1, 1, 5, 10, *edges)
        window = {} if dice.random() < 0.9 else {"window": 9001}
        reports = not talk.stamped and dice.random() < 0.5
        talk.send(1 - me, options=block if reports else None, **window)


def acked_again(talk: Talk) -> None:
    me, dice = talk.dice.randrange(2), talk.dice
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        if dice.random() < 0.5:
            talk.sides[me].window = dice.choice((64240, 64241, 9000, 0))
        if dice.random() < 0.3:
            paused(talk)
        talk.send(me)


def exchanged(talk: Talk) -> None:
    me, dice = talk.dice.randrange(2), talk.dice
    for _ in range(dice.choice((1, 2))):
        talk.go_on(me, dice.choice((1, 100, 1448)))
    talk.hear(1 - me)
    if dice.random() < 0.9:
        talk.send(1 - me)


def ended(talk: Talk) -> None:
    dice, me = talk.dice, talk.dice.randrange(2)
    mine, other = talk.sides[me], talk.sides[1 - me]
    how = dice.choice(("open", "close", "cross", "cross", "reset", "bare", "fin-reset"))
    if how == "close":
        talk.close()
    elif how == "cross":
        for end in (me, 1 - me):
            talk.send(end, dice.choice((0, 0, 100)), FIN_BIT | ACK_BIT)
        mine.nxt, other.nxt = mine.nxt + 1, other.nxt + 1
        for end in (me, 1 - me):
            talk.hear(end)
            if dice.random() < 0.9:
                talk.send(end)
    elif how in ("reset", "bare", "fin-reset"):
        if how == "fin-reset":
            talk.send(1 - me, 0, FIN_BIT | ACK_BIT)
        bits = RST_BIT | ACK_BIT * (how == "reset")
        ack = {} if how == "reset" else {"ack": dice.choice((0, mine.acked))}
        talk.send(me, 0, bits, options=b"", window=0, **ack)


def talked(dice: Random, port: int, at: int) -> Talk:
    talk = Talk(dice, port=port, at=at, six=dice.random() < 0.2, stamped=dice.random() < 0.4)
    talk.fill = b"x" if dice.random() < 0.5 else b""
    if dice.random() < 0.2:
        talk.sides[dice.randrange(2)].checksums = dice.choice(SUMS)
    if dice.random() < 0.9:
        talk.open()
    deeds = (exchanged, exchanged, kept_alive, acked_again, paused)
    for _ in range(dice.randrange(6)):
        dice.choice(deeds)(talk)
    ended(talk)
    return talk


@pytest.mark.parametrize("seed", range(12))
def test_records_by_shapes_are_those_of_the_tracker(tmp_path: Path, seed: int) -> None:
    dice, whole = Random(seed), Talk(Random(seed))
    for port in range(1, 150):
        at = 1_700_000_000 * NS_PER_SECOND + dice.randrange(NS_PER_SECOND)
        whole.frames += talked(dice, port, at).frames
    whole.frames.sort()
    path = whole.save(tmp_path / "made.pcap")
    assert by_survey(path) == by_tracker(path)
