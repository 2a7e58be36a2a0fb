"""An option in a word or two, to be shown: `MSS 1460`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from handshake.tcp.option_kinds import Kind

if TYPE_CHECKING:
    from handshake.tcp.options import Option

_SHORT: Final[dict[int, str]] = {
    Kind.MSS: "MSS",
    Kind.WINDOW_SCALE: "WScale",
    Kind.SACK_PERMITTED: "SACK ok",
    Kind.SACK: "SACK",
    Kind.TIMESTAMPS: "TS",
    Kind.MD5: "MD5",
    Kind.USER_TIMEOUT: "UTO",
    Kind.AO: "AO",
    Kind.MPTCP: "MPTCP",
    Kind.FAST_OPEN: "TFO",
    Kind.ACC_ECN_0: "AccECN0",
    Kind.ACC_ECN_1: "AccECN1",
}

_COUNTERS: Final[dict[int, tuple[str, str, str]]] = {
    Kind.ACC_ECN_0: ("e0", "ce", "e1"),
    Kind.ACC_ECN_1: ("e1", "ce", "e0"),
}
"""Octets received with ECT(0), CE and ECT(1), in the order of each kind (RFC 9768 3.2.3)."""


def option_text(option: Option) -> str:
    """Return the option as a short text: `MSS 1460`, `MPTCP MP_JOIN`."""
    name = _SHORT.get(option.kind, option.name)
    if option.problem is not None:
        return f"{name} malformed"
    content = _content(option)
    return f"{name} {content}" if content else name


def _content(option: Option) -> str:
    data = option.data
    number = int.from_bytes(data, "big")
    match option.kind:
        case Kind.MSS | Kind.WINDOW_SCALE:
            return str(number)
        case Kind.TIMESTAMPS:
            return f"{number >> 32}/{number & 0xFFFFFFFF}"
        case Kind.SACK:
            edges = [str(int.from_bytes(data[at : at + 4], "big")) for at in range(0, len(data), 4)]
            return ",".join("-".join(edges[at : at + 2]) for at in range(0, len(edges), 2))
        case Kind.FAST_OPEN:
            return _cookie(data)
        case Kind.MPTCP:
            version = f" v{data[0] & 0xF}" if option.subtype == "MP_CAPABLE" else ""
            return f"{option.subtype}{version}"
        case Kind.AO:
            return f"key {data[0]} next {data[1]}"
        case Kind.USER_TIMEOUT:
            return f"{number & 0x7FFF} {'min' if number & 0x8000 else 's'}"
        case Kind.ACC_ECN_0 | Kind.ACC_ECN_1:
            found = (int.from_bytes(data[at : at + 3], "big") for at in range(0, len(data), 3))
            pairs = zip(_COUNTERS[option.kind], found, strict=False)
            return " ".join(f"{name}={count}" for name, count in pairs)
        case Kind.EXPERIMENT_1 | Kind.EXPERIMENT_2:
            return _experiment(option)
        case Kind.END | Kind.NOP | Kind.SACK_PERMITTED | Kind.MD5:
            return ""
    return f"({len(option.raw)})"


def _experiment(option: Option) -> str:
    if option.experiment == "TFO":
        return f"TFO {_cookie(option.data[2:])}"
    return option.experiment or f"({len(option.raw)})"


def _cookie(data: bytes) -> str:
    return "cookie" if data else "request"
