"""The filter language: what it finds, and how it points at what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.errors import UsageError
from handshake.query.keys import COLUMNS, KEYS, SHORT
from handshake.query.parse import parse
from handshake.record import Finding
from handshake.tracker.findings import CODES
from tests.query.made import CLIENT, CLOSED, OPENING, SERVER, record

WEB = record()
SLOW = record(stream=1, closed=None, handshake=replace(OPENING, rtt=0.3, syn_retransmissions=2))
REFUSED = record(
    stream=2,
    outcome="refused",
    closed=None,
    handshake=CLOSED,
    server=replace(SERVER, port=81),
    findings=(
        Finding("refused", 5, {"port": 81, "again": False}),
        Finding("mss-low", 4, {"by": "server", "mss": 536, "below": 924, "usual": 1460}),
    ),
)
V6 = record(
    stream=3,
    client=replace(CLIENT, address="2001:db8::1", port=443, bytes=7, sack_permitted=True),
    server=replace(SERVER, address="2001:db8::2", bytes=5, sack_permitted=False),
    frames=(11, 12),
)
ALL = (WEB, SLOW, REFUSED, V6)


@pytest.mark.parametrize(
    ("expression", "streams"),
    [
        ("outcome == refused", [2]),
        ("outcome==refused", [2]),
        ("outcome != established and handshake.rtt > 0.2", []),
        ("outcome == established and handshake.rtt > 0.2", [1]),
        ("outcome == refused or handshake.rtt > 0.2", [1, 2]),
        ("outcome == refused || handshake.rtt > 0.2 && stream == 1", [1, 2]),
        ("(outcome == refused or handshake.rtt > 0.2) and stream == 1", [1]),
        ("not outcome == refused", [0, 1, 3]),
        ("!(outcome == refused)", [0, 1, 3]),
        ("handshake.rtt == null", [2]),
        ("handshake.rtt != null", [0, 1, 3]),
        ("handshake.rtt <= 0.3", [0, 1, 3]),
        ("not handshake.rtt <= 0.2", [1, 2]),
        ("closed != fin", [1, 2]),
        ("closed", [0, 3]),
        ("client.sack_permitted", [3]),
        ("client.sack_permitted == true", [3]),
        ("server.sack_permitted == false", [3]),
        ("server.sack_permitted != null", [3]),
        ("handshake.syn_retransmissions", [1]),
        ("server.port in {81, 443}", [2]),
        ("server.port not in {81, 443}", [0, 1, 3]),
        ("server.port in {81}", [2]),
        ("client.port > server.port", [0, 1, 2, 3]),
        ("client.bytes > server.bytes", [3]),
        ("client.address == 192.0.2.10", [0, 1, 2]),
        ("client.address in 192.0.2.0/24", [0, 1, 2]),
        ("client.address in {2001:db8::/32, 10.0.0.1}", [3]),
        ("client.address not in 0.0.0.0/0", [3]),
        ("client.address == 2001:DB8:0::1", [3]),
        ("client.address < 192.0.2.11", [0, 1, 2]),
        ("client.address ~ DB8", [3]),
        ("outcome contains use", [2]),
        ('outcome ~ "REFUSED"', [2]),
        ("outcome == 'refused'", [2]),
        ("start < 2026-11-23", [0, 1, 2, 3]),
        ("findings", [2]),
        ("findings == mss-low", [2]),
        ("findings.code in {mss-low, syn-lost}", [2]),
        ("findings.text ~ rst", [2]),
        ("findings.frame > 4", [2]),
        ("frames == 11", [3]),
        ("icmp", []),
        ("rtt > 200ms", [1]),
        ("rtt < 28.5ms", [0, 3]),
        ("rtt == 300000us", [1]),
        ("retry", [1]),
        ("retry > 1 and #== 2", [1]),
        ("packets == 10", [0, 1]),
        ("octets", [3]),
        ("ok", [0, 3]),
        ("ok == false", [1, 2]),
        ("why == mss-low", []),
        ("server == 198.51.100.7:81", [2]),
        ("server == 198.51.100.7", [0, 1, 2]),
        ("server != 198.51.100.7", [3]),
        ("server in {198.51.100.7:80, 2001:db8::2}", [0, 1, 3]),
        ("server in 198.51.100.0/24", [0, 1, 2]),
        ("client == [2001:DB8::1]:443", [3]),
        ("client > 198.0.0.0", [3]),
        ("client ~ :443", [3]),
        ("client == server", []),
        ("start < 2026-11-22T12:00:01", [0, 1, 2, 3]),
        ("refused", [2]),
        ("not refused", [0, 1, 3]),
        ("'mss-low'", [2]),
        ("mss", [2]),
        ("81", [2]),
        ("443 or 81", [2, 3]),
        ("198.51.100.7", [0, 1, 2]),
        ("198.51.100.7:81", [2]),
        ("198.51.", [0, 1, 2]),
        ("2001:db8::/32 and 443", [3]),
        ("fin", [0, 3]),
        ("open", []),
        ("negotiated.sack", []),
    ],
)
def test_what_is_found(expression: str, streams: list[int]) -> None:
    test = parse(expression)
    assert [each.stream for each in ALL if test(each)] == streams


def at(column: int, token: str) -> str:
    return f"filter, column {column}, '{token}'"


END = "the filter ends too early"


@pytest.mark.parametrize(
    ("expression", "place", "code", "values"),
    [
        ("", END, "expected.key", {}),
        ("outcome = refused", at(9, "="), "equals", {}),
        (
            "outcome == refused and Server.Prt == 80",
            at(24, "Server.Prt"),
            "unknown-key",
            {"similar": ["server.port", "server.rst", "server.mptcp"]},
        ),
        ("rt > 0.2", at(1, "rt"), "unknown-key", {"similar": ["rtt"]}),
        ("zzz == 1", at(1, "zzz"), "unknown-key", {"similar": []}),
        ("port == 80", at(1, "port"), "unknown-key", {"similar": ["client.port", "server.port"]}),
        (
            "client.prt",
            at(1, "client.prt"),
            "unknown-key",
            {"similar": ["client.port", "client.rst", "client.mptcp"]},
        ),
        (
            "closed == open",
            at(11, "open"),
            "no-such-value",
            {"key": "closed", "words": ("fin", "rst-by-client", "rst-by-server", "half-closed")},
        ),
        (
            "findings in {syn-lst}",
            at(14, "syn-lst"),
            "no-such-code",
            {
                "key": "findings.code",
                "similar": ["syn-lost", "syn-ack-lost", "syn-flood"],
                "count": len(CODES),
            },
        ),
        (
            "syn-lst",
            at(1, "syn-lst"),
            "no-such-word",
            {"similar": ["syn-lost", "syn-ack-lost", "syn-flood"]},
        ),
        ("not ok or zzz", at(11, "zzz"), "no-such-word", {"similar": []}),
        ("start > 30", at(9, "30"), "not-a-time", {"key": "start"}),
        ("rtt > 2h", at(7, "2h"), "not-seconds", {"key": "handshake.rtt"}),
        ("packets > 2ms", at(11, "2ms"), "not-a-number", {"key": "packets"}),
        ("server == web", at(11, "web"), "not-an-endpoint", {}),
        ("server == 10.0.0.0/8", at(11, "10.0.0.0/8"), "network-without-in", {}),
        ("'outcome' == x", at(1, "outcome"), "quoted-key", {}),
        ("outcome ==", END, "expected.operand", {}),
        ("outcome ~ )", at(11, ")"), "expected.text", {}),
        ("(outcome", END, "unclosed", {"bracket": "(", "column": 1}),
        ("outcome)", at(8, ")"), "unopened", {}),
        ("outcome closed", at(9, "closed"), "expected.end", {}),
        ("outcome == 'x", at(12, "'"), "quote", {}),
        ("outcome & closed", at(9, "&"), "character", {}),
        ("server.port in {80, x}", at(21, "x"), "not-a-number", {"key": "server.port"}),
        ("server.port in {80", END, "unclosed", {"bracket": "{", "column": 16}),
        ("server.port in {80,}", at(20, "}"), "expected.value", {}),
        ("server.port in", END, "expected.set", {}),
        ("server.port not 80", at(17, "80"), "expected.in", {}),
        ("server.port > null", at(13, ">"), "only-equality", {}),
        ("client.ecn == 1", at(15, "1"), "not-a-boolean", {"key": "client.ecn"}),
        ("client.address == 10.0.0.0/8", at(19, "10.0.0.0/8"), "network-without-in", {}),
        ("client.address in 10.0.0.0/99", at(19, "10.0.0.0/99"), "not-a-network", {}),
        ("client.address == example.org", at(19, "example.org"), "not-an-address", {}),
        (
            "client.address > client.port",
            at(18, "client.port"),
            "types",
            {"key": "client.address"},
        ),
        ("handshake.rtt < nan", at(17, "nan"), "not-seconds", {"key": "handshake.rtt"}),
    ],
)
def test_what_is_wrong_is_pointed_at(
    expression: str, place: str, code: str, values: dict[str, object]
) -> None:
    with pytest.raises(UsageError) as caught:
        parse(expression)
    error = caught.value
    if code == "unknown-key":
        values = {**values, "keys": COLUMNS}
    assert (error.place, error.values) == (place, values)
    assert error.code == (code if code == "unknown-key" else f"filter.{code}")


def test_no_depth_is_too_much() -> None:
    for deep in ("(" * 5000, "not " * 5000 + "outcome", "!" * 5000):
        with pytest.raises(UsageError) as error:
            parse(deep)
        assert error.value.code == "filter.depth"
    assert parse(" or ".join(["outcome"] * 5000))(WEB)
    assert parse(" and ".join(["outcome"] * 5000))(WEB)


WORDS = st.one_of(
    st.sampled_from(sorted({**KEYS, **SHORT})),
    st.sampled_from(
        [
            "and",
            "or",
            "not",
            "in",
            "contains",
            "~",
            "==",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            "(",
            ")",
            "{",
            "}",
            ",",
            "null",
            "true",
            "false",
            "findings",
        ]
    ),
    st.sampled_from(
        [
            "80",
            "-1",
            "1e999",
            "refused",
            "10.0.0.0/8",
            "::/0",
            "::1",
            "'x'",
            '"',
            "2ms",
            "10.0.0.1:80",
        ]
    ),
    st.sampled_from(["2ms", "10.0.0.1:80", "[::1]:80", "syn-lost", "2026-11-22"]),
    st.text(max_size=5),
)


@given(st.one_of(st.text(), st.lists(WORDS, max_size=12).map(" ".join)))
def test_whatever_is_typed_is_a_test_or_one_clear_line(expression: str) -> None:
    try:
        test = parse(expression)
    except UsageError as error:
        output = str(error)
    else:
        output = ""
        assert all(test(each) in (True, False) for each in ALL)
    assert output.startswith(("filter, column ", "the filter ends too early: ")) or not output


@given(
    st.sampled_from(sorted({**KEYS, **SHORT})), st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
)
def test_every_key_compares_with_itself_and_with_null(name: str, sign: str) -> None:
    assert all(parse(f"{name} {sign} {name}")(each) in (True, False) for each in ALL)
    for each in ALL:
        if {**KEYS, **SHORT}[name].get(each) is None:
            assert parse(f"{name} == null")(each)
            assert not parse(f"{name} != null")(each)
