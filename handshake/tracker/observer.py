"""What follows a connection beside the tracker: findings, a diagnosis, Zeek's fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from handshake.events import Step
    from handshake.events.run import Run, RunStart
    from handshake.tcp.icmp import IcmpError


class Observer(Protocol):
    """Follows one connection, step by step, beside the tracker."""

    def settled(self, start: RunStart) -> bool:
        """Whether a run may begin, in which nothing happens; it may restrict what is in it."""
        ...

    def skip(self, run: Run) -> None:
        """Take a run into account."""
        ...

    def observe(self, step: Step) -> None:
        """Take the next step into account."""
        ...

    def quoted(self, error: IcmpError, *, of_syn: bool) -> None:
        """Take an ICMP error into account that quotes a segment; `of_syn`: the unanswered SYN."""
        ...
