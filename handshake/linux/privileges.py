"""Privileges: how to get them, and how to drop them once the sockets that need them are open."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shlex
import socket
import struct
import sys
from pathlib import Path
from typing import Final, NamedTuple, Self

_VERSION_3: Final = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two words of 32 bits a set
_NOBODY: Final = 65534
_NO_CHANGE: Final = 2**32 - 1
_ID: Final = re.compile("[0-9]{1,10}")
_PR_SET_NO_NEW_PRIVS: Final = 38
_PATH_OF_SUDO: Final = (
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
)
_PACKETS: Final = (17, socket.SOCK_DGRAM, 0)  # AF_PACKET, which only Linux has


def has_cap_net_raw() -> bool:
    """Whether this process may send raw packets and capture the replies."""
    try:
        for kind in ((socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW), _PACKETS):
            socket.socket(*kind).close()
    except (AttributeError, OSError):
        return False
    return True


def with_sudo() -> str:
    """Return the current command with sudo before it, quoted for a shell."""
    return shlex.join(["sudo", *_program(), *sys.argv[1:]])


def _program() -> list[str]:
    """Return this program as words of a command."""
    program = Path(sys.argv[0]).absolute()
    # sudo's PATH does not include a virtual environment's programs.
    if not program.is_file() or program.name == "__main__.py":
        return [sys.executable, "-m", "handshake"]
    return [str(program)]


class Shell(NamedTuple):
    """How a command begins that a user can paste."""

    program: str = "handshake"
    """This program, quoted for a shell."""

    sudo: str = "sudo "
    """What a command that needs privileges begins with; empty for root."""

    @classmethod
    def ours(cls) -> Self:
        """Return how this process was started, while it still has its privileges."""
        words = _program()
        path = Path(words[0])
        if str(path.parent) in _PATH_OF_SUDO:
            words[0] = path.name
        with contextlib.suppress(OSError, ValueError):  # no such directory any more, or another
            words[0] = str(path.relative_to(Path.cwd()))
        root = os.geteuid() == 0 and "SUDO_UID" not in os.environ
        return cls(shlex.join(words), "" if root else "sudo ")


def drop() -> None:
    """Become the user who ran sudo, or `nobody` without sudo; drop all capabilities.

    Neither this process nor its children can regain them. Raises OSError if the kernel keeps the
    capabilities.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        user, group = (_number(name) for name in ("SUDO_UID", "SUDO_GID"))
        # Root in a container may not be able to change user: the capabilities are dropped anyway.
        with contextlib.suppress(PermissionError):
            os.setgroups([])
            os.setresgid(group, group, group)
            # This applies to all threads, and clears the capabilities of all.
            os.setresuid(user, user, user)
    header = struct.pack("=Ii", _VERSION_3, 0)
    for result in (
        libc.capset(header, bytes(24)),
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
    ):
        if result != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


def _number(name: str) -> int:
    """Return the user or group id that sudo left; that of `nobody` if there is no usable one.

    Unusable are root's own, and the highest, which tells the kernel to change nothing.
    """
    text = os.environ.get(name, "")
    number = int(text) if _ID.fullmatch(text) else 0
    return number if 0 < number < _NO_CHANGE else _NOBODY
