"""Opens files and folders to be written, with an error for each thing that may be wrong."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

from handshake.errors import LocalError, UsageError, system_error

if TYPE_CHECKING:
    from collections.abc import Iterator

Writer = TypeVar("Writer", covariant=True)


class Begin(Protocol[Writer]):
    """Begins to write an open file, which errors call `name`."""

    def __call__(self, out: BinaryIO, /, *, name: str) -> Writer:
        """Return what writes it."""


def create(name: str) -> BinaryIO:
    """Open a file to be written, and empty it if it exists.

    Raises UsageError for a bad name, and LocalError if the machine does not let us write.
    """
    with _errors(name):
        return open(name, "wb")  # noqa: PTH123 - a name, as it was given; the caller closes it


def make_folder(name: str) -> None:
    """Make a folder if there is none. Raises as `create` does."""
    with _errors(name):
        Path(name).mkdir(exist_ok=True)


def refuse_terminal(file: BinaryIO, name: str) -> None:
    """Raise UsageError if a file is a terminal, which octets may confuse."""
    if file.isatty():
        raise UsageError("file.terminal").at(name)


@contextmanager
def begun(name: str, begin: Begin[Writer]) -> Iterator[Writer]:
    """Open a file, `-` for standard output, and begin to write it; overwrite an existing file.

    Raises UsageError for a bad name or a terminal, and LocalError if the machine does not let us
    write, now or later.
    """
    if name == "-":
        refuse_terminal(sys.stdout.buffer, "standard output")
        yield _begun(sys.stdout.buffer, "standard output", begin)
        return
    file = create(name)
    try:
        refuse_terminal(file, name)
        yield _begun(file, name, begin)
    except BaseException:
        with suppress(OSError):  # report the first error
            file.close()
        raise
    try:
        file.close()
    except OSError as error:
        # A network file system may report only now that it is full.
        raise LocalError("file.unwritten", why=system_error(error)).at(name) from error


def _begun(file: BinaryIO, name: str, begin: Begin[Writer]) -> Writer:
    try:
        return begin(file, name=name)
    except BrokenPipeError as error:
        raise LocalError("file.unwritten", why=system_error(error)).at(name) from error


@contextmanager
def _errors(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise UsageError("file.no-parent").at(name) from None
    except FileExistsError:
        raise UsageError("file.no-directory").at(name) from None
    except IsADirectoryError:
        raise UsageError("file.directory").at(name) from None
    except NotADirectoryError:
        raise UsageError("file.parent-no-directory").at(name) from None
    except PermissionError:
        raise LocalError("file.permission").at(name) from None
    except ValueError as error:  # a file name cannot contain NUL
        raise UsageError("file.unopened", why=error).at(name) from None
    except OSError as error:
        raise LocalError("file.unopened", why=system_error(error)).at(name) from None
