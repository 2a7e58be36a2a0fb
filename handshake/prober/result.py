"""The result of a probe: what became of one call to one address."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from handshake.endpoint.verdict import Close, Note, Verdict
from handshake.record import EndRecord, Json, icmp_record, rfc3339, segment_record
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handshake.endpoint.data_phase import DataTransfer
    from handshake.prober.target import Target
    from handshake.tcp import ControlBlock, Endpoint, Observed
    from handshake.tcp.icmp import IcmpError


_FIRST_TTLS: Final = (64, 128, 255)
"""From what systems count a packet's time to live down."""

_SHOWN: Final = 1024
"""Octets of the peer's data that stand in the JSON form."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both SYNs together brought into force."""

    mss: int | None
    """The largest payload we may send, in octets."""

    rcv_mss: int | None
    """The largest payload that the peer may send us, by our SYN."""

    snd_shift: int | None
    """How the peer's windows are scaled."""

    rcv_shift: int | None
    """How ours are."""

    sack: bool | None
    timestamps: bool | None
    ecn: bool | None
    fast_open: str | None = None
    """The Fast Open cookie that the peer gave us, in hexadecimal digits."""

    mptcp: bool = False
    """Whether both SYNs carried the same Multipath TCP option."""

    md5: bool = False
    """Whether every segment is signed (RFC 2385)."""

    @classmethod
    def of(cls, block: ControlBlock) -> Negotiated | None:
        """Return what is in force; None before both SYNs are known."""
        ours, theirs = block.offered, block.peer_offered
        if ours is None or theirs is None:
            return None
        return cls(
            block.mss,
            ours.mss,
            block.snd_shift,
            block.rcv_shift,
            block.sack,
            block.timestamps,
            block.ecn,
            None if not theirs.fast_open else theirs.fast_open.hex(),
            ours.mptcp is not None and ours.mptcp == theirs.mptcp,
            ours.md5 and theirs.md5,
        )


@dataclass(frozen=True, slots=True)
class DataExchange:
    """What was said on a connection while it was open."""

    sent: int
    """Octets that we were to say."""

    acknowledged: int
    """Octets of them that the peer acknowledged."""

    received: bytes
    """The first octets that the peer said."""

    expected: bool | None
    """Whether what was expected is among them; None where nothing was."""

    @classmethod
    def of(cls, transfer: DataTransfer, block: ControlBlock) -> DataExchange | None:
        """Return what was said; None where neither end said or expected anything."""
        send_buffer, receive_buffer = transfer.send_buffer, transfer.receive_buffer
        if not (send_buffer or receive_buffer.octets or receive_buffer.found_expected is not None):
            return None
        return cls(
            send_buffer.size,
            send_buffer.acknowledged(block),
            receive_buffer.octets,
            receive_buffer.found_expected,
        )

    def as_json(self) -> Json:
        """Return it as a JSON object; what the peer said is text, escaped where it is none."""
        return {
            "sent": self.sent,
            "acknowledged": self.acknowledged,
            "received": len(self.received),
            "text": self.received[:_SHOWN].decode("utf-8", "backslashreplace"),
            "expected": self.expected,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a call to one address."""

    target: str
    """Who was to be called, in the caller's words."""

    address: str | None
    """Who was called; None where the name has no address."""

    port: int
    verdict: Verdict
    reason: str
    """Why, in English."""

    icmp: IcmpError | None = None
    rtt: float | None = None
    """Seconds from our SYN to the answer, by the kernel's time stamps."""

    rtt_ambiguous: bool = False
    """Whether the answer may belong to another SYN of ours (Karn; RFC 6298 section 3)."""

    waited: float | None = None
    """Seconds from our first SYN to the answer: more than a round trip where SYNs were lost."""

    syn_sent: int = 0
    ttl: int | None = None
    """Time to live, or hop limit, of the answer."""

    negotiated: Negotiated | None = None
    client: EndRecord | None = None
    server: EndRecord | None = None
    close: Close | None = None
    guard: str | None = None
    """What kept the kernel from resetting the connection."""

    findings: tuple[Note, ...] = ()
    segments: tuple[Observed, ...] = ()
    """The segments of it that were seen, sent and received: all, unless there were very many."""

    duration: float | None = None
    """Seconds from the start to the end of the call."""

    syn_ack_again: tuple[float, ...] = ()
    """When the peer's SYN,ACK came again, in seconds from when it came first."""

    data: DataExchange | None = None
    """What was said while it was open, if anything was."""

    errors: tuple[IcmpError, ...] = ()
    """The ICMP errors that quoted it, where every segment was kept."""

    @property
    def succeeded(self) -> bool:
        """Whether it opened, and what was expected was said."""
        unmet = self.data is not None and self.data.expected is False
        return self.verdict is Verdict.OPEN and not unmet

    @property
    def exit_code(self) -> int:
        """0: open, and as expected; 1: not; 3: it could not be tried."""
        return 0 if self.succeeded else self.verdict.exit_code or 1

    @property
    def hops(self) -> int | None:
        """How many routers the answer passed, if its TTL began where systems let it begin."""
        return None if self.ttl is None else hops(self.ttl)

    def as_json(self) -> Json:
        """Return it as one JSON object."""
        return {
            "target": self.target,
            "address": self.address,
            "port": self.port,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "icmp": icmp_record(self.icmp),
            "rtt": self.rtt,
            "rtt_ambiguous": self.rtt_ambiguous,
            "waited": self.waited,
            "syn_sent": self.syn_sent,
            "ttl": self.ttl,
            "hops": self.hops,
            "duration": self.duration,
            "syn_ack_again": list(self.syn_ack_again),
            "said": None if self.data is None else self.data.as_json(),
            "negotiated": None if self.negotiated is None else asdict(self.negotiated),
            "client": None if self.client is None else asdict(self.client),
            "server": None if self.server is None else asdict(self.server),
            "close": None if self.close is None else str(self.close),
            "guard": self.guard,
            "findings": [
                {"code": each.code, "frame": None, "text": each.text} for each in self.findings
            ],
            "errors": [_error_record(each) for each in self.errors],
            "segments": [_segment_record(each) for each in self.segments],
        }


def hops(ttl: int) -> int:
    """Return how often a TTL was counted down, if it began at the next value that systems use."""
    return next(first for first in _FIRST_TTLS if ttl <= first) - ttl


def failed(target: Target, verdict: Verdict, why: str, remote: Endpoint | None = None) -> Result:
    """Return the result of a call that could not be tried."""
    return Result(
        target=target.text,
        address=None if remote is None else str(remote.address),
        port=target.port,
        verdict=verdict,
        reason=why,
    )


def exit_code(results: Iterable[Result]) -> int:
    """Return 0 if every target opened at one address or another; else 1, or 3 if not tried."""
    best: dict[str, int] = {}
    for result in results:
        code = result.exit_code
        best[result.target] = min(best.get(result.target, code), code)
    return max(best.values(), default=0)


def round_trip(syns: Sequence[Observed], answer: Observed | None) -> tuple[float | None, bool]:
    """Return the seconds from our last SYN before the answer, and whether that is a guess."""
    if answer is None:
        return None, False
    syns = [each for each in syns if each.at <= answer.at]
    if not syns:
        return None, False
    found = (answer.at - syns[-1].at) / NS_PER_SECOND
    if len(syns) == 1:
        return found, False
    # An answer that echoes our last clock was not there before it (RFC 7323 section 4.1). One
    # that echoes an earlier clock proves nothing: a server that repeats its SYN,ACK does so.
    sent, echoed = syns[-1].segment.options.timestamps, answer.segment.options.timestamps
    return found, sent is None or echoed is None or echoed.echo != sent.value


def _error_record(error: IcmpError) -> Json:
    return {"time": rfc3339(error.at), **(icmp_record(error) or {}), "seq": int(error.seq)}


def _segment_record(observed: Observed) -> Json:
    return {
        "time": rfc3339(observed.at),
        "outgoing": observed.outgoing,
        "ttl": observed.ttl,
        "checksum_ok": observed.checksum_ok,
        **segment_record(observed.segment),
    }
