"""Handshakes that took long, or that only one end finished, and what only looks like it."""

from __future__ import annotations

from dataclasses import replace

from tests.diagnosis.made import Packet, between, codes, down, found, later, only, up

SYN = up(0, "S", 100)
SYN_ACK = down(0.02, "SA", 900, 101)
ACK = up(0.021, "A", 101, 901)
OPEN = [SYN, SYN_ACK, ACK]


def again(*times: float) -> list[Packet]:
    """Return the same data, sent at these times."""
    return [up(at, "PA", 101, 901, 6) for at in times]


STUCK = again(0.05, 0.3, 0.8, 1.6)


def test_a_full_accept_queue_acknowledges_no_data() -> None:
    diagnosis = only([*OPEN, *STUCK, down(1.7, "SA", 900, 101)])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("accept-queue-full", "likely")
    assert [each.code for each in diagnosis.ruled_out] == ["deferred-accept", "path-down"]
    silent = only([*OPEN, *STUCK])
    assert silent is not None
    assert (silent.code, silent.certainty) == ("accept-queue-full", "possible")


def test_a_listener_that_serves_others_is_more_likely_full() -> None:
    served = [*OPEN, up(0.05, "PA", 101, 901, 6), down(0.07, "A", 901, 107)]
    stuck = between([*OPEN, *STUCK], client=("10.0.0.1", 40001))
    told = [each.diagnosis for each in found([*served, *stuck])]
    assert told[0] is None
    assert told[1] is not None
    assert (told[1].code, told[1].certainty) == ("accept-queue-full", "likely")


def test_data_that_is_acknowledged_after_all_is_no_full_queue() -> None:
    assert codes([*OPEN, *STUCK, down(1.7, "A", 901, 107)]) == [None]


def test_a_syn_ack_that_comes_again_without_data_has_several_causes() -> None:
    diagnosis = only([*OPEN, down(1.02, "SA", 900, 101), up(1.021, "A", 101, 901)])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("deferred-accept", "possible")


def test_a_syn_ack_that_answers_a_second_syn_is_no_deferred_accept() -> None:
    asked = [SYN, up(1, "S", 100)]
    answered = [*OPEN[1:], down(1.02, "SA", 900, 101)]
    assert codes([*asked, *later(answered, 1.5)]) == ["syn-lost"]


def test_a_server_that_goes_on_late() -> None:
    packets = [*OPEN, down(1.02, "SA", 900, 101), up(1.021, "A", 101, 901)]
    assert codes([*packets, down(1.1, "PA", 901, 101, 20)]) == ["late-accept"]
    assert codes([*OPEN, down(1.1, "PA", 901, 101, 20), up(1.11, "A", 101, 921)]) == [None]


CLOCKED = [
    up(0, "S", 100, stamps=(1000, 0)),
    up(1, "S", 100, stamps=(2000, 0)),
    down(1.6, "SA", 900, 101, stamps=(5000, 1000)),
    up(1.601, "A", 101, 901, stamps=(2600, 5000)),
    down(2.6, "SA", 900, 101, stamps=(6000, 1000)),
    up(2.601, "A", 101, 901, stamps=(3600, 6000)),
]


def test_a_round_trip_longer_than_the_timer_loses_nothing() -> None:
    diagnosis = only(CLOCKED)
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("slow-path", "likely")
    assert [each.code for each in diagnosis.ruled_out] == ["syn-lost"]


def test_a_lost_syn_is_not_a_slow_path() -> None:
    named = replace(CLOCKED[2], stamps=(5000, 2000))
    diagnosis = only([*CLOCKED[:2], named, CLOCKED[3]])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("syn-lost", "likely")
    diagnosis = only([SYN, up(1, "S", 100), *later(OPEN[1:], 1)])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("syn-lost", "possible")


def test_two_syns_at_once_are_no_loss() -> None:
    assert codes([SYN, up(0.00004, "S", 100), SYN_ACK, ACK]) == [None]


FAST = [
    up(0, "S", 100, length=18, stamps=(1000, 0), cookie=bytes(8)),
    up(1.02, "S", 100, stamps=(2020, 0)),
    down(1.04, "SA", 900, 101, stamps=(5000, 2020)),
    up(1.041, "PA", 101, 901, 18, stamps=(2060, 5000)),
    down(1.06, "A", 901, 119, stamps=(5020, 2060)),
]


def test_a_syn_with_data_that_only_arrives_without_it() -> None:
    diagnosis = only(FAST)
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("fast-open-fallback", "likely")


def test_data_in_a_syn_that_the_server_just_ignores() -> None:
    ignored = [FAST[0], down(0.02, "SA", 900, 101, stamps=(5000, 1000))]
    assert codes([*ignored, replace(FAST[3], at=0.03), replace(FAST[4], at=0.05)]) == [None]


def test_a_syn_that_is_answered_only_without_ecn() -> None:
    asked = [up(0, "SEC", 100), up(1, "SEC", 100)]
    answer = later(OPEN[1:], 3)
    assert codes([*asked, up(3, "S", 100), *answer]) == ["ecn-fallback"]
    assert codes([*asked, *answer]) == ["syn-lost"]


def test_a_syn_ack_with_a_wrong_checksum_is_never_accepted() -> None:
    bad = [replace(SYN_ACK, wrong=77), up(1, "S", 100), replace(SYN_ACK, at=1.02, wrong=77)]
    diagnosis = only([SYN, *bad])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("wrong-checksum", "likely")
    assert codes([SYN, *bad, up(1.03, "A", 101, 901)]) != ["wrong-checksum"]


def test_a_syn_whose_flag_was_changed() -> None:
    turned = up(0, "A", 100, 0, mss=1460, scale=7)
    packets = [turned, down(0.001, "R", 0), replace(turned, at=1), down(1.001, "R", 0)]
    assert codes(packets) == ["syn-turned-ack"]
    assert codes([replace(turned, ack=901), down(0.001, "R", 901)]) != ["syn-turned-ack"]
    assert codes([replace(turned, mss=None, scale=None), packets[1]]) != ["syn-turned-ack"]


def test_two_hosts_answer_one_syn() -> None:
    other = down(0.025, "SA", 77000, 101, ttl=51)
    diagnosis = only([*OPEN, other, down(0.045, "R", 901, ttl=51)])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("two-servers", "likely")
    # The numbers of both directions differ: one capture on both sides of a firewall.
    assert codes([*OPEN, down(0.02, "SA", 77000, 4101)]) != ["two-servers"]


def test_a_syn_proxy_without_a_server_behind_it() -> None:
    zero = [SYN, replace(SYN_ACK, window=0), ACK]
    assert codes([*zero, *again(1.5)]) == ["syn-proxy"]
    assert codes([*zero, down(0.04, "A", 901, 101), *again(0.05)]) == [None]


def test_a_syn_with_the_fast_open_option_alone() -> None:
    asked = [replace(FAST[0], length=0, cookie=b""), FAST[1], FAST[2], up(1.041, "A", 101, 901)]
    assert codes(asked) == ["fast-open-fallback"]
    kept = [asked[0], replace(asked[1], cookie=b""), *asked[2:]]
    assert codes(kept) == ["syn-lost"]


LOST = [
    up(0, "S", 100, stamps=(1000, 0)),
    down(0.02, "SA", 900, 101, stamps=(5000, 1000)),
    up(1, "S", 100, stamps=(2000, 0)),
    down(1.02, "SA", 900, 101, stamps=(6000, 1000)),
    up(1.03, "A", 101, 901, stamps=(2030, 6000)),
]


def test_a_syn_ack_that_was_lost_on_its_way() -> None:
    diagnosis = only(LOST)
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("syn-ack-lost", "likely")
    bare = [replace(each, stamps=None) for each in LOST]
    diagnosis = only(bare)
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("syn-ack-lost", "possible")


def test_a_syn_ack_that_only_arrived_late_was_not_lost() -> None:
    late = [*LOST[:4], replace(LOST[4], stamps=(2030, 5000))]
    diagnosis = only(late)
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("slow-path", "likely")


def test_a_syn_with_a_wrong_checksum_gets_no_answer() -> None:
    bad = replace(SYN, wrong=77)
    assert codes([bad, replace(bad, at=1)]) == ["wrong-checksum"]
    assert codes([bad, replace(SYN, at=1)]) == ["no-answer"]
