"""Reads keys from a terminal, and always gives the terminal back as it was."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

RESIZED: Final = "resized"
"""What `Keys.read` returns after the window changed its size."""

ENDED: Final = "ended"
"""What `Keys.read` returns when the terminal is gone."""

_ESCAPE_WAIT: Final = 0.05
"""Seconds in which the rest of an escape sequence must come; else Esc itself was pressed."""

_SEQUENCES: Final = {
    "[A": "up",
    "[B": "down",
    "[C": "right",
    "[D": "left",
    "[H": "home",
    "[F": "end",
    "[1~": "home",
    "[4~": "end",
    "[7~": "home",
    "[8~": "end",
    "[5~": "page-up",
    "[6~": "page-down",
    "OA": "up",
    "OB": "down",
    "OC": "right",
    "OD": "left",
    "OH": "home",
    "OF": "end",
}

_NAMED: Final = {
    "\r": "enter",
    "\n": "enter",
    "\t": "tab",
    " ": "space",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x03": "interrupt",
    "\x04": "q",
}
"""Control-D ends a program that reads from a terminal, as q does here."""

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


class Keys:
    """Keys one by one, in a `with` block: raw mode inside, the terminal as it was after it.

    SIGTERM and SIGHUP leave the block by SystemExit, so that it is restored then too.
    """

    def __init__(self, fd: int | None = None) -> None:
        self._fd = sys.stdin.fileno() if fd is None else fd
        self._pending = b""
        self._saved: list[Any] = []
        self._handlers: dict[int, Any] = {}
        self._wake: tuple[int, int] = (-1, -1)
        self._woken = -1

    def __enter__(self) -> Self:
        self._saved = termios.tcgetattr(self._fd)
        # A signal must wake the select below without a race. Python runs a handler only between
        # its own steps, so one that comes just before the select would wait for a key: what
        # writes to the pipe is the interpreter, at once.
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._woken = signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
            self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, _resized)
            for number in _ENDING:
                self._handlers[number] = signal.signal(number, _ended)
            # Not raw but cbreak: what is drawn still needs its newlines turned into CR LF.
            tty.setcbreak(self._fd, termios.TCSADRAIN)
            mode = termios.tcgetattr(self._fd)
            mode[3] &= ~termios.ISIG
            termios.tcsetattr(self._fd, termios.TCSADRAIN, mode)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # TCSAFLUSH: keys typed ahead for this screen must not reach the shell.
            termios.tcsetattr(self._fd, termios.TCSAFLUSH, self._saved)
        except termios.error:
            pass  # the terminal is gone: nothing is left to restore
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._woken)
            for end in self._wake:
                os.close(end)

    def read(self, timeout: float | None = None) -> str | None:
        """Return the next key by name (`right`, `space`, `q`), or None when time is up.

        Raises KeyboardInterrupt for Control-C.
        """
        if not self._pending and (event := self._wait(timeout)) is not None:
            return event or None
        key = self._next()
        if key == "interrupt":
            raise KeyboardInterrupt
        return key

    def _wait(self, timeout: float | None) -> str | None:
        """Wait for octets; return what came instead of them, and "" when time is up."""
        ready, _, _ = select.select([self._fd, self._wake[0]], [], [], timeout)
        if not ready:
            return ""
        if self._wake[0] in ready:
            os.read(self._wake[0], 64)
            return RESIZED
        return None if self._more() else ENDED

    def _more(self) -> bool:
        try:
            octets = os.read(self._fd, 64)
        except OSError:
            return False
        self._pending += octets
        return bool(octets)

    def _next(self) -> str:
        """Take one key off what was read."""
        if self._pending[:1] == b"\x1b":
            return self._escape()
        # A key may be several octets of UTF-8, of which the last are still to come.
        size = _utf8_size(self._pending[0])
        while len(self._pending) < size and self._soon() and self._more():
            pass
        taken, self._pending = self._pending[:size], self._pending[size:]
        text = taken.decode("utf-8", "replace")
        return _NAMED.get(text, text)

    def _escape(self) -> str:
        while not _complete(self._pending) and self._soon() and self._more():
            pass
        for length in range(len(self._pending), 1, -1):
            name = _SEQUENCES.get(self._pending[1:length].decode("latin-1"))
            if name is not None:
                self._pending = self._pending[length:]
                return name
        size = _length(self._pending)
        unknown = self._pending[:size]
        self._pending = self._pending[size:]
        return "escape" if unknown == b"\x1b" else "unknown"

    def _soon(self) -> bool:
        return bool(select.select([self._fd], [], [], _ESCAPE_WAIT)[0])


def _resized(*_: object) -> None:
    """Do nothing: that there is a handler is what makes the signal wake the select."""


def _ended(number: int, *_: object) -> None:
    # A second one must not cut short what restores the terminal.
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _utf8_size(first: int) -> int:
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


def _complete(octets: bytes) -> bool:
    return _length(octets) <= len(octets) and octets != b"\x1b"


def _length(octets: bytes) -> int:
    """Return how many octets the escape sequence at the start has; more than there are: unknown."""
    if len(octets) < 2 or octets[1:2] not in (b"[", b"O"):
        return 1
    if octets[1:2] == b"O":
        return 3
    for at, octet in enumerate(octets[2:], 2):
        if 0x40 <= octet <= 0x7E:
            return at + 1
    return len(octets) + 1
