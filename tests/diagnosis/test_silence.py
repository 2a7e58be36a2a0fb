"""SYNs without an answer: what else the capture shows of the host decides what may be the cause."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.diagnosis.made import Error, Packet, between, codes, down, found, later, only, up

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


SYN = up(0, "S", 100)
SYN_V6 = replace(SYN, client=("2001:db8::1", 40000), server=("2001:db8:1::10", 80))


def reported(kind: int, code: int, syn: Packet = SYN, **more: object) -> Error:
    """Return the ICMP error of a router, or of another `sender`."""
    sender = "192.0.2.254" if syn is SYN else "2001:db8::fe"
    return Error(0.01, kind, code, syn, str(more.get("sender", sender)))


@pytest.mark.parametrize(("error", "code", "certainty"), [
    (reported(3, 0), "no-route", "likely"),
    (reported(3, 6), "no-route", "likely"),
    (reported(1, 0, SYN_V6), "no-route", "likely"),
    (reported(3, 1), "host-down", "likely"),
    (reported(1, 3, SYN_V6), "host-down", "likely"),
    (reported(3, 13), "rejected-by-firewall", "likely"),
    (reported(3, 3), "rejected-by-firewall", "likely"),
    (reported(1, 1, SYN_V6), "rejected-by-firewall", "likely"),
    (reported(11, 0), "routing-loop", "possible"),
    (reported(3, 0, SYN_V6), "routing-loop", "possible"),
    # The codes of another type mean something else.
    (reported(12, 1), "icmp-error", "possible"),
    (reported(4, 1, SYN_V6), "icmp-error", "possible"),
    (reported(3, 5), "icmp-error", "possible"),
])  # fmt: skip
def test_an_icmp_error_names_what_was_not_reached(error: Error, code: str, certainty: str) -> None:
    diagnosis = only([error.quoted, error])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty, diagnosis.evidence) == (code, certainty, (1,))
    assert error.sender in diagnosis.text


@pytest.mark.parametrize("error", [
    reported(3, 0), reported(3, 1), reported(3, 13), reported(11, 0), reported(12, 1),
])  # fmt: skip
def test_an_icmp_error_before_an_answer_is_not_why(error: Error) -> None:
    assert codes([SYN, error, *OPEN[1:]]) == [None]
    assert codes([SYN, error, down(0.02, "RA", 0, 101)]) == ["refused"]


@pytest.mark.parametrize("error", [
    reported(11, 1),  # fragments: the segment itself may have arrived
    reported(3, 4),  # a smaller one arrives
    reported(3, 99),  # no code that is known
    replace(reported(3, 1), quoted=replace(SYN, seq=999_999)),  # no segment of this connection
    replace(reported(3, 1), quoted=replace(SYN, server=("192.0.2.10", 81))),
])  # fmt: skip
def test_an_icmp_error_that_says_nothing_of_the_syn(error: Error) -> None:
    assert codes([SYN, error, up(1, "S", 100)])[0] == "no-answer"
