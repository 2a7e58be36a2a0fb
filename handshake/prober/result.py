"""The result of a probe: the outcome of one connection, and what was measured of it."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from handshake.drawn import html_of
from handshake.endpoint.outcome import Outcome, Verdict
from handshake.prober.explanation import verdict_message
from handshake.record import Diagnosis, EndRecord, Json, icmp_record, rfc3339
from handshake.step_record import segment_record
from handshake.tcp.address import hops
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from handshake.linux.privileges import Shell
    from handshake.messages import Message
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint, Observed
    from handshake.tcp.icmp import IcmpError


@dataclass(frozen=True, kw_only=True)
class Result(Outcome):
    """The result of a probe of one address: its outcome, and what was measured."""

    target: str
    """The target as the user wrote it."""

    address: str | None
    """The address probed; None if the name has none."""

    port: int
    reason: Message
    """Why it has its verdict."""

    rtt: float | None = None
    """Seconds from our SYN to the answer, by kernel time stamps."""

    rtt_ambiguous: bool = False
    """Whether the answer may belong to another SYN of ours (Karn; RFC 6298 section 3)."""

    waited: float | None = None
    """Seconds from our first SYN to the answer: more than a round trip if SYNs were lost."""

    ttl: int | None = None
    """Time to live, or hop limit, of the answer."""

    client: EndRecord | None = None
    server: EndRecord | None = None
    guard: str | None = None
    """What kept the kernel from resetting the connection."""

    segments: tuple[Observed, ...] = ()
    """The segments seen, sent and received: all, unless there were very many."""

    duration: float | None = None
    """Seconds from the start to the end of the connection."""

    errors: tuple[IcmpError, ...] = ()
    """The ICMP errors that quoted it, if every segment was kept."""

    @classmethod
    def of(cls, outcome: Outcome, others: Mapping[str, Any]) -> Result:
        """Return the result of an outcome; the `others` are the fields it does not have, or not so.

        A number of SYNs that were seen may replace one of those sent, for instance.
        """
        result = cls.__new__(cls)
        # Setting all fields at once takes a tenth of the time of a frozen dataclass's `__init__`.
        vars(result).update({**_DEFAULTS, **vars(outcome), **others})
        assert len(vars(result)) == _FIELDS, "an unknown field, or one is missing"
        return result

    def _repr_html_(self) -> str:
        return html_of(self)

    @property
    def succeeded(self) -> bool:
        """Whether it opened and the expected data was received."""
        return self.verdict is Verdict.OPEN and self.unmet is None

    @property
    def unmet(self) -> Message | None:
        """Why the expected data was not received; None if it was, or none was expected."""
        if self.data is None or self.data.expected is not False:
            return None
        received = len(self.data.received)
        if not received:
            return verdict_message("unmet.no-data")
        return verdict_message("unmet.other-data", count=received)

    @property
    def exit_code(self) -> int:
        """0: open, with the expected data; 1: not; 3: it could not be tried."""
        return 0 if self.succeeded else self.verdict.exit_code or 1

    @property
    def hops(self) -> int | None:
        """How many routers the answer passed, if its TTL began at a usual value."""
        return None if self.ttl is None else hops(self.ttl)

    @property
    def diagnosis(self) -> Diagnosis | None:
        """Why it did not go well; None if it did, or nothing shows the cause."""
        if self.verdict is Verdict.OPEN and self.syn_sent <= 1 and not self.ack_status.again:
            return None
        from handshake.prober.diagnosis import by_segments, by_verdict  # few probes need it

        if self.segments:
            return by_segments(self.segments, self.errors)
        seconds = self.duration
        return by_verdict(self.verdict, self.address, self.port, self.syn_sent, seconds)

    def as_json(self, shell: Shell | None = None) -> Json:
        """Return it as one JSON object; its commands are as a shell takes them."""
        from handshake.linux.privileges import Shell
        from handshake.prober.answer import evidence, next_steps

        diagnosis, shown = self.diagnosis, evidence(self)
        steps = next_steps(self, Shell() if shell is None else shell)
        return {
            "target": self.target,
            "address": self.address,
            "port": self.port,
            "verdict": str(self.verdict),
            "reason": str(self.reason),
            "evidence": None if shown is None else str(shown),
            "next": [{"command": each.command, "purpose": str(each.purpose)} for each in steps],
            "icmp": icmp_record(self.icmp),
            "rtt": self.rtt,
            "rtt_ambiguous": self.rtt_ambiguous,
            "waited": self.waited,
            "syn_sent": self.syn_sent,
            "ttl": self.ttl,
            "hops": self.hops,
            "duration": self.duration,
            "syn_ack_again": list(self.ack_status.again),
            "said": None if self.data is None else self.data.as_json(),
            "negotiated": None if self.negotiated is None else asdict(self.negotiated),
            "client": None if self.client is None else asdict(self.client),
            "server": None if self.server is None else asdict(self.server),
            "close": None if self.close is None else str(self.close),
            "guard": self.guard,
            "findings": [each.as_json() for each in self.findings],
            "diagnosis": None if diagnosis is None else diagnosis.as_json(),
            "errors": [_error_record(each) for each in self.errors],
            "segments": [_segment_record(each) for each in self.segments],
        }


_FIELDS: Final = len(fields(Result))
_DEFAULTS: Final = {
    each.name: each.default for each in fields(Result) if each.default is not MISSING
}


def failed(
    target: Target, verdict: Verdict, why: Message, remote: Endpoint | None = None
) -> Result:
    """Return the result of a connection that could not be tried."""
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
    """Return the seconds from our last SYN before the answer, and whether that is ambiguous."""
    if answer is None:
        return None, False
    syns = [each for each in syns if each.at <= answer.at]
    if not syns:
        return None, False
    found = (answer.at - syns[-1].at) / NS_PER_SECOND
    if len(syns) == 1:
        return found, False
    # An answer that echoes our last timestamp answers that SYN (RFC 7323 section 4.1). One that
    # echoes an earlier one proves nothing: a retransmitted SYN-ACK does so, too.
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
