"""Text from outside is escaped in every place where it is shown; what it says stays readable."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from dataclasses import replace
from io import StringIO
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from handshake.cli import main
from handshake.cli.console import show, warn
from handshake.cli.probe.report import LineReport
from handshake.endpoint.outcome import note
from handshake.errors import CaptureError, HandshakeError, LocalError, UsageError
from handshake.escape import printable
from handshake.export import csv as csv_export
from handshake.export.evidence import icmp_comment
from handshake.export.monitor import nagios, prometheus, unknown
from handshake.export.zeek import conn_log
from handshake.messages import Message
from handshake.prober import DataExchange, Result, Verdict
from handshake.prober.trace import Difference, Trace, TracedHop
from handshake.query.totals import Totals
from handshake.survey import records
from handshake.tcp import Endpoint, Seq
from handshake.tcp.icmp import IcmpError
from handshake.view.browser import Browser, Preview
from handshake.view.layout import centre, fit, line, wrap
from handshake.view.notation import Numbers
from handshake.view.probe import ProbeView, heading
from handshake.view.probe_lines import Kinds, ResultRow, Series
from handshake.view.probe_live import LiveView
from handshake.view.prompt import Prompt
from handshake.view.record_lines import RecordLines
from handshake.view.replay import Screen
from handshake.view.table import Table
from handshake.view.theme import THEME
from handshake.view.totals_page import page
from handshake.view.trace import TraceView
from tests.cli import fake_prober
from tests.cli.terminal import Terminal
from tests.cli.test_help import run
from tests.reasons import because
from tests.survey.made import packets, save
from tests.view.test_probe import OPEN, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

EVIL: Final = "a\x1b]0;b\x07c\x9b1m\x7f\r\n\u202e\u2066\u2028\u2029\u200b\udcff 한글"
"""A file name, as nearly anything can be; a host or an interface may be named so, too."""

SHOWN: Final = (
    r"a\x1b]0;b\x07c\x9b1m\x7f\r\n\u202e\u2066\u2028\u2029\u200b\udcff 한글"  # as a reader sees it
)
SCOPED: Final = IPv6Address("fe80::1%e\x1b]0;b\x07")
"""The scope of an address is the name of an interface."""

_HARMFUL: Final = ("Cc", "Cf", "Cs", "Zl", "Zp")
_COLOURS: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def harmless(text: str) -> str:
    """Return text; what reaches a terminal or a file must have nothing in it but line ends."""
    found = {char for char in text if unicodedata.category(char) in _HARMFUL} - {"\n"}
    assert not found, f"{found} in {text!r}"
    return text


def plain(lines: Iterable[Text]) -> str:
    return harmless("\n".join(each.plain for each in lines))


@given(st.text())
def test_what_is_printable_is_harmless_and_stays_so(text: str) -> None:
    assert "\n" not in harmless(printable(text))
    assert printable(printable(text)) == printable(text)
    assert not text.isprintable() or printable(text) == text


@pytest.mark.parametrize(
    "text", ["한글.pcap", "日本語\u3000名", "naïve café", "a\u00a0b", "файл", "😀", r"a\x1b", ""]
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


def test_control_characters_are_shown_as_python_writes_them() -> None:
    assert printable(EVIL) == SHOWN
    directions = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
    for code in (*range(0x20), *range(0x7F, 0xA0), *directions, 0x2028, 0x2029, 0xD800, 0xDFFF):
        assert printable(chr(code)) == chr(code).encode("unicode_escape").decode()


def test_errors_and_their_places() -> None:
    for error in (
        CaptureError("file.not-found").at(EVIL),
        UsageError("file.unopened", why=EVIL).at("line 1").at(EVIL),
        LocalError("send.no-carrier", interface=EVIL),
        UsageError("probe.interface", text=EVIL),
        UsageError("choice", option="--close", value=EVIL, choices=[EVIL]),
        UsageError("target.unprintable", target=EVIL),
    ):
        assert "\n" not in harmless(str(error))
        harmless(error.place)
        assert "한글" in str(error)
    assert str(CaptureError("file.not-found").at("한글")) == "한글: no such file"
    assert str(CaptureError("file.not-found").at(EVIL)) == f"'{SHOWN}': no such file"


def test_sentences_of_every_family() -> None:
    error = IcmpError(6, 1, 3, SCOPED, Endpoint(SCOPED, 1), Endpoint(SCOPED, 2), Seq(1))
    found = Message("verdicts", "unreachable.router", {"sender": SCOPED, "error": error})
    assert harmless(str(found)).startswith(r"fe80::1%e\x1b]0;b\x07 reports: ")
    assert SHOWN in harmless(note("unsent", why=EVIL).text)


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two captures whose names are harmful; the second breaks off."""
    folder = tmp_path_factory.mktemp("evil")
    paths = [folder / EVIL, folder / f"{EVIL}2"]
    for path in paths:
        save(path, packets("refused"))
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    return [str(each) for each in paths]


@pytest.mark.parametrize("form", [(), ("--summary",), ("--csv",), ("--zeek",), ("--json",)])
def test_what_list_prints(evil: list[str], form: tuple[str, ...]) -> None:
    done = run("list", *evil, "no" + EVIL, *form)
    assert done.returncode == 2
    harmless(done.stdout.replace("\t", " ") if "--zeek" in form else done.stdout)
    warning, error = harmless(done.stderr).splitlines()
    assert warning.startswith("warning: '/")
    assert SHOWN in warning
    assert error == f"error: 'no{SHOWN}': no such file"


def test_data_for_programs_keeps_the_name(evil: list[str]) -> None:
    first, second = run("list", *evil, "--json").stdout.splitlines()
    assert [json.loads(each)["capture"] for each in (first, second)] == evil
    # A cell is data: a formula stays one, and only what is no text is escaped.
    whole = [replace(each, capture="=1+1,\x1b한") for each in records(evil[0])]
    names, row = csv.reader(csv_export.rows(whole))
    assert row[names.index("capture")] == "=1+1,\\x1b한"


def test_screens_of_list_and_replay(evil: list[str]) -> None:
    source = records(*evil)
    found = list(source)
    assert plain(Table(found, 150).row(each) for each in found).count(r"\x1b]0;b") == 2
    lines = RecordLines(capture=4)
    assert SHOWN.replace(" ", ",") in harmless(lines.row(found[0]))
    harmless(plain(page(Totals(found), 80)))
    zeek = [row for _, rows in records(*evil).with_zeek() for row in rows]
    harmless("\n".join(conn_log(zeek)).replace("\t", " "))
    steps = source.steps(found[0])
    for preview in (Preview(steps), Preview(problem=EVIL)):
        browser = Browser(
            table=Table(found, 150),
            rows=found,
            selected=0,
            totals=Totals(found),
            title=EVIL,
            state=EVIL,
            keys=[EVIL, EVIL, EVIL],
            prompt=Prompt("filter", EVIL, 3, [EVIL]),
            preview=preview,
            captures=2,
            problem=EVIL,
        )
        drawn(browser.draw(40), 150)
    screen = Screen(found[0], steps, 0, Numbers.of(steps), name=evil[0], keys=[EVIL])
    assert r"a\x1b]0;b" in drawn(screen.draw(200, 40), 200)


def drawn(screen: object, width: int) -> str:
    """Return what a terminal would get, without colours."""
    out = StringIO()
    console = Console(file=out, width=width, force_terminal=True, theme=THEME)
    console.print(screen)
    return harmless(_COLOURS.sub("", out.getvalue()))


@pytest.mark.parametrize("command", ["list", "replay"])
def test_the_title_of_a_terminal_stays(evil: list[str], command: str) -> None:
    with Terminal(["-m", "handshake", command, evil[1]], 200, 40) as terminal:
        terminal.see("q quit")
        whole = terminal.output
        terminal.press("q")
        terminal.end()
        whole += terminal.output
    harmless(_COLOURS.sub("", whole).replace("\r", ""))
    assert "\x1b]" not in whole
    assert r"a\x1b]0;b" in whole


ODD: Final = Result(
    target=EVIL,
    address=str(SCOPED),
    port=80,
    verdict=Verdict.UNREACHABLE,
    reason=because(EVIL),
    findings=(note("unsent", why=EVIL),),
)
ERROR: Final = IcmpError(
    6, 1, 3, SCOPED, Endpoint(SCOPED, 1), Endpoint(SCOPED, 2), Seq(1), STEPS[0].observed.at
)


def test_what_probe_prints() -> None:
    said = replace(OPEN, data=DataExchange(1, 1, EVIL.encode("utf-8", "replace"), expected=False))
    for width in (20, 40, 80, 200):
        assert "한글" in plain(ProbeView(ODD, []).lines(width))
        plain(ProbeView(replace(ODD, errors=(ERROR,)), STEPS).lines(width))
        plain(ProbeView(said, STEPS).lines(width))
        plain(ResultRow(ODD).lines(width))
        kinds = Kinds()
        kinds.add(ODD)
        plain(kinds.lines(width))
        for verbose in (False, True):
            plain(ProbeView(ODD, STEPS, language="ko", verbose=verbose).lines(width))
        live = LiveView(EVIL, str(SCOPED), STEPS, (ERROR,))
        plain(live.lines(width, 24))
        plain(live.interrupted(width))
        hop = TracedHop(1, 1, ERROR, rtt=0.1, differences=(Difference(EVIL, EVIL, EVIL),))
        view = TraceView(Trace(EVIL, str(SCOPED), 80, (hop,)))
        plain([*view.lines(width), *view.interrupted(width), *view.sentences()])
    plain(ProbeView(ODD, STEPS).sentences())
    plain([heading(EVIL, str(SCOPED)), ResultRow(ODD).line()])
    series = Series(EVIL)
    series.add(ODD)
    plain(series.lines())
    out = StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None, theme=THEME)
    LineReport(console, 10).show(ODD)
    harmless(out.getvalue())


def test_other_outputs_of_probe() -> None:
    for results in ([ODD], [ODD, replace(ODD, port=81)]):
        text, _ = nagios(results)
        assert SHOWN in harmless(text)
        assert SHOWN.replace("\\", "\\\\").replace(r"\\n", r"\n") in harmless(prometheus(results))
    assert "\n" not in harmless(unknown(EVIL)[0])
    assert harmless(icmp_comment(ERROR)).count("\n") == 1
    assert json.loads(json.dumps(ODD.as_json()))["target"] == EVIL


@pytest.mark.parametrize("form", [(), ("--brief",), ("--monitor=nagios",), ("--json",)])
def test_probe_as_a_whole(
    form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_prober.install(monkeypatch, ODD)
    main(["probe", "example.org:80", *form])
    said = capsys.readouterr()
    assert said.out
    harmless(said.out + said.err)


@pytest.mark.parametrize(
    "args",
    [
        ("list", EVIL),
        ("list", "captures/mixed.pcap", "--filter", f"outcome == {EVIL}"),
        ("list", "captures/mixed.pcap", "--sort", EVIL),
        ("list", "captures/mixed.pcap", f"--{EVIL}"),
        ("replay", EVIL),
        ("replay", "captures/mixed.pcap", EVIL),
        ("replay", "captures/mixed.pcap", "--speed", EVIL),
        ("demo", EVIL),
        ("demo", "--lang", EVIL),
        ("probe", EVIL),
        ("probe", "127.0.0.1:80", "-w", f"{EVIL}/x", "--dry-run"),
        ("probe", "127.0.0.1:80", "--interface", EVIL),
        ("probe", "127.0.0.1:80", "--source", EVIL),
        ("probe", "127.0.0.1:80", "--data", f"\\q{EVIL}"),
        ("probe", "127.0.0.1:80", "--option", EVIL),
        ("probe", "127.0.0.1:80", "--monitor", EVIL),
        ("probe", "--file", EVIL),
        ("probe", EVIL, "--monitor", "nagios"),
        (EVIL,),
    ],
)
def test_messages_on_standard_error_are_a_line(args: tuple[str, ...]) -> None:
    done = run(*args)
    assert done.returncode in (2, 3)
    harmless(done.stdout)
    assert harmless(done.stderr).count("\n") <= 1
    assert "internal error" not in done.stderr


@pytest.mark.parametrize("value", [EVIL.replace("\udcff", ""), "²", "٣", "0", "-1", "9" * 20, ""])
def test_a_size_in_the_environment_that_is_none(value: str) -> None:
    for args in (("list", "captures/mixed.pcap", "--summary"), ("replay", "captures/refused.pcap")):
        done = run(*args, COLUMNS=value, LINES=value)
        assert (done.returncode, done.stderr) == (0, "")
        assert harmless(done.stdout) == run(*args, COLUMNS="80").stdout


@pytest.mark.parametrize("width", ["1", "2", "5", "12"])
def test_no_screen_is_too_narrow(width: str) -> None:
    for args in (
        ("list", "captures/mixed.pcap", "--summary"),
        ("replay", "captures/mixed.pcap"),
        ("probe", "127.0.0.1:80", "--dry-run"),
    ):
        done = run(*args, COLUMNS=width)
        assert (done.returncode, done.stderr) == (0, "")


def test_pieces_of_a_screen() -> None:
    assert harmless(fit(EVIL, 200)).rstrip() == SHOWN
    assert harmless(centre(EVIL, 200)).strip() == SHOWN
    assert harmless(" ".join(wrap("\x1b\x9b\u2028\x85", 9))) == r"\x1b\x9b\ u2028\x85"
    out = StringIO()
    console = Console(file=out, width=30, force_terminal=True, color_system=None, theme=THEME)
    show(console, [line(EVIL, (EVIL, "title"), line(EVIL))])
    assert harmless(out.getvalue()).replace("\n    ", "").count(r"\x1b]0;b") == 3


def test_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    error: HandshakeError = CaptureError("list.no-tcp").at(EVIL)
    assert isinstance(error, CaptureError)
    warn([error])
    assert harmless(capsys.readouterr().err) == f"warning: '{SHOWN}': no TCP segments\n"
