"""What a trace concludes from its hops. What is on the wire, `tests/live` tests."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest
from scapy.layers.inet import IP, TCP

from handshake.packet.quote import packet_quote
from handshake.prober.trace import FARTHEST, Difference, Trace, TracedHop, differences
from handshake.tcp.icmp import IcmpError
from tests.packet.test_quote import OPTIONS, SENT
from tests.schema import valid
from tests.segments import A, B, segment

SEQ = segment("<SEQ=1><CTL=SYN>", by=A).seq


def passed(ttl: int, *found: Difference) -> TracedHop:
    """Return a hop whose router passes SYNs on, and quotes them so."""
    error = IcmpError(4, 11, 0, ip_address(f"203.0.113.{ttl}"), A, B, SEQ)
    return TracedHop(ttl, 1, error, rtt=0.001 * ttl, differences=found)


def rejected(ttl: int, by: int) -> TracedHop:
    return TracedHop(
        ttl, 1, IcmpError(4, 3, 13, ip_address(f"203.0.113.{by}"), A, B, SEQ), rtt=0.01
    )


def silent(ttl: int, sent: int = 3) -> TracedHop:
    return TracedHop(ttl, sent)


def answered(ttl: int, answer: str = "SYN-ACK") -> TracedHop:
    return TracedHop(ttl, 1, answer=answer, rtt=0.02)


def trace(*hops: TracedHop, final: TracedHop | None = None) -> Trace:
    return Trace("a.example:80", "198.51.100.7", 80, hops, final)


TRACES = {
    "answered": (
        trace(passed(1), passed(2), answered(3)),
        "SYN-ACK from hop 3",
    ),
    "dropped": (
        trace(passed(1), passed(2), *map(silent, range(3, 7)), final=silent(64)),
        "after hop 2, 203.0.113.2 (or by a silent router behind it)",
    ),
    "hidden": (
        trace(passed(1), *map(silent, range(2, 6)), final=answered(64, "RST")),
        "RST from behind hop 1, 203.0.113.1: the hops between report nothing",
    ),
    "rejected": (
        # A router may reject what it would not have forwarded either way.
        trace(passed(1), passed(2), rejected(3, by=2)),
        "by hop 2, 203.0.113.2: admin-prohibited",
    ),
    "nothing": (
        trace(*map(silent, range(1, 5)), final=silent(64)),
        "no router reports anything, and nothing answers",
    ),
    "unseen": (
        trace(*map(silent, range(1, 5)), final=answered(64)),
        "SYN-ACK, and no router reports anything",
    ),
    "far": (
        trace(*(passed(ttl) for ttl in range(1, FARTHEST + 1))),
        "30 routers passed it on and it has not arrived: a routing loop if they repeat",
    ),
}


@pytest.mark.parametrize("code", TRACES)
def test_each_path_has_its_verdict(code: str) -> None:
    found, verdict = TRACES[code]
    assert (found.verdict.code, str(found.verdict)) == (f"trace.{code}", verdict)
    assert found.succeeded == ("SYN-ACK" in verdict)
    valid(found.as_json(), "trace")
    assert found.as_json()["verdict"] == code


def test_a_router_that_only_rejects_is_where_it_did() -> None:
    found = trace(passed(1), rejected(2, by=9))
    assert str(found.verdict) == "by hop 2, 203.0.113.9: admin-prohibited"


def test_a_change_lies_between_the_last_hop_without_it_and_the_first_with_it() -> None:
    mss = Difference("mss", "MSS 1460", "MSS 1400")
    tos = Difference("tos", "0x00", "0x20")
    found = trace(passed(1), silent(2), passed(3, mss), passed(4, mss, tos), answered(5))
    assert found.changes == ((1, 3, mss), (3, 4, tos))
    valid(found.as_json(), "trace")


CHANGED: dict[str, tuple[IP, dict[str, object], list[Difference]]] = {
    "nothing but the TTL": (IP(ttl=9), {}, []),
    "tos": (IP(tos=0), {}, [Difference("tos", "0x20", "0x00")]),
    "window": (IP(), {"window": 5840}, [Difference("window", "64240", "5840")]),
    "flags": (IP(), {"flags": "SEC"}, [Difference("flags", "SYN", "SYN-ECE-CWR")]),
    "mss": (
        IP(),
        {"options": [("MSS", 1400), *OPTIONS[1:]]},
        [Difference("mss", "MSS 1460", "MSS 1400")],
    ),
    "removed": (
        IP(),
        {"options": [OPTIONS[0], *OPTIONS[2:]]},
        [Difference("sack-permitted", "SACK ok", "")],
    ),
    "added": (
        IP(),
        {"options": [*OPTIONS, (30, b"\0\1")]},
        [Difference("mptcp", "", "MPTCP MP_CAPABLE")],
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_was_changed_shows_in_the_quote(name: str) -> None:
    ip, fields, expected = CHANGED[name]
    arrived = SENT.copy()
    for key, value in ip.fields.items():
        setattr(arrived, key, value)
    for key, value in fields.items():
        setattr(arrived[TCP], key, value)
    arrived = IP(bytes(arrived))
    found = list(differences(packet_quote(bytes(SENT)), packet_quote(bytes(arrived))))
    assert [each.field for each in found] == [each.field for each in expected]
    assert found == expected or name == "added"


def test_what_is_not_quoted_is_not_different() -> None:
    cut = packet_quote(bytes(SENT)[:40])
    assert not cut.whole
    assert list(differences(packet_quote(bytes(SENT)), cut)) == []
    bare = replace(cut, segment=None)
    assert list(differences(packet_quote(bytes(SENT)), bare)) == []
