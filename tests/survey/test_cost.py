"""What a table of many flows costs: what is counted are operations, not time."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING

import pytest

from handshake.capture.open import read
from handshake.diagnosis import Others
from handshake.packet.decode import Decoder
from handshake.survey.group.flow_table import MOST_KEPT, FlowTable
from tests.operations import LINEAR, growth
from tests.survey.made import packets, save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from handshake.packet.frame import Frame
    from tests.survey.made import Packet

SECOND = 10**9


def scan(n: int, apart: int) -> list[Packet]:
    """Return SYNs to `n` ports, `apart` nanoseconds apart; the checksums are wrong."""
    (syn, at), *_ = packets("no-answer")
    return [
        (syn[:36] + (each + 1).to_bytes(2, "big") + syn[38:], at + each * apart)
        for each in range(n)
    ]


def mid_stream(n: int, apart: int) -> list[Packet]:
    """Return ACKs to `n` ports: their connections never end."""
    return [(data[:47] + b"\x10" + data[48:], at) for data, at in scan(n, apart)]


@pytest.mark.parametrize(
    ("made", "apart", "most_kept"),
    [
        (scan, 10**6, MOST_KEPT),
        (scan, 10**6, 1 << 14),
        (scan, 31 * SECOND, MOST_KEPT),
        (mid_stream, 10**6, 1 << 14),
        (mid_stream, 31 * SECOND, MOST_KEPT),
    ],
)
def test_many_flows(
    tmp_path: Path, made: Callable[[int, int], list[Packet]], apart: int, most_kept: int
) -> None:
    def work(n: int) -> Callable[[], None]:
        path = save(tmp_path / f"{n}.pcap", made(n, apart))

        def survey() -> None:
            flows = FlowTable(Decoder(), most_kept=most_kept, others=Others())
            assert len(list(flows.records(read(path, flows)))) == n

        return survey

    assert growth(work, 200) < LINEAR


def test_a_half_open_connection_that_waits_takes_little_memory(tmp_path: Path) -> None:
    n, used = 2000, 0
    path = save(tmp_path / "flood.pcap", scan(n, 10**6))
    flows = FlowTable(Decoder(), others=Others())

    def frames() -> Iterator[Frame]:
        nonlocal used
        tracemalloc.start()
        yield from read(path, flows)
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()

    assert len(list(flows.records(frames()))) == n
    assert used < 1500 * n
