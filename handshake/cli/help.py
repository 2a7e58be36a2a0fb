"""`handshake help`: the help of a command, or all of it as a manual page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from handshake.cli.command import argument, help_record
from handshake.cli.parameters import Lang, language
from handshake.errors import UsageError
from handshake.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator


def _commands(context: typer.Context) -> list[str]:
    """Return the names of all commands."""
    program: Any = context.parent
    names: list[str] = program.command.list_commands(context)
    return names


def show_help(
    context: typer.Context,
    command: Annotated[
        str | None,
        typer.Argument(
            metavar="COMMAND", autocompletion=_commands, help="A command; none for all commands."
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every option.")] = False,
    man: Annotated[bool, typer.Option("--man", help="Print a manual page, in roff.")] = False,
    lang: Lang = None,
) -> None:
    """Show the help of a command, or how to use this program."""
    language(lang)  # it has chosen that of the help already
    program: Any = context.parent
    assert program is not None
    if man:
        typer.echo("\n".join(_page(program)))
        return
    if command is None:
        typer.echo(program.get_help())
        return
    names = program.command.list_commands(program)
    if command not in names:
        raise UsageError("choice", option="help", value=command, choices=names)
    below = _below(program, command)
    if every:
        below.meta["handshake.help-all"] = True
    typer.echo(below.get_help())


def _below(program: Any, name: str) -> Any:
    """Return the context of a command."""
    command = program.command.get_command(program, name)
    return type(program)(command, info_name=name, parent=program)


def _page(program: Any) -> Iterator[str]:
    """Yield the lines of the manual page."""
    from handshake.cli.examples import EXAMPLES

    yield f'.TH HANDSHAKE 1 "" "handshake {__version__}" "User Commands"'
    yield from (".SH NAME", rf"handshake \- {_first(program.command.help)}")
    yield ".SH SYNOPSIS"
    names = program.command.list_commands(program)
    contexts = {name: _below(program, name) for name in names}
    for name, below in contexts.items():
        usage = " ".join(below.command.collect_usage_pieces(below))
        yield from (f".B handshake {name}", _roff(usage), ".br")
    yield ".SH OPTIONS"
    yield from _options(program)
    for name, below in contexts.items():
        yield f'.SH "HANDSHAKE {name.upper()}"'
        yield from _paragraphs(below.command.help)
        yield from _options(below)
        if below.command.epilog:
            yield from (".PP", ".nf", *map(_roff, below.command.epilog.strip().splitlines()), ".fi")
    yield ".SH EXAMPLES"
    for rows in EXAMPLES.values():
        for line, purpose in rows:
            yield from (".TP", f".B {_roff(line)}", _roff(purpose))


def _options(ctx: Any) -> Iterator[str]:
    """Yield the arguments and options of a command, the rare ones among them."""
    title = None
    for param in ctx.command.get_params(ctx):
        record = help_record(param, ctx, every=True)
        if param.param_type_name == "argument":
            record = (argument(param), param.help or "")
        if record is None:
            continue
        panel = getattr(param, "rich_help_panel", None)
        if panel is not None and panel != title:
            title = panel
            yield f'.SS "{title}"'
        yield from (".TP", f".B {_roff(record[0])}", _roff(record[1]))


def _first(text: str) -> str:
    """Return the first line of a help, as a manual page names what a program does."""
    return _roff(text.strip().splitlines()[0].rstrip("."))


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.strip().split("\n\n"):
        yield from (".PP", _roff(" ".join(paragraph.split())))


def _roff(text: str) -> str:
    """Return text that roff prints as it is."""
    text = " ".join(text.split("\n")).replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text
