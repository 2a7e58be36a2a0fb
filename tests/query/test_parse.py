"""The filter language: what it finds, and how it points at what is wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handshake.errors import UsageError
from handshake.query import KEYS, parse
from handshake.record import Finding
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
        ("negotiated.sack", []),
    ],
)
def test_what_is_found(expression: str, streams: list[int]) -> None:
    test = parse(expression)
    assert [each.stream for each in ALL if test(each)] == streams


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        (
            "",
            (
                "the filter ends too early: a key of the record, such as outcome or server.port "
                "should stand here"
            ),
        ),
        ("outcome = refused", "filter, column 9, '=': to compare, write =="),
        ("rtt > 0.2", "filter, column 1, 'rtt': there is no such key: perhaps handshake.rtt"),
        (
            "outcome == refused and Server.Prt == 80",
            (
                "filter, column 24, 'Server.Prt': there is no such key: "
                "perhaps server.port or server.rst or server.mptcp"
            ),
        ),
        (
            "zzz == 1",
            (
                "filter, column 1, 'zzz': there is no such key: "
                "handshake list FILE --json shows them all"
            ),
        ),
        (
            "port == 80",
            ("filter, column 1, 'port': there is no such key: perhaps client.port or server.port"),
        ),
        (
            "'outcome' == x",
            (
                "filter, column 1, 'outcome': a comparison begins with a key of the record, "
                "not with a text"
            ),
        ),
        ("outcome ==", "the filter ends too early: a key or a value should stand here"),
        ("(outcome", "the filter ends too early: the ( at column 1 is not closed"),
        ("outcome)", "filter, column 8, ')': nothing opens this"),
        ("outcome closed", "filter, column 9, 'closed': and, or or the end should stand here"),
        ("outcome == 'x", "filter, column 12, ''': the quote is not closed"),
        ("outcome & closed", "filter, column 9, '&': it has no meaning here"),
        (
            "server.port in {80, x}",
            "filter, column 21, 'x': server.port is a number, and this is none",
        ),
        ("server.port in {80", "the filter ends too early: the { at column 16 is not closed"),
        (
            "server.port not 80",
            "filter, column 17, '80': after a key and not, in should stand here",
        ),
        ("server.port > null", "filter, column 13, '>': only == and != can stand here"),
        ("client.ecn == 1", "filter, column 15, '1': client.ecn is true, false or null"),
        (
            "client.address == 10.0.0.0/8",
            "filter, column 19, '10.0.0.0/8': write the network after in",
        ),
        ("client.address in 10.0.0.0/99", "filter, column 19, '10.0.0.0/99': it is no IP network"),
        ("client.address == example.org", "filter, column 19, 'example.org': it is no IP address"),
        (
            "client.address > client.port",
            (
                "filter, column 18, 'client.port': it cannot be compared with client.address: "
                "they hold different things"
            ),
        ),
        (
            "handshake.rtt < nan",
            "filter, column 17, 'nan': handshake.rtt is a number, and this is none",
        ),
    ],
)
def test_what_is_wrong_is_pointed_at(expression: str, error: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(expression)
    assert str(caught.value) == error


def test_no_depth_is_too_much() -> None:
    for deep in ("(" * 5000, "not " * 5000 + "outcome", "!" * 5000):
        with pytest.raises(UsageError, match="inside each other"):
            parse(deep)
    assert parse(" or ".join(["outcome"] * 5000))(WEB)
    assert parse(" and ".join(["outcome"] * 5000))(WEB)


WORDS = st.one_of(
    st.sampled_from(sorted(KEYS)),
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
    st.sampled_from(["80", "-1", "1e999", "refused", "10.0.0.0/8", "::/0", "::1", "'x'", '"']),
    st.text(max_size=5),
)


@given(st.one_of(st.text(), st.lists(WORDS, max_size=12).map(" ".join)))
def test_whatever_is_typed_is_a_test_or_one_clear_line(expression: str) -> None:
    try:
        test = parse(expression)
    except UsageError as error:
        said = str(error)
    else:
        said = ""
        assert all(test(each) in (True, False) for each in ALL)
    assert said.startswith(("filter, column ", "the filter ends too early: ")) or not said


@given(st.sampled_from(sorted(KEYS)), st.sampled_from(["==", "!=", "<", "<=", ">", ">="]))
def test_every_key_compares_with_itself_and_with_null(name: str, sign: str) -> None:
    assert all(parse(f"{name} {sign} {name}")(each) in (True, False) for each in ALL)
    for each in ALL:
        if KEYS[name].get(each) is None:
            assert parse(f"{name} == null")(each)
            assert not parse(f"{name} != null")(each)
