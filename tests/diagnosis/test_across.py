"""Diagnoses whose evidence lies in other connections, and what only looks like them."""

from __future__ import annotations

from tests.diagnosis.made import Packet, between, codes, down, found, later, up

SYNS = [up(at, "S", 100) for at in (0, 1, 3)]
ELSEWHERE = ("192.0.2.11", 80)
OTHER = ("10.0.0.1", 50001)


def answered(port: int, at: float, stamp: int) -> list[Packet]:
    """Return a connection that opens, from another port of the same client."""
    packets = [
        up(at, "S", 100, stamps=(stamp, 0)),
        down(at + 0.001, "SA", 900, 101, stamps=(7000, stamp)),
        up(at + 0.03, "A", 101, 901, stamps=(stamp + 30, 7000)),
    ]
    return between(packets, client=("10.0.0.1", port))


def test_an_answer_from_another_address_names_both_connections() -> None:
    answers = between([down(0.001, "SA", 900, 101), up(0.0011, "R", 101)], server=ELSEWHERE)
    told = [each.diagnosis for each in found([SYNS[0], *answers, *SYNS[1:]])]
    assert [each and (each.code, each.certainty, each.evidence) for each in told] == [
        ("translation-undone", "proven", (1, 2)),
        ("translation-undone", "proven", (1, 2)),
    ]


def test_an_answer_from_elsewhere_to_another_number_or_port_is_another_connection() -> None:
    for answer in (
        down(0.001, "SA", 900, 102, server=ELSEWHERE),
        down(0.001, "SA", 900, 101, server=ELSEWHERE, client=("10.0.0.1", 40001)),
    ):
        assert "translation-undone" not in codes([SYNS[0], answer, *SYNS[1:]])


def test_a_timestamp_behind_those_that_the_server_accepted() -> None:
    stamped = [up(at, "S", 100, stamps=(100000 + round(at * 1000), 0)) for at in (2, 3, 5)]
    packets = [*answered(40001, 0, 900000), *answered(40002, 1, 901000)]
    told = [each.diagnosis for each in found([*packets, *between(stamped, client=OTHER)])]
    assert told[2] is not None
    assert (told[2].code, told[2].certainty) == ("timestamps-behind", "likely")
    assert [each.code for each in told[2].ruled_out] == ["host-down"]


def test_a_server_that_accepts_a_timestamp_behind_does_not_look_at_them() -> None:
    behind = up(2, "S", 100, stamps=(102000, 0), client=OTHER)
    packets = [*answered(40001, 0, 900000), *answered(40002, 1, 101000), behind]
    assert codes(packets)[2] == "unanswered-by-listener"


def test_a_timestamp_ahead_is_not_the_cause() -> None:
    ahead = up(2, "S", 100, stamps=(950000, 0), client=OTHER)
    assert codes([*answered(40001, 0, 900000), ahead])[1] == "unanswered-by-listener"


def scan(count: int) -> list[Packet]:
    """Return SYNs to as many ports."""
    return [up(at / 100, "S", 100, server=("192.0.2.10", 1000 + at)) for at in range(count)]


def test_a_scan_is_seen_in_its_parts() -> None:
    assert set(codes(scan(25))) == {"port-scan"}
    assert set(codes(scan(10))) == {"no-answer"}


def test_a_flood_is_seen_in_its_parts() -> None:
    syns = [up(at / 1000, "S", 100, client=(f"10.1.{at % 200}.1", 1000 + at)) for at in range(120)]
    assert set(codes(syns)) == {"syn-flood"}
    assert set(codes(syns[:50])) == {"no-answer"}


def test_a_socket_that_connects_to_itself() -> None:
    same = ("127.0.0.1", 44620)
    packets = [up(0, "S", 100), up(0.00001, "SA", 100, 101), up(0.00002, "A", 101, 101)]
    assert codes(between(packets, client=same, server=same)) == ["self-connect"]
    other = between([up(0, "S", 100)], client=same, server=("127.0.0.1", 44621))
    assert codes(other) == ["no-answer"]


def test_what_an_earlier_connection_showed_is_not_forgotten() -> None:
    closed = between(
        [up(0.1, "FA", 101, 901), down(0.11, "FA", 901, 102), up(0.12, "A", 102, 902)],
        client=("10.0.0.1", 40001),
    )
    stuck = later(between(SYNS, client=OTHER), 60)
    # Its record is given while the file goes on.
    noise = [up(at, "S", 5, server=("192.0.2.99", 9)) for at in (130, 165, 170)]
    first = [*answered(40001, 0, 900000), *closed]
    assert codes([*first, *stuck, *noise])[:2] == [None, "unanswered-by-listener"]


def test_a_scan_of_many_hosts_for_one_port() -> None:
    syns = [up(at / 100, "S", 100, server=(f"192.0.2.{at}", 22)) for at in range(1, 26)]
    assert set(codes(syns)) == {"host-scan"}
    assert set(codes(syns[:10])) == {"no-answer"}
