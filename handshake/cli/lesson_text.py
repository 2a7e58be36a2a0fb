"""A lesson without keys: as a text to read, as JSON, as a file; and the list of all lessons."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Final

from handshake.cli.console import console, glyphs
from handshake.lessons import (
    LANGUAGES,
    LESSONS,
    lesson_text,
    number_of,
    opening,
    screen_text,
    text_of,
)
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from rich.console import Console

    from handshake.lessons import Lesson, Scene
    from handshake.lessons.live import LiveRun
    from handshake.lessons.live_event import LiveScene
    from handshake.view.glyphs import Glyphs

_WIDTH: Final = 80


def languages(lang: str) -> tuple[str, ...]:
    """Return the languages that `--lang` names."""
    return LANGUAGES if lang == "both" else (lang,)


def print_text(
    taught: Lesson, chosen: range, lang: str, *, plain: bool, ascii_only: bool, live: LiveRun | None
) -> None:
    """Print steps as drawings of 80 columns, whatever the width of the output."""
    from handshake.view.lesson import LessonScreen, Place

    out = console(plain=plain)
    number = number_of(taught)
    signs = glyphs(ascii_only=ascii_only)
    if taught.played or live is not None:
        for language in languages(lang):
            _print_chapter(taught, chosen, number, language, out, signs, live)
        return
    for language in languages(lang):
        if len(chosen) == len(taught.scenes):
            _print_title(taught, number, language, out, signs)
        _print_opening(taught, chosen, language, out, signs)
    for index in chosen:
        place = Place(taught, index, number)
        screens = [
            LessonScreen(place, text_of(taught, each), screen_text(each), glyphs=signs)
            for each in languages(lang)
        ]
        lines = screens[0].picture(_WIDTH)
        for screen in screens:
            lines += screen.told(_WIDTH)
        for each in lines:
            each.rstrip()
            out.print(each, soft_wrap=True)
        if index != chosen[-1]:
            out.print()
    if len(chosen) == len(taught.scenes):
        for language in languages(lang):
            _print_fields(language, out, signs)


def _print_fields(lang: str, out: Console, signs: Glyphs) -> None:
    """Print what each field of a header is for."""
    from handshake.view.lesson import paragraph

    words = screen_text(lang)
    out.print()
    out.print(signs.spell(words["all_fields"]))
    out.print()
    for each in words.fields.values():
        for row in paragraph(f"{each.name}:", each.text, _WIDTH, "field.chosen", signs):
            out.print(row, soft_wrap=True)


def _print_title(taught: Lesson, number: str, lang: str, out: Console, signs: Glyphs) -> None:
    out.print(signs.spell(f"{number}  {text_of(taught, lang).title}"))
    out.print()


def _print_opening(taught: Lesson, chosen: range, lang: str, out: Console, signs: Glyphs) -> None:
    """Print what comes before the first step, if all steps are printed."""
    from handshake.view.layout import wrap

    if len(chosen) < len(taught.scenes):
        return
    for paragraph in opening(taught, lang):
        for row in wrap(signs.spell(paragraph), _WIDTH):
            out.print(row, soft_wrap=True)
        out.print()


def _print_chapter(
    taught: Lesson,
    chosen: range,
    number: str,
    lang: str,
    out: Console,
    signs: Glyphs,
    live: LiveRun | None,
) -> None:
    """Print a lesson as a chapter to read: what happens in each step, and why."""
    from handshake.view.lesson import Place
    from handshake.view.lesson_ladder import LadderLessonScreen

    text = text_of(taught, lang)
    _print_title(taught, number, lang, out, signs)
    _print_opening(taught, chosen, lang, out, signs)
    before: int | None = None
    for index in chosen:
        seen = None
        if live is not None:
            seen = live.wait_for(taught, index)
        screen = LadderLessonScreen(
            Place(taught, index, number), text, screen_text(lang), glyphs=signs, live=seen
        )
        for row in screen.told(_WIDTH, before):
            row.rstrip()
            out.print(row, soft_wrap=True)
        if index != chosen[-1]:
            out.print()
        before = index
    if live is not None and live.problem is None and len(chosen) == len(taught.scenes):
        _print_asides(taught, number, lang, out, signs, live)


def _print_asides(
    taught: Lesson, number: str, lang: str, out: Console, signs: Glyphs, live: LiveRun
) -> None:
    """Print what only real hosts show."""
    from handshake.view.lesson import Place
    from handshake.view.lesson_aside import AsideScreen

    text, place = text_of(taught, lang), Place(taught, 0, number)
    for each in taught.asides:
        part = live.part(each.name)
        step = text.asides[each.name]
        screen = AsideScreen(place, step, screen_text(lang), part.events, 24, signs)
        out.print()
        for row in screen.told(_WIDTH):
            row.rstrip()
            out.print(row, soft_wrap=True)


def print_lessons(lang: str, *, as_json: bool) -> None:
    """Print a line for each lesson: name, title, and how far it was read; and for the tasks."""
    from handshake.lessons.progress import TASKS, Progress, done
    from handshake.lessons.tasks import tasks_text

    known, none = done(), Progress(0, {})
    language = languages(lang)[0]
    words, tasks = screen_text(language), tasks_text(language)
    rows = []
    for each in LESSONS:
        text, found = lesson_text(each.name, language), known.get(each.name, none)
        asked = sum(step.question is not None for step in text.steps.values())
        rows.append((each.name, text.title, found.step, len(each.scenes), found.right(text), asked))
    found = known.get(TASKS, none)
    rows.append((f"--{TASKS}", tasks.title, found.step, len(tasks.tasks), 0, 0))
    for name, title, step, steps, right, asked in rows:
        if as_json:
            record = {"lesson": name, "title": title, "step": step, "steps": steps}
            record |= {"right": right, "asked": asked}
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
            continue
        score = f", {words['score'].format(right=right, asked=asked)}" if asked else ""
        state = f"  ({words['step']} {step}/{steps}{score})" if step else ""
        sys.stdout.write(f"{name:<12} {title}{state}\n")


def print_json(taught: Lesson, chosen: range, lang: str, live: LiveRun | None) -> None:
    """Print an object for each step."""
    for index in chosen:
        found = _record(taught, taught.scenes[index], index, lang)
        if live is not None:
            found["live"] = _live_record(live.wait_for(taught, index))
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")


def _live_record(seen: LiveScene) -> dict[str, object] | None:
    from handshake.step_record import segment_record

    event = seen.event
    if event is None:
        return None
    return {
        "at": event.at / NS_PER_SECOND,
        "segment": None if event.segment is None else segment_record(event.segment),
        "ss": {
            name: [str(row) for row in rows]
            for name, rows in zip(("client", "server"), event.sockets, strict=True)
        },
        "differences": [
            {"item": item, "lesson": said, "kernel": sent} for item, said, sent in seen.differences
        ],
    }


def _record(taught: Lesson, scene: Scene, index: int, lang: str) -> dict[str, object]:
    from handshake.step_record import change_record, segment_record

    texts = {each: text_of(taught, each).steps[scene.name] for each in languages(lang)}
    return {
        "lesson": taught.name,
        "step": index + 1,
        "name": scene.name,
        "at": scene.at / NS_PER_SECOND,
        "moment": scene.moment.value,
        "by": None if scene.by is None else str(scene.by),
        "title": {each: text.title for each, text in texts.items()},
        "why": {each: text.why for each, text in texts.items()},
        "segment": None if scene.segment is None else segment_record(scene.segment),
        "client": change_record(scene.client),
        "server": change_record(scene.server),
        "ss": {
            name: [str(row) for row in rows]
            for name, rows in zip(("client", "server"), scene.sockets, strict=True)
        },
    }
