"""Which options of `handshake probe` exclude or require each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    import typer

_CONFLICTS: Final = {
    "--wscale": ("--no-wscale",),
    "--md5": ("--timestamps",),
    "--no-ack": ("--close", "--hold"),
    "--adopt": (
        "--connect",
        "--fast-open",
        "--md5",
        "--ecn",
        "--flags",
        "--data",
        "--expect",
        "--no-ack",
        "--close",
        "--observe",
        "--hold",
        "--count",
        "--json",
        "--monitor",
        "-w",
        "--dry-run",
    ),
    "--dry-run": ("--connect", "--monitor", "-w", "--quiet", "--brief"),
    "--monitor": ("--count",),
}
"""Options that exclude others; the reasons are in errors.toml."""

_REQUIRES: Final = {"--interval": "--count"}
"""Options that require another."""


def check_conflicts(context: typer.Context) -> None:
    """Raise UsageError if options exclude each other, or one lacks another that it requires."""
    given = _given(context)
    for option, others in _CONFLICTS.items():
        conflicting = [each for each in others if each in given]
        if option in given and conflicting:
            raise UsageError(f"conflict.{option.removeprefix('--')}", others=conflicting)
    for option, other in _REQUIRES.items():
        if option in given and other not in given:
            raise UsageError("conflict.requires", option=option, other=other)


def _given(context: typer.Context) -> AbstractSet[str]:
    """Return the names of the options on the command line."""
    found = set()
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        if source is not None and source.name == "COMMANDLINE":
            off = param.secondary_opts and context.params.get(param.name or "") is False
            found.add((param.secondary_opts if off else param.opts)[0])
    return found
