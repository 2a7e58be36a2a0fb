"""A call that the kernel makes: what its socket shows of it, and what that comes to."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from handshake.endpoint.ack_monitor import AckStatus
from handshake.endpoint.options import CloseMode
from handshake.endpoint.verdict import Close, Notes, Verdict
from handshake.linux.connect import close_socket, local_end, remote_end
from handshake.linux.error_queue import queued
from handshake.linux.next_hop import unresolved_neighbour
from handshake.linux.tcp_info import tcp_info
from handshake.prober.explanation import nobody_answers, reason
from handshake.prober.kernel.ack_monitor import KernelAckMonitor
from handshake.prober.kernel.handshake import (
    RESETS,
    SynOutcome,
    negotiated,
    round_trip,
    syn_outcome,
)
from handshake.prober.kernel.stream import KernelStream
from handshake.prober.result import DataExchange, Result
from handshake.tcp import Flags, State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.endpoint.options import ClientOptions
    from handshake.endpoint.timeouts import Timeouts
    from handshake.linux.tcp_info import TcpInfo
    from handshake.prober.result import Negotiated
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError

_CHECK: Final = NS_PER_SECOND // 2
"""Between two looks at a SYN that nobody answers: no event tells that it did not leave."""


class KernelConnection:
    """One call: `poll` it when its socket has something to tell, and when `deadline` has come."""

    def __init__(
        self,
        target: Target,
        remote: Endpoint,
        sock: socket.socket,
        timeouts: Timeouts,
        options: ClientOptions,
        now: int,
    ) -> None:
        self.target = target
        self.local = local_end(sock)
        self.remote = remote
        self.sock = sock
        self.due: int | None = None
        """When it will be woken."""

        self.verdict: Verdict | None = None
        self.error: IcmpError | None = None
        self.failure = ""
        self.syn_sent = 0
        self.done = False
        self.slot: list[KernelConnection | None] = [self]
        """How those find it that would wake it: empty once it has ended."""

        self.reached_itself = False
        """Whether the port that it was given is the one that it calls."""

        self.again = False
        """Whether it is then to be made again, from another."""

        self._timeouts = timeouts
        self._closes_by = options.closing
        self._interface = options.interface
        self._stream = KernelStream(options)
        self._begun = now
        self._over = now
        self._check_at = now + _CHECK
        self._give_up_at = now + timeouts.handshake
        self._opened_at: int | None = None
        self._closing = False
        self._close: Close | None = None
        self._negotiated: Negotiated | None = None
        self._rtt: float | None = None
        self._rtt_ambiguous = False
        self._waited: float | None = None
        self._notes = Notes()
        self._watch: KernelAckMonitor | None = None
        self._acknowledged: int | None = None
        self._heard = False

    # When it is to be moved.

    @property
    def deadline(self) -> int:
        """When `poll` is due."""
        if self._stream.more:
            return 0
        if self._opened_at is None:
            return min(self._give_up_at, self._check_at)
        return self._give_up_at if self._closing else self._close_at(self._opened_at)

    def _close_at(self, opened_at: int) -> int:
        stream, timeouts = self._stream, self._timeouts
        # Our FIN stands behind what the kernel has taken, and waits for what it has not.
        waiting = stream.sent < stream.size or (
            stream.found_expected is False and not stream.finished
        )
        until = opened_at + (timeouts.handshake if waiting else 0)
        if stream.finished:
            return until
        watched = 0 if self._watch is None else self._watch.until
        return max(until, opened_at + timeouts.hold, watched)

    def poll(self, now: int) -> None:
        """Look at the socket, and do what follows from it and from the time."""
        # Before the queue: to take an error off that may clear it.
        number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        error = self._queued(now)
        if self.verdict is None:
            self._look(number, error, now)
        elif error is not None:
            self._note(error)
        if self._watch is not None and self._opened_at is not None and not self.done:
            self._go_on(self._watch, self._opened_at, number, now)

    def _queued(self, now: int) -> IcmpError | None:
        """Return the first ICMP error that is fatal to a SYN; take note of all others."""
        found: IcmpError | None = None
        for each in queued(self.sock, self.local.address, self.remote.address, now):
            if each.icmp is None:
                continue
            if found is None and each.icmp.unreachable:
                found = each.icmp
            else:
                self._note(each.icmp)
        return found

    def _note(self, error: IcmpError) -> None:
        self._notes.add("icmp", f"{error.sender} says: {error}.")

    # The connection opens.

    def _look(self, number: int, error: IcmpError | None, now: int) -> None:
        info = tcp_info(self.sock)
        given_up = now >= self._give_up_at
        self._check_at = now + _CHECK
        found = syn_outcome(info, number, error, (self.local, self.remote), given_up=given_up)
        if found is None:
            return
        if found.verdict in (Verdict.FILTERED, Verdict.LOCAL_ERROR) and given_up:
            # What waits for a neighbour to answer the kernel counts as sent, or as in a queue.
            who = unresolved_neighbour(self.remote.address, self.local.address, self._interface)
            if who is not None:
                failure = nobody_answers(who, self.remote.address)
                found = SynOutcome(Verdict.UNREACHABLE, 0, failure)
        if found.verdict is Verdict.OPEN:
            if error is not None:
                self._note(error)
            self._open(found, info, now)
            return
        self.error, self.failure, self.syn_sent = found.error, found.failure, found.syn_sent
        if found.verdict is Verdict.CLOSED:
            self._waited = (now - self._begun) / NS_PER_SECOND
            self._rtt = self._waited if found.syn_sent == 1 else None
        self._end(found.verdict, now)

    def _open(self, found: SynOutcome, info: TcpInfo, now: int) -> None:
        self.syn_sent = found.syn_sent
        if remote_end(self.sock) == self.local:
            # Both ends called at once, and both are ours: nobody listens.
            self.reached_itself = True
            self.failure = f"port {self.local.port} would call itself; choose another to call from"
            self.syn_sent = 0
            self._end(Verdict.LOCAL_ERROR, now)
            return
        self._negotiated = negotiated(info)
        self._rtt, self._rtt_ambiguous = round_trip(info)
        self.verdict = Verdict.OPEN
        self._opened_at = now
        self._waited = (now - self._begun) / NS_PER_SECOND
        measured = (
            None if self._rtt_ambiguous or self._rtt is None else round(self._rtt * NS_PER_SECOND)
        )
        longest = now - self._begun if measured is None else measured
        self._watch = KernelAckMonitor(info, now, self._timeouts.observe, longest)

    # It is open.

    def _go_on(self, watch: KernelAckMonitor, opened_at: int, number: int, now: int) -> None:
        stream = self._stream
        refused = stream.go_on(self.sock)
        info = tcp_info(self.sock)
        watch.see(info)
        # After a RST there is an end to be read too, and nobody sent a FIN.
        if stream.octets or (stream.finished and number != errno.ECONNRESET):
            self._heard = watch.confirmed = True
        if info.bytes_acked is not None:
            # The SYN counts for one, and so does the FIN.
            self._acknowledged = min(max(0, info.bytes_acked - 1), stream.sent)
        if number not in RESETS:
            # It may have come in since: a RST leaves the same state as the last ACK.
            number = refused or self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number in RESETS:
            self._close = Close.RESET
            # An ACK of our FIN is the peer's TCP's doing, and no program's.
            used = self._heard or self._acknowledged or info.data_segs_in
            self._end(Verdict.OPEN if used else Verdict.RESET, now)
        elif info.state is State.CLOSED and self._closing and stream.finished:
            self._close = Close.CLEAN
            self._end(Verdict.OPEN, now)
        elif (info.state is State.CLOSED and number == errno.ETIMEDOUT) or (
            self._closing and now >= self._give_up_at
        ):
            self._give_up(watch, info.state, now)
        elif not self._closing and now >= self._close_at(opened_at):
            if watch.in_vain:
                self._end(Verdict.HALF_OPEN, now)
            else:
                self._shut(now)

    def _shut(self, now: int) -> None:
        if self._closes_by is not CloseMode.FIN:
            self._end(Verdict.OPEN, now)
            return
        self._closing = True
        self._stream.stop()
        self._give_up_at = now + self._timeouts.close
        with suppress(OSError):  # reset already: the next look shows it
            self.sock.shutdown(socket.SHUT_WR)

    def _give_up(self, watch: KernelAckMonitor, state: State, now: int) -> None:
        if state is State.FIN_WAIT_2:
            self._close = Close.PEER_KEPT_OPEN
        elif self._closing:
            self._notes.add("no-answer-to-fin", "Nothing acknowledged our FIN.")
        else:
            self._notes.add("data-lost", "What we said was not acknowledged in time.")
        confirmed = watch.confirmed or state is State.FIN_WAIT_2
        self._end(Verdict.OPEN if confirmed else Verdict.HALF_OPEN, now)

    # It is watched for a SYN,ACK that comes again.

    @property
    def watched(self) -> bool:
        """Whether it is open, and the peer has not shown yet that it took our ACK."""
        if self._watch is None or self.done or self._watch.confirmed:
            return False
        return self._closing or self._timeouts.observe > 0

    def unexplained(self) -> int:
        """Return how many segments came in since the last time that showed nothing new."""
        assert self._watch is not None
        return self._watch.unexplained(tcp_info(self.sock))

    def answered_again(self, now: int) -> None:
        """Take note that the SYN,ACK came again."""
        watch = self._watch
        assert watch is not None
        watch.answered_again(now)
        if watch.watch.again:
            what = "The SYN+ACK came again: our ACK was late, or was lost."
            self._notes.add("syn-ack-again", what)
        # Our FIN is a last chance to open it, and so to say for sure.
        if watch.in_vain and not self._closing and now >= watch.until:
            self._end(Verdict.HALF_OPEN, now)

    # It is over.

    def _end(self, verdict: Verdict, now: int) -> None:
        self.verdict = verdict
        self.done = True
        self._over = now

    @property
    def stays(self) -> bool:
        """Whether it is to be left open."""
        return self._closes_by is CloseMode.NONE and self.verdict is Verdict.OPEN

    def close_socket(self) -> None:
        """Close the socket; by RST where the kernel would go on sending for minutes."""
        settled = self._close is not None
        close_socket(self.sock, reset=self._opened_at is not None and not settled)

    @property
    def asked(self) -> Flags:
        """The control bits of the first segment."""
        return Flags.SYN

    @property
    def ignored(self) -> bool:
        """Whether something came back that is no answer, as far as the kernel tells."""
        return self._notes.of_strays

    @property
    def crossed(self) -> bool:
        """Whether the peer called us while we called it: the kernel does not tell."""
        return False

    @property
    def ack_status(self) -> AckStatus:
        """What is known of whether the peer took our ACK."""
        watched = max(self._timeouts.observe, self._timeouts.hold) / NS_PER_SECOND
        if self._watch is None:
            return AckStatus(confirmed=False, watched=0)
        again = tuple(each / NS_PER_SECOND for each in self._watch.watch.again)
        return AckStatus(self._watch.confirmed, watched, again)

    def _said(self) -> DataExchange | None:
        stream = self._stream
        if self._opened_at is None or not (
            stream.size or stream.octets or stream.found_expected is not None
        ):
            return None
        return DataExchange(
            stream.size, self._acknowledged or 0, stream.octets, stream.found_expected
        )

    def result(self) -> Result:
        """Return what became of it."""
        assert self.verdict is not None
        data = self._said()
        return Result(
            target=self.target.text,
            address=str(self.remote.address),
            port=self.remote.port,
            verdict=self.verdict,
            reason=reason(self, (self._over - self._begun) / NS_PER_SECOND, data),
            icmp=self.error,
            rtt=self._rtt,
            rtt_ambiguous=self._rtt_ambiguous,
            waited=self._waited,
            syn_sent=self.syn_sent,
            negotiated=self._negotiated,
            close=self._close,
            guard="none",
            findings=tuple(self._notes),
            duration=(self._over - self._begun) / NS_PER_SECOND,
            syn_ack_again=self.ack_status.again,
            data=data,
        )
