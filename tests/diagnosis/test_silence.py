"""SYNs without an answer: what else the capture shows of the host decides what may be the cause."""

from __future__ import annotations

from tests.diagnosis.made import between, codes, down, found, later, only, up

SYNS = [up(at, "S", 100) for at in (0, 1, 3, 7)]
OPEN = [up(0, "S", 100), down(0.02, "SA", 900, 101), up(0.021, "A", 101, 901)]
OTHER_PORT = between(OPEN, server=("192.0.2.10", 443))
OTHER_CLIENT = between(OPEN, client=("10.0.0.1", 40001))
OTHER_HOST = between(OPEN, server=("192.0.2.11", 80))


def test_nothing_but_syns_tells_no_cause() -> None:
    diagnosis = only(SYNS)
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("no-answer", "possible")
    assert diagnosis.evidence == (1, 2, 3, 4)
    assert codes([*SYNS, *later(OTHER_HOST, 8)]) == ["no-answer", None]


def test_a_host_that_answers_on_another_port_is_not_down() -> None:
    for packets in ([*SYNS, *later(OTHER_PORT, 8)], [*OTHER_PORT, *later(SYNS, 1)]):
        (diagnosis,) = [each.diagnosis for each in found(packets) if each.diagnosis]
        assert (diagnosis.code, diagnosis.certainty) == ("silent-filter", "likely")
        assert [each.code for each in diagnosis.ruled_out] == ["host-down"]


def test_a_port_that_answers_others_is_not_filtered_for_all() -> None:
    assert codes([*SYNS, *later(OTHER_CLIENT, 8)]) == ["unanswered-by-listener", None]


def test_an_answer_of_long_ago_does_not_show_that_the_host_is_up() -> None:
    assert codes([*OTHER_PORT, *later(SYNS, 1000)]) == [None, "no-answer"]


def test_a_port_that_refused_another_client_is_not_filtered_for_all() -> None:
    refused = [OTHER_CLIENT[0], down(0.02, "RA", 0, 101, client=("10.0.0.1", 40001))]
    told = [each.diagnosis for each in found([*refused, *later(SYNS, 1)])]
    assert told[1] is not None
    assert (told[1].code, told[1].certainty) == ("no-answer", "possible")
    assert [each.code for each in told[1].ruled_out] == ["host-down"]
    assert told[1].values["up"]


def test_a_listener_that_answers_some_and_not_others() -> None:
    stuck = [
        each
        for number in range(3)
        for each in between(later(SYNS, 1 + number), client=("10.0.0.1", 41000 + number))
    ]
    told = codes([*OTHER_CLIENT, *stuck, *later(between(OPEN, client=("10.0.0.1", 40002)), 20)])
    assert told == [None, *["listener-overloaded"] * 3, None]
