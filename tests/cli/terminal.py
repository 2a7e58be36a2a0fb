"""A program on a terminal of its own, whose keys a test presses and whose screen it reads."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE: Final = 30.0
"""Seconds after which a test gives up: far more than a program needs."""

_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|[()][AB0]|[=>])")


class Terminal:
    """A pseudo-terminal with a program on it; leaves no process behind."""

    def __init__(self, args: Sequence[str], columns: int = 80, lines: int = 24) -> None:
        self._ours, self._theirs = pty.openpty()
        self._size(columns, lines)
        self.before = self.mode
        self.output = ""
        env = {**os.environ, "TERM": "xterm-256color", "PYTHONUTF8": "1"}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PAGER"):
            env.pop(name, None)
        self.process = subprocess.Popen(
            # As from a shell, however the tests were started.
            ["env", "--default-signal=INT,HUP,TERM", sys.executable, *args],
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            env=env,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._theirs)
        if self._ours >= 0:
            os.close(self._ours)

    @property
    def mode(self) -> list[Any]:
        """The terminal's settings: echo, line by line, signals by keys."""
        return termios.tcgetattr(self._theirs)

    def _size(self, columns: int, lines: int) -> None:
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, size)

    def resize(self, columns: int, lines: int) -> None:
        """Change the size, and signal the program as a terminal does."""
        self._size(columns, lines)
        self.process.send_signal(signal.SIGWINCH)

    def press(self, keys: str) -> None:
        """Press keys, after which only new output counts."""
        self.output = ""
        os.write(self._ours, keys.encode())

    def see(self, text: str) -> None:
        """Wait until `text` is on the screen, whatever stands between its words."""
        deadline = time.monotonic() + PATIENCE
        while text not in _ESCAPES.sub("", self.output):
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come; there was {self.output!r}"
            if not self._read(left):
                raise AssertionError(f"{text!r} did not come; there was {self.output!r}")

    def _read(self, timeout: float) -> bool:
        if not select.select([self._ours], [], [], timeout)[0]:
            return False
        try:
            octets = os.read(self._ours, 65536)
        except OSError:
            return False
        self.output += octets.decode("utf-8", "replace")
        return bool(octets)

    def end(self) -> int:
        """Wait until the program exits, read the rest of its output, return its exit code."""
        deadline = time.monotonic() + PATIENCE
        # A program blocks on a terminal that is not read.
        while self.process.poll() is None:
            self._read(0.05)
            assert time.monotonic() < deadline, "the program goes on"
        while self._read(0):
            pass
        return self.process.returncode

    def hang_up(self) -> None:
        """Close the terminal as a window does that is closed."""
        os.close(self._ours)
        self._ours = -1
