"""Every test of the survey looks at short runs in columns, too."""

from __future__ import annotations

import pytest

from handshake.survey.follow import runs


@pytest.fixture(autouse=True)
def short_runs_in_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "LONG", 8)
