"""The errors a caller may catch: each has a stable code, its values, and one line for the user."""

from __future__ import annotations

import errno
import os
from typing import Self

from handshake.escape import printable
from handshake.messages import ENGLISH, Message, text


class HandshakeError(Exception):
    """The base of all errors that this package raises on purpose.

    HandshakeError
     +-- CaptureError           a file is not a readable capture
     +-- UsageError             the request makes no sense
     +-- LocalError             this machine does not allow it: privileges, ports
     |    +-- ConnectError      one connection cannot be made; others may
     |    +-- ResolveError      a host name has no address
     +-- ConnectionLostError    an open connection ended early

    `str` of an error is its sentence, which says what is wrong and what to do.
    """

    exit_code = 2
    """What the command line exits with when nothing catches the error."""

    def __init__(self, code: str, /, **values: object) -> None:
        super().__init__(code)
        self.code = code
        """What is wrong: a key of `messages/en/errors.toml`, which programs may rely on."""

        self.values = values
        """What the sentence names."""

        self.place = ""
        """Where it is wrong: a file, a line of it, printable; empty for no place."""

    def at(self, place: str) -> Self:
        """Put a place before those the error has; return the error.

        What cannot be printed in it is escaped, and it is quoted then: a file name may hold
        anything, or nothing.
        """
        shown = printable(place)
        if not shown or shown != place:
            shown = f"'{shown}'"
        self.place = f"{shown}: {self.place}" if self.place else shown
        return self

    @property
    def message(self) -> Message:
        """The sentence as a value, without the place."""
        return Message("errors", self.code, self.values)

    def __str__(self) -> str:
        return self.said(ENGLISH)

    def said(self, language: str) -> str:
        """Return the sentence in a language, behind the place."""
        sentence = text("errors", self.code, self.values, language)
        return f"{self.place}: {sentence}" if self.place else sentence


class CaptureError(HandshakeError):
    """A file could not be read as a capture, or not all of it."""


class UsageError(HandshakeError):
    """The request itself is wrong."""


class LocalError(HandshakeError):
    """The machine does not allow what was asked for."""

    exit_code = 3


class ConnectError(LocalError):
    """The machine cannot make one connection: no route to the address, the port is in use."""


class ResolveError(LocalError, LookupError):
    """A host name has no address, or it cannot be found out."""


class ConnectionLostError(HandshakeError):
    """A connection that was open did not end properly."""

    exit_code = 1


def system_error(error: OSError) -> str:
    """Return what the system says of an error: `no space left on device (ENOSPC)`."""
    if error.errno is None:
        return str(error)
    name = errno.errorcode.get(error.errno, str(error.errno))
    return f"{os.strerror(error.errno).lower()} ({name})"
