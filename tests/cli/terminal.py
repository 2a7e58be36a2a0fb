"""A terminal of our own: types keys, and waits until the screen shows what is expected."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_ROOT = Path(__file__).parents[2]
_PATIENCE = 30.0
_STYLES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A program that runs on a pseudo-terminal of a given size."""

    def __init__(self, *args: str, width: int = 80, height: int = 24) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self.before = termios.tcgetattr(slave)
        self._slave = slave
        self._process = subprocess.Popen(
            [sys.executable, "-m", "handshake", *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=_ROOT,
            env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
            start_new_session=True,
        )
        self.output = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._slave)
        os.close(self._master)

    def until(self, expected: str) -> str:
        """Return what was written since the last key, once the expected text is in it."""
        deadline = time.monotonic() + _PATIENCE
        while expected not in self.text:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._master], [], [], max(0, left))
            if not ready:
                raise AssertionError(f"{expected!r} never came; the screen says:\n{self.text}")
            self.output += os.read(self._master, 0xFFFF).decode("utf-8", "replace")
        return self.text

    def type(self, keys: str) -> None:
        """Press keys; what was written before is forgotten."""
        self.output = ""
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """Return the exit code once the program has ended."""
        return self._process.wait(_PATIENCE)

    @property
    def text(self) -> str:
        """What was written, without colours."""
        return _STYLES.sub("", self.output)

    @property
    def restored(self) -> bool:
        """Whether the terminal is as it was found."""
        return termios.tcgetattr(self._slave) == self.before
