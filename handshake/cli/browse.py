"""Browses the list of connections on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.cli.replay import Player
from handshake.errors import CaptureError, UsageError
from handshake.query.order import order
from handshake.query.parse import parse
from handshake.query.problems import is_problem
from handshake.query.totals import Totals
from handshake.view.browser import PREVIEWED, Browser, Preview
from handshake.view.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from handshake.record import Record
    from handshake.survey import Records
    from handshake.view.glyphs import Glyphs

_ORDERS: Final = (
    "start",
    "outcome",
    "-handshake.rtt",
    "client.address,client.port",
    "server.address,server.port",
)
"""The orders that `s` cycles through."""

_READ_DELAY: Final = 0.1
"""Seconds without a key before the selected connection is read, so that scrolling is quick."""


class ListBrowser:
    """The state of the list on a terminal, and what the keys do."""

    def __init__(
        self,
        source: Records,
        records: Sequence[Record],
        title: str,
        signs: Glyphs,
        *,
        filter_text: str = "",
        sort: str = "",
        problems: bool = False,
    ) -> None:
        self._source = source
        self._all = records
        self._captures = len({each.capture for each in records})
        self._title = title
        self._glyphs = signs
        self._orders = list(dict.fromkeys([sort or _ORDERS[0], *_ORDERS]))
        self._filter = filter_text
        self._problems_only = problems
        self._typed: str | None = None
        """The filter while it is typed; None otherwise."""

        self._problem = ""
        self._player: Player | None = None
        self._previews: dict[tuple[str | None, int], Preview] = {}
        self._selected = 0
        self._page = 1
        self._table: Table | None = None
        self._rows: list[Record] = []
        self._list()

    @property
    def pause(self) -> float | None:
        """Seconds until `advance`; None to wait for a key."""
        if self._player is not None:
            return self._player.pause
        return _READ_DELAY if self._current is not None and self._preview is None else None

    def advance(self) -> None:
        """Read the beginning of the selected connection, as no key came."""
        if self._player is not None:
            self._player.advance()
        elif self._current is not None:
            try:
                preview = Preview(self._source.steps(self._current, PREVIEWED))
            except CaptureError as error:
                preview = Preview(problem=str(error))
            self._previews[self._current.capture, self._current.stream] = preview

    def press(self, key: str) -> bool:
        """Act on a key; return False to leave."""
        if self._player is not None:
            if not self._player.press(key):
                self._player = None
            return True
        if self._typed is not None:
            self._type(key)
            return True
        return self._act(key)

    def _act(self, key: str) -> bool:
        self._problem = ""
        match key:
            case "q" | "escape":
                return False
            case "down" | "up" | "page-down" | "page-up" | "home" | "end":
                self._move(key)
            case "enter" | "right":
                self._open()
            case "/":
                self._typed = self._filter
            case "s":
                self._orders.append(self._orders.pop(0))
                self._list()
            case "o":
                self._problems_only = not self._problems_only
                self._list()
        return True

    def _move(self, key: str) -> None:
        last = len(self._rows) - 1
        places = {
            "down": self._selected + 1,
            "up": self._selected - 1,
            "page-down": self._selected + self._page,
            "page-up": self._selected - self._page,
            "home": 0,
            "end": last,
        }
        self._selected = max(0, min(places[key], last))

    def _open(self) -> None:
        """Step through the selected connection."""
        record = self._current
        if record is None:
            return
        try:
            steps = self._source.steps(record)
        except CaptureError as error:
            self._problem = str(error)
            return
        name = record.capture or ""
        self._player = Player(name, [(record, steps)], None, self._glyphs, leaving="back")

    def _type(self, key: str) -> None:
        assert self._typed is not None
        self._problem = ""
        match key:
            case "escape":
                self._typed = None
            case "enter":
                before, self._filter = self._filter, self._typed.strip()
                try:
                    self._list()
                except UsageError as error:
                    self._filter, self._problem = before, str(error)
                else:
                    self._typed = None
            case "backspace":
                self._typed = self._typed[:-1]
            case "space":
                self._typed += " "
            case _ if len(key) == 1 and key.isprintable():
                self._typed += key

    def _list(self) -> None:
        """Filter and sort; keep the selection if the connection is still listed."""
        test = parse(self._filter) if self._filter else None
        selected = self._current
        self._rows = order(self._orders[0])(
            each
            for each in self._all
            if (test is None or test(each)) and (not self._problems_only or is_problem(each))
        )
        self._totals = Totals(self._rows)
        self._table = None
        self._selected = 0
        if selected is not None:
            same = (at for at, each in enumerate(self._rows) if each is selected)
            self._selected = next(same, 0)

    @property
    def _current(self) -> Record | None:
        return self._rows[self._selected] if self._rows else None

    @property
    def _preview(self) -> Preview | None:
        record = self._current
        return None if record is None else self._previews.get((record.capture, record.stream))

    def draw(self, width: int, height: int) -> RenderableType:
        """Return the screen, of this size."""
        if self._player is not None:
            return self._player.draw(width, height)
        # The column widths depend on every row: compute them once.
        if self._table is None or self._table.width != width:
            self._table = Table(self._rows, width, self._glyphs)
        self._page = max(1, height // 2)
        return Browser(
            table=self._table,
            selected=self._selected,
            totals=self._totals,
            title=self._title,
            state=self._state(),
            keys=self._keys(width),
            preview=self._preview or Preview(),
            captures=self._captures,
            problem=self._problem,
        ).draw(height)

    def _state(self) -> str:
        count = len(self._rows)
        shown = "all" if count == len(self._all) else f"{count:,} of {len(self._all):,}"
        only = "  problems" if self._problems_only else ""
        by = self._orders[0].split(",")[0].removesuffix(".address")
        return f"sort {by}{only}  show {shown}"

    def _keys(self, width: int) -> str:
        signs = self._glyphs
        if self._typed is not None:
            room = max(1, width - 40)
            return f"filter: {self._typed[-room:]}_   Enter apply  Esc cancel"
        problems = "all" if self._problems_only else "problems"
        keys = [f"{signs.up}/{signs.down} select", "Enter open", "/ filter", "s sort"]
        return "  ".join([*keys, f"o {problems}", "q quit"])
