"""`handshake probe`: how a call is shown. What is on the wire, `tests/live` tests."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest
from rich.cells import cell_len
from rich.console import Console

from handshake import prober
from handshake.cli import main
from handshake.cli.console import show
from handshake.cli.probe.report import LineReport
from handshake.errors import LocalError
from handshake.messages import Message
from handshake.prober import (
    ClientOptions,
    CloseMode,
    DataExchange,
    Result,
    Timeouts,
    Verdict,
)
from handshake.tcp import Flags
from handshake.tcp.icmp import IcmpError
from handshake.view.ladder import Ladder
from handshake.view.notation import Numbers
from handshake.view.probe import ProbeView
from handshake.view.probe_lines import ResultRow, Tally
from handshake.view.theme import THEME
from tests.cli import fake_prober
from tests.cli.fake_prober import Asked, FakeProbe
from tests.cli.test_help import run
from tests.errors import says
from tests.reasons import because
from tests.schema import valid
from tests.view.test_probe import OPEN, STEPS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asked]:
    """Let every target be answered by these calls; return how the prober was to call."""

    def install(*calls: FakeProbe | Result) -> Asked:
        return fake_prober.install(monkeypatch, *calls)

    return install


CLOSED = Result(
    target="example.org:81",
    address="198.51.100.7",
    port=81,
    verdict=Verdict.CLOSED,
    reason=because("nothing listens on port 81"),
    rtt=0.028,
)


def test_a_call_is_shown_segment_by_segment_and_then_summed_up(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    call = FakeProbe(OPEN, STEPS)
    asked = answer(call)
    assert main(["probe", "example.org:80", "-v", "--timeout", "2.5", "--retries", "1"]) == 0
    assert asked.timeouts == [Timeouts.of(timeout=2.5, retries=1, observe=1.25)]
    assert asked.options == [ClientOptions()]
    assert call.closed
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "PROBE  example.org:80 (198.51.100.7)"
    assert [line.split(",")[0] for line in lines if line.startswith("── ")] == [
        "── SYN from the client",
        "── SYN-ACK from the server",
        "── ACK from the client",
        "── FIN-ACK from the client",
        "── FIN-ACK from the server",
        "── ACK from the client",
    ]
    verdict = lines.index("OPEN  example.org:80 (198.51.100.7)  SYN-ACK after 28.4 ms")
    assert lines[verdict - 1] == ""
    assert all(len(line) <= 80 for line in lines)


def test_a_port_that_is_not_open_exits_with_one(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(FakeProbe(CLOSED, []))
    assert main(["probe", "example.org", "81", "-v"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "CLOSED  example.org:81 (198.51.100.7)  RST after 28 ms",
        "  evidence connect() failed with ECONNREFUSED: a RST answered",
        "  next     ss -ltn 'sport = :81'  on 198.51.100.7: does a program listen there?",
        "  nothing listens on port 81 (exit 1)",
        "  cause    refused (possible)",
        "  next     On the server: ss -ltn sport = :81 shows whether a program listens;",
        "           capture there (tcpdump -ni any tcp port 81) to see whether the SYN",
        "           arrives.",
    ]


SYN_SENT: Final = "SYN from the client, seq=0 win=65160 mss=1460 ws=7 (client SYN-SENT, server ?)"
ANSWERED: Final = (
    "SYN-ACK from the server, seq=0 ack=1 win=65160 mss=1460 ws=7 "
    "(client ESTABLISHED, server SYN-RECEIVED)"
)


def test_in_a_pipe_the_answer_comes_first_in_plain_sentences(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(FakeProbe(OPEN, STEPS[:2]), FakeProbe(CLOSED, []))
    assert main(["probe", "example.org:80"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "OPEN  example.org:80 (198.51.100.7)  SYN-ACK after 28.4 ms",
        "  a program listens on port 80: its SYN-ACK acknowledges our SYN",
        f"  0.000 ms: {SYN_SENT}",
        f"  28.000 ms: {ANSWERED}",
        "  window: 65160, shift 7: up to 8 MiB when scaled",
        "  mss: 1460, MTU 1500 (Ethernet), or clamped on the path",
        "  ttl: 52, 12 hops if it started at 64",
        "  in use: window scaling, SACK, timestamps",
        "  close: clean, both ends sent a FIN, and both were acknowledged",
        "",
        "CLOSED  example.org:81 (198.51.100.7)  RST after 28 ms",
        "  evidence: connect() failed with ECONNREFUSED: a RST answered",
        "  next: ss -ltn 'sport = :81' (on 198.51.100.7: does a program listen there?)",
        "  nothing listens on port 81 (exit 1)",
    ]


@pytest.mark.parametrize("verbose", ["-v", "-vv"])
def test_verbose_shows_headers_and_very_verbose_octets(
    verbose: str, answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    packet = bytes(range(64, 104))
    step = replace(STEPS[0], observed=replace(STEPS[0].observed, packet=packet))
    answer(FakeProbe(OPEN, [step]))
    assert main(["probe", "example.org:80", verbose]) == 0
    out = capsys.readouterr().out
    assert "── SYN from the client" in out
    assert ("0000   40 41 42" in out) == (verbose == "-vv")


def test_verbose_is_a_form_of_the_text_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "example.org:80", "-v", "--json"]) == 2
    assert capsys.readouterr().err == "error: --json and -v are mutually exclusive\n"


def test_an_interrupted_probe_says_what_was_known(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    call = FakeProbe(OPEN, STEPS[:1], KeyboardInterrupt())
    answer(call)
    assert main(["probe", "example.org:80"]) == 130
    assert capsys.readouterr().out.splitlines() == [
        "INTERRUPTED  example.org:80 (198.51.100.7)",
        "  1 SYN sent, no answer so far (exit 130)",
        f"  0.000 ms: {SYN_SENT}",
    ]
    assert call.closed


KOREAN: Final = {"LC_ALL": "ko_KR.UTF-8", "PYTHONUTF8": "1"}


@pytest.mark.parametrize(
    ("given", "locale", "title"),
    [
        (["--lang", "ko"], {}, "이름 오류(name-error)"),
        ([], KOREAN, "이름 오류(name-error)"),
        ([], {"LC_ALL": "", "LC_MESSAGES": "ko", "LANG": "C"}, "이름 오류(name-error)"),
        (["--lang", "en"], KOREAN, "NAME ERROR"),
        ([], {"LC_ALL": "C.UTF-8"}, "NAME ERROR"),
        # A terminal that cannot show it gets English.
        ([], {"LC_ALL": "ko_KR.eucKR", "PYTHONIOENCODING": "latin-1"}, "NAME ERROR"),
    ],
)
def test_it_speaks_the_language_of_the_locale(
    given: list[str], locale: dict[str, str], title: str
) -> None:
    done = run("probe", "no-such-host.invalid:80", *given, **locale)
    assert done.returncode == 3
    assert done.stdout.startswith(f"{title}  no-such-host.invalid:80\n")


@pytest.mark.parametrize(
    ("words", "locale", "error"),
    [
        (["probe", "host"], KOREAN, "오류: host: 포트가 없다: host:443처럼 쓸 것"),
        (["probe", "host", "--lang", "ko"], {}, "오류: host: 포트가 없다: host:443처럼 쓸 것"),
        (["probe", "host", "--lang=en"], KOREAN, "error: host: no port: write host:443"),
        (["replay", "/nowhere"], KOREAN, "오류: /nowhere: 그런 파일이 없다"),
        (["probe", "h:1", "--lang", "fr"], {"LC_ALL": "C"}, "error: --lang fr: must be en or ko"),
    ],
)
def test_errors_are_in_the_same_language(
    words: list[str], locale: dict[str, str], error: str
) -> None:
    done = run(*words, **locale)
    assert (done.returncode, done.stderr) == (2, f"{error}\n")


def test_json_is_english_in_any_language(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    silent = replace(
        OPEN,
        verdict=Verdict.FILTERED,
        reason=Message("verdicts", "filtered.silent", {"count": 3, "seconds": 5.0}),
    )
    answer(FakeProbe(silent, STEPS[:1]))
    assert main(["probe", "example.org:80", "--json", "--lang", "ko"]) == 1
    assert json.loads(capsys.readouterr().out)["reason"] == str(silent.reason)


def test_json_has_the_evidence_and_the_next_steps_of_the_screen(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    silent = replace(
        OPEN,
        verdict=Verdict.FILTERED,
        reason=Message("verdicts", "filtered.silent", {"count": 3, "seconds": 5.0}),
    )
    answer(FakeProbe(silent, STEPS[:1]))
    assert main(["probe", "example.org:80", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    answer(FakeProbe(silent, STEPS[:1]))
    assert main(["probe", "example.org:80", "--lang", "en"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[1:4] == [
        f"  evidence: {found['evidence']}",
        *(f"  next: {each['command']} ({each['purpose']})" for each in found["next"]),
    ]


def test_in_korean_the_same_is_told_in_the_same_order(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    silent = replace(
        OPEN,
        verdict=Verdict.FILTERED,
        rtt=None,
        syn_sent=3,
        close=None,
        negotiated=None,
        reason=Message("verdicts", "filtered.silent", {"count": 3, "seconds": 5.0}),
    )
    answer(FakeProbe(silent, STEPS[:1]))
    assert main(["probe", "example.org:80", "--lang", "ko"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "응답 없음(filtered)  example.org:80 (198.51.100.7)",
        "  근거: SYN 3개를 보냈으나 SYN-ACK, RST, ICMP 오류 모두 오지 않았다",
    ]
    assert lines[2].startswith("  다음: ")
    assert lines[2].endswith(" probe 198.51.100.7:80 --trace (경로의 어디인가?)")
    assert lines[-1] == (
        "  0.000 ms: 클라이언트의 SYN, seq=0 win=65160 mss=1460 ws=7 (클라이언트 SYN-SENT, 서버 ?)"
    )


def test_every_address_is_reported_and_one_that_opens_is_enough(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    refused = Result(
        target="example.org:80",
        address="2001:db8::7",
        port=80,
        verdict=Verdict.CLOSED,
        reason=because("nothing listens"),
    )
    answer(FakeProbe(refused, []), FakeProbe(OPEN, STEPS))
    assert main(["probe", "example.org:80", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for each in found:
        valid(each, "probe")
    assert [each["verdict"] for each in found] == ["closed", "open"]
    assert [each["address"] for each in found] == ["2001:db8::7", "198.51.100.7"]


def test_without_the_right_to_send_it_says_what_to_do_and_nothing_else(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    call = FakeProbe(OPEN, STEPS, LocalError("no-cap-net-raw", command="sudo x"))
    answer(call)
    assert main(["probe", "example.org:80"]) == 3
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "",
        "error: sending raw packets needs CAP_NET_RAW: run sudo x\n",
    )
    assert call.closed


def test_all_targets_are_understood_before_the_first_is_called(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = answer(FakeProbe(OPEN, STEPS))
    assert main(["probe", "example.org:80", "example.org:none"]) == 2
    assert asked == Asked()
    assert capsys.readouterr().out == ""


def test_a_name_that_does_not_exist_could_not_be_tried() -> None:
    done = run("probe", "no-such-host.invalid:80", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["verdict"] == "name-error"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("--mss 536 --window 1024 --wscale 3", ClientOptions(mss=536, window=1024, window_scale=3)),
        (
            "--no-sack --no-timestamps --no-wscale --mss 0",
            ClientOptions(mss=0, sack=False, timestamps=False, window_scale=None),
        ),
        ("--ecn", ClientOptions(ecn=True)),
        ("--fast-open", ClientOptions(fast_open=b"")),
        ("--fast-open=01:23:45:67", ClientOptions(fast_open=bytes.fromhex("01234567"))),
        ("--md5 secret", ClientOptions(md5=b"secret")),
        (
            "--option 253:f989 --option 30:0001",
            ClientOptions(extra_options=((253, b"\xf9\x89"), (30, b"\x00\x01"))),
        ),
        ("--option 1", ClientOptions(extra_options=((1, b""),))),
        ("--flags SYN,ECE", ClientOptions(flags=Flags.SYN | Flags.ECE)),
        ("--flags syn+psh", ClientOptions(flags=Flags.SYN | Flags.PSH)),
        ("--flags SEW", ClientOptions(flags=Flags.SYN | Flags.ECE | Flags.CWR)),
        ("--flags FPU", ClientOptions(flags=Flags.FIN | Flags.PSH | Flags.URG)),
        ("--flags none", ClientOptions(flags=Flags(0))),
        ("--seq 7 --source-port 4000", ClientOptions(iss=7, source_port=4000)),
        ("--source 192.0.2.1", ClientOptions(source=ip_address("192.0.2.1"))),
        ("--source [::1]", ClientOptions(source=ip_address("::1"))),
        ("--interface lo --ttl 3 --tos 184", ClientOptions(interface="lo", ttl=3, tos=184)),
        (r"--data a\r\n\x00\\ --expect b\t", ClientOptions(data=b"a\r\n\0\\", expect=b"b\t")),
        ("--close rst", ClientOptions(closing=CloseMode.RST)),
        ("--no-ack", ClientOptions(answer=False)),
    ],
)
def test_an_option_is_a_manner(
    words: str, options: ClientOptions, answer: Callable[..., Asked]
) -> None:
    asked = answer(FakeProbe(OPEN, []))
    assert main(["probe", "example.org:80", *words.split()]) == 0
    assert asked.options == [options]


@pytest.mark.parametrize(
    ("words", "timeouts"),
    [
        ("", Timeouts.of(observe=1.25)),
        ("--observe 0", Timeouts.of()),
        ("--no-ack", Timeouts.of(observe=8)),
        ("--no-ack --observe 20", Timeouts.of(observe=20)),
        ("--hold 3 --rto 0.5", Timeouts.of(observe=1.25, hold=3, rto=0.5)),
        # All SYNs are given their time, unless somebody has less of it.
        ("--retries 4", Timeouts.of(observe=1.25, retries=4, timeout=17)),
        ("--retries 4 --timeout 2", Timeouts.of(observe=1.25, retries=4, timeout=2)),
        ("--retries 99", Timeouts.of(observe=1.25, retries=99, timeout=86400)),
    ],
)
def test_how_patient_it_is(words: str, timeouts: Timeouts, answer: Callable[..., Asked]) -> None:
    asked = answer(FakeProbe(OPEN, []))
    assert main(["probe", "example.org:80", *words.split()]) == 0
    assert asked.timeouts == [timeouts]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("--window 2.5", "Invalid value for '--window'"),
        ("--mss 70000", says("options.range", field="MSS", least=0, most=65535, value=70000)),
        ("--option x:00", says("probe.option", text="x:00")),
        ("--option 253:0", says("probe.hex", option="--option 253:0", text="0")),
        ("--option 300:00", says("options.kind", kind=300)),
        ("--fast-open=zz", says("probe.hex", option="--fast-open", text="zz")),
        ("--fast-open=01", says("probe.cookie", text="01")),
        ("--fast-open=0102030405060708 --md5 k", "TCP options take 44 octets, but a header has"),
        ("--flags NOPE", says("probe.flags", text="NOPE")),
        ("--flags SR", says("options.rst")),
        ("--source nobody", says("probe.source", text="nobody")),
        ("--interface nope0", says("probe.interface", text="nope0")),
        (r"--data a\q", says("probe.escape", option="--data", escape=r"\q")),
        ("--data a\\", says("probe.escape", option="--data", escape="\\")),
        ("--close maybe", "--close maybe: must be fin, rst or none"),
        ("--monitor zabbix", "--monitor zabbix: must be nagios or prometheus"),
        ("--json --quiet", "--json and --quiet are mutually exclusive"),
        ("--rto 0", says("probe.positive", option="--rto", value="0", most="")),
        ("--rate 1e-300", says("probe.rate", rate="1e-300")),
        (
            "--interval inf --count 2",
            says("probe.positive", option="--interval", value="inf", most="86400"),
        ),
        ("--observe -1", says("time-range", most=86400)),
        ("--ttl 0", says("options.range", field="TTL", least=1, most=255, value=0)),
        ("--rto 1e-12", says("probe.rto", rto="1e-12", least="0.001")),
        (
            "--count 1000000000000001",
            says("at-most", option="--count", value=10**15 + 1, most=10**15),
        ),
        ("--md5 k --timestamps", says("conflict.md5", others=["--timestamps"])),
        ("--md5=", says("probe.empty", option="--md5")),
        ("--data=", says("probe.empty", option="--data")),
        ("--expect=", says("probe.empty", option="--expect")),
        ("--flags=", says("probe.flags", text="")),
        ("--file - --file -", says("probe.stdin-twice")),
        ("--file=", "'': cannot be opened: no such file or directory (ENOENT)"),
        # Options that exclude or require each other.
        ("--wscale 3 --no-wscale", says("conflict.wscale", others=["--no-wscale"])),
        ("--interval 1", says("conflict.requires", option="--interval", other="--count")),
        ("--no-ack --data x", says("options.no-ack-data")),
        ("--no-ack --expect x", says("options.no-ack-expect")),
        (
            "--no-ack --close fin --hold 1",
            says("conflict.no-ack", others=["--close", "--hold"]),
        ),
        ("--flags FIN --data x", says("options.flags-data", flags="FIN")),
        ("--flags none --expect x", says("options.flags-data", flags="no flags")),
        (
            "--adopt --hold 1 --observe 1",
            says("conflict.adopt", others=["--observe", "--hold"]),
        ),
        ("--adopt --count 1", says("conflict.adopt", others=["--count"])),
        ("--adopt --json", says("conflict.adopt", others=["--json"])),
        (
            "--adopt --no-timestamps --connect",
            says("conflict.connect", others=["--no-timestamps"]),
        ),
        ("--dry-run -w x", says("conflict.dry-run", others=["-w"])),
        ("--dry-run --monitor prometheus", says("conflict.dry-run", others=["--monitor"])),
        ("--dry-run --connect", says("conflict.dry-run", others=["--connect"])),
        ("--dry-run -q", says("conflict.dry-run", others=["--quiet"])),
        ("--dry-run --brief", says("conflict.dry-run", others=["--brief"])),
        ("--count 2 --monitor prometheus", says("conflict.monitor", others=["--count"])),
        ("--brief --json", "--json and --brief are mutually exclusive"),
        ("--trace --connect", says("conflict.connect", others=["--trace"])),
        ("--trace --data x", says("conflict.trace", others=["--data"])),
        ("--trace -v", says("conflict.trace", others=["-v"])),
        ("--trace example.org:81", says("probe.trace-many")),
        ("-4 -6", says("conflict.version", others=["-6"])),
        ("--lang fr", "--lang fr: must be en or ko"),
        ("--sort size", "--sort size: must be arrival, arguments, rtt or verdict"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    words: str, error: str, answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(FakeProbe(OPEN, [], AssertionError("called")))
    assert main(["probe", "example.org:80", *words.split()]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"error: {error}")
    assert said.err.count("\n") == 1


def test_data_goes_with_a_cookie_even_where_our_ack_is_withheld(
    answer: Callable[..., Asked],
) -> None:
    asked = answer(FakeProbe(OPEN, []))
    cookie = "--fast-open=01234567"
    assert main(["probe", "example.org:80", "--no-ack", "--data", "x", cookie]) == 0
    assert asked.options == [
        ClientOptions(data=b"x", answer=False, fast_open=bytes.fromhex("01234567"))
    ]


def test_targets_may_stand_in_several_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    # As Windows writes it: with a mark of the byte order, and CR.
    first.write_bytes(b"\xef\xbb\xbf127.0.0.1:1\r\n\r\n  # none\r\n127.0.0.1 2 # two\r\n")
    second.write_text("127.0.0.1:3-4\n", encoding="utf-8")
    words = ["--file", str(first), "127.0.0.1:5", "--file", str(second), "--dry-run", "--json"]
    assert main(["probe", *words]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["port"] for each in found] == [5, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-4", "127.0.0.1:9"], ["127.0.0.1"]),
        (["-6", "[::1]:9"], ["::1"]),
        (["-4", "localhost:9"], ["127.0.0.1"]),
    ],
)
def test_one_version_of_ip_is_probed(
    words: list[str], found: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", *words, "--dry-run", "--json"]) == 0
    shown = [json.loads(line)["address"] for line in capsys.readouterr().out.splitlines()]
    assert shown == found


def test_an_address_of_the_other_version_is_no_address_of_this_one() -> None:
    done = run("probe", "-4", "[::1]:9", "--json")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert (found["verdict"], found["reason"]) == ("name-error", "::1: not an IPv4 address (-4)")
    assert not found["next"]  # the address is as it is


def test_a_file_that_is_no_text_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "targets"
    path.write_text("127.0.0.1:1\n", encoding="utf-16")
    assert main(["probe", "--file", str(path), "--dry-run"]) == 2
    assert capsys.readouterr().err == f"error: {path}: not a text file in UTF-8\n"


def test_brief_is_the_line_that_each_of_many_gets(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(FakeProbe(OPEN, STEPS), FakeProbe(CLOSED, []))
    assert main(["probe", "example.org:80", "--brief"]) == 1
    lines = [ResultRow(each).line().plain for each in (OPEN, CLOSED)]
    assert capsys.readouterr().out.splitlines() == lines


REFUSED = replace(
    CLOSED,
    verdict=Verdict.LOCAL_ERROR,
    reason=because("this machine did not send our SYN: a firewall rule rejects it"),
)
SHORT = Result(
    target="[::1]:1", address="::1", port=1, verdict=Verdict.OPEN, reason=because(""), rtt=0.0005
)


@pytest.mark.parametrize(
    ("terminal", "width", "names", "rows"),
    [
        (
            True,
            140,
            29,
            [
                f"LOCAL-ERROR  example.org:81 (198.51.100.7)     28.0 ms{'':12}{REFUSED.reason}",
                f"OPEN         [::1]:1                          0.500 ms{'':12}close: no answer",
            ],
        ),
        # Where it has no room, the rest is left out, and its causes are not cut.
        (
            True,
            80,
            29,
            [
                "LOCAL-ERROR  example.org:81  this machine did not send our SYN: a firewall rule",
                "  rejects it",
                "OPEN         [::1]:1                          0.500 ms   close: no answer",
            ],
        ),
        (
            True,
            40,
            14,
            [
                "LOCAL-ERROR  example.org:81  this",
                "  machine did not send our SYN: a",
                "  firewall rule rejects it",
                "OPEN         [::1]:1  close: no answer",
            ],
        ),
        # A pipe has no width.
        (
            False,
            80,
            14,
            [
                f"LOCAL-ERROR  example.org:81 (198.51.100.7)     28.0 ms{'':12}{REFUSED.reason}",
                "OPEN         [::1]:1           0.500 ms            close: no answer",
            ],
        ),
    ],
)
def test_lines_of_many_are_as_long_as_there_is_room_for(
    terminal: bool, width: int, names: int, rows: list[str]
) -> None:
    out = StringIO()
    console = Console(
        file=out, width=width, force_terminal=terminal, color_system=None, theme=THEME
    )
    lines = LineReport(console, names)
    for each in (REFUSED, SHORT):
        lines.show(each)
    assert [each.rstrip() for each in out.getvalue().splitlines()] == rows


def test_quiet_says_nothing_but_by_its_exit_code(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    answer(FakeProbe(CLOSED, STEPS))
    assert main(["probe", "example.org", "81", "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("kind", "result", "code", "begin"),
    [
        ("nagios", OPEN, 0, "TCP OK - example.org:80 (198.51.100.7) open, SYN-ACK after 28.4 ms"),
        ("nagios", CLOSED, 2, "TCP CRITICAL - example.org:81 (198.51.100.7) closed"),
        ("prometheus", OPEN, 0, "# HELP probe_success "),
        ("prometheus", CLOSED, 1, "# HELP probe_success "),
    ],
)
def test_a_monitoring_system_reads_it(
    kind: str,
    result: Result,
    code: int,
    begin: str,
    answer: Callable[..., Asked],
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(FakeProbe(result, STEPS))
    assert main(["probe", "example.org:80", "--monitor", kind]) == code
    assert capsys.readouterr().out.startswith(begin)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("host --monitor nagios", says("target.no-port", target="host", colon=False, host="host")),
        ("host:1 --mss x --monitor=nagios", "Invalid value for '--mss'"),
        ("host:1 --monitor nagios --nope", "No such option: --nope"),
        ("host:1 --monitor nagios --json", "--json and --monitor are mutually exclusive"),
        ("host:1 --monitor nagios --count 2", says("conflict.monitor", others=["--count"])),
        ("host:1 --monitor nagios -w /nowhere/x", "/nowhere/x: no such directory"),
    ],
)
def test_nagios_is_told_what_is_wrong_where_it_looks(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", *words.split()]) == 3
    said = capsys.readouterr()
    assert said.out.startswith(f"TCP UNKNOWN - {sentence}")
    assert (said.out.count("\n"), said.err) == (1, "")


def test_where_nagios_cannot_be_told_the_log_is() -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "handshake", "probe", "host", "--monitor", "nagios"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (3, "error: host: no port: write host:443\n")


def test_who_cannot_call_tells_nagios_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LocalError("no-cap-net-raw", command="sudo x")

    monkeypatch.setattr(prober, "Prober", fail)
    assert main(["probe", "example.org:80", "--monitor", "nagios"]) == 3
    said = capsys.readouterr()
    assert said.out == "TCP UNKNOWN - sending raw packets needs CAP_NET_RAW: run sudo x\n"
    assert said.err == ""


@pytest.mark.parametrize("words", ["--monitor prometheus host", "-- --monitor nagios"])
def test_for_all_others_wrong_usage_stays_an_error(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", *words.split()]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")


def test_what_was_expected_and_did_not_come_is_no_success(
    answer: Callable[..., Asked], capsys: pytest.CaptureFixture[str]
) -> None:
    said = DataExchange(4, 4, b"something else", expected=False)
    answer(FakeProbe(replace(OPEN, data=said), STEPS))
    assert main(["probe", "example.org:80", "--expect", "pong"]) == 1
    assert "OPEN  example.org:80" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("received", "cause"),
    [
        (b"", "the server sent no data"),
        (b"something else", "it is not in the 14 octets that the server sent"),
    ],
)
def test_what_was_expected_and_did_not_come_is_seen_in_every_form(
    answer: Callable[..., Asked],
    capsys: pytest.CaptureFixture[str],
    received: bytes,
    cause: str,
) -> None:
    data = DataExchange(4, 4, received, expected=False)
    sentence = f"the --expect text was not received: {cause}"

    def said(*form: str, code: int = 1) -> str:
        answer(FakeProbe(replace(OPEN, data=data), STEPS))
        assert main(["probe", "example.org:80", "--expect", "pong", *form]) == code
        return capsys.readouterr().out

    assert "the --expect text was not received (exit 1)" in said()
    assert sentence in said("--brief")
    found = json.loads(said("--json"))
    assert (found["verdict"], found["said"]["expected"]) == ("open", False)
    nagios = said("--monitor", "nagios", code=2)
    assert nagios.startswith("TCP CRITICAL - ")
    assert f": {sentence} | " in nagios
    metrics = [line.rpartition("} ") for line in said("--monitor", "prometheus").splitlines()]
    values = {whom.partition("{")[0]: value for whom, _, value in metrics}
    assert (values["probe_success"], values["probe_tcp_expect_success"]) == ("0", "0")
    out = StringIO()
    console = Console(file=out, width=40, force_terminal=True, color_system=None, theme=THEME)
    show(console, ProbeView(replace(OPEN, data=data), STEPS).lines(40))
    assert "the --expect text was not received (exit 1)" in " ".join(out.getvalue().split())
    tally = Tally()
    tally.add(replace(OPEN, data=data))
    assert tally.lines(1)[0].plain.endswith(": 1 open, 1 without the --expect text")


NEVER: Final = replace(
    REFUSED,
    target="[2001:db8:85a3:8d3:1319:8a2e:370:7348]:443",
    address="2001:db8:85a3:8d3:1319:8a2e:370:7348",
)


@pytest.mark.parametrize("width", [20, 40, 80, 120, 300])
@pytest.mark.parametrize("names", [0, 14, 42])
def test_no_line_is_cut(width: int, names: int) -> None:
    for result in (REFUSED, NEVER, replace(NEVER, target="한글.example:443")):
        out = StringIO()
        console = Console(
            file=out, width=width, force_terminal=True, color_system=None, theme=THEME
        )
        LineReport(console, names).show(result)
        lines = out.getvalue().splitlines()
        assert all(cell_len(each) <= width for each in lines)
        reason = "".join(str(result.reason).split())
        assert "".join("".join(lines).split()).endswith(reason)


def test_an_icmp_error_is_whole_in_the_ladder() -> None:
    router = ip_address("2001:db8:85a3:8d3:1319:8a2e:370:7348")
    seg = STEPS[0].segment
    error = IcmpError(6, 1, 1, router, seg.source, seg.destination, seg.seq, STEPS[0].observed.at)
    for width in (40, 80, 120):
        rows = Ladder(STEPS, Numbers.of(STEPS), errors=[error]).lines(width)
        assert width < 60 or all(each.cell_len <= width for each in rows)
        shown = "".join("".join(each.plain for each in rows).split())
        assert "".join(f"{router}: {error.meaning}".split()) in shown


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
def test_a_dry_run_shows_the_syn_and_needs_no_right(host: str) -> None:
    done = run("probe", f"{host}:80", "--dry-run", "--seq", "7", "--source-port", "4000")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"DRY RUN  {host}:80")
    assert lines[0].endswith("nothing is sent")
    assert "  sequence     7" in lines
    assert any(line.startswith("  from ") and line.endswith(":4000") for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_a_dry_run_as_json_has_the_octets() -> None:
    done = run("probe", "127.0.0.1:80", "--dry-run", "--json", "--mss", "1400")
    found = json.loads(done.stdout)
    assert (found["address"], found["port"], found["ttl"]) == ("127.0.0.1", 80, 64)
    assert (found["segment"]["flags"], found["segment"]["mss"]) == (["SYN"], 1400)
    octets = bytes.fromhex(found["packet"])
    assert (octets[0], octets[9], len(octets)) == (0x45, 6, 60)


def test_a_dry_run_to_nowhere_says_why() -> None:
    done = run("probe", "127.0.0.1:80", "--dry-run", "--source", "192.0.2.9")
    assert done.returncode == 3
    assert done.stderr == (
        "error: no SYN would be sent to 127.0.0.1: source address 192.0.2.9 is not an address of "
        "this machine (EADDRNOTAVAIL)\n"
    )
