"""Where octets come from and go to: the only package that knows Scapy and sockets."""

import logging

# Scapy writes its doubts about a packet to standard error. What is wrong with one, we say.
logging.getLogger("scapy").setLevel(logging.CRITICAL)
