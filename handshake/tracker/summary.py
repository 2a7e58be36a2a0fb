"""Builds the record of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handshake.diagnosis import Facts, Others, diagnose
from handshake.record import EndRecord, HandshakeRecord, Record, rfc3339
from handshake.tcp import Agreement
from handshake.tcp.agreement import accepted_data
from handshake.tcp.copy import changed, put
from handshake.tracker.findings import ConnectionFindings
from handshake.tracker.timing import timing
from handshake.tracker.zeek import Zeek, ZeekRecord, conn_state
from handshake.tracker.zeek import record as zeek_record
from handshake.units import NS_PER_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handshake.tcp import Offer
    from handshake.tracker.connection import Connection, End, Transmission


def summarize(connection: Connection, others: Others | None = None) -> Record:
    """Return the record of a connection as far as it was captured.

    Its findings, its diagnosis and what Zeek says are those of its observers (`tracker.RECORD`);
    `others` is what the rest of the capture shows, for the diagnosis.
    """
    record, facts = _record(connection), connection.observer(Facts)
    if facts is None:
        return record
    diagnosis = diagnose(record, connection.client.endpoint, facts, others)
    put(record, diagnosis=diagnosis)
    return record


def summarize_all(connections: Sequence[Connection]) -> list[Record]:
    """Return the records of all connections of a capture: each diagnosis knows of the others."""
    others = Others()
    for each in connections:
        learn_connection(others, each)
    for each in connections:
        if each.client.syn is not None:
            first = each.client.syn.first
            others.sent(each.client.endpoint.host, first.ttl, first.frame)
    return [summarize(each, others) for each in connections]


def learn_connection(others: Others, connection: Connection) -> None:
    """Remember what a connection shows of its hosts, for the diagnoses of others."""
    facts = connection.observer(Facts)
    if facts is None:
        return
    client, server = connection.client, connection.server
    names = client.endpoint.host, server.endpoint.host
    segments = [each for each in facts.segments if each.believed]
    if server.segments:
        others.add(server.endpoint, segments, refused=connection.refused is not None)
    if connection.final_ack is None and client.syn is not None:
        hanging = connection.refused is None
        others.failed(*names, server.endpoint.port, hanging=hanging)
    others.learn(*names, segments)


def _record(connection: Connection) -> Record:
    """Return the record without a diagnosis."""
    first, last = connection.first, connection.last
    if first is None or last is None:
        raise ValueError("a connection without a segment has no record")
    zeek, findings = connection.observer(Zeek), connection.observer(ConnectionFindings)
    conn, outcome = None if zeek is None else zeek.main, _outcome(connection)
    ends = summarize_end(connection.client), summarize_end(connection.server)
    if _closed_itself(connection):
        # FIN-WAIT-1, CLOSING by its own FIN, TIME-WAIT by its own ACK.
        ends = changed(ends[0], state="TIME-WAIT"), changed(ends[1], state="TIME-WAIT")
    return Record(
        stream=connection.number,
        client=ends[0],
        server=ends[1],
        roles=connection.roles,
        start=rfc3339(first.at),
        duration=_duration(connection),
        outcome=outcome,
        closed=_closed(connection),
        handshake=_handshake(connection),
        completeness=connection.wire.completeness,
        conn_state=None if conn is None else conn_state(conn),
        history=None if conn is None else conn.history.text,
        frames=(first.frame, last.frame),
        negotiated=_negotiated(connection),
        icmp=connection.unreachable if outcome == "unreachable" else None,
        findings=() if findings is None else findings.found(),
    )


def zeek_records(connection: Connection) -> list[ZeekRecord]:
    """Return the rows of a connection in Zeek's conn.log: one, or more after timeouts."""
    client, server, zeek = (
        connection.client.endpoint,
        connection.server.endpoint,
        connection.observer(Zeek),
    )
    return [] if zeek is None else [zeek_record(each, client, server) for each in zeek.conns]


def summarize_end(end: End) -> EndRecord:
    """Return one end, summed up."""
    block = end.block
    offer = None if block is None else block.offered
    # What was cut off may have been offered.
    no = None if offer is None or offer.cut else False
    iss = None if block is None or block.snd.iss is None else int(block.snd.iss)
    return EndRecord(
        address=end.endpoint.host,
        port=end.endpoint.port,
        state=None if block is None else str(block.state),
        iss=iss,
        mss=None if offer is None else offer.mss,
        window_scale=None if offer is None else offer.window_scale,
        sack_permitted=None if offer is None else offer.sack_permitted or no,
        timestamps=None if offer is None else offer.timestamps or no,
        ecn=None if offer is None else offer.ecn,
        segments=end.segments,
        bytes=end.numbers.octets.count,
        retransmissions=end.retransmissions,
        out_of_order=end.out_of_order,
        duplicate_acks=end.duplicate_acks,
        zero_windows=end.zero_windows,
        keep_alives=end.keep_alives,
        window_updates=end.window_updates,
        copies=end.copies,
        resent=end.resent,
        reordered=end.reordered,
        repeated_acks=end.repeated_acks,
        fin=end.fins,
        rst=end.rsts,
        accecn=None if offer is None else offer.accecn,
        fast_open=None if offer is None else _fast_open(offer),
        mptcp=None if offer is None else offer.mptcp,
        md5=None if offer is None else offer.md5 or no,
        ao_key=None if offer is None else offer.ao_key,
        user_timeout=None if offer is None else offer.user_timeout,
        ttl=end.ttl,
        options_cut=None if offer is None else offer.cut,
    )


def _duration(connection: Connection) -> float | None:
    """Return the seconds from the first segment to the last that is no copy."""
    first, last = connection.first, connection.last_sent or connection.last
    if first is None or last is None or last.at < first.at:
        return None
    return (last.at - first.at) / NS_PER_SECOND


def _again(transmission: Transmission | None) -> int:
    return 0 if transmission is None else transmission.again


def _outcome(connection: Connection) -> str:
    client, server = connection.client, connection.server
    if connection.final_ack is not None:
        return "established"
    if connection.refused is not None and server.syn_ack is None:
        return "refused"
    if connection.unreachable is not None and not server.segments:
        return "unreachable"
    if client.syn is None and client.syn_ack is None and server.syn_ack is None:
        if connection.cleared:
            return "no-answer" if connection.reset_by is None else "reset"
        return "mid-stream"
    if connection.reset_by is not None:
        return "reset"
    return "no-answer" if server.syn_ack is None and server.syn is None else "half-open"


def _closed_itself(connection: Connection) -> bool:
    """Whether a socket that is connected to itself has acknowledged its own FIN."""
    block = connection.client.block
    if not connection.itself or block is None or block.fin is None:
        return False
    return block.last_ack_sent is not None and block.fin < block.last_ack_sent


def _closed(connection: Connection) -> str | None:
    if _closed_itself(connection):
        return "fin"
    if connection.reset_by is not None:
        return f"rst-by-{connection.reset_by}"
    if connection.closed:
        return "fin"
    ends = (connection.client, connection.server)
    fins = [each for each in ends if each.fins and each.block and each.block.fin is not None]
    return "half-closed" if len(fins) == 1 else None


def _handshake(connection: Connection) -> HandshakeRecord:
    times = timing(connection)
    return HandshakeRecord(
        rtt=times.rtt,
        initial_rtt=times.initial_rtt,
        rtt_ambiguous=times.ambiguous,
        syn_to_syn_ack=times.syn_to_syn_ack,
        syn_ack_to_ack=times.syn_ack_to_ack,
        syn_retransmissions=_again(connection.client.syn),
        syn_ack_retransmissions=_again(connection.server.syn_ack),
        simultaneous=connection.simultaneous or connection.itself,
        fast_open=_took_data(connection),
    )


def _negotiated(connection: Connection) -> Agreement | None:
    """Return what was negotiated; None where the SYN or the SYN-ACK was not captured."""
    client, server = (each.syn or each.syn_ack for each in (connection.client, connection.server))
    if client is None or server is None:
        return None
    if client.first.segment.cut or server.first.segment.cut:
        return None
    return Agreement.of(client.first.segment, server.first.segment)


def _fast_open(offer: Offer) -> str | None:
    if offer.fast_open is None:
        return None
    return "cookie" if offer.fast_open else "request"


def _took_data(connection: Connection) -> bool:
    syn, syn_ack = connection.client.syn, connection.server.syn_ack
    if syn is None or syn_ack is None:
        return False
    return accepted_data(syn.first.segment, syn_ack.first.segment) > 0
