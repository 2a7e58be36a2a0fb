"""One end of a lesson's connection: its socket and its program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from handshake.events import Role
from handshake.tcp import Offer
from handshake.view.glyphs import UNICODE, Glyphs
from handshake.view.layout import cropped, fit, line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from handshake.events import Change
    from handshake.lessons import EndText, Scene, ScreenText
    from handshake.tcp import ControlBlock, Endpoint, Segment, Seq

Part = tuple[str, str]
"""A piece of a line, and its style."""


@dataclass(frozen=True)
class SocketBox:
    """A control block in a box, with `*` at fields that changed."""

    scene: Scene
    role: Role
    text: EndText
    words: ScreenText
    below: str = ""
    """Text in the lower edge: the title in another language."""

    glyphs: Glyphs = UNICODE

    @property
    def change(self) -> Change:
        """The change at this end in the scene."""
        return self.scene.client if self.role is Role.CLIENT else self.scene.server

    @property
    def block(self) -> ControlBlock:
        """The control block of this end after the scene."""
        assert self.change.after is not None
        return self.change.after

    def compact(self, width: int = 32) -> list[Text]:
        """Return the eight lines of the small box."""
        return self._boxed(
            [
                self._state(6, width),
                self._local(6),
                self._peer(6),
                [(fit("SND", 6), ""), *self._numbers("snd", "iss nxt", 7)],
                [(fit("RCV", 6), ""), *self._numbers("rcv", "irs nxt", 7)],
                [(self.text.app, "")],
            ],
            width,
        )

    def wide(self, width: int = 43) -> list[Text]:
        """Return the eleven lines of the large box."""
        return self._boxed(
            [
                self._state(8, width),
                self._local(8),
                self._peer(8),
                [(fit("SND", 8), ""), *self._numbers("snd", "iss una nxt", 6)],
                [(fit("RCV", 8), ""), *self._numbers("rcv", "irs nxt wnd", 6)],
                [(fit(self.words["options"], 8), ""), self._options()],
                [],
                [(fit(self.words["knows"], 8), ""), (self.text.knows, "")],
                [(self.text.app, "")],
            ],
            width,
        )

    def _boxed(self, rows: list[list[Part]], width: int) -> list[Text]:
        glyphs, role = self.glyphs, str(self.role)
        title = f"{self.words[role]} {self.text.title}"
        bar = (glyphs.vertical, role)
        rule = glyphs.rule(width - cell_len(title) - 5)
        lines = [
            line(
                (f"{glyphs.top_left}{glyphs.horizontal} ", role),
                (title, f"bold {role}"),
                (f" {rule}{glyphs.top_right}", role),
            )
        ]
        lines += [
            line(bar, cropped([line(" ", *row)], width - 2)[0], bar)
            for row in ([(glyphs.spell(text), style) for text, style in each] for each in rows)
        ]
        below = f" {self.below} {glyphs.horizontal}" if self.below else ""
        rule = glyphs.rule(width - cell_len(below) - 2)
        lines.append(line((f"{glyphs.bottom_left}{rule}{below}{glyphs.bottom_right}", role)))
        return lines

    def _state(self, label: int, width: int) -> list[Part]:
        before, after = self.change.before, self.change.after
        parts: list[Part] = [(fit(self.words["state"], label), "")]
        if before is None or after is None or before.state is after.state:
            return [*parts, (str(self.block.state), "state")]
        became: Part = (f"{self.glyphs.becomes} {after.state}", "changed")
        was: Part = (f"{before.state} ", "")
        # Long names, such as SYN-RECEIVED and ESTABLISHED, need the room of the label.
        fits = label + cell_len(was[0] + became[0]) <= width - 3
        return [*(parts if fits else []), was, became]

    def _local(self, label: int) -> list[Part]:
        local = self.block.local
        shown = str(local) if local.port else ""
        return [
            (fit(self.words["local"], label), ""),
            self._value("local", shown) if shown else self._none("no_address"),
        ]

    def _peer(self, label: int) -> list[Part]:
        remote: Endpoint | None = self.block.remote
        return [
            (fit(self.words["peer"], label), ""),
            self._none("no_peer") if remote is None else self._value("remote", str(remote)),
        ]

    def _none(self, why: str) -> Part:
        return f"{self.glyphs.dash} {self.words[why]}", "dim"

    def _value(self, field: str, shown: str) -> Part:
        changed = field in self.change.changed
        return (f"*{shown}", "changed") if changed else (shown, "field.value")

    def _numbers(self, space: str, names: str, width: int) -> Iterator[Part]:
        for name in names.split():
            number: Seq | int | None = getattr(getattr(self.block, space), name)
            yield f"{name.upper()} ", ""
            if number is None:
                yield fit(self.glyphs.dash, width), "dim"
            else:
                shown, style = self._value(f"{space}.{name}", str(number))
                yield fit(shown, width), style

    def _options(self) -> Part:
        block = self.block
        if block.offered is None:
            return self.glyphs.dash, "dim"
        agreed = block.peer_offered is not None
        text = (
            agreed_options(block) if agreed else f"{self.words['offers']} {offered(block.offered)}"
        )
        new = "peer_offered" if agreed else "offered"
        return (f"*{text}", "changed") if new in self.change.changed else (text, "field.value")


def offered(offer: Offer) -> str:
    """Return what a SYN offers, in short."""
    found = [f"mss {offer.mss}"] if offer.mss is not None else []
    found += [f"ws {offer.window_scale}"] if offer.window_scale is not None else []
    found += ["sack"] if offer.sack_permitted else []
    return " ".join([*found, "ts"] if offer.timestamps else found)


def options_of(segment: Segment) -> str:
    """Return what a segment with SYN offers, in short."""
    return offered(Offer.of(segment))


def agreed_options(block: ControlBlock) -> str:
    """Return what both SYNs have agreed on, in short."""
    found = [f"mss {block.mss}", f"ws {block.snd_shift}/{block.rcv_shift}"]
    found += ["sack"] if block.sack else []
    return " ".join([*found, "ts"] if block.timestamps else found)
