"""Linux's own clients against `handshake serve`: how many of them complete.

As a program, each client so many times over IPv4 and IPv6: `python -m tests.live.lab.serve_clients
1000`.
"""

import shutil
import sys
import time

from tests.live.lab.namespaces import Host, pair
from tests.live.lab.serving import served

PORT = 8080
ANSWER = r"HTTP/1.0 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"

CONNECT = """
import socket, sys
done = 0
for _ in range(int(sys.argv[2])):
    with socket.create_connection((sys.argv[1], 8080), 10) as sock:
        sock.sendall(b"hello")
        sock.shutdown(socket.SHUT_WR)
        found = b""
        while part := sock.recv(100):
            found += part
        done += found == b"hello"
print(done)
"""
HTTP = """
import http.client, sys
done = 0
for _ in range(int(sys.argv[2])):
    connection = http.client.HTTPConnection(sys.argv[1], 8080, timeout=10)
    connection.request("GET", "/")
    done += connection.getresponse().read() == b"hello\\n"
    connection.close()
print(done)
"""
# A shell starts programs in less time than Python does.
CURL = """
for each in $(seq "$2"); do curl -gsS -m 10 "http://$1:8080/"; done | grep -cx hello
"""
NC = """
for each in $(seq "$2"); do echo hello | nc -N -w 10 "$1" 8080; done | grep -cx hello
"""
NMAP = """
for each in $(seq "$2"); do
    nmap -sT -n -Pn -p 8080 ${3:+-6} --host-timeout 10s "$1"
done | grep -c '8080/tcp open'
"""

CLIENTS = {
    "connect": [sys.executable, "-c", CONNECT],
    "curl": ["sh", "-c", CURL, "sh"],
    "nc": ["sh", "-c", NC, "sh"],
    "http.client": [sys.executable, "-c", HTTP],
    "nmap": ["sh", "-c", NMAP, "sh"],
}
"""By name: the command that takes address and number."""

OPTIONS = dict.fromkeys(("curl", "http.client"), ("--data", ANSWER))
"""What `serve` is told for a client."""


def complete(client: Host, name: str, address: str, count: int) -> int:
    """Let a client connect to `serve` so often; return how often it completed."""
    words = [address, str(count)]
    if ":" in address:
        words = [f"[{address}]" if name == "curl" else address, str(count), "6"]
    done = client.run([*CLIENTS[name], *words], check=False, timeout=60 + count)
    return int(done.stdout or 0)


def main() -> None:
    """Print a line a client and version."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for name in CLIENTS:
        if name in ("curl", "nc", "nmap") and shutil.which(name) is None:
            print(f"{name:12} is not installed")  # noqa: T201
            continue
        for address in ("10.77.0.2", "fd77::2"):
            with pair() as (client, server), served(server, *OPTIONS.get(name, ())):
                begun = time.monotonic()
                done = complete(client, name, address, count)
                took = time.monotonic() - begun
            print(f"{name:12} {address:10} {done:5} of {count}  {took:.1f} s", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
