"""Verdicts on a starved machine: 3,000 targets beside four busy loops. Run it as root.

    python -m tests.live.lab.many_targets 3
    python -m tests.live.lab.many_targets 3 --stops

2,700 of the targets listen, and a firewall drops the SYNs to 300. The probe runs at a low priority
(nice 15), and takes 400 at once. With --stops there are no busy loops, which others on the machine
would feel: the probe is stopped nine tenths of the time instead, half a second each time.
It exits with 1 where a verdict is wrong.
"""

import contextlib
import itertools
import json
import os
import resource
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.lab.firewall import drop
from tests.live.lab.namespaces import Host, pair

FIRST, LISTENING, DROPPED = 10_000, 2_700, 300
LOOPS = 4
_LIMIT = 900.0
"""Seconds after which a run gives up."""

Count = Counter[tuple[str, str]]
"""How many targets there are, by whether they listen and by verdict."""

RIGHT: Count = Counter({("listening", "open"): LISTENING, ("dropped", "filtered"): DROPPED})


_SHOWN = 5
_RUNS, _STOPS = 0.05, 0.5
"""Seconds that a probe runs between two stops, and that it is stopped."""


def run(words: tuple[str, ...], version: int = 4, *, stops: bool) -> tuple[Count, float, list[str]]:
    """Probe all targets once; return how many have which verdict, the seconds it took, and some
    lines with a wrong verdict."""
    busy = contextlib.nullcontext() if stops else _busy()
    with pair() as (client, server), _listening(server), busy:
        last = FIRST + LISTENING + DROPPED - 1
        with drop(server, "input", f"tcp dport {FIRST + LISTENING}-{last}"):
            address = server.v4 if version == 4 else f"[{server.v6}]"
            probe = [sys.executable, "-m", "handshake", "probe", f"{address}:{FIRST}-{last}"]
            limits = ["--concurrency", "400", "--rate", "5000"]
            began = time.monotonic()
            argv = ["nice", "-n", "15", *probe, *limits, *words]
            with tempfile.TemporaryFile("w+") as out:
                running = client.popen(argv, stdout=out)
                while running.poll() is None and time.monotonic() < began + _LIMIT:
                    time.sleep(_RUNS)
                    if stops:
                        running.send_signal(signal.SIGSTOP)
                        time.sleep(_STOPS)
                        running.send_signal(signal.SIGCONT)
                took = time.monotonic() - began
                out.seek(0)
                # Reasons and statistics follow a blank line.
                lines = out.read().partition("\n\n")[0].splitlines()
    found: Count = Counter()
    wrong: list[str] = []
    for line in lines:
        if "--json" in words:
            result = json.loads(line)
            port, verdict = result["port"], result["verdict"]
        else:
            verdict, target, *_ = line.split()
            port = int(target.rpartition(":")[2])
        right = "open" if port < FIRST + LISTENING else "filtered"
        if verdict.lower() != right and len(wrong) < _SHOWN:
            wrong.append(line if "--json" not in words else f"{verdict} {result['reason']}")
        found["listening" if port < FIRST + LISTENING else "dropped", verdict.lower()] += 1
    return found, took, wrong


@contextmanager
def _listening(server: Host) -> Iterator[None]:
    """Accept connections on all ports that listen, and close each when its client does."""
    with server.entered(), _forked(_serve) as ready:
        assert os.read(ready, 1) == b"\n"
        yield


def _serve(ready: int) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    watched = selectors.EpollSelector()
    for port in range(FIRST, FIRST + LISTENING):
        listener = socket.create_server(
            ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64
        )
        watched.register(listener, selectors.EVENT_READ, data=True)
    os.write(ready, b"\n")
    while True:
        for key, _ in watched.select():
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            if key.data:
                with contextlib.suppress(OSError):
                    watched.register(sock.accept()[0], selectors.EVENT_READ, data=False)
                continue
            with contextlib.suppress(OSError):
                if sock.recv(4096):
                    continue
            watched.unregister(sock)
            sock.close()


@contextmanager
def _busy() -> Iterator[None]:
    """Keep the machine busy."""
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(LOOPS)]
    try:
        yield
    finally:
        for each in loops:
            each.kill()
            each.wait()


@contextmanager
def _forked(task: "object") -> Iterator[int]:
    """Run a task in a process of its own; yield what reads its signs of life."""
    assert callable(task)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            task(writing)
        finally:
            os._exit(1)
    os.close(writing)
    try:
        yield reading
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(reading)


def main() -> int:
    """Run it as often as asked for; print what is wrong."""
    wrong = 0
    ways = itertools.cycle([((), 4), (("--json",), 4), ((), 6)])
    for (words, version), number in zip(ways, range(int(sys.argv[1])), strict=False):
        found, took, lines = run(words, version, stops="--stops" in sys.argv)
        wrong += found != RIGHT
        told = "right" if found == RIGHT else f"WRONG: {dict(found)}"
        sys.stdout.write(
            f"run {number + 1}, IPv{version} {' '.join(words)}: {took:.0f} s, {told}\n"
        )
        sys.stdout.writelines(f"  {each}\n" for each in lines)
        sys.stdout.flush()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
