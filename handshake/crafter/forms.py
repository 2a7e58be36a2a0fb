"""Octets in the forms that other programs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.crafter.scapy_code import scapy_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.crafter.fields import PacketFields

_PER_LINE: Final = 16
_PER_ROW: Final = 8


def _hex(octets: bytes) -> str:
    return octets.hex()


def _number(octets: bytes) -> str:
    return f"0x{octets.hex()}"


def _c_array(octets: bytes) -> str:
    rows = [octets[at : at + _PER_ROW] for at in range(0, len(octets), _PER_ROW)]
    lines = [f"    {', '.join(f'0x{each:02x}' for each in row)}," for row in rows]
    return "\n".join([f"unsigned char packet[{len(octets)}] = {{", *lines, "};"])


def _tcpdump(octets: bytes) -> str:
    """Return a dump as `tcpdump -x` prints it below the line of a packet."""
    lines = []
    for at in range(0, len(octets), _PER_LINE):
        row = octets[at : at + _PER_LINE].hex()
        words = " ".join(row[begin : begin + 4] for begin in range(0, len(row), 4))
        lines.append(f"\t0x{at:04x}:  {words}")
    return "\n".join(lines)


_OF_OCTETS: Final[dict[str, Callable[[bytes], str]]] = {
    "hex": _hex,
    "0x": _number,
    "c": _c_array,
    "tcpdump": _tcpdump,
}

SCAPY: Final = "scapy"
FORMS: Final = (*_OF_OCTETS, SCAPY)
"""The forms, the plainest first."""


def written(form: str, fields: PacketFields, octets: bytes) -> str:
    """Return the octets that these fields make in one of `FORMS`, without a final line feed."""
    return scapy_code(fields) if form == SCAPY else _OF_OCTETS[form](octets)
