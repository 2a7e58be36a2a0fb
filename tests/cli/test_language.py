"""The language of list and replay: that of the locale, or of --lang."""

from __future__ import annotations

import json
import re

import pytest

from handshake.cli import main
from tests.survey.made import CAPTURES

LOST = str(CAPTURES / "lost-syn-ack.pcap")
MIXED = str(CAPTURES / "mixed.pcap")

HANGUL = re.compile("[가-힣]")


@pytest.fixture(autouse=True)
def _no_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


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
    assert found.err == "error: /nowhere.pcap: 그런 파일이 없다\n"
    assert len([json.loads(line) for line in found.out.splitlines()]) == 25
