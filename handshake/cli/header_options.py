"""The options that name fields of a header, as `probe`, `serve` and `craft` share them."""

from __future__ import annotations

from typing import Any, Final

import typer

_SHARED: Final[dict[str, dict[str, Any]]] = {
    "--flags": {"metavar": "FLAGS"},
    "--seq": {
        "metavar": "N",
        "help": "Initial sequence number.",
        "show_default": "unpredictable",
    },
    "--window": {
        "metavar": "OCTETS",
        "help": "Receive window to advertise.",
        "show_default": "about 64 KiB",
    },
    "--mss": {
        "metavar": "OCTETS",
        "help": "MSS option; 0 for none.",
        "show_default": "from the path MTU",
    },
    "--wscale": {"metavar": "SHIFT", "help": "Window scale option.", "show_default": "7"},
    "--no-wscale": {"help": "Send no window scale option."},
    "--sack/--no-sack": {"help": "Send the SACK-permitted option."},
    "--timestamps/--no-timestamps": {"help": "Send the timestamps option."},
    "--ecn": {},
    "--fast-open": {},
    "--md5": {"metavar": "KEY"},
    "--option": {
        "metavar": "KIND:HEX",
        "help": "Add any TCP option, with its data in hexadecimal. Repeatable.",
    },
    "--ttl": {"metavar": "N", "help": "Time to live (IPv6: hop limit)."},
    "--tos": {"metavar": "N", "help": "Type of service (IPv6: traffic class)."},
    "--rto": {
        "metavar": "SECONDS",
        "help": "Time until the first retransmission; doubles each time.",
    },
}


def header_option(name: str, *, panel: str, **own: Any) -> Any:
    """Return an option of this name; what a command says of it otherwise is its own."""
    return typer.Option(name, rich_help_panel=panel, **(_SHARED[name] | own))
