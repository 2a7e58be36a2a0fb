"""The kinds of TCP options, by the names of IANA's registries, and how long they may be."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Kind(IntEnum):
    """Option kinds, as IANA's registry "TCP Option Kind Numbers" lists them."""

    END = 0
    NOP = 1
    MSS = 2
    WINDOW_SCALE = 3
    SACK_PERMITTED = 4
    SACK = 5
    TIMESTAMPS = 8
    MD5 = 19
    USER_TIMEOUT = 28
    AO = 29
    MPTCP = 30
    FAST_OPEN = 34
    ACC_ECN_0 = 172
    ACC_ECN_1 = 174
    EXPERIMENT_1 = 253
    EXPERIMENT_2 = 254


NAMES: Final[dict[int, str]] = {
    Kind.END: "end",
    Kind.NOP: "nop",
    Kind.MSS: "mss",
    Kind.WINDOW_SCALE: "wscale",
    Kind.SACK_PERMITTED: "sack-permitted",
    Kind.SACK: "sack",
    Kind.TIMESTAMPS: "timestamps",
    Kind.MD5: "md5",
    Kind.USER_TIMEOUT: "user-timeout",
    Kind.AO: "ao",
    Kind.MPTCP: "mptcp",
    Kind.FAST_OPEN: "fast-open",
    Kind.ACC_ECN_0: "accecn0",
    Kind.ACC_ECN_1: "accecn1",
    Kind.EXPERIMENT_1: "experiment-253",
    Kind.EXPERIMENT_2: "experiment-254",
}

MPTCP_SUBTYPES: Final[dict[int, str]] = {
    0x0: "MP_CAPABLE",
    0x1: "MP_JOIN",
    0x2: "DSS",
    0x3: "ADD_ADDR",
    0x4: "REMOVE_ADDR",
    0x5: "MP_PRIO",
    0x6: "MP_FAIL",
    0x7: "MP_FASTCLOSE",
    0x8: "MP_TCPRST",
    0xF: "MP_EXPERIMENTAL",
}
"""The subtypes of the Multipath TCP option (RFC 8684 section 3 and table 9)."""

FAST_OPEN_EXID: Final = 0xF989
"""How Fast Open was marked inside kind 254 before it had a kind of its own (RFC 7413)."""

EXIDS_16: Final[dict[int, str]] = {
    0x0348: "HOST_ID",  # RFC 7974
    0x454E: "TCP-ENO",  # RFC 8547
    0xACC0: "AccECN0",  # RFC 9768, before kind 172
    0xACC1: "AccECN1",  # RFC 9768, before kind 174
    0xACCE: "AccECN",  # before there were two orders
    0xEB9F: "BPF",  # what Linux writes for its BPF programs
    FAST_OPEN_EXID: "TFO",
}
"""Experiments that share kinds 253 and 254, by an identifier of 16 bits (RFC 6994)."""

EXIDS_32: Final[dict[int, str]] = {
    0xE2D4C3D9: "SMC-R",  # RFC 7609
}
"""Experiments with an identifier of 32 bits: only a list distinguishes them from those of 16."""

_LENGTHS: Final[dict[int, tuple[int, ...]]] = {
    Kind.MSS: (4,),
    Kind.WINDOW_SCALE: (3,),
    Kind.SACK_PERMITTED: (2,),
    Kind.TIMESTAMPS: (10,),
    Kind.MD5: (18,),
    Kind.USER_TIMEOUT: (4,),
    # None, one, two or all three of its counters (RFC 9768 section 3.2.3).
    Kind.ACC_ECN_0: (2, 5, 8, 11),
    Kind.ACC_ECN_1: (2, 5, 8, 11),
}
"""What the length octet may be, where the kind leaves little choice."""

_LEAST: Final[dict[int, int]] = {
    Kind.AO: 4,  # two key ids (RFC 5925 section 2.2)
    Kind.MPTCP: 3,  # its subtype (RFC 8684 section 3)
}
"""What the length octet must at least be."""


def problem(kind: int, length: int) -> str | None:
    """Return what is wrong with an option of this kind and length; None where nothing is."""
    allowed = _LENGTHS.get(kind)
    if allowed is not None and length not in allowed:
        return f"length {length}, must be {' or '.join(map(str, allowed))}"
    if length < _LEAST.get(kind, 2):
        return f"length {length}, must be at least {_LEAST[kind]}"
    if kind == Kind.SACK and (length < 10 or (length - 2) % 8):
        return f"length {length}, must be 2 + 8 for each block"
    if kind == Kind.FAST_OPEN and length != 2 and (length % 2 or not 6 <= length <= 18):
        return f"length {length}, must be even: 2 + 4 to 16 for a cookie"
    return None
