"""For every test: a busy machine is no failure, and no packet asks a network for an address."""

from hypothesis import settings
from scapy.config import conf
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

settings.register_profile("handshake", deadline=None)
settings.load_profile("handshake")

# Scapy would send ARP requests and neighbour solicitations for the frames that tests build, and
# wait for answers.
for layer in (IP, IPv6):
    conf.neighbor.register_l3(Ether, layer, lambda _frame, _packet: "ff:ff:ff:ff:ff:ff")
