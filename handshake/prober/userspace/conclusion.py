"""What the course of a call came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.prober.result import DataExchange, Negotiated

if TYPE_CHECKING:
    from handshake.endpoint.ack_monitor import AckStatus
    from handshake.endpoint.verdict import Close, Note, Verdict
    from handshake.prober.userspace.session import Session
    from handshake.tcp import Endpoint, Flags
    from handshake.tcp.icmp import IcmpError


class Conclusion:
    """What the course of a call came to, whoever led it: precedents, or an attempt of its own."""

    __slots__ = (
        "ack_status",
        "asked",
        "close",
        "crossed",
        "data",
        "error",
        "failure",
        "ignored",
        "local",
        "negotiated",
        "notes",
        "remote",
        "syn_sent",
        "verdict",
    )

    def __init__(self, session: Session) -> None:
        self.asked: Flags = session.asked
        self.local: Endpoint = session.local
        self.remote: Endpoint = session.remote
        self.error: IcmpError | None = None
        self.failure = ""
        self.ignored = False
        self.crossed = False
        self.syn_sent = 1
        self.notes: tuple[Note, ...] = ()
        self.verdict: Verdict | None
        self.close: Close | None
        self.negotiated: Negotiated | None
        self.ack_status: AckStatus
        self.data: DataExchange | None = None
        if (ending := session.ending) is not None:
            # What has a precedent sent one SYN, and nothing stood out.
            self.verdict, self.close = ending.verdict, ending.close
            self.negotiated, self.ack_status = ending.negotiated, ending.ack_status
            return
        attempt = session.take_over()
        self.verdict, self.close = attempt.verdict, attempt.close
        self.negotiated = Negotiated.of(attempt.block)
        self.error, self.failure = attempt.error, attempt.failure
        self.syn_sent, self.notes = attempt.syn_sent, tuple(attempt.notes)
        self.ack_status, self.ignored = attempt.ack_status, attempt.ignored
        self.crossed = attempt.crossed
        self.data = (
            None if attempt.transfer is None else DataExchange.of(attempt.transfer, attempt.block)
        )
