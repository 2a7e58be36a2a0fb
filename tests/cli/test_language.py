"""The language of all commands: that of the locale, or of --lang."""

from __future__ import annotations

import inspect
import json
import re
import sys
import tomllib
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import pytest
from rich.cells import cell_len
from typer import Context
from typer.main import get_command

from handshake import messages
from handshake.cli import app, main
from handshake.cli.examples import EXAMPLES
from handshake.tcp import Endpoint, Seq
from handshake.tcp.icmp import IcmpError
from handshake.view import filter_help
from tests.cli.test_help import COMMANDS
from tests.survey.made import CAPTURES

LOST = str(CAPTURES / "lost-syn-ack.pcap")
MIXED = str(CAPTURES / "mixed.pcap")

HANGUL = re.compile("[가-힣]")


@pytest.fixture(autouse=True)
def _no_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["handshake"])


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(words) == 0
    return capsys.readouterr().out


def test_a_transcript_in_korean(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "replay", LOST, "--lang", "ko").splitlines()
    assert lines[1] == "    tcp.stream == 0, established, 세그먼트 11개, 1.168 s"
    assert lines[2].split() == ["ms", "클라이언트", "seq", "상대", "번호", "서버"]
    assert "╳" in lines[4]
    assert "SYN-ACK 유실 seq=0" in lines[4]
    whole = " ".join("\n".join(lines).split())
    assert "유실: 이 SYN-ACK는 이곳을 지나갔으나 클라이언트에 도착하지 않았다." in whole
    assert "── 진단 ──" in whole
    assert "syn-ack-lost (likely): SYN-ACK가 이곳을 지나갔는데도" in whole
    assert "근거: 프레임 1, 2, 3" in whole
    assert "다음: 클라이언트에서도 캡처할 것" in whole


def test_totals_in_korean(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, "list", MIXED, "--summary", "--lang", "ko").splitlines()
    assert lines[0] == "연결 25개, 세그먼트 176개, 페이로드 1,444옥텟"
    # Outcomes are values for filters.
    assert lines[2] == "established           18   72.0%"


@pytest.mark.parametrize("words", [("list", MIXED), ("replay", LOST)])
def test_the_locale_chooses(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    english = printed(capsys, *words)
    monkeypatch.setenv("LC_MESSAGES", "ko_KR.UTF-8")
    korean = printed(capsys, *words)
    assert not HANGUL.search(english)
    assert bool(HANGUL.search(korean)) == (words[0] == "replay")
    assert printed(capsys, *words, "--lang", "en") == english


@pytest.mark.parametrize(
    "words",
    [
        ("list", MIXED, "--json"),
        ("list", MIXED, "--csv"),
        ("list", MIXED, "--zeek"),
        ("list", MIXED, "--summary", "--json"),
        ("replay", LOST, "--json"),
    ],
)
def test_what_programs_read_is_english(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert printed(capsys, *words, "--lang", "ko") == printed(capsys, *words)


def test_warnings_are_in_the_language_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", MIXED, "/nowhere.pcap", "--lang", "ko", "--json"]) == 2
    found = capsys.readouterr()
    assert found.err == "오류: /nowhere.pcap: 그런 파일이 없다\n"
    assert len([json.loads(line) for line in found.out.splitlines()]) == 25


def help_texts() -> set[str]:
    """Return the English of every text in a help, as it stands in the code."""
    # typer has no public names for what it makes of a function.
    program: Any = get_command(app)
    context: Any = Context(program, info_name="handshake")
    found: set[str | None] = {
        "Usage:",
        "Arguments",
        "Options",
        "Commands",
        "Examples",
        "General options",
    }
    for name in (None, *COMMANDS, "help"):
        command = program if name is None else program.get_command(context, name)
        found |= {*inspect.cleandoc(command.help).split("\n\n"), command.epilog}
        for each in command.get_params(context):
            found |= {each.help, getattr(each, "rich_help_panel", None)}
            found |= {default for default in (each.show_default,) if isinstance(default, str)}
            found |= {"required"} if each.required else set()
    found |= {purpose for rows in EXAMPLES.values() for _, purpose in rows}
    return {" ".join(each.split()) for each in found if each}


def filter_texts(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the English of every text in the help on filters."""
    found = set()

    def noted(english: str, *, language: str) -> str:
        assert language == messages.ENGLISH
        found.add(english)
        return english

    monkeypatch.setattr(filter_help, "translated", noted)
    assert list(filter_help.filter_help(80))
    return found


UNTRANSLATED: Final = re.compile(r"[A-Z0-9.:]+")
"""Defaults that are values."""


def test_every_text_of_a_help_has_its_korean(monkeypatch: pytest.MonkeyPatch) -> None:
    exact, patterns = messages._translations("ko", "help")
    asked = help_texts() | filter_texts(monkeypatch)
    missing = {
        each
        for each in asked - exact.keys()
        if not any(pattern.fullmatch(each) for pattern, _ in patterns)
        and not UNTRANSLATED.fullmatch(each)
    }
    assert missing == set()
    # What is wrong with a value, and what a line on standard error is, are asked for below.
    elsewhere = re.compile("it must be .*|(error|warning|note):")
    assert {each for each in exact.keys() - asked if not elsewhere.fullmatch(each)} == set()


NAMED: Final = re.compile(
    r"--[a-z][-a-z]*|\{\w+\}|RFC \d+|\\.|(?<![A-Za-z])[A-Z]{2,}(?![A-Za-z])"
    r"|(?<![\w*])\.[a-z]{2,}|(?<!\w)'[^']+'"
)
"""What is the same in every language: options, values, sections, escapes, names, examples."""


def test_the_korean_of_a_help_names_what_the_english_names() -> None:
    path = Path(messages.__file__).parent / "ko" / "help.toml"
    texts = [
        pair for each in tomllib.loads(path.read_text("utf-8")).values() for pair in each.items()
    ]
    assert len(texts) > 200
    differing = {}
    for english, korean in texts:
        one, other = (set(NAMED.findall(each)) for each in (english, korean))
        # A word that is spelled in Hangul, or with its name in full.
        gone = one - other - {"ACK", "IPV", "AND", "URL", "SYN,ACK"}
        if gone:
            differing[english] = gone
    assert differing == {}


def test_the_korean_of_a_help_has_the_words_of_the_glossary() -> None:
    exact, patterns = messages._translations("ko", "help")
    korean = [*exact.values(), *(each for _, each in patterns)]
    instead = tomllib.loads((files("handshake.lessons") / "glossary.toml").read_text())["instead"]
    assert [text for text in korean if any(each in text for each in instead)] == []


@pytest.mark.parametrize("command", [None, *COMMANDS, "help"])
def test_the_help_in_korean_fits_eighty_columns(
    command: str | None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = (command,) if command else ()
    every = "--help-all" if command not in (None, "demo", "help") else "--help"
    english = printed(capsys, *words, every)
    korean = printed(capsys, *words, every, "--lang", "ko")
    assert korean.startswith("사용법: handshake ")
    assert HANGUL.search(english) is None
    assert [line for line in korean.splitlines() if cell_len(line) > 80] == []
    assert "\ue000" not in korean
    # The same options in the same order; no sentence is left in English.
    options = [
        re.findall(r"^  (-\S+)", each.partition(":\n")[2], re.MULTILINE)
        for each in (korean, english)
    ]
    assert options[0] == options[1]
    assert [
        line
        for line in korean.splitlines()
        if re.match(" {2,}[A-Z][a-z]+ [a-z]+ [a-z]+", line) and not HANGUL.search(line)
    ] == []


def test_the_manual_page_is_english(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, "help", "--man", "--lang", "ko") == printed(capsys, "help", "--man")


def test_the_help_on_filters_in_korean(capsys: pytest.CaptureFixture[str]) -> None:
    korean = printed(capsys, "list", "--help-filter", "--lang", "ko")
    assert "필터는 연결을 고른다: --filter EXPR, 또는 목록에서 /." in korean
    assert "outcome             열기의 결과: established, refused," in korean
    assert all(cell_len(line) <= 80 for line in korean.splitlines())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nope", "그런 명령이 없다: 'nope' (handshake --help 참고)"),
        ("list", "인자가 빠졌다: 'CAPTURE...' (handshake list --help 참고)"),
        ("list x --nope", "그런 옵션이 없다: --nope (handshake list --help 참고)"),
        ("list x --jobs", "'--jobs': 값이 필요하다"),
        ("list x --jobs 0", "'--jobs': 1 이상이어야 한다 (handshake list --help 참고)"),
        ("list x --jobs x", "'--jobs': 정수여야 한다 (handshake list --help 참고)"),
        ("list x --json=1", "'--json': 값을 받지 않는 옵션이다"),
        ("list x --plan", "그런 옵션이 없다: --plan (비슷한 옵션: --lang, --plain)"),
        ("replay a b c", "인자가 너무 많다: b c (handshake replay --help 참고)"),
        ("probe a:1 --rate x", "'--rate': 숫자여야 한다 (handshake probe --help 참고)"),
        ("probe a:1 --concurrency 99999", "'--concurrency': 16384 이하여야 한다"),
    ],
)
def test_wrong_usage_in_korean(
    words: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"오류: {said}")
    assert error.count("\n") == 1


def test_the_language_before_the_command_is_that_of_the_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    after = printed(capsys, "list", MIXED, "--summary", "--lang", "ko")
    assert printed(capsys, "--lang", "ko", "list", MIXED, "--summary") == after
    assert main(["--lang", "xx", "list", MIXED]) == 2


ENDINGS = ("html", "report.html", "md", "txt", "svg")
TAGS = re.compile(r"<(?:style|script)[^>]*>.*?</(?:style|script)>|<[^>]+>", re.DOTALL)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("words", [("list", MIXED, "--problems"), ("replay", LOST)])
def test_an_export_in_korean(
    words: tuple[str, ...], ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = {}
    for language in ("en", "ko"):
        out = tmp_path / f"{language}.{ending}"
        assert main([*words, "--export", str(out), "--lang", language]) == 0
        pages[language] = out.read_text("utf-8")
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("wrote ")
    assert "파일에 썼다: 연결 " in said[1]
    assert not HANGUL.search(pages["en"])
    assert HANGUL.search(pages["ko"])
    if ending.endswith("html"):
        assert '<html lang="ko">' in pages["ko"]
        assert '<html lang="en">' in pages["en"]
    # What is still the same in both is no sentence: states, flags, numbers, commands.
    texts = [set(TAGS.sub("\n", page).splitlines()) for page in pages.values()]
    same = [each for each in texts[0] & texts[1] if re.search(r"(?:\b[a-z]{2,}\b ){3}", each)]
    assert [each for each in same if "tcpdump" not in each and "participant" not in each] == []


def test_the_words_of_a_page_have_their_korean(tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    assert main(["list", MIXED, "--export", str(out), "--lang", "ko"]) == 0
    page = out.read_text("utf-8")
    data = json.loads(
        re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)[0]
    )
    assert {each for each, own in data["words"].items() if not HANGUL.search(own)} == {"{0} of {1}"}
    body = TAGS.sub("\n", page[page.index("<body>") :])
    left = [each.strip() for each in body.splitlines() if re.search(r"[a-z]{4,}", each)]
    assert [each for each in left if not HANGUL.search(each) and "handshake 0" not in each] == [
        "Enter"
    ]
    assert not re.findall(r'aria-label="[A-Za-z ]+"', page.partition("<script")[0])


@pytest.mark.parametrize("ending", ["json", "pcapng"])
def test_exports_for_programs_are_english(ending: str, tmp_path: Path) -> None:
    found = []
    for language in ("en", "ko"):
        out = tmp_path / f"{language}.{ending}"
        assert main(["list", LOST, "--export", str(out), "--lang", language]) == 0
        found.append(out.read_bytes())
    assert found[0] == found[1]


def test_every_icmp_error_is_explained_in_korean() -> None:
    names = {
        icmp_error(version, kind, code).meaning
        for version, kinds in ((4, (3, 11, 12)), (6, (1, 2, 3, 4)))
        for kind in kinds
        for code in range(16)
    }
    named = {each for each in names if not each.startswith("type ")}
    assert len(named) > 20
    for each in named:
        said = messages.translated(each, "ko", "export")
        assert said.startswith(f"{each}(")
        assert HANGUL.search(said)


def icmp_error(version: int, kind: int, code: int) -> IcmpError:
    """Return an error of this type and code."""
    sender, ends = (
        ip_address("203.0.113.9"),
        (Endpoint.of("10.0.0.1", 1), Endpoint.of("10.0.0.2", 2)),
    )
    return IcmpError(version, kind, code, sender, *ends, Seq(1))


def test_a_syn_that_is_not_sent_in_korean(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, "probe", "127.0.0.1:1", "--dry-run", "--lang", "ko")
    assert shown.startswith("시험 실행  127.0.0.1:1  아무것도 보내지 않음\n")
    assert re.search(r"길이 +\d+옥텟, 데이터 0옥텟\n", shown)
    assert "패딩: 01" in shown
    assert not HANGUL.search(printed(capsys, "probe", "127.0.0.1:1", "--dry-run"))
