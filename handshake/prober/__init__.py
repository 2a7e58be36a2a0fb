"""Opens a connection by hand, closes it again, and says what happened."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handshake.endpoint.attempt import Attempt
    from handshake.endpoint.options import ClientOptions, CloseMode
    from handshake.endpoint.timeouts import Timeouts
    from handshake.endpoint.verdict import Close, Note, Verdict
    from handshake.prober.listener import loopback_listener
    from handshake.prober.result import Negotiated, Result, exit_code
    from handshake.prober.run import Probe
    from handshake.prober.target import Target, targets
else:
    _HOMES = {
        "endpoint.attempt": ("Attempt",),
        "endpoint.options": ("CloseMode", "ClientOptions"),
        "endpoint.timeouts": ("Timeouts",),
        "endpoint.verdict": ("Close", "Note", "Verdict"),
        "prober.listener": ("loopback_listener",),
        "prober.result": ("Negotiated", "Result", "exit_code"),
        "prober.run": ("Probe",),
        "prober.target": ("Target", "targets"),
    }

    def __getattr__(name: str) -> object:
        """Load a name when it is asked for: see the package's own `__init__`."""
        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(f"handshake.{home}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Attempt",
    "ClientOptions",
    "Close",
    "CloseMode",
    "Negotiated",
    "Note",
    "Probe",
    "Result",
    "Target",
    "Timeouts",
    "Verdict",
    "exit_code",
    "loopback_listener",
    "probe",
    "probes",
    "targets",
]


def probe(
    host: str,
    port: int | None = None,
    *,
    timeout: float = 5.0,
    retries: int = 2,
    observe: float = 1.25,
    hold: float = 0.0,
    close_timeout: float = 2.0,
    options: ClientOptions | None = None,
) -> Result:
    """Return what became of a call to `host`, which may be a whole target such as `[::1]:80`.

    Of several addresses it is the first that is open, or the first of all where none is.
    Times are in seconds; for so long it is observed whether the peer took our ACK (see
    `Timeouts.observe`). Raises LocalError where this machine does not let us.
    """
    from handshake.endpoint.timeouts import Timeouts
    from handshake.endpoint.verdict import Verdict
    from handshake.prober.result import Result
    from handshake.prober.target import Target

    target = Target.parse(host) if port is None else Target.of(host, port)
    timeouts = Timeouts.of(
        timeout=timeout, retries=retries, observe=observe, hold=hold, close_timeout=close_timeout
    )
    results = []
    for each in probes(target, timeouts, options):
        results.append(each if isinstance(each, Result) else each.result)
        if results[-1].verdict is Verdict.OPEN:
            return results[-1]
    return results[0]


def probes(
    target: Target, timeouts: Timeouts | None = None, options: ClientOptions | None = None
) -> Iterator[Probe | Result]:
    """Yield a probe for each address of the target, not yet begun; a result where it has none."""
    from handshake.endpoint.verdict import Verdict
    from handshake.prober.lookup import endpoints
    from handshake.prober.resolver import entry
    from handshake.prober.result import Result, failed
    from handshake.prober.run import Probe

    try:
        found = endpoints(target)
    except LookupError as error:
        yield failed(target, Verdict.NAME_ERROR, str(error))
        return
    for remote in found:
        called = entry(target, remote)
        yield called if isinstance(called, Result) else Probe(*called, timeouts, options)
