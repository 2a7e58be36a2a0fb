"""How long the handshake took, and whether a retransmission makes that ambiguous."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.tcp import Observed
    from handshake.tracker.connection import Connection, Transmission


class Timing(NamedTuple):
    """The round-trip time of a handshake and its two parts, in seconds; None where not seen."""

    rtt: float | None
    """From the last SYN before its answer to the ACK that ends the handshake, or to the RST that
    refused it: no other segment, such as a RST of the client, answers anything."""

    initial_rtt: float | None
    """Wireshark's initial RTT: from the last SYN to the first ACK after it."""

    syn_to_syn_ack: float | None
    syn_ack_to_ack: float | None
    ambiguous: bool
    """Whether an answer may belong to more than one transmission."""


def timing(connection: Connection) -> Timing:
    """Return how long the handshake took."""
    client, server = connection.client, connection.server
    ack = connection.final_ack
    answer, sure = _answered(server.syn_ack or server.syn, ack)
    end = ack or connection.refused
    syn, certain = _answered(client.syn, answer)
    to_ack = _between(answer, ack)
    if connection.stepped and client.syn and ack and ack.at >= client.syn.last.at:
        # The clock that stamped SYN and ACK may not be that of the answer.
        to_ack = None
    initial = connection.wire.round_trip
    return Timing(
        rtt=None if connection.stepped else _between(_latest(client.syn, answer or end), end),
        initial_rtt=initial / NS_PER_SECOND if initial else None,
        syn_to_syn_ack=None if connection.stepped else _between(syn, answer),
        syn_ack_to_ack=to_ack,
        ambiguous=not (sure and certain),
    )


def _answered(
    transmission: Transmission | None, by: Observed | None
) -> tuple[Observed | None, bool]:
    """Return the transmission that `by` answers, and whether that is certain.

    The answer to a retransmitted segment is ambiguous (Karn's algorithm, RFC 6298 section 3),
    unless a timestamp echo names the transmission (RFC 7323).
    """
    if transmission is None:
        return None, True
    if by is None:
        return transmission.first, True
    before = [each for each in transmission.recent if each.at <= by.at]
    echoed = by.segment.options.timestamps
    if len(before) > 1 and echoed is not None:
        named = [
            each
            for each in before
            if (clock := each.segment.options.timestamps) and clock.value == echoed.echo
        ]
        if len(named) == 1:
            return named[0], True
    return (before[-1] if before else None), len(transmission.recent) < 2


def _latest(transmission: Transmission | None, by: Observed | None) -> Observed | None:
    """Return the last transmission before `by`; None if none was captured before it."""
    if transmission is None or by is None:
        return None
    return next((each for each in reversed(transmission.recent) if each.at <= by.at), None)


def _between(earlier: Observed | None, later: Observed | None) -> float | None:
    """Return the seconds between two segments; None if either was not captured."""
    if earlier is None or later is None or later.at < earlier.at:
        return None
    return (later.at - earlier.at) / NS_PER_SECOND
