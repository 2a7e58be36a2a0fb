"""One connection of the kernel: what its socket shows, and what follows from that."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from handshake.endpoint.ack_monitor import UNKNOWN, AckStatus
from handshake.endpoint.data_phase import close_at
from handshake.endpoint.options import CloseMode
from handshake.endpoint.outcome import (
    Close,
    DataExchange,
    Notes,
    Outcome,
    Verdict,
    verdict_of_reset,
    verdict_of_silence,
)
from handshake.linux.connect import close_socket, local_end, remote_end
from handshake.linux.error_queue import queued
from handshake.linux.next_hop import Selector, unresolved_neighbour
from handshake.linux.tcp_info import tcp_info
from handshake.prober.explanation import explain, no_neighbour, verdict_message
from handshake.prober.kernel.ack_monitor import KernelAckMonitor
from handshake.prober.kernel.handshake import (
    RESETS,
    SynOutcome,
    negotiated,
    round_trip,
    syn_outcome,
)
from handshake.prober.kernel.stream import KernelStream
from handshake.prober.result import Result
from handshake.tcp import State
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from handshake.endpoint.options import ClientOptions, Timeouts
    from handshake.endpoint.outcome import Negotiated
    from handshake.linux.tcp_info import TcpInfo
    from handshake.messages import Message
    from handshake.prober.target import Target
    from handshake.tcp import Endpoint
    from handshake.tcp.icmp import IcmpError

_CHECK: Final = NS_PER_SECOND // 2
"""How often to check on an unanswered SYN: no event reports that it did not leave."""


class KernelConnection:
    """One connection: `poll` it when its socket is ready, and when `deadline` has come."""

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
        """When its timer expires."""

        self.verdict: Verdict | None = None
        self.error: IcmpError | None = None
        self.failure: Message | None = None
        self.syn_sent = 0
        self.done = False
        self.timer = 0
        """The number of its timer."""

        self.reached_itself = False
        """Whether it connected to itself: the kernel chose the destination port as its source."""

        self.again = False
        """Whether to connect again then, from another port."""

        self._timeouts = timeouts
        self._closes_by = options.closing
        self._interface = options.interface
        self._stream = KernelStream(options)
        self._began = now
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
        self._peer_sent = False

    # Its timer.

    @property
    def deadline(self) -> int:
        """When `poll` is due."""
        if self._stream.more:
            return 0
        if self._opened_at is None:
            return min(self._give_up_at, self._check_at)
        return self._give_up_at if self._closing else self._close_at(self._opened_at)

    def _close_at(self, opened_at: int) -> int:
        stream = self._stream
        return close_at(
            opened_at,
            self._timeouts,
            # Our FIN follows what the kernel has accepted, and waits for what it has not.
            unsent=stream.sent < stream.size,
            awaiting=stream.found_expected is False,
            peer_closed=stream.finished,
            observe_until=0 if self._watch is None else self._watch.until,
        )

    def poll(self, now: int) -> None:
        """Examine the socket, and do what follows from it and from the time."""
        # Before the error queue: reading that may clear it.
        number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        error = self._queued(now)
        if self.verdict is None:
            self._examine_syn(number, error, now)
        elif error is not None:
            self._note(error)
        if self._watch is not None and self._opened_at is not None and not self.done:
            self._advance(self._watch, self._opened_at, number, now)

    def _queued(self, now: int) -> IcmpError | None:
        """Return the first ICMP error that is fatal to a SYN; note all others."""
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
        self._notes.add("icmp", sender=error.sender, error=error, answered=False)

    # The connection opens.

    def _examine_syn(self, number: int, error: IcmpError | None, now: int) -> None:
        info = tcp_info(self.sock)
        given_up = now >= self._give_up_at
        self._check_at = now + _CHECK
        found = syn_outcome(info, number, error, (self.local, self.remote), given_up=given_up)
        if found is None:
            return
        if found.verdict in (Verdict.FILTERED, Verdict.LOCAL_ERROR) and given_up:
            # What waits for the reply of a neighbour the kernel counts as sent, or as queued.
            local, remote = self.local, self.remote.address
            flow = Selector(local.address, self._interface, local.port, self.remote.port)
            neighbour = unresolved_neighbour(remote, flow)
            if neighbour is not None:
                failure = no_neighbour(neighbour, remote)
                found = SynOutcome(Verdict.UNREACHABLE, 0, failure)
        if found.verdict is Verdict.OPEN:
            if error is not None:
                self._note(error)
            self._open(found, info, now)
            return
        self.error, self.failure, self.syn_sent = found.error, found.failure, found.syn_sent
        if found.crossed:
            self._notes.add("simultaneous-open")
        if found.verdict is Verdict.CLOSED:
            self._waited = (now - self._began) / NS_PER_SECOND
            self._rtt = self._waited if found.syn_sent == 1 else None
        self._end(found.verdict, now)

    def _open(self, found: SynOutcome, info: TcpInfo, now: int) -> None:
        self.syn_sent = found.syn_sent
        if remote_end(self.sock) == self.local:
            # A simultaneous open with itself: nothing listens there.
            self.reached_itself = True
            self.failure = verdict_message("unsent.itself", port=self.local.port)
            self.syn_sent = 0
            self._end(Verdict.LOCAL_ERROR, now)
            return
        self._negotiated = negotiated(info)
        self._rtt, self._rtt_ambiguous = round_trip(info)
        self.verdict = Verdict.OPEN
        self._opened_at = now
        self._waited = (now - self._began) / NS_PER_SECOND
        measured = (
            None if self._rtt_ambiguous or self._rtt is None else round(self._rtt * NS_PER_SECOND)
        )
        longest = now - self._began if measured is None else measured
        self._watch = KernelAckMonitor(info, now, self._timeouts.observe, longest)

    # It is open.

    def _advance(self, watch: KernelAckMonitor, opened_at: int, number: int, now: int) -> None:
        stream = self._stream
        refused = stream.transfer(self.sock)
        info = tcp_info(self.sock)
        watch.see(info)
        # After a RST the end of the stream is read, too, without a FIN.
        if stream.octets or (stream.finished and number != errno.ECONNRESET):
            self._peer_sent = watch.confirmed = True
        if info.bytes_acked is not None:
            # The SYN counts for one, and so does the FIN.
            self._acknowledged = min(max(0, info.bytes_acked - 1), stream.sent)
        if number not in RESETS:
            # It may have arrived since: a RST leaves the same state as the last ACK.
            number = refused or self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number in RESETS:
            self._close = Close.RESET
            used = bool(self._peer_sent or self._acknowledged or info.data_segs_in)
            self._end(verdict_of_reset(used=used), now)
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
        with suppress(OSError):  # reset already: the next poll shows it
            self.sock.shutdown(socket.SHUT_WR)

    def _give_up(self, watch: KernelAckMonitor, state: State, now: int) -> None:
        fin_acknowledged = state is State.FIN_WAIT_2
        if not fin_acknowledged and self._closing:
            self._notes.add("no-answer-to-fin")
        elif not fin_acknowledged:
            self._notes.add("data-lost", count=None)
        verdict, self._close = verdict_of_silence(
            fin_acknowledged=fin_acknowledged, confirmed=watch.confirmed
        )
        self._end(verdict, now)

    # It is watched for a retransmitted SYN-ACK.

    @property
    def watched(self) -> bool:
        """Whether it is open, and the server has not shown yet that it accepted our ACK."""
        if self._watch is None or self.done or self._watch.confirmed:
            return False
        return self._closing or self._timeouts.observe > 0

    def unexplained(self) -> int:
        """Return how many segments arrived since the last time that show nothing new."""
        assert self._watch is not None
        return self._watch.unexplained(tcp_info(self.sock))

    def answered_again(self, now: int) -> None:
        """Record that the SYN-ACK was retransmitted."""
        watch = self._watch
        assert watch is not None
        watch.answered_again(now)
        if watch.monitor.again:
            self._notes.add("syn-ack-again", soon=False, syns=self.syn_sent > 1)
        # Our FIN carries an ACK, too: the last chance for the server to accept it.
        if watch.in_vain and not self._closing and now >= watch.until:
            self._end(Verdict.HALF_OPEN, now)

    # It is over.

    def _end(self, verdict: Verdict, now: int) -> None:
        if verdict is Verdict.OPEN and self._watch is not None and self._watch.window_closed:
            self._notes.add("syn-proxy", "stayed-closed")
        self.verdict = verdict
        self.done = True
        self._over = now

    @property
    def stays(self) -> bool:
        """Whether it stays open until the end."""
        return self._closes_by is CloseMode.NONE and self.verdict is Verdict.OPEN

    def close_socket(self) -> None:
        """Close the socket; by a RST if the kernel would go on retransmitting for minutes."""
        settled = self._close is not None
        close_socket(self.sock, reset=self._opened_at is not None and not settled)

    def outcome(self) -> Outcome:
        """Return what became of it, once it is `done`."""
        assert self.verdict is not None
        return Outcome(
            verdict=self.verdict,
            close=self._close,
            icmp=self.error,
            failure=self.failure,
            syn_sent=self.syn_sent,
            negotiated=self._negotiated,
            ack_status=self._ack_status(),
            data=self._data(),
            findings=tuple(self._notes),
        )

    def _ack_status(self) -> AckStatus:
        if self._watch is None:
            return UNKNOWN
        watched = max(self._timeouts.observe, self._timeouts.hold) / NS_PER_SECOND
        again = tuple(each / NS_PER_SECOND for each in self._watch.monitor.again)
        return AckStatus(self._watch.confirmed, watched, again)

    def _data(self) -> DataExchange | None:
        stream = self._stream
        if self._opened_at is None or not (
            stream.size or stream.octets or stream.found_expected is not None
        ):
            return None
        acknowledged = self._acknowledged or 0
        return DataExchange(stream.size, acknowledged, stream.octets, stream.found_expected)

    def result(self) -> Result:
        """Return its result, once it is `done`."""
        outcome = self.outcome()
        duration = (self._over - self._began) / NS_PER_SECOND
        local, against = self.local.address, "syn-proxy" if "syn-proxy" in self._notes else ""
        why = explain(outcome, local, self.remote, duration, against=against, kernel=True)
        return Result.of(
            outcome,
            {
                "target": self.target.text,
                "address": str(self.remote.address),
                "port": self.remote.port,
                "reason": why,
                "rtt": self._rtt,
                "rtt_ambiguous": self._rtt_ambiguous,
                "waited": self._waited,
                "guard": "none",
                "duration": duration,
            },
        )
