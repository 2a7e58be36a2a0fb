"""Browses the list of connections on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from handshake.cli.comparison_browser import ComparisonBrowser
from handshake.cli.group_browser import GroupBrowser
from handshake.cli.line_editor import LineEditor
from handshake.cli.list_screen import list_screen
from handshake.cli.player import Player
from handshake.cli.step_reader import StepReader
from handshake.cli.with_export import Exported, exported_records
from handshake.errors import CaptureError, UsageError
from handshake.export.excerpt import steps_from
from handshake.messages import text
from handshake.query.complete import complete
from handshake.view.browser import Preview
from handshake.view.help_page import HelpPage
from handshake.view.live_table import LiveTable
from handshake.view.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from handshake.cli.listing import Listing
    from handshake.cli.spool import Snapshot
    from handshake.cli.step_reader import Readable
    from handshake.cli.with_help import Helpful
    from handshake.record import Record
    from handshake.survey.follow.step_log import StepLog
    from handshake.view.browser import Browser
    from handshake.view.glyphs import Glyphs
    from handshake.view.live_table import Live

_READ_DELAY: Final = 0.1
"""Seconds without a key before the selected connection is read, so that scrolling is quick."""

_GROWN: Final = 0.25
"""Seconds between two looks at whether a capture has grown."""

_OFTEN: Final = 0.05
"""Seconds between two looks at what a thread has read."""

_WHEEL: Final = 3
"""Rows that the wheel moves."""

_LARGEST_FIRST: Final = ("rtt", "retry", "packets", "resent", "octets")
"""Headings whose largest values matter most."""


class Growing(Protocol):
    """What gets more connections while it is listed."""

    word: str
    """What it does, by the name of its label: `reading`."""

    live: Live | None
    """What the records that were taken last do not tell; None if they are not watched."""

    def take(self) -> Snapshot | None:
        """Return what has become known since the last call; None if that is nothing."""
        ...

    def title(self, records: Sequence[Record], signs: Glyphs) -> str:
        """Return what is listed."""
        ...


class ListBrowser:
    """The state of the list on a terminal, and what the keys do."""

    def __init__(
        self,
        source: Readable,
        listing: Listing,
        heading: str,
        signs: Glyphs,
        growing: Growing | None = None,
    ) -> None:
        self._reader = StepReader(source, signs.language)
        self.listing = listing
        self._title = heading
        self._live = None if growing is None else growing.live
        """What is known besides of connections that are watched."""

        self._growing = growing
        """What more connections may come from; None once all are known."""

        self._glyphs = signs
        self._history = [listing.filter] if listing.filter else []
        self._editor: LineEditor | None = None
        """What is typed; None otherwise."""

        self._problem = ""
        self._over: Helpful | None = None
        """The view that covers the list: a connection, or the servers."""

        self._opening: StepLog | None = None
        """The connection that is opened once its first segment has been read."""

        self._marked: Record | None = None
        """The connection to compare with."""

        self._comparing: tuple[Record, Record] | None = None
        """Connections that are compared once they have been read."""

        self._shown: Preview | None = None
        """What was known of the chosen connection at the last look; None if it was not read."""

        self._size = 80, 24
        self._table: Table | None = None

    @property
    def typing(self) -> bool:
        """Whether a text is typed."""
        return self._editor is not None or (self._over is not None and self._over.typing)

    @property
    def pause(self) -> float | None:
        """Seconds until `advance`; None to wait for a key."""
        if self._opening is not None or self._comparing is not None:
            return _OFTEN
        if self._over is not None:
            return self._over.pause
        if self._reader.busy:
            return _OFTEN
        if self._preview is not self._shown:
            return 0  # it was read since the last look
        if self.listing.current and self._preview is None:
            return _READ_DELAY
        return None if self._growing is None else _GROWN

    def advance(self) -> bool:
        """Take what was read, or begin to read the chosen connection, as no key came."""
        if self._opening is not None:
            return self._open_if_read(self._opening)
        if self._comparing is not None:
            return self._compare_if_read(*self._comparing)
        if self._over is not None:
            return self._over.advance()
        if self._growing is not None and self._grow(self._growing):
            return True
        if self._preview is not self._shown:
            self._shown = self._preview
            return True
        current = self.listing.current
        if current is not None and self._preview is None and not self._reader.busy:
            self._reader.read_preview(current)
        return False

    def _grow(self, growing: Growing) -> bool:
        """Take what has been read meanwhile; return whether there is more."""
        try:
            taken = growing.take()
        except CaptureError as error:
            self._growing, self._problem = None, error.said(self._glyphs.language)
            return True
        if taken is None:
            return False
        self.listing.grow(taken.records)
        self._title, self._table = growing.title(taken.records, self._glyphs), None
        self._live = growing.live
        if taken.ended:
            self._growing = None
        return True

    def press(self, key: str) -> bool:
        """Act on a key; return False to leave."""
        self._opening = self._comparing = None
        if self._editor is not None:
            self._type(self._editor, key)
            return True
        if self._over is not None:
            self._press_over(self._over, key)
            return True
        self._problem = ""
        return self._act(key)

    def _press_over(self, over: Helpful, key: str) -> None:
        """Let the view that covers the list act on a key."""
        if isinstance(over, Player) and key in ("[", "]") and not over.typing:
            before = self.listing.selected
            self.listing.move(before + (1 if key == "]" else -1))
            if self.listing.selected != before:
                self._open()
        elif not over.press(key):
            self._over = None
            self._reader.stop()
            if isinstance(over, GroupBrowser) and over.chosen is not None:
                self._select(self._within(over.chosen))

    def _within(self, server: str) -> str:
        """Return the filter in force, narrowed to a server."""
        wanted = f"server == {server}"
        return f"({self.listing.filter}) and {wanted}" if self.listing.filter else wanted

    def _act(self, key: str) -> bool:
        listing = self.listing
        match key:
            case "q":
                return False
            case "escape":
                if not listing.undo():
                    self._problem = self._why("list.nothing-to-undo")
            case "enter" | "right" | "l":
                self._open()
            case "/":
                self._editor = LineEditor(
                    "filter", listing.filter, history=self._history, complete=complete
                )
            case ":":
                self._editor = LineEditor("connection")
            case "s" | "S":
                listing.sort_next() if key == "s" else listing.reverse()
            case "o":
                listing.show_problems(not listing.problems_only)
            case "n" | "N":
                if not listing.next_problem(1 if key == "n" else -1):
                    self._problem = self._why("list.no-problem", after=key == "n")
            case "m":
                self._marked = listing.current
            case "D":
                self._compare()
            case "b":
                self._over = GroupBrowser(listing, self._title, listing.in_force, self._glyphs)
            case _ if key.startswith("click "):
                self._click(*map(int, key.split()[1:]))
            case _:
                self._move(key)
        return True

    def _move(self, key: str) -> None:
        listing, page = self.listing, self._screen().page(self._size[1])
        by = {
            "down": 1,
            "j": 1,
            "wheel-down": _WHEEL,
            "page-down": page,
            "space": page,
            "up": -1,
            "k": -1,
            "wheel-up": -_WHEEL,
            "page-up": -page,
            "home": -len(listing.rows),
            "g": -len(listing.rows),
            "end": len(listing.rows),
            "G": len(listing.rows),
        }
        listing.move(listing.selected + by.get(key, 0))

    def _click(self, x: int, y: int) -> None:
        """Choose the row that was clicked, and open it if it was chosen; sort by a heading."""
        screen = self._screen()
        row = screen.row_at(y, self._size[1])
        if row is not None:
            if row == self.listing.selected:
                self._open()
            self.listing.move(row)
        elif y == screen.heading_line and (heading := screen.table.heading_at(x)):
            by = f"-{heading}" if heading in _LARGEST_FIRST else heading
            self.listing.sort(by)

    def _open(self) -> None:
        """Step through the chosen connection, once its first segment has been read."""
        record = self.listing.current
        if record is not None:
            self._opening = self._reader.open(record)
            self._open_if_read(self._opening)

    def _open_if_read(self, log: StepLog) -> bool:
        if not log.steps and not log.ended:
            return False
        self._opening, record = None, self.listing.current
        assert record is not None
        if not log.steps:
            preview = self._reader.preview(record)
            self._problem = "" if preview is None else preview.problem
            return True
        name = record.capture or ""
        log.record = log.record or record
        follow = self._live is not None and record.stream in self._live.open
        self._over = Player(
            name, [], None, self._glyphs, leaving="back", growing=log, follow=follow
        )
        return True

    def _compare(self) -> None:
        """Compare the chosen connection with the marked one, or one to the same server."""
        current = self.listing.current
        other = self._marked if self._marked is not current else None
        other = other or self.listing.counterpart()
        if current is None or other is None:
            self._problem = self._why("list.no-counterpart")
            return
        self._comparing = other, current
        self._compare_if_read(other, current)

    def _compare_if_read(self, one: Record, other: Record) -> bool:
        """Show two connections as soon as both have been read."""
        if self._reader.busy:
            return False
        for each in (one, other):
            if self._reader.preview(each) is None:
                self._reader.read_preview(each)
                return False
        self._comparing = None
        found = [(each, self._reader.preview(each) or Preview()) for each in (one, other)]
        problems = [preview.problem for _, preview in found if preview.problem]
        if problems:
            self._problem = problems[0]
            return True
        (_, first), (_, second) = found
        compared = (one, first.steps), (other, second.steps)
        self._over = ComparisonBrowser(*compared, self._glyphs)
        return True

    def _type(self, editor: LineEditor, key: str) -> None:
        self._problem = ""
        if key == "escape":
            self._editor = None
        elif key == "enter":
            self._enter(editor)
        else:
            editor.press(key)

    def _enter(self, editor: LineEditor) -> None:
        """Take what was typed; where it is wrong it can be mended."""
        typed = editor.text.strip()
        if editor.label == "filter":
            if self._select(typed):
                self._editor = None
                self._history = [each for each in self._history if each != typed]
                self._history += [typed] if typed else []
            return
        self._editor = None
        if typed and not (typed.isdecimal() and self.listing.go_to(int(typed))):
            self._problem = self._why(
                "list.not-listed", number=typed, filtered=bool(self.listing.in_force)
            )

    @property
    def exported(self) -> Exported | None:
        """What is shown, as a file: the listed connections, or those of the view over them."""
        read, language = steps_from(self._reader.source), self._glyphs.language
        if self._over is None:
            title = "  ".join(filter(None, (self._title.strip(), self.listing.in_force)))
            shown = self.listing.rows[:]
            return exported_records("connections", shown, read, title, language=language)
        if isinstance(self._over, GroupBrowser | ComparisonBrowser):
            stem, records, title = self._over.shown
            return exported_records(stem, records, read, title, language=language)
        return self._over.exported if isinstance(self._over, Player) else None

    def _select(self, wanted: str) -> bool:
        try:
            self.listing.select(wanted)
        except UsageError as error:
            self._problem = error.said(self._glyphs.language)
            return False
        return True

    def draw(self, width: int, height: int) -> RenderableType:
        """Return the screen, of this size."""
        self._size = width, height
        if self._over is not None:
            return self._over.draw(width, height)
        self._shown = self._preview
        return self._screen().draw(height)

    @property
    def _preview(self) -> Preview | None:
        """What has been read of the chosen connection."""
        current = self.listing.current
        return None if current is None else self._reader.preview(current)

    @property
    def _last_preview(self) -> Preview | None:
        """What was read of it before more of its segments came."""
        current = self.listing.current
        return None if current is None else self._reader.last_preview(current)

    def _screen(self) -> Browser:
        listing, width = self.listing, self._size[0]
        # The column widths depend on every row: compute them once.
        if self._table is None or self._table.width != width:
            self._table = (
                Table(listing.all, width, self._glyphs)
                if self._live is None
                else LiveTable(listing.all, width, self._glyphs, self._live)
            )
        return list_screen(
            listing,
            self._table,
            self._title,
            self._preview or self._last_preview,
            marked=self._marked,
            doing="" if self._growing is None else self._growing.word,
            opening=self._opening is not None,
            problem=self._problem,
            editor=self._editor,
        )

    def _why(self, code: str, /, **values: object) -> str:
        """Return why something cannot be done."""
        return text("errors", code, values, self._glyphs.language)

    def help_page(self) -> HelpPage:
        """Return the help on what is shown."""
        if self._over is not None:
            return self._over.help_page()
        marks = "list-marks" if self._live is None else "watch-marks"
        return HelpPage("list", marks, self._glyphs)
