"""A lesson on a terminal: the current scene and language, and the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.lessons import LANGUAGES, Lesson, LessonText, number_of, screen_text, text_of
from handshake.view import lesson, lesson_wide
from handshake.view.lesson import LessonScreen, Place
from handshake.view.lesson_ladder import LadderLessonScreen
from handshake.view.lesson_small import KeysScreen, SmallLessonScreen
from handshake.view.lesson_wide import WideLessonScreen

if TYPE_CHECKING:
    from rich.console import RenderableType

    from handshake.lessons import Question, ScreenText
    from handshake.view.glyphs import Glyphs

BOTH: Final = "both"
"""Two languages side by side, if the screen is wide enough."""

_DIGITS: Final = 10
"""The most digits of a number of 32 bits."""

_PAUSE: Final = 8.0
"""Seconds per scene while playing: time to read four lines."""


class LessonPlayer:
    """The state of a lesson on a terminal."""

    def __init__(self, taught: Lesson, language: str, glyphs: Glyphs, first: int = 0) -> None:
        self.lesson = taught
        self.index = first
        self.pause: float | None = None
        self._language = language
        self._glyphs = glyphs
        self._field: str | None = None
        self._help = False
        self._wide = False
        self._typed = ""
        self.furthest = first
        """The last scene that was seen."""

        self.answers: dict[int, str] = {}
        """What was answered, by the number of the scene."""

    @property
    def _question(self) -> Question | None:
        """The question of this scene, while it is not answered."""
        if self.index in self.answers:
            return None
        return self._text.steps[self.lesson.scenes[self.index].name].question

    @property
    def _text(self) -> LessonText:
        return text_of(self.lesson, self._languages[0])

    @property
    def right(self) -> int:
        """How many questions were answered right."""
        steps, scenes = self._text.steps, self.lesson.scenes
        asked = ((steps[scenes[at].name].question, said) for at, said in self.answers.items())
        return sum(each is not None and each.right == said for each, said in asked)

    @property
    def _words(self) -> ScreenText:
        return screen_text(self._languages[0])

    @property
    def _languages(self) -> tuple[str, ...]:
        if self._language != BOTH:
            return (self._language,)
        return LANGUAGES if self._wide else LANGUAGES[:1]

    @property
    def _next_language(self) -> str:
        choices = [*LANGUAGES, BOTH] if self._wide else [*LANGUAGES]
        # If there is no room for both, the first one is shown.
        now = self._language if self._language in choices else choices[0]
        return choices[(choices.index(now) + 1) % len(choices)]

    def draw(self, width: int, height: int) -> RenderableType:
        """Return this scene for a screen of this size."""
        self._wide = width >= lesson_wide.MIN_WIDTH and height >= lesson_wide.MIN_HEIGHT
        texts = [(text_of(self.lesson, each), screen_text(each)) for each in self._languages]
        if self._help:
            return self._keys_screen(texts[0][0].title, height)
        if width < lesson.MIN_WIDTH or height < lesson.MIN_HEIGHT:
            answer = self.answers.get(self.index)
            return SmallLessonScreen(
                self._place, *texts[0], height, self._glyphs, answer, self._typed
            )
        if self.lesson.played:
            answer = self.answers.get(self.index)
            return LadderLessonScreen(
                self._place, *texts[0], height, self._glyphs, answer, self._typed
            )
        if self._wide:
            return WideLessonScreen(self._place, tuple(texts), height, self._glyphs)
        return LessonScreen(self._place, *texts[0], height, self._glyphs)

    @property
    def _place(self) -> Place:
        return Place(
            self.lesson,
            self.index,
            number_of(self.lesson),
            playing=self.pause is not None,
            chosen=self._field,
            keys=self._keys(),
        )

    def _keys(self) -> tuple[tuple[str, str], ...]:
        words = self._words
        other = self._next_language
        question = self._question
        asked = None
        if question is not None:
            last = len(question.choices)
            asked = (f"1-{last}", words["key_answer"]) if last else ("0-9", words["key_number"])
        keys = [
            asked,
            ("←/→", words["key_step"]),
            ("Home/End", words["key_ends"]) if self._wide else None,
            ("space", words["key_play" if self.pause is None else "key_stop"]),
            ("f", words["key_fields"]) if self._has_header else None,
            ("L", BOTH if other == BOTH else screen_text(other)["language"]),
            ("h", words["key_help"]),
            ("q", words["key_quit"]),
        ]
        return tuple(each for each in keys if each is not None)

    def _keys_screen(self, title: str, height: int) -> KeysScreen:
        words = self._words
        keys = (
            ("←/→", words["help_step"]),
            ("Home/End", words["help_ends"]),
            ("space", words["help_play"]),
            ("f", words["help_fields"]),
            ("1-4, 0-9", words["help_answer"]),
            ("L", words["help_language"]),
            ("h", words["help_help"]),
            ("q", words["help_quit"]),
        )
        return KeysScreen(keys, title, ("h", words["key_back"]), height, self._glyphs)

    def press(self, key: str) -> bool:
        """Act on a key; return whether to go on."""
        if key == "q":
            return False
        if self._help:
            self._help = False
            return True
        if self._question is not None and self._answer(self._question, key):
            return True
        match key:
            case "right" | "enter":
                self._go(self.index + 1)
            case "left" | "backspace":
                self._go(self.index - 1)
            case "home":
                self._go(0)
            case "end":
                self._go(len(self.lesson.scenes) - 1)
            case "space":
                self._play()
            case "f":
                self._next_field()
            case "escape":
                self._field = None
            case "L" | "l":
                self._language = self._next_language
            case "h" | "?":
                self._help = True
        return True

    def _answer(self, question: Question, key: str) -> bool:
        """Take a key for an answer; return whether it is one."""
        if question.choices:
            if not (key.isdecimal() and 1 <= int(key) <= len(question.choices)):
                return False
            self.answers[self.index] = key
            return True
        if key.isdecimal() and len(self._typed) < _DIGITS:
            self._typed += key
        elif key == "backspace" and self._typed:
            self._typed = self._typed[:-1]
        elif key == "enter" and self._typed:
            self.answers[self.index], self._typed = str(int(self._typed)), ""
        else:
            return False
        return True

    @property
    def _has_header(self) -> bool:
        return not self.lesson.played and self.lesson.scenes[self.index].segment is not None

    def advance(self) -> bool:
        """Go to the next scene while playing; stop at the last."""
        self._go(self.index + 1)
        if self.index == len(self.lesson.scenes) - 1:
            self.pause = None
        return True

    def _go(self, index: int) -> None:
        self.index = max(0, min(index, len(self.lesson.scenes) - 1))
        self.furthest = max(self.furthest, self.index)
        self._field = None
        self._typed = ""

    def _play(self) -> None:
        if self.pause is not None:
            self.pause = None
            return
        if self.index == len(self.lesson.scenes) - 1:
            self._go(0)
        self.pause = _PAUSE

    def _next_field(self) -> None:
        if not self._has_header:
            return
        # The scene must not change while the user reads about a field.
        self.pause = None
        fields = [*self._words.fields]
        at = -1 if self._field is None else fields.index(self._field)
        self._field = fields[at + 1] if at + 1 < len(fields) else None
