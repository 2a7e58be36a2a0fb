"""One line of text that is typed: a cursor, a history, and completion by Tab."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MOST: Final = 2000
"""Characters of a line at most."""

_WORD: Final = re.compile(r"\S*\s*\Z")


class LineEditor:
    """A line while it is typed: its text and the cursor."""

    def __init__(
        self,
        label: str,
        text: str = "",
        *,
        history: Sequence[str] = (),
        complete: Callable[[str], tuple[str, Sequence[str]]] | None = None,
    ) -> None:
        """Take the lines typed before, the oldest first, for the arrows up and down.

        `complete` returns, of the text before the cursor, the word at its end and the words that
        begin with that.
        """
        self.label = label
        self.text = text
        self.cursor = len(text)
        self.choices: Sequence[str] = ()
        """What Tab found, if it is more than one word."""

        self._lines = [*history, text]
        self._at = len(self._lines) - 1
        self._complete = complete
        self._cycle = 0
        self._stem = ""

    def press(self, key: str) -> None:
        """Act on a key."""
        if key not in ("tab", "back-tab"):
            self.choices, self._cycle = (), 0
        match key:
            case "left":
                self.cursor = max(0, self.cursor - 1)
            case "right":
                self.cursor = min(len(self.text), self.cursor + 1)
            case "home":
                self.cursor = 0
            case "end":
                self.cursor = len(self.text)
            case "backspace":
                self._cut(max(0, self.cursor - 1), self.cursor)
            case "delete":
                self._cut(self.cursor, self.cursor + 1)
            case "control-u":
                self._cut(0, self.cursor)
            case "control-k":
                self._cut(self.cursor, len(self.text))
            case "control-w":
                found = _WORD.search(self.text[: self.cursor].rstrip())
                assert found is not None
                self._cut(found.start(), self.cursor)
            case "up":
                self._recall(self._at - 1)
            case "down":
                self._recall(self._at + 1)
            case "tab":
                self._tab()
            case "space":
                self._type(" ")
            case _ if len(key) == 1 and key.isprintable():
                self._type(key)

    def _type(self, text: str) -> None:
        if len(self.text) + len(text) <= _MOST:
            self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
            self.cursor += len(text)

    def _cut(self, begin: int, end: int) -> None:
        self.text = self.text[:begin] + self.text[end:]
        self.cursor = begin

    def _recall(self, at: int) -> None:
        if 0 <= at < len(self._lines):
            self._lines[self._at] = self.text
            self._at = at
            self.text = self._lines[at]
            self.cursor = len(self.text)

    def _tab(self) -> None:
        """Complete the word before the cursor; where several fit, each Tab takes the next."""
        if self._complete is None:
            return
        if self.choices:
            last = self.choices[self._cycle - 1] if self._cycle else self._stem
            self._cut(self.cursor - len(last), self.cursor)
            self._type(self.choices[self._cycle % len(self.choices)])
            self._cycle = self._cycle % len(self.choices) + 1
            return
        word, found = self._complete(self.text[: self.cursor])
        if not found:
            return
        self._stem = _common(found)
        self._cut(self.cursor - len(word), self.cursor)
        self._type(self._stem)
        if len(found) == 1:
            self._type(" ")
        else:
            self.choices = found


def _common(words: Sequence[str]) -> str:
    """Return what all words begin with."""
    first, last = min(words), max(words)
    same = (at for at, char in enumerate(first) if last[at : at + 1] != char)
    return first[: next(same, len(first))]
