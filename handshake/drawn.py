"""How a notebook draws our objects: what draws them stands above them, so it is found by name."""

from __future__ import annotations

from importlib import import_module
from typing import Final

_HOME: Final = "handshake.export.notebook"


def html_of(found: object) -> str:
    """Return a record, a connection, a result or a replay as HTML, for `_repr_html_`."""
    html: str = import_module(_HOME).html_of(found)
    return html
