"""How far captures were read, over all files and processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from handshake.capture.open import Watch


class Reading:
    """Octets and packets read so far, as sums over the files."""

    octets: int
    """Octets as they stand in the files, compressed if they are."""

    packets: int

    files: int
    """How many files were read to their end."""

    def __init__(self, tell: Callable[[Reading], None] | None = None) -> None:
        """`tell` is called after each change."""
        self.octets = self.packets = self.files = 0
        self.over = False
        """Whether no more is read."""

        self._tell = tell
        self._of: dict[int, tuple[int, int]] = {}

    def of(self, file: int) -> Watch:
        """Return what the reader of a file tells how far it is; told anew, it counts once."""

        def watch(octets: int, packets: int) -> None:
            before = self._of.get(file, (0, 0))
            self._of[file] = octets, packets
            self.octets += octets - before[0]
            self.packets += packets - before[1]
            self.told()

        return watch

    def ended(self) -> None:
        """Count a file that was read to its end, or cannot be."""
        self.files += 1
        self.told()

    def end(self) -> None:
        """Tell that no more is read."""
        self.over = True
        self.told()

    def told(self) -> None:
        """Tell how far it is, also if nothing has changed."""
        if self._tell is not None:
            self._tell(self)
