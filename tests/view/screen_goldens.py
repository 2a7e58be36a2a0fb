"""The golden screens of list, replay, probe; `python -m tests.view.screen_goldens` writes them."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.console import Group

from handshake.cli.browse import ListBrowser
from handshake.cli.listing import Listing, title
from handshake.cli.with_export import WithExport
from handshake.cli.with_help import WithHelp
from handshake.linux.privileges import Shell
from handshake.prober import Verdict
from handshake.prober.explanation import verdict_message
from handshake.survey import records
from handshake.view.glyphs import ASCII, UNICODE, Glyphs
from handshake.view.probe import ProbeView, target_text
from handshake.view.probe_lines import Kinds, ResultRow, Tally
from handshake.view.trace import TraceView
from tests.prober.test_trace import TRACES
from tests.survey.made import CAPTURES
from tests.view.test_probe import ANSWERS, OPEN, STEPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.prober import Result

KEYS: Final[dict[str, tuple[str, ...]]] = {
    "list": ("n",),
    "filter": ("/", "<outcome == re>", "tab"),
    "help": ("?",),
    "servers": ("b",),
    "connections": (*"nnnnnnn", "D"),
    "connection": (*"nnnnnnn", "enter", "n"),
    "octets": (*"nnnnnnn", "enter", "right", "x"),
    "field": (*"nnnnnnn", "enter", *"fffffff"),
    "segments": (*"nnnnnnn", "enter", "d", "n"),
    "export": ("e",),
}
"""The screens of the list over `mixed.pcap`, by the keys that lead there."""


class Form(NamedTuple):
    """How a screen is drawn."""

    language: str
    signs: Glyphs
    width: int
    height: int

    def __str__(self) -> str:
        kind = "ascii" if self.signs == ASCII else "unicode"
        return f"{self.language} {kind} {self.width}x{self.height}"


FORMS: Final = (
    Form("en", UNICODE, 80, 24),
    Form("en", ASCII, 120, 40),
    Form("ko", UNICODE, 120, 40),
    Form("ko", ASCII, 80, 24),
)
"""Every language with every size and with both kinds of signs."""

NARROW: Final = Form("en", UNICODE, 40, 10)


def place(name: str) -> Path:
    """Return the file of a family."""
    return Path(__file__).parent / "golden" / f"screen-{name}.txt"


def screens(name: str) -> str:
    """Return the screens of a family in each form, each below a line that names it."""
    forms = (*FORMS, *((NARROW,) if name in ("list", "connection") else ()))
    parts = []
    for form in forms:
        rows = [each.plain.rstrip() for each in screen(name, form)]
        parts.append("\n".join([f"=== {form}", *rows]))
    return "\n".join(parts) + "\n"


def screen(name: str, form: Form) -> list[Any]:
    """Return the lines of a screen."""
    return list(PROBES[name](form) if name in PROBES else _browsed(KEYS[name], form))


@cache
def _source() -> Any:
    source = records(CAPTURES / "mixed.pcap")
    return source, list(source)


def _browsed(keys: tuple[str, ...], form: Form) -> list[Any]:
    source, found = _source()
    signs = replace(form.signs, language=form.language)
    heading = title(found, ["mixed.pcap"], signs)
    view = WithExport(WithHelp(ListBrowser(source, Listing(found), heading, signs)), signs)
    drawn = view.draw(form.width, form.height)
    for each in keys:
        for key in each[1:-1] if each.startswith("<") else (each,):
            view.press("space" if key == " " else key)
            view.draw(form.width, form.height)
        deadline = time.monotonic() + 60
        while view.pause is not None:
            view.advance()
            view.draw(form.width, form.height)
            time.sleep(0.001)
            assert time.monotonic() < deadline, "it is still reading"
    drawn = view.draw(form.width, form.height)
    assert isinstance(drawn, Group)
    return list(drawn.renderables)


def _result(result: Result, code: str, **values: object) -> Callable[[Form], list[Any]]:
    """Return how a probe is drawn whose reason is this sentence."""
    told = replace(result, reason=verdict_message(code, **values))

    def draw(form: Form) -> list[Any]:
        steps = STEPS if result.succeeded else STEPS[:1]
        view = ProbeView(told, steps, form.signs, form.language, shell=Shell())
        return view.lines(form.width)

    return draw


SILENT: Final = replace(
    OPEN, verdict=Verdict.FILTERED, rtt=None, ttl=None, negotiated=None, close=None, syn_sent=3
)
REJECTED: Final = ANSWERS["unreachable"][0]
_SILENCE: Final = {"count": 3, "seconds": 5.0}


def _many(form: Form) -> list[Any]:
    """Return many probes, with the reasons once for each kind and the totals."""
    error = REJECTED.icmp
    assert error is not None
    told = [
        replace(OPEN, reason=verdict_message("open", port=80, ack="", missing="")),
        replace(SILENT, reason=verdict_message("filtered.silent", **_SILENCE)),
        replace(
            SILENT,
            target="198.51.100.9:9",
            address="198.51.100.9",
            port=9,
            reason=verdict_message("filtered.silent", **_SILENCE),
        ),
        replace(
            REJECTED, reason=verdict_message("unreachable.router", sender=error.sender, error=error)
        ),
    ]
    kinds, tally, rows = Kinds(form.language), Tally(form.language), []
    width = max(len(target_text(each.target, each.address)) for each in told)
    for each in told:
        kinds.add(each)
        tally.add(each)
        rows += ResultRow(each, width, form.language, form.signs.ellipsis).lines(form.width)
    return [*rows, *kinds.lines(form.width), *tally.lines(5.2)]


def _trace(form: Form) -> list[Any]:
    view = TraceView(TRACES["dropped"][0], form.signs, form.language)
    return view.lines(form.width)


PROBES: Final[dict[str, Callable[[Form], list[Any]]]] = {
    "probe-open": _result(OPEN, "open", port=80, ack="", missing=""),
    "probe-silent": _result(SILENT, "filtered.silent", **_SILENCE),
    "probe-many": _many,
    "trace": _trace,
}
"""What a probe prints: as many lines as it takes, in the width of a form."""

NAMES: Final = (*KEYS, *PROBES)

if __name__ == "__main__":
    for each in NAMES:
        place(each).write_text(screens(each), "utf-8")
