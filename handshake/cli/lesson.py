"""A lesson on a terminal: the current scene and language, and the keys."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final

from handshake.cli.lesson_text import languages
from handshake.cli.line_editor import LineEditor
from handshake.cli.with_export import Exported
from handshake.escape import printable
from handshake.lessons import (
    LANGUAGES,
    LESSONS,
    Lesson,
    LessonText,
    number_of,
    screen_text,
    text_of,
)
from handshake.view import lesson, lesson_wide
from handshake.view.lesson import Answering, LessonScreen, Place
from handshake.view.lesson_aside import AsideScreen
from handshake.view.lesson_knows import KnowsScreen
from handshake.view.lesson_ladder import LadderLessonScreen
from handshake.view.lesson_pages import course_page, keys_page, score_page
from handshake.view.lesson_small import SmallLessonScreen
from handshake.view.lesson_wide import WideLessonScreen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import RenderableType

    from handshake.lessons import Question, ScreenText
    from handshake.lessons.live import LiveRun
    from handshake.lessons.live_event import LiveScene
    from handshake.view.glyphs import Glyphs

BOTH: Final = "both"
"""Two languages side by side, if the screen is wide enough."""

_DIGITS: Final = 10
"""The most digits of a number of 32 bits."""

_PAUSE: Final = 8.0
"""Seconds per scene while playing: time to read four lines."""

_OFTEN: Final = 0.25
"""Seconds between two looks at what real hosts have done."""

_KEYS, _COURSE, _SCORE, _KNOWS = "keys", "course", "score", "knows"


class LessonPlayer:
    """The state of a lesson on a terminal."""

    def __init__(
        self,
        taught: Lesson,
        language: str,
        glyphs: Glyphs,
        first: int = 0,
        *,
        answers: Mapping[int, str] | None = None,
        live: Callable[[Lesson], LiveRun] | None = None,
    ) -> None:
        """Begin at a scene, with what was answered before; `live` lets real hosts play a lesson."""
        self.lesson = taught
        self.index = first
        self._language = language
        self._glyphs = glyphs
        self._live = live
        self._run = None if live is None else live(taught)
        self._next_scene: float | None = None
        """When the next scene comes, while playing."""

        self._field: str | None = None
        self._page = ""
        """What is shown instead of the scene; empty for nothing."""

        self._marked = 0
        """The lesson that is marked on the page of all lessons."""

        self._wide = False
        self._typed = ""
        self._fresh = False
        """Whether the question of this scene was answered just now."""

        self._editor: LineEditor | None = None
        self.furthest = first
        """The last scene that was seen."""

        self.answers: dict[int, str] = {**(answers or {})}
        """What was answered, by the number of the scene."""

        self.read: dict[str, tuple[Lesson, int, dict[int, str]]] = {}
        """The lessons that were left for another one: how far they were read, what was answered."""

    @property
    def all_read(self) -> list[tuple[Lesson, int, dict[int, str]]]:
        """Every lesson that was shown: how far, and what was answered."""
        others = [each for name, each in self.read.items() if name != self.lesson.name]
        return [*others, (self.lesson, self.furthest, self.answers)]

    @property
    def pause(self) -> float | None:
        """Seconds until `advance`; None to wait for a key."""
        left = None if self._next_scene is None else max(0.0, self._next_scene - monotonic())
        waits = self._run is not None and not self._run.ended
        if not waits:
            return left
        return _OFTEN if left is None else min(left, _OFTEN)

    @property
    def question(self) -> Question | None:
        """The question of this scene, while it is not answered."""
        if self.index in self.answers or self._aside is not None:
            return None
        return self._text.steps[self.lesson.scenes[self.index].name].question

    @property
    def _text(self) -> LessonText:
        return text_of(self.lesson, self._languages[0])

    @property
    def _asides(self) -> list[str]:
        """What only real hosts show, if they do."""
        if self._run is None or self._run.problem is not None:
            return []
        return [each.name for each in self.lesson.asides]

    @property
    def _aside(self) -> str | None:
        place = self.index - len(self.lesson.scenes)
        return self._asides[place] if 0 <= place < len(self._asides) else None

    @property
    def _last(self) -> int:
        return len(self.lesson.scenes) + len(self._asides) - 1

    @property
    def right(self) -> int:
        """How many questions were answered right."""
        steps, scenes = self._text.steps, self.lesson.scenes
        asked = ((steps[scenes[at].name].question, said) for at, said in self.answers.items())
        return sum(each is not None and each.right == said for each, said in asked)

    @property
    def _asked(self) -> int:
        return sum(step.question is not None for step in self._text.steps.values())

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

    # The screen.

    def draw(self, width: int, height: int) -> RenderableType:
        """Return this scene for a screen of this size."""
        self._wide = width >= lesson_wide.MIN_WIDTH and height >= lesson_wide.MIN_HEIGHT
        texts = [(text_of(self.lesson, each), screen_text(each)) for each in self._languages]
        text, words = texts[0]
        match self._page:
            case "keys":
                return keys_page(self.lesson, text, words, height, self._glyphs)
            case "knows" if self._aside is None:
                step = text.steps[self.lesson.scenes[self.index].name]
                return KnowsScreen(self._place, step, words, height, self._glyphs)
            case "course":
                return course_page(self._marked, words, height, self._glyphs)
            case "score":
                score = (self.right, len(self.answers), self._asked)
                return score_page(self.lesson, text, words, score, height, self._glyphs)
        aside = self._aside
        if aside is not None and self._run is not None:
            events = [*self._run.parts[aside].events]
            step = text.asides[aside]
            return AsideScreen(self._place, step, words, events, height, self._glyphs)
        if width < lesson.MIN_WIDTH or height < lesson.MIN_HEIGHT:
            answer = self.answers.get(self.index)
            return SmallLessonScreen(
                self._place, *texts[0], height, self._glyphs, answer, self._typed
            )
        if self.lesson.played or self._run is not None:
            answer = self.answers.get(self.index)
            return LadderLessonScreen(
                self._place,
                text,
                words,
                height,
                self._glyphs,
                answer,
                self._typed,
                second=texts[1] if len(texts) > 1 else None,
                live=self._seen,
            )
        answering = Answering(self.answers.get(self.index), self._typed, fresh=self._fresh)
        if self._wide:
            return WideLessonScreen(self._place, tuple(texts), height, self._glyphs, answering)
        return LessonScreen(self._place, text, words, height, self._glyphs, answering)

    @property
    def _seen(self) -> LiveScene | None:
        """What real hosts did in this scene."""
        return None if self._run is None else self._run.view(self.lesson, self.index)

    @property
    def _place(self) -> Place:
        asking = self.question is not None
        return Place(
            self.lesson.unanswered(self.index) if asking else self.lesson,
            self.index,
            number_of(self.lesson),
            playing=self._next_scene is not None,
            chosen=self._field,
            keys=self._keys(),
        )

    def _keys(self) -> tuple[tuple[str, str], ...]:
        words = self._words
        if self._editor is not None:
            last = self._last + 1
            return ((":", f"{self._editor.text}_"), ("1", f"- {last}"), ("Enter", words["key_go"]))
        other = self._next_language
        question = self.question
        asked = None
        if question is not None:
            last = len(question.choices)
            asked = (f"1-{last}", words["key_answer"]) if last else ("0-9", words["key_number"])
        keys = [
            asked,
            ("←/→", words["key_step"]),
            ("Home/End", words["key_ends"]) if self._wide else None,
            ("space", words["key_play" if self._next_scene is None else "key_stop"]),
            ("f", words["key_fields"]) if self._has_header else None,
            ("L", BOTH if other == BOTH else screen_text(other)["language"]),
            ("w", words["key_knows"]),
            ("c", words["key_course"]),
            ("?", words["key_help"]),
            ("q", words["key_quit"]),
        ]
        return tuple(each for each in keys if each is not None)

    @property
    def typing(self) -> bool:
        """Whether a text is typed."""
        return self._editor is not None

    @property
    def exported(self) -> Exported | None:
        """The lesson, as a file; nothing while a page is shown instead."""
        if self._page:
            return None
        from handshake.cli.lesson_files import ENDINGS, check_lesson, export_lesson

        taught, language = self.lesson, self._language

        def write(out: str, _: Callable[..., None]) -> str:
            export_lesson(taught, language, out, range(len(taught.scenes)))
            return screen_text(languages(language)[0])["exported"].format(name=printable(out))

        return Exported(f"lesson-{taught.name}", write, check_lesson, ENDINGS)

    # The keys.

    def press(self, key: str) -> bool:
        """Act on a key; return whether to go on."""
        if self._editor is not None:
            self._jump(self._editor, key)
            return True
        if key == "q":
            return False
        if self._page:
            self._on_page(key)
            return True
        if self.question is not None and self._answer(self.question, key):
            return True
        match key:
            case "right" | "enter" | "page-down":
                self._forward()
            case "left" | "backspace" | "page-up":
                self._go(self.index - 1)
            case "home":
                self._go(0)
            case "end":
                self._go(self._last)
            case "space":
                self._play()
            case "f":
                self._next_field()
            case "escape":
                self._field = None
            case "L" | "l":
                self._language = self._next_language
            case "h" | "?":
                self._page = _KEYS
            case "w":
                self._page = _KNOWS
            case ":":
                self._editor = LineEditor(self._words["step"])
            case "r":
                self.answers.clear()
                self._go(0)
            case "c":
                self._page = _COURSE
                self._marked = LESSONS.index(self.lesson) if self.lesson in LESSONS else 0
        return True

    def _jump(self, editor: LineEditor, key: str) -> None:
        """Take a key of the number of a step."""
        if key not in ("enter", "escape"):
            editor.press(key)
            return
        self._editor = None
        if key == "enter" and editor.text.strip().isdecimal():
            self._go(int(editor.text) - 1)

    def _on_page(self, key: str) -> None:
        page = self._page
        if page == _KNOWS and key in ("left", "right", "home", "end"):
            self._page = ""
            self.press(key)
            self._page = self._page or _KNOWS
        elif page == _COURSE and key in ("up", "down", "k", "j"):
            by = 1 if key in ("down", "j") else -1
            self._marked = max(0, min(self._marked + by, len(LESSONS) - 1))
        elif page == _COURSE and key.isdecimal():
            number = (int(key) - 1) % 10
            if number < len(LESSONS):
                self._begin(LESSONS[number])
        elif page == _COURSE and key == "enter":
            self._begin(LESSONS[self._marked])
        elif page == _SCORE and key in ("enter", "right"):
            following = LESSONS.index(self.lesson) + 1 if self.lesson in LESSONS else 0
            self._begin(LESSONS[following % len(LESSONS)])
        elif key in ("L", "l"):
            self._language = self._next_language
        elif page == _SCORE and key == "c":
            self._page = _COURSE
        elif page == _SCORE and key == "r":
            self._page = ""
            self.answers.clear()
            self._go(0)
        else:
            self._page = ""

    def _begin(self, taught: Lesson) -> None:
        """Go to another lesson, or to the beginning of this one."""
        self._page = ""
        if taught is not self.lesson:
            self.read[self.lesson.name] = (self.lesson, self.furthest, self.answers)
            _, self.furthest, self.answers = self.read.get(taught.name, (taught, 0, {}))
            self.lesson = taught
            if self._live is not None:
                if self._run is not None:
                    self._run.close()
                self._run = self._live(taught)
        self._go(0)

    def _answer(self, question: Question, key: str) -> bool:
        """Take a key for an answer; return whether it is one."""
        if question.choices:
            if not (key.isdecimal() and 1 <= int(key) <= len(question.choices)):
                return False
            self.answers[self.index], self._fresh = key, True
            return True
        if key.isdecimal() and len(self._typed) < _DIGITS:
            self._typed += key
        elif key == "backspace" and self._typed:
            self._typed = self._typed[:-1]
        elif key == "enter" and self._typed:
            self.answers[self.index], self._typed = str(int(self._typed)), ""
            self._fresh = True
        else:
            return False
        return True

    @property
    def _has_header(self) -> bool:
        if self._aside is not None or self.question is not None:
            return False
        if self._fresh and self._has_pictures:
            return False
        return self.lesson.scenes[self.index].segment is not None

    @property
    def _has_pictures(self) -> bool:
        """Whether the scenes are drawn with their headers, and not as a ladder."""
        return not self.lesson.played and self._run is None and self._aside is None

    def advance(self) -> bool:
        """Go to the next scene while playing; look at what real hosts have done."""
        if self._next_scene is not None and monotonic() >= self._next_scene:
            self._go(self.index + 1)
            self._next_scene = None if self.index == self._last else monotonic() + _PAUSE
            return True
        return self._run is not None

    def close(self) -> None:
        """End what real hosts still do."""
        if self._run is not None:
            self._run.close()

    def _forward(self) -> None:
        if self._fresh and self._has_pictures:
            self._fresh = False  # what the question hid is shown first
            return
        if self.index == self._last:
            self._page = _SCORE
            self._next_scene = None
            return
        self._go(self.index + 1)

    def _go(self, index: int) -> None:
        self.index = max(0, min(index, self._last))
        self.furthest = max(self.furthest, min(self.index, len(self.lesson.scenes) - 1))
        self._field = None
        self._typed = ""
        self._fresh = False

    def _play(self) -> None:
        if self._next_scene is not None:
            self._next_scene = None
            return
        if self.index == self._last:
            self._go(0)
        self._next_scene = monotonic() + _PAUSE

    def _next_field(self) -> None:
        if not self._has_header:
            return
        # The scene must not change while the user reads about a field.
        self._next_scene = None
        fields = [*self._words.fields]
        at = -1 if self._field is None else fields.index(self._field)
        self._field = fields[at + 1] if at + 1 < len(fields) else None
