"""Errors: code, values and place. Each code has its sentence, and each sentence its code.

The sentences themselves are in golden/errors.txt.
"""

from __future__ import annotations

import ast
import copy
import errno
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from handshake import errors, messages
from handshake.errors import CaptureError, ConnectError, LocalError, ResolveError, system_error

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE: Final = Path(messages.__file__).parents[1]

CLASSES: Final = {
    name
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, errors.HandshakeError)
}

MAKERS: Final = {"_corrupt": "capture.corrupt.", "error": "filter."}
"""Functions that make errors, and what they put before a code."""

BUILT: Final = ("capture.corrupt.", "conflict.", "filter.", "skipped.")
"""Codes of which the source has the last part alone."""


def codes() -> Iterator[str]:
    """Yield the codes that the source gives to errors, where they are written out."""
    for path in SOURCE.rglob("*.py"):
        for each in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(each, ast.Call) and each.args:
                name = getattr(each.func, "id", None) or getattr(each.func, "attr", "")
                first = each.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    if name in CLASSES:
                        yield first.value
                    elif name in MAKERS and "." not in first.value.removeprefix("expected."):
                        yield f"{MAKERS[name]}{first.value}"


def test_every_code_has_a_sentence() -> None:
    table = messages.table("errors")
    found = set(codes()) - {"filter.unknown-key"}
    assert len(found) > 90
    assert sorted(found - set(table)) == []


def test_every_sentence_is_used() -> None:
    source = "".join(path.read_text("utf-8") for path in SOURCE.rglob("*.py"))
    for code in messages.table("errors"):
        prefix = next((each for each in BUILT if code.startswith(each)), "")
        names = code, code.removeprefix(prefix), code.removeprefix(prefix).removeprefix("expected.")
        assert any(f'"{name}"' in source or f'"--{name}"' in source for name in names), code


def test_a_place_stands_before_the_sentence() -> None:
    error = CaptureError("file.not-found")
    assert str(error) == "no such file"
    assert str(error.at("line 3").at("list.txt")) == "list.txt: line 3: no such file"


@pytest.mark.parametrize("duplicate", [copy.copy, lambda each: pickle.loads(pickle.dumps(each))])
def test_an_error_can_be_copied_and_pickled(duplicate: object) -> None:
    assert callable(duplicate)
    error = ConnectError("bind.not-local", source="192.0.2.9", errno="EADDRNOTAVAIL").at("here")
    same = duplicate(error)
    assert (type(same), same.code, same.values) == (ConnectError, error.code, error.values)
    assert str(same) == str(error)


def test_what_a_caller_may_catch() -> None:
    assert issubclass(ConnectError, LocalError)
    assert issubclass(ResolveError, LocalError)
    assert issubclass(ResolveError, LookupError)
    assert (LocalError.exit_code, CaptureError.exit_code) == (3, 2)


def test_the_message_of_the_system() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert system_error(full) == "no space left on device (ENOSPC)"
    assert system_error(OSError("unnamed")) == "unnamed"
