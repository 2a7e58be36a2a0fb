"""Filters of captures: our own words, tcpdump's language, and what is neither."""

from __future__ import annotations

import ctypes.util

import pytest

from handshake.errors import UsageError
from handshake.linux import bpf, capture_filter
from handshake.linux.capture_filter import compiled

needs_libpcap = pytest.mark.skipif(
    ctypes.util.find_library("pcap") is None, reason="there is no libpcap"
)


@pytest.mark.parametrize("text", [None, "", "  "])
def test_without_words_tcp_and_icmp_pass(text: str | None) -> None:
    assert compiled(text, 256) == bpf.watched((), (), 256)


@pytest.mark.parametrize(
    "text",
    [
        "port 80",
        "host 192.0.2.7 and port 443",
        "host 2001:db8::1",
        "net 10.0.0.0/8 and host 10.1.2.3",
        "net 2001:db8::/32 and net fd00::/8 and port 1 and port 2",
    ],
)
def test_our_own_words_need_no_library(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_filter, "_by_libpcap", None)
    assert len(compiled(text, 256)) % 8 == 0


@needs_libpcap
@pytest.mark.parametrize(
    "text", ["tcp[tcpflags] & tcp-syn != 0", "src host 192.0.2.7", "port 70000 or port 80", "tcp"]
)
def test_all_else_is_compiled_by_libpcap(text: str) -> None:
    if "70000" in text:
        with pytest.raises(UsageError) as caught:
            compiled(text, 256)
        assert caught.value.code == "watch.filter"
    else:
        assert compiled(text, 256)


@needs_libpcap
@pytest.mark.parametrize("text", ["nonsense here", "port", "host", "(", "\udc80"])
def test_what_libpcap_cannot_read_is_an_error_with_its_reason(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        compiled(text, 256)
    assert caught.value.code == "watch.filter"
    assert caught.value.values["why"]


def test_without_libpcap_the_error_names_our_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: "libnothing.so.7")
    with pytest.raises(UsageError) as caught:
        compiled("tcp or udp", 256)
    assert caught.value.code == "watch.no-libpcap"
