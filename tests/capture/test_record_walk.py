"""Records found in many stretches at once are those that are found one after another."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handshake.capture import record_walk
from handshake.capture.columns import InterfaceClock
from handshake.capture.record_formats import _PcapRecords, pcap_records, pcapng_blocks
from handshake.packet.frame import MAX_CAPTURED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

SECONDS = 0x5F00_FFF0  # the higher half changes among these packets


@pytest.fixture(autouse=True, scope="module")
def in_many_stretches() -> Iterator[None]:
    """Guess in short captures, too."""
    patch = pytest.MonkeyPatch()
    patch.setattr(record_walk, "_FEW", 8)
    patch.setattr(record_walk, "_SAMPLE", 3)
    yield
    patch.undo()


def record(order: str, number: int, data: bytes, length: int | None = None) -> bytes:
    """Return a record of a pcap file."""
    length = len(data) if length is None else length
    return struct.pack(f"{order}IIII", SECONDS + number, number, len(data), length) + data


def block(order: str, number: int, data: bytes, interface: int = 0) -> bytes:
    """Return an enhanced packet block."""
    size = 32 + len(data) + -len(data) % 4
    head = struct.pack(f"{order}7I", 6, size, interface, 0, number, len(data), len(data))
    return head + data + bytes(-len(data) % 4) + struct.pack(f"{order}I", size)


def pcap_singly(octets: bytes, order: str) -> tuple[list[int], int]:
    places, at = [], 0
    while at + 16 <= len(octets):
        captured, length = struct.unpack_from(f"{order}II", octets, at + 8)
        if at + 16 + captured > len(octets) or captured > MAX_CAPTURED or not length:
            break
        places.append(at)
        at += 16 + captured
    return places, at


CLOCKS = (InterfaceClock(1, 1000, 0), None)


def pcapng_singly(octets: bytes, order: str) -> tuple[list[int], int]:
    places, at = [], 0
    while at + 32 <= len(octets):
        kind, size, interface, _, _, captured = struct.unpack_from(f"{order}6I", octets, at)
        if kind != 6 or size % 4 or at + size > len(octets) or captured > MAX_CAPTURED:
            break
        if captured + 32 > size or interface > 0:
            break
        if struct.unpack_from(f"{order}I", octets, at + size - 4) != (size,):
            break
        places.append(at)
        at += size
    return places, at


def pcap(octets: bytes, order: str) -> tuple[list[int], int]:
    places, end = pcap_records(memoryview(octets), order)
    return places.tolist(), end


def pcapng(octets: bytes, order: str) -> tuple[list[int], int]:
    places, end = pcapng_blocks(memoryview(octets), order, CLOCKS)
    return places.tolist(), end


def plain(dice: Random, _: Callable[[int, bytes], bytes]) -> bytes:
    return dice.randbytes(dice.choice((0, 40, 41, 54, 60, 100)))


def zeros(dice: Random, _: Callable[[int, bytes], bytes]) -> bytes:
    return bytes(dice.randrange(200))


def nested(dice: Random, make: Callable[[int, bytes], bytes]) -> bytes:
    """Return a capture in a packet."""
    return dice.randbytes(dice.randrange(5)) + b"".join(
        make(dice.randrange(50), bytes(dice.randrange(60))) for _ in range(dice.randrange(1, 9))
    )


def large(dice: Random, _: Callable[[int, bytes], bytes]) -> bytes:
    return dice.randbytes(dice.choice((1500, 5000)))


CONTENTS = (plain, plain, zeros, nested, large)


@settings(max_examples=300, deadline=None)
@given(
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from(CONTENTS), min_size=1, max_size=3),
    st.integers(1, 120),
    st.sampled_from("<>"),
    st.booleans(),
    st.lists(st.sampled_from(("cut", "damaged", "odd")), max_size=2),
)
def test_as_one_after_another(
    dice: Random,
    contents: list[Callable[[Random, Callable[[int, bytes], bytes]], bytes]],
    count: int,
    order: str,
    modern: bool,
    mishaps: list[str],
) -> None:
    def make(number: int, data: bytes) -> bytes:
        return (block if modern else record)(order, number, data)

    # In parts of one kind: stretches differ in how many records they have.
    parts = [dice.choice(contents) for _ in range(4)]
    made = [make(each, parts[4 * each // count](dice, make)) for each in range(count)]
    for mishap in mishaps:
        place = dice.randrange(len(made))
        if mishap == "odd":
            made[place] = (
                block(order, 1, b"x", interface=dice.choice((1, 2, 2**31)))
                if modern
                else record(order, 1, b"x", length=dice.choice((0, 1000)))
            )
        elif mishap == "damaged":
            damaged = bytearray(made[place])
            damaged[dice.randrange(len(damaged))] ^= dice.randrange(1, 256)
            made[place] = bytes(damaged)
    octets = b"".join(made)
    if "cut" in mishaps:
        octets = octets[: dice.randrange(len(octets) + 1)]
    if modern:
        assert pcapng(octets, order) == pcapng_singly(octets, order)
    else:
        assert pcap(octets, order) == pcap_singly(octets, order)


@pytest.mark.parametrize("order", "<>")
def test_few_are_read_one_after_another(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read one after another is the sample, and the stretch with a capture in a packet."""
    inner = b"".join(record(order, each, bytes(50)) for each in range(30))
    octets = b"".join(
        record(order, 100, inner if each == 500 else bytes(54)) for each in range(1000)
    )
    walked: list[int] = []
    singly = _PcapRecords.singly

    def counted(self: _PcapRecords, at: int, stop: int) -> tuple[list[int], int]:
        found = singly(self, at, stop)
        walked.append(len(found[0]))
        return found

    monkeypatch.setattr(_PcapRecords, "singly", counted)
    assert pcap(octets, order) == pcap_singly(octets, order)
    assert sum(walked) < 250
