"""The result of a probe: what became of one call to one address, and why, in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from handshake.probe.verdict import Close, Note, Verdict
from handshake.record import EndRecord, Json, rfc3339, segment_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handshake.probe.target import Target
    from handshake.tcp import ControlBlock, Endpoint, Observed
    from handshake.wire.icmp import IcmpError

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both SYNs together brought into force."""

    mss: int | None
    """The largest payload we may send, in octets."""

    snd_shift: int | None
    """How the peer's windows are scaled."""

    rcv_shift: int | None
    """How ours are."""

    sack: bool | None
    timestamps: bool | None
    ecn: bool | None

    @classmethod
    def of(cls, block: ControlBlock) -> Negotiated | None:
        """Return what is in force; None before both SYNs are known."""
        if not block.agreed:
            return None
        return cls(
            block.mss, block.snd_shift, block.rcv_shift, block.sack, block.timestamps, block.ecn
        )


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
    """Every segment of it that was seen, sent and received."""

    duration: float | None = None
    """Seconds from the start to the end of the call."""

    def as_json(self) -> Json:
        """Return it as one JSON object."""
        return {
            "target": self.target,
            "address": self.address,
            "port": self.port,
            "verdict": str(self.verdict),
            "reason": self.reason,
            "icmp": _icmp_record(self.icmp),
            "rtt": self.rtt,
            "rtt_ambiguous": self.rtt_ambiguous,
            "syn_sent": self.syn_sent,
            "ttl": self.ttl,
            "negotiated": None if self.negotiated is None else asdict(self.negotiated),
            "client": None if self.client is None else asdict(self.client),
            "server": None if self.server is None else asdict(self.server),
            "close": None if self.close is None else str(self.close),
            "guard": self.guard,
            "findings": [
                {"code": each.code, "frame": None, "text": each.text} for each in self.findings
            ],
            "segments": [_segment_record(each) for each in self.segments],
        }


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
        code = result.verdict.exit_code
        best[result.target] = min(best.get(result.target, code), code)
    return max(best.values(), default=0)


def round_trip(syns: Sequence[Observed], answer: Observed | None) -> tuple[float | None, bool]:
    """Return the seconds from our last SYN before the answer, and whether that is a guess."""
    if answer is None:
        return None, False
    syns = [each for each in syns if each.at <= answer.at]
    if not syns:
        return None, False
    found = (answer.at - syns[-1].at) / _SECOND
    if len(syns) == 1:
        return found, False
    # An answer that echoes our last clock was not there before it (RFC 7323 section 4.1). One
    # that echoes an earlier clock proves nothing: a server that repeats its SYN,ACK does so.
    sent, echoed = syns[-1].segment.options.timestamps, answer.segment.options.timestamps
    return found, sent is None or echoed is None or echoed.echo != sent.value


class Concluded(Protocol):
    """What a reason is made of."""

    local: Endpoint
    remote: Endpoint

    @property
    def verdict(self) -> Verdict | None:
        """What was concluded."""

    @property
    def error(self) -> IcmpError | None:
        """The ICMP error that decided it."""

    @property
    def failure(self) -> str:
        """Why this machine did not send our SYN."""

    @property
    def syn_sent(self) -> int:
        """How many times our SYN was sent."""


def reason(attempt: Concluded, seconds: float) -> str:
    """Return why the attempt ended as it did, in English."""
    port, syns = attempt.remote.port, _syns(attempt.syn_sent)
    match attempt.verdict:
        case Verdict.OPEN:
            return f"a program listens on port {port}: its answer acknowledges our SYN"
        case Verdict.CLOSED:
            return (
                f"RST answered our SYN: nothing listens on port {port}, or a firewall says so in "
                f"the host's name"
            )
        case Verdict.FILTERED:
            return (
                f"nothing answered {syns} in {seconds:.1f} s: a firewall drops it, or the host is "
                f"down or too busy; TCP cannot tell which"
            )
        case Verdict.UNREACHABLE:
            return _unreachable(attempt)
        case Verdict.HALF_OPEN:
            return "the peer answered our SYN, but never took our answer to that"
        case Verdict.RESET:
            return "the peer answered our SYN, and then reset the connection"
        case Verdict.BAD_PEER:
            return f"{syns} brought only answers that acknowledge what we did not send"
        case Verdict.LOCAL_ERROR:
            return f"this machine did not send our SYN: {attempt.failure}"
    raise ValueError("an attempt that is not done has no reason yet")


def _unreachable(attempt: Concluded) -> str:
    error = attempt.error
    assert error is not None
    if error.sender.packed == attempt.local.address.packed:
        host_unreachable = (1, 3) if error.version == 6 else (3, 1)
        if (error.type, error.code) == host_unreachable:
            # What the kernel says to itself when nobody answers its ARP or solicitations.
            return f"{error}: nobody on the link answers for it, or for the router on the way"
        return f"{error}: a rule on this machine rejects it"
    who = (
        "the host itself" if error.sender.packed == attempt.remote.address.packed else error.sender
    )
    return f"{who} says: {error}"


def _syns(count: int) -> str:
    return "one SYN" if count == 1 else f"{count} SYNs"


def _icmp_record(error: IcmpError | None) -> Json | None:
    if error is None:
        return None
    return {"type": error.type, "code": error.code, "from": str(error.sender)}


def _segment_record(observed: Observed) -> Json:
    return {
        "time": rfc3339(observed.at),
        "outgoing": observed.outgoing,
        "ttl": observed.ttl,
        "checksum_ok": observed.checksum_ok,
        **segment_record(observed.segment),
    }
