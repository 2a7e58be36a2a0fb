"""Pages of the course: the keys and signs, all lessons, the score of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from handshake.lessons import LESSONS, WHAT_IF, lesson_text, option
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import fit, line, wrap

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

    from handshake.lessons import Lesson, LessonText, ScreenText


@dataclass(frozen=True)
class PageScreen:
    """A page of lines, each with a key or a sign in front."""

    keys: tuple[tuple[str, str], ...]
    title: str
    back: tuple[tuple[str, str], ...]
    """The keys that lead on, in the last line."""

    height: int
    glyphs: Glyphs = UNICODE

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> list[Text]:
        """Return a line for each key, and how to go back."""
        glyphs = self.glyphs
        lines = [
            line((fit(glyphs.spell(f" {self.title}"), width, glyphs.ellipsis), "title")),
            line(),
        ]
        for key, what in self.keys:
            first, *rest = wrap(glyphs.spell(what), width - 14)
            lines.append(line((fit(glyphs.spell(f"  {key}"), 13), "key"), first))
            lines += [line(" " * 13, each) for each in rest]
        lines += [line()] * (self.height - 1 - len(lines))
        below: list[str | tuple[str, str]] = [" "]
        for key, what in self.back:
            below += [(glyphs.spell(key), "key"), f" {what}  "]
        return [*lines[: self.height - 1], line(*below)]


def keys_page(
    lesson: Lesson, text: LessonText, words: ScreenText, height: int, glyphs: Glyphs
) -> PageScreen:
    """Return the keys, and what the signs mean."""
    name = lesson.variant_of or lesson.name
    asks = " ".join(map(option, WHAT_IF[name].changes))
    keys = (
        ("←/→", words["help_step"]),
        ("Home/End", words["help_ends"]),
        (":N", words["help_jump"]),
        ("space", words["help_play"]),
        ("r", words["help_restart"]),
        ("c", words["help_course"]),
        ("w", words["help_knows"]),
        ("f", words["help_fields"]),
        ("1-4, 0-9", words["help_answer"]),
        ("L", words["help_language"]),
        ("e", words["help_export"]),
        ("q", words["help_quit"]),
        ("", ""),
        ("●  ◉  ○", words["legend_steps"]),
        ("──▶  ──╳", words["legend_arrows"]),
        ("> →  *", words["legend_changed"]),
        ("✓  ✗", words["legend_live"]),
        ("demo ...", words["help_what_if"].format(lesson=name, options=asks)),
    )
    return PageScreen(keys, text.title, (("?", words["key_back"]),), height, glyphs)


def course_page(marked: int, words: ScreenText, height: int, glyphs: Glyphs) -> PageScreen:
    """Return all lessons, with one marked."""
    rows = []
    for number, each in enumerate(LESSONS):
        sign = "▶" if number == marked else " "
        title = lesson_text(each.name, words.language).title
        rows.append((f"{sign} {(number + 1) % 10}", f"{each.name:<13} {title}"))
    below = (("↑/↓ 0-9", words["key_choose"]), ("Enter", words["key_begin"]))
    back = ("Esc", words["key_back"])
    return PageScreen(tuple(rows), words["course"], (*below, back), height, glyphs)


def score_page(
    lesson: Lesson,
    text: LessonText,
    words: ScreenText,
    score: tuple[int, int, int],
    height: int,
    glyphs: Glyphs,
) -> PageScreen:
    """Return how many of the questions were answered right, and what comes next."""
    right, answered, asked = score
    rows = [("●", words["finished"])]
    if asked:
        rows.append(("?", words["score"].format(right=right, asked=asked)))
    if answered < asked:
        rows.append(("", words["unanswered"].format(count=asked - answered)))
    following = LESSONS.index(lesson) + 1 if lesson in LESSONS else 0
    title = lesson_text(LESSONS[following % len(LESSONS)].name, words.language).title
    rows.append(("Enter", f"{words['next_lesson']} {title}"))
    keys = (("Enter", words["key_begin"]), ("r", words["key_again"]), ("c", words["key_course"]))
    back = ("Esc", words["key_back"])
    return PageScreen(tuple(rows), text.title, (*keys, back), height, glyphs)
