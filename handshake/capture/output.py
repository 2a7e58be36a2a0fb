"""Opens files and folders to be written, with an error for each thing that may be wrong."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol, TypeVar

from handshake.errors import LocalError, UsageError, system_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@contextmanager
def replaced(name: str) -> Iterator[BinaryIO]:
    """Open a file to be written; it has its name only when the `with` block is over.

    Whatever ends the block before, the file that was there stays. A pipe or a device is written
    to as it is; `-` is standard output. Raises as `create` does, and LocalError if writing fails.
    """
    if name == "-":
        with _writing("standard output"):
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        return
    final = real_name(name)
    partial = name if is_special(name) else f"{final}{PARTIAL}"
    with _errors(name):
        file = open(partial, "wb")  # noqa: PTH123, SIM115 - a name as it is; closed below
    try:
        with _writing(name):
            yield file
            file.close()
            if partial != name:
                Path(partial).replace(final)
    except BaseException:
        with suppress(OSError):
            file.close()
        if partial != name:
            with suppress(OSError):
                Path(partial).unlink()
        raise


@contextmanager
def kept_open(name: str) -> Iterator[Callable[[bytes], None]]:
    """Open a file now, and yield what writes to it once, later: privileges may be gone by then.

    Until then what was in the file stays. `-` is standard output. Raises as `replaced` does.
    """
    if name == "-":

        def write(octets: bytes) -> None:
            with replaced(name) as out:
                out.write(octets)

        yield write
        return
    with _errors(name):
        # Not as `open` does with "wb", which would empty it.
        found = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    with open(found, "wb") as file:  # noqa: PTH123 - a descriptor

        def write_file(octets: bytes) -> None:
            with _writing(name):
                if not is_special(name):
                    file.truncate(0)
                file.write(octets)
                file.flush()

        yield write_file


PARTIAL: Final = ".partial"
"""What is added to the name of a file while it is written."""


def real_name(name: str) -> str:
    """Return what is replaced: a link stays a link, and what it leads to is replaced."""
    linked = os.path.islink(name)  # noqa: PTH114 - a name as it is
    return os.path.realpath(name) if linked else name


def is_special(name: str) -> bool:
    """Whether there is something of this name that is no file, such as a pipe or a device."""
    try:
        return not stat.S_ISREG(os.stat(name).st_mode)  # noqa: PTH116 - a name as it is
    except (OSError, ValueError):
        return False


@contextmanager
def _writing(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # the reader has closed the pipe
        raise
    except OSError as error:
        raise LocalError("file.unwritten", why=system_error(error)).at(name) from error


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
