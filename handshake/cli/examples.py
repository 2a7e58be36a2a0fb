"""The examples in the help of each command: as typed, and what they do."""

from __future__ import annotations

from typing import Final

EXAMPLES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "handshake": (
        ("handshake probe example.org:443", "Why does this connection not open?"),
        ("handshake list captures/mixed.pcap", "Which connections are in a capture?"),
        ("handshake replay captures/refused.pcap", "What happened, segment by segment?"),
        ("handshake demo", "How does it work? A lesson."),
        ("handshake help probe", "The options of a command, with examples."),
    ),
    "probe": (
        ("sudo handshake probe example.org:443", "Verdict, evidence, next step, segments."),
        ("sudo handshake probe 192.0.2.7:443 -v", "With every header and both sockets."),
        ("sudo handshake probe 192.0.2.7:443 --trace", "Which router drops or changes the SYN?"),
        ("handshake probe 192.0.2.7:443 --connect", "Without privileges, by the kernel."),
        (
            "sudo handshake probe 192.0.2.7:ssh,443,8000-8010",
            "Many ports: a row each, then the reasons.",
        ),
        (
            "sudo handshake probe 192.0.2.7:443 --count 10",
            "Loss and round trips, as ping shows them.",
        ),
        (
            r"sudo handshake probe 192.0.2.7:80 --data 'GET / HTTP/1.0\r\n\r\n'",
            "Send a request, and show what comes back.",
        ),
        (
            "sudo handshake probe 192.0.2.7:443 -w probe.pcapng",
            "Keep the packets, each with a comment.",
        ),
        (
            "sudo handshake probe 192.0.2.7:443 --export report.html",
            "A page for the administrator of the firewall; also .svg, .md.",
        ),
        ("handshake probe 192.0.2.7:443 --dry-run", "Show the SYN field by field; send nothing."),
    ),
    "replay": (
        ("handshake replay captures/refused.pcap", "With keys on a terminal, as text in a pipe."),
        (
            "handshake replay captures/mixed.pcap --connection 3",
            "Only the third connection of the file.",
        ),
        (
            "handshake replay captures/lost-syn-ack.pcap --export lost.html",
            "A page to step through; also .svg, .md, .txt.",
        ),
        (
            "handshake replay captures/lost-syn-ack.pcap --json",
            "An object a segment, for a program.",
        ),
    ),
    "list": (
        ("handshake list captures/mixed.pcap", "A row a connection; keys select, sort, filter."),
        ("handshake list captures --problems", "Of a directory, what did not go well."),
        (
            "handshake list captures/mixed.pcap --filter 'outcome == refused'",
            "Select by any key that --json prints.",
        ),
        ("handshake list captures/mixed.pcap --summary", "Totals instead of rows."),
        (
            "handshake list captures/mixed.pcap --problems --export problems.html",
            "A page to step through and to share; also report.html, .pcapng.",
        ),
        ("handshake list captures/mixed.pcap --csv", "For a spreadsheet; also --json, --zeek."),
    ),
    "watch": (
        ("sudo handshake watch -i eth0 'port 443'", "FILTER is tcpdump's language."),
        ("sudo handshake watch --problems", "What does not go well here?"),
        ("sudo handshake watch --json > today.json", "A record a connection, for a program."),
        ("handshake watch -r -", "What arrives: ssh host tcpdump -U -w - tcp | ..."),
    ),
    "craft": (
        ("handshake craft --checksum wrong --reserved 5", "A SYN that no host accepts."),
        ("handshake craft --offset 3 | handshake decode -", "What is wrong with it?"),
    ),
    "decode": (
        ("handshake craft --mss 536 --format c | handshake decode", "From any form."),
        ("handshake decode captures/mixed.pcap --frame 3", "A frame of a capture."),
    ),
    "serve": (
        ("sudo handshake serve 8080", "Echo; every header and both ends, as they pass."),
        ("handshake serve --list", "The ways in which it can go wrong on purpose."),
        (
            r"sudo handshake serve 8080 --data 'HTTP/1.0 200 OK\r\n\r\nhello\n'",
            "A web server by hand: curl http://localhost:8080/",
        ),
        ("sudo handshake serve 8080 --misbehave zero-window", "How does a client take that?"),
        ("sudo handshake serve 8080 --backlog 1 --misbehave no-accept", "Fill the accept queue."),
    ),
    "demo": (
        ("handshake demo", "Step by step with keys."),
        ("handshake demo --lang both", "In English and Korean, side by side."),
        ("handshake demo --step 4", "Begin at step 4; in a pipe, only that."),
    ),
    "help": (
        ("handshake help probe", "As handshake probe --help."),
        ("handshake help probe --all", "With the options that few need."),
        ("handshake help --man > handshake.1", "The manual page: man ./handshake.1"),
    ),
}
"""By the name of the command; `handshake` is the program itself."""
