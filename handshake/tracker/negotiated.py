"""What the SYN and the SYN-ACK of a connection negotiated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.record import NegotiatedRecord
from handshake.tcp import Offer, State
from handshake.tcp.control_block import ControlBlock

if TYPE_CHECKING:
    from handshake.tcp import Segment
    from handshake.tracker.connection import Connection, End


def negotiated(connection: Connection) -> NegotiatedRecord | None:
    """Return what was negotiated; None where the SYN or the SYN-ACK was not captured."""
    asked, answered = _syn(connection.client), _syn(connection.server)
    if asked is None or answered is None:
        return None
    client = _block(connection.client, Offer.of(asked), Offer.of(answered))
    server = _block(connection.server, Offer.of(answered), Offer.of(asked))
    assert client.offered is not None
    assert server.offered is not None
    named = [each.offered.user_timeout or 0 for each in (client, server) if each.offered]
    return NegotiatedRecord(
        client_mss=client.mss or 0,
        server_mss=server.mss or 0,
        client_shift=client.rcv_shift or 0,
        server_shift=server.rcv_shift or 0,
        sack=bool(client.sack),
        timestamps=bool(client.timestamps),
        ecn="accecn" if client.accecn else "classic" if client.ecn else "none",
        fast_open=_fast_open(asked, answered),
        mptcp=client.offered.mptcp is not None and client.offered.mptcp == server.offered.mptcp,
        md5=client.offered.md5 and server.offered.md5,
        ao=client.offered.ao_key is not None and server.offered.ao_key is not None,
        user_timeout=max(named) or None,
    )


def fast_open(offer: Offer) -> str | None:
    """Return the Fast Open option of a SYN or SYN-ACK in a word."""
    if offer.fast_open is None:
        return None
    return "cookie" if offer.fast_open else "request"


def accepted_data(syn: Segment, answer: Segment) -> int:
    """Return how many octets of data in a SYN its answer acknowledges (RFC 7413 section 4.2.2)."""
    if answer.ack is None or not syn.seq + 1 < answer.ack <= syn.end:
        return 0
    return min(answer.ack - syn.seq - 1, syn.payload_length)


def _syn(end: End) -> Segment | None:
    """Return the SYN or SYN-ACK whose options count."""
    transmission = end.syn or end.syn_ack
    return None if transmission is None else transmission.first.segment


def _block(end: End, offered: Offer, peer_offered: Offer) -> ControlBlock:
    return ControlBlock(
        end.endpoint, state=State.ESTABLISHED, offered=offered, peer_offered=peer_offered
    )


def _fast_open(asked: Segment, answered: Segment) -> str:
    if asked.payload_length:
        return "data-accepted" if accepted_data(asked, answered) else "data-rejected"
    if answered.options.fast_open or asked.options.fast_open:
        return "cookie"
    return "none" if asked.options.fast_open is None else "requested"
