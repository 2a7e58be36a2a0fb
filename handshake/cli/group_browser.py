"""Browses the connections in groups by server and port."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handshake.query.groups import ORDERS, server_groups
from handshake.view.group_table import GroupTable, group_name
from handshake.view.help_page import HelpPage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from handshake.record import Record
    from handshake.view.glyphs import Glyphs


class GroupBrowser:
    """The servers of a list, and what the keys do."""

    pause = None
    typing = False

    def __init__(self, records: Sequence[Record], title: str, wanted: str, signs: Glyphs) -> None:
        self._records = records
        self._groups = server_groups(records)
        self._orders = list(ORDERS)
        self._title, self._filter, self._glyphs = title, wanted, signs
        self._selected = 0
        self._size = 80, 24
        self.chosen: str | None = None
        """The server whose connections are to be listed: address and port."""

    def advance(self) -> bool:
        """Do nothing: there is no pause."""
        return False

    def press(self, key: str) -> bool:
        """Act on a key; return False to go back to the list."""
        last, page = len(self._groups) - 1, self._screen().page(self._size[1])
        by = {"down": 1, "j": 1, "wheel-down": 3, "page-down": page, "space": page}
        by |= {"up": -1, "k": -1, "wheel-up": -3, "page-up": -page}
        by |= {"home": -last, "g": -last, "end": last, "G": last}
        if key in ("escape", "b", "q", "left", "h"):
            return False
        if key in ("enter", "right", "l") and self._groups:
            return self._choose()
        if key == "s":
            self._orders.append(self._orders.pop(0))
            measure: Any = ORDERS[self._orders[0]]
            self._groups.sort(key=measure)
            self._selected = 0
        elif key.startswith("click "):
            row = self._screen().row_at(int(key.split()[2]), self._size[1])
            if row is not None and row == self._selected:
                return self._choose()
            self._selected = self._selected if row is None else row
        self._selected = max(0, min(self._selected + by.get(key, 0), last))
        return True

    @property
    def shown(self) -> tuple[str, list[Record], str]:
        """The connections to the chosen server, with a name for their file and a title."""
        if not self._groups:
            return "", [], ""
        group = self._groups[self._selected]
        place, name = (group.address, group.port), group_name(group)
        found = [each for each in self._records if (each.server.address, each.server.port) == place]
        stem = f"server-{group.address.replace(':', '-')}-{group.port}"
        return stem, found, f"{self._title}  server == {name}"

    def _choose(self) -> bool:
        self.chosen = group_name(self._groups[self._selected])
        return False

    def draw(self, width: int, height: int) -> RenderableType:
        """Return the screen, of this size."""
        self._size = width, height
        return self._screen().draw(width, height)

    def _screen(self) -> GroupTable:
        say = self._glyphs.say
        state = (
            say("list.filter", filter=self._filter or say("none")),
            say("list.sort", order=self._orders[0]),
            say("list.servers", count=len(self._groups)),
        )
        return GroupTable(
            self._groups,
            self._selected,
            f"{self._title}  {say('list.by-server')}",
            "   ".join(state),
            [say(f"keys.{each}") for each in ("list", "sort", "export", "help", "leave")],
            self._glyphs,
        )

    def help_page(self) -> HelpPage:
        """Return the help on what is shown."""
        return HelpPage("servers", "list-marks", self._glyphs)
