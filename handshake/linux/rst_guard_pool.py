"""RST guards for many connections: one local port serves connections to different peers."""

from __future__ import annotations

import secrets
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from handshake.errors import ConnectError, LocalError
from handshake.linux.rst_guard import METHODS, RstGuard, guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from handshake.packet.checksum import Address

_EXAMINED: Final = 8
"""Open guards that are examined before another is opened. They take turns: the first is the
likeliest to be free, and examining all of them for each connection costs more than a port."""

_ATTEMPTS: Final = 1000
_FIRST_PORT: Final = 61000
"""Where further ports are looked for: above Linux's own ephemeral ports."""

_LAST_PORT: Final = 0xFFFF


class RstGuardPool:
    """The guards of one prober, on all local addresses that it connects from."""

    def __init__(self) -> None:
        self._by_address: dict[Address, deque[RstGuard]] = {}
        self._names: dict[Address, str] = {}
        self._next = secrets.choice(range(_FIRST_PORT, _LAST_PORT - _ATTEMPTS))
        self.ports: set[int] = set()
        """Every port that is guarded."""

    def take(
        self,
        address: Address,
        in_use: Callable[[int], bool],
        port: int = 0,
        *,
        recently_used: Callable[[int], bool] = lambda _: False,
    ) -> RstGuard:
        """Return a guard on this address whose port is not `in_use`: an open one, or a new one.

        A `recently_used` port serves only if it is requested, or if no other can be opened. Raises
        LocalError if the kernel cannot be kept from sending RSTs or there is no free port, and
        ConnectError if the address or the requested port cannot be bound, or the port is `in_use`.
        """
        known = self._by_address.setdefault(address, deque())
        for _ in range(min(len(known), len(known) if port else _EXAMINED)):
            known.rotate(-1)
            held = known[-1]
            fits = held.port == port if port else not recently_used(held.port)
            if fits and not in_use(held.port):
                return held
        if port and any(held.port == port for held in known):
            raise ConnectError("bind.recently-used", port=port, errno="EADDRINUSE")
        try:
            held = self._open(address, port)
        except (LocalError, OSError):
            reused = next((each for each in known if not (port or in_use(each.port))), None)
            if reused is None:
                raise
            return reused
        self.ports.add(held.port)
        known.append(held)
        return held

    def _open(self, address: Address, port: int) -> RstGuard:
        name = self._names.get(address)
        if name is None:
            # Only the first one is tested: the kernel treats the others the same.
            held = guard(address, port)
            self._names[address] = held.name
            return held
        names = (name, *(each for each in METHODS if each != name))
        if port:
            return guard(address, port, names, check=False)
        for _ in range(_ATTEMPTS):
            try:
                return guard(address, self._next, names, check=False)
            except ConnectError as error:
                if error.code != "bind.in-use":
                    raise
            finally:
                self._next = _FIRST_PORT if self._next >= _LAST_PORT else self._next + 1
        raise LocalError("bind.no-free-port", source=address)

    def close(self) -> None:
        """Release all ports."""
        for known in self._by_address.values():
            for each in known:
                each.close()
        self._by_address.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
