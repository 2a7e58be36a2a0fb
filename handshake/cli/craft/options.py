"""The options of `handshake craft` and their help: names and meanings as those of `probe`."""

from __future__ import annotations

from functools import partial
from typing import Annotated, TypeAlias

import typer

from handshake.cli.header_options import header_option

_ends = partial(typer.Option, rich_help_panel="Ends")
_tcp = partial(typer.Option, rich_help_panel="TCP header and options")
_header = partial(header_option, panel="TCP header and options")
_ip = partial(typer.Option, rich_help_panel="IP header")
_ip_header = partial(header_option, panel="IP header")
_output = partial(typer.Option, rich_help_panel="Output")

# Those that few users need are hidden: `--help-all` shows them, too. Numbers may be hexadecimal.

Destination: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="TARGET",
        hidden=True,
        help="Where it goes: ADDRESS:PORT or [IPV6]:PORT.",
        show_default="192.0.2.2:80",
    ),
]
DestinationOption: TypeAlias = Annotated[
    str | None,
    _ends("--destination", metavar="ADDRESS[:PORT]", hidden=True, help="The same as TARGET."),
]
Source: TypeAlias = Annotated[
    str | None,
    _ends("--source", metavar="ADDRESS[:PORT]", hidden=True, help="Where it comes from."),
]
SourcePort: TypeAlias = Annotated[
    str | None, _ends("--source-port", metavar="PORT", hidden=True, help="The source port alone.")
]

SetFlags: TypeAlias = Annotated[
    str,
    _header(
        "--flags",
        help="FIN,ACK or SA or none; by default SYN.",
        show_default=False,
    ),
]
SetSeq: TypeAlias = Annotated[
    str | None, _header("--seq", show_default=False, help="Sequence number; 0x... is hexadecimal.")
]
SetAck: TypeAlias = Annotated[
    str | None, _tcp("--ack", metavar="N", help="Acknowledgment number; means something with ACK.")
]
SetWindow: TypeAlias = Annotated[
    str | None,
    _header("--window", metavar="N", hidden=True, help="Window.", show_default="64240"),
]
SetUrgent: TypeAlias = Annotated[
    str | None, _tcp("--urgent", metavar="N", hidden=True, help="Urgent pointer.")
]
SetReserved: TypeAlias = Annotated[
    str | None, _tcp("--reserved", metavar="N", hidden=True, help="The reserved bits, 0 to 7.")
]
SetOffset: TypeAlias = Annotated[
    str | None,
    _tcp(
        "--offset",
        metavar="N",
        help="A data offset that may lie.",
    ),
]
SetChecksum: TypeAlias = Annotated[
    str,
    _tcp("--checksum", metavar="SUM", help="right, wrong, partial or N."),
]
Payload: TypeAlias = Annotated[
    str | None,
    _tcp("--payload", "--data", metavar="TEXT", help=r"Text with \r \n \xHH, hex:HH or @FILE."),
]
Ecn: TypeAlias = Annotated[
    bool, _header("--ecn", hidden=True, help="Ask for ECN, or in a SYN-ACK accept it (RFC 3168).")
]

SetMss: TypeAlias = Annotated[
    str | None,
    _header(
        "--mss",
        hidden=True,
        show_default="1460 (IPv6: 1440) in a SYN",
    ),
]
SetScale: TypeAlias = Annotated[
    str | None,
    _header(
        "--wscale",
        hidden=True,
        show_default="7 in a SYN",
    ),
]
NoScale: TypeAlias = Annotated[
    bool, _header("--no-wscale", hidden=True, help="No window scale option.")
]
Sack: TypeAlias = Annotated[
    bool | None,
    _header(
        "--sack/--no-sack",
        hidden=True,
        help="SACK-permitted option.",
        show_default="in a SYN",
    ),
]
SackBlocks: TypeAlias = Annotated[
    str | None,
    _tcp(
        "--sack-blocks",
        metavar="BEGIN-END,...",
        hidden=True,
        help="SACK option with these blocks.",
    ),
]
Timestamps: TypeAlias = Annotated[
    bool | None,
    _header(
        "--timestamps/--no-timestamps",
        hidden=True,
        help="Timestamps option.",
        show_default="in a SYN",
    ),
]
TsVal: TypeAlias = Annotated[
    str | None, _tcp("--tsval", metavar="N", hidden=True, help="TSval of the timestamps.")
]
TsEcr: TypeAlias = Annotated[
    str | None, _tcp("--tsecr", metavar="N", hidden=True, help="TSecr of the timestamps.")
]
FastOpen: TypeAlias = Annotated[
    str | None,
    _header(
        "--fast-open",
        metavar="[=COOKIE]",
        hidden=True,
        help="Fast Open option: a request, or with COOKIE (hexadecimal).",
    ),
]
Md5: TypeAlias = Annotated[
    str | None,
    _header("--md5", hidden=True, help="Sign it with MD5 (RFC 2385)."),
]
OtherOptions: TypeAlias = Annotated[
    list[str] | None,
    _header(
        "--option",
        metavar="KIND[/LENGTH]:HEX",
        help="Any option; LENGTH may lie.",
    ),
]
RawOptions: TypeAlias = Annotated[
    str | None,
    _tcp(
        "--options-raw",
        metavar="HEX|none",
        hidden=True,
        help="All options as octets, not padded, instead of the above.",
    ),
]

Ttl: TypeAlias = Annotated[str | None, _ip_header("--ttl", hidden=True)]
Tos: TypeAlias = Annotated[
    str | None,
    _ip_header("--tos", hidden=True),
]
Identification: TypeAlias = Annotated[
    str | None,
    _ip("--id", metavar="N", hidden=True, help="Identification (IPv4).", show_default="1"),
]
IpFlags: TypeAlias = Annotated[
    str | None,
    _ip(
        "--ip-flags",
        metavar="FLAGS",
        hidden=True,
        help="DF, MF, RESERVED, or none (IPv4).",
        show_default="DF",
    ),
]
FragmentOffset: TypeAlias = Annotated[
    str | None,
    _ip("--fragment", metavar="N", hidden=True, help="Fragment offset in units of 8 octets."),
]
Protocol: TypeAlias = Annotated[
    str | None,
    _ip("--protocol", metavar="N", hidden=True, help="Protocol number.", show_default="6"),
]
IpLength: TypeAlias = Annotated[
    str | None,
    _ip("--length", metavar="N", hidden=True, help="A length in the IP header that may lie."),
]
HeaderLength: TypeAlias = Annotated[
    str | None,
    _ip("--ihl", metavar="N", hidden=True, help="A length of the IPv4 header that may lie."),
]
IpChecksum: TypeAlias = Annotated[
    str,
    _ip("--ip-checksum", metavar="right|wrong|N", hidden=True, help="Checksum of IPv4."),
]
FlowLabel: TypeAlias = Annotated[
    str | None, _ip("--flow-label", metavar="N", hidden=True, help="Flow label (IPv6).")
]
IpOptions: TypeAlias = Annotated[
    str | None,
    _ip("--ip-options", metavar="HEX", hidden=True, help="Options of IPv4, as octets."),
]
Extensions: TypeAlias = Annotated[
    str | None,
    _ip(
        "--extensions",
        metavar="HEX",
        hidden=True,
        help="Extension headers before TCP, as octets; --protocol names the first.",
    ),
]
Bare: TypeAlias = Annotated[bool, _ip("--bare", hidden=True, help="No IP header.")]
Cut: TypeAlias = Annotated[
    str | None, _ip("--cut", metavar="N", hidden=True, help="Leave only the first N octets.")
]
Trailer: TypeAlias = Annotated[
    str | None,
    _ip("--trailer", metavar="HEX", hidden=True, help="Octets after the packet, as padding."),
]

Form: TypeAlias = Annotated[
    str | None,
    _output(
        "--format",
        metavar="FORM",
        help="draw, hex (in a pipe), 0x, c, tcpdump or scapy.",
    ),
]
Send: TypeAlias = Annotated[
    bool, _output("--send", help="Send exactly this once (root); show the answer.")
]
Wait: TypeAlias = Annotated[
    float,
    _output(
        "--timeout",
        metavar="SECONDS",
        min=0.001,
        hidden=True,
        help="With --send: how long to wait for an answer.",
    ),
]
Write: TypeAlias = Annotated[
    str | None,
    _output("-w", "--write", metavar="FILE", help="Write a .pcap or .pcapng; - is stdout."),
]
AsJson: TypeAlias = Annotated[
    bool, _output("--json", hidden=True, help="Print one JSON object per line.")
]
Plain: TypeAlias = Annotated[
    bool, _output("--plain", hidden=True, help="Print plain text, without colour.")
]
Ascii: TypeAlias = Annotated[bool, _output("--ascii", hidden=True, help="Draw with ASCII only.")]
