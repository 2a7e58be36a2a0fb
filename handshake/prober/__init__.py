"""Probes: opens TCP connections, closes them again, and explains what happened."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handshake.endpoint.attempt import Attempt
    from handshake.endpoint.options import ClientOptions, CloseMode, Timeouts
    from handshake.endpoint.outcome import Close, DataExchange, Negotiated, Outcome, Verdict
    from handshake.prober.listener import loopback_listener
    from handshake.prober.result import Result, exit_code
    from handshake.prober.run import (
        Probe,
        Prober,
        Waiting,
        connect,
        connect_all,
        probe_all,
        probes,
    )
    from handshake.prober.target import Target, targets
else:
    _HOMES = {
        "endpoint.attempt": ("Attempt",),
        "endpoint.options": ("CloseMode", "ClientOptions", "Timeouts"),
        "endpoint.outcome": ("Close", "DataExchange", "Negotiated", "Outcome", "Verdict"),
        "prober.listener": ("loopback_listener",),
        "prober.result": ("Result", "exit_code"),
        "prober.run": (
            "Probe",
            "Prober",
            "Waiting",
            "connect",
            "connect_all",
            "probe_all",
            "probes",
        ),
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
    "DataExchange",
    "Negotiated",
    "Outcome",
    "Probe",
    "Prober",
    "Result",
    "Target",
    "Timeouts",
    "Verdict",
    "Waiting",
    "connect",
    "connect_all",
    "exit_code",
    "loopback_listener",
    "probe",
    "probe_all",
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
    """Connect to `host`, close the connection, and return the result.

    `host` may be a whole target such as `[::1]:80`. Of several addresses the result is that of the
    first that is open, or of the first of all if none is. Times are in seconds; `observe` is how
    long to watch for a sign that the peer did not receive our ACK. Raises LocalError if this
    machine does not allow it.
    """
    from handshake.endpoint.options import Timeouts
    from handshake.endpoint.outcome import Verdict
    from handshake.prober.result import Result
    from handshake.prober.run import probes
    from handshake.prober.target import Target

    target = Target.parse(host) if port is None else Target.of(host, port)
    timeouts = Timeouts.of(
        timeout=timeout, retries=retries, observe=observe, hold=hold, close_timeout=close_timeout
    )
    results = []
    for each in probes(target, timeouts, options):
        results.append(each if isinstance(each, Result) else each.finish())
        if results[-1].verdict is Verdict.OPEN:
            return results[-1]
    return results[0]
