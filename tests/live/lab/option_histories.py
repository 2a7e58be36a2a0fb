"""Histories in which two kernels do not offer each other the usual: options, ECN, Fast Open."""

import socket
from contextlib import suppress
from socket import AF_INET, AF_INET6

from handshake.linux.tcp_info import TcpInfo
from tests.live.lab.cable import CLIENT, PATIENT, SERVER, Cable
from tests.live.lab.histories import finish, history, send_data
from tests.live.lab.namespaces import Host, Socket
from tests.live.lab.sockets import REQUEST, RESPONSE, see


def tune(*hosts: Host, **settings: int) -> None:
    """Set parameters of TCP in kernels."""
    for host in hosts:
        for name, value in settings.items():
            host.sysctl(f"net.ipv4.tcp_{name}", value)


def exchange_data(cable: Cable) -> TcpInfo:
    """Open, exchange data each way, close; return what the client negotiated."""
    ends = cable.open()
    send_data(cable, ends[0], REQUEST)
    send_data(cable, ends[1], RESPONSE)
    see(REQUEST, ends[1])
    see(RESPONSE, ends[0])
    info = cable.info(CLIENT)
    finish(cable, *ends)
    return info


@history
def ecn_wanted_by_both(cable: Cable) -> None:
    tune(*cable.hosts.values(), ecn=1)
    assert exchange_data(cable).ecn


@history
def ecn_refused(cable: Cable) -> None:
    tune(cable.hosts[CLIENT], ecn=1)
    tune(cable.hosts[SERVER], ecn=0)
    assert not exchange_data(cable).ecn


@history
def no_window_scaling_at_the_server(cable: Cable) -> None:
    tune(cable.hosts[SERVER], window_scaling=0)
    assert exchange_data(cable).rcv_shift == 0


@history
def no_window_scaling_at_the_client(cable: Cable) -> None:
    tune(cable.hosts[CLIENT], window_scaling=0)
    assert exchange_data(cable).snd_shift == 0


@history
def each_its_own_window_shift(cable: Cable) -> None:
    cable.hosts[CLIENT].sysctl("net.ipv4.tcp_rmem", "4096 131072 268435456")
    info = exchange_data(cable)
    assert info.snd_shift < info.rcv_shift


@history
def no_timestamps(cable: Cable) -> None:
    tune(cable.hosts[SERVER], timestamps=0)
    assert not exchange_data(cable).timestamps


@history
def no_sack(cable: Cable) -> None:
    tune(cable.hosts[CLIENT], sack=0)
    assert not exchange_data(cable).sack


@history
def no_options_at_all(cable: Cable) -> None:
    tune(*cable.hosts.values(), window_scaling=0, timestamps=0, sack=0)
    for host in cable.hosts.values():  # a kernel always sends the last one, the MSS
        host.nft(
            "table inet bare { chain out { type filter hook output priority 0;\n"
            "tcp flags syn reset tcp option maxseg\n"
            "}; }"
        )
    info = exchange_data(cable)
    assert info.snd_mss == {AF_INET: 536, AF_INET6: 1220}[cable.listener.family]


@history
def a_smaller_mss_at_either_end(cable: Cable) -> None:
    for role, octets in ((CLIENT, 1000), (SERVER, 700)):
        there = cable.addresses[role.other]
        cable.hosts[role].ip(f"route add {there} dev eth0 advmss {octets} {PATIENT}")
    client, accepted = cable.open()
    send_data(cable, client, bytes(2000))
    send_data(cable, accepted, bytes(2000))
    assert [cable.info(role).snd_mss for role in (CLIENT, SERVER)] == [700 - 12, 1000 - 12]
    for end in (client, accepted):
        see(bytes(2000), end)
    finish(cable, client, accepted)


@history
def fast_open_with_a_cookie_and_data(cable: Cable) -> None:
    get_cookie(cable)
    client = connect_with_data(cable)
    cable.settle()
    accepted = cable.accept()
    see(REQUEST, accepted)
    assert cable.info(CLIENT).syn_data
    send_data(cable, accepted, RESPONSE)
    see(RESPONSE, client)
    finish(cable, accepted, client)


@history
def fast_open_closed_before_the_last_ack(cable: Cable) -> None:
    get_cookie(cable)
    client = connect_with_data(cable)
    cable.carry(CLIENT)
    accepted = cable.accept()
    see(REQUEST, accepted)
    cable.do("the server answers", lambda: accepted.sendall(RESPONSE))
    cable.do("the server closes", accepted.close)
    cable.settle_fins()
    see(RESPONSE, client)
    finish(cable, client)


def get_cookie(cable: Cable) -> None:
    """Enable Fast Open at both ends, and connect once to get the cookie."""
    tune(*cable.hosts.values(), fastopen=3)
    cable.listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    client = connect_with_data(cable)
    cable.settle()
    finish(cable, cable.accept(), client)


def connect_with_data(cable: Cable) -> Socket:
    """Connect with data in the SYN; without a cookie the SYN has no data."""
    client = cable.socket(CLIENT)
    client.bind(("", cable.ends[CLIENT].port))
    client.setblocking(False)

    def connect() -> None:
        with suppress(BlockingIOError):
            client.sendto(REQUEST, socket.MSG_FASTOPEN, cable.place(SERVER))

    cable.do("the client connects with data", connect)
    return client
