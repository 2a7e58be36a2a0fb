"""A prober whose probes are known beforehand: nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handshake import prober
from handshake.prober import Result, Target
from handshake.tcp import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from handshake.events import Step
    from handshake.prober import ClientOptions, Timeouts


class FakeProbe:
    """A probe whose steps and result are known beforehand."""

    waiting = None
    errors = ()

    def __init__(
        self, result: Result, steps: list[Step], error: BaseException | None = None
    ) -> None:
        self.target = Target.parse(result.target)
        self.remote = Endpoint.of(result.address or "", result.port)
        self.steps = steps
        self.error = error
        self.closed = False
        self._result = result

    def __iter__(self) -> Iterator[Step]:
        if self.error is None:
            yield from self.steps
            return
        if isinstance(self.error, KeyboardInterrupt):
            yield from self.steps
        raise self.error

    def finish(self) -> Result:
        return self._result

    def close(self) -> None:
        self.closed = True


@dataclass
class Asked:
    """How the prober was asked to probe."""

    timeouts: list[Timeouts] = field(default_factory=list)
    options: list[ClientOptions] = field(default_factory=list)


def install(monkeypatch: pytest.MonkeyPatch, *probes: FakeProbe | Result) -> Asked:
    """Let these be the probes of every target, in user space or not."""
    asked = Asked()

    class FakeProber:
        def __init__(self, timeouts: Timeouts, options: ClientOptions, **_: Any) -> None:
            asked.timeouts.append(timeouts)
            asked.options.append(options)

        def __enter__(self) -> FakeProber:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def probes(self, _: Target) -> Iterator[FakeProbe | Result]:
            yield from probes

    monkeypatch.setattr(prober, "Prober", FakeProber)
    monkeypatch.setattr(prober, "probes", lambda *_: iter(probes))
    return asked
