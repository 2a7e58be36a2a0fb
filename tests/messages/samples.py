"""Every sentence with values that a person can read; each is compared with its golden file.

After a sentence was changed on purpose, `python -m tests.messages.samples` writes the golden files
anew: read what `git diff tests/messages/golden` shows.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from textwrap import TextWrapper
from typing import TYPE_CHECKING, Final

from handshake import events as ev
from handshake.endpoint.outcome import note
from handshake.errors import HandshakeError
from handshake.events import Event, Role
from handshake.messages import ENGLISH, FAMILIES, LANGUAGES, Message, table
from handshake.record import Finding
from handshake.tcp import Agreement, Endpoint, Flags, Seq
from handshake.tcp.icmp import IcmpError
from tests.messages.diagnoses import DIAGNOSES, RULED_OUT

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN: Final = Path(__file__).parent / "golden"

INDENT: Final = " " * 4

CLIENT, SERVER = Role.CLIENT, Role.SERVER


def agreement(
    mss: tuple[int, int],
    shifts: tuple[int, int],
    *,
    sack: bool = True,
    timestamps: bool = True,
    ecn: str = "none",
) -> Agreement:
    """Return what two SYNs may negotiate."""
    return Agreement(
        client_mss=mss[0],
        server_mss=mss[1],
        client_shift=shifts[0],
        server_shift=shifts[1],
        sack=sack,
        timestamps=timestamps,
        ecn=ecn,
        fast_open="none",
        mptcp=False,
        md5=False,
        ao=False,
        user_timeout=None,
    )


OUTSIDE: Final = Message(
    "reasons", "unacceptable.reset-outside-window", {"seq": 900, "nxt": Seq(301)}
)

EVENTS: Final[tuple[Event, ...]] = (
    ev.SynSent(CLIENT, Seq(1000)),
    ev.SynRetransmitted(CLIENT, 1, 1.02),
    ev.SynRetransmitted(CLIENT, 1, 0.0000205),
    ev.SynRetransmitted(CLIENT, 1, 0.5, refused=True),
    ev.SynAckSent(SERVER, Seq(5000), Seq(1001)),
    ev.SynAckCrossed(CLIENT, Seq(5001)),
    ev.SynAckRetransmitted(SERVER, 2, 2.04, asked=False),
    ev.SynAckRetransmitted(SERVER, 1, 0.98, asked=True),
    ev.SynAckRetransmitted(SERVER, 1, 0.0000205, asked=False),
    ev.OptionsNegotiated(agreement((1460, 1460), (7, 10), ecn="classic"), scaled=True),
    ev.OptionsNegotiated(
        agreement((1400, 1460), (0, 0), sack=False, timestamps=False), scaled=False
    ),
    ev.OptionsNegotiated(
        agreement((1460, 1460), (7, 7), timestamps=False, ecn="accecn"), scaled=True
    ),
    ev.Established(0.0284),
    ev.Established(0.0284, 0.028),
    ev.Established(None),
    ev.SimultaneousOpen(SERVER, Seq(5000)),
    ev.Refused(SERVER, 0.0284),
    ev.CookieRequested(CLIENT),
    ev.CookieGiven(SERVER, bytes(8)),
    ev.FastOpenTried(CLIENT, 0, cookie=True),
    ev.FastOpenTried(CLIENT, 20, cookie=False),
    ev.FastOpenTried(CLIENT, 20, cookie=True),
    ev.FastOpenAnswered(SERVER, 20, 20),
    ev.FastOpenAnswered(SERVER, 0, 20),
    ev.DataSent(CLIENT, 517),
    ev.Acknowledged(SERVER, 517, fin=False),
    ev.Acknowledged(SERVER, 1, fin=True),
    ev.Acknowledged(SERVER, 518, fin=True),
    ev.UnseenAcknowledged(SERVER, 1448),
    ev.Retransmitted(CLIENT, 517, fin=False),
    ev.Retransmitted(CLIENT, 1, fin=True),
    ev.Retransmitted(CLIENT, 518, fin=True),
    ev.Retransmitted(CLIENT, 517, fin=False, unseen=1),
    ev.Retransmitted(CLIENT, 0, fin=False, unseen=1448),
    ev.GapSeen(SERVER, 1448),
    ev.FilledGap(SERVER, 1448),
    ev.FilledGap(SERVER, 1448, again=1448),
    ev.DuplicateAck(CLIENT),
    ev.AckedAgain(CLIENT, handshake=True),
    ev.AckedAgain(CLIENT, handshake=False),
    ev.WindowClosed(SERVER),
    ev.WindowClosed(SERVER, over=True),
    ev.WindowUpdated(SERVER, 65535),
    ev.WindowProbe(CLIENT),
    ev.KeepAlive(CLIENT),
    ev.KeepAlive(CLIENT, pending=True),
    ev.KeepAliveAck(SERVER),
    ev.FinSent(CLIENT, first=True),
    ev.FinSent(SERVER, first=False),
    ev.SimultaneousClose(),
    ev.Closed(()),
    ev.Closed((CLIENT,)),
    ev.Closed((CLIENT, SERVER)),
    ev.Aborted(CLIENT),
    ev.ResetRefused(SERVER),
    ev.ResetRefused(CLIENT, ours=True),
    ev.ResetForged(SERVER, 8, closed=True),
    ev.ResetForged(SERVER, 8, closed=False),
    ev.ResetDisproved(SERVER, 5),
    ev.StrayReset(CLIENT),
    ev.StrayReset(CLIENT, acks=True),
    ev.Dropped(SERVER, OUTSIDE),
    ev.ChallengeAck(SERVER),
    ev.SynCleared(CLIENT),
    ev.Lost(SERVER, 3, opens=True),
    ev.Lost(CLIENT, 9, opens=False),
    ev.NotYetArrived(SERVER, 4),
    ev.NotAccepted(CLIENT, 4),
    ev.OptionsCut(),
    ev.Copied(CLIENT, 1, 0.000007),
    ev.Copied(SERVER, None, 0.000003, hops=1),
    ev.Copied(CLIENT, 4, 10.0, replayed=True),
    ev.Malformed(("data offset 4 is below 5", "option mss: length 3, must be 4")),
    ev.BadChecksum(),
    ev.BadChecksum(partial=True),
    ev.MidStream(guessed=False),
    ev.MidStream(guessed=True),
    ev.PortReused(4),
)

_OUTCOMES: Final = tuple(
    Message("reasons", f"outcome.{outcome}", {"count": count})
    for outcome, count in (("no-answer", 25), ("refused", 5), ("established", 1))
)
_SCALING: Final = {"most": 65535, "rtt": 0.02, "bits": 26214000.0}
_SUMS: Final = {"bad": 9, "checked": 9, "all": False, "cut": False}
_ICMP: Final = {
    "sender": ip_address("203.0.113.9"),
    "destination": "198.51.100.7:80",
    "error": "host unreachable (ICMP 3/1)",
}
_RESET: Final = {"by": SERVER, "reason": OUTSIDE}
_FLOOD: Final = {
    "client": "192.0.2.10",
    "server": "198.51.100.7",
    "port": 80,
    "total": 1200,
    "hanging": 1190,
    "names": 1024,
    "more": True,
    "outcomes": _OUTCOMES,
}

FINDINGS: Final[tuple[Finding, ...]] = (
    Finding("no-answer", 1, {"count": 1, "span": 0.0}, "one"),
    Finding("no-answer", 3, {"count": 3, "span": 3.04}, "many"),
    Finding("syn-lost", 2, {"after": 1.02}),
    Finding("syn-ack-lost", 3),
    Finding("final-ack-lost", 4),
    Finding("half-open", 4, {"count": 3}),
    Finding("refused", 2, {"port": 81, "times": 1, "again": False}),
    Finding("refused", 2, {"port": 81, "times": 2, "again": True}),
    Finding("unreachable", 2, _ICMP),
    Finding("abandoned", 3),
    Finding("ack-answers-syn", 2),
    Finding("ack-without-syn", 2),
    Finding("self-connect", 1, {"port": 44620}),
    Finding("syn-cleared", 1, {"by": CLIENT}),
    Finding(
        "both-sides-of-nat",
        2,
        {
            "stream": 1,
            "end": "client",
            "was": "10.0.0.1:40000",
            "now": "203.0.113.5:61000",
            "gap": 0.000009,
        },
    ),
    Finding("options-cut", 1, {"count": 2}),
    Finding("syn-answered-late", 2, {"after": 1.0}),
    Finding("syn-ack-damaged", 2, {"count": 4, "ttl": 60}),
    Finding("syn-ack-isns", 3, {"first": 5000, "second": 7000}),
    Finding("split-handshake", 4),
    Finding("simultaneous-open", 2),
    Finding("port-reuse", 9, {"before": 4}),
    Finding("mid-stream", 1, {"guessed": True}),
    Finding("mid-stream", 1, {"guessed": False}),
    Finding("syn-data-rejected", 2, {"by": SERVER, "carried": 20, "taken": 0}),
    Finding("syn-data-rejected", 2, {"by": SERVER, "carried": 20, "taken": 8}),
    Finding("no-window-scaling", 2, _SCALING, "neither"),
    Finding("no-window-scaling", 2, _SCALING, "client-only"),
    Finding("no-window-scaling", 2, {**_SCALING, "bits": None}, "server-only"),
    Finding("shift-above-14", 2, {"by": CLIENT, "shift": 15}),
    Finding("no-mss", 1, {"by": CLIENT, "default": 536}),
    Finding("mss-low", 2, {"by": SERVER, "mss": 1360, "below": 100, "usual": 1460}),
    Finding("mss-clamped", 2, {"by": CLIENT, "syn": "SYN", "was": 1460, "now": 1360}),
    Finding("timestamps-refused", 2),
    Finding("timestamps-stripped", 2, {"by": CLIENT, "syn": "SYN", "gone": ["timestamps", "ECN"]}),
    Finding("timestamps-missing", 3, {"by": CLIENT}),
    Finding("timestamps-echo", 2, {"echoed": 8, "sent": 7}, "other"),
    Finding("timestamps-echo", 2, {"echoed": 0, "sent": 7}, "zero"),
    Finding("options-stripped", 3, {"by": SERVER, "syn": "SYN-ACK", "gone": ["MPTCP"]}),
    Finding("options-blanked", 1, {"by": CLIENT, "nops": 10, "octets": 20}),
    Finding("ecn-refused", 2),
    Finding("ecn-reflected", 2),
    Finding("ecn-fallback", 2),
    Finding("mptcp-refused", 2, {"subtype": "MP_CAPABLE"}),
    Finding("syn-cookies", 2),
    Finding("reset-after-accept", 5, {"after": 0.00312}),
    Finding("reset-by-other-ttl", 6, {"by": SERVER, "ttl": 60, "others": [52, 64]}, "other"),
    Finding("reset-by-other-ttl", 3, {"by": CLIENT, "ttl": 64, "others": [45]}, "syn"),
    Finding("refused-by-other-ttl", 7, {"server": "198.51.100.7", "ttl": 61, "others": [52]}),
    Finding("reset-out-of-window", 5, _RESET),
    Finding("reset-inexact", 5, _RESET),
    Finding("reset-wrong-ack", 5, _RESET),
    Finding("reset-with-data", 6, {"count": 4}),
    Finding("challenge-ack", 7, {"by": CLIENT}),
    Finding("idle-reset", 7, {"by": SERVER, "idle": 3600.0}),
    Finding(
        "zero-window", 5, {"by": SERVER, "time": 3.5, "times": 2, "again": True, "still": True}
    ),
    Finding(
        "zero-window", 5, {"by": SERVER, "time": 2.0, "times": 1, "again": False, "still": False}
    ),
    Finding("retransmissions", 5, {"by": CLIENT, "again": 3, "carrying": 4, "share": 0.75}),
    Finding("peer-silent", 7, {"by": CLIENT, "count": 3}),
    Finding("icmp-error", 9, _ICMP),
    Finding("middlebox", 6, {"by": SERVER, "syn_ttl": 52, "count": 3, "ttl": 40}),
    Finding("ttl-varies", 6, {"by": SERVER, "ttls": [51, 52]}),
    Finding("checksum-offload", 1, {"by": CLIENT, **_SUMS, "all": True}, "one-end"),
    Finding("checksum-offload", 1, {"by": CLIENT, **_SUMS, "bad": 8, "cut": True}, "both-ends"),
    Finding("bad-checksum", 4, {"by": CLIENT, **_SUMS, "bad": 1}),
    Finding("checksum-accepted", 1, {"by": SERVER, **_SUMS, "all": True, "cut": True}),
    Finding("malformed", 4, {"problems": ("data offset 4 is below 5",)}),
    Finding("reserved-bits", 4),
    Finding("answer-first", 2),
    Finding("clock-step", 2, {"count": 1, "back": 8.36}),
    Finding("clock-step", 2, {"count": 3, "back": 3413.0}),
    Finding("seen-twice", 5, {"count": 1, "gap": 0.001, "hops": 0}, "points"),
    Finding("seen-twice", 5, {"count": 16, "gap": 0.0000205, "hops": 1}, "points"),
    Finding("seen-twice", 11, {"count": 20, "gap": 10.0, "hops": 0}, "replayed"),
    Finding("numbers-rewritten", 3, {"by": SERVER, "count": 170}),
    Finding("capture-gap", 4, {"count": 500}),
    Finding("one-sided", 4, {"by": CLIENT}),
    Finding("port-scan", 1, {**_FLOOD, "total": 31}),
    Finding("host-scan", 1, {**_FLOOD, "total": 31, "port": 22, "names": 30, "more": False}),
    Finding("syn-flood", 1, _FLOOD, "one"),
    Finding("syn-flood", 1, _FLOOD, "many"),
)

_UNACCEPTABLE: Final[dict[str, dict[str, object]]] = {
    "closed": {},
    "listen": {},
    "wrong-ack-of-syn": {"ack": 91, "expected": Seq(101)},
    "no-answer-to-syn": {},
    "syn-in-synchronized-state": {},
    "second-syn": {},
    "impossible-header": {},
    "no-ack": {},
    "outside-window": {"seq": Seq(900000), "nxt": Seq(301), "wnd": 65535},
    "old-timestamp": {},
    "wrong-ack-in-syn-received": {"ack": 7, "expected": Seq(301)},
    "ack-of-unsent": {"ack": 900, "nxt": Seq(101)},
    "ack-of-old": {"ack": 900, "una": Seq(90101), "wnd": 65535},
    "reset-without-ack": {},
    "reset-wrong-ack": {"ack": 7, "expected": Seq(101)},
    "reset-without-connection": {},
    "reset-inexact": {"seq": Seq(320), "nxt": Seq(310)},
    "reset-outside-window": {"seq": Seq(900000), "nxt": Seq(301)},
}
_COUNTED: Final = ("no-answer", "refused", "half-open", "unreachable", "reset", "established")

REASONS: Final[tuple[Message, ...]] = (
    *(Message("reasons", f"unacceptable.{code}", values) for code, values in _UNACCEPTABLE.items()),
    *(Message("reasons", f"outcome.{outcome}", {"count": 3}) for outcome in _COUNTED),
)


_SEGMENT: Final = "<SEQ=301><ACK=7><CTL=RST,ACK>"
_SENDER: Final = ip_address("203.0.113.9")
_PATH: Final = {
    "ttl": 64,
    "most": 63,
    "address": ip_address("198.51.100.7"),
    "gateway": ip_address("192.0.2.1"),
}

NOTES: Final[tuple[Finding, ...]] = (
    note("bad-checksum", segment=_SEGMENT),
    note("unreadable", segment=_SEGMENT),
    note("bad-signature", segment=_SEGMENT),
    note("foreign-icmp", **_ICMP),
    note("icmp", **_ICMP, answered=False),
    note("icmp", **_ICMP, answered=True),
    note("rst-ignored", segment=_SEGMENT),
    note("stray", segment=_SEGMENT),
    note("wrong-ack", what="SYN-ACK", ack=Seq(7), expected=Seq(101)),
    note("bare-ack"),
    note("syn-retransmitted", count=2),
    note("simultaneous-open"),
    note("split-handshake", first=True),
    note("split-handshake", first=False),
    note("syn-ack-again", soon=True, syns=False),
    note("syn-ack-again", soon=False, syns=False),
    note("syn-ack-again", soon=False, syns=True),
    note("data-lost", count=5),
    note("data-lost", count=None),
    note("no-answer-to-fin"),
    note("unsent", why="a firewall on this machine dropped the packet (EPERM)"),
    note("segments-left-out", count=4096),
    note("kernel-reset", guard="filter", segment=_SEGMENT),
    note("own-firewall"),
    note("refused-by-firewall", "near", **_PATH),
    note("refused-by-firewall", "beyond", ttl=62, routers=2, sender=_SENDER),
    note("answered-on-the-way", answer="SYN-ACK", **_PATH),
    note("refused-by-host", routers=1),
    note("smaller-segments", mtu=1400, **_ICMP),
    note("uninvited-signature", segment=_SEGMENT),
    note("reset-and-syn-ack", reset=64, ttl=50, gap=0.05, later=True, same=False),
    note("reset-and-syn-ack", reset=64, ttl=64, gap=0.002, later=False, same=True),
    note("resets-differ", ttls=[57, 64]),
    note("options-stripped", missing=["SACK", "timestamps", "window scaling"]),
    note("options-refused", missing=["SACK"], one=True),
    note("options-refused", missing=["SACK", "timestamps"], one=False),
    note("no-mss", default=536),
    note("mss-low", mss=1380, below=80, path=1460, tiny=False),
    note("mss-low", mss=1, below=1459, path=1460, tiny=True),
    note("syn-proxy", "opened", ttl=64, ttls=[63]),
    note("syn-proxy", "opened", ttl=64, ttls=[]),
    note("syn-proxy", "never-opened", ttl=64, ttls=[62, 63]),
    note("syn-proxy", "never-opened", ttl=64, ttls=[]),
    note("syn-proxy", "stayed-closed"),
)

_ERROR: Final = "host unreachable (ICMP 3/1)"
_ANSWERED: Final[dict[str, object]] = {"asked": "FIN", "port": 80}


_REPORTED: Final = IcmpError(
    4,
    3,
    13,
    ip_address("10.9.1.254"),
    Endpoint.of("10.0.0.1", 4000),
    Endpoint.of("192.0.2.9", 83),
    Seq(1),
)


def _verdict(code: str, **values: object) -> Message:
    return Message("verdicts", code, values)


_ACKS: Final = (
    _verdict("ack.accepted", seen=True),
    _verdict("ack.retransmitted", count=1, once=True, seen=True),
    _verdict("ack.retransmitted", count=2, once=False, seen=True),
    _verdict("ack.silent", watched=1.25, seen=True),
    _verdict("ack.late", late=70.25),
    _verdict("ack.too-soon", watched=0.5, seen=True),
    _verdict("ack.unobserved"),
)
_BY_CONNECT: Final = (
    _verdict("ack.accepted", seen=False),
    _verdict("ack.retransmitted", count=2, once=False, seen=False),
    _verdict("ack.silent", watched=1.25, seen=False),
    _verdict("ack.too-soon", watched=0.5, seen=False),
)
_MISSING: Final = (_verdict("missing.no-data"), _verdict("missing.other-data", count=15))

VERDICTS: Final[tuple[Message, ...]] = (
    *_ACKS,
    *_MISSING,
    _verdict("unmet.no-data"),
    _verdict("unmet.other-data", count=15),
    *(_verdict("open", port=80, ack=each, missing="") for each in _ACKS),
    *(_verdict("open", port=80, ack=_ACKS[0], missing=each) for each in _MISSING),
    _verdict("open-proxied", port=80, ack=_ACKS[0], missing=""),
    *(_verdict("connected", port=80, ack=each, missing="") for each in _BY_CONNECT),
    _verdict("connected-proxied", port=80, ack=_BY_CONNECT[0], missing=""),
    _verdict("closed", port=81),
    _verdict("lossy", lost=4, sent=13, share=4 / 13),
    _verdict("refused.contradicted", port=81),
    _verdict("refused.several", port=81),
    _verdict("filtered.silent", count=3, seconds=5.0),
    _verdict("filtered.signed", count=1, seconds=5.0),
    _verdict("filtered.ignored", count=3, seconds=5.0),
    _verdict("unreachable.neighbour", protocol="ARP", gateway=False, address="192.0.2.9"),
    _verdict(
        "unreachable.neighbour", protocol="neighbour discovery", gateway=True, address="fe80::1"
    ),
    _verdict("unreachable.no-reply", protocol="ARP", address="192.0.2.9", error=_ERROR),
    _verdict("unreachable.rejected", error="administratively prohibited (ICMP 3/13)"),
    _verdict("unreachable.host", error="port unreachable (ICMP 3/3)"),
    _verdict("unreachable.router", sender=_SENDER, error=_ERROR),
    _verdict("half-open.retransmitted", after=["1.0", "3.0"]),
    _verdict("half-open.unacknowledged"),
    _verdict("half-open.withheld", after=["1.0", "3.0", "7.1"]),
    _verdict("half-open.withheld-silent", watched=8.0, stateless=True),
    _verdict("half-open.withheld-silent", watched=0.5, stateless=False),
    _verdict("reset", accepted=True),
    _verdict("reset", accepted=False),
    _verdict("bad-peer", count=3),
    _verdict("crossed.open", port=80),
    _verdict("crossed.split", port=80),
    _verdict("crossed.split-syn-first", port=80),
    _verdict("crossed.reset", port=80),
    _verdict("crossed.half-open", port=80),
    _verdict("segment.none"),
    *(_verdict(f"segment.{code}", **_ANSWERED) for code in ("reset", "closed-syn", "closed")),
    _verdict("segment.open", **_ANSWERED),
    *(
        _verdict(f"segment.{code}", **_ANSWERED, seconds=5.0, count=count, many=count > 1)
        for code in ("filtered-ack", "filtered-syn", "filtered")
        for count in (1, 3)
    ),
    _verdict("unsent.segment", asked="SYN", why=_verdict("unsent.queued")),
    _verdict("unsent.not-seen"),
    _verdict("unsent.dropped"),
    _verdict("unsent.queued"),
    _verdict("unsent.rejected", error="administratively prohibited (ICMP 3/13)"),
    _verdict("unsent.itself", port=5000),
    *(
        _verdict(
            "unusable", host="a.example", why=f"{each} is not unicast", unspecified=unspecified
        )
        for each, unspecified in (("0.0.0.0", True), ("224.0.0.1", False))
    ),
)


_ERROR_VALUES: Final[dict[str, object]] = {
    "address": "192.0.2.9",
    "at": 14,
    "beginning": "Ethernet",
    "beginnings": ["ethernet", "ip", "tcp"],
    "bracket": "(",
    "capture": "a.pcap",
    "captured": 4294967295,
    "choices": ["fin", "rst", "none"],
    "colon": False,
    "column": 9,
    "command": "sudo handshake probe a.example:80",
    "count": 1,
    "down": [],
    "errno": "EADDRINUSE",
    "escape": "\\q",
    "failures": "filter: operation not permitted (EPERM); md5: the kernel still sends a RST",
    "field": "MSS",
    "first": 7,
    "flags": "FIN",
    "format": "zstd",
    "host": "a.example",
    "interface": "eth7",
    "key": "server.port",
    "kind": 300,
    "least": 0,
    "length": 70000,
    "lessons": ["connect"],
    "kinds": ["syn", "syn-ack"],
    "lesson": "connect",
    "link_type": 77,
    "meant": ["[fe80::1:80]:443", "[fe80::1]:80"],
    "most": 65535,
    "name": "tls",
    "number": 26,
    "filtered": False,
    "offset": 24,
    "one": True,
    "option": "--interval",
    "options": ["--json", "--csv"],
    "other": "--count",
    "others": ["--hold"],
    "packet": 2,
    "port": 4242,
    "ports": "9-8",
    "rate": "1e-300",
    "rto": "1e-12",
    "scheme": "gopher",
    "seconds": 120,
    "similar": [],
    "after": True,
    "keys": ["#", "outcome"],
    "words": ["fin", "half-closed"],
    "size": 60,
    "source": "port 4242 of 10.77.0.1",
    "speed": "0",
    "state": "CLOSED",
    "step": 10,
    "target": "a.example",
    "text": "zz",
    "timestamps": True,
    "value": 70000,
    "version": "7.1",
    "why": "no space left on device (ENOSPC)",
}
"""What the sentences of errors name."""

_OWN_VALUES: Final[dict[str, dict[str, object]]] = {
    "at-most": {"option": "--count", "value": 10**15 + 1, "most": 10**15},
    "watch.interface": {"text": "eth7", "names": ["lo", "eth0"]},
    "watch.filter": {"text": "prot 80", "why": "can't parse filter expression: syntax error"},
    "watch.no-libpcap": {"text": "tcp or udp"},
    "no-capture": {"command": "sudo handshake watch"},
    "no-packet-socket": {"why": "module 'socket' has no attribute 'AF_PACKET'"},
    "serve.in-use": {"port": 8080},
    "serve.misbehave": {"name": "mss", "names": ("no-syn-ack", "mss-1")},
    "serve.misbehave-value": {"text": "mss-1=2", "most": 60},
    "serve.port": {"text": "70000"},
    "bind.interface": {"source": "eth7", "errno": "EPERM"},
    "bind.itself": {"port": 5000, "errno": "EADDRINUSE"},
    "bind.no-free-port": {"source": "10.77.0.1"},
    "bind.no-interface": {"source": "eth7", "errno": "ENODEV"},
    "bind.not-local": {"source": "192.0.2.77", "errno": "EADDRNOTAVAIL"},
    "bind.privileged-port": {"source": "port 79", "errno": "EACCES"},
    "capture.broken": {"why": "input/output error (EIO)"},
    "capture.corrupt.block-length": {"length": 4294967280},
    "capture.corrupt.interface": {"interface": 1},
    "capture.damaged": {"why": "Corrupted block detected"},
    "capture.truncated": {"why": "the gzip data ends early"},
    "capture.unreadable": {"why": "the gzip data ends early"},
    "capture.version": {"format": "snoop"},
    "capture.unpacked": {"most": 67108864},
    "size": {"option": "--max-unpacked", "value": "lots"},
    "choice": {"option": "--close", "value": "maybe"},
    "copies": {"count": 20, "dropped": False},
    "conflict.connect": {"others": ["--mss", "--ecn"]},
    "conflict.md5": {"others": ["--timestamps"]},
    "conflict.monitor": {"others": ["--count"]},
    "conflict.wscale": {"others": ["--no-wscale"]},
    "connection.lost": {"why": "no route to host (EHOSTUNREACH)"},
    "demo.drop": {"value": "sin"},
    "demo.step": {"count": 9},
    "demo.your-turn": {"others": ["--live", "--json"]},
    "export.ending": {"name": "it.pdf", "endings": [".html", ".svg", ".txt"]},
    "demo.what-if": {"options": ["--closed"], "lesson": "loss", "allowed": ["--drop", "--rtt"]},
    "demo.by-end": {"option": "--mss", "value": "both:1", "least": 1, "most": 65535},
    "file.unopened": {"why": "file name too long (ENAMETOOLONG)"},
    "filter.depth": {"most": 50},
    "filter.not-a-boolean": {"key": "client.ecn"},
    "internal": {"why": "ZeroDivisionError: division by zero"},
    "live.command": {"name": "nft", "package": "nftables"},
    "live.failed": {"what": "ip link add", "said": "operation not permitted"},
    "list.interrupted": {"done": 12, "count": 40, "one": False},
    "list.left-out": {"count": 4000, "most": 100000, "one": False},
    "list.missing": {"count": 3, "before": "day.pcap04"},
    "list.process-again": {"signal": "SIGKILL"},
    "list.process-died": {"signal": "SIGKILL"},
    "cluster.address": {"address": "localhost"},
    "cluster.lost": {"address": "tcp://192.0.2.1:8786"},
    "cluster.no-workers": {"address": "tcp://192.0.2.1:8786", "seconds": 30},
    "cluster.other-version": {"why": "No module named 'handshake'"},
    "cluster.unreachable": {"address": "tcp://192.0.2.1:8786", "seconds": 10.0},
    "library": {
        "asked": "--parquet",
        "library": "pyarrow",
        "package": "'tcp-handshake[table]'",
    },
    "list.partial": {"names": ["week.parquet.partial"], "one": True},
    "list.stdin-twice": {"count": 2},
    "list.summary-form": {"option": "--zeek"},
    "no-raw-sockets": {"why": "address family not supported by protocol (EAFNOSUPPORT)"},
    "no-syn": {"why": "this machine has no route to the address (ENETUNREACH)"},
    "options.kind-data": {"kind": 1},
    "options.md5-length": {"length": 81, "most": 80},
    "options.too-long": {"why": "TCP options take 52 octets, but a header has room for 40"},
    "probe.empty": {"option": "--data"},
    "probe.escape": {"option": "--data"},
    "probe.hex": {"option": "--md5"},
    "probe.positive": {"value": "inf", "most": "86400"},
    "probe.rto": {"least": "0.001"},
    "send.blackhole": {"errno": "EINVAL"},
    "send.broadcast": {"address": "10.77.0.255"},
    "send.failed": {"why": "no buffer space available (ENOBUFS)"},
    "send.firewall": {"errno": "EPERM"},
    "send.interface-down": {"errno": "ENETDOWN"},
    "send.ip-versions": {"source": "10.77.0.1", "address": "fd77::2"},
    "send.loopback-source": {"source": "127.0.0.1"},
    "send.no-interface": {"errno": "ENODEV"},
    "send.no-ip-version": {"errno": "EAFNOSUPPORT"},
    "send.no-route": {"errno": "ENETUNREACH"},
    "send.no-source": {"errno": "EADDRNOTAVAIL"},
    "send.other-link": {"address": "fe80::2%eth0"},
    "send.prohibited": {"errno": "EACCES"},
    "send.source-not-local": {"source": "192.0.2.77"},
    "send.source-not-unicast": {"source": "224.0.0.1"},
    "send.unreachable": {"errno": "EHOSTUNREACH"},
    "skipped.ether-type": {"why": "0x4305 (B.A.T.M.A.N.)", "count": 334},
    "skipped.gre-type": {"why": "0x6559 (Frame Relay)"},
    "skipped.link-type": {"why": "189 (USB)", "count": 3},
    "skipped.malformed": {"why": "inconsistent lengths in the IP header"},
    "target.bracket": {"target": "[fe80::1:80"},
    "target.no-brackets": {"target": "fe80::1:80"},
    "target.no-colon": {"target": "[::1]80", "host": "::1"},
    "target.no-host": {"target": ":80"},
    "target.no-interface": {"address": "fe80::2%eth7"},
    "target.no-scope": {"address": "fe80::2"},
    "target.long": {"begin": "a.example", "count": 300},
    "target.not-a-name": {"host": "a..example"},
    "target.not-unicast": {"address": "224.0.0.1"},
    "target.port": {"target": "a.example:htps", "port": "htps"},
    "target.port-range": {"target": "a.example:0", "port": 0},
    "craft.option": {"text": "MSS:05b4"},
    "craft.sack-blocks": {"text": "1001"},
    "craft.ip-flags": {"text": "XF"},
    "craft.checksum": {"option": "--checksum", "value": "bad", "partial": True},
    "craft.name": {"option": "TARGET", "value": "www:80"},
    "craft.number": {"option": "--window", "value": "65536", "most": 0xFFFF},
    "craft.endpoint": {"option": "TARGET", "value": "[::1:80"},
    "craft.twice": {"value": "192.0.2.2:80", "other": "192.0.2.3:80"},
    "craft.options-length": {"length": 44, "most": 40},
    "craft.ip-options-length": {"length": 44, "most": 40},
    "craft.too-long": {"length": 70000, "most": 65535},
    "decode.digit": {"sign": "g", "word": "4500g"},
    "decode.odd": {"count": 7},
    "craft.versions": {"source": "192.0.2.1", "address": "2001:db8::2"},
    "decode.several": {"count": 3},
    "decode.first": {"frame": 4},
    "decode.protocol": {"protocol": 17, "name": "UDP"},
    "decode.ether-type": {"at": 12, "ether_type": "0x0806", "name": "ARP"},
    "target.ports": {"target": "a.example"},
    "target.scheme": {"target": "gopher://a.example"},
    "target.slash": {"target": "a.example/index"},
    "target.unprintable": {"target": "a\x1b:80"},
    "target.no-name-server": {"why": "temporary failure in name resolution"},
    "target.unknown-name": {"why": "name or service not known", "version": 6},
    "target.unresolved": {"why": "non-recoverable failure in name resolution"},
    "target.url": {"target": "http://a.example:99999", "why": "port out of range 0-65535"},
    "target.user": {"target": "a.example:22"},
    "time-range": {"most": 86400},
}
"""What single sentences name in place of that."""

_MORE_ERRORS: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("filter.no-such-word", {"similar": ["syn-lost", "syn-ack-lost"]}),
    ("unknown-key", {"similar": ["client.port", "server.port"]}),
    ("send.no-route", {"down": ["eth0", "wlan0"]}),
    ("bind.in-use", {"port": 0, "source": "10.77.0.1"}),
    ("options.too-long", {"timestamps": False}),
    ("target.no-port", {"colon": True, "target": "a.example:"}),
    ("capture.truncated", {"packet": 0, "why": ""}),
    ("copies", {"count": 1, "dropped": True}),
    ("list.not-listed", {"filtered": True}),
    ("list.late", {"count": 3, "one": False}),
    ("list.left-out", {"count": 1, "most": 1, "one": True}),
    ("list.interrupted", {"done": 1, "count": 2, "one": True}),
    ("replay.connection", {"count": 0}),
    ("craft.checksum", {"option": "--ip-checksum", "value": "bad", "partial": False}),
    ("decode.protocol", {"protocol": 253, "name": ""}),
    ("decode.ether-type", {"at": 16, "ether_type": "0x8892", "name": ""}),
    ("probe.positive", {"option": "--rate", "value": "0", "most": ""}),
)
"""Sentences with a clause more or less."""

ERRORS: Final = tuple(
    HandshakeError(code, **(_ERROR_VALUES | _OWN_VALUES.get(code, {}) | values))
    for code, values in (*((each, {}) for each in table("errors")), *_MORE_ERRORS)
)


_PROBE_VALUES: Final[dict[str, object]] = {
    "accepted": 3,
    "ack": Seq(77),
    "answered": 2,
    "address": "192.0.2.9",
    "back": "ttl-exceeded",
    "behind": 11,
    "after": ["1.0", "3.0"],
    "again": True,
    "ambiguous": False,
    "answer": "SYN-ACK",
    "began": 64,
    "cause": "close: clean",
    "close": "clean",
    "client": True,
    "code": 1,
    "cookie": "0123456789abcdef",
    "count": 3,
    "default": 536,
    "error": _REPORTED,
    "differ": True,
    "expected": Seq(1001),
    "fields": "seq=0 win=65160 mss=1460 ws=7",
    "figures": "min/median/p95/max/stddev = 1.000/2.000/4.000/4.000/0.600 ms",
    "found": "2 open, 1 closed",
    "gap": 0.0123,
    "hops": 12,
    "known": True,
    "least": 1.0,
    "left": "1.4",
    "lost": "",
    "many": True,
    "most": "at most 64 KiB",
    "more": 2,
    "mtu": 1500,
    "name": "ICMP",
    "opened": True,
    "option": "MSS 1460",
    "other": False,
    "ours": "SYN-SENT",
    "place": "hop 2",
    "port": 81,
    "protocol": "ARP",
    "rate": "",
    "reason": _verdict("unsent.not-seen"),
    "resent": 0,
    "reset": 64,
    "rest": 0,
    "routers": 12,
    "rtt": "28.4 ms",
    "seconds": "1.4",
    "sender": _SENDER,
    "sent": 2,
    "server": "192.0.2.7",
    "share": 8.333,
    "shift": 7,
    "silent": 4,
    "size": "8 MiB",
    "syn_ack": 52,
    "target": "10.0.0.1:80",
    "text": "HTTP/1.0 200 OK",
    "theirs": "?",
    "took": 2.5,
    "ttl": 61,
    "ttls": [52, 61],
    "unmet": "",
    "usual": True,
    "waited": "28.4 ms",
    "what": "SYN-ACK",
    "when": "28.000 ms",
    "why": _verdict("unsent.queued"),
}
"""What the sentences of a probe name."""

_MORE_OF_PROBE: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("evidence.reset", {"after": 0.031}),
    ("evidence.reset", {"after": 0.031, "known": False}),
    ("cause.late", {"waited": 3.0291}),
    ("evidence.withheld", {"again": False}),
    ("evidence.rst", {"routers": 0, "ttl": 64}),
    ("fact.mss", {"usual": False, "mtu": 1400}),
    ("fact.sent", {"rest": 2}),
    ("ladder.segment", {"client": False, "lost": True}),
    ("many.answered", {"lost": ", 8.33% loss", "resent": 6, "unmet": ", 1 without it", "many": 1}),
    ("many.timers", {"most": 3.0}),
    ("many.timers", {"most": 1.0, "differ": False}),
    ("many.times", {"count": 0}),
    ("many.total", {"count": 12345, "rate": 2, "many": True}),
    ("title.after", {"ambiguous": True}),
    ("title.round-trip", {"ambiguous": True}),
    ("known.nothing", {"other": True}),
    ("known.rst", {"opened": False}),
    ("traced.evidence", {"silent": 0}),
    ("traced.sentence", {"rtt": 0.0284}),
    ("title.late", {"waited": 3.0291}),
)
"""Other values, and sentences with a clause more or less."""

_TIMED: Final = ("cause.late", "many.timers", "evidence.reset", "title.late", "traced.sentence")
"""Sentences that name a time, where others name a text."""

PROBE: Final = tuple(
    Message("probe", code, _PROBE_VALUES | values)
    for code, values in sorted(
        (
            *((each, {}) for each in table("probe") if each not in _TIMED),
            *_MORE_OF_PROBE,
        ),
        key=lambda each: each[0],
    )
)


_PROBLEM_VALUES: Final[dict[str, object]] = {
    "ack": 77,
    "at": 36,
    "bits": 2,
    "count": 60,
    "flags": Flags.SYN | Flags.FIN,
    "found": 0x1234,
    "icmp": _REPORTED,
    "kind": 2,
    "length": 28,
    "name": "mss",
    "offset": 15,
    "protocol": 17,
    "port": 443,
    "right": 0xC40F,
    "rtt": 0.0284,
    "said": 60,
    "shift": 15,
    "size": 60,
    "there": 13,
    "timeout": 2.0,
    "urgent": 5,
    "why": "length 3, must be 4",
    "words": 4,
    "zeros": False,
}
"""What the sentences about one packet name."""

_MORE_PROBLEMS: Final = (("trailer", {"length": 1, "zeros": True}), ("ip-words", {"words": 1}))

PROBLEMS: Final = tuple(
    Message("problems", code, _PROBLEM_VALUES | values)
    for code, values in (*((each, {}) for each in table("problems")), *_MORE_PROBLEMS)
)


_SCREEN_VALUES: Final[dict[str, object]] = {
    "ambiguous": False,
    "endings": ".html .svg",
    "client": 0.0004,
    "median": 0.0176,
    "most": 1.39,
    "rtt": 1.391,
    "server": 1.3906,
    "left_out": 4,
    "lost": 3,
    "open": 2,
    "place": "eth0  port 443",
    "unlisted": 5,
    "by": CLIENT,
    "captures": 0,
    "parts": 0,
    "certainty": "likely",
    "code": "syn-lost",
    "connections": 1200,
    "count": 2,
    "data": 3,
    "down": "↓",
    "ellipsis": "…",
    "every": 0,
    "files": 3,
    "filter": "rtt > 200ms",
    "first": 4,
    "first_number": 7,
    "frames": "4, 9",
    "kind": "refused",
    "last": 9,
    "last_number": 12,
    "left": "←",
    "many": True,
    "meaning": "administratively prohibited",
    "more": 0,
    "name": "day.pcap",
    "number": 4,
    "octets": 1,
    "one": 4,
    "order": "-rtt",
    "other": 6,
    "packets": 1,
    "position": "segment 4, packet 9",
    "rate": 180000.0,
    "right": "→",
    "seconds": 3.04,
    "section": "RFC 9293 3.1",
    "segments": 2400,
    "sender": "203.0.113.9",
    "sources": 1,
    "syn": 1,
    "syn_ack": 2,
    "text": "the SYN was lost",
    "up": "↑",
    "value": 3,
    "words": 10,
}
"""What the words of the screens name."""

_MORE_OF_SCREENS: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("diagnosis.evidence", {"many": False, "frames": "4"}),
    ("diagnosis.evidence", {"more": 7}),
    ("field.place", {"many": False}),
    ("list.progress", {"many": False}),
    ("round-trip.whole", {"ambiguous": True}),
    ("list.shown", {"every": 5000}),
    ("totals.title", {"captures": 3}),
    ("totals.title", {"parts": 3}),
)

SCREENS: Final = tuple(
    Message("screens", code, _SCREEN_VALUES | values)
    for code, values in (*((each, {}) for each in table("screens")), *_MORE_OF_SCREENS)
)


_SERVE_VALUES: Final[dict[str, object]] = {
    "backlog": 128,
    "count": 3,
    "guard": "filter",
    "half_open": 1,
    "kinds": ["2 closed", "1 reset"],
    "misbehaves": "zero-window",
    "open": 2,
    "place": "port 8080",
    "total": 3,
}

_MORE_OF_SERVE: Final[tuple[tuple[str, dict[str, object]], ...]] = (
    ("listening", {"misbehaves": ""}),
    ("summary", {"total": 1, "kinds": []}),
    ("accept-queue-full", {"count": 1}),
    ("syns-dropped", {"count": 1}),
)

SERVE: Final = tuple(
    Message("serve", code, _SERVE_VALUES | values)
    for code, values in sorted(
        (*((each, {}) for each in table("serve")), *_MORE_OF_SERVE), key=lambda each: each[0]
    )
)


WATCH: Final = tuple(
    Message("watch", code, {"count": 12345, "lost": 3, "packets": 70000, "place": "eth0"} | values)
    for code, values in sorted(
        (*((each, {}) for each in table("watch")), ("lost", {"count": 1})), key=lambda each: each[0]
    )
)


def samples(family: str, language: str = ENGLISH) -> Iterator[tuple[str, str]]:
    """Yield the entry of each sample in its table, and the sentence."""
    match family:
        case "events" | "findings" | "notes":
            own: dict[str, tuple[Event | Finding, ...]]
            own = {"events": EVENTS, "findings": FINDINGS, "notes": NOTES}
            for each in own[family]:
                code = f"{each.code}.{each.variant}" if each.variant else each.code
                yield code, each.said(language)
        case "reasons" | "verdicts" | "probe" | "problems" | "screens" | "serve" | "watch":
            found = {
                "reasons": REASONS,
                "verdicts": VERDICTS,
                "probe": PROBE,
                "problems": PROBLEMS,
                "screens": SCREENS,
                "serve": SERVE,
                "watch": WATCH,
            }
            for reason in found[family]:
                yield reason.code, reason.said(language)
        case "diagnosis":
            for diagnosis in DIAGNOSES:
                yield f"{diagnosis.code}.text", diagnosis.said(language)
                yield f"{diagnosis.code}.next", diagnosis.said(language, "next")
            for ruled_out in RULED_OUT:
                yield f"ruled-out.{ruled_out.code}", ruled_out.said(language)
        case "errors":
            for error in sorted(ERRORS, key=lambda each: each.code):
                yield error.code, error.said(language)


def golden(family: str, language: str = ENGLISH) -> str:
    """Return what the golden file of a family should hold."""
    wrap = TextWrapper(
        width=96, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False
    )
    return "\n".join(f"{key}\n{wrap.fill(text)}\n" for key, text in samples(family, language))


TRANSLATIONS: Final = tuple(each for each in LANGUAGES if each != ENGLISH)
"""The other languages."""


def place(family: str, language: str = ENGLISH) -> Path:
    """Return the golden file of a family in a language."""
    return GOLDEN / ("" if language == ENGLISH else language) / f"{family}.txt"


if __name__ == "__main__":
    for spoken in LANGUAGES:
        for name in FAMILIES:
            place(name, spoken).write_text(golden(name, spoken), encoding="utf-8")
