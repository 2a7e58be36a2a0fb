"""Sniff, and explain each segment: python examples/explain.py INTERFACE|CAPTURE [COUNT]."""

import sys
from pathlib import Path

from scapy.all import sniff

import handshake

where = sys.argv[1]
session = handshake.HandshakeSession(
    lambda step: print(step.scapy.summary(), step.why, sep="\n    ")
)
what = {"offline": where} if Path(where).is_file() else {"iface": where, "filter": "tcp"}
sniff(session=session, store=False, count=int(sys.argv[2]) if sys.argv[2:] else 0, **what)
print(len(session.tracker.connections), "connections")
