"""The part of a result that the answer is told from: results have it, and their JSON has both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.endpoint.ack_monitor import AckStatus
    from handshake.endpoint.outcome import Close, Verdict
    from handshake.messages import Message
    from handshake.record import Diagnosis, Finding
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError


class Answered(Protocol):
    """A result, as `Result` explains it."""

    @property
    def target(self) -> str:
        """The target as the user wrote it."""
        ...

    @property
    def address(self) -> str | None:
        """The address probed."""
        ...

    @property
    def port(self) -> int:
        """The port probed."""
        ...

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        ...

    @property
    def reason(self) -> Message:
        """Why it has its verdict."""
        ...

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Why it did not go well."""
        ...

    @property
    def findings(self) -> Sequence[Finding]:
        """What stood out."""
        ...

    @property
    def icmp(self) -> IcmpError | None:
        """The ICMP error that ended it."""
        ...

    @property
    def ack_status(self) -> AckStatus:
        """What became of our ACK."""
        ...

    @property
    def ignored(self) -> bool:
        """Whether segments came that answer none of ours."""
        ...

    @property
    def syn_sent(self) -> int:
        """SYNs that were sent."""
        ...

    @property
    def ttl(self) -> int | None:
        """Time to live, or hop limit, of the answer."""
        ...

    @property
    def close(self) -> Close | None:
        """How it was closed."""
        ...

    @property
    def guard(self) -> str | None:
        """What kept the kernel from resetting it; `none` where the kernel opened it."""
        ...

    @property
    def unmet(self) -> Message | None:
        """Why the expected data was not received."""
        ...

    @property
    def segments(self) -> Sequence[Observed]:
        """The segments seen."""
        ...
