"""How long the handshake took, and whether a retransmission makes that ambiguous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.tcp import Observed
    from handshake.tracker.connection import Connection, Transmission


_JITTER: Final = 20_000_000
"""Nanoseconds by which a round trip may differ from another."""


class Timing(NamedTuple):
    """The round-trip time of a handshake and its two parts, in seconds; None where not seen."""

    rtt: float | None
    """From the SYN that was answered, by its timestamp or else the last one, to the ACK that ends
    the handshake, or to the RST that refused it: no other segment, such as a RST of the client,
    answers anything."""

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
    if answer is not None and syn is not None and client.syn is not None and client.syn.again:
        syn, certain = _confirmed(connection, client.syn, syn, answer, certain=certain)
    asked = syn if answer is not None else _latest(client.syn, end)
    to_ack = _between(answer, ack)
    if connection.stepped and client.syn and ack and ack.at >= client.syn.last.at:
        # The clock that stamped SYN and ACK may not be that of the answer.
        to_ack = None
    initial = connection.wire.round_trip
    return Timing(
        rtt=None if connection.stepped else _between(asked, end),
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
    return (before[-1] if before else None), len(before) < 2


def _confirmed(
    connection: Connection,
    syns: Transmission,
    syn: Observed,
    answer: Observed,
    *,
    certain: bool,
) -> tuple[Observed, bool]:
    """Return the SYN that was answered, where the timestamp echo names an earlier one.

    Linux echoes the clock of the first SYN in each SYN-ACK: if the first was lost before it was
    captured, the next answers another SYN than it names. The first is the answer to what it names
    if the later SYN is answered too, as much later as it was sent; it is not if later round trips
    are much shorter.
    """
    before = [each for each in syns.recent if each.at <= answer.at]
    last = before[-1] if before else syn
    if last is syn or not certain:
        return syn, certain
    took = answer.at - syn.at
    server = connection.server.syn_ack
    if server is not None:
        earlier = [each for each in server.recent if each.at < answer.at]
        if earlier:
            # It comes again: what it echoes is that of the first.
            return last, last.at > earlier[-1].at
        due, late = last.at + took, max(took // 10, _JITTER)
        if any(each.at > answer.at and abs(each.at - due) <= late for each in server.recent):
            return syn, True
    least = connection.round_trips.least
    if least is None:
        return syn, False
    return (syn, True) if 2 * least > took else (last, False)


def answers_again(syns: Transmission, answers: Transmission, observed: Observed) -> bool:
    """Whether a SYN-ACK that comes again answers a SYN that was retransmitted before the first.

    It comes as much later than the first as that SYN was sent later than the one answered first.
    """
    named, _ = _answered(syns, answers.first)
    if named is None or answers.first.at < named.at:
        return False
    took = answers.first.at - named.at
    late = max(took // 10, _JITTER)
    return any(
        each.at > named.at and abs(observed.at - each.at - took) <= late for each in syns.recent
    )


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
