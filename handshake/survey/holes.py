"""Zeek's history of a connection whose payloads were captured in part: by Zeek's own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tracker.zeek import Zeek

if TYPE_CHECKING:
    from handshake.packet.packed_frames import Kind


def history(kind: Kind, records: bytes | bytearray, caller: bytes) -> str:
    """Return the history where some payloads are whole and others cut: Zeek counts the holes."""
    zeek = Zeek(int.from_bytes(caller[-4:-2], "big"), int.from_bytes(caller[-2:], "big"))
    for fields in kind.fields.iter_unpack(records):
        at, _, _, packed, total, _, ends, seq, ack, bits, window, _, _ = fields
        length, header = total - kind.counted, bits >> 10 & 60
        captured = min(length, (packed >> 2) - kind.tcp) - header
        # fmt: off
        zeek.feed(int(ends != caller), at, bits & 0x1FF, seq, ack, window, length - header,
                  max(captured, 0), kind.tcp - kind.ip + length)
        # fmt: on
    return "" if zeek.main is None else zeek.main.history.text
