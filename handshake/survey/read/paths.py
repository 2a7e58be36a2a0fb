"""Finds the capture files that paths, folders and patterns stand for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handshake.capture.open import is_capture, is_url
from handshake.errors import CaptureError, system_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PATTERN: Final = re.compile(r"[*?\[]")


def capture_files(paths: Iterable[str | Path], errors: list[CaptureError]) -> list[str | Path]:
    """Return the files in the order of the paths; of a folder, sorted by name, folder by folder.

    A folder is searched for files that begin like a capture, whatever their names are; links to
    folders are not followed. A text that names no file is a pattern, as a shell has them, `**` for
    folders too; URLs may be such patterns and folders. What is not found is added to `errors`; a
    file that was named is returned, whatever it holds.
    """
    found: list[str | Path] = []
    for path in paths:
        if is_url(path):
            found += _remote(str(path), errors)
        elif str(path) != "-" and Path(path).is_dir():
            begin = len(found)
            found += _searched(str(path), errors)
            if len(found) == begin:
                errors.append(CaptureError("list.no-captures").at(str(path)))
        elif isinstance(path, str) and _PATTERN.search(path) and not os.path.lexists(path):
            matching = sorted(_matching(path))
            found += capture_files(matching, errors)
            if not matching:
                errors.append(CaptureError("list.no-match").at(path))
        else:
            found.append(path)
    return found


def _remote(url: str, errors: list[CaptureError]) -> list[str]:
    """Return the files of a URL, which may be a pattern or a folder."""
    try:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(url)
        if _PATTERN.search(url):
            found = [each for each in sorted(files.glob(path)) if files.isfile(each)]
        elif files.isdir(path):
            found = sorted(files.find(path))
        else:
            return [url]
    except Exception:  # reading it will say what is wrong
        return [url]
    urls = [str(files.unstrip_protocol(each)) for each in found]
    if not _PATTERN.search(url):
        urls = [each for each in urls if is_capture(each)]
    if not urls:
        code = "list.no-match" if _PATTERN.search(url) else "list.no-captures"
        errors.append(CaptureError(code).at(url))
    return urls


def _matching(pattern: str) -> Iterator[str]:
    """Yield what matches a pattern, with the beginning of its name as it was given."""
    folders = pattern.split("/")
    plain = next(at for at, each in enumerate(folders) if _PATTERN.search(each))
    begin = "/".join((*folders[:plain], ""))
    try:
        for each in Path(begin).glob("/".join(folders[plain:])):
            yield begin + str(each.relative_to(begin))
    except (OSError, ValueError, NotImplementedError):
        return


def _searched(folder: str, errors: list[CaptureError]) -> Iterator[str]:
    """Yield the captures in a folder and in those below it."""
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        if not os.path.isdir(path):  # noqa: PTH112 - a name as it is, which may be long
            if is_capture(path):
                yield path
            continue
        try:
            with os.scandir(path) as entries:
                below = [each for each in entries if _is_searched(each)]
        except PermissionError:
            errors.append(CaptureError("file.permission").at(path))
        except OSError as error:
            errors.append(CaptureError("file.unopened", why=system_error(error)).at(path))
        else:
            waiting += sorted((each.path for each in below), reverse=True)


def _is_searched(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a file or a link to one: no pipe, no device."""
    try:
        return entry.is_dir(follow_symlinks=False) or entry.is_file()
    except OSError:
        return False
