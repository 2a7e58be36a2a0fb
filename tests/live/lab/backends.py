"""The results of both backends for the same target: user space, and the kernel's connect()."""

from typing import Any

from handshake.prober import Result, Target, Timeouts
from handshake.prober.run import probe_all
from tests.live.lab.namespaces import Host
from tests.live.lab.unprivileged import Found
from tests.live.test_probe import PORT
from tests.schema import valid

V4 = f"10.77.0.2:{PORT}"
V6 = f"[fd77::2]:{PORT}"


def in_user_space(host: Host, *targets: str, **times: Any) -> dict[str, Found]:
    """Return the results of user-space probes, by target."""
    calls = [Target.parse(text) for text in targets]
    with host.entered():
        found: list[Result] = list(probe_all(calls, timeouts=Timeouts.of(**times)))
    return {each.target: each.as_json() for each in found}


def alike(found: Found, other: Found, *more: str) -> None:
    """Both ways of probing must have come to the same."""
    assert (found["guard"], found["ttl"], found["segments"]) == ("none", None, [])
    # Why it is open the kernel tells without a segment.
    reason = () if found["verdict"] == "open" else ("reason",)
    for key in ("address", "port", "verdict", *reason, "icmp", "syn_sent", "close", *more):
        assert (key, found[key]) == (key, other[key])
    ours, theirs = ({**(each["negotiated"] or {})} for each in (found, other))
    # How its own windows are scaled is for each to choose.
    shifts = [each.pop("rcv_shift", None) for each in (ours, theirs)]
    assert ours == theirs
    assert bool(shifts[0]) == bool(shifts[1])
    valid(found, "probe")


def of(address: str, port: int = PORT) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
