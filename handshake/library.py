"""Libraries that load only where something is asked for that needs them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from handshake.errors import UsageError


def required(module: str, asked: str, extra: str = "") -> Any:
    """Return a module that `asked` needs. Raises UsageError if its library is not installed.

    `extra` is the name of our extra that installs it, if there is one.
    """
    library = module.partition(".")[0]
    try:
        return import_module(module)
    except ImportError:
        package = f"'tcp-handshake[{extra}]'" if extra else library
        raise UsageError("library", asked=asked, library=library, package=package) from None


def scapy_codec() -> Any:
    """Return the module that converts segments to Scapy packets and back: it loads Scapy.

    The segment's own methods find it here, since what is below it may not import what is above.
    """
    return import_module("handshake.packet.scapy_codec")
