"""Histories in which segments are lost: what a capture must assume, and when it knows better."""

from select import select

from handshake.tcp import State
from tests.live.lab.cable import CLIENT, SERVER, Cable
from tests.live.lab.firewall import drop
from tests.live.lab.histories import finish, history, send_data, shut
from tests.live.lab.sockets import REQUEST, RESPONSE, reset, see


@history
def lost_syn(cable: Cable) -> None:
    cable.start_connect()
    cable.lose(CLIENT)
    cable.receive(CLIENT)
    cable.settle()


@history
def lost_syn_ack(cable: Cable) -> None:
    cable.start_connect()
    cable.carry(CLIENT)
    cable.lose(SERVER, {(SERVER, CLIENT): State.ESTABLISHED})
    cable.receive(CLIENT)
    cable.settle()


@history
def lost_final_ack(cable: Cable) -> None:
    cable.start_connect()
    cable.carry(CLIENT)
    cable.carry(SERVER)
    cable.lose(CLIENT, {(CLIENT, SERVER): State.ESTABLISHED})
    cable.receive(SERVER)
    cable.settle()


@history
def lost_final_ack_made_good_by_data(cable: Cable) -> None:
    client = cable.start_connect()
    cable.carry(CLIENT)
    cable.carry(SERVER)
    cable.lose(CLIENT, {(CLIENT, SERVER): State.ESTABLISHED})
    cable.do("the client sends", lambda: client.send(REQUEST))
    cable.settle()


@history
def lost_fin(cable: Cable) -> None:
    ends = cable.open()
    shut(cable, ends[0])
    cable.lose(CLIENT, {(CLIENT, SERVER): State.CLOSE_WAIT})
    cable.receive(CLIENT)
    cable.settle()
    finish(cable, *ends)


@history
def lost_ack_of_the_fin(cable: Cable) -> None:
    ends = cable.open()
    shut(cable, ends[0])
    cable.carry(CLIENT)
    cable.receive(SERVER)
    cable.lose(SERVER, {(SERVER, CLIENT): State.FIN_WAIT_2})
    cable.receive(CLIENT)
    cable.settle()
    finish(cable, *ends)


@history
def lost_last_ack(cable: Cable) -> None:
    client, accepted = cable.open()
    shut(cable, client)
    cable.settle_fins()
    shut(cable, accepted)
    cable.carry(SERVER)
    cable.lose(CLIENT, {(CLIENT, SERVER): State.CLOSED})
    cable.receive(SERVER)
    cable.settle()


@history
def lost_reset(cable: Cable) -> None:
    client, accepted = cable.open()
    cable.do("the client breaks off", lambda: reset(client))
    cable.lose(CLIENT, {(CLIENT, SERVER): State.CLOSED})
    cable.do("the server goes on", lambda: accepted.sendall(RESPONSE))
    cable.carry(SERVER)
    # What the server sent proves that it did not receive the RST, so it is sent another one.
    cable.lose(CLIENT, {(CLIENT, SERVER): State.CLOSED})
    cable.receive(SERVER)
    cable.settle()


@history
def lost_data_behind_which_more_came(cable: Cable) -> None:
    ends = cable.open()
    cable.do("the client sends", lambda: ends[0].sendall(REQUEST))
    cable.lose(CLIENT)
    send_data(cable, ends[0])
    cable.settle_until(lambda: bool(select([ends[1]], [], [], 0)[0]), "what was lost")
    see(REQUEST * 2, ends[1])
    finish(cable, *ends)


@history
def fin_before_the_data_that_was_lost(cable: Cable) -> None:
    client, _ = cable.open()
    cable.do("the client sends", lambda: client.sendall(REQUEST))
    cable.lose(CLIENT)
    shut(cable, client)
    # The FIN waits at the server for the data before it. The server's ACK asks for that data, but
    # it could as well have crossed both: only a later ACK shows it.
    assumed = {(CLIENT, SERVER): State.CLOSE_WAIT}
    cable.carry(CLIENT, assumed)
    cable.receive(SERVER)
    cable.carry(SERVER, assumed)
    cable.settle_fins()


# Repetitions that are not answered: nothing hides what they prove.


@history
def fin_repeated_to_a_host_that_is_silent(cable: Cable) -> None:
    client, _ = cable.open()
    shut(cable, client)
    cable.carry(CLIENT)
    cable.receive(SERVER)
    cable.lose(SERVER, {(SERVER, CLIENT): State.FIN_WAIT_2})
    with drop(cable.hosts[SERVER], "output", "meta l4proto tcp"):
        cable.receive(CLIENT)
        cable.carry(CLIENT)
    cable.settle_fins()


@history
def last_fin_repeated_to_a_host_that_is_silent(cable: Cable) -> None:
    client, accepted = cable.open()
    shut(cable, client)
    cable.settle_fins()
    shut(cable, accepted)
    cable.carry(SERVER)
    cable.lose(CLIENT, {(CLIENT, SERVER): State.CLOSED})
    with drop(cable.hosts[CLIENT], "output", "meta l4proto tcp"):
        cable.receive(SERVER)
        cable.carry(SERVER)
    cable.settle_fins()


@history
def data_repeated_to_a_host_that_has_broken_off(cable: Cable) -> None:
    client, accepted = cable.open()
    cable.do("the client breaks off", lambda: reset(client))
    cable.lose(CLIENT, {(CLIENT, SERVER): State.CLOSED})
    with drop(cable.hosts[CLIENT], "output", "meta l4proto tcp"):
        cable.do("the server sends", lambda: accepted.sendall(RESPONSE))
        # It could have crossed the RST: only what comes again proves that the server goes on.
        cable.carry(SERVER, {(CLIENT, SERVER): State.CLOSED})
        cable.receive(SERVER)
        cable.carry(SERVER)
    cable.receive(SERVER)
    cable.settle()
