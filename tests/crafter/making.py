"""Fields of any packet for hypothesis, and what the command line makes of its own arguments."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from handshake.cli import main
from handshake.crafter.fields import LIMITS, PacketFields
from handshake.tcp import Endpoint, Flags
from handshake.tcp.address import ip_address
from handshake.tcp.checksum import Checksum
from handshake.tcp.options import Timestamps

if TYPE_CHECKING:
    from collections.abc import Sequence

_LYING = ("offset", "length", "words")
_SUMS = ("checksum", "ip_checksum")


def _up_to(most: int) -> st.SearchStrategy[int]:
    return st.integers(0, most)


def _ends(version: int) -> st.SearchStrategy[Endpoint]:
    addresses: st.SearchStrategy[Any] = (
        _up_to(2**32 - 1).map(IPv4Address)
        if version == 4
        else _up_to(2**128 - 1).map(lambda number: ip_address(IPv6Address(number).packed))
    )
    return st.builds(Endpoint, addresses, _up_to(0xFFFF))


WELL_FORMED: st.SearchStrategy[bytes] = st.lists(
    st.one_of(
        st.just(b"\x01"),
        _up_to(0xFFFF).map(lambda size: b"\x02\x04" + size.to_bytes(2, "big")),
        _up_to(255).map(lambda shift: bytes((3, 3, shift))),
        st.just(b"\x04\x02"),
        st.binary(min_size=8, max_size=8).map(lambda clocks: b"\x08\x0a" + clocks),
        st.binary(min_size=8, max_size=16).map(lambda data: bytes((34, 2 + len(data))) + data),
        st.tuples(st.integers(9, 255), st.binary(max_size=6)).map(
            lambda each: bytes((each[0], 2 + len(each[1]))) + each[1]
        ),
    ),
    max_size=6,
).map(lambda parts: b"".join(parts)[:40])
"""Options as hosts send them, and such that are cut."""

OPTIONS = st.one_of(st.binary(max_size=40), WELL_FORMED, WELL_FORMED.map(lambda raw: raw[:36]))


def packets_of(version: int) -> st.SearchStrategy[PacketFields]:
    """Return fields of packets of a version of IP: right ones, and such that lie anywhere."""
    numbers = {name: _up_to(most) for name, most in LIMITS.items()}
    lies = {name: st.one_of(st.none(), numbers[name]) for name in _LYING}
    kinds = st.sampled_from([Checksum.RIGHT, Checksum.WRONG, Checksum.PARTIAL])
    sums = {name: st.one_of(kinds, numbers[name]) for name in _SUMS}
    return st.builds(
        PacketFields,
        _ends(version),
        _ends(version),
        **numbers | lies | sums,
        flags=_up_to(0x1FF).map(Flags),
        options=OPTIONS,
        payload=st.binary(max_size=60),
        ip_options=st.one_of(st.just(b""), st.binary(max_size=40)),
        extensions=st.one_of(st.just(b""), st.binary(max_size=30)),
        trailer=st.one_of(st.just(b""), st.binary(max_size=20)),
        cut=st.one_of(st.none(), _up_to(150)),
        bare=st.booleans(),
    )


PACKETS = st.sampled_from([4, 6]).flatmap(packets_of)
CLOCKS = st.builds(Timestamps, _up_to(2**32 - 1), _up_to(2**32 - 1))


def crafted(arguments: Sequence[str]) -> bytes:
    """Return the octets that `handshake craft` prints for these arguments."""
    out = StringIO()
    with redirect_stdout(out):
        code = main(["craft", *arguments, "--format", "hex"])
    assert code == 0, arguments
    return bytes.fromhex(out.getvalue())
