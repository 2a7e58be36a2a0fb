from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest

from handshake.errors import LocalError
from handshake.linux.packet_socket import PacketSocket

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refuse)


@pytest.mark.usefixtures("refused")
def test_without_the_privilege_it_names_the_command_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "my programs" / "handshake"
    program.parent.mkdir()
    program.touch()
    monkeypatch.chdir(program.parent)
    monkeypatch.setattr(sys, "argv", ["./handshake", "probe", "a.example", "80"])
    with pytest.raises(LocalError) as error:
        PacketSocket([1])
    assert (error.value.exit_code, error.value.code) == (3, "no-cap-net-raw")
    assert error.value.values == {"command": f"sudo '{program}' probe a.example 80"}


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("name", ["-c", "/somewhere/handshake/__main__.py"])
def test_a_module_is_run_as_a_module(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, "probe"])
    with pytest.raises(LocalError, match=f"run sudo {sys.executable} -m handshake probe"):
        PacketSocket([1])
