"""Two kernels on a cable that is worked by hand: every segment is carried or lost on request."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from handshake.events import Role
from handshake.linux.inet_diag import InetDiag, KernelSocket
from handshake.linux.tcp_info import TcpInfo
from handshake.tcp import Endpoint, State
from tests.live.lab.delayed_link import tap
from tests.live.lab.namespaces import Host, Socket, eventually
from tests.live.lab.sockets import Ends, dial
from tests.live.lab.tcpdump import WHOLE, Capture, capture

CLIENT, SERVER = Role.CLIENT, Role.SERVER
PORT, SOURCE_PORT = 80, 40001

_FRAME = 1 << 16
_TCP = 6
_ETHERNET = 14
_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"

_SETTINGS = {
    # A segment waits on the cable for as long as the test takes: that must not pass for a loss.
    "net.ipv4.tcp_early_retrans": 0,
    "net.ipv4.tcp_syn_linear_timeouts": 0,
}
PATIENT = "rto_min 1s"
"""The same, of a route, once a connection is open."""


Assumed = Mapping[tuple[Role, Role], State]
"""What the capture at a host's side (the first) takes an end (the second) for, against the fact.

A capture cannot show that a segment was lost behind it, or what a kernel did without sending: so
it is assumed, and must be, until that capture shows another segment or it has come true.
"""

NOTHING: Assumed = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Kernel:
    """What one kernel has of the connection."""

    entry: KernelSocket | None
    """Its row in the table; None where it knows no such connection."""

    listening: bool
    """Whether a socket listens on this port."""

    @property
    def state(self) -> State:
        """The state by RFC 9293's name: no connection is CLOSED, even where someone listens."""
        return State.CLOSED if self.entry is None else self.entry.state

    @property
    def info(self) -> TcpInfo | None:
        """What came into force, once both ends are synchronized and the kernel reports it."""
        return self.entry.info if self.entry is not None and self.state.synchronized else None


@dataclass(frozen=True, slots=True)
class Moment:
    """What was so after one step."""

    step: str
    kernels: Mapping[Role, Kernel]
    packets: Mapping[Role, int]
    """How many segments had passed the interface of each host."""

    informed: Mapping[Role, bool]
    """Whether all that the ends had sent until then had passed the interface of each host."""

    assumed: Assumed


class Cable:
    """The stage of a history: two hosts, a listener, and each segment between them in hand."""

    def __init__(self, hosts: dict[Role, Host], devices: dict[Role, int], version: int) -> None:
        self.hosts = hosts
        self.moments: list[Moment] = []
        self.open_at_the_end = ExitStack()
        self.addresses = {
            role: host.v4 if version == 4 else host.v6 for role, host in hosts.items()
        }
        self.ends = {
            CLIENT: Endpoint.of(self.addresses[CLIENT], SOURCE_PORT),
            SERVER: Endpoint.of(self.addresses[SERVER], PORT),
        }
        self._devices = devices
        self._tables = {role: InetDiag(host, version) for role, host in hosts.items()}
        for table in self._tables.values():
            self.open_at_the_end.callback(table.close)
        self._under_way: dict[Role, deque[bytes]] = {CLIENT: deque(), SERVER: deque()}
        self._lost: set[Role] = set()
        self._packets = {CLIENT: 0, SERVER: 0}
        self._assumed: dict[tuple[Role, Role], State] = {}
        self.listener = self.keep(hosts[SERVER].listen(PORT, self.addresses[SERVER]))

    def keep(self, made: Socket) -> Socket:
        """Close the socket when the history is over, if it still is open then."""
        return self.open_at_the_end.enter_context(made)

    # What the two users do.

    def start_connect(self) -> Socket:
        """Let the client send its SYN."""
        client = self.socket(CLIENT)
        self.do("the client connects", lambda: self.dial(client, CLIENT))
        return client

    def socket(self, role: Role) -> Socket:
        """Return a new socket of one host."""
        return self.keep(self.hosts[role].socket(self.listener.family))

    def dial(self, end: Socket, role: Role) -> None:
        """Begin to connect."""
        dial(end, self.ends[role].port, self.place(role.other))

    def place(self, role: Role) -> tuple[str, int]:
        """Return an end as sockets name it."""
        return self.addresses[role], self.ends[role].port

    def open(self) -> Ends:
        """Open the connection, each segment a step."""
        client = self.start_connect()
        self.settle()
        return client, self.accept()

    def accept(self) -> Socket:
        """Return the listener's end of the connection; no segment shows that."""
        return self.keep(self.listener.accept()[0])

    def do(self, step: str, act: Callable[[], object], assumed: Assumed = NOTHING) -> None:
        """Let a user act, and note what is so then."""
        act()
        self._note(step, assumed)

    # What happens on the way.

    def carry(self, by: Role, assumed: Assumed = NOTHING) -> None:
        """Let the oldest segment that `by` has sent arrive."""
        frame = self._oldest(by)
        self._lost.discard(by)
        self._passes(by.other)
        # The receiving kernel does all its work, answer included, before the write returns.
        os.write(self._devices[by.other], frame)
        self._note(f"a segment of the {by} arrives", assumed)

    def lose(self, by: Role, assumed: Assumed = NOTHING) -> None:
        """Lose the oldest segment that `by` has sent."""
        self._oldest(by)
        self._lost.add(by)
        self._note(f"a segment of the {by} is lost", assumed)

    def settle(self) -> None:
        """Let all that is under way arrive, and what is answered to it."""
        self._collect()
        while any(self._under_way.values()):
            for role in Role:
                if self._under_way[role]:
                    self.carry(role)

    def settle_until(self, condition: Callable[[], bool], what: str) -> None:
        """Let segments arrive until the condition holds."""

        def settled() -> bool:
            self.settle()
            return condition()

        eventually(settled, what)

    def settle_fins(self) -> None:
        """Let segments arrive until no FIN lacks its ACK, which may come late."""
        waits = (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)
        self.settle_until(
            lambda: all(self.kernel(role).state not in waits for role in Role), "an ACK of the FIN"
        )

    def receive(self, by: Role) -> None:
        """Wait until a clock lets an end send a segment."""

        def sent() -> bool:
            self._collect()
            return bool(self._under_way[by])

        eventually(sent, f"a segment of the {by}")
        self._note(f"the {by} sends again")

    def kernel(self, role: Role) -> Kernel:
        """Return the current state of a host's kernel."""
        local, remote = self.ends[role], self.ends[role.other]
        rows = self._tables[role].read()
        known = [row for row in rows if (row.local, row.remote) == (local, remote)]
        listening = any(row.local == local and row.state is State.LISTEN for row in rows)
        return Kernel(known[0] if known else None, listening)

    def info(self, role: Role) -> TcpInfo:
        """Return what a host's kernel has in force now."""
        info = self.kernel(role).info
        assert info is not None
        return info

    def states(self, role: Role) -> set[State]:
        """Return every state in which a host's kernel was found."""
        return {moment.kernels[role].state for moment in self.moments}

    def _note(self, step: str, assumed: Assumed = NOTHING) -> None:
        self._collect()
        kernels = {role: self.kernel(role) for role in Role}
        still = {
            key: state for key, state in self._assumed.items() if kernels[key[1]].state is not state
        }
        self._assumed = still | dict(assumed)
        informed = {role: self._informed(role) for role in Role}
        self.moments.append(Moment(step, kernels, dict(self._packets), informed, self._assumed))

    def _oldest(self, by: Role) -> bytes:
        self._collect()
        return self._under_way[by].popleft()

    def _informed(self, side: Role) -> bool:
        # What is lost never comes here: its sender is what it was, seen from this side.
        return not any(self._under_way.values()) and side.other not in self._lost

    def _passes(self, side: Role) -> None:
        self._packets[side] += 1
        self._assumed = {key: state for key, state in self._assumed.items() if key[0] is not side}

    def _collect(self) -> None:
        """Take what the hosts have sent; what is no TCP passes at once."""
        for role, device in self._devices.items():
            for frame in _sent(device):
                if _is_tcp(frame):
                    self._passes(role)
                    self._under_way[role].append(frame)
                else:
                    os.write(self._devices[role.other], frame)


def _sent(device: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(device, _FRAME)
        except BlockingIOError:
            return


def _is_tcp(frame: bytes) -> bool:
    kind = frame[12:_ETHERNET]
    at = {_IPV4: _ETHERNET + 9, _IPV6: _ETHERNET + 6}.get(kind)
    return at is not None and frame[at] == _TCP


@contextmanager
def stepwise(folder: Path, version: int) -> Iterator[tuple[Cable, dict[Role, Capture]]]:
    """Yield a cable, and the capture that is taken at each of its ends."""
    with ExitStack() as stack:
        hosts = {role: stack.enter_context(Host(str(role))) for role in Role}
        devices = {
            role: stack.enter_context(tap(host, host.next_interface(0, side)))
            for side, (role, host) in enumerate(hosts.items(), 1)
        }
        for role, host in hosts.items():
            for setting, value in _SETTINGS.items():
                host.sysctl(setting, value)
            there = hosts[role.other].interfaces[0]
            host.ip(
                f"route change 10.77.0.0/24 dev eth0 {PATIENT}",
                f"route add fd77::/64 dev eth0 metric 1 {PATIENT}",
                *(
                    f"neigh replace {address} lladdr {there.mac} dev eth0 nud permanent"
                    for address in (there.v4, there.v6)
                ),
            )
        # No filter: what came before tcpdump had set one would count as passed, and be awaited.
        captures = {
            role: stack.enter_context(
                capture(host, "eth0", folder / f"{role}.pcap", only="", snap=WHOLE)
            )
            for role, host in hosts.items()
        }
        cable = Cable(hosts, devices, version)
        with cable.open_at_the_end:
            yield cable, captures
