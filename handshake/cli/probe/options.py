"""The options of `handshake probe` and their help."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final, TypeAlias

import typer

from handshake.cli.header_options import header_option

EXIT_CODES: Final = """
Exit codes:
  0    every target is open, and sent the --expect text
  1    at least one is not: closed, filtered, reset, half-open, other data
  2    wrong usage
  3    at least one could not be tried: no privilege, no route, unknown name;
       takes precedence over 1
  130  interrupted (SIGINT); 129 or 143 after SIGHUP or SIGTERM

Of a name with several addresses, and of a target with --count, one success
is enough. With --monitor nagios: 0 OK, 2 CRITICAL, 3 UNKNOWN (and wrong usage).
"""

_targets = partial(typer.Option, rich_help_panel="Targets and rate")
_timeouts = partial(typer.Option, rich_help_panel="Timeouts and retries")
_syn = partial(header_option, panel="SYN header and options")
_source = partial(typer.Option, rich_help_panel="Source and IP header")
_ip = partial(header_option, panel="Source and IP header")
_data = partial(typer.Option, rich_help_panel="After the handshake")
_engine = partial(typer.Option, rich_help_panel="Raw packets or kernel")
_output = partial(typer.Option, rich_help_panel="Output")

# Those that few users need are hidden: `--help-all` shows them, too.

Targets: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="host:port, host:80,443,8000-8010, [IPv6]:port, a URL, or host port; a port may be a "
        "service name such as https. Default: a test server on 127.0.0.1.",
    ),
]

File: TypeAlias = Annotated[
    list[str] | None,
    _targets(
        metavar="FILE",
        help="Read further targets from a file: any number per line, # starts a comment, - is "
        "stdin. Repeatable.",
    ),
]
OnlyV4: TypeAlias = Annotated[bool, _targets("-4", help="Probe only IPv4 addresses.")]
OnlyV6: TypeAlias = Annotated[bool, _targets("-6", help="Probe only IPv6 addresses.")]
Count: TypeAlias = Annotated[
    int | None,
    _targets(
        metavar="N", min=1, help="Probe each target N times and print statistics as ping does."
    ),
]
Interval: TypeAlias = Annotated[
    float,
    _targets(
        metavar="SECONDS",
        hidden=True,
        help="With --count: time between probes of a target, if --rate allows.",
    ),
]
Rate: TypeAlias = Annotated[
    float,
    _targets(metavar="N", hidden=True, help="Maximum number of new probes per second."),
]
Concurrency: TypeAlias = Annotated[
    int,
    _targets(
        metavar="N", min=1, max=16384, hidden=True, help="Maximum number of concurrent probes."
    ),
]

Timeout: TypeAlias = Annotated[
    float | None,
    _timeouts(
        metavar="SECONDS",
        min=0.001,
        help="Time limit for the handshake, and then again for --data and --expect.",
        show_default="5, or more if the retries take longer",
    ),
]
Retries: TypeAlias = Annotated[
    int,
    _timeouts(metavar="N", min=0, help="Maximum retransmissions of the SYN, and of the FIN."),
]
Rto: TypeAlias = Annotated[float, header_option("--rto", panel="Timeouts and retries", hidden=True)]
Observe: TypeAlias = Annotated[
    float | None,
    _timeouts(
        metavar="SECONDS",
        hidden=True,
        help="Watch this long for SYN-ACK retransmissions, the sign that our ACK was lost or "
        "dropped. Ends early if the peer shows that it arrived.",
        show_default="1.25; 0 with several targets, where the FIN shows it; 8 with --no-ack",
    ),
]
Hold: TypeAlias = Annotated[
    float,
    _timeouts(
        metavar="SECONDS",
        hidden=True,
        help="How long to keep the connection open, unless the peer closes it.",
    ),
]

Mss: TypeAlias = Annotated[int | None, _syn("--mss")]
Window: TypeAlias = Annotated[int | None, _syn("--window", hidden=True)]
WindowScale: TypeAlias = Annotated[int | None, _syn("--wscale", hidden=True)]
NoWindowScale: TypeAlias = Annotated[bool, _syn("--no-wscale", hidden=True)]
Sack: TypeAlias = Annotated[bool, _syn("--sack/--no-sack", hidden=True)]
Timestamps: TypeAlias = Annotated[bool, _syn("--timestamps/--no-timestamps", hidden=True)]
Ecn: TypeAlias = Annotated[bool, _syn("--ecn", help="Ask for ECN (RFC 3168).")]
FastOpen: TypeAlias = Annotated[
    str | None,
    _syn(
        "--fast-open",
        metavar="[=COOKIE]",
        hidden=True,
        help="Request a Fast Open cookie; with COOKIE (hexadecimal), send --data in the SYN.",
    ),
]
Md5: TypeAlias = Annotated[
    str | None,
    _syn(
        "--md5",
        hidden=True,
        help="Sign every segment with MD5 (RFC 2385); like Linux, send no timestamps then.",
    ),
]
OtherOptions: TypeAlias = Annotated[list[str] | None, _syn("--option", hidden=True)]
SynFlags: TypeAlias = Annotated[
    str | None,
    _syn(
        "--flags",
        hidden=True,
        help="Control bits of the first segment instead of SYN: SYN,ECE or FIN or none.",
    ),
]
SequenceNumber: TypeAlias = Annotated[int | None, _syn("--seq", hidden=True)]

Source: TypeAlias = Annotated[
    str | None,
    _source(metavar="ADDRESS", help="Source address."),
]
SourcePort: TypeAlias = Annotated[
    int,
    _source(metavar="PORT", hidden=True, help="Source port; 0 for any."),
]
Interface: TypeAlias = Annotated[
    str | None,
    _source(metavar="NAME", help="Outgoing interface."),
]
Ttl: TypeAlias = Annotated[int, _ip("--ttl")]
Tos: TypeAlias = Annotated[int, _ip("--tos", hidden=True)]

Data: TypeAlias = Annotated[
    str | None,
    _data(
        metavar="TEXT",
        help=r"Data to send once the connection is open; escapes: \r \n \t \0 \xHH \\.",
    ),
]
Expect: TypeAlias = Annotated[
    str | None,
    _data(
        metavar="TEXT",
        help="Text that the peer must send, with the same escapes; else exit with 1.",
    ),
]
NoAck: TypeAlias = Annotated[
    bool,
    _data("--no-ack", help="Do not ACK: watch the SYN-ACK retransmissions, then reset."),
]
Close: TypeAlias = Annotated[
    str,
    _data(
        metavar="fin|rst|none",
        autocompletion=lambda: ["fin", "rst", "none"],
        hidden=True,
        help="How to close the connection.",
    ),
]

Trace: TypeAlias = Annotated[
    bool,
    _engine(
        "--trace",
        help="Send SYNs with rising TTL, 3 to a hop at most: which router passes them on, who "
        "answers, and what is changed on the way. --timeout is then for each SYN (1 s).",
    ),
]
Connect: TypeAlias = Annotated[
    bool,
    _engine("--connect", help="Use the kernel's connect(): needs no privilege, shows no segments."),
]
Raw: TypeAlias = Annotated[
    bool,
    _engine("--raw", hidden=True, help="Never fall back to --connect: fail without the privilege."),
]
Adopt: TypeAlias = Annotated[
    bool,
    _engine(
        "--adopt",
        help="Hand the open connection over to the kernel and join it to stdin and stdout, like "
        "netcat.",
    ),
]

Brief: TypeAlias = Annotated[
    bool,
    _output("--brief", help="Print only a row per address, even for a single target."),
]
Verbose: TypeAlias = Annotated[
    int,
    _output(
        "-v",
        "--verbose",
        count=True,
        show_default=False,
        help="Show each segment's header and what both sockets know, as they pass; -vv its octets, "
        "too.",
    ),
]
Sort: TypeAlias = Annotated[
    str,
    _output(
        metavar="ORDER",
        help="Of many results: arrival, or at the end in the order of arguments, rtt or verdict.",
    ),
]
Quiet: TypeAlias = Annotated[
    bool,
    _output("--quiet", "-q", help="Print nothing; only set the exit code."),
]
Export: TypeAlias = Annotated[
    str | None,
    _output(
        metavar="FILE",
        help="Write the result to a file, too, in the form that its ending asks for: .html "
        "(a page to step through), report.html or .report.html (a page to print, for the "
        "administrator of a firewall), .svg, .md, .txt, .json, .pcapng; - is text on stdout.",
    ),
]
Monitor: TypeAlias = Annotated[
    str | None,
    _output(
        metavar="nagios|prometheus",
        autocompletion=lambda: ["nagios", "prometheus"],
        hidden=True,
        help="Print the result for a monitoring system.",
    ),
]
DryRun: TypeAlias = Annotated[
    bool,
    _output("--dry-run", help="Show the SYN field by field; send nothing."),
]
Write: TypeAlias = Annotated[
    str | None,
    _output(
        "-w",
        "--write",
        metavar="FILE",
        help="Write the packets to a pcapng file with comments; - is stdout.",
    ),
]
