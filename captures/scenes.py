"""The captures that `record` makes: one function each."""

import socket
from functools import partial

from stage import PORT, SCENES, Stage, scene

from tests.live.lab.delayed_link import delayed
from tests.live.lab.firewall import drop, drop_first, firewall
from tests.live.lab.namespaces import TIMEOUT, pair
from tests.live.lab.sockets import (
    REQUEST,
    RESPONSE,
    Ends,
    ask,
    close,
    dial,
    reset,
    see,
    see_fin,
    send,
)
from tests.live.lab.tcpdump import ANSWERS

__all__ = ["SCENES"]

SYN = "tcp flags syn / syn,ack"
SYN_ACK = "tcp flags syn,ack / syn,ack"
ACK = "tcp flags ack / syn,ack"

# The one-second timers of both ends are rounded up to a tick of 32 or 64 ms. With this delay, the
# SYN is mostly retransmitted before the SYN-ACK; `record` tries until it is.
FAR = partial(delayed, 0.03)


@scene()
def open_close_v4(stage: Stage) -> None:
    """A clean open, a request and its response, a clean close by the client."""
    with stage.tape(stage.client, 10):
        close(*ask(stage.open(stage.server.v4, 40001)))


@scene(nano=True)
def open_close_v6(stage: Stage) -> None:
    """The same over IPv6, with time stamps in nanoseconds."""
    with stage.tape(stage.client, 10):
        close(*ask(stage.open(stage.server.v6, 40001)))


@scene()
def refused(stage: Stage) -> None:
    """The port is closed: a RST answers the SYN."""
    with stage.tape(stage.client, 2):
        stage.refused(stage.server.v4, 81, 40001)


@scene()
def no_answer(stage: Stage) -> None:
    """A firewall drops every SYN: it is retransmitted after 1, 3 and 7 seconds."""
    with drop(stage.server, "input", SYN), stage.tape(stage.client, 4):
        stage.start_connect(stage.server.v4, PORT, 40001)


@scene()
def unreachable(stage: Stage) -> None:
    """A firewall answers SYNs with ICMP and ICMPv6: administratively prohibited."""
    reject = firewall(stage.server, "input", SYN, "reject with icmpx admin-prohibited")
    with reject, stage.tape(stage.client, 4, ANSWERS):
        stage.refused(stage.server.v4, PORT, 40001)
        stage.refused(stage.server.v6, PORT, 40001)


@scene(link=FAR)
def lost_syn_ack(stage: Stage) -> None:
    """The first SYN-ACK is lost: SYN and SYN-ACK are retransmitted."""
    with drop_first(stage.client, "input", SYN_ACK), stage.tape(stage.server, 11):
        close(*ask(stage.open(stage.server.v4, 40001)))


@scene()
def half_open(stage: Stage) -> None:
    """No ACK of the client arrives: the SYN-ACK is retransmitted after 1 and 3 seconds."""
    with drop(stage.client, "output", ACK), stage.tape(stage.server, 4):
        stage.start_connect(stage.server.v4, PORT, 40001)


@scene()
def simultaneous_open(stage: Stage) -> None:
    """Both ends connect, and their SYNs cross."""
    with stage.tape(stage.client, 13):
        close(*ask(open_both(stage, 40001)))


def open_both(stage: Stage, port: int) -> Ends:
    """Open a connection from both ends at the same time."""
    left, right = stage.keep(stage.client.socket()), stage.keep(stage.server.socket())
    dial(left, port, (stage.server.v4, port))
    dial(right, port, (stage.client.v4, port))
    for end in (left, right):
        end.settimeout(TIMEOUT)  # a send now waits for the connection
    return left, right


@scene()
def simultaneous_close(stage: Stage) -> None:
    """Both ends close at the same time, and their FINs cross: FIN-WAIT-1, CLOSING, TIME-WAIT."""
    with stage.tape(stage.client, 11):
        for end in (ends := ask(stage.open(stage.server.v4, 40001))):
            end.shutdown(socket.SHUT_WR)
        for end in ends:
            see_fin(end)


@scene()
def half_close(stage: Stage) -> None:
    """The client sends its request and a FIN; the server keeps sending, then closes."""
    with stage.tape(stage.client, 12):
        client, accepted = stage.open(stage.server.v4, 40001)
        send(REQUEST, client, accepted)
        client.shutdown(socket.SHUT_WR)
        see_fin(accepted)
        for _ in range(2):
            send(RESPONSE, accepted, client)
        close(accepted, client)


@scene()
def rst_mid_stream(stage: Stage) -> None:
    """The client aborts with data in flight: RST, and another RST when that arrives."""
    with stage.tape(stage.client, 10):
        client, accepted = ask(stage.open(stage.server.v4, 40001))
        accepted.sendall(RESPONSE)
        reset(client)


@scene()
def reset_after_accept(stage: Stage) -> None:
    """The server accepts and aborts at once."""
    with stage.tape(stage.client, 4):
        reset(stage.open(stage.server.v4, 40001)[1])


@scene()
def no_window_scaling(stage: Stage) -> None:
    """The server does not scale windows: the client's offer has no effect."""
    stage.server.sysctl("net.ipv4.tcp_window_scaling", 0)
    with stage.tape(stage.client, 10):
        close(*ask(stage.open(stage.server.v4, 40001)))


@scene()
def ecn(stage: Stage) -> None:
    """The client asks for ECN twice: the server agrees, then declines."""
    stage.client.sysctl("net.ipv4.tcp_ecn", 1)
    with stage.tape(stage.client, 20) as tape:
        for wanted, source_port, packets in ((2, 40001, 10), (0, 40002, 20)):
            stage.server.sysctl("net.ipv4.tcp_ecn", wanted)
            close(*ask(stage.open(stage.server.v4, source_port)))
            tape.wait(packets)


@scene(nano=True)
def fast_open(stage: Stage) -> None:
    """The client gets a Fast Open cookie, then connects with it and with data in the SYN."""
    stage.server.sysctl("net.ipv4.tcp_fastopen", 2)
    stage.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    with stage.tape(stage.client, 16) as tape:
        # Without a cookie, only a blocking socket sends its data once the connection is open.
        for source_port, blocking, packets in ((40001, True, 8), (40002, False, 16)):
            client = stage.keep(stage.client.socket())
            client.bind(("", source_port))
            client.setblocking(blocking)
            client.sendto(REQUEST, socket.MSG_FASTOPEN, (stage.server.v4, PORT))
            accepted = stage.keep(stage.listener.accept()[0])
            see(REQUEST, accepted)
            client.settimeout(TIMEOUT)
            send(RESPONSE, accepted, client)
            close(client, accepted)
            tape.wait(packets)


@scene()
def port_reuse(stage: Stage) -> None:
    """Two connections, one after the other, between the same addresses and ports."""
    with stage.tape(stage.client, 20) as tape:
        for packets in (10, 20):
            client, accepted = ask(stage.open(stage.server.v4, 40001))
            close(accepted, client)  # the server is left in TIME-WAIT, so the client is free
            tape.wait(packets)


@scene()
def one_side_only(stage: Stage) -> None:
    """A clean connection of which only the client's packets were recorded."""
    with stage.tape(stage.client, 6, f"tcp and src host {stage.client.v4}"):
        close(*ask(stage.open(stage.server.v4, 40001)))


@scene(link=pair)
def checksum_offload(stage: Stage) -> None:
    """Checksums are not computed on a veth: none is right, and nothing is wrong."""
    with stage.tape(stage.client, 10):
        close(*ask(stage.open(stage.server.v4, 40001)))


@scene()
def mixed(stage: Stage) -> None:
    """Connections of most kinds, many at a time, in both IP versions; some open at the end."""
    v4, v6 = stage.server.v4, stage.server.v6
    before = stage.open(v4, 41000)
    late = drop_first(stage.server, "input", f"tcp dport {PORT} tcp sport 41001 {SYN}")
    silent = drop(stage.server, "input", "tcp dport 9")
    prohibited = firewall(
        stage.server, "input", "tcp dport 13", "reject with icmpx admin-prohibited"
    )
    with late, silent, prohibited, stage.tape(stage.client, 178, ANSWERS) as tape:
        for packets in (10, 20):  # twice between the same ports
            close(*reversed(ask(stage.open(v4, 41002))))
            tape.wait(packets)
        for address in (v4, v6):
            stage.start_connect(address, 9, 41009)
            stage.refused(address, 81, 41081)
            stage.refused(address, 13, 41013)
        second_try = stage.start_connect(v4, PORT, 41001)
        opened = stage.open_together([(v4, 41010 + n) for n in range(8)])
        stage.client.sysctl("net.ipv4.tcp_ecn", 1)
        opened += stage.open_together([(v6, 41020 + n) for n in range(6)])
        exchange_all([*opened, before])
        for ends in opened[:3]:
            close(*ends)
        for ends in opened[8:11]:
            close(*reversed(ends))
        reset(opened[3][0])
        reset(opened[4][1])
        reset(opened[11][1])
        opened[5][0].shutdown(socket.SHUT_WR)
        see_fin(opened[5][1])
        ask(open_both(stage, 41030))
        second_try.settimeout(TIMEOUT)
        close(*ask((second_try, stage.keep(stage.listener.accept()[0]))))


def exchange_all(opened: list[Ends]) -> None:
    """Exchange request and response on many connections at a time."""
    for client, _ in opened:
        client.sendall(REQUEST)
    for _, accepted in opened:
        see(REQUEST, accepted)
        accepted.sendall(RESPONSE)
    for client, _ in opened:
        see(RESPONSE, client)
