"""Probes by connect() in a process without any right; run as a program, it is that process."""

import json
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from handshake.prober import ClientOptions, CloseMode, Target, Timeouts
from handshake.prober.run import connect, connect_all
from tests.live.lab.namespaces import TIMEOUT, Host

# Root without any capability, since another user could not read this Python everywhere.
NO_RIGHT = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]

Found = dict[str, Any]
"""A result as JSON."""


def connected(
    host: Host, *targets: str, before: Sequence[str] = (), single: bool = False, **options: Any
) -> list[Found]:
    """Return the results of probes from this host; `options` are those of `_asked`.

    `before` is a command that the program is run by. A `single` probe is made by `connect`.
    """
    wanted = json.dumps({"targets": targets, "single": single, "options": options})
    argv = [*before, *NO_RIGHT, sys.executable, "-m", __spec__.name]
    output = host.run(argv, stdin=wanted, timeout=3 * TIMEOUT).stdout
    capabilities, *results = output.splitlines()
    assert int(capabilities, 16) == 0
    return [json.loads(line) for line in results]


def connected_to(host: Host, target: str, **options: Any) -> Found:
    """Return the result of one probe."""
    (found,) = connected(host, target, single=True, **options)
    return found


def _asked(
    *,
    times: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    data: str = "",
    expect: str = "",
    close: str = "fin",
    **others: Any,
) -> dict[str, Any]:
    """Return the arguments of the probes: those of `Timeouts.of` are `times`."""
    source = (options or {}).get("source")
    address = None if source is None else ip_address(source)
    return {
        "timeouts": Timeouts.of(**(times or {})),
        "options": ClientOptions(
            **{**(options or {}), "source": address},
            data=data.encode(),
            expect=expect.encode(),
            closing=CloseMode(close),
        ),
        **others,
    }


def _main() -> None:
    wanted = json.load(sys.stdin)
    status = Path("/proc/self/status").read_text().split("CapEff:\t")[1]
    print(status.split()[0])  # noqa: T201
    targets = [Target.parse(text) for text in wanted["targets"]]
    options = _asked(**wanted["options"])
    if wanted["single"]:
        for target in targets:
            for remote in target.endpoints():
                print(json.dumps(connect(target, remote, **options).as_json()))  # noqa: T201
        return
    for result in connect_all(targets, **options):
        print(json.dumps(result.as_json()))  # noqa: T201


if __name__ == "__main__":
    _main()
