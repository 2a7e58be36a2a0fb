"""Which options of `handshake probe` make no sense together, and what to do instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from handshake.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    import typer


class _Senseless(NamedTuple):
    option: str
    others: tuple[str, ...]
    why: str


_CONFLICTS: Final = (
    _Senseless("--wscale", ("--no-wscale",), "it offers none"),
    _Senseless(
        "--md5",
        ("--timestamps",),
        "who signs offers none, as with Linux",
    ),
    _Senseless(
        "--no-ack",
        ("--close", "--hold"),
        "it is watched for as long as --observe says, and ended by a RST of ours",
    ),
    _Senseless(
        "--adopt",
        (
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
        "the kernel goes on with a plain connection, and what the peer says is all that is printed",
    ),
    _Senseless(
        "--dry-run",
        ("--connect", "--monitor", "-w", "--quiet", "--brief"),
        "nothing is sent, and the SYN is all that is shown",
    ),
    _Senseless(
        "--monitor",
        ("--count",),
        "a monitoring system calls again by itself, and reads of one call each time",
    ),
)

_REQUIRES: Final = {"--interval": "--count"}
"""What means nothing without another option."""


def refuse_senseless(context: typer.Context) -> None:
    """Raise UsageError where options were given that do not go together."""
    given = _given(context)
    for option, others, why in _CONFLICTS:
        against = [each for each in others if each in given]
        if option in given and against:
            names = " and ".join(against)
            raise UsageError(
                f"{option} does not go with {names}: {why}; leave out one or the other"
            )
    for option, other in _REQUIRES.items():
        if option in given and other not in given:
            raise UsageError(f"{option} means nothing without {other}: give both, or neither")


def _given(context: typer.Context) -> AbstractSet[str]:
    """Return the names of the options that were given, whatever their values."""
    found = set()
    for param in context.command.params:
        source = context.get_parameter_source(param.name or "")
        if source is not None and source.name == "COMMANDLINE":
            off = param.secondary_opts and context.params.get(param.name or "") is False
            found.add((param.secondary_opts if off else param.opts)[0])
    return found
