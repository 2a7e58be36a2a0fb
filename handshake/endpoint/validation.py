"""What comes in before it is looked at: damaged segments, and what others say by ICMP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.tcp.signature import verified

if TYPE_CHECKING:
    from handshake.endpoint.verdict import Notes
    from handshake.tcp import Observed
    from handshake.tcp.icmp import IcmpError


def dropped(observed: Observed, key: bytes, notes: Notes) -> bool:
    """Whether a segment is to be dropped unread; `key` is what it must be signed with, if any."""
    seg = observed.segment
    if observed.checksum_ok is False:
        notes.add("bad-checksum", f"A segment with a wrong checksum was dropped: {seg}.")
    elif seg.unreadable:
        notes.add("unreadable", f"A segment whose header nobody can read was dropped: {seg}.")
    elif key and not verified(seg, key):
        notes.add(
            "bad-signature",
            f"A segment without the signature of our key was dropped (RFC 2385): {seg}.",
        )
    else:
        return False
    return True


class IcmpErrors:
    """The ICMP errors about our segments, and which of them is believed."""

    def __init__(self, notes: Notes) -> None:
        self.error: IcmpError | None = None
        """What says that our first segment did not arrive."""

        self._notes = notes

    def receive(self, error: IcmpError, *, ours: bool, waiting: bool, last: bool) -> bool:
        """Return whether an error ends the call.

        It must quote a number of `ours`: who did not see our segment cannot do that (RFC 5927
        section 4.1). It is no more than a note unless we are `waiting` for a first answer. And
        what may pass ends nothing while another SYN may fare better, so before the `last` one
        (section 3.9.2.2).
        """
        if not ours:
            self._notes.add(
                "foreign-icmp",
                f"{error.sender} quotes a number that is not ours: {error}. Ignored.",
            )
            return False
        if not waiting or not error.unreachable:
            self._notes.add("icmp", f"{error.sender} says: {error}.")
            return False
        self.error = error
        return last or not error.soft

    def answered(self) -> None:
        """An answer has come all the same."""
        if self.error is not None:
            self._notes.add("icmp", f"{self.error.sender} says: {self.error}. It passed.")
            self.error = None
