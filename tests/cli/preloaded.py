"""Runs the program many times without loading it each time: a process that has loaded it forks.

What a fork runs is what `python -m handshake` runs, with its own files, environment and folder. How
the program loads its modules, other tests show: test_help, test_leave, test_platforms, Terminal.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from functools import cache
from io import BufferedReader, BufferedWriter, FileIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import IO, Any, Final

_ROOT: Final = Path(__file__).parents[2]
_REHEARSED: Final = (
    ("list", "captures/mixed.pcap"),
    ("list", "captures/mixed.pcap", "--summary", "--json"),
    ("replay", "captures/refused.pcap"),
    ("demo",),
    ("probe", "127.0.0.1:9", "--dry-run"),
)
"""What the process runs before it forks: it loads what these need."""


def run(
    args: tuple[str, ...],
    environment: dict[str, str],
    timeout: float = 60,
    out: IO[bytes] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run the program in the project's folder; its input is empty.

    If `out` is given, its output goes there.
    """
    with tempfile.TemporaryFile() as own, tempfile.TemporaryFile() as err:
        code = _server().run(args, environment, out or own, err, timeout)
        texts = [_text(each) for each in (own, err)]
    return subprocess.CompletedProcess(args, code, *texts)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode().replace("\r\n", "\n")


class _Server:
    """The process that forks; one for each process of tests, and it ends with that."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=_ROOT,
            )

    def run(
        self,
        args: tuple[str, ...],
        environment: dict[str, str],
        out: IO[bytes],
        err: IO[bytes],
        timeout: float,
    ) -> int:
        asked = json.dumps({"args": args, "environment": environment}).encode() + b"\n"
        self._ours.settimeout(timeout)
        socket.send_fds(self._ours, [asked[:1]], [out.fileno(), err.fileno()])
        self._ours.sendall(asked[1:])
        answer = self._ours.recv(64)
        assert answer, "the process that forks has ended"
        return int(answer)


@cache
def _server() -> _Server:
    return _Server()


def _serve(link: socket.socket) -> dict[str, Any] | None:
    """Fork for each request; return it in the fork, and None where no more come."""
    while True:
        first, files, _, _ = socket.recv_fds(link, 1, 2)
        if not first:
            return None
        line = first
        while not line.endswith(b"\n"):
            line += link.recv(1 << 16)
        child = os.fork()
        if child == 0:
            link.close()
            for number, file in enumerate(files, start=1):
                os.dup2(file, number)
                os.close(file)
            found: dict[str, Any] = json.loads(line)
            return found
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        link.sendall(str(os.waitstatus_to_exitcode(status)).encode())


def _standard_streams() -> None:
    """Open the standard streams as Python does for pipes when it starts."""
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    for name, number, mode, handler in (
        ("stdin", 0, "r", errors or "strict"),
        ("stdout", 1, "w", errors or "strict"),
        ("stderr", 2, "w", "backslashreplace"),
    ):
        file = FileIO(number, mode, closefd=False)
        stream = TextIOWrapper(
            BufferedReader(file) if mode == "r" else BufferedWriter(file),
            encoding=encoding or None,
            errors=handler,
            line_buffering=name == "stderr",
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _main() -> int:
    with socket.socket(fileno=int(sys.argv[1])) as link:
        from handshake.__main__ import main
        from handshake.cli import main as rehearse

        with redirect_stdout(StringIO()):
            for args in _REHEARSED:
                rehearse(args)
        gc.freeze()
        asked = _serve(link)
    if asked is None:
        return 0
    os.environ.clear()
    os.environ.update(asked["environment"])
    _standard_streams()
    sys.argv = [str(_ROOT / "handshake" / "__main__.py"), *asked["args"]]
    return main()


if __name__ == "__main__":
    sys.exit(_main())
