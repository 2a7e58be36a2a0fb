"""How does a host take wrong headers? python examples/wrong_header.py TARGET PORT (as root)."""

import sys

from scapy.all import conf, sr1

import handshake

host, port = sys.argv[1], int(sys.argv[2])
source = conf.route.route(host)[1]
wrong = {"right": {}, "checksum": {"checksum": "wrong"}, "offset": {"data_offset": 4}}
wrong |= {"reserved": {"reserved": 7}, "flags": {"flags": "SYN,FIN"}, "none": {"flags": "none"}}
for name, fields in wrong.items():
    with handshake.guarded_port(source) as ours:
        sent = handshake.craft(f"{host}:{port}", f"{source}:{ours}", **fields)
        answer = sr1(sent.to_scapy(), timeout=0.3, verbose=0)
    print(name, handshake.Segment.from_scapy(answer).flags if answer else "no answer")
