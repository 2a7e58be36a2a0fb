"""The command line: one module per command; errors become one line here."""

from __future__ import annotations

import os
import re
import sys
from functools import partial
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from handshake.cli.command import Home, group
from handshake.cli.parameters import Lang, language
from handshake.cli.stderr import tell
from handshake.errors import HandshakeError, UsageError, system_error
from handshake.escape import printable
from handshake.messages import ENGLISH, LANGUAGES, text, translated
from handshake.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

_INTERRUPTED: Final = 130

_SIZE: Final = re.compile("0*[1-9][0-9]{0,3}")
"""A number of columns or lines: rich takes any that Python calls digits, also of no number."""

_VALIDATED: Final = tuple(
    (re.compile(f"Input should be {theirs}"), ours)
    for theirs, ours in (
        ("greater than or equal to", "it must be at least"),
        ("less than or equal to", "it must be at most"),
        ("a valid integer, [^(]*", "it must be a whole number"),
        ("a valid number, [^(]*", "it must be a number"),
    )
)
"""What the library that checks values says of one, and what is wrong with it in plain words."""

_SHELLS: Final = ("bash", "zsh", "fish")

_COMPLETE: Final = "_HANDSHAKE_COMPLETE"
"""The variable by which a shell asks for completions."""

_Misused: Final = cast("type[Exception]", typer.BadParameter.__mro__[2])
"""The base of typer's own errors, which typer does not export."""

_HOMES: Final = {
    "probe": Home("handshake.cli.probe.command", "probe", epilog="EXIT_CODES"),
    "replay": Home("handshake.cli.replay", "replay"),
    "list": Home("handshake.cli.list", "list_connections"),
    "watch": Home("handshake.cli.watch", "watch", epilog="EXIT_CODES", examples=2),
    "craft": Home("handshake.cli.craft.command", "craft"),
    "decode": Home("handshake.cli.decode", "decode"),
    "serve": Home("handshake.cli.serve.command", "serve", epilog="EXIT_CODES", examples=2),
    "demo": Home("handshake.cli.demo", "demo", epilog="WHAT_IFS"),
    "help": Home("handshake.cli.help", "show_help"),
}
"""The commands, in the order of the help."""

# No rich help and no rich tracebacks: they load more than all the rest together.
app = typer.Typer(
    name="handshake",
    cls=group(_HOMES),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    typer.echo(f"handshake {__version__}")
    raise typer.Exit


def _complete(shell: str | None, spoken: str, *, install: bool) -> None:
    """Install completion for a shell, or print its script."""
    if shell is None:
        return
    if shell not in _SHELLS:
        option = "--install-completion" if install else "--show-completion"
        raise UsageError("choice", option=option, value=shell, choices=_SHELLS)
    completion: Any = import_module("typer.completion")
    if install:
        _, path = completion.install(shell=shell, prog_name="handshake")
        done = f"completion for {shell} is in {path}: it works in a new shell"
        typer.echo(translated(done, spoken))
    else:
        names = {"prog_name": "handshake", "complete_var": _COMPLETE}
        typer.echo(completion.get_completion_script(**names, shell=shell))
    raise typer.Exit


@app.callback(invoke_without_command=True)
def _handshake(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback has acted on it
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version and exit."
        ),
    ] = False,
    install_completion: Annotated[
        str | None,
        typer.Option(metavar="|".join(_SHELLS), help="Install completion of commands and options."),
    ] = None,
    show_completion: Annotated[
        str | None,
        typer.Option(metavar="|".join(_SHELLS), help="Print what --install-completion installs."),
    ] = None,
    lang: Lang = None,
) -> None:
    """Show how a TCP connection is made: on a real host, in a saved capture, in a lesson."""
    spoken = context.obj or ENGLISH
    _complete(install_completion, spoken, install=True)
    _complete(show_completion, spoken, install=False)
    if lang is not None:
        context.default_map = {name: {"lang": language(lang)} for name in _HOMES}
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code. Any error is printed in one line."""
    given = _with_value(sys.argv[1:] if args is None else args)
    spoken = _language(given)
    told = partial(_failed, spoken=spoken)
    failed = partial(_unknown, spoken=spoken) if _is_plugin(given) else told
    try:
        _make_output_safe()
        _forget_unusable_size()
        if _COMPLETE in os.environ:
            # It loads rich, which nothing else here needs.
            completion = import_module("typer.completion")
            completion.completion_init()
        code = app(args=given, standalone_mode=False, obj=spoken)
        sys.stdout.flush()
    except HandshakeError as error:
        return _ended(failed(error.said(spoken), error.exit_code))  # output may be what failed
    except _Misused as error:
        return failed(_misuse(error, spoken), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _ended(_INTERRUPTED)
    except SystemExit as ended:  # by a signal
        return _ended(ended.code if isinstance(ended.code, int) else 1)
    except BrokenPipeError:
        return _ended(1)  # the reader has closed the pipe
    except OSError as error:
        why = text("errors", "output", {"why": system_error(error)}, spoken)
        return _ended(told(why, 3))  # Python would try once more at exit
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        return failed(text("errors", "internal", {"why": why}, spoken), 3)
    return code if isinstance(code, int) else 0


def _ended(code: int) -> int:
    """Flush standard output, or discard it if it is closed; return the code."""
    try:
        sys.stdout.flush()
    except OSError:
        _discard_output()
    return code


def _is_plugin(args: Sequence[str]) -> bool:
    """Whether the output is for Nagios, which understands only one format."""
    options = args[: args.index("--")] if "--" in args else args
    nagios = ("--monitor", "nagios") in pairwise(options) or "--monitor=nagios" in options
    return args[:1] == ["probe"] and nagios


def _language(args: Sequence[str]) -> str:
    """Return the language of help and errors: `--lang` may be what is wrong."""
    if _is_plugin(args):
        return ENGLISH
    wanted = [b for a, b in pairwise(args) if a == "--lang"]
    wanted += [each.removeprefix("--lang=") for each in args if each.startswith("--lang=")]
    return wanted[-1] if wanted and wanted[-1] in LANGUAGES else language(None)


def _with_value(args: Sequence[str]) -> list[str]:
    """Return the arguments with an empty value for `--fast-open`, whose value is optional."""
    return [f"{each}=" if each == "--fast-open" else each for each in args]


def _make_output_safe() -> None:
    """Escape characters that the encoding lacks, and open closed streams on /dev/null."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # Python has no stream for a closed descriptor (`>&-`). What is written to standard
            # output must not be lost in silence: this one can only be read.
            opened = os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)
            setattr(sys, name, os.fdopen(opened, "r" if name == "stdin" else "w"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _forget_unusable_size() -> None:
    """Remove a size of the screen from the environment that is no number, or absurd."""
    for name in ("COLUMNS", "LINES"):
        if _SIZE.fullmatch(os.environ.get(name, "1")) is None:
            del os.environ[name]


def _misuse(error: Exception, spoken: str) -> str:
    """Return typer's error as one of our own lines."""
    message = " ".join(getattr(error, "format_message", lambda: str(error))().split())
    for theirs, ours in _VALIDATED:
        message = theirs.sub(ours, message)
    context = getattr(error, "ctx", None)
    path = "handshake" if context is None else context.command_path
    return translated(f"{message.rstrip('.')} (see {path} --help)", spoken)


def _unknown(message: str, _: int, spoken: str) -> int:
    """Print an error as a Nagios plugin: UNKNOWN, since 2 would mean that the service is down."""
    from handshake.export.monitor import unknown

    output, code = unknown(message)
    try:
        print(output, flush=True)  # noqa: T201
    except OSError:
        _discard_output()
        return _failed(message, code, spoken)
    return code


def _discard_output() -> None:
    """Discard buffered output, which Python flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(message: str, code: int, spoken: str) -> int:
    tell("error", printable(message), spoken)
    return code
