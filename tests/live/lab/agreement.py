"""Whether `list` tells of a probe what its verdict tells, by a capture at the server."""

import os
import socket
import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import handshake
from handshake.prober import Close, Result, Verdict
from handshake.record import Record
from handshake.units import NS_PER_SECOND
from tests.live.lab.namespaces import Host

_ETH_P_ALL = 3
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_ROOM = 8 << 20
_TIMESPEC = struct.Struct("@ll")
_FILE = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_NANOSECONDS = 0xA1B23C4D
_ETHERNET = 1


class Told(NamedTuple):
    """What a record says of a connection."""

    outcome: str
    closed: str | None

    @classmethod
    def by(cls, record: Record) -> "Told":
        """Return what this record says."""
        return cls(record.outcome, record.closed)


TABLE: dict[tuple[Verdict, Close | None], set[Told]] = {
    (Verdict.OPEN, Close.CLEAN): {Told("established", "fin")},
    (Verdict.OPEN, Close.PEER_KEPT_OPEN): {Told("established", "half-closed")},
    (Verdict.OPEN, Close.RESET): {Told("established", "rst-by-server")},
    # By a RST of ours (--close rst), or not at all (--close none).
    (Verdict.OPEN, None): {Told("established", "rst-by-client"), Told("established", None)},
    (Verdict.CLOSED, None): {Told("refused", None)},
    (Verdict.RESET, Close.RESET): {
        Told("established", "rst-by-server"),
        Told("reset", "rst-by-server"),
    },
    (Verdict.FILTERED, None): {Told("no-answer", None)},
    (Verdict.UNREACHABLE, None): {Told("unreachable", None)},
    # In the end we reset what the peer may have: to `list`, a handshake that its client gave up.
    (Verdict.HALF_OPEN, None): {Told("reset", "rst-by-client")},
    # To `list` a SYN-ACK with a wrong acknowledgment is an answer that opened nothing.
    (Verdict.BAD_PEER, None): {Told("half-open", None)},
}
"""What `list` may tell of a connection, by the verdict of the probe."""

_BEHIND_THE_CAPTURE = "the server's firewall drops our ACKs, and the capture is before it"
_LAST_ACK_DROPPED = "the kernel resets a FIN that is retransmitted after the probe has ended"
_BARE_ACK = "an ACK of a SYN looks as if the SYN-ACK was not captured, which it may not have been"
_ALL_WRONG = "where all checksums of an end are wrong, `list` takes them for left to its card"
_WRONG_ONCE = "`list` does not know whether the one that captured it filled in the checksum later"
_BEFORE_OUR_ACK = (
    "the RST passed the server before our last ACK, which closed the connection for us"
)
_ODD_SEGMENT = "a segment that its receiver drops has moved the numbers that `list` goes by"
_CONTRADICTED = "to `list` the SYN-ACK that follows shows that the RST was not the server's"
_NO_KEY = "`list` does not know that the client had no key, and so dropped the SYN-ACK"

EXCEPTIONS: dict[str, tuple[set[Told], str]] = {
    "test_09_every_bare_ack_dropped": (
        {Told("established", "rst-by-client")},
        _BEHIND_THE_CAPTURE,
    ),
    "test_09_with_data_it_opens": ({Told("established", "rst-by-client")}, _LAST_ACK_DROPPED),
    "test_21_a_bare_ack_of_our_syn_every_time": ({Told("established", None)}, _BARE_ACK),
    "test_21_the_result_has_us_in_syn_sent": ({Told("established", None)}, _BARE_ACK),
    "test_22_a_damaged_answer_every_time": (
        {Told("refused", None), Told("half-open", None)},
        _ALL_WRONG,
    ),
    "test_22_a_damaged_rst_once_it_is_open": (
        {Told("established", "rst-by-server")},
        _WRONG_ONCE,
    ),
    "test_22_a_rst_after_both_fins": ({Told("established", "rst-by-server")}, _BEFORE_OUR_ACK),
    "test_22_the_result_has_the_state_of_our_own_end": ({Told("established", None)}, _ODD_SEGMENT),
    "test_22_what_else_is_asked_back_once_it_is_open": ({Told("established", None)}, _ODD_SEGMENT),
    "test_of_two_syn_acks_the_one_that_we_answered_counts": (
        {Told("established", None)},
        _ODD_SEGMENT,
    ),
    "test_a_syn_ack_after_a_rst": ({Told("half-open", None)}, _CONTRADICTED),
    "test_a_signature_that_nobody_asked_for_is_named": ({Told("half-open", None)}, _NO_KEY),
}
"""By the name of a test: what else `list` may tell there, and why the two need not agree."""


@contextmanager
def witnessed(host: Host, *, loopback: bool = False) -> Iterator[list[Record]]:
    """Yield a list that holds, once the context has ended, the records of what passed meanwhile.

    They are those of a capture at the host's first interface.
    """
    records: list[Record] = []
    name = "lo" if loopback else host.interfaces[0].name
    with closing(host.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)) as tap:
        tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        tap.bind((name, _ETH_P_ALL))
        tap.setblocking(False)
        yield records
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "wire.pcap")
            path.write_bytes(_pcap(tap, loopback=loopback))
            records += handshake.records(path)


def check(result: Result, at_server: list[Record], at_client: list[Record]) -> None:
    """Compare a result with the record of its connection; raise AssertionError if they differ.

    What did not reach the server is compared with the capture at the client.
    """
    if result.verdict in (Verdict.LOCAL_ERROR, Verdict.NAME_ERROR):
        return
    test = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].partition("[")[0]
    found = [
        each
        for each in (*at_server, *at_client)
        if (each.server.address, each.server.port) == (result.address, result.port)
    ]
    allowed = set(TABLE.get((result.verdict, result.close), set()))
    also, _ = EXCEPTIONS.get(test, (set(), ""))
    assert found, f"{test}: no record of {result.verdict}"
    told = Told.by(found[0])
    assert told in allowed | also, f"{test}: {result.verdict} {result.close} but {told}"


def _pcap(tap: socket.socket, *, loopback: bool) -> bytes:
    """Return what a packet socket has received as a capture file."""
    out = [_FILE.pack(_NANOSECONDS, 2, 4, 0, 0, 0xFFFFFF, _ETHERNET)]
    while True:
        try:
            octets, ancillary, _, (_, _, kind, *_) = tap.recvmsg(0xFFFFF, 64)
        except BlockingIOError:
            return b"".join(out)
        if loopback and kind == socket.PACKET_OUTGOING:
            continue
        at = 0
        for _, name, data in ancillary:
            if name == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack(data)
                at = seconds * NS_PER_SECOND + nanoseconds
        out.append(_RECORD.pack(*divmod(at, NS_PER_SECOND), len(octets), len(octets)) + octets)
