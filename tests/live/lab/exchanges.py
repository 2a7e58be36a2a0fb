"""Exchanges that many scenarios end in."""

SYN = "--> <SEQ=100><CTL=SYN>"
OPENED = [
    "<-- <SEQ=300><ACK=101><CTL=SYN,ACK>",
    "--> <SEQ=101><ACK=301><CTL=ACK>",
]
FIN = "--> <SEQ=101><ACK=301><CTL=FIN,ACK>"
CLOSED = [
    FIN,
    "<-- <SEQ=301><ACK=102><CTL=FIN,ACK>",
    "--> <SEQ=102><ACK=302><CTL=ACK>",
]
CLEAN = [SYN, *OPENED, *CLOSED]
"""A connection that opens and is closed by both ends."""

_EARLY = "<-- <SEQ=301><ACK=102><CTL=ACK>"


def of_a_kernel(lines: list[str]) -> list[str]:
    """Leave out the ACK of our FIN where a kernel sent it before its program closed."""
    return [each for each in lines if each != _EARLY]
