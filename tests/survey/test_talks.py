"""Long connections: runs leave what segments one by one leave, whatever happens in between."""

from __future__ import annotations

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handshake.events import Role
from handshake.survey.group.flow_table import MOST_KEPT
from handshake.units import MODULUS, NS_PER_SECOND
from tests.survey.engines import shown_in_runs, shown_step_by_step
from tests.survey.talk import SNAPS, Talk
from tests.survey.troubles import TROUBLES

if TYPE_CHECKING:
    from collections.abc import Callable


def opened() -> Talk:
    talk = Talk(Random(1))
    talk.open()
    talk.flow(10)
    return talk


def assert_same(talk: Talk, directory: Path, most_kept: int = MOST_KEPT) -> None:
    path = talk.save(directory / "made.pcap")
    assert shown_in_runs(path, most_kept) == shown_step_by_step(path)


def test_zeek_forgets_a_connection_of_which_only_cut_headers_were_captured(tmp_path: Path) -> None:
    talk = opened()
    talk.snap = 58
    for _ in range(5):
        talk.at += 55 * NS_PER_SECOND
        talk.send(0)
    # Zeek ignores them all: its timeout of 300 s ends within the next pause.
    talk.snap, talk.at = 2000, talk.at + 50 * NS_PER_SECOND
    talk.flow(20)
    assert_same(talk, tmp_path)
    _, rows = shown_in_runs(talk.save(tmp_path / "made.pcap"))
    assert len(rows) == 2


def test_a_packet_before_a_run_may_have_another_numbering(tmp_path: Path) -> None:
    talk = opened()
    talk.sides[0].numbers, talk.fill = "constant", b"x"
    for _ in range(3):
        talk.send(0, 100, ahead=-(17 << 20))
        for _ in range(5):
            talk.send(0, 100)
            talk.sides[0].nxt += 100
        talk.hear(1)
        talk.send(1)
    assert_same(talk, tmp_path)
    records, _ = shown_in_runs(talk.save(tmp_path / "made.pcap"))
    found = {each.code: each.values for each in records[0].findings}
    # Each packet of old numbers differs from the one before and from the one after it.
    assert found["numbers-rewritten"] == {"by": Role.CLIENT, "count": 5}


def test_the_timestamp_of_a_damaged_segment_is_not_taken(tmp_path: Path) -> None:
    talk = opened()
    talk.hear(0)
    client = talk.sides[0]
    client.checksums, client.clock = "wrong", client.clock + (1 << 28)
    talk.send(0)
    client.checksums, client.clock = "right", client.clock - (1 << 28)
    talk.flow(20)
    talk.close()
    assert_same(talk, tmp_path)
    records, _ = shown_in_runs(talk.save(tmp_path / "made.pcap"))
    # With that timestamp all that follows would be too old, and the FINs, too.
    assert records[0].closed == "fin"


def test_other_data_is_no_copy_wherever_it_differs(tmp_path: Path) -> None:
    talk = opened()
    talk.sides[1].numbers = "zero"
    for last in (b"a", b"b"):
        talk.fill, at = b"x" * 99 + last, talk.at
        talk.send(1, 100)
        talk.at = at + 1_000
    talk.sides[1].nxt += 100
    assert_same(talk, tmp_path)
    records, _ = shown_in_runs(talk.save(tmp_path / "made.pcap"))
    assert (records[0].server.copies, records[0].server.resent) == (0, 1)


def test_acknowledgments_of_zeek_pass_the_middle_of_the_numbers_one_by_one(tmp_path: Path) -> None:
    talk = Talk(Random(1), snap=96)
    server = talk.sides[1]
    server.isn = MODULUS // 2 - 9_000
    talk.open()
    talk.flow(10)
    talk.hear(0)
    # What it sends has passed 2**32, and what is acknowledged of it is not 2**31 from its SYN.
    server.nxt = MODULUS - 12_000 - server.isn
    talk.go_on(1, 100)
    talk.hear(0)
    talk.send(0)
    for _ in range(10):
        talk.go_on(1, 1448)
    for left in range(9, -1, -1):
        talk.hear(0, 1448 * left)
        talk.send(0)
    assert_same(talk, tmp_path)


def test_a_gap_is_not_filled_by_the_same_numbers_4_gib_later(tmp_path: Path) -> None:
    talk = opened()
    talk.hear(0)
    talk.send(0)
    server = talk.sides[1]
    talk.send(0, ack=server.isn + server.nxt + 5_000)
    gap, server.nxt = server.nxt, server.nxt + 5_000
    for there in (1 << 30, 2 << 30, 3 << 30, MODULUS - 1_000):
        server.nxt = gap + there
        for _ in range(8):
            talk.go_on(1, 1_000)
            talk.hear(0)
            talk.send(0)
    assert_same(talk, tmp_path)
    records, _ = shown_in_runs(talk.save(tmp_path / "made.pcap"))
    found = {each.code: each.values for each in records[0].findings}
    assert found["capture-gap"] == {"count": 5_000}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(TROUBLES), min_size=1, max_size=10),
    st.sampled_from(SNAPS),
    st.sampled_from(("syn", "middle", "cookie", "late", "ecn")),
    st.booleans(),
    st.booleans(),
)
def test_whatever_happens_in_a_long_connection(
    seed: int,
    troubles: list[Callable[[Talk, int], None]],
    snap: int,
    begin: str,
    six: bool,
    stamped: bool,
) -> None:
    dice = Random(seed)
    talk = Talk(dice, six=six, stamped=stamped, snap=snap, port=dice.choice((22, 80, 9999, 50_000)))
    match begin:
        case "syn":
            talk.open()
        case "cookie":
            talk.open(cookie=bytes(8))
        case "late":
            talk.open(syns=3)
        case "ecn":
            talk.open(flags=0xC0)
    talk.flow(dice.randrange(20))
    for trouble in troubles:
        trouble(talk, dice.randrange(2))
        talk.flow(dice.randrange(15))
    if dice.random() < 0.5:
        talk.close()
    with TemporaryDirectory() as directory:
        assert_same(talk, Path(directory), dice.choice((MOST_KEPT, 5_000)))
