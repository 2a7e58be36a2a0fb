"""`handshake demo`: a lesson, step by step on a terminal, as plain text in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from handshake.cli.parameters import Ascii, Json, Plain, language
from handshake.errors import UsageError
from handshake.units import NS_PER_MS, NS_PER_SECOND

if TYPE_CHECKING:
    from rich.console import Console

    from handshake.lessons import Lesson, Scene
    from handshake.view.glyphs import Glyphs

_PLAIN_WIDTH: Final = 80
_LANGUAGES: Final = ("en", "ko", "both")


def demo(
    lesson: Annotated[
        str,
        typer.Argument(metavar="LESSON", help="The lesson: see --list.", show_default=False),
    ] = "connect",
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(_LANGUAGES),
            help="English, Korean, or side by side.",
            show_default="that of the locale",
        ),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Start at step N; in a pipe, print only that step."),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List the lessons, and what is done.", show_default=False)
    ] = False,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND[:N,N...]",
            help="What if segments were lost: syn, syn-ack, ack, rst; the first, these, or all.",
        ),
    ] = None,
    closed: Annotated[
        bool, typer.Option("--closed", help="What if no program listened.", show_default=False)
    ] = False,
    rtt: Annotated[
        float | None,
        typer.Option(metavar="MS", min=0.001, max=60_000, help="Another round trip, in ms."),
    ] = None,
    mss: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=65535, help="Another MSS of the client, in octets."),
    ] = None,
    no_wscale: Annotated[
        str | None,
        typer.Option(metavar="client|server", help="An end without window scaling."),
    ] = None,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write the lesson to a file: .md to read, .html to step through, .worksheet.md.",
        ),
    ] = None,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
) -> None:
    """Learn how a TCP connection is opened and closed, and what goes wrong, step by step.

    Keys on a terminal: left and right step, digits answer a question, h shows help.
    """
    if lang is None:
        lang = language(None)
    if lang not in _LANGUAGES:
        raise UsageError("choice", option="--lang", value=lang, choices=_LANGUAGES)

    from handshake.cli.console import console, glyphs, is_interactive
    from handshake.lessons import find_lesson

    if listed:
        _print_lessons(lang)
        return
    taught = find_lesson(lesson)
    if drop or closed or rtt is not None or mss is not None or no_wscale is not None:
        if lesson != "connect":
            raise UsageError("demo.what-if", lesson=lesson)
        taught = _what_if(drop or [], rtt, mss, no_wscale, closed=closed)
    if export is not None:
        _export(taught, lang, export)
        return
    count = len(taught.scenes)
    if step is not None and step > count:
        raise UsageError("demo.step", step=step, lesson=lesson, count=count)
    chosen = range(count) if step is None else range(step - 1, step)
    out = console(plain=plain)
    if as_json:
        _print_json(taught, chosen, lang)
    elif is_interactive(plain=plain) and not out.is_dumb_terminal:
        from handshake.cli.lesson import LessonPlayer
        from handshake.cli.tui import run
        from handshake.lessons import LESSONS
        from handshake.lessons.progress import keep

        player = LessonPlayer(taught, lang, glyphs(ascii_only=ascii_only), chosen.start)
        run(player, out)
        if taught in LESSONS:
            keep(taught, player.furthest, player.answers)
    else:
        _print_text(taught, chosen, lang, plain=plain, ascii_only=ascii_only)


def _what_if(
    dropped: list[str], rtt: float | None, mss: int | None, without: str | None, *, closed: bool
) -> Lesson:
    """Return the connection of the first lesson under other conditions."""
    from dataclasses import replace

    from handshake.lessons import drops, what_if
    from handshake.lessons.stage import Conditions

    usual = Conditions()
    client, server = usual.offers
    if without not in (None, "client", "server"):
        choices = ("client", "server")
        raise UsageError("choice", option="--no-wscale", value=without, choices=choices)
    client = replace(client, mss=mss) if mss is not None else client
    client = replace(client, window_scale=None) if without == "client" else client
    server = replace(server, window_scale=None) if without == "server" else server
    return what_if(
        Conditions(
            rtt=usual.rtt if rtt is None else round(rtt * NS_PER_MS),
            drops=drops(dropped),
            closed=closed,
            offers=(client, server),
        )
    )


def _languages(lang: str) -> tuple[str, ...]:
    return _LANGUAGES[:2] if lang == "both" else (lang,)


def _print_text(taught: Lesson, chosen: range, lang: str, *, plain: bool, ascii_only: bool) -> None:
    """Print steps as drawings of 80 columns, whatever the width of the output."""
    from handshake.cli.console import console, glyphs
    from handshake.lessons import number_of, screen_text, text_of
    from handshake.view.layout import wrap
    from handshake.view.lesson import LessonScreen, Place

    out = console(plain=plain)
    number = number_of(taught)
    signs = glyphs(ascii_only=ascii_only)
    if taught.played:
        for language in _languages(lang):
            _print_chapter(taught, chosen, number, language, out, signs)
        return
    for language in _languages(lang):
        if len(chosen) == len(taught.scenes) and (intro := text_of(taught, language).intro):
            for row in wrap(signs.spell(intro), _PLAIN_WIDTH):
                out.print(row, soft_wrap=True)
            out.print()
    for index in chosen:
        place = Place(taught, index, number)
        screens = [
            LessonScreen(
                place,
                text_of(taught, each),
                screen_text(each),
                glyphs=signs,
            )
            for each in _languages(lang)
        ]
        lines = screens[0].picture(_PLAIN_WIDTH)
        for screen in screens:
            lines += screen.told(_PLAIN_WIDTH)
        for each in lines:
            each.rstrip()
            out.print(each, soft_wrap=True)
        if index != chosen[-1]:
            out.print()


def _print_chapter(
    taught: Lesson, chosen: range, number: str, lang: str, out: Console, signs: Glyphs
) -> None:
    """Print a lesson as a chapter to read: what happens in each step, and why."""
    from handshake.lessons import screen_text, text_of
    from handshake.view.lesson import Place
    from handshake.view.lesson_ladder import LadderLessonScreen

    text = text_of(taught, lang)
    out.print(signs.spell(f"{number}  {text.title}"))
    before: int | None = None
    for index in chosen:
        screen = LadderLessonScreen(
            Place(taught, index, number), text, screen_text(lang), glyphs=signs
        )
        out.print()
        for row in screen.told(_PLAIN_WIDTH, before):
            row.rstrip()
            out.print(row, soft_wrap=True)
        before = index


def _export(taught: Lesson, lang: str, name: str) -> None:
    """Write a lesson to a file, in the form that its ending tells."""
    from handshake.capture.output import create
    from handshake.export import lesson as written
    from handshake.lessons import screen_text, text_of
    from handshake.view.lesson import LessonScreen, Place
    from handshake.view.lesson_ladder import LadderLessonScreen

    if not name.endswith((".md", ".html")):
        endings = (".md", ".html", ".worksheet.md")
        raise UsageError("export.ending", name=name, endings=endings)
    language = _languages(lang)[0]
    text, words = text_of(taught, language), screen_text(language)
    steps = []
    for index, scene in enumerate(taught.scenes):
        place = Place(taught, index, "")
        kind = LadderLessonScreen if taught.played else LessonScreen
        rows = kind(place, text, words).drawing(_PLAIN_WIDTH, index - 1 if index else None)
        step = text.steps[scene.name]
        drawing = tuple(row.plain.rstrip() for row in rows)
        paragraphs = (step.why, *([step.more] if step.more else []))
        steps.append(written.LessonStep(step.title, drawing, paragraphs, step.question))
    if name.endswith(".html"):
        page = written.html(text.title, text.intro, steps, words.screen, language)
    elif name.endswith(".worksheet.md"):
        page = written.worksheet(text.title, steps, words.screen)
    else:
        page = written.markdown(text.title, text.intro, steps, words.screen)
    with create(name) as file:
        file.write(page.encode())


def _print_lessons(lang: str) -> None:
    """Print a line for each lesson: name, title, and how far it was read."""
    import sys

    from handshake.lessons import LESSONS, lesson_text, screen_text
    from handshake.lessons.progress import done

    known = done()
    language = _languages(lang)[0]
    for each in LESSONS:
        text, words = lesson_text(each.name, language), screen_text(language)
        found = known.get(each.name)
        state = ""
        if found is not None:
            state = f"{words['step']} {found.step}/{len(each.scenes)}"
            asked = sum(step.question is not None for step in text.steps.values())
            if asked:
                score = words["score"].format(right=found.right(text), asked=asked)
                state += f", {score}"
        sys.stdout.write(f"{each.name:<10} {text.title}{f'  ({state})' if state else ''}\n")


def _print_json(taught: Lesson, chosen: range, lang: str) -> None:
    import json
    import sys

    for index in chosen:
        found = _record(taught, taught.scenes[index], index, lang)
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")


def _record(taught: Lesson, scene: Scene, index: int, lang: str) -> dict[str, object]:
    from handshake.lessons import text_of
    from handshake.step_record import change_record, segment_record

    texts = {each: text_of(taught, each).steps[scene.name] for each in _languages(lang)}
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
    }
