"""`handshake demo`: a lesson, step by step on a terminal, as plain text in a pipe."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from handshake.cli.parameters import Ascii, Json, Plain, language
from handshake.errors import UsageError
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.lessons import Lesson
    from handshake.lessons.live import LiveRun

_LONG: Final = 10.0
"""Seconds of a real lesson in a pipe before which it is said how long it takes."""

_what_if = partial(typer.Option, rich_help_panel="What if", hidden=True)
"""An option that changes the world of a lesson; `--help-all` explains it."""

_MOST_SYNS: Final = 100
"""The largest flood of a lesson: only counted, never sent."""

WHAT_IFS: Final = """
What if (options of each lesson; --help-all explains them):
 connect      --drop --closed --rtt --mss --no-wscale --no-sack --no-timestamps
 control      --drop --closed --rtt --mss --no-wscale --no-sack --no-timestamps
 loss         --drop --rtt
 refused      --closed --drop --icmp --rtt
 close        --drop --rtt
 half-open    --syns --backlog --cookies --drop --rtt
 options      --mss --no-wscale --no-sack --no-timestamps --rtt
 numbers      --iss --forge
 simultaneous --drop --rtt
 fast-open    --no-cookie --no-fast-open --drop --rtt
"""
"""The end of the help. It stands here because to load the lessons takes as long as all the rest."""

_LANGUAGES: Final = ("en", "ko", "both")


def demo(
    lesson: Annotated[
        str | None,
        typer.Argument(
            metavar="LESSON",
            autocompletion=lambda: [each.split()[0] for each in WHAT_IFS.splitlines()[2:]],
            help="The lesson: see --list. Without it, the one you have not finished.",
            show_default=False,
        ),
    ] = None,
    lang: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(_LANGUAGES),
            autocompletion=lambda: _LANGUAGES,
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
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="Let two real hosts of this kernel play it, in network namespaces of their own.",
            show_default=False,
        ),
    ] = False,
    turn: Annotated[
        bool,
        typer.Option(
            "--your-turn",
            help="A shell with a network of its own and tasks for you, each confirmed.",
            show_default=False,
        ),
    ] = False,
    drop: Annotated[
        list[str] | None,
        _what_if(
            metavar="KIND[:N,N...]",
            help="Segments are lost: syn, syn-ack, ack, data, fin, rst; the first, these, or all.",
        ),
    ] = None,
    rtt: Annotated[
        float | None,
        _what_if(metavar="MS", min=0.001, max=60_000, help="The round trip, in ms."),
    ] = None,
    closed: Annotated[
        bool,
        _what_if("--closed", help="No program listens.", show_default=False),
    ] = False,
    icmp: Annotated[
        str | None,
        _what_if(
            metavar="ERROR",
            help="A router drops the SYN and says so: admin-prohibited, host-unreachable, "
            "net-unreachable, port-unreachable.",
        ),
    ] = None,
    mss: Annotated[
        list[str] | None,
        _what_if(
            metavar="[END:]N", help="The MSS of an end, in octets: 536 (the client), server:536."
        ),
    ] = None,
    no_wscale: Annotated[
        list[str] | None,
        _what_if(metavar="END", help="Without window scale: client, server, both."),
    ] = None,
    no_sack: Annotated[
        list[str] | None,
        _what_if(metavar="END", help="Without SACK."),
    ] = None,
    no_timestamps: Annotated[
        list[str] | None,
        _what_if(metavar="END", help="Without timestamps."),
    ] = None,
    iss: Annotated[
        list[str] | None,
        _what_if(metavar="[END:]N", help="The initial sequence number of an end."),
    ] = None,
    forge: Annotated[
        int | None,
        _what_if(
            metavar="SEQ", min=0, max=2**32 - 1, help="A forged RST with this number arrives."
        ),
    ] = None,
    syns: Annotated[
        int | None,
        _what_if(
            metavar="N",
            min=0,
            max=_MOST_SYNS,
            help="So many SYNs of others come first, and are never completed.",
        ),
    ] = None,
    backlog: Annotated[
        int | None,
        _what_if(
            metavar="N", min=0, max=_MOST_SYNS, help="What the server's program gives to listen()."
        ),
    ] = None,
    cookies: Annotated[
        bool,
        _what_if("--cookies", help="The server has SYN cookies.", show_default=False),
    ] = False,
    no_cookie: Annotated[
        bool,
        _what_if("--no-cookie", help="The client has no Fast Open cookie yet.", show_default=False),
    ] = False,
    no_fast_open: Annotated[
        bool,
        _what_if("--no-fast-open", help="The server has no Fast Open.", show_default=False),
    ] = False,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write it: .md to read, .html to step through, .svg of each step (NAME-01.svg), "
            ".worksheet.md, .teacher.md.",
        ),
    ] = None,
    as_json: Json = False,
    plain: Plain = False,
    ascii_only: Ascii = False,
) -> None:
    """Learn step by step how a TCP connection opens, closes and goes wrong.

    Keys on a terminal: left and right step, digits answer a question, ? shows all keys.
    """
    if lang is None:
        lang = language(None)
    if lang not in _LANGUAGES:
        raise UsageError("choice", option="--lang", value=lang, choices=_LANGUAGES)

    from handshake.cli.console import console, glyphs, is_interactive
    from handshake.cli.lesson_text import print_json, print_lessons, print_text
    from handshake.lessons import Changes, find_lesson, what_if

    if listed:
        print_lessons(lang, as_json=as_json)
        return
    if export is not None and live:
        raise UsageError("demo.live-file")
    if turn:
        asked = {"--live": live, "--json": as_json, "--export": export, "--step": step}
        if others := [option for option, value in asked.items() if value]:
            raise UsageError("demo.your-turn", others=others)
        from handshake.cli.your_turn import your_turn

        your_turn("en" if lang == "both" else lang, plain=plain, ascii_only=ascii_only)
        return
    out = console(plain=plain)
    keys = not as_json and is_interactive(plain=plain) and not out.is_dumb_terminal
    taught, first = find_lesson(lesson or "connect"), 0
    answers: dict[int, str] = {}
    changes = Changes(
        drop=tuple(drop or ()),
        closed=closed,
        icmp=icmp,
        rtt=rtt,
        mss=tuple(mss or ()),
        no_wscale=tuple(no_wscale or ()),
        no_sack=tuple(no_sack or ()),
        no_timestamps=tuple(no_timestamps or ()),
        iss=tuple(iss or ()),
        forge=forge,
        syns=syns,
        backlog=backlog,
        cookies=cookies,
        no_cookie=no_cookie,
        no_fast_open=no_fast_open,
    )
    if changes.asked:
        taught = what_if(changes, taught.name)
    elif lesson is None and keys and step is None and export is None:
        taught, first, answers = _unfinished()
    count = len(taught.scenes)
    if step is not None and step > count:
        raise UsageError("demo.step", step=step, lesson=taught.name, count=count)
    chosen = range(count) if step is None else range(step - 1, step)
    if export is not None:
        from handshake.cli.lesson_files import export_lesson

        export_lesson(taught, lang, export, chosen)
        return
    if not keys:
        with _played(taught, chosen, lang) if live else nullcontext() as run:
            if as_json:
                print_json(taught, chosen, lang, run)
            else:
                print_text(taught, chosen, lang, plain=plain, ascii_only=ascii_only, live=run)
        return

    from handshake.cli.lesson import LessonPlayer
    from handshake.cli.lesson_text import languages
    from handshake.cli.tui import run as show
    from handshake.cli.with_export import WithExport
    from handshake.lessons import LESSONS
    from handshake.lessons.live import LiveRun
    from handshake.lessons.progress import keep

    signs = glyphs(ascii_only=ascii_only)
    player = LessonPlayer(
        taught,
        lang,
        signs,
        first if step is None else step - 1,
        answers=answers,
        live=LiveRun.of if live else None,
    )
    try:
        show(WithExport(player, replace(signs, language=languages(lang)[0])), out)
    finally:
        player.close()
        for each, furthest, given in player.all_read:
            if each in LESSONS:
                keep(each, furthest, given)


@contextmanager
def _played(taught: Lesson, chosen: range, lang: str) -> Iterator[LiveRun]:
    """Let real hosts play a lesson; say why where they cannot."""
    import sys

    from handshake.lessons import screen_text
    from handshake.lessons.live import LiveRun

    words = screen_text("en" if lang == "both" else lang)
    with LiveRun.of(taught) as run:
        run.wait(lambda: any(part.events for part in run.parts.values()))
        last = max((taught.scenes[each].at for each in chosen), default=0) / NS_PER_SECOND
        if run.problem is None and last > _LONG:
            sys.stderr.write(words["live_takes"].format(seconds=f"{last:.0f}") + "\n")
        if run.problem is not None:
            why = run.problem.said(words.language)
            sys.stderr.write(words["live_off"].format(why=why) + "\n")
        yield run


def _unfinished() -> tuple[Lesson, int, dict[int, str]]:
    """Return the lesson to go on with, its furthest scene, and what was answered."""
    from handshake.lessons import LESSONS
    from handshake.lessons.progress import done

    known = done()
    begun = [each for each in LESSONS if each.name in known]
    for each in begun:
        read = known[each.name]
        if read.step < len(each.scenes):
            names = [scene.name for scene in each.scenes]
            given = {
                names.index(name): said for name, said in read.answers.items() if name in names
            }
            return each, max(0, read.step - 1), given
    new = [each for each in LESSONS if each not in begun]
    return (new or [*LESSONS])[0], 0, {}
