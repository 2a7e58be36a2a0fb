"""Guards for many calls: one port of ours serves all whose other end is another one."""

from __future__ import annotations

import errno
import secrets
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from handshake.errors import LocalError
from handshake.linux.rst_guard import METHODS, RstGuard, guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from handshake.packet.checksum import Address

_LOOKED_AT: Final = 8
"""Guards that may be taken before another is opened. They take turns: the first is the likeliest
to be free, and to look at all of them for each call would cost more than a port does."""

_TRIED: Final = 1000
_FIRST_PORT: Final = 61000
"""Where more ports are looked for: above those that Linux gives to its own calls."""

_LAST_PORT: Final = 0xFFFF


class RstGuardPool:
    """The guards of one prober, on all addresses of ours that it calls from."""

    def __init__(self) -> None:
        self._by_address: dict[Address, deque[RstGuard]] = {}
        self._names: dict[Address, str] = {}
        self._next = secrets.choice(range(_FIRST_PORT, _LAST_PORT - _TRIED))
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
        """Return a guard on this address whose port is not `in_use`: an open one, or another.

        A port that was `recently_used` serves only where it is asked for, or where no other can be
        opened. Raises LocalError where no guard holds or the port asked for cannot be bound, and
        OSError(EADDRINUSE) where that port is ours and `in_use`.
        """
        known = self._by_address.setdefault(address, deque())
        for _ in range(min(len(known), len(known) if port else _LOOKED_AT)):
            known.rotate(-1)
            held = known[-1]
            fits = held.port == port if port else not recently_used(held.port)
            if fits and not in_use(held.port):
                return held
        if port and any(held.port == port for held in known):
            what = f"our last call to it from port {port} may not be over for it"
            raise OSError(errno.EADDRINUSE, f"{what}: wait, or call from another port")
        try:
            held = self._open(address, port)
        except (LocalError, OSError):
            rested = next((each for each in known if not (port or in_use(each.port))), None)
            if rested is None:
                raise
            return rested
        self.ports.add(held.port)
        known.append(held)
        return held

    def _open(self, address: Address, port: int) -> RstGuard:
        name = self._names.get(address)
        if name is None:
            # The first one is tried; the kernel treats those after it alike.
            held = guard(address, port)
            self._names[address] = held.name
            return held
        names = (name, *(each for each in METHODS if each != name))
        if port:
            return guard(address, port, names, check=False)
        for _ in range(_TRIED):
            try:
                return guard(address, self._next, names, check=False)
            except LocalError as error:
                if getattr(error.__cause__, "errno", None) != errno.EADDRINUSE:
                    raise
            finally:
                self._next = _FIRST_PORT if self._next >= _LAST_PORT else self._next + 1
        raise LocalError(f"cannot call from {address}: there is no free port")

    def close(self) -> None:
        """Give all ports back."""
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
