"""What the flows of a capture show of their hosts is learned of each connection once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.capture.open import read
from handshake.diagnosis import Others
from handshake.packet.decode import Decoder
from handshake.survey.group.flow_table import FlowTable
from tests.survey.made import Packet, packets, save

if TYPE_CHECKING:
    from pathlib import Path

SERVER, PORT = "10.77.0.2", 80


def unanswered(count: int, *, every: int) -> list[Packet]:
    """Return SYNs of so many client ports to a port that does not answer, and their repetition."""
    syn, again = packets("no-answer", since=0)[:2]
    return [
        (
            octets[:34] + (5000 + number).to_bytes(2, "big") + octets[36:],
            at + number * every * 10**9,
        )
        for number in range(count)
        for octets, at in (syn, again)
    ]


def hanging(path: Path, most_kept: int) -> int:
    """Return how many connections to the port are counted as not completed."""
    others = Others()
    flows = FlowTable(Decoder(), most_kept=most_kept, others=others)
    with read(path) as capture:
        for _ in flows.records(capture):
            pass
    found = others.hanging(SERVER, PORT)
    return 0 if found is None else found.count


def test_a_connection_that_hangs_is_counted_once(tmp_path: Path) -> None:
    """However often the table is searched: as time passes, and where memory is short."""
    for every in (0, 1, 31, 200):
        path = save(tmp_path / f"{every}.pcap", unanswered(12, every=every))
        assert {hanging(path, most_kept) for most_kept in (0, 2000, 1 << 20)} == {12}
