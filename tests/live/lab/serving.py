"""`handshake serve` in a namespace: listening when the context begins, ended when it ends."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO, Any

from tests.live.lab.namespaces import TIMEOUT, Host

SERVE = [sys.executable, "-m", "handshake", "serve"]
READY = "Ctrl-C"


@dataclass
class Server:
    """The program, and after its end what it printed."""

    process: subprocess.Popen[str]
    file: IO[str]
    """What it prints: a pipe that is not read would stop it."""

    out: str = ""
    err: str = field(default="", repr=False)

    def interrupt(self) -> int:
        """End it by Ctrl-C, unless it has ended; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself; return its exit code."""
        self.err += self.process.communicate(timeout=TIMEOUT)[1] or ""
        self.file.seek(0)
        self.out = self.file.read()
        return self.process.returncode

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The objects that --json printed."""
        return [json.loads(each) for each in self.out.splitlines()]


@contextmanager
def served(
    host: Host, *words: str, before: Sequence[str] = (), port: int = 8080
) -> Iterator[Server]:
    """Serve a port; what it prints is there after the context, or after `interrupt`."""
    file = TemporaryFile("w+")  # noqa: SIM115 - it is read after the context
    process = host.popen([*before, *SERVE, str(port), *words], stdout=file, stderr=subprocess.PIPE)
    server = Server(process, file)
    assert process.stderr is not None
    for line in process.stderr:
        server.err += line
        if READY in line:
            break
    else:
        raise AssertionError(f"serve ended: {server.err}")
    try:
        yield server
    finally:
        if process.returncode is None:
            server.interrupt()
