"""Totals of many connections at once are those of their records."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap

from handshake.capture import pcap
from handshake.query.count import totals
from handshake.query.totals import Totals
from handshake.survey import records
from handshake.survey.alike.rows import RecordRows
from tests.survey.engines import by_survey, by_tracker
from tests.survey.made import save as save_packets
from tests.survey.test_attempts import FAILING, asked_again, with_others
from tests.survey.test_nat_sides import translated
from tests.survey.test_runs import kinds
from tests.survey.test_same import MISHAPS, save

if TYPE_CHECKING:
    from handshake.record import Record


@pytest.fixture(autouse=True, params=[True, False], ids=["in columns", "as usual"])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(pcap, "MUCH", 0)


CAPTURES = sorted(Path("captures").glob("*.pcap*"))


def assert_same(path: Path, **options: Any) -> None:
    quick = totals(records(path, **options)).as_json()
    assert quick == Totals(records(path, **options)).as_json()


@pytest.mark.parametrize("path", CAPTURES, ids=str)
def test_our_captures(path: Path) -> None:
    assert_same(path)


@pytest.mark.parametrize("kind", list(kinds().KINDS))
def test_every_kind(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "made.pcap"
    kinds().write(path, kind, 3000)
    assert_same(path)


@pytest.mark.parametrize("seed", range(6))
def test_kinds_in_which_something_happens(tmp_path: Path, seed: int) -> None:
    dice, frames = Random(seed), []
    for kind in (*FAILING, "short", "clean"):
        frames += list(kinds().KINDS[kind](700, dice, kinds().Truths()))
    for mishap in MISHAPS * 40:
        mishap(dice, frames)
    frames.sort(key=lambda each: each[0])
    assert_same(save(tmp_path / "made.pcap", frames, 96))


def on_one_host(frame: bytes) -> bytes:
    """Return it as from a host to itself."""
    whole = Ether(frame)
    whole[IP].src = whole[IP].dst = "10.0.0.9"
    del whole[IP].chksum, whole[TCP].chksum
    return bytes(whole)


CHANGES = {
    "zeroed": kinds().zeroed,
    "partial": kinds().partial,
    "damaged": kinds().damaged,
    "on one host": on_one_host,
}


@pytest.mark.parametrize("kind", FAILING)
@pytest.mark.parametrize("change", CHANGES)
def test_attempts_of_other_captures(tmp_path: Path, kind: str, change: str) -> None:
    made = kinds().KINDS[kind](400, Random(1), kinds().Truths())
    frames = [(at, CHANGES[change](frame)) for at, frame in made]
    path = save(tmp_path / "made.pcap", frames, 96)
    assert_same(path)
    assert by_survey(path) == by_tracker(path)
    assert with_others(path, columns_from=0) == with_others(path, columns_from=1 << 40)


def with_one_number(frame: bytes) -> bytes:
    """Return it as of a scanner that has one port and one ISN, or as what answers it."""
    whole = Ether(frame)
    if whole[TCP].flags == "S":
        whole[TCP].sport, whole[TCP].seq = 40000, 7
    else:
        whole[TCP].dport, whole[TCP].ack = 40000, 8
    del whole[TCP].chksum
    return bytes(whole)


@pytest.mark.parametrize("stray", [None, "SYN-ACK", "again"])
def test_a_scan_with_one_number(tmp_path: Path, stray: str | None) -> None:
    made = list(kinds().KINDS["scan"](1600, Random(1), kinds().Truths()))
    frames = [(at, with_one_number(frame)) for at, frame in made]
    if stray == "again":
        # A SYN without an answer that a tracker follows.
        alone = Ether(frames[0][1])
        alone[TCP].dport = 65000
        del alone[TCP].chksum
        frames += [(frames[3][0], bytes(alone)), (frames[9][0], bytes(alone))]
    elif stray is not None:
        # Of another host, to the scanner's number.
        answer = Ether(frames[1][1])
        answer[IP].src, answer[TCP].flags, answer[TCP].seq = "10.77.0.9", "SA", 900
        del answer[IP].chksum, answer[TCP].chksum
        frames.append((frames[5][0], bytes(answer)))
    frames.sort(key=lambda each: each[0])
    path = save(tmp_path / "made.pcap", frames, 96)
    assert_same(path)
    assert with_others(path, columns_from=0) == with_others(path, columns_from=1 << 40)


@pytest.mark.parametrize("seed", range(3))
def test_syns_that_were_sent_again(tmp_path: Path, seed: int) -> None:
    dice = Random(seed)
    talks = [asked_again(dice, port, 1_700_000_000_000_000_000) for port in range(1, 600)]
    for each in talks[1:]:
        talks[0].frames += each.frames
    talks[0].frames.sort()
    assert_same(talks[0].save(tmp_path / "made.pcap"))


@pytest.mark.parametrize("kind", ["half-open", "short"])
@pytest.mark.parametrize("server", [False, True])
def test_both_sides_of_a_nat(tmp_path: Path, kind: str, server: bool) -> None:
    path = tmp_path / "made.pcap"
    kinds().write(path, kind, 3000)
    found = [(bytes(each), round(each.time * 10**9)) for each in rdpcap(str(path))]
    some = [each for each in found[:600] if len(each[0]) >= 54]
    both = sorted([*found, *translated(some, late=9_000, server=server)], key=lambda each: each[1])
    assert_same(save_packets(path, both))


@pytest.mark.parametrize("change", [None, *CHANGES])
def test_few_records_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str | None
) -> None:
    monkeypatch.setattr(pcap, "MUCH", 0)
    for kind in ("scan", "half-open", "short"):
        frames = kinds().KINDS[kind](2000, Random(1), kinds().Truths())
        if change is not None:
            frames = ((at, CHANGES[change](frame)) for at, frame in frames)
        path = save(tmp_path / "made.pcap", list(frames), 96)
        singly: list[Record] = []
        found = [each for each in records(path).counted(singly.append) if each is not None]
        assert all(isinstance(each, RecordRows) for each in found)
        assert sum(map(len, found)) > 100 * len(singly)


def test_files_in_processes_are_counted_alike(tmp_path: Path) -> None:
    for kind in (*FAILING, "short"):
        kinds().write(tmp_path / f"{kind}.pcap", kind, 4000)
    quick = totals(records(tmp_path, jobs=2)).as_json()
    assert quick == Totals(records(tmp_path)).as_json()
