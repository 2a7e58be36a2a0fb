"""Commands: loaded when they are needed; their help, with options in groups."""

from __future__ import annotations

import inspect
import re
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from handshake.messages import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBER: Final = re.compile("[0-9]{1,9}")
"""A number as nearly everyone writes it."""

_WIDEST: Final = 31
"""The widest option name; after a wider one the help begins on the next line."""

_ALL: Final = "handshake.help-all"
"""Set in a context whose help shows every option."""

_HELP_ALL: Final = typer.Option("--help-all", help="Show every option, and exit.")

_OTHERS: Final = "General options"
"""The group of options without a group, if there are others."""

_COLUMNS: Final = 80

_FEW: Final = 2
"""As many of them stand with the last group instead."""


# typer has no public names for the types of many parameters here: they are Any.


class Home(NamedTuple):
    """Where a command's function is, and the end of its help."""

    module: str
    function: str
    epilog: str = ""
    """The name of a text in the module."""

    examples: int | None = None
    """A short help: so many examples, one paragraph, no epilog. `--help-all` has the rest."""


def group(homes: dict[str, Home]) -> type[TyperGroup]:
    """Return the class of a group of commands, each loaded when it is asked for."""

    @cache
    def loaded(name: str) -> Any:
        home = homes[name]
        module = import_module(home.module)
        alone = typer.Typer(rich_markup_mode=None, add_completion=False)
        epilog = getattr(module, home.epilog) if home.epilog else None
        kind = Command if home.examples is None else _short(home.examples)
        alone.command(name, cls=kind, epilog=epilog)(getattr(module, home.function))
        return get_command(alone)

    class Group(_Translated, TyperGroup):
        """Commands that are loaded one by one."""

        def get_params(self, ctx: Any) -> list[Any]:
            """Return the options, `--help` among them."""
            return _light(super().get_params(ctx))

        def list_commands(self, _: Any) -> list[str]:
            """Return the names of the commands, in the order of the help."""
            return list(homes)

        def get_command(self, _: Any, cmd_name: str) -> Any:
            """Return a command; None if there is none of this name."""
            return loaded(cmd_name) if cmd_name in homes else None

        def format_epilog(self, ctx: Any, formatter: Any) -> None:
            """Write examples."""
            _write_examples(ctx.command.name or "handshake", formatter)

    return Group


class _Translated:
    """A help in the language that the context's object names; English where it names none."""

    def get_help(self, ctx: Any) -> str:
        """Return the help."""
        language = ctx.find_root().obj or ENGLISH
        if language != ENGLISH:
            from handshake.cli.translation import formatter

            ctx.formatter_class = formatter(type(ctx).formatter_class, language)
        written: str = super().get_help(ctx)  # type: ignore[misc] # that of typer
        return written


class Command(_Translated, TyperCommand):
    """A command whose options are grouped by `rich_help_panel`."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the arguments and options, `--help` and `--help-all` among them."""
        found = super().get_params(ctx)
        if any(getattr(each, "hidden", False) for each in found):
            found = [*found, _help_all()]
        return _light(found)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return what completes a word; an option of --help-all needs a letter of its name."""
        hidden = [each for each in self.params if getattr(each, "hidden", False)]
        named = len(incomplete) > len("--")
        for each in hidden:
            each.hidden = not named  # type: ignore[attr-defined] # an option has it
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            for each in hidden:
                each.hidden = True  # type: ignore[attr-defined]

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the usage after the command's name."""
        return ["[OPTIONS]", *(argument(each) for each in _arguments(self, ctx))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options, group by group."""
        described = self._described(ctx)
        shown = ((each, help_record(each, ctx, every=_ALL in ctx.meta)) for each in described)
        arguments = [(argument(each), record[1]) for each, record in shown if record is not None]
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": arguments}
        grouped = any(getattr(each, "rich_help_panel", None) for each in self.params)
        for param in self.get_params(ctx):
            record = help_record(param, ctx, every=_ALL in ctx.meta)
            if record is not None and param.param_type_name == "option":
                title = getattr(param, "rich_help_panel", None)
                title = title or (_OTHERS if grouped else "Options")
                groups.setdefault(title, []).append(record)
        rest = groups.get(_OTHERS, [])
        if grouped and len(rest) <= _FEW and _ALL not in ctx.meta:
            # Not worth a heading of their own, where the screen is full.
            del groups[_OTHERS]
            groups[next(reversed(groups))] += rest
        names = [len(name) for rows in groups.values() for name, _ in rows]
        width = max((each for each in names if each <= _WIDEST), default=0)
        for title, rows in groups.items():
            if rows:
                with formatter.section(title):
                    # The same column in all groups.
                    aligned = [(name.ljust(width), text) for name, text in rows]
                    formatter.write_dl(aligned, col_max=_WIDEST)

    def _described(self, ctx: Any) -> list[Any]:
        """Return the arguments that the help explains."""
        return _arguments(self, ctx)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - typer names it
        """Write examples, and the epilog unchanged: it is a table, not a paragraph."""
        _write_examples(self.name or "", formatter)
        if self.epilog:
            formatter.write_paragraph()
            formatter.write(f"{_said(formatter)(inspect.cleandoc(self.epilog)).strip()}\n")

    def get_short_help_str(self, limit: int = 45) -> str:  # noqa: ARG002 - the whole sentence
        """Return what the command does, in a sentence."""
        return " ".join((self.help or "").split("\n\n")[0].split())


@cache
def _short(examples: int) -> type[Command]:
    """Return the class of a command whose help fits on a screen of 80x24."""

    class Short(Command):
        """A command whose `--help` shows what most users need."""

        def format_help_text(self, ctx: Any, formatter: Any) -> None:
            """Write what it does: the first paragraph."""
            whole = self.help
            if _ALL not in ctx.meta:
                self.help = (whole or "").split("\n\n")[0]
            try:
                super().format_help_text(ctx, formatter)
            finally:
                self.help = whole

        def _described(self, ctx: Any) -> list[Any]:
            return super()._described(ctx) if _ALL in ctx.meta else []

        def format_epilog(self, ctx: Any, formatter: Any) -> None:
            """Write the first examples."""
            if _ALL in ctx.meta:
                super().format_epilog(ctx, formatter)
            else:
                _write_examples(self.name or "", formatter, examples)

    return Short


def help_record(param: Any, ctx: Any, *, every: bool) -> tuple[str, str] | None:
    """Return an option and its help; None where it is hidden, unless `every` option is shown."""
    hidden = getattr(param, "hidden", False)
    if not (hidden and every):
        record: tuple[str, str] | None = param.get_help_record(ctx)
        return record
    param.hidden = False
    try:
        record = param.get_help_record(ctx)
    finally:
        param.hidden = True
    return record


@cache
def _help_all() -> Any:
    """Return the option that shows the help with every option."""

    def show(ctx: Any, _: Any, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            ctx.meta[_ALL] = True
            typer.echo(ctx.get_help())
            raise typer.Exit

    def named(every: Annotated[bool, _HELP_ALL] = False) -> None:
        """Name it."""

    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    alone.command()(named)
    (found,) = (each for each in get_command(alone).params if each.name == "every")
    found.is_eager, found.expose_value, found.callback = True, False, show
    return found


def _write_examples(name: str, formatter: Any, most: int | None = None) -> None:
    """Write the first examples of a command, or all, if it has any."""
    from handshake.cli.examples import EXAMPLES  # read with the help alone

    rows = EXAMPLES.get(name, ())[:most]
    if rows:
        formatter.write_paragraph()
        formatter.write_heading("Examples")
        for command, purpose in rows:
            formatter.write(example(command, _said(formatter)(purpose)) + "\n")


def _said(formatter: Any) -> Callable[[str], str]:
    """Return what translates a text, if the help is not English."""
    return getattr(formatter, "said", str)


def example(command: str, purpose: str) -> str:
    """Return an example as the help shows it: in one line of 80 columns where it fits."""
    line = f"  {command}  # {purpose}"
    return line if len(line) <= _COLUMNS else f"  {command}\n      {purpose}"


def _light(params: list[Any]) -> list[Any]:
    """Let parameters of typer 0.29 take plain values without pydantic, which loads for 50 ms."""
    for each in params:
        if hasattr(each, "get_runtime_param") and "get_runtime_param" not in vars(each):
            each.get_runtime_param = partial(_Plain, each)
    return params


class _Plain:
    """Takes text, and numbers in their range; typer converts, or refuses, all other values."""

    def __init__(self, param: Any) -> None:
        described = param.type_descriptor
        info = described.parameter_info
        self._type, self._least, self._most = described.annotation, info.min, info.max

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value of a parameter as the function takes it."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        if self._type is str and isinstance(value, str):
            return value
        if self._type is int and isinstance(value, str) and _NUMBER.fullmatch(value):
            number = int(value)
            if (self._least is None or number >= self._least) and (
                self._most is None or number <= self._most
            ):
                return number
        if several and self._type == list[str] and all(isinstance(each, str) for each in value):
            return list(value)
        return type(param).get_runtime_param(param).coerce(value, param=param, ctx=ctx)


def _arguments(command: TyperCommand, ctx: Any) -> list[Any]:
    return [each for each in command.get_params(ctx) if each.param_type_name == "argument"]


def argument(param: Any) -> str:
    """Return an argument as it is typed: `[TARGET]...` is optional and repeatable."""
    name = (param.metavar or param.name.upper()).removesuffix("...")
    return f"{name if param.required else f'[{name}]'}{'' if param.nargs == 1 else '...'}"
