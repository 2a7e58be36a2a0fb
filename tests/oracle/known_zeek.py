"""Where we differ from what Zeek's own test suite has of a connection, and why: all there is."""

from __future__ import annotations

from typing import Final, NamedTuple


class Known(NamedTuple):
    """A row that differs, and why."""

    capture: str
    originator: str
    """Zeek's, as `address:port`."""

    columns: frozenset[str]
    """The columns that differ."""

    reason: str


KNOWN: Final = (
    Known(
        "wikipedia.pcap",
        "173.192.163.128:80",
        frozenset({"originator", "history", "orig_pkts", "resp_pkts"}),
        "Only a SYN,ACK was captured. `zeek -b` without the scripts of HTTP does not know port 80 "
        "for a server's, and takes who sent it for the caller. We know the ports that the standard "
        "scripts know; so does Zeek in the other rows of this very connection.",
    ),
    Known(
        "retransmit-timeout.pcapng",
        "10.0.0.1:51889",
        frozenset({"history", "orig_pkts", "duration"}),
        "The test floods Zeek with other timers, so that the one for 5 minutes of silence comes "
        "too late. Left alone (conn-all.log of the same test), Zeek makes two rows, as we do.",
    ),
)


def known(capture: str, originator: str) -> frozenset[str]:
    """Return the columns of this row that are known to differ."""
    return next(
        (row.columns for row in KNOWN if (row.capture, row.originator) == (capture, originator)),
        frozenset(),
    )
