"""Network namespaces that vanish with this process: what is in them touches no other network."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from handshake.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_CLONE_NEWPID: Final = 0x20000000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)  # os.setns and os.unshare came with Python 3.12
_HERE: Final = "/proc/thread-self/ns/net"
SEARCH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
"""Where commands are looked for: a user's PATH often lacks the folders of `ip` and `nft`."""


def isolate() -> None:
    """Let this process, which must have one thread, make network namespaces.

    Root may; any other user gets a user namespace for it. Raises OSError where the machine does not
    allow one.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", _CLONE_NEWNET)
    except PermissionError:
        _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")


class NetworkNamespace:
    """A network namespace with `lo` up. A file descriptor alone holds it.

    It has no name in /run/netns: however this process ends, the kernel removes it, with its
    interfaces and rules.
    """

    def __init__(self) -> None:
        with _restored():
            _call("unshare", _CLONE_NEWNET)
            self._fd = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link set lo up")

    @property
    def path(self) -> str:
        """A path that `ip ... netns PATH` takes."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread, and what it starts or opens meanwhile, into the namespace."""
        with _restored():
            _call("setns", self._fd, _CLONE_NEWNET)
            yield

    def ip(self, *commands: str) -> None:
        """Run commands of iproute2, each without its leading `ip`. Raises LocalError."""
        found = shutil.which("ip", path=SEARCH)
        if found is None:
            raise LocalError("live.command", name="ip", package="iproute2")
        with self.entered():
            done = subprocess.run(  # noqa: S603 - a command of the system, by its full path
                [found, "-batch", "-"],
                input="\n".join(commands),
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            said = done.stderr.strip().splitlines()
            raise LocalError("live.failed", what=f"ip {commands[0]}", said=said[0] if said else "")

    def sysctl(self, name: str, value: int | str) -> None:
        """Set a kernel parameter of this namespace; one that this kernel has not stays away."""
        with self.entered():
            path = Path("/proc/sys", *name.split("."))
            if path.exists():
                path.write_text(str(value))

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """Return a socket of this namespace."""
        with self.entered():
            return socket.socket(family, kind)

    def start_shell(
        self, argv: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        """Start a shell here, on this process's terminal.

        It is killed if this process ends, and everything that it has started ends with it.
        """
        # The first process of a PID namespace: the kernel kills all others there when it ends.
        _call("unshare", _CLONE_NEWPID)
        with self.entered():
            return subprocess.Popen(  # noqa: S603 - what the user asked for
                [_found("setpriv"), "--pdeathsig", "KILL", *argv], env=environment
            )

    def close(self) -> None:
        """Let go of the namespace."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _found(name: str) -> str:
    found = shutil.which(name, path=SEARCH)
    if found is None:
        raise LocalError("live.command", name=name, package="util-linux")
    return found


@contextmanager
def _restored() -> Iterator[None]:
    """Bring the calling thread back to the namespace in which it was."""
    home = os.open(_HERE, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        try:
            _call("setns", home, _CLONE_NEWNET)
        finally:
            os.close(home)


def _call(function: str, *arguments: int) -> None:
    if getattr(_LIBC, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")
