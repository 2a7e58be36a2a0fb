"""How a signal ends the program, wherever it finds it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys, time
import handshake.cli, handshake.__main__ as program
class Last:
    def __del__(self):
        signal.raise_signal(signal.{name})
def late():
    try:
        signal.raise_signal(signal.{name})
    except BaseException:
        began = time.monotonic()
    signal.raise_signal(signal.{name})  # too soon to mean anything
    while time.monotonic() < began + 3.1:
        time.sleep(0.1)
    signal.raise_signal(signal.{name})
    print("still here")
def run():
    {body}
    time.sleep(20)
    return 0
handshake.cli.main = run
sys.exit(program.main())
"""


def ended(name: str, body: str) -> tuple[int, str, str]:
    argv = ["env", f"--default-signal={name[3:]}", sys.executable, "-c"]
    code = PROGRAM.format(name=name, body=body)
    done = subprocess.run([*argv, code], capture_output=True, text=True, timeout=15, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    "body",
    [
        "signal.raise_signal(signal.{name})",
        "exec('signal.raise_signal(signal.{name})')",  # of a KeyboardInterrupt, Python makes -2
        "Last()",  # an exception gets lost in a finalizer
        "late()",  # or in those who catch all
    ],
)
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_it_ends_without_a_word(name: str, code: int, body: str) -> None:
    assert ended(name, body.format(name=name)) == (code, "", "")


def test_what_is_ignored_stays_so() -> None:
    code = PROGRAM.format(name="SIGHUP", body="signal.raise_signal(signal.SIGHUP); return 7")
    argv = ["env", "--ignore-signal=HUP", sys.executable, "-c", code]
    assert subprocess.run(argv, timeout=15, check=False).returncode == 7
