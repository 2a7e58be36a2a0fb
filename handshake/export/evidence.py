"""What a probe sent and received, as packets that each say what they changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tcp import Observed
from handshake.tracker import Tracker

if TYPE_CHECKING:
    from handshake.capture.pcapng_writer import PcapngWriter
    from handshake.events import Change, Step
    from handshake.tcp import ControlBlock
    from handshake.tcp.icmp import IcmpError


class Account:
    """Writes down one call as it passes: its segments, and the ICMP errors about them.

    Each packet is as it was captured; its comment says in one line who sent it and what became
    of both ends, and in the next why. What came without its octets is left out.
    """

    def __init__(self, writer: PcapngWriter) -> None:
        self._writer = writer
        self._tracker: Tracker | None = None

    def add(self, heard: Observed | IcmpError) -> None:
        """Write what was heard next."""
        if self._tracker is None:
            # Who calls is the client, whatever he calls by.
            caller = isinstance(heard, Observed) and heard.outgoing and heard.segment.source
            self._tracker = Tracker(caller=caller or None)
        if isinstance(heard, Observed):
            comment, outgoing = explained(self._tracker.feed(heard)), heard.outgoing
        else:
            self._tracker.quoted(heard)
            comment, outgoing = told(heard), False
        if heard.packet:
            self._writer.packet(heard.packet, heard.at, outgoing, [comment])


def explained(step: Step) -> str:
    """Return a step in two lines: `ACK from the client: client SYN-SENT, server ?`, and why."""
    ends = f"client {_states(step.client)}, server {_states(step.server)}"
    return "\n".join(filter(None, (f"{step.segment.flags} from the {step.by}: {ends}", step.why)))


def told(error: IcmpError) -> str:
    """Return an ICMP error in two lines: who says what, and of which segment."""
    return (
        f"{error.sender} says: {error}\n"
        f"It quotes the segment with SEQ={error.seq} from {error.source} to {error.destination}."
    )


def _states(change: Change) -> str:
    before, after = _state(change.before), _state(change.after)
    return after if before == after else f"{before} -> {after}"


def _state(block: ControlBlock | None) -> str:
    """Return the state of an end: `?` where nothing is known, or after what is not proven."""
    return "?" if block is None else f"{block.state}{'?' if block.inferred else ''}"
