"""The list on a terminal: what each key does, without a terminal."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from handshake.cli.browse import ListBrowser
from handshake.cli.listing import Listing, title
from handshake.cli.with_export import WithExport
from handshake.cli.with_help import WithHelp
from handshake.survey import records
from handshake.tcp.copy import changed
from handshake.view.glyphs import ASCII, UNICODE
from tests.survey.made import CAPTURES

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Group
    from rich.text import Text

    from handshake.view.glyphs import Glyphs

MIXED = CAPTURES / "mixed.pcap"


class Driven:
    """A list that keys are pressed on, and its screen."""

    def __init__(
        self, *keys: str, size: tuple[int, int] = (100, 30), signs: Glyphs = UNICODE
    ) -> None:
        source = records(MIXED)
        self.listing = Listing(list(source))
        self.browser = ListBrowser(source, self.listing, "list", signs)
        self.view = WithExport(WithHelp(self.browser), signs)
        self.size = size
        self.screen()
        self.press(*keys)

    def press(self, *keys: str) -> bool:
        """Press keys; `<text>` is typed letter by letter. Return whether the last one stays."""
        stays = True
        for each in keys:
            for key in each[1:-1] if each.startswith("<") else [each]:
                stays = self.view.press("space" if key == " " else key)
        return stays

    def wait(self) -> None:
        """Let all be read that is read in the background."""
        deadline = time.monotonic() + 30
        while self.view.pause is not None:
            self.view.advance()
            time.sleep(0.001)
            assert time.monotonic() < deadline

    def screen(self) -> list[str]:
        lines = cast("Group", self.view.draw(*self.size)).renderables
        return [cast("Text", each).plain.rstrip() for each in lines]

    @property
    def number(self) -> int:
        assert self.listing.current is not None
        return self.listing.current.stream + 1


@pytest.mark.parametrize(
    ("keys", "number"),
    [
        ("j j k", 2),
        ("G", 25),
        ("G g", 1),
        ("end up", 24),
        ("wheel-down wheel-down wheel-up", 4),
        ("n", 3),
        ("n n", 4),
        ("G N", 21),
        (": <17> enter", 17),
        ("/ <# == 9> enter", 9),
        ("j j / <ok> enter", 1),
        ("j j / <refused or no-answer> enter", 3),
        ("j j j s", 1),
        ("j j j s S", 5),
        ("j j j o", 4),
    ],
)
def test_which_connection_is_chosen(keys: str, number: int) -> None:
    driven = Driven(*keys.split(" ") if "<" not in keys else _keys(keys))
    assert driven.number == number


def _keys(text: str) -> list[str]:
    before, rest = text.split("<")
    typed, after = rest.split(">", 1) if "> " not in rest else rest.rsplit("> ", 1)
    return [*before.split(), f"<{typed}>", *after.split()]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_long_name_leaves_room_for_what_is_in_the_capture(glyphs: Glyphs) -> None:
    shown = title(list(records(MIXED)), [f"week/\x1b[2J{'long' * 50}.pcap"], glyphs)
    assert shown.startswith("list  \\x1b[2Jlonglong")
    assert "25 connections" in shown[:80]


def test_escape_undoes_one_thing_after_another_and_never_leaves() -> None:
    driven = Driven("s", "j", "j", "o", "/", "<refused>", "enter")
    listing = driven.listing
    assert (listing.filter, listing.problems_only, len(listing.rows)) == ("refused", True, 2)
    driven.press("escape")
    assert (listing.filter, listing.problems_only, listing.order) == ("", False, "outcome")
    driven.press("escape")
    assert (listing.order, listing.selected) == ("#", 0)
    driven.press("j")
    driven.press("escape")
    assert listing.selected == 0
    assert driven.press("escape")
    assert any("nothing to undo: q quits" in line for line in driven.screen())
    assert not driven.press("q")


def test_sorting_goes_to_the_top() -> None:
    driven = Driven("j", "j", "s", "s")
    assert driven.listing.order == "-rtt"
    assert driven.listing.selected == 0
    assert any("sort -rtt" in line for line in driven.screen())


def test_the_filter_in_force_is_always_shown() -> None:
    driven = Driven("/", "<port-reuse or 81>", "enter", "o")
    assert driven.screen()[1] == " filter (port-reuse or 81) and not ok   sort #   shown 2 of 25"


def test_a_wrong_filter_can_be_mended() -> None:
    driven = Driven("/", "<outcome == opn>", "enter")
    assert any("outcome is established, refused" in line for line in driven.screen())
    assert driven.view.press("backspace")
    driven.press("control-w", "<established>", "enter")
    assert driven.listing.filter == "outcome == established"
    driven.press("/", "control-u", "up")
    assert driven.screen()[-1].startswith(" filter: outcome == established")


def test_a_number_that_is_not_listed_is_said() -> None:
    for typed in ("<99>", "<x>"):
        driven = Driven(":", typed, "enter")
        assert any(f"no connection #{typed[1:-1]} in this list" in each for each in driven.screen())
    driven = Driven("/", "<outcome == refused>", "enter", ":", "<1>", "enter")
    assert any("#1 in this list: Esc takes the filter away" in each for each in driven.screen())


def test_place_order_and_filter_survive_a_visit() -> None:
    driven = Driven("s", "/", "<not ok>", "enter", "j", "j", "enter")
    driven.wait()
    before = driven.number
    assert "step 1/" in driven.screen()[0]
    driven.press("]")
    driven.wait()
    assert driven.number != before
    driven.press("[", "escape")
    assert driven.number == before
    assert driven.screen()[1] == " filter not ok   sort outcome   shown 10 of 25"


def test_the_servers_and_the_connections_of_one() -> None:
    driven = Driven("b")
    assert driven.screen()[2].split() == [
        *("server", "attempts", "p50", "p95", "failed", "first", "last", "failures")
    ]
    driven.press("s", "enter")
    assert driven.listing.filter == "server == 10.77.0.2:81"
    assert [each.server.port for each in driven.listing.rows] == [81]
    driven.press("escape", "b", "j", "escape")
    assert driven.listing.filter == ""


def test_the_mouse() -> None:
    driven = Driven("click 30 6")
    assert driven.number == 4
    driven.press("click 30 6")
    driven.wait()
    assert "step 1/2" in driven.screen()[0]
    driven.press("escape")
    heading = driven.screen()[2]
    driven.press(f"click {heading.index('rtt')} 2")
    assert driven.listing.order == "-rtt"
    driven.press("click 3 3")
    assert driven.listing.selected == 0
    driven.press("click 99 25")


def test_help_is_everywhere_and_any_other_key_goes_back() -> None:
    driven = Driven()
    for keys in ((), ("b",), ("escape", "enter")):
        driven.press(*keys)
        driven.wait()
        before = driven.screen()
        driven.press("?")
        shown = driven.screen()
        assert " Keys" in shown[1]
        driven.press("down", "up", "x")
        assert driven.screen() == before
    driven.press("escape", "/", "?")
    assert driven.screen()[-1].startswith(" filter: ?")


def test_the_preview_shows_where_it_goes_wrong() -> None:
    driven = Driven(":", "<9>", "enter", size=(80, 24))
    driven.wait()
    screen = "\n".join(driven.screen())
    for each in ("SYN seq=0", "SYN again", "SYN-ACK seq=0", "8 segments", "evidence: frames 31"):
        assert each in screen


def test_two_connections_side_by_side() -> None:
    driven = Driven(":", "<9>", "enter", "D")
    driven.wait()
    screen = driven.screen()
    assert screen[0] == " Compare #10 with #9"
    assert any(line.startswith(" * why") and "syn-lost" in line for line in screen)
    assert any(line.startswith("── the segments differ from 2 on") for line in screen)
    assert any(line.startswith("  2*") for line in screen)
    driven.press("escape", "g", "m", "G")
    assert "marked #1" in driven.screen()[1]
    driven.press("D")
    driven.wait()
    assert driven.screen()[0] == " Compare #1 with #25"
    alone = Driven(":", "<24>", "enter", "/", "<10.9.9.9>", "enter", "D")
    assert any("to compare with: m marks one" in line for line in alone.screen())


def test_where_all_have_a_problem_one_that_opened_is_compared_with_one_that_did_not() -> None:
    found = list(records(MIXED))
    lossy, refused = found[8], found[3]
    assert (lossy.outcome, refused.outcome) == ("established", "refused")
    moved = changed(refused, server=lossy.server)
    listing = Listing([lossy, moved])
    assert listing.failed == {id(lossy), id(moved)}
    assert listing.counterpart() is moved or listing.counterpart() is lossy
    listing.move(1)
    assert listing.counterpart() is (lossy if listing.current is moved else moved)


SCREENS = {
    "list": (),
    "filter": ("/", "<out>", "tab"),
    "problem": ("/", "<outcome == opn>", "enter"),
    "help": ("?",),
    "servers": ("b",),
    "connection": ("n", "enter"),
    "octets": ("n", "enter", "x"),
    "field": ("n", "enter", "f", "f", "f"),
    "compared": ("n", "enter", "d", "j"),
    "connections": ("n", "n", "n", "n", "n", "n", "n", "D"),
    "nothing": ("/", "<zzz>", "enter"),
}


KOREAN = replace(ASCII, language="ko")


@pytest.mark.parametrize("signs", [UNICODE, KOREAN], ids=["en", "ko-ascii"])
@pytest.mark.parametrize("name", SCREENS)
def test_no_screen_is_wider_or_higher_than_the_terminal(name: str, signs: Glyphs) -> None:
    driven = Driven(*SCREENS[name], signs=signs)
    driven.wait()
    for width in range(40, 201):
        for height in (10, 24, 40)[: 3 if width % 20 == 0 else 1]:
            lines = cast("Group", driven.view.draw(width, height)).renderables
            assert len(lines) == height
            assert max(cast("Text", each).cell_len for each in lines) <= width


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 40), (20, 3), (1, 1)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    driven = Driven(size=size)
    for keys in ((), ("?",), ("x", "/", "<out>", "tab"), ("escape", "b"), ("escape", "n", "enter")):
        driven.press(*keys)
        driven.wait()
        lines = cast("Group", driven.view.draw(*size)).renderables
        assert len(lines) == size[1]
        assert max(cast("Text", each).cell_len for each in lines) <= size[0]


def test_e_writes_what_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    driven = Driven("/", "<outcome == refused>", "enter", "e")
    assert driven.screen()[-1].startswith(" export to: connections.html   ")
    assert driven.screen()[-1].endswith(" .svg .pcapng")
    driven.press("control-u", "<a.pdf>", "enter")
    assert "the name must end in .report.html, .html" in " ".join(driven.screen())
    assert driven.screen()[-1].startswith(" export to: a.pdf ")
    driven.press("control-u", "<->", "enter")
    assert "name a file" in " ".join(driven.screen())
    driven.press("control-u", "<it.json>", "enter")
    driven.wait()
    assert "wrote it.json: 2 connections, 4 segments." in " ".join(driven.screen())
    found = json.loads((tmp_path / "it.json").read_text("utf-8"))
    assert {each["record"]["outcome"] for each in found["connections"]} == {"refused"}
    driven.press("j")
    assert "wrote" not in " ".join(driven.screen())


def test_e_offers_a_name_that_is_not_there_and_writes_one_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "connection-1.html").write_text("kept", encoding="utf-8")
    driven = Driven("enter")
    driven.wait()
    driven.press("e")
    assert driven.screen()[-1].startswith(" export to: connection-1-2.html ")
    driven.press("enter")
    driven.wait()
    assert "wrote connection-1-2.html: 1 connection, 10 segments." in " ".join(driven.screen())
    assert "#1  10.77.0.1:41002" in (tmp_path / "connection-1-2.html").read_text("utf-8")
    assert (tmp_path / "connection-1.html").read_text("utf-8") == "kept"
    driven.press("e", "control-u", "<no/it.svg>", "enter")
    driven.wait()
    assert "no/it.svg: " in " ".join(driven.screen())
    driven.press("escape", "q")
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        *("connection-1-2.html", "connection-1.html")
    ]


@pytest.mark.parametrize(
    ("keys", "name", "numbers"),
    [
        (("b", "s"), "server-10.77.0.2-81.html", {4}),
        ((":", "<9>", "enter", "D"), "connections-10-9.html", {9, 10}),
    ],
)
def test_e_writes_what_covers_the_list(
    keys: tuple[str, ...],
    name: str,
    numbers: set[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    driven = Driven(*keys)
    driven.wait()
    driven.press("e")
    assert driven.screen()[-1].startswith(f" export to: {name} ")
    driven.press("control-u", "<it.json>", "enter")
    driven.wait()
    assert "wrote it.json: " in driven.screen()[-2]
    found = json.loads((tmp_path / "it.json").read_text("utf-8"))
    assert {each["record"]["stream"] + 1 for each in found["connections"]} == numbers
    driven.press("?", "e")
    assert "export to" not in driven.screen()[-1]
