"""The options of `handshake serve` and their help."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final, TypeAlias

import typer

from handshake.cli.header_options import header_option

EXIT_CODES: Final = """
Exit codes:
  0    --count connections are over, or --list
  2    wrong usage
  3    could not run: no privilege, the port is in use
  130  interrupted (SIGINT); 129 or 143 after SIGHUP or SIGTERM
"""

_SYN_ACK: Final = "SYN-ACK header and options"

_port = partial(typer.Option, rich_help_panel="Port")
_program = partial(typer.Option, rich_help_panel="After the handshake")
_syn_ack = partial(header_option, panel=_SYN_ACK, hidden=True)
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

Mss: TypeAlias = Annotated[int | None, _syn_ack("--mss")]
Window: TypeAlias = Annotated[int | None, _syn_ack("--window")]
WindowScale: TypeAlias = Annotated[int | None, _syn_ack("--wscale")]
NoWindowScale: TypeAlias = Annotated[bool, _syn_ack("--no-wscale")]
Sack: TypeAlias = Annotated[bool, _syn_ack("--sack/--no-sack")]
Timestamps: TypeAlias = Annotated[bool, _syn_ack("--timestamps/--no-timestamps")]
Ecn: TypeAlias = Annotated[
    bool, _syn_ack("--ecn", help="Agree to ECN if the SYN asks for it (RFC 3168).")
]
FastOpen: TypeAlias = Annotated[
    bool, _syn_ack("--fast-open", help="Give Fast Open cookies; take data in SYNs.")
]
Md5: TypeAlias = Annotated[
    str | None, _syn_ack("--md5", help="Sign and check every segment (RFC 2385).")
]
OtherOptions: TypeAlias = Annotated[list[str] | None, _syn_ack("--option")]
SequenceNumber: TypeAlias = Annotated[int | None, _syn_ack("--seq")]
Retries: TypeAlias = Annotated[
    int,
    typer.Option(
        rich_help_panel=_SYN_ACK,
        metavar="N",
        min=0,
        max=30,
        hidden=True,
        help="SYN-ACK retransmissions.",
    ),
]
Rto: TypeAlias = Annotated[float, _syn_ack("--rto")]
Ttl: TypeAlias = Annotated[int, _syn_ack("--ttl")]
Tos: TypeAlias = Annotated[int, _syn_ack("--tos")]

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
