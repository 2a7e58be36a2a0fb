"""Reads keys and the mouse from a terminal and always restores it."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import tty
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

RESIZED: Final = "resized"
"""Returned by `Keys.read` after a resize, and when the program goes on after it was suspended."""

SUSPEND: Final = "suspend"
"""Returned by `Keys.read` for Control-Z."""

ENDED: Final = "ended"
"""Returned by `Keys.read` when the terminal is closed."""

_ESCAPE_WAIT: Final = 0.025
"""Seconds to wait for what follows an escape octet; if nothing does, Esc was pressed."""

_REST_WAIT: Final = 0.1
"""Seconds to wait for the rest of a sequence or character that has begun: no key begins so."""

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
    "[3~": "delete",
    "[Z": "back-tab",
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
    "\x1a": SUSPEND,
    "\x01": "home",
    "\x05": "end",
    "\x0b": "control-k",
    "\x0c": RESIZED,
    "\x15": "control-u",
    "\x17": "control-w",
}
"""Control-D, end of input, works like q; Control-L draws again."""

_MOUSE: Final = re.compile(r"\[<([0-9]{1,4});([0-9]{1,5});([0-9]{1,5})([Mm])")
"""A report of the mouse (SGR): button, column, line, pressed or released."""

_BUTTONS: Final = {"0": "click", "64": "wheel-up", "65": "wheel-down"}

_ENDING: Final = (signal.SIGTERM, signal.SIGHUP)


class Keys:
    """Keys one by one, in a `with` block: cbreak mode inside, the terminal restored after it.

    SIGTERM and SIGHUP raise SystemExit, so that the terminal is restored then, too.
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
        # bytecodes, so a signal just before the select would wait for a key: but the interpreter
        # writes to this pipe at once.
        self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._woken = signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
            self._handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, _resized)
            self._handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._continued)
            for number in _ENDING:
                self._handlers[number] = signal.signal(number, _ended)
            self._by_key()
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
            # TCSAFLUSH: pending keys for this screen must not reach the shell.
            termios.tcsetattr(self._fd, termios.TCSAFLUSH, self._saved)
        except termios.error:
            pass  # the terminal is closed: nothing to restore
        finally:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(self._woken)
            for end in self._wake:
                os.close(end)

    def _by_key(self) -> None:
        """Let the terminal give each key at once, without an echo and without signals."""
        # Not raw mode but cbreak: output still needs LF turned into CR LF.
        tty.setcbreak(self._fd, termios.TCSADRAIN)
        mode = termios.tcgetattr(self._fd)
        mode[3] &= ~termios.ISIG
        termios.tcsetattr(self._fd, termios.TCSADRAIN, mode)

    def _continued(self, *_: object) -> None:
        with suppress(termios.error):  # the terminal is closed
            self._by_key()

    def suspend(self) -> None:
        """Stop this program and those of its pipeline, as a shell does for Control-Z.

        Returns when the shell lets them go on.
        """
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        self._by_key()

    def read(self, timeout: float | None = None) -> str | None:
        """Return the next key by name (`right`, `space`, `q`), or None on timeout.

        A click is `click COLUMN LINE`, counted from 0. Raises KeyboardInterrupt for Control-C.
        """
        if not self._pending and (event := self._wait(timeout)) is not None:
            return event or None
        key = self._next()
        if key == "interrupt":
            raise KeyboardInterrupt
        return key

    def _wait(self, timeout: float | None) -> str | None:
        """Wait for input; return RESIZED or ENDED if that came instead, and "" on timeout."""
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
        """Take one key from the buffer."""
        if self._pending[:1] == b"\x1b":
            return self._escape()
        # A key may be several octets of UTF-8, which may not all have arrived.
        size = _utf8_size(self._pending[0])
        while len(self._pending) < size and self._soon(_REST_WAIT) and self._more():
            pass
        taken, self._pending = self._pending[:size], self._pending[size:]
        text = taken.decode("utf-8", "replace")
        return _NAMED.get(text, text)

    def _escape(self) -> str:
        while not _complete(self._pending):
            wait = _ESCAPE_WAIT if self._pending == b"\x1b" else _REST_WAIT
            if not (self._soon(wait) and self._more()):
                break
        for length in range(len(self._pending), 1, -1):
            name = _SEQUENCES.get(self._pending[1:length].decode("latin-1"))
            if name is not None:
                self._pending = self._pending[length:]
                return name
        size = _sequence_length(self._pending)
        text = self._pending[1:size].decode("latin-1")
        if (report := _MOUSE.fullmatch(text)) and report[4] == "M" and report[1] in _BUTTONS:
            self._pending = self._pending[size:]
            name, place = _BUTTONS[report[1]], f"{int(report[2]) - 1} {int(report[3]) - 1}"
            return f"click {place}" if name == "click" else name
        unknown = self._pending[:size]
        self._pending = self._pending[size:]
        return "escape" if unknown == b"\x1b" else "unknown"

    def _soon(self, wait: float) -> bool:
        return bool(select.select([self._fd], [], [], wait)[0])


@contextmanager
def unechoed() -> Iterator[None]:
    """Let the terminal not show keys that are typed inside the `with` block: they come later."""
    if not sys.stdin.isatty():
        yield
        return
    fd = sys.stdin.fileno()
    saved = termios.tcgetattr(fd)
    quiet = termios.tcgetattr(fd)
    quiet[3] &= ~termios.ECHO
    handlers = {number: signal.signal(number, _ended) for number in _ENDING}
    try:
        termios.tcsetattr(fd, termios.TCSADRAIN, quiet)
        yield
    finally:
        with suppress(termios.error):  # the terminal is closed
            termios.tcsetattr(fd, termios.TCSADRAIN, saved)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _resized(*_: object) -> None:
    """Do nothing: having a handler makes the signal wake the select."""


def _ended(number: int, *_: object) -> None:
    # A second signal must not interrupt restoring the terminal.
    for each in _ENDING:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


def _utf8_size(first: int) -> int:
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


def _complete(octets: bytes) -> bool:
    return _sequence_length(octets) <= len(octets) and octets != b"\x1b"


def _sequence_length(octets: bytes) -> int:
    """Return the length of the escape sequence at the start; more than there is if incomplete."""
    if len(octets) < 2 or octets[1:2] not in (b"[", b"O"):
        return 1
    if octets[1:2] == b"O":
        return 3
    for at, octet in enumerate(octets[2:], 2):
        if 0x40 <= octet <= 0x7E:
            return at + 1
    return len(octets) + 1
