"""Capture files made of real frames, moved in time and cut into parts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handshake.capture.open import read
from tests.capture.files import pcap_header, pcap_record

if TYPE_CHECKING:
    from collections.abc import Iterable

CAPTURES = Path(__file__).parents[2] / "captures"

Packet = tuple[bytes, int]
"""The octets of a frame, and its nanosecond."""


def packets(name: str, since: int | None = None) -> list[Packet]:
    """Return the frames of a capture, the first of them `since` so many seconds."""
    with read(CAPTURES / f"{name}.pcap") as capture:
        found = [(bytes(each.data), each.time) for each in capture]
    move = 0 if since is None else since * 10**9 - found[0][1]
    return [(data, at + move) for data, at in found]


def written(found: Iterable[Packet]) -> bytes:
    """Return a capture file with nanoseconds."""
    return pcap_header(magic=0xA1B23C4D) + b"".join(
        pcap_record(data, seconds=at // 10**9, fraction=at % 10**9) for data, at in found
    )


def save(path: Path, found: Iterable[Packet]) -> Path:
    """Write a capture file and return its path."""
    path.write_bytes(written(found))
    return path
