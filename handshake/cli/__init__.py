"""The command line: one module a command, and one place where errors become one line each."""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from handshake.cli import demo, replay
from handshake.cli.command import Command
from handshake.cli.list import list_connections
from handshake.cli.probe import options as probe_options
from handshake.cli.probe.command import probe
from handshake.errors import HandshakeError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["app", "main"]

_INTERRUPTED: Final = 130

_Misused: Final = cast("type[Exception]", typer.BadParameter.__mro__[2])
"""The base of typer's own errors, for which typer itself has no name."""

# Neither rich help nor rich tracebacks: both load more than all of the rest together.
app = typer.Typer(
    name="handshake",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=Command, epilog=probe_options.EXIT_CODES)(probe)
app.command(cls=Command)(replay.replay)
app.command("list", cls=Command)(list_connections)
app.command(cls=Command)(demo.demo)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("handshake")
    except PackageNotFoundError:
        number = "(not installed)"
    typer.echo(f"handshake {number}")
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
) -> None:
    """Show how a TCP connection is made: on a real host, in a saved capture, in a lesson."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line; return what to exit with. Whatever happens is said in a line."""
    words = _whole(sys.argv[1:] if args is None else args)
    failed = _unknown if _is_plugin(words) else _failed
    try:
        _never_fail_to_write()
        code = app(args=words, standalone_mode=False)
        sys.stdout.flush()
    except HandshakeError as error:
        return failed(str(error), error.exit_code)
    except _Misused as error:
        return failed(_words(error), 2)
    except (KeyboardInterrupt, typer.Abort):
        return _left(_INTERRUPTED)
    except SystemExit as ended:  # by a signal
        return _left(ended.code if isinstance(ended.code, int) else 1)
    except BrokenPipeError:
        return _left(1)  # whoever read has enough
    except OSError as error:
        return _failed(f"cannot write the output: {error.strerror or error}", 3)
    except Exception as error:
        return failed(f"this is a mistake in handshake: {type(error).__name__}: {error}", 3)
    return code if isinstance(code, int) else 0


def _left(code: int) -> int:
    """Return the code; what nobody takes any more is let go."""
    try:
        sys.stdout.flush()
    except OSError:
        _write_no_more()
    return code


def _is_plugin(words: Sequence[str]) -> bool:
    """Whether Nagios reads the output, of which it knows nothing but one form."""
    options = words[: words.index("--")] if "--" in words else words
    asked = ("--monitor", "nagios") in pairwise(options) or "--monitor=nagios" in options
    return words[:1] == ["probe"] and asked


def _whole(args: Sequence[str]) -> list[str]:
    """Return the arguments with an empty value for `--fast-open`, which may go without one."""
    return [f"{each}=" if each == "--fast-open" else each for each in args]


def _never_fail_to_write() -> None:
    """Let what an encoding cannot write come out escaped, and what is closed take all."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            # Python has no stream for a descriptor that was closed (`>&-`).
            setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _words(error: Exception) -> str:
    """Return what typer found wrong, as one of our own lines."""
    text = " ".join(getattr(error, "format_message", lambda: str(error))().split())
    context = getattr(error, "ctx", None)
    path = "handshake" if context is None else context.command_path
    return f"{text.rstrip('.')} (see {path} --help)"


def _unknown(text: str, _: int) -> int:
    """Say it as a plugin of Nagios does, for whom 2 would be a service that is down."""
    from handshake.export.monitor import unknown

    said, code = unknown(" ".join(text.split()))
    try:
        print(said, flush=True)  # noqa: T201
    except OSError:
        _write_no_more()
        return _failed(text, code)
    return code


def _write_no_more() -> None:
    """Let what Python still has for standard output, and flushes at exit, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(text: str, code: int) -> int:
    from handshake.view.notation import printable

    print(f"error: {printable(' '.join(text.split()))}", file=sys.stderr)  # noqa: T201
    return code
