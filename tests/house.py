"""Counts the modules that a reader of one probe must know: `python -m tests.house`, as root.

It runs `handshake probe` for a listener of its own on loopback and lists the modules of handshake
whose functions ran, in every thread; what only ran because a module was imported is left out. With
`--function` it calls `handshake.probe()` instead, without the screen.
The exit code is 1 if there are more than TARGET.
"""

from __future__ import annotations

import contextlib
import io
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

TARGET: Final = 95


class Entered:
    """The modules of handshake in which a function was called while this was open."""

    def __init__(self) -> None:
        self.modules: set[str] = set()

    def __enter__(self) -> Entered:
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _profile(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        name = frame.f_globals.get("__name__", "")
        if (
            name.partition(".")[0] == "handshake"
            and name not in self.modules
            and not _importing(frame)
        ):
            self.modules.add(name)


def _importing(frame: FrameType | None) -> bool:
    """Whether a module's own code is among the callers: then this is part of an import."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        # The frame of the program itself is a module's code, too, and no import.
        if frame.f_code.co_name == "<module>" and frame.f_back is not None:
            return frame.f_globals.get("__name__") != "__main__"
        frame = frame.f_back
    return False


@contextlib.contextmanager
def listener() -> Iterator[int]:
    """Accept and close connections on loopback; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    with peer:
                        while peer.recv(4096):
                            pass

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def by_function(port: int) -> None:
    import handshake

    result = handshake.probe("127.0.0.1", port, observe=0.1)
    assert str(result.verdict) == "open", result


def by_command(port: int) -> None:
    from handshake.cli import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["probe", f"127.0.0.1:{port}", "--observe", "0.1"])
    assert code == 0, said.getvalue()


def entered(probe: Callable[[int], None]) -> list[str]:
    """Return the modules that one probe enters, sorted."""
    with listener() as port, Entered() as found:
        probe(port)
    return sorted(found.modules)


def main() -> int:
    modules = entered(by_function if "--function" in sys.argv[1:] else by_command)
    print(*modules, sep="\n")
    print(f"{len(modules)} modules, {TARGET} at most")
    return int(len(modules) > TARGET)


if __name__ == "__main__":
    sys.exit(main())
