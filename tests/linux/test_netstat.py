from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.linux import netstat
from handshake.linux.netstat import SynChallengeCounter

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_it_stands_under_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "netstat"
    # As Linux writes it: rows of names, each over one of numbers.
    text = "TcpExt: SyncookiesSent TCPSYNChallenge TCPSpuriousRtxHostQueues\nTcpExt: 1 %d 3\n"
    place.write_text(text % 41 + "IpExt: InNoRoutes\nIpExt: 9\n")
    monkeypatch.setattr(netstat, "_PLACE", str(place))
    with SynChallengeCounter() as challenges:
        assert challenges.count() == 41
        place.write_text(text % 42)
        assert challenges.count() == 42
        place.write_text("TcpExt: SyncookiesSent\nTcpExt: 1\n")
        assert challenges.count() is None


def test_an_unreadable_counter_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netstat, "_PLACE", str(tmp_path / "none"))
    with SynChallengeCounter() as challenges:
        assert challenges.count() is None
