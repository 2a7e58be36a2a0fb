"""A line that is typed: the cursor, what is cut, the history, completion."""

from __future__ import annotations

import pytest

from handshake.cli.line_editor import LineEditor
from handshake.query.complete import complete


def typed(*keys: str, text: str = "", history: tuple[str, ...] = ()) -> str:
    """Return the line after some keys, with `|` where the cursor is; words are typed as such."""
    editor = LineEditor("filter", text, history=history, complete=complete)
    for each in keys:
        names = each[1:-1].split() if each.startswith("<") else each
        for key in names:
            editor.press("space" if key == " " else key)
    return f"{editor.text[: editor.cursor]}|{editor.text[editor.cursor :]}"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("abc", "<left left>", "x"), "ax|bc"),
        (("abc", "<home delete>"), "|bc"),
        (("abc", "<left backspace end>", "d"), "acd|"),
        (("ab cd ef", "<control-w>"), "ab cd |"),
        (("ab cd ef ", "<control-w control-w>"), "ab |"),
        (("ab cd", "<left control-w>"), "ab |d"),
        (("ab cd", "<left left control-u>"), "|cd"),
        (("ab cd", "<left left control-k>"), "ab |"),
        (("한글", "<left>", "x"), "한x|글"),
        (("a", "<up-unknown tab>"), "a|"),
        (("<right delete backspace left>",), "|"),
    ],
)
def test_keys(keys: tuple[str, ...], line: str) -> None:
    assert typed(*keys) == line


def test_the_arrows_go_through_what_was_typed_before() -> None:
    history = ("first", "second")
    assert typed("x", "<up>", history=history) == "second|"
    assert typed("x", "<up up up>", history=history) == "first|"
    assert typed("x", "<up up down down down>", history=history) == "x|"


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (("outc", "<tab>"), "outcome |"),
        (("outcome == ref", "<tab>"), "outcome == refused |"),
        (("outcome == re", "<tab>"), "outcome == re|"),
        (("outcome == re", "<tab tab>"), "outcome == refused|"),
        (("outcome == re", "<tab tab tab>"), "outcome == reset|"),
        (("outcome in {refused, no", "<tab>"), "outcome in {refused, no-answer |"),
        (("findings == syn-ack-l", "<tab>"), "findings == syn-ack-lost |"),
        (("client.ecn == t", "<tab>"), "client.ecn == true |"),
        (("handshake.syn_to", "<tab>"), "handshake.syn_to_syn_ack |"),
        (("syn-ack-u", "<tab>"), "syn-ack-unanswered |"),
        (("outcome == refused a", "<tab>"), "outcome == refused and |"),
        (("rtt > 3 and out", "<tab>"), "rtt > 3 and outcome |"),
        (("not out", "<tab>"), "not outcome |"),
        (("(out", "<tab>"), "(outcome |"),
        (("zzz", "<tab>"), "zzz|"),
        (("rtt > ", "<tab>"), "rtt > |"),
    ],
)
def test_tab_completes_keys_values_and_words(keys: tuple[str, ...], line: str) -> None:
    assert typed(*keys) == line


def test_no_line_is_endless() -> None:
    assert len(typed("x" * 5000)) == 2001
