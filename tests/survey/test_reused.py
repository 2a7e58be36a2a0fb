"""Socket pairs used again and again: each attempt has the record that the tracker makes."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from handshake.units import ACK_BIT, FIN_BIT, MASK, NS_PER_SECOND, RST_BIT, SYN_BIT
from tests.survey.engines import by_survey, by_tracker
from tests.survey.talk import Talk

USES = ("unanswered", "again", "refused", "half-open", "open", "data", "closed")
"""What becomes of one attempt."""

PAUSES = (0.0001, 0.01, 1, 30, 61, 119, 121, 400)
"""Seconds between two attempts, around those after which a connection is taken for ended."""

KEPT = [("open", 0.0001), ("unanswered", 121), ("unanswered", 0.0001)]
"""The server goes on to have the first connection, however long the client's attempts last."""


def use(talk: Talk, kind: str) -> None:
    """Let a client connect once more from the same port, with another number."""
    client, server = talk.sides
    for each in talk.sides:
        each.isn, each.nxt, each.acked = talk.dice.getrandbits(32), 0, 0
    client.heard = server.heard = 0
    syn = talk.dice.choice((b"", b"\x02\x04\x05\xb4"))
    if kind in ("open", "data", "closed"):
        talk.open()
    else:
        for _ in range(2 if kind == "again" else 1):
            talk.send(0, 0, SYN_BIT, options=syn)
            talk.at += NS_PER_SECOND * (kind == "again")
    acknowledged = (client.isn + 1) & MASK
    if kind == "refused":
        server.isn = 0
        talk.send(1, 0, RST_BIT | ACK_BIT, ack=acknowledged, options=b"")
    if kind == "half-open":
        talk.send(1, 0, SYN_BIT | ACK_BIT, ack=acknowledged, options=syn)
    if kind == "data":
        talk.flow(3)
    if kind == "closed":
        for me in (0, 1):
            talk.send(me, 0, ACK_BIT | FIN_BIT)
            talk.sides[me].nxt += 1
            talk.hear(1 - me)
        talk.send(0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 1 << 30),
    st.lists(
        st.lists(st.tuples(st.sampled_from(USES), st.sampled_from(PAUSES)), min_size=1, max_size=9),
        min_size=1,
        max_size=4,
    ),
)
@example(1, [*2 * [[("unanswered", 121), ("unanswered", 0.0001)]], KEPT])
def test_whatever_became_of_the_attempts_before(
    seed: int, pairs: list[list[tuple[str, float]]]
) -> None:
    # The numbers of two attempts must differ: a SYN sent again after minutes is another matter.
    dice = Random(seed)
    whole = Talk(dice)
    for port, attempts in enumerate(pairs, 1):
        talk = Talk(dice, port=port)
        for kind, pause in attempts:
            use(talk, kind)
            talk.at += round(pause * NS_PER_SECOND)
        whole.frames += talk.frames
    whole.frames.sort(key=lambda each: each[0])
    with TemporaryDirectory() as directory:
        path = whole.save(Path(directory) / "made.pcap")
        assert by_survey(path) == by_tracker(path)


@pytest.mark.parametrize("kind", USES)
def test_many_attempts_of_one_pair(tmp_path: Path, kind: str) -> None:
    talk = Talk(Random(1))
    for _ in range(200):
        use(talk, kind)
    path = talk.save(tmp_path / "made.pcap")
    found = by_survey(path)
    assert len(found) == 200
    assert found == by_tracker(path)
