"""Builds the record of an ordinary connection from its summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.record import HandshakeRecord, rfc3339
from handshake.survey.flow import text_of
from handshake.tcp.copy import changed
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.record import Record
    from handshake.survey.fast_path import Summary
    from handshake.survey.handshake_cache import Start

_CLOSED_BY: Final = ("rst-by-client", "rst-by-server")
_RESET: Final = ("RSTO", "RSTR")
_FINISHED: Final = {
    (False, False): "S1",
    (True, False): "S2",
    (False, True): "S3",
    (True, True): "SF",
}
"""Zeek's `conn_state` of a connection without a RST, by which ends sent a FIN."""


def record(number: int, start: Start, summary: Summary) -> Record:
    """Return the record of an ordinary connection."""
    model, fins = start.model.record, summary.fins
    half = len(start.client_key) // 2 - 2
    ends = start.client_key[:half], start.client_key[half:-4]
    ports = start.client_key[-4:-2], start.client_key[-2:]
    closed: str | None
    if summary.reset_by is not None:
        closed, state = _CLOSED_BY[summary.reset_by], _RESET[summary.reset_by]
    else:
        closed = "fin" if summary.closed else "half-closed" if fins[0] != fins[1] else None
        state = _FINISHED[fins[0], fins[1]]
    client, server = (
        changed(
            end,
            address=text_of(ends[at]),
            port=int.from_bytes(ports[at], "big"),
            state=str(summary.states[at]),
            iss=start.iss[at],
            segments=summary.segments[at],
            bytes=summary.octets[at],
            retransmissions=end.retransmissions + summary.again[at],
            resent=end.resent + summary.again[at],
            fin=int(fins[at]),
            rst=int(summary.reset_by == at),
            ttl=start.ttls[at],
        )
        for at, end in enumerate((model.client, model.server))
    )
    return changed(
        model,
        stream=number,
        client=client,
        server=server,
        start=rfc3339(start.syn_at),
        duration=(summary.last_at - start.syn_at) / NS_PER_SECOND,
        closed=closed,
        handshake=model.handshake if start.own else _handshake(start, summary),
        completeness=summary.completeness,
        conn_state=state,
        history=summary.history,
        frames=(start.frame, summary.last_frame),
    )


def _handshake(start: Start, summary: Summary) -> HandshakeRecord:
    rtt = (summary.final_ack_at - start.syn_at) / NS_PER_SECOND
    return HandshakeRecord(
        rtt=rtt,
        initial_rtt=rtt,
        syn_to_syn_ack=(start.answered - start.syn_at) / NS_PER_SECOND,
        syn_ack_to_ack=(summary.final_ack_at - start.answered) / NS_PER_SECOND,
        syn_retransmissions=0,
        syn_ack_retransmissions=0,
        simultaneous=False,
        fast_open=False,
    )
