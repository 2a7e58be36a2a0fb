"""The options of `handshake probe`, as its help explains them."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Final, TypeAlias

import typer

EXIT_CODES: Final = """
Exit codes:
  0    every target opened, and said what was expected
  1    one did not: it refused, was silent, was reset, or said something else
  2    wrong usage
  3    one could not be tried: no privilege, no route, no such name; so with
       several targets, too, whatever became of the others
  130  interrupted; 129 or 143: ended by SIGHUP or SIGTERM

Of a name with several addresses one that opens is enough; so is one call of
each target with --count, as with ping. With --monitor nagios it is 0 for OK,
2 for CRITICAL and 3 for UNKNOWN, which wrong usage is then, too.
"""

_calls = partial(typer.Option, rich_help_panel="Whom to call, how often and how fast")
_timeouts = partial(typer.Option, rich_help_panel="How long to wait")
_syn = partial(typer.Option, rich_help_panel="What the SYN says")
_way = partial(typer.Option, rich_help_panel="Which way it goes")
_talk = partial(typer.Option, rich_help_panel="What follows the handshake")
_caller = partial(typer.Option, rich_help_panel="Who makes the call")
_shown = partial(typer.Option, rich_help_panel="What is shown and kept")

Targets: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="host:port, host:80,443,8000-8010, [IPv6]:port, a URL, or host port; a port may be "
        "a service such as https. Without one, a listener of our own.",
    ),
]

File: TypeAlias = Annotated[
    list[str] | None,
    _calls(
        metavar="FILE",
        help="Take targets from a file, too: some a line, # begins a remark, - is stdin. May be "
        "given again.",
    ),
]
Count: TypeAlias = Annotated[
    int | None,
    _calls(metavar="N", min=1, help="Call each target N times, and sum up as ping does."),
]
Interval: TypeAlias = Annotated[
    float,
    _calls(
        metavar="SECONDS",
        help="With --count: from one call of a target to its next, if --rate allows that.",
    ),
]
Rate: TypeAlias = Annotated[
    float,
    _calls(metavar="N", help="Calls that begin in a second, at most."),
]
Concurrency: TypeAlias = Annotated[
    int,
    _calls(metavar="N", min=1, max=16384, help="Calls under way at once, at most."),
]

Timeout: TypeAlias = Annotated[
    float | None,
    _timeouts(
        metavar="SECONDS",
        min=0.001,
        help="How long to wait for an answer to our SYN; and once it is open, for what is to be "
        "said and expected.",
        show_default="5, or more for all retries",
    ),
]
Retries: TypeAlias = Annotated[
    int,
    _timeouts(metavar="N", min=0, help="How often to send a SYN, or a FIN, again."),
]
Rto: TypeAlias = Annotated[
    float,
    _timeouts(
        metavar="SECONDS",
        help="How long to wait before the first time; each time after it twice as long.",
    ),
]
Observe: TypeAlias = Annotated[
    float | None,
    _timeouts(
        metavar="SECONDS",
        help="How long to watch for the SYN+ACK to come again, a sign that our ACK did not "
        "arrive. It ends sooner where the peer shows that it did.",
        show_default="1.25; of many targets 0, where the FIN finds out; with --no-ack 8",
    ),
]
Hold: TypeAlias = Annotated[
    float,
    _timeouts(
        metavar="SECONDS", help="How long to keep the connection open, unless the peer closes it."
    ),
]

Mss: TypeAlias = Annotated[
    int | None,
    _syn(
        metavar="OCTETS", help="The MSS; 0 for no such option.", show_default="what the way carries"
    ),
]
Window: TypeAlias = Annotated[
    int | None,
    _syn(
        metavar="OCTETS",
        help="The room for data that our segments advertise. How long to watch is --observe.",
        show_default="about 64 KiB",
    ),
]
WindowScale: TypeAlias = Annotated[
    int | None,
    _syn(
        "--wscale",
        metavar="SHIFT",
        help="The window shift that is offered, 7 by default.",
        show_default="7",
    ),
]
NoWindowScale: TypeAlias = Annotated[bool, _syn("--no-wscale", help="Offer no window scaling.")]
Sack: TypeAlias = Annotated[
    bool,
    _syn("--sack/--no-sack", help="Offer selective acknowledgments."),
]
Timestamps: TypeAlias = Annotated[
    bool,
    _syn("--timestamps/--no-timestamps", help="Offer timestamps."),
]
Ecn: TypeAlias = Annotated[bool, _syn("--ecn", help="Ask for ECN (RFC 3168).")]
FastOpen: TypeAlias = Annotated[
    str | None,
    _syn(
        metavar="[=COOKIE]",
        help="Ask for a Fast Open cookie; with one, in hexadecimal, send --data in the SYN.",
    ),
]
Md5: TypeAlias = Annotated[
    str | None,
    _syn(
        "--md5",
        metavar="KEY",
        help="Sign every segment (RFC 2385) and, as Linux then does, offer no timestamps.",
    ),
]
OtherOptions: TypeAlias = Annotated[
    list[str] | None,
    _syn(
        "--option",
        metavar="KIND:HEX",
        help="Add any option, its data in hexadecimal; may be given again.",
    ),
]
SynFlags: TypeAlias = Annotated[
    str | None,
    _syn(metavar="FLAGS", help="Begin with other control bits than SYN: SYN,ECE or FIN or none."),
]
SequenceNumber: TypeAlias = Annotated[
    int | None,
    _syn(
        "--seq", metavar="N", help="The sequence number.", show_default="one that nobody can guess"
    ),
]

Source: TypeAlias = Annotated[
    str | None,
    _way(metavar="ADDRESS", help="The address of ours to call from."),
]
SourcePort: TypeAlias = Annotated[
    int,
    _way(metavar="PORT", help="The port to call from; 0 for any."),
]
Interface: TypeAlias = Annotated[
    str | None,
    _way(metavar="NAME", help="The interface to leave by."),
]
Ttl: TypeAlias = Annotated[
    int,
    _way("--ttl", metavar="N", help="Time to live, or hop limit."),
]
Tos: TypeAlias = Annotated[
    int,
    _way("--tos", metavar="N", help="Type of service, or traffic class."),
]

Data: TypeAlias = Annotated[
    str | None,
    _talk(
        metavar="TEXT",
        help=r"What to say once it is open; \r \n \t \0 \xHH \\ stand for an octet each.",
    ),
]
Expect: TypeAlias = Annotated[
    str | None,
    _talk(
        metavar="TEXT", help="What the peer must say somewhere, in the same form; else exit with 1."
    ),
]
NoAck: TypeAlias = Annotated[
    bool,
    _talk("--no-ack", help="Withhold our ACK, watch how the SYN+ACK comes again, and reset."),
]
Close: TypeAlias = Annotated[
    str,
    _talk(metavar="fin|rst|none", help="How to end the connection."),
]

Connect: TypeAlias = Annotated[
    bool,
    _caller("--connect", help="Let the kernel connect: needs no privilege, and shows no segment."),
]
Raw: TypeAlias = Annotated[
    bool,
    _caller(
        "--raw", help="By hand or not at all: without the privilege, fail in place of --connect."
    ),
]
Adopt: TypeAlias = Annotated[
    bool,
    _caller(
        "--adopt",
        help="Let the kernel carry on what was opened by hand, joined to stdin and stdout.",
    ),
]

Brief: TypeAlias = Annotated[
    bool,
    _shown("--brief", help="Of one target, too, print no more than a line for each address."),
]
Quiet: TypeAlias = Annotated[
    bool,
    _shown("--quiet", "-q", help="Print nothing: the exit code tells."),
]
Monitor: TypeAlias = Annotated[
    str | None,
    _shown(metavar="nagios|prometheus", help="Print what a monitoring system reads."),
]
DryRun: TypeAlias = Annotated[
    bool,
    _shown("--dry-run", help="Show the SYN, field by field, and send nothing."),
]
Write: TypeAlias = Annotated[
    str | None,
    _shown(
        "-w",
        "--write",
        metavar="FILE",
        help="Write the packets to a pcapng file, each with a comment; - is stdout.",
    ),
]
