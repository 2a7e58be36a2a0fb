from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address

import pytest

from handshake.errors import ResolveError, UsageError
from handshake.prober import Target, targets
from handshake.prober.target import read_targets
from handshake.tcp import Endpoint


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.org:443", "example.org", 443),
        ("192.0.2.1:80", "192.0.2.1", 80),
        ("[2001:db8::1]:80", "2001:db8::1", 80),
        ("[fe80::1%lo]:80", "fe80::1%lo", 80),
        ("http://example.org", "example.org", 80),
        ("https://example.org/a?b#c", "example.org", 443),
        ("http://[2001:db8::1]/", "2001:db8::1", 80),
        ("http://[fe80::1%25lo]:8080/", "fe80::1%lo", 8080),
        ("ssh://example.org", "example.org", 22),
        ("example.org:https", "example.org", 443),
        ("example.org:SSH", "example.org", 22),
        ("[::1]:domain", "::1", 53),
        ("example.org:000080", "example.org", 80),
        ("example.org:0000080", "example.org", 80),
    ],
)
def test_one_word_names_a_target(text: str, host: str, port: int) -> None:
    assert Target.parse(text) == Target(host, port, text)


@pytest.mark.parametrize(
    ("text", "code", "values"),
    [
        ("example.org", "no-port", {"host": "example.org", "colon": False}),
        ("192.0.2.1", "no-port", {"host": "192.0.2.1", "colon": False}),
        ("[2001:db8::1]", "no-port", {"host": "[2001:db8::1]", "colon": False}),
        ("2001:db8::1", "no-brackets", {"meant": ["[2001:db8::1]:443"]}),
        ("fe80::1:80", "no-brackets", {"meant": ["[fe80::1:80]:443", "[fe80::1]:80"]}),
        ("fe80::1%lo:80", "no-brackets", {"meant": ["[fe80::1%lo:80]:443", "[fe80::1%lo]:80"]}),
        ("2001:db8::1:65535", "no-brackets", {"meant": ["[2001:db8::1]:65535"]}),
        ("a:b:c", "no-brackets", {"meant": ["[::1]:443"]}),
        ("[::1", "bracket", {"meant": ["[::1]:443"]}),
        ("[::1:80", "bracket", {"meant": ["[::1:80]:443", "[::1]:80"]}),
        ("[::1]80", "no-colon", {"host": "::1"}),
        ("[::1]:", "no-port", {"host": "[::1]", "colon": True}),
        ("example.org:", "no-port", {"host": "example.org", "colon": True}),
        (":", "no-host", {"target": ":"}),
        ("example.org:htps", "port", {"port": "htps"}),
        ("example.org/index:80", "slash", {}),
        ("example.org/", "slash", {}),
        ("me@example.org:22", "user", {"target": "example.org:22"}),
        ("example.org:0", "port-range", {"port": "0"}),
        ("example.org:65536", "port-range", {"port": "65536"}),
        ("example.org:99999999999999999999", "port-range", {"port": "99999999999999999999"}),
        ("example.org:\udcff", "unprintable", {}),
        ("example.org:٨٠", "port", {"port": "٨٠"}),
        (":80", "no-host", {}),
        ("", "empty", {}),
        ("a b:80", "no-host", {}),
        ("a\x1b[1m:80", "unprintable", {}),
        ("http://", "no-host", {}),
        ("y" * 10_000 + ":80", "long", {"begin": "y" * 40, "count": 10_000}),
        ("http://example.org:99999", "url", {}),
        ("gopher://example.org", "scheme", {"scheme": "gopher"}),
        ("[fe80::1]:80", "no-scope", {"address": IPv6Address("fe80::1")}),
        ("[fe80::1%nosuch0]:80", "no-interface", {"interface": "nosuch0"}),
        ("224.0.0.1:80", "not-unicast", {"address": IPv4Address("224.0.0.1")}),
        ("255.255.255.255:80", "not-unicast", {}),
        ("0.0.0.0:80", "not-unicast", {}),
        ("[::]:80", "not-unicast", {}),
        ("[::ffff:0.0.0.0]:80", "not-unicast", {"address": IPv4Address("0.0.0.0")}),
        ("[::ffff:224.0.0.1]:80", "not-unicast", {}),
    ],
)
def test_what_names_none_is_a_usage_error(text: str, code: str, values: dict[str, object]) -> None:
    with pytest.raises(UsageError) as error:
        Target.parse(text)
    assert error.value.code == f"target.{code}"
    assert error.value.values.items() >= values.items()
    assert str(error.value).isprintable()


def test_of_a_user_and_his_password_nothing_is_kept() -> None:
    target = Target.parse("https://user:secret@example.org:8443/")
    assert target == Target("example.org", 8443, "https://example.org:8443/")
    for text in (
        "http://user:secret@example.org:99999/",
        "http://user:secret@/",
        "gopher://user:secret@example.org/",
        "user:secret@example.org:22",
        "user:secret@example.org",
    ):
        with pytest.raises(UsageError) as error:
            list(targets([text]))
        assert "secret" not in str(error.value)
    with pytest.raises(UsageError, match=r"'example\.org:22'"):
        list(targets(["user@example.org", "22"]))


@pytest.mark.parametrize("error", [OSError("no list of services"), UnicodeEncodeError])
def test_without_a_list_of_services_the_usual_ones_are_known(
    error: Exception | type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, _: str) -> int:
        if error is UnicodeEncodeError:
            raise UnicodeEncodeError("utf-8", name, 0, 1, "no text")
        raise error

    monkeypatch.setattr(socket, "getservbyname", fail)
    assert Target.parse("example.org:https").port == 443
    with pytest.raises(UsageError, match="'nope'"):
        Target.parse("example.org:nope")


def test_a_host_and_a_port_may_be_two_words() -> None:
    words = ["example.org", "80", "192.0.2.1:443", "2001:db8::1", "ssh", "http://a.example"]
    assert [(target.host, target.port, target.text) for target in targets(words)] == [
        ("example.org", 80, "example.org 80"),
        ("192.0.2.1", 443, "192.0.2.1:443"),
        ("2001:db8::1", 22, "2001:db8::1 ssh"),
        ("a.example", 80, "http://a.example"),
    ]


def test_ports_may_be_several() -> None:
    words = ["a.example:80,https,8000-8002", "192.0.2.1", "1-2", "[2001:db8::1]:7,9", "::1", "5,6"]
    assert [target.text for target in targets(words)] == [
        "a.example:80",
        "a.example:443",
        "a.example:8000",
        "a.example:8001",
        "a.example:8002",
        "192.0.2.1:1",
        "192.0.2.1:2",
        "[2001:db8::1]:7",
        "[2001:db8::1]:9",
        "[::1]:5",
        "[::1]:6",
    ]


@pytest.mark.parametrize(
    "text", ["a:80,", "a:80-", "a:9-8", "a:0-3", "a:1-65536", "a:1--2", "a:1,,2", "a:1-2-3", "a:,"]
)
def test_ports_that_are_no_range_are_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="port"):
        list(targets([text]))


def test_a_list_of_targets() -> None:
    lines = ["# ours\n", "a.example:80 b.example:81-82 # both\n", "\n", "192.0.2.1 22\n"]
    assert [(each.host, each.port) for each in read_targets(lines)] == [
        ("a.example", 80),
        ("b.example", 81),
        ("b.example", 82),
        ("192.0.2.1", 22),
    ]
    with pytest.raises(UsageError) as error:
        list(read_targets(["a.example:80", "b.example"]))
    assert (error.value.place, error.value.code) == ("line 2", "target.no-port")


@pytest.mark.parametrize("words", [["example.org"], ["example.org", "b.example:80"], ["::1"]])
def test_a_host_without_its_port_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(UsageError) as error:
        list(targets(words))
    assert error.value.code in ("target.no-port", "target.no-brackets")


@pytest.fixture
def no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a name was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("no_names")
@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1:80", "192.0.2.1"),
        ("[2001:db8::1]:80", "2001:db8::1"),
        ("[fe80::1%lo]:80", "fe80::1%lo"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
    ],
)
def test_an_address_is_not_looked_up(text: str, address: str) -> None:
    assert Target.parse(text).endpoints() == (Endpoint.of(address, 80),)


def test_every_address_of_a_name_counts_and_v6_comes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        (2, 1, 6, "", ("192.0.2.2", 80)),
        (10, 1, 6, "", ("2001:db8::1", 80, 0, 0)),
        (2, 1, 6, "", ("192.0.2.1", 80)),
        (2, 1, 6, "", ("192.0.2.1", 80)),
        (10, 1, 6, "", ("fe80::1", 80, 0, socket.if_nametoindex("lo"))),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert [str(each) for each in Target.parse("a.example:80").endpoints()] == [
        "[2001:db8::1]:80",
        "[fe80::1%lo]:80",
        "192.0.2.2:80",
        "192.0.2.1:80",
    ]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "target.unknown-name"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "target.no-name-server"),
        (socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), "target.unresolved"),
        (UnicodeError("label too long"), "target.not-a-name"),
    ],
)
def test_a_name_without_an_address(
    error: Exception, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(ResolveError) as caught:
        Target.parse("a.example:80").endpoints()
    assert (caught.value.code, caught.value.exit_code) == (code, 3)
