"""Where the time of a handshake went, and whether other connections to its server took as long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.query.totals import Spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.record import Record
    from handshake.view.glyphs import Glyphs


def round_trip(record: Record, there: Sequence[float], glyphs: Glyphs) -> str:
    """Return it in words; nothing where no round trip is known.

    `there` are the round trips of all connections to its server, its own among them.
    """
    shake = record.handshake
    if shake.rtt is None:
        return ""
    values = {"rtt": shake.rtt, "ambiguous": shake.rtt_ambiguous}
    if shake.syn_to_syn_ack is not None and shake.syn_ack_to_ack is not None:
        halves = {"server": shake.syn_to_syn_ack, "client": shake.syn_ack_to_ack}
        parts = [glyphs.say("round-trip.halves", **values, **halves)]
    else:
        # A RST that refuses a SYN is not acknowledged.
        parts = [glyphs.say("round-trip.whole", **values)]
    others = list(there)
    others.remove(shake.rtt)
    if (spread := Spread.of(others)) is None:
        parts.append(glyphs.say("round-trip.alone"))
    else:
        parts.append(
            glyphs.say(
                "round-trip.others", count=len(others), median=spread.median, most=spread.most
            )
        )
    return " ".join(parts)
