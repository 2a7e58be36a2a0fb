"""A cause stays the same over IPv6, across the end of the sequence space, at other times."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest

from tests.diagnosis import test_data, test_opening, test_resets, test_silence
from tests.diagnosis.made import Packet, codes, down, later, up

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULUS: Final = 2**32

ASKED, SYN_ACK = test_resets.ASKED, test_resets.SYN_ACK
OPEN, STUCK = test_opening.OPEN, test_opening.STUCK

SCENARIOS: Final[dict[str, list[Packet]]] = {
    "no-answer": test_silence.SYNS,
    "silent-filter": [*test_silence.SYNS, *later(test_silence.OTHER_PORT, 8)],
    "refused": test_resets.REFUSED,
    "refused-by-host": [*test_resets.REFUSED, *test_resets.OPENED],
    "injected-reset": [*test_resets.REFUSED, SYN_ACK],
    "closed-at-once": [*ASKED, down(0.4, "RA", 901, 120, ttl=48)],
    "wrong-acknowledgment": [OPEN[0], down(0.01, "SA", 900, 100), up(0.0101, "R", 100)],
    "ack-without-syn": [OPEN[0], down(0.02, "A", 900, 101), up(1, "S", 100)],
    "accept-queue-full": [*OPEN, *STUCK],
    "deferred-accept": [*OPEN, down(1.02, "SA", 900, 101), up(1.021, "A", 101, 901)],
    "slow-path": test_opening.CLOCKED,
    "fast-open-fallback": test_opening.FAST,
    "syn-ack-lost": test_opening.LOST,
    "syn-turned-ack": [up(0, "A", 100, 0, mss=1460, scale=7), down(0.001, "R", 0)],
    "peer-silent": [*test_data.OPEN, *test_data.LARGE],
    "two-servers": [*OPEN, down(0.025, "SA", 77000, 101, ttl=51)],
}
"""The packets of each cause."""


def over_ipv6(each: Packet) -> Packet:
    """Return the packet between IPv6 addresses."""

    def other(end: tuple[str, int]) -> tuple[str, int]:
        return str(ip_address(0x2001_0DB8 << 96 | int(ip_address(end[0])))), end[1]

    return replace(each, client=other(each.client), server=other(each.server))


def across_the_end(each: Packet) -> Packet:
    """Return the packet with numbers that pass 2**32 in the middle of the connection."""

    def moved(number: int, iss: int) -> int:
        # The number 0 of a RST that answers a SYN, or of an ACK that was a SYN, stands for none.
        return (number + _MODULUS - iss - 3) % _MODULUS if number else 0

    seq, ack = (900, 100) if each.back else (100, 900)
    if "R" in each.flags and each.seq == 0:
        return replace(each, ack=moved(each.ack, ack))
    return replace(each, seq=moved(each.seq, seq), ack=moved(each.ack, ack))


def later_on(each: Packet) -> Packet:
    """Return the packet years later."""
    return replace(each, at=each.at + 4 * 365 * 86400)


def between_ports(each: Packet) -> Packet:
    """Return the packet between ports of which the server has the higher one."""
    return replace(
        each, client=(each.client[0], 20), server=(each.server[0], each.server[1] + 60000)
    )


@pytest.mark.parametrize("change", [over_ipv6, across_the_end, later_on, between_ports])
@pytest.mark.parametrize("code", SCENARIOS)
def test_the_cause_stays_the_same(code: str, change: Callable[[Packet], Packet]) -> None:
    packets = SCENARIOS[code]
    assert code in codes(packets)
    assert codes([change(each) for each in packets]) == codes(packets)
