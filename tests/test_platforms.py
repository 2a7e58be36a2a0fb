"""`list`, `replay` and `demo` start where there is no Linux: they need its files and sockets not.

A program of its own runs each command with an import hook that refuses handshake.linux and the
standard modules that other systems lack, and with a socket module as other systems have it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PROGRAM = """
import socket, sys

REFUSED = ("handshake.linux", "ctypes", "fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if any(name == each or name.startswith(each + ".") for each in REFUSED):
            raise ImportError(f"{name} is not on this system")

loaded = [each for each in sys.modules if each.split(".")[0] in REFUSED]
assert not loaded, loaded
sys.meta_path.insert(0, Refuse())
for name in [each for each in dir(socket) if each.startswith(("AF_NETLINK", "AF_PACKET",
             "PACKET_", "SO_BINDTODEVICE", "SO_MARK", "NETLINK_", "CAN_", "AF_CAN"))]:
    delattr(socket, name)
import select
for name in ("epoll", "EPOLLIN", "EPOLLOUT", "EPOLLERR"):
    if hasattr(select, name):
        delattr(select, name)

from handshake.__main__ import main
code = main()
sys.stdout.flush()
linux = [each for each in sys.modules if each.startswith("handshake.linux")]
assert not linux, linux
assert "scapy" not in sys.modules
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("--help", "probe"),
        ("probe --help", "--connect"),
        ("list captures/mixed.pcap", "no-answer"),
        ("list captures/mixed.pcap --json", '"outcome"'),
        ("list captures/mixed.pcap --summary", "25 connections"),
        ("replay captures/refused.pcap", "Connection refused"),
        ("replay captures/refused.pcap --json", '"segment"'),
        ("demo", "step 9/9"),
        ("demo --json", '"step"'),
    ],
)
def test_it_starts_without_anything_of_linux(args: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args.split()],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_git_keeps_no_symbolic_link() -> None:
    """A link leads out of the checkout or, where a system has none, is a file with a path in it."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    done = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--stage"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"git does not read this checkout: {done.stderr}")
    files = done.stdout.splitlines()
    assert len(files) > 500
    assert [line for line in files if line.startswith("120000")] == []
