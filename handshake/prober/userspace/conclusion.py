"""What the course of a call came to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.prober.result import Negotiated, Said

if TYPE_CHECKING:
    from handshake.endpoint.ack_monitor import Taken
    from handshake.endpoint.verdict import Close, Note, Verdict
    from handshake.prober.userspace.session import Course
    from handshake.tcp import Endpoint, Flags
    from handshake.tcp.icmp import IcmpError


class Conclusion:
    """What the course of a call came to, whoever led it: precedents, or an attempt of its own."""

    __slots__ = (
        "asked",
        "close",
        "crossed",
        "error",
        "failure",
        "ignored",
        "local",
        "negotiated",
        "notes",
        "remote",
        "said",
        "syn_sent",
        "taken",
        "verdict",
    )

    def __init__(self, course: Course) -> None:
        self.asked: Flags = course.asked
        self.local: Endpoint = course.local
        self.remote: Endpoint = course.remote
        self.error: IcmpError | None = None
        self.failure = ""
        self.ignored = False
        self.crossed = False
        self.syn_sent = 1
        self.notes: tuple[Note, ...] = ()
        self.verdict: Verdict | None
        self.close: Close | None
        self.negotiated: Negotiated | None
        self.taken: Taken
        self.said: Said | None = None
        if (ending := course.ending) is not None:
            # What has a precedent sent one SYN, and nothing stood out.
            self.verdict, self.close = ending.verdict, ending.close
            self.negotiated, self.taken = ending.negotiated, ending.taken
            return
        attempt = course.attempt
        self.verdict, self.close = attempt.verdict, attempt.close
        self.negotiated = Negotiated.of(attempt.block)
        self.error, self.failure = attempt.error, attempt.failure
        self.syn_sent, self.notes = attempt.syn_sent, tuple(attempt.notes)
        self.taken, self.ignored = attempt.taken, attempt.ignored
        self.crossed = attempt.crossed
        self.said = None if attempt.talk is None else Said.of(attempt.talk, attempt.block)
