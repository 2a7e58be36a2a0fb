"""A connection that is opened by hand and then carried on by the kernel, as any other is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.endpoint.attempt import Attempt
from handshake.endpoint.verdict import Verdict

if TYPE_CHECKING:
    import socket

    from handshake.prober.run import Probe
    from handshake.prober.userspace.connections import UserspaceConnections


def adopted(probe: Probe, connections: UserspaceConnections) -> socket.socket | None:
    """Return a socket of the kernel's that carries the call on as soon as it is open.

    None where it does not open: then `probe.result` stands. The call must be made over this
    exchange, and hold the connection; nothing else may be under way there. Raises LocalError
    where the kernel does not take it over.
    """
    from handshake.linux.connect import SocketOptions, set_ip_options
    from handshake.linux.tcp_repair import acknowledged, adopt

    seen = []
    for step in probe:
        seen.append(step.observed)
        attempt = probe.attempt
        assert isinstance(attempt, Attempt)
        # Only once all that the end has heard is known here, too, nothing of it is lost.
        opened = attempt.verdict is Verdict.OPEN and not attempt.done
        if opened and len(seen) == probe.explained:
            break
    else:
        return None
    sock = adopt(
        attempt.block,
        clock=attempt.clock(connections.clock.now()),
        release=connections.release,
        received=acknowledged(attempt.block, seen),
    )
    set_ip_options(sock, SocketOptions(ttl=connections.options.ttl, tos=connections.options.tos))
    return sock
