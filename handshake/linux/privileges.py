"""Privileges: given up for good once the sockets that needed them are open."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import struct
from typing import Final

_VERSION_3: Final = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two words of 32 bits a set
_NOBODY: Final = 65534
_NO_CHANGE: Final = 2**32 - 1
_ID: Final = re.compile("[0-9]{1,10}")
_PR_SET_NO_NEW_PRIVS: Final = 38
_PACKETS: Final = (17, socket.SOCK_DGRAM, 0)  # AF_PACKET, which Linux alone has


def has_cap_net_raw() -> bool:
    """Whether this process may send segments of its own, and hear what answers them."""
    try:
        for kind in ((socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW), _PACKETS):
            socket.socket(*kind).close()
    except (AttributeError, OSError):
        return False
    return True


def drop() -> None:
    """Become the user who ran sudo, or nobody where it was root himself; keep no capability.

    Nothing that this process starts can get them back. Raises OSError where the kernel does not
    take the capabilities away.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0:
        user, group = (_number(name) for name in ("SUDO_UID", "SUDO_GID"))
        # Root of a container may not become anybody else: his capabilities go all the same.
        with contextlib.suppress(PermissionError):
            os.setgroups([])
            os.setresgid(group, group, group)
            # All threads do so, and the kernel clears the capabilities of them all.
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
    """Return the id that sudo left; nobody's where there is none, or none to become.

    That is root's own, and the highest, which tells the kernel to change nothing.
    """
    text = os.environ.get(name, "")
    number = int(text) if _ID.fullmatch(text) else 0
    return number if 0 < number < _NO_CHANGE else _NOBODY
