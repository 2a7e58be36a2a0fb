"""What the SYNs of both ends negotiate together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tcp.control_block import ControlBlock
from handshake.tcp.copy import value
from handshake.tcp.space import Offer

if TYPE_CHECKING:
    from handshake.tcp.segment import Segment


@value(frozen=True, slots=True)
class Agreement:
    """What a SYN and its answer, a SYN-ACK or a crossing SYN, negotiated."""

    client_mss: int
    """The largest payload that the client may send, in octets."""

    server_mss: int
    client_shift: int
    """How the client's windows are scaled; 0 where either end did not offer it."""

    server_shift: int
    sack: bool
    timestamps: bool
    ecn: str
    """`none`, `classic` (RFC 3168) or `accecn` (RFC 9768)."""

    fast_open: str
    """`none`, `requested`, `cookie`, `data-accepted` or `data-rejected`."""

    mptcp: bool
    md5: bool
    """Whether both SYNs have an MD5 signature (RFC 2385)."""

    ao: bool
    """Whether both are signed by TCP-AO."""

    user_timeout: int | None
    """The longer of the two user timeouts, in seconds (RFC 5482 section 3.1)."""

    @classmethod
    def of(cls, syn: Segment, answer: Segment) -> Agreement:
        """Return what the client's SYN and the server's answer negotiated."""
        ours, theirs = Offer.of(syn), Offer.of(answer)
        client = ControlBlock(syn.source, offered=ours, peer_offered=theirs)
        server = ControlBlock(syn.destination, offered=theirs, peer_offered=ours)
        return cls(
            client_mss=client.mss or 0,
            server_mss=server.mss or 0,
            client_shift=client.rcv_shift or 0,
            server_shift=server.rcv_shift or 0,
            sack=bool(client.sack),
            timestamps=bool(client.timestamps),
            ecn="accecn" if client.accecn else "classic" if client.ecn else "none",
            fast_open=_fast_open(syn, answer),
            mptcp=ours.mptcp is not None and ours.mptcp == theirs.mptcp,
            md5=ours.md5 and theirs.md5,
            ao=ours.ao_key is not None and theirs.ao_key is not None,
            user_timeout=max(ours.user_timeout or 0, theirs.user_timeout or 0) or None,
        )


def accepted_data(syn: Segment, answer: Segment) -> int:
    """Return how many octets of data in a SYN its answer acknowledges (RFC 7413 section 4.2.2)."""
    if answer.ack is None or not syn.seq + 1 < answer.ack <= syn.end:
        return 0
    return min(answer.ack - syn.seq - 1, syn.payload_length)


def _fast_open(syn: Segment, answer: Segment) -> str:
    if syn.payload_length:
        return "data-accepted" if accepted_data(syn, answer) else "data-rejected"
    if answer.options.fast_open or syn.options.fast_open:
        return "cookie"
    return "none" if syn.options.fast_open is None else "requested"
