"""Mutated packets and texts through decode: it takes them apart, or refuses them in a line.

python -m tests.crafter.fuzz 100000 [SEED]
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handshake.capture.open import read
from handshake.crafter.beginnings import BEGINNINGS
from handshake.crafter.decode import decode
from handshake.crafter.fields import build
from handshake.crafter.hex_text import packets
from handshake.crafter.packet_record import packet_record
from handshake.errors import UsageError
from handshake.view.packet_page import PacketPage

if TYPE_CHECKING:
    from collections.abc import Callable

CAPTURES: Final = Path(__file__).parents[2] / "captures"
SIGNS: Final = "0123456789abcdefxgz \n\\'\"{}*|:"
LONGEST: Final = 2.0
"""Seconds that one input may take."""


def dump(octets: bytes) -> str:
    """Return octets as Wireshark writes them."""
    rows = [octets[at : at + 16] for at in range(0, len(octets), 16)]
    return "\n".join(f"{at * 16:04x}  {row.hex(' ')}   {row!r}" for at, row in enumerate(rows))


FORMS: Final[tuple[Callable[[bytes], str], ...]] = (
    bytes.hex,
    lambda octets: octets.hex(" "),
    repr,
    lambda octets: f"0x{octets.hex()}",
    dump,
)


def mutated(dice: random.Random, octets: bytes) -> bytes:
    """Return octets with a few changes."""
    found = bytearray(octets)
    for _ in range(dice.choice((0, 1, 1, 2, 5, 20))):
        at = dice.randrange(len(found) + 1)
        match dice.randrange(5):
            case 0 if at < len(found):
                found[at] = dice.randrange(256)
            case 1 if at < len(found):
                found[at] ^= 1 << dice.randrange(8)
            case 2 if dice.random() < 0.3:
                del found[at:]
            case 3:
                found[at:at] = dice.randbytes(dice.randrange(8))
            case _:
                del found[at : at + dice.randrange(6)]
    return bytes(found)


def run(count: int, seed: int) -> Counter[str]:
    """Feed so many inputs to decode; return how many were decoded, and why the others were not."""
    dice = random.Random(seed)
    seeds = [bytes(frame.data) for path in CAPTURES.glob("*.pcap") for frame in read(path)]
    outcomes: Counter[str] = Counter()
    for number in range(count):
        octets = dice.choice(seeds) if dice.random() < 0.9 else dice.randbytes(dice.randrange(200))
        octets = mutated(dice, octets)
        began = time.monotonic()
        try:
            if dice.random() < 0.2:
                signs = list(dice.choice(FORMS)(octets))
                for _ in range(dice.randrange(3) if signs else 0):
                    signs[dice.randrange(len(signs))] = dice.choice(SIGNS)
                octets = packets("".join(signs))[0]
            found = decode(octets, dice.choice([None, None, None, None, *BEGINNINGS]))
        except UsageError as error:
            outcomes["lines"] += str(error).count("\n")
            outcomes[error.code] += 1
            continue
        assert build(found.fields) == found.octets[found.ip_at :]
        if number % 5 == 0:
            PacketPage(found).lines(dice.choice((20, 80, 120)))
            json.dumps(packet_record(found))
        assert time.monotonic() - began < LONGEST
        outcomes["decoded"] += 1
    return outcomes


if __name__ == "__main__":
    sys.stdout.write(f"{run(int(sys.argv[1]), int([*sys.argv, '1'][2]))}\n")
