"""The help of a command: options in groups, arguments as they are typed."""

from __future__ import annotations

import inspect
from typing import Any, Final

from typer.core import TyperCommand

_WIDEST: Final = 31
"""The widest option name; after a wider one the help begins on the next line."""

_OTHERS: Final = "General options"
"""The group of options without a group, if there are others."""


class Command(TyperCommand):
    """A command whose options are grouped by `rich_help_panel`."""

    # typer has no public names for the types of these parameters.

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the usage after the command's name."""
        return ["[OPTIONS]", *(_argument(each) for each in _arguments(self, ctx))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then the options, group by group."""
        arguments = [
            (_argument(each), each.get_help_record(ctx)[1]) for each in _arguments(self, ctx)
        ]
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": arguments}
        grouped = any(getattr(each, "rich_help_panel", None) for each in self.params)
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and param.param_type_name == "option":
                title = getattr(param, "rich_help_panel", None)
                title = title or (_OTHERS if grouped else "Options")
                groups.setdefault(title, []).append(record)
        names = [len(name) for rows in groups.values() for name, _ in rows]
        width = max((each for each in names if each <= _WIDEST), default=0)
        for title, rows in groups.items():
            if rows:
                with formatter.section(title):
                    # The same column in all groups.
                    aligned = [(name.ljust(width), text) for name, text in rows]
                    formatter.write_dl(aligned, col_max=_WIDEST)

    def format_epilog(self, _: Any, formatter: Any) -> None:
        """Write the epilog unchanged: it is a table, not a paragraph to be wrapped."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write(f"{inspect.cleandoc(self.epilog)}\n")


def _arguments(command: TyperCommand, ctx: Any) -> list[Any]:
    return [each for each in command.get_params(ctx) if each.param_type_name == "argument"]


def _argument(param: Any) -> str:
    """Return an argument as it is typed: `[TARGET]...` is optional and repeatable."""
    name = (param.metavar or param.name.upper()).removesuffix("...")
    return f"{name if param.required else f'[{name}]'}{'' if param.nargs == 1 else '...'}"
