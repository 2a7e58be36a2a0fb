"""A connection summed up, what stands out in it, and the JSON form of both."""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from handshake import messages
from handshake.drawn import html_of
from handshake.tcp.copy import value
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from handshake.tcp import Agreement, Endpoint
    from handshake.tcp.icmp import IcmpError

Json: TypeAlias = dict[str, Any]
"""An object that the standard `json` module writes as it is."""


@value(frozen=True, slots=True)
class EndRecord:
    """One end of a connection, summed up. A field is None where nothing is known of it."""

    address: str
    port: int
    state: str | None
    """RFC 9293's name of the state it is in after the last segment."""

    iss: int | None
    mss: int | None
    """What it offered, in octets."""

    window_scale: int | None
    """The shift it offered: in force only where the other end offered one too."""

    sack_permitted: bool | None
    timestamps: bool | None
    ecn: bool | None
    segments: int
    bytes: int
    """Unique payload octets that it sent."""

    retransmissions: int
    out_of_order: int
    duplicate_acks: int
    zero_windows: int
    keep_alives: int = field(default=0, kw_only=True)
    window_updates: int = field(default=0, kw_only=True)
    copies: int = field(default=0, kw_only=True)
    """How many of its segments are copies: packets that were captured more than once. Wireshark's
    counters take them for segments that were sent."""

    resent: int = field(default=0, kw_only=True)
    """As `retransmissions`, without copies."""

    reordered: int = field(default=0, kw_only=True)
    """As `out_of_order`, without copies."""

    repeated_acks: int = field(default=0, kw_only=True)
    """As `duplicate_acks`, without copies."""

    fin: int
    rst: int
    accecn: bool | None = None
    """Whether its SYN offers accurate ECN feedback; `ecn` is that of RFC 3168."""

    fast_open: str | None = None
    """Fast Open in its SYN: `request` for a cookie, `cookie`, or None."""

    mptcp: str | None = None
    """The subtype of its SYN's Multipath TCP option, by name."""

    md5: bool | None = None
    ao_key: int | None = None
    """The id of the key that TCP-AO signed its SYN with."""

    user_timeout: int | None = None
    """The user timeout in its SYN: how long data may stay unacknowledged, in seconds."""

    ttl: int | None = None
    """Time to live, or hop limit, of its first packet where it was captured."""

    options_cut: bool | None = None
    """Whether the snap length cut off options of its SYN: null is then not known, not absent."""


@value(frozen=True, slots=True)
class HandshakeRecord:
    """How long the handshake took, in seconds, and what delayed it."""

    rtt: float | None
    """From the SYN that was answered (by its timestamp, or else the last one) to the ACK that ends
    the handshake, or to the RST that refused it; None where their order or times are in doubt."""

    initial_rtt: float | None = field(default=None, kw_only=True)
    """Wireshark's initial RTT: from the last SYN to the first ACK after it, whatever that answers;
    0 counts as not known."""

    rtt_ambiguous: bool = field(default=False, kw_only=True)
    """Whether something was sent twice, and no timestamp shows which copy was answered."""

    syn_to_syn_ack: float | None
    """From the SYN that was answered to the SYN-ACK: the path to the server and back."""

    syn_ack_to_ack: float | None
    """From the SYN-ACK that was answered to the ACK: the path to the client and back."""

    syn_retransmissions: int
    syn_ack_retransmissions: int
    simultaneous: bool
    fast_open: bool
    """Whether data in the SYN was accepted."""


_LIKELY: Final = frozenset(
    [
        "syn-lost",
        "syn-cleared",
        "ack-answers-syn",
        "challenge-ack",
        "idle-reset",
        "options-blanked",
        "checksum-offload",
        "checksum-accepted",
        "bad-checksum",
        "seen-twice",
        "port-scan",
        "host-scan",
        "own-firewall",
        "answered-on-the-way",
        "refused-by-firewall",
        "refused-by-host",
        "syn-proxy",
    ]
)
_POSSIBLE: Final = frozenset(
    ["reset-by-other-ttl", "refused-by-other-ttl", "middlebox", "syn-cookies", "syn-flood"]
)
"""Codes that name an inference, by how certain it is. The others name what the packets prove,
whatever causes the sentence then adds."""


@value(frozen=True, slots=True)
class Finding:
    """What an expert would point at: a code, and the values that its sentence names.

    The sentence stands in `messages/en/findings.toml`.
    """

    code: str
    """A name that programs may rely on; `tracker.findings.codes` lists them."""

    frame: int | None
    """The frame that proves it; None on a live wire."""

    values: Mapping[str, object] = field(default_factory=dict, hash=False)
    variant: str = ""
    """Which of its code's sentences fits; empty where there is only one."""

    family: str = field(default="findings", kw_only=True)
    """The table of its sentence: `findings` of an observer, or `notes` of a probe."""

    @property
    def text(self) -> str:
        """What it is, in English: what the packets prove, and what they only suggest."""
        return self.said(messages.ENGLISH)

    def said(self, language: str) -> str:
        """Return what it is in a language."""
        return messages.text(self.family, self.code, self.values, language, variant=self.variant)

    @property
    def certainty(self) -> str:
        """`proven` by the packets, `likely`, or `possible`: one of several readings."""
        if self.code in _LIKELY:
            return "likely"
        return "possible" if self.code in _POSSIBLE else "proven"

    def as_json(self) -> Json:
        """Return it as one JSON object."""
        return {
            "code": self.code,
            "frame": self.frame,
            "text": self.text,
            "certainty": self.certainty,
        }


@value(frozen=True, slots=True)
class RuledOut:
    """A cause that a diagnosis rules out, and the frame that does."""

    code: str
    frame: int | None
    values: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def text(self) -> str:
        """Why it is ruled out, in English."""
        return self.said(messages.ENGLISH)

    def said(self, language: str) -> str:
        """Return why it is ruled out, in a language."""
        values = {**self.values, "frame": self.frame}
        return messages.text("diagnosis", f"ruled-out.{self.code}", values, language)

    def as_json(self) -> Json:
        """Return it as one JSON object."""
        return {"code": self.code, "frame": self.frame, "text": self.text}


@value(frozen=True, slots=True)
class Diagnosis:
    """Why a connection did not go well: a cause, and how certain it is.

    The sentences stand in `messages/en/diagnosis.toml`.
    """

    code: str
    """A name that programs may rely on; `diagnosis.CODES` lists them."""

    certainty: str
    """`proven` by the evidence, `likely`, or `possible`: one of several causes."""

    evidence: tuple[int, ...]
    """The frames that show it; of a probe, the numbers of its segments, from 1."""

    ruled_out: tuple[RuledOut, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def text(self) -> str:
        """What happened and the likely cause, in English."""
        return self.said(messages.ENGLISH)

    @property
    def next(self) -> str:
        """The step that would tell more, in English."""
        return self.said(messages.ENGLISH, "next")

    def said(self, language: str, variant: str = "text") -> str:
        """Return what happened in a language; with the variant `next`, what would tell more."""
        return messages.text("diagnosis", self.code, self.values, language, variant=variant)

    def as_json(self) -> Json:
        """Return it as one JSON object."""
        return {
            "code": self.code,
            "certainty": self.certainty,
            "text": self.text,
            "evidence": list(self.evidence),
            "ruled_out": [each.as_json() for each in self.ruled_out],
            "next": self.next,
        }


@value(frozen=True, slots=True)
class Record:
    """A connection, summed up."""

    capture: str | None = field(default=None, kw_only=True)
    """The file that it is from; None where it is from none, or the name is not wanted."""

    stream: int
    client: EndRecord
    server: EndRecord
    roles: str
    start: str
    """When its first segment was seen: RFC 3339 with nanoseconds."""

    time: float | None = field(default=None, kw_only=True)
    """Seconds from the first packet of the capture to its first segment; None outside of one."""

    duration: float | None
    """Seconds from its first segment to its last; None where the clock stepped back between."""

    outcome: str
    closed: str | None
    handshake: HandshakeRecord
    completeness: int = field(default=0, kw_only=True)
    """Wireshark's `tcp.completeness`: 1 SYN, 2 SYN-ACK, 4 ACK, 8 data, 16 FIN, 32 RST."""

    conn_state: str | None
    """Zeek's `conn_state`: how it opened and ended; None where no header could be read."""

    history: str | None
    """Zeek's letters for what happened in it, upper case for the client."""

    frames: tuple[int | None, int | None]
    """The numbers of its first and last frame."""

    negotiated: Agreement | None = field(default=None, kw_only=True)
    """What was negotiated; None where not both SYNs were seen."""

    icmp: IcmpError | None = field(default=None, kw_only=True)
    """The ICMP error that answered the SYN."""

    findings: tuple[Finding, ...] = field(default=(), kw_only=True)
    diagnosis: Diagnosis | None = field(default=None, kw_only=True)
    """Why it did not go well; None if it went well."""

    def _repr_html_(self) -> str:
        return html_of(self)

    def as_json(self) -> Json:
        """Return it as one JSON object."""
        flat = _flat(self)
        return {
            **flat,
            "client": _flat(self.client),
            "server": _flat(self.server),
            "handshake": _flat(self.handshake),
            "negotiated": None if self.negotiated is None else _flat(self.negotiated),
            "findings": [each.as_json() for each in self.findings],
            "diagnosis": None if self.diagnosis is None else self.diagnosis.as_json(),
            "icmp": flat["icmp"] and icmp_record(self.icmp),
        }


def _flat(value: EndRecord | HandshakeRecord | Agreement | Record) -> Json:
    # Of a list of many records, dataclasses.asdict would take longer than all the rest.
    names, get = _fields(type(value))  # type: ignore[arg-type] # a class is hashable
    return dict(zip(names, get(value), strict=True))


@cache
def _fields(kind: type[Any]) -> tuple[tuple[str, ...], Callable[[object], tuple[object, ...]]]:
    """Return the attributes of a kind of values, and a function that gets them."""
    names = tuple(kind.__slots__)
    return names, attrgetter(*names)


def schema() -> Json:
    """Return the JSON schema of all that is written as JSON, each output under `$defs`."""
    import json
    from importlib.resources import files

    found: Json = json.loads((files("handshake") / "record.schema.json").read_text("utf-8"))
    return found


def icmp_record(error: IcmpError | None) -> Json | None:
    """Return an ICMP error as JSON."""
    if error is None:
        return None
    return {"type": error.type, "code": error.code, "from": str(error.sender)}


def rfc3339(at: int) -> str:
    """Return nanoseconds since 1970 as RFC 3339 writes a time, with all nine decimals."""
    whole, fraction = divmod(at, NS_PER_SECOND)
    return f"{_second(whole)}.{fraction:09d}Z"


@lru_cache(maxsize=1024)
def _second(whole: int) -> str:
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}"


def nanoseconds(start: str) -> int:
    """Return what `rfc3339` wrote as nanoseconds since 1970 again."""
    return _whole_seconds(start[:19]) * NS_PER_SECOND + int(start[20:29])


@lru_cache
def _whole_seconds(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp())


def endpoint_record(endpoint: Endpoint | None) -> Json | None:
    """Return an endpoint as JSON."""
    if endpoint is None:
        return None
    return {"address": str(endpoint.address), "port": endpoint.port}
