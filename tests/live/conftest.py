"""Live tests need root, namespaces and tools; without them they are skipped with a reason."""

import functools
import os
import shutil

import pytest

from tests.live.lab.namespaces import CommandError, Host

TOOLS = ("ip", "nft", "setpriv", "tcpdump")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let a live test begin only where it can."""
    if item.get_closest_marker("live"):
        allow()


def allow() -> None:
    """Skip the test if something is missing here; fail it under HANDSHAKE_LIVE=required."""
    if not (lack := missing()):
        return
    if os.environ.get("HANDSHAKE_LIVE") == "required":
        pytest.fail(f"HANDSHAKE_LIVE=required, but live tests need {lack}", pytrace=False)
    pytest.skip(f"live tests need {lack}")


@functools.cache
def missing() -> str:
    """Return what live tests need and do not have here; empty if they can run."""
    if os.geteuid() != 0:
        return "root"
    if absent := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"the programs {', '.join(absent)}"
    try:
        Host("trial").close()
    except (OSError, CommandError) as error:
        return f"network namespaces ({error})"
    return ""
