"""A shell with a network of its own, and what is done in it, watched: the tasks of `your turn`."""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from handshake.errors import LocalError, system_error
from handshake.lessons.tasks import TaskWatch
from handshake.linux.inet_diag import InetDiag
from handshake.linux.network_namespace import SEARCH, NetworkNamespace, isolate
from handshake.packet.decode import Decoder
from handshake.packet.frame import Frame
from handshake.tcp import Observed

if TYPE_CHECKING:
    from collections.abc import Callable

_ETH_P_ALL: Final = 3
_ETHERNET: Final = 1
_LOOK: Final = 0.2
"""Seconds between two looks at the kernel's sockets."""

_RC: Final = "PS1='lesson$ '\ntasks() { cat \"$HANDSHAKE_TASKS\"; }\n"


def practise(
    shown: Callable[[TaskWatch], str], confirm: Callable[[str, TaskWatch], None]
) -> TaskWatch:
    """Open a shell on this terminal and watch what is done in it, until it ends.

    `shown` returns the tasks as the shell's command `tasks` prints them; `confirm` is told the name
    of each task that is done, at once. This process must have one thread. Raises LocalError where
    the machine does not allow it.
    """
    try:
        isolate()
    except OSError as error:
        raise LocalError("live.denied", why=system_error(error)) from error
    with NetworkNamespace() as host, tempfile.TemporaryDirectory() as folder:
        tasks, rc = Path(folder, "tasks"), Path(folder, "rc")
        watch = TaskWatch()
        tasks.write_text(shown(watch), "utf-8")
        rc.write_text(_RC, "utf-8")
        environment = {
            **os.environ,
            "PATH": SEARCH,
            "HANDSHAKE_TASKS": str(tasks),
            "ENV": str(rc),  # what sh reads
        }
        bash = shutil.which("bash")
        argv = ["sh", "-i"] if bash is None else [bash, "--noprofile", "--rcfile", str(rc), "-i"]

        def see(name: str) -> None:
            tasks.write_text(shown(watch), "utf-8")
            confirm(name, watch)

        # Control-C is for what runs in the shell.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            _watch(host, argv, environment, watch, see)
        finally:
            signal.signal(signal.SIGINT, before)
    return watch


def _watch(
    host: NetworkNamespace,
    argv: list[str],
    environment: dict[str, str],
    watch: TaskWatch,
    see: Callable[[str], None],
) -> None:
    with host.entered():
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    decoder = Decoder()
    with wire, InetDiag(host, 4) as table, InetDiag(host, 6) as table_6:
        wire.bind(("lo", _ETH_P_ALL))
        wire.setblocking(False)
        shell = host.start_shell(argv, environment)
        while shell.poll() is None:
            select.select([wire], [], [], _LOOK)
            known = set(watch.done)
            _pass(wire, decoder, watch)
            rows = [*table.read(), *table_6.read()]
            watch.look([(each.state, each.local, each.remote) for each in rows], time.time_ns())
            for name in [each for each in watch.done if each not in known]:
                see(name)


def _pass(wire: socket.socket, decoder: Decoder, watch: TaskWatch) -> None:
    """Take what has passed: loopback shows each packet twice, as it leaves and as it arrives."""
    while True:
        try:
            frame, (_, _, kind, *_) = wire.recvfrom(1 << 16)
        except BlockingIOError:
            return
        if kind == socket.PACKET_OUTGOING:
            at = time.time_ns()
            observed = decoder.observed(Frame(0, at, 0, _ETHERNET, len(frame), frame, 0))
            if isinstance(observed, Observed):
                watch.passed(observed)
