"""The options of `handshake serve` and their help."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final, TypeAlias

import typer

EXIT_CODES: Final = """
Exit codes:
  0    --count connections are over, or --list
  2    wrong usage
  3    could not run: no privilege, the port is in use
  130  interrupted (SIGINT); 129 or 143 after SIGHUP or SIGTERM
"""

_port = partial(typer.Option, rich_help_panel="Port")
_program = partial(typer.Option, rich_help_panel="After the handshake")
_syn_ack = partial(typer.Option, rich_help_panel="SYN-ACK header and options")
_output = partial(typer.Option, rich_help_panel="Output")

# Those that few users need are hidden: `--help-all` shows them, too.

Port: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="PORT", help="The TCP port, or a service name such as http.")
]
Address: TypeAlias = Annotated[
    str | None, _port(metavar="ADDRESS", hidden=True, help="Serve this local address only.")
]
Interface: TypeAlias = Annotated[
    str | None,
    _port("-i", "--interface", metavar="NAME", hidden=True, help="Serve this interface only."),
]
OnlyV4: TypeAlias = Annotated[bool, _port("-4", hidden=True, help="Serve only IPv4.")]
OnlyV6: TypeAlias = Annotated[bool, _port("-6", hidden=True, help="Serve only IPv6.")]
Backlog: TypeAlias = Annotated[
    int,
    _port(
        metavar="N",
        min=0,
        max=65535,
        help="Each queue holds N+1.",
    ),
]
Cookies: TypeAlias = Annotated[
    bool,
    _port("--cookies", help="A cookie for every SYN, not only with a full queue."),
]
Count: TypeAlias = Annotated[
    int | None, _port(metavar="N", min=1, hidden=True, help="End when N connections are over.")
]

Data: TypeAlias = Annotated[
    str | None,
    _program(
        metavar="TEXT",
        help=r"Answer TEXT (\r \n \xHH), then close; by default echo.",
    ),
]
Silent: TypeAlias = Annotated[
    bool, _program("--silent", help="Take what clients send, and answer nothing.")
]
Misbehave: TypeAlias = Annotated[
    str | None,
    _program(metavar="NAME", help="Go wrong on purpose: wrong-ack, zero-window ..."),
]
ListNames: TypeAlias = Annotated[
    bool, _program("--list", help="List the names for --misbehave, and exit.")
]

Mss: TypeAlias = Annotated[
    int | None,
    _syn_ack(
        metavar="OCTETS",
        hidden=True,
        help="MSS option; 0 for none.",
        show_default="from the path MTU",
    ),
]
Window: TypeAlias = Annotated[
    int | None,
    _syn_ack(
        metavar="OCTETS",
        hidden=True,
        help="Receive window to advertise.",
        show_default="about 64 KiB",
    ),
]
WindowScale: TypeAlias = Annotated[
    int | None,
    _syn_ack(
        "--wscale",
        metavar="SHIFT",
        hidden=True,
        help="Window scale option.",
        show_default="7",
    ),
]
NoWindowScale: TypeAlias = Annotated[
    bool, _syn_ack("--no-wscale", hidden=True, help="Send no window scale option.")
]
Sack: TypeAlias = Annotated[
    bool, _syn_ack("--sack/--no-sack", hidden=True, help="Send the SACK-permitted option.")
]
Timestamps: TypeAlias = Annotated[
    bool, _syn_ack("--timestamps/--no-timestamps", hidden=True, help="Send the timestamps option.")
]
Ecn: TypeAlias = Annotated[
    bool, _syn_ack("--ecn", hidden=True, help="Agree to ECN if the SYN asks for it (RFC 3168).")
]
FastOpen: TypeAlias = Annotated[
    bool,
    _syn_ack("--fast-open", hidden=True, help="Give Fast Open cookies; take data in SYNs."),
]
Md5: TypeAlias = Annotated[
    str | None,
    _syn_ack(
        "--md5",
        metavar="KEY",
        hidden=True,
        help="Sign and check every segment (RFC 2385).",
    ),
]
OtherOptions: TypeAlias = Annotated[
    list[str] | None,
    _syn_ack(
        "--option",
        metavar="KIND:HEX",
        hidden=True,
        help="Add any TCP option, with its data in hexadecimal. Repeatable.",
    ),
]
SequenceNumber: TypeAlias = Annotated[
    int | None,
    _syn_ack(
        "--seq",
        metavar="N",
        hidden=True,
        help="Initial sequence number.",
        show_default="unpredictable",
    ),
]
Retries: TypeAlias = Annotated[
    int, _syn_ack(metavar="N", min=0, max=30, hidden=True, help="SYN-ACK retransmissions.")
]
Rto: TypeAlias = Annotated[
    float,
    _syn_ack(
        metavar="SECONDS",
        hidden=True,
        help="Time until the first retransmission; doubles each time.",
    ),
]
Ttl: TypeAlias = Annotated[
    int, _syn_ack("--ttl", metavar="N", hidden=True, help="Time to live (IPv6: hop limit).")
]
Tos: TypeAlias = Annotated[
    int,
    _syn_ack("--tos", metavar="N", hidden=True, help="Type of service (IPv6: traffic class)."),
]

Brief: TypeAlias = Annotated[
    bool, _output("--brief", hidden=True, help="A line a segment on a terminal, too, as in a pipe.")
]
Verbose: TypeAlias = Annotated[
    bool,
    _output(
        "-v", "--verbose", hidden=True, help="Every header and both control blocks in a pipe, too."
    ),
]
Write: TypeAlias = Annotated[
    str | None,
    _output("-w", "--write", metavar="FILE", help="Write the packets to a pcapng file."),
]
AsJson: TypeAlias = Annotated[bool, _output("--json", help="Print one JSON object per line.")]
