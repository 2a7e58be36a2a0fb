"""The packets of a probe as pcapng, each with a comment on what it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.escape import printable
from handshake.prober.findings import contradictions
from handshake.tcp import Observed
from handshake.tcp.control_block import state_text
from handshake.tracker import Tracker

if TYPE_CHECKING:
    from handshake.capture.pcapng_writer import PcapngWriter
    from handshake.events import Change, Step
    from handshake.tcp.icmp import IcmpError


_FIRST: Final = 32
"""Packets of a connection among which contradictory answers to its SYN are looked for."""


class PacketLog:
    """Writes the segments of a connection, and ICMP errors about them, as they pass.

    The comment names the sender and the states of both ends in one line, and the reason in the
    next. Packets whose octets are unknown are omitted.
    """

    def __init__(self, writer: PcapngWriter) -> None:
        self._writer = writer
        self._tracker: Tracker | None = None
        self._first: list[Observed] = []
        self._contradicted = False

    def add(self, received: Observed | IcmpError) -> None:
        """Write the next packet."""
        if self._tracker is None:
            # We are the client, whatever the first segment is.
            ours = isinstance(received, Observed) and received.outgoing and received.segment.source
            self._tracker = Tracker(client=ours or None, observers=())
        if isinstance(received, Observed):
            comment, outgoing = step_comment(self._tracker.feed(received)), received.outgoing
            comment = _lines(*comment.split("\n"), self._contradiction(received))
        else:
            self._tracker.quoted(received)
            comment, outgoing = icmp_comment(received), False
        if received.packet:
            self._writer.packet(received.packet, received.at, outgoing, [comment])

    def _contradiction(self, received: Observed) -> str:
        """Return what the packet says against an earlier refusal, once; else nothing."""
        if self._contradicted or len(self._first) >= _FIRST:
            return ""
        self._first.append(received)
        found = next(contradictions(self._first), None)
        self._contradicted = found is not None
        return "" if found is None else found.text


def step_comment(step: Step) -> str:
    """Return a step in two lines: `ACK from the client: client SYN-SENT, server ?`, and why."""
    ends = f"client {_states(step.client)}, server {_states(step.server)}"
    return _lines(f"{step.segment.flags} from the {step.by}: {ends}", step.why)


def icmp_comment(error: IcmpError) -> str:
    """Return an ICMP error in two lines: sender and meaning, and the quoted segment."""
    return _lines(
        f"{error.sender} reports: {error}",
        f"Quotes the segment with SEQ={error.seq} from {error.source} to {error.destination}.",
    )


def _lines(*lines: str) -> str:
    # The scope of an address is the name of an interface, which may contain nearly anything.
    return "\n".join(printable(each) for each in lines if each)


def _states(change: Change) -> str:
    before, after = state_text(change.before), state_text(change.after)
    return after if before == after else f"{before} -> {after}"
