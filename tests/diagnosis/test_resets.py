"""RSTs: of the host, of a firewall, of an injector."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.diagnosis.made import Packet, between, codes, down, found, later, only, up

SYN = up(0, "S", 100)
REFUSED = [SYN, down(0.02, "RA", 0, 101, ttl=57, window=0)]
OPENED = between(
    [up(0.5, "S", 5000), down(0.52, "SA", 900, 5001, ttl=57), up(0.521, "A", 5001, 901)],
    server=("192.0.2.10", 443),
)


def test_a_refused_syn_alone_tells_not_who_refused_it() -> None:
    found = only(REFUSED)
    assert found is not None
    assert (found.code, found.certainty, found.evidence) == ("refused", "possible", (1, 2))


@pytest.mark.parametrize("first", [REFUSED, OPENED], ids=["before", "after"])
def test_the_ttl_of_the_hosts_other_answers_tells_that_it_refused(first: list[Packet]) -> None:
    rest = OPENED if first is REFUSED else later(REFUSED, 1)
    told = [each.diagnosis for each in found([*first, *rest])]
    (diagnosis,) = [each for each in told if each is not None]
    assert (diagnosis.code, diagnosis.certainty) == ("refused-by-host", "likely")


@pytest.mark.parametrize(
    ("ttl", "code"),
    [(62, "refused-by-firewall"), (57, "refused-by-host"), (248, "refused"), (121, "refused")],
)
def test_another_ttl_is_another_device_unless_only_its_start_differs(ttl: int, code: str) -> None:
    assert codes([SYN, replace(REFUSED[1], ttl=ttl), *OPENED])[0] == code


def test_a_client_that_asks_again_although_refused() -> None:
    packets = [*REFUSED, *later(REFUSED, 0.52), *later(REFUSED, 1.04)]
    diagnosis = only(packets)
    assert diagnosis is not None
    assert diagnosis.code == "refused"
    assert "3 times" in diagnosis.text


SYN_ACK = down(0.18, "SA", 900, 101, ttl=48)


def test_a_rst_before_the_hosts_own_syn_ack() -> None:
    diagnosis = only([*REFUSED, SYN_ACK, up(0.181, "R", 101)])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty, diagnosis.evidence) == (
        "injected-reset",
        "proven",
        (1, 2, 3),
    )
    assert [each.code for each in diagnosis.ruled_out] == ["port-closed"]


def test_a_syn_ack_with_the_same_ttl_does_not_prove_another_device() -> None:
    diagnosis = only([*REFUSED, replace(SYN_ACK, ttl=57)])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("injected-reset", "likely")


def test_a_program_that_begins_to_listen_is_no_injector() -> None:
    packets = [*REFUSED, up(0.52, "S", 100), down(0.54, "SA", 900, 101, ttl=57)]
    assert codes([*packets, up(0.541, "A", 101, 901)]) != ["injected-reset"]


OPEN = [SYN, down(0.18, "SA", 900, 101, ttl=48), up(0.181, "A", 101, 901)]
ASKED = [*OPEN, up(0.19, "PA", 101, 901, 19)]


def test_a_rst_after_which_the_server_answers_all_the_same() -> None:
    forged = down(0.2, "RA", 901, 120, ttl=57, window=229)
    answer = down(0.37, "A", 901, 120, ttl=48)
    diagnosis = only([*ASKED, forged, answer, down(0.38, "PA", 901, 120, 19, ttl=48)])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("injected-reset", "proven")


def test_a_forged_rst_ends_only_the_end_that_believes_it() -> None:
    forged = down(0.2, "RA", 901, 120, ttl=57, window=229)
    beyond = down(0.2001, "RA", 2361, 120, ttl=58, window=230)
    data = down(0.38, "PA", 901, 120, 19, ttl=48)
    asked = [replace(each, ttl=48) if each.back else each for each in ASKED]
    (open_end,) = found([*asked, forged, beyond, data])
    assert (open_end.closed, open_end.client.state, open_end.server.state) == (
        None,
        "CLOSED",
        "ESTABLISHED",
    )
    assert open_end.server.reordered == 0
    (over,) = found([*asked, forged, beyond, data, up(0.381, "R", 120)])
    assert (over.closed, over.server.state) == ("rst-by-client", "CLOSED")
    own = replace(forged, ttl=48)
    (real,) = found([*asked, own, data, up(0.381, "R", 120)])
    assert real.closed == "rst-by-server"


def test_a_forged_refusal_is_no_round_trip() -> None:
    (record,) = found([*REFUSED, SYN_ACK, up(0.181, "R", 101)])
    assert (record.outcome, record.handshake.rtt) == ("half-open", None)
    (same,) = found([*REFUSED, replace(SYN_ACK, ttl=57), up(0.181, "R", 101)])
    assert same.handshake.rtt == pytest.approx(0.02)


def test_a_rst_that_the_client_must_drop_closes_nothing() -> None:
    assert codes([*ASKED, down(0.4, "RA", 9_000_000, 120, ttl=48)]) == [None]


def test_data_that_the_rst_overtook_does_not_make_it_forged() -> None:
    data = down(0.2001, "PA", 901, 120, 19, ttl=48)
    assert codes([*ASKED, down(0.2, "RA", 920, 120, ttl=48), data]) != ["injected-reset"]


def test_several_resets_at_once_with_different_numbers() -> None:
    packets = [*ASKED, down(0.2, "R", 901, ttl=21), down(0.201, "R", 901 + 12503, ttl=21)]
    diagnosis = only(packets)
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("injected-reset", "likely")
    swapped = [replace(packets[-1], at=0.2), replace(packets[-2], at=0.201)]
    assert codes([*ASKED, *swapped]) == ["injected-reset"]
    same = [replace(each, ttl=48) for each in packets[-2:]]
    assert codes([*ASKED, *same]) != ["injected-reset"]


def test_a_tool_goes_on_after_the_reset_of_its_own_kernel() -> None:
    opening = [SYN, SYN_ACK, up(0.1801, "R", 101)]
    diagnosis = only([*opening, up(0.3, "A", 101, 901), down(0.48, "R", 901, ttl=48)])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("hand-made-syn", "likely")
    assert codes(opening) == ["reset-by-client"]


def test_an_answer_that_came_too_late() -> None:
    late = replace(SYN_ACK, at=8)
    assert codes([SYN, late, up(8.001, "R", 101)]) == ["client-gave-up"]
    assert codes([late, up(8.001, "R", 101)]) == ["unexpected-syn-ack"]


def test_a_server_that_resets_at_once() -> None:
    assert codes([*ASKED, down(0.4, "RA", 901, 120, ttl=48)]) == ["closed-at-once"]
    assert codes([*ASKED, down(0.4, "RA", 901, 120, ttl=57)]) == ["reset-by-other-device"]
    assert codes([*ASKED, down(0.4, "R", 901, ttl=48, window=0)]) == ["unknown-to-server"]


def test_a_reset_after_data_is_no_failure_to_serve() -> None:
    served = [*ASKED, down(0.4, "PA", 901, 120, 20, ttl=48), up(0.41, "A", 120, 921)]
    assert codes([*served, down(0.5, "RA", 921, 120, ttl=48)]) == [None]


def test_a_reset_after_a_long_silence() -> None:
    served = [*ASKED, down(0.4, "PA", 901, 120, 20, ttl=48), up(0.41, "A", 120, 921)]
    woke = [up(400, "PA", 120, 921, 5), down(400.1, "R", 921, ttl=48)]
    assert codes([*served, *woke]) == ["idle-reset"]
    assert codes([*served, *later(woke, -370)]) == [None]


def test_a_syn_cookie_that_the_server_does_not_know_any_more() -> None:
    asked = up(0, "S", 100, mss=1460, scale=7, sack_permitted=True)
    answer = down(0.18, "SA", 900, 101, mss=1460, ttl=48)
    rest = [up(0.181, "A", 101, 901), down(0.36, "R", 901, ttl=48, window=0)]
    assert codes([asked, answer, *rest]) == ["syn-cookies"]
    kept = replace(answer, scale=7, sack_permitted=True)
    assert codes([asked, kept, *rest]) == ["unknown-to-server"]


def test_a_rst_in_the_clients_name() -> None:
    forged = up(0.3, "R", 120, ttl=12)
    on = [down(0.4, "PA", 901, 120, 20, ttl=48), up(0.41, "A", 120, 921)]
    diagnosis = only([*ASKED, forged, *on])
    assert diagnosis is not None
    assert (diagnosis.code, diagnosis.certainty) == ("injected-reset", "proven")
    assert "client" in diagnosis.text
    assert codes([*ASKED, replace(forged, ttl=64), *on]) != ["injected-reset"]


def test_a_second_rst_to_the_same_syn_is_no_second_refusal() -> None:
    diagnosis = only([*REFUSED, replace(REFUSED[1], at=0.0205)])
    assert diagnosis is not None
    assert diagnosis.code == "refused"
    assert "times" not in diagnosis.text


def test_the_ttl_of_the_hosts_own_syns_tells_that_it_refused() -> None:
    own = up(3, "S", 7, client=("192.0.2.10", 50000), server=("192.0.2.99", 25), ttl=57)
    assert codes([*REFUSED, own])[0] == "refused-by-host"
    assert codes([*REFUSED, replace(own, ttl=50)])[0] == "refused-by-firewall"
    assert codes([*REFUSED, replace(own, ttl=50, client=("192.0.2.11", 50000))])[0] == "refused"
