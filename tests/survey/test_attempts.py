"""Attempts: the tracker takes one of each kind, and the records of all are what it would make."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handshake.capture.open import read
from handshake.diagnosis import Others
from handshake.packet.decode import Decoder
from handshake.survey.group.flow_table import FlowTable
from handshake.tracker import PairTracker
from handshake.units import ACK_BIT, NS_PER_SECOND, RST_BIT, SYN_BIT
from tests.survey.engines import by_survey, by_tracker
from tests.survey.talk import Talk
from tests.survey.test_runs import kinds
from tests.survey.test_same import MISHAPS, save

if TYPE_CHECKING:
    from handshake.record import Record
    from handshake.tcp import Observed
    from tests.survey.test_same import Frames

ECN = 0xC0
FAILING = ("scan", "flood", "half-open")


def made(kind: str, count: int, dice: Random) -> Frames:
    return list(kinds().KINDS[kind](count, dice, kinds().Truths()))


def test_each_kind_is_tracked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fed = []
    feed = PairTracker.feed

    def counted(self: PairTracker, observed: Observed) -> object:
        fed.append(observed)
        return feed(self, observed)

    monkeypatch.setattr(PairTracker, "feed", counted)
    frames = [each for kind in FAILING for each in made(kind, 100, Random(1))]
    found = by_survey(save(tmp_path / "made.pcap", sorted(frames), 96))
    assert len(found) == 50 + 100 + 50
    assert len(fed) == 2 + 1 + 2


def with_others(path: Path, *, columns_from: int) -> list[Record]:
    flows = FlowTable(Decoder(), others=Others(), columns_from=columns_from)
    found = [record for record, _ in flows.records(read(path))]
    return sorted(found, key=lambda each: each.stream)


@pytest.mark.parametrize("kind", FAILING)
def test_what_other_connections_show_is_in_the_diagnosis(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "made.pcap"
    kinds().write(path, kind, 300)
    quick, tracked = with_others(path, columns_from=0), with_others(path, columns_from=1 << 40)
    assert quick == tracked
    assert all(each.diagnosis is not None for each in quick)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from(MISHAPS), min_size=1, max_size=9),
    st.sampled_from((54, 60, 66, 96)),
)
def test_whatever_happens_to_attempts(dice: Random, mishaps: list[Any], snap: int) -> None:
    frames = sorted(each for kind in FAILING for each in made(kind, 4, dice))
    for mishap in mishaps:
        mishap(dice, frames)
        frames.sort(key=lambda each: each[0])
    with TemporaryDirectory() as directory:
        path = save(Path(directory) / "made.pcap", frames, snap)
        assert by_survey(path) == by_tracker(path)


WAITS = (0.02, 0.5, 1, 1, 1, 2, 2, 3, 4, 4.999, 5, 6, 12, 59, 60, 61)
"""Seconds until a SYN is sent again, around those that a rule asks for."""


def asked_again(dice: Random, port: int, at: int) -> Talk:
    talk = Talk(dice, port=port, at=at, six=dice.random() < 0.2, stamped=dice.random() < 0.5)
    client = talk.sides[0]
    client.scale = dice.choice((None, 7))
    # As Windows leaves out options, and others ECN, when they try again.
    less, ecn = dice.choice((1, 2, 9)), dice.choice((0, ECN))
    for turn in range(dice.randrange(1, 10)):
        most = turn < less
        client.clock = (client.clock + dice.choice((0, 1000))) & 0xFFFFFFFF
        client.ttl -= dice.random() < 0.05
        client.isn += dice.random() < 0.05
        stamps = struct.pack("!BBII", 8, 10, client.clock, 0) + b"\1\1" if talk.stamped else b""
        more = b"\1\3\3\7" if most else b""
        options = b"\x02\x04\x05\xb4" + more + stamps
        talk.send(0, 0, SYN_BIT | (ecn if most else 0), options=options)
        talk.at += round(dice.choice(WAITS) * NS_PER_SECOND)
    if dice.random() < 0.1:
        talk.send(1, 0, RST_BIT | ACK_BIT, ack=client.isn + 1, options=b"")
    return talk


@pytest.mark.parametrize("seed", range(8))
def test_syns_that_were_sent_again(tmp_path: Path, seed: int) -> None:
    dice, whole = Random(seed), Talk(Random(seed))
    for port in range(1, 150):
        at = 1_700_000_000 * NS_PER_SECOND + dice.randrange(100 * NS_PER_SECOND)
        whole.frames += asked_again(dice, port, at).frames
    whole.frames.sort()
    path = whole.save(tmp_path / "made.pcap")
    assert by_survey(path) == by_tracker(path)
    assert with_others(path, columns_from=0) == with_others(path, columns_from=1 << 40)
