"""No word stands in what a user or a reader reads that the field has a better one for."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from handshake import messages

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE: Final = Path(messages.__file__).parents[1]

BANNED: Final = re.compile(
    r"\b(whoever|nobody|somebody|everybody|whom|h[au]ng(s|ing)? up|manners?|patience|heed(s|ed)?"
    r"|knock(s|ed|ing)?|precedents?|gist|(is|are|was|were) to be had|he|his|him"
    r"|(?<!CTL=)(?<!rcv )SYN[+,]ACK)\b",
    re.IGNORECASE,
)

ALLOWED: Final = re.compile(r"[`\"']nobody[`\"']|\b(he or she|his or her)\b", re.IGNORECASE)
"""The user of that name, and a person who reads."""

_TEXT: Final = {
    tokenize.COMMENT,
    tokenize.STRING,
    getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING),
}


def banned(text: str) -> list[str]:
    """Return the banned words in a text."""
    return [each.group() for each in BANNED.finditer(ALLOWED.sub("", text))]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield each string and comment of a module, and its line."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type in _TEXT:
            yield token.start[0], token.string


@pytest.mark.parametrize("family", messages.FAMILIES)
def test_sentences_use_no_banned_word(family: str) -> None:
    table = messages.table(family)
    assert {key: banned(text) for key, text in table.items() if banned(text)} == {}
    assert [key for key, text in table.items() if re.search("SYN[+,]ACK", text)] == []


def test_strings_and_comments_use_no_banned_word() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{line}: {banned(text)}"
        for path in sorted(SOURCE.rglob("*.py"))
        for line, text in texts(path)
        if banned(text)
    ]
    assert found == []


def test_lessons_use_no_banned_word() -> None:
    paths = sorted((SOURCE / "lessons").rglob("*.toml"))
    assert len(paths) > 20
    found = {str(path): banned(path.read_text("utf-8")) for path in paths}
    assert {name: words for name, words in found.items() if words} == {}


def test_no_text_has_the_marks_of_a_merge() -> None:
    marks = re.compile(r"^(<{7} |={7}$|>{7} |\|{7} )", re.MULTILINE)
    inside = ["handshake", "tests", "docs", "examples", "benchmarks"]
    paths = [path for each in inside for path in (SOURCE.parent / each).rglob("*")]
    paths += SOURCE.parent.iterdir()
    kinds = (".py", ".toml", ".md", ".txt", ".css", ".js", ".json", ".svg")
    texts = [path for path in paths if path.suffix in kinds]
    assert [str(path) for path in texts if marks.search(path.read_text("utf-8"))] == []


def test_scripts_and_pages_use_no_banned_word() -> None:
    root = SOURCE.parent
    paths = [path for each in ("*.md", "benchmarks/*", "captures/*.md") for path in root.glob(each)]
    found = {path.name: banned(path.read_text("utf-8")) for path in paths if path.is_file()}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("nobody answers", ["nobody"]),
        ("goes on as `nobody`", []),
        ("the host and whom he calls", ["whom", "he"]),
        ("he or she reads it", []),
        ("the server hung up on its precedents", ["hung up", "precedents"]),
        ("the header, hence shim and this", []),
        ("SYN+ACK, SYN-ACK", ["SYN+ACK"]),
        ("<CTL=SYN,ACK>", []),
    ],
)
def test_what_is_banned(text: str, found: list[str]) -> None:
    assert banned(text) == found
