"""Guards for many calls: one port of ours serves all whose other end is another one."""

from __future__ import annotations

import errno
import secrets
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from handshake.errors import CannotRun
from handshake.linux.rst_guard import LADDER, Guard, guard

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


class Guards:
    """The guards of one prober, on all addresses of ours that it calls from."""

    def __init__(self) -> None:
        self._by_address: dict[Address, deque[Guard]] = {}
        self._names: dict[Address, str] = {}
        self._next = secrets.choice(range(_FIRST_PORT, _LAST_PORT - _TRIED))
        self.ports: set[int] = set()
        """Every port that is guarded."""

    def take(
        self,
        address: Address,
        taken: Callable[[int], bool],
        port: int = 0,
        *,
        rests: Callable[[int], bool] = lambda _: False,
    ) -> Guard:
        """Return a guard on this address whose port is not `taken`: an open one, or another.

        One that `rests` serves where it is asked for by its port, or no other can be opened.
        Raises CannotRun where no guard holds, and where the port asked for is not to be had;
        OSError where that is ours, and `taken`.
        """
        known = self._by_address.setdefault(address, deque())
        for _ in range(min(len(known), len(known) if port else _LOOKED_AT)):
            known.rotate(-1)
            held = known[-1]
            fits = held.port == port if port else not rests(held.port)
            if fits and not taken(held.port):
                return held
        if port and any(held.port == port for held in known):
            what = f"our last call to it from port {port} may not be over for it"
            raise OSError(errno.EADDRINUSE, f"{what}: wait, or call from another port")
        try:
            held = self._open(address, port)
        except (CannotRun, OSError):
            rested = next((each for each in known if not (port or taken(each.port))), None)
            if rested is None:
                raise
            return rested
        self.ports.add(held.port)
        known.append(held)
        return held

    def _open(self, address: Address, port: int) -> Guard:
        name = self._names.get(address)
        if name is None:
            # The first one is tried; the kernel treats those after it alike.
            held = guard(address, port)
            self._names[address] = held.name
            return held
        names = (name, *(each for each in LADDER if each != name))
        if port:
            return guard(address, port, names, check=False)
        for _ in range(_TRIED):
            try:
                return guard(address, self._next, names, check=False)
            except CannotRun as error:
                if getattr(error.__cause__, "errno", None) != errno.EADDRINUSE:
                    raise
            finally:
                self._next = _FIRST_PORT if self._next >= _LAST_PORT else self._next + 1
        raise CannotRun(f"cannot call from {address}: there is no free port")

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
