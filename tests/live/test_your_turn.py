"""The shell with tasks: each is confirmed by what its hints do, in a network of its own."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Final

import pytest

from handshake.lessons import LANGUAGES
from handshake.lessons.progress import done_tasks
from handshake.lessons.tasks import TASKS, tasks_text
from tests.cli.terminal import Terminal
from tests.live.lab.namespaces import eventually

pytestmark = pytest.mark.live

ARGS: Final = ["-m", "handshake", "demo", "--your-turn"]
PROMPT: Final = "lesson$ "


def _commands(task: str) -> list[str]:
    """Return the commands among the hints of a task; after a server starts, wait for its port."""
    found = []
    for each in tasks_text("en").tasks[task].hints:
        if each.startswith(("nc ", "nft ", "exec ")):
            found.append(each)
        if each.startswith("nc -l -p "):
            port = each.split()[3]
            found.append(f"until ss -Hltn sport = :{port} | grep -q .; do sleep .1; done")
    return found


def test_every_task_is_confirmed_when_its_hints_are_followed() -> None:
    confirmed = {
        "listen": "done: 0.0.0.0:8080 is in LISTEN",
        "rst": "done: 127.0.0.1:81 answered",
        "syn-three-times": "left three times for 127.0.0.1:9000: after 0, 1.0, 2.",
        "half-open": "in SYN-RECV, and its SYN-ACK is not acknowledged",
        "time-wait": "is in TIME-WAIT: it closed first",
    }
    assert tuple(confirmed) == TASKS
    with Terminal(ARGS, 200, 50) as terminal:
        terminal.see(PROMPT)
        for task, said in confirmed.items():
            for command in _commands(task):
                terminal.press(f"{command}\r")
            terminal.see(said)
        terminal.see("All tasks are done.")
        terminal.press("tasks\r")
        terminal.see("✓ 5. See TIME-WAIT.")
        terminal.press("exit\r")
        terminal.see("5 of 5 tasks done.")
        assert terminal.end() == 0
        assert terminal.mode == terminal.before


def test_what_is_done_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with Terminal(ARGS, 200, 50) as terminal:
        terminal.see(PROMPT)
        for command in _commands("listen"):
            terminal.press(f"{command}\r")
        terminal.see("done: 0.0.0.0:8080 is in LISTEN")
        terminal.press("exit\r")
        terminal.see("1 of 5 tasks done.")
        assert terminal.end() == 0
    assert done_tasks() == ("listen",)
    with Terminal(ARGS, 200, 50) as terminal:
        terminal.see("✓ 1. Make a socket LISTEN.")
        terminal.see("○ 2.")
        terminal.see(PROMPT)
        for command in _commands("rst"):
            terminal.press(f"{command}\r")
        terminal.see("2. done:")
        terminal.press("exit\r")
        terminal.see("2 of 5 tasks done.")
        assert terminal.end() == 0
    assert {*done_tasks()} == {"listen", "rst"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_languages_have_the_same_tasks_and_proofs(language: str) -> None:
    text, english = tasks_text(language), tasks_text("en")
    assert tuple(text.tasks) == TASKS
    for name, each in text.tasks.items():
        known = english.tasks[name].confirmed
        assert set(re.findall(r"{\w+}", each.confirmed)) == set(re.findall(r"{\w+}", known))
        assert len(each.hints) == len(english.tasks[name].hints)


def test_what_is_still_running_ends_with_the_shell_also_when_it_is_killed() -> None:
    with Terminal(ARGS) as terminal:
        terminal.see(PROMPT)
        terminal.press("sleep 9876 & readlink /proc/self/ns/net\r")
        terminal.see("net:[")
        found = [
            each.parent
            for each in Path("/proc").glob("[0-9]*/cmdline")
            if _read(each) == b"sleep\x009876\x00"
        ]
        assert len(found) == 1
        terminal.process.send_signal(signal.SIGKILL)
        terminal.process.wait()
        eventually(lambda: not found[0].exists(), "the last process of the shell to end")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
