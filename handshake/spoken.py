"""The language that the locale asks for."""

from __future__ import annotations

import os
from typing import Final

from handshake.messages import ENGLISH, LANGUAGES

_LOCALE: Final = ("LC_ALL", "LC_MESSAGES", "LANG")


def of_locale() -> str:
    """Return the language of the locale; English if there is no text in it."""
    locale = next((found for name in _LOCALE if (found := os.environ.get(name))), "")
    found = locale.partition("_")[0].partition(".")[0].lower()
    return found if found in LANGUAGES else ENGLISH
