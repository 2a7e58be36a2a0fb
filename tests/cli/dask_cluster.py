"""A Dask cluster of processes on 127.0.0.1, for tests."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

PATIENCE: Final = 60.0


_PR_SET_PDEATHSIG: Final = 1


def _end_with_parent() -> None:
    """Let the kernel kill this process when the one that started it ends, however it does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class DaskCluster:
    """A scheduler and its workers, each a process; all end with the `with` block."""

    def __init__(self, folder: Path, *, deaths: int = 3, **environment: str) -> None:
        """`deaths`: how many workers may die of one piece of work, and it is done again."""
        self._folder = folder
        allowed = "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES"
        self._environment = os.environ | {allowed: str(deaths)} | environment
        self._processes: list[subprocess.Popen[bytes]] = []
        self.address = ""
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> DaskCluster:
        try:
            file = self._folder / "scheduler.json"
            self._start("scheduler", "--port", "0", "--scheduler-file", str(file))
            deadline = time.monotonic() + PATIENCE
            while not self.address:
                assert time.monotonic() < deadline
                time.sleep(0.05)
                if file.exists() and (written := file.read_text()):
                    self.address = json.loads(written)["address"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for each in reversed(self._processes):
            each.kill()
        for each in self._processes:
            each.wait()

    def add(self, *names: str) -> None:
        """Start workers with one thread each; their current directory is not the project's."""
        for name in names:
            options = ["--no-nanny", "--nthreads", "1", "--memory-limit", "0", "--name", name]
            options += ["--local-directory", str(self._folder)]
            self.workers[name] = self._start("worker", self.address, *options)

    def stop(self) -> None:
        """Kill the scheduler."""
        self._processes[0].kill()

    def reader(self, path: Path) -> str:
        """Return the name of the worker that reads a file, once one does."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for name, process in self.workers.items():
                files = Path(f"/proc/{process.pid}/fd")
                with suppress(FileNotFoundError):  # closed meanwhile
                    if process.poll() is None and path in [
                        each.readlink() for each in files.iterdir()
                    ]:
                        return name
            time.sleep(0.05)
        raise TimeoutError(path)

    def kill(self, name: str) -> None:
        """Kill a worker, and wait for its end."""
        process = self.workers.pop(name)
        process.kill()
        process.wait()

    def _start(self, kind: str, *args: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *args]
        with (self._folder / f"{kind}-{len(self._processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--no-dashboard"],
                cwd=self._folder,
                env=self._environment,
                preexec_fn=_end_with_parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process
