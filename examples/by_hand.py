"""A handshake by hand with Scapy's sr1: python examples/by_hand.py TARGET PORT (as root)."""

import sys

from scapy.all import conf, send, sr1

import handshake

host, port = sys.argv[1], int(sys.argv[2])
source = conf.route.route(host)[1]
with handshake.guarded_port(source) as ours:  # the kernel resets nothing on this port
    syn = handshake.craft(f"{host}:{port}", f"{source}:{ours}", seq=1000)
    syn_ack = handshake.Segment.from_scapy(sr1(syn.to_scapy(), timeout=2, verbose=0))
    ends, numbers = (syn.destination, syn.source), {"seq": 1001, "ack": int(syn_ack.seq) + 1}
    for flags in ("ACK", "RST"):  # open it, then abort it
        send(handshake.craft(*ends, flags=flags, **numbers).to_scapy(), verbose=0)
    print(syn, syn_ack, syn_ack.options.mss)
