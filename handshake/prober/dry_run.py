"""The dry run: the SYN that a connection would begin with; nothing is sent."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Final

from handshake.endpoint.segment_builder import SegmentBuilder, offer_for, path_mss
from handshake.errors import ConnectError, LocalError
from handshake.prober.target import unusable
from handshake.tcp import Endpoint, Observed, Segment, Seq

if TYPE_CHECKING:
    from handshake.endpoint.options import ClientOptions

_LIKELY: Final = range(32768, 61000)
"""The ports that Linux gives to its own connections (net.ipv4.ip_local_port_range)."""


def syn(remote: Endpoint, options: ClientOptions) -> Observed:
    """Return the SYN that would leave for the remote end, in its packet. Needs no privilege.

    The kernel is asked for the route. The source port and the ISS are random, as for a real
    connection. Raises LocalError if there is no route.
    """
    from handshake.linux.next_hop import Selector
    from handshake.linux.route import route
    from handshake.packet.checksum import internet_checksum
    from handshake.packet.ip import Datagram
    from handshake.packet.template import Templates

    address = remote.address
    if (why := unusable(address)) is not None:
        raise LocalError(why.code, **why.values)
    try:
        flow = Selector(
            options.source, options.interface, options.source_port, remote.port, options.tos
        )
        path = route(address, flow)
    except ConnectError as error:
        raise LocalError("no-syn", address=address, why=error) from error
    local = Endpoint(path.source, options.source_port or secrets.choice(_LIKELY))
    iss = Seq(secrets.randbits(32) if options.iss is None else options.iss)
    version = address.version
    offer, room = offer_for(path.mtu, version, options), path_mss(path.mtu, version)
    headers = SegmentBuilder(offer, options, room)
    segment = headers.opening(local, remote, iss, secrets.randbits(32))
    packet = Templates().packet(segment, options.ttl, options.tos)
    if version == 4:
        # The kernel fills in the header checksum when it sends.
        packet = packet[:10] + internet_checksum(packet[:20]).to_bytes(2, "big") + packet[12:]
    datagram = Datagram.parse(packet)
    whole = Segment.parse(local.address, address, datagram.payload, datagram.length)
    return Observed(
        segment=whole,
        at=time.time_ns(),
        length=len(packet),
        ttl=datagram.ttl,
        checksum_ok=datagram.checksum_ok,
        outgoing=True,
        packet=packet,
    )
