"""Work in processes: results in order, processes that die, and nothing that stays behind."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from handshake.survey.read.reading import Reading
from handshake.survey.spread.workers import Died, Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.capture.open import Watch


def squares(thing: int, watch: Watch) -> Iterator[object]:
    watch(0, 0)
    for each in range(thing):
        yield each * each
    watch(thing * 10, thing)


def results(workers: Workers) -> list[tuple[int, object]]:
    return list(workers.results(Reading().of, lambda: True))


def children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


@pytest.fixture(autouse=True)
def _no_process_stays() -> Iterator[None]:
    before = children()
    yield
    assert children() == before


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_the_things(jobs: int) -> None:
    things = 700
    wanted = [(thing, each * each) for thing in range(things) for each in range(thing)]
    workers = Workers(squares, things, jobs, may_repeat=lambda _: True)
    reading = Reading()
    assert list(workers.results(reading.of, lambda: True)) == wanted
    assert workers.ended == things
    assert reading.packets * 10 == reading.octets == 10 * sum(range(things))


@pytest.mark.parametrize("repeat", [True, False])
def test_a_process_that_dies_is_said_and_its_work_done_again(repeat: bool, tmp_path: Path) -> None:
    def work(thing: int, watch: Watch) -> Iterator[object]:
        for each in range(1000):
            if (thing, each) == (1, 700) and not (tmp_path / "died").exists():
                watch(0, 0)  # sends what there is
                (tmp_path / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield each

    found = results(Workers(work, 3, 2, may_repeat=lambda _: repeat))
    assert [each for each in found if isinstance(each[1], Died)] == [(1, Died("SIGKILL", repeat))]
    rest = [each for each in found if not isinstance(each[1], Died)]
    done = (1000, 1000 if repeat else 700, 1000)
    assert rest == [(thing, each) for thing, count in enumerate(done) for each in range(count)]


def test_work_that_kills_twice_is_left() -> None:
    def work(thing: int, _: Watch) -> Iterator[object]:
        yield "begun"
        if thing == 0:
            os.kill(os.getpid(), signal.SIGTERM)

    found = results(Workers(work, 2, 1, may_repeat=lambda _: True))
    assert found == [(0, Died("SIGTERM", True)), (0, Died("SIGTERM", False)), (1, "begun")]


def test_an_error_is_that_of_the_work() -> None:
    def work(thing: int, _: Watch) -> Iterator[object]:
        yield thing
        raise LookupError("no such thing")

    found = Workers(work, 2, 1, may_repeat=lambda _: True).results(Reading().of, lambda: True)
    assert next(found) == (0, 0)
    with pytest.raises(LookupError, match="no such thing"):
        next(found)


def test_later_results_wait_without_filling_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handshake.survey.spread.workers._MOST_HELD", 100_000)

    def work(thing: int, watch: Watch) -> Iterator[object]:
        if thing == 0:
            time.sleep(0.5)
        for at in range(300):
            yield bytes(1000) + bytes([thing, at % 256])
            watch(at, at)

    workers, most = Workers(work, 4, 2, may_repeat=lambda _: True), 0

    def go_on() -> bool:
        nonlocal most
        most = max(most, workers._held)
        return True

    found = list(workers.results(Reading().of, go_on))
    assert [each[0] for each in found] == sorted(each[0] for each in found)
    assert len(found) == 4 * 300
    assert 100_000 < most < 100_000 + 2 * (1 << 18)


def test_what_is_complete_is_returned_where_work_is_stopped(tmp_path: Path) -> None:
    def work(thing: int, watch: Watch) -> Iterator[object]:
        yield thing
        watch(0, 0)
        if thing == 1:
            (tmp_path / "waits").touch()
            time.sleep(60)

    workers = Workers(work, 4, 2, may_repeat=lambda _: True)
    found = list(
        workers.results(
            Reading().of, lambda: workers.ended < 3 or not (tmp_path / "waits").exists()
        )
    )
    assert found == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert workers.ended == 3


def test_a_reader_that_has_enough_ends_all_processes() -> None:
    found = Workers(squares, 100, 3, may_repeat=lambda _: True).results(Reading().of, lambda: True)
    assert next(found) == (1, 0)
    found.close()  # type: ignore[attr-defined]
