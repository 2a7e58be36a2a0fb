"""What two kernels go through on a cable worked by hand: one function a history."""

import select
import socket
from collections.abc import Callable
from functools import partial

from handshake.tcp import State
from tests.live.lab.cable import CLIENT, SERVER, Cable
from tests.live.lab.namespaces import Socket
from tests.live.lab.sockets import REQUEST, RESPONSE, dial, reset, see

History = Callable[[Cable], None]

HISTORIES: dict[str, History] = {}
"""Every history by its name."""


def history(play: History) -> History:
    """Enter a function among the histories."""
    HISTORIES[play.__name__] = play
    return play


def finish(cable: Cable, *ends: Socket) -> None:
    """Close in order, the first end first, each segment a step."""
    for end in ends:
        cable.do("one end closes", end.close)
        cable.settle_fins()


def send_data(cable: Cable, end: Socket, data: bytes = REQUEST) -> None:
    """Send data and let all that follows at once arrive."""
    cable.do("one end sends", lambda: end.sendall(data))
    cable.settle()


def shut(cable: Cable, end: Socket) -> None:
    """End one direction."""
    cable.do("one end has sent all", lambda: end.shutdown(socket.SHUT_WR))


# Closes.


@history
def close_by_the_client(cable: Cable) -> None:
    ends = cable.open()
    send_data(cable, ends[0])
    send_data(cable, ends[1], RESPONSE)
    for end, data in zip(ends, (RESPONSE, REQUEST), strict=True):
        see(data, end)  # what is not read would make a RST of the close
    finish(cable, *ends)


@history
def close_by_the_server(cable: Cable) -> None:
    client, accepted = cable.open()
    send_data(cable, accepted, RESPONSE)
    see(RESPONSE, client)
    finish(cable, accepted, client)


@history
def simultaneous_close(cable: Cable) -> None:
    for end in cable.open():
        shut(cable, end)
    cable.carry(CLIENT)
    cable.carry(SERVER)
    cable.settle()
    assert all(State.CLOSING in cable.states(role) for role in (CLIENT, SERVER))


@history
def half_close_with_data_after(cable: Cable) -> None:
    client, accepted = cable.open()
    shut(cable, client)
    cable.settle_fins()
    send_data(cable, accepted, RESPONSE)
    send_data(cable, accepted, RESPONSE)
    finish(cable, accepted, client)


@history
def fin_with_the_last_data(cable: Cable) -> None:
    client, accepted = cable.open()
    cable.do("the client holds back", lambda: client.send(REQUEST, socket.MSG_MORE))
    shut(cable, client)
    cable.settle_fins()
    see(REQUEST, accepted)
    finish(cable, accepted, client)


# Refusals and resets.


@history
def refused(cable: Cable) -> None:
    cable.do("the server's listener ends", cable.listener.close)
    cable.start_connect()
    cable.settle()


@history
def reset_by_the_client(cable: Cable) -> None:
    client, accepted = cable.open()
    cable.do("the server sends", lambda: accepted.sendall(RESPONSE))
    cable.do("the client aborts", lambda: reset(client))
    cable.settle()


@history
def reset_by_the_server(cable: Cable) -> None:
    _, accepted = cable.open()
    cable.do("the server aborts", lambda: reset(accepted))
    cable.settle()


@history
def reset_for_unread_data(cable: Cable) -> None:
    client, accepted = cable.open()
    finish(cable, client)
    send_data(cable, accepted, RESPONSE)


@history
def reset_of_a_half_open_entry(cable: Cable) -> None:
    client = cable.start_connect()
    cable.carry(CLIENT)
    # A user that gives up in SYN-SENT sends nothing; its kernel answers the SYN-ACK with a RST.
    assumed = {(CLIENT, CLIENT): State.SYN_SENT, (SERVER, CLIENT): State.ESTABLISHED}
    cable.do("the client gives up", client.close, assumed)
    cable.settle()


@history
def a_client_that_forgot_the_connection(cable: Cable) -> None:
    client, _ = cable.open()
    cable.do("the client aborts", lambda: reset(client))
    cable.lose(CLIENT, {(CLIENT, SERVER): State.CLOSED})
    again = cable.start_connect()  # RFC 9293, figure 9: an ACK, a RST, and the SYN comes again
    cable.settle_until(
        lambda: cable.kernel(CLIENT).state is State.ESTABLISHED, "the second connection"
    )
    cable.settle()
    finish(cable, again, cable.accept())


@history
def no_room_for_another_connection(cable: Cable) -> None:
    first = cable.socket(CLIENT)
    cable.do("another client connects", lambda: dial(first, 40009, cable.place(SERVER)))
    client = cable.start_connect()
    for role in (CLIENT, CLIENT, SERVER, SERVER, CLIENT):
        cable.carry(role)
    # The accept queue is full: the kernel drops the ACK, and retransmits the SYN-ACK.
    cable.listener.listen(0)
    cable.carry(CLIENT, {(side, SERVER): State.ESTABLISHED for side in (CLIENT, SERVER)})
    cable.do("the server accepts the other", cable.accept)
    cable.receive(SERVER)
    cable.settle()
    finish(cable, client, cable.accept())


@history
def syn_cookies(cable: Cable) -> None:
    cable.hosts[SERVER].sysctl("net.ipv4.tcp_syncookies", 2)
    client = cable.start_connect()
    # The server answers and remembers nothing: all it must know is in its ISN and its timestamp.
    cable.carry(CLIENT, {(SERVER, SERVER): State.SYN_RECEIVED})
    cable.carry(SERVER, {(CLIENT, SERVER): State.ESTABLISHED})
    cable.settle()
    finish(cable, client, cable.accept())


@history
def port_reuse_through_time_wait(cable: Cable) -> None:
    client, accepted = cable.open()
    finish(cable, accepted, client)
    finish(cable, *cable.open())


# What is out of the ordinary while it is open.


@history
def simultaneous_open(cable: Cable) -> None:
    cable.do("the server's listener ends", cable.listener.close)
    for role in (CLIENT, SERVER):
        cable.do(f"the {role} connects", partial(cable.dial, cable.socket(role), role))
    cable.carry(CLIENT)
    cable.carry(SERVER)
    cable.settle()
    assert all(State.SYN_RECEIVED in cable.states(role) for role in (CLIENT, SERVER))


@history
def zero_window_and_its_reopening(cable: Cable) -> None:
    cable.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client, accepted = cable.open()
    left = 32768
    cable.do("the client sends much", lambda: client.sendall(bytes(left)))

    def read_all() -> bool:
        nonlocal left
        if left and select.select([accepted], [], [], 0)[0]:
            left -= len(accepted.recv(left))
        return not left

    cable.settle_until(lambda: cable.info(CLIENT).snd_wnd == 0, "the window to close")
    cable.receive(CLIENT)  # a probe
    cable.settle()
    cable.do("the server reads", read_all)
    cable.settle_until(read_all, "the rest")
    assert cable.info(CLIENT).snd_wnd
    finish(cable, client, accepted)


@history
def keep_alive(cable: Cable) -> None:
    ends = cable.open()
    ends[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    cable.receive(CLIENT)
    cable.settle()
    finish(cable, *ends)
