"""Control bits as people write them: `SYN,ECE`, `syn+ece`, `SYN-ECE`, `SE` or `none`."""

from __future__ import annotations

import re
from typing import Final

from handshake.errors import UsageError
from handshake.tcp.segment import Flags

_LETTERS: Final = {
    "F": "FIN",
    "S": "SYN",
    "R": "RST",
    "P": "PSH",
    "A": "ACK",
    "U": "URG",
    "E": "ECE",
    "C": "CWR",
    "W": "CWR",
}
"""The control bits by their letters in tcpdump, nmap and hping3."""


def flags_of(text: str) -> Flags:
    """Return the control bits in a word. Raises UsageError if it names others."""
    found = Flags(0)
    if text.lower() == "none":
        return found
    names = re.split(r"[,+-]", text.upper())
    if text and len(names) == 1 and names[0] not in Flags.__members__:
        names = [_LETTERS.get(letter, letter) for letter in names[0]]
    for name in names:
        if name not in Flags.__members__:
            raise UsageError("probe.flags", text=text)
        found |= Flags[name]
    return found
