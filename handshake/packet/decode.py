"""Finds the segment in a frame: `Decoder.fields` for speed, `Decoder.observed` for all details.

    decoder = Decoder()
    for frame in capture:                    # each frame once and in order, for reassembly
        found = decoder.fields(frame)        # a plain tuple, an IcmpError or None
        if type(found) is tuple:
            (source, destination, sport, dport, seq, ack, bits, window, length, options,
             ttl, ip, tcp, end, whole, via) = found      # see `layer_parser.Fields`
            observed(frame, found)           # the same as an Observed, when needed
    decoder.warnings                         # one for each kind of frame that was skipped

`Decoder.observed(frame)` does both at once. Malformed packets raise nothing here.
"""

from __future__ import annotations

import struct
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from handshake.errors import CaptureError
from handshake.packet.checksum import checksum
from handshake.packet.dot11 import EncryptedError
from handshake.packet.ip import CutError
from handshake.packet.layer import IPV4, IPV6, UnknownLinkError, UnknownTypeError
from handshake.packet.layer_parser import LayerParser, ShortError
from handshake.packet.tags import NAMES
from handshake.tcp import Endpoint, Observed, Segment
from handshake.tcp.address import ip_address
from handshake.units import TCP

if TYPE_CHECKING:
    from handshake.packet.frame import Frame
    from handshake.packet.layer import Octets
    from handshake.packet.layer_parser import Fields
    from handshake.tcp.icmp import IcmpError

_ETHERNET: Final = 1
_ORDINARY: Final = struct.Struct("!12xHBxH2xHBB2x4s4sHHIIHH").unpack_from
"""Ethernet, IPv4 without options and TCP: the vast majority."""

_ORDINARY_6: Final = struct.Struct("!18xHBB16s16sHHIIHH").unpack_from
"""The same over IPv6, from the payload length on."""

_ORDINARY_OCTETS: Final = 54
_ORDINARY_6_OCTETS: Final = 74
_MIN_HEADER: Final = 20

_NAMES: Final = {
    143: "DOCSIS",
    **dict.fromkeys(range(147, 163), "private use"),
    177: "LAPD",
    187: "Bluetooth",
    189: "USB",
    197: "ERF",
    201: "Bluetooth",
    220: "USB",
    227: "CAN",
    247: "InfiniBand",
    249: "USB",
    252: "upper PDUs of Wireshark",
}
"""Names of link types that are not supported."""

_address = lru_cache(65536)(ip_address)


@lru_cache(65536)
def endpoint(packed: bytes, port: int) -> Endpoint:
    """Return the endpoint with these octets of an address, shared by all its segments."""
    return Endpoint(_address(packed), port)


class Decoder:
    """Finds the segment in each frame, and counts the frames that could not be read."""

    def __init__(self) -> None:
        self._skipped: Counter[tuple[str, str]] = Counter()
        """How many frames could not be read, by code and detail."""

        self._first: dict[tuple[str, str], int] = {}
        self._parser = LayerParser()

    def fields(self, frame: Frame) -> Fields | IcmpError | None:
        """Return the innermost segment of the frame, or the ICMP error that quotes one.

        None if it has neither.
        """
        _, _, _, link_type, length, data, _ = frame
        if link_type == _ETHERNET and len(data) >= _ORDINARY_OCTETS:
            # fmt: off
            (kind, first, total, fragmentation, ttl, protocol, source, destination,
             sport, dport, seq, ack, bits, window) = _ORDINARY(data)
            # fmt: on
            if kind == IPV4 and first == 0x45 and protocol == TCP and not fragmentation & 0x3FFF:
                header = bits >> 10 & 0x3C
                # Leave inconsistent lengths to the layer parser.
                if _MIN_HEADER <= header <= total - 20 <= length - 34:
                    options = bytes(data[54 : 34 + header]) if header > _MIN_HEADER else b""
                    # fmt: off
                    return (source, destination, sport, dport, seq, ack, bits, window,
                            total - 20 - header, options, ttl, 14, 34, 14 + total, None, ())
                    # fmt: on
            if kind == IPV6 and (found := _ordinary_6(data, length)) is not None:
                return found
        try:
            return self._parser.parse(frame)
        except UnknownLinkError as error:
            name = _NAMES.get(error.link_type)
            why = "link-type", f"{error.link_type} ({name})" if name else str(error.link_type)
        except UnknownTypeError as error:
            name = NAMES.get(error.kind)
            number = f"0x{error.kind:04x}"
            why = (
                "gre-type" if error.in_gre else "ether-type",
                f"{number} ({name})" if name else number,
            )
        except EncryptedError:
            why = "encrypted", ""
        except ShortError:
            why = "short", ""
        except (CutError, struct.error, IndexError):
            why = "truncated", ""
        except ValueError as error:
            why = "malformed", str(error)
        self._skipped[why] += 1
        self._first.setdefault(why, frame.number)
        return None

    def observed(self, frame: Frame) -> Observed | IcmpError | None:
        """Return the innermost segment of the frame as observed, or the error that quotes one.

        None if it has neither.
        """
        found = self.fields(frame)
        return observed(frame, found) if isinstance(found, tuple) else found

    @property
    def warnings(self) -> list[CaptureError]:
        """The frames skipped so far: a warning for each reason, with the first frame."""
        found = [
            CaptureError(f"skipped.{code}", count=count, why=why, first=self._first[code, why])
            for (code, why), count in self._skipped.items()
        ]
        count, first = self._parser.fragments.left
        if count:
            found.append(CaptureError("skipped.fragments", count=count, first=first))
        if self._parser.damaged:
            count, first = self._parser.damaged, self._parser.first_damaged
            found.append(CaptureError("tunnel.udp-checksum", count=count, first=first))
        return found


def _ordinary_6(data: Octets, length: int) -> Fields | None:
    if len(data) < _ORDINARY_6_OCTETS or data[14] >> 4 != 6:
        return None
    # fmt: off
    (size, protocol, ttl, source, destination,
     sport, dport, seq, ack, bits, window) = _ORDINARY_6(data)
    header = bits >> 10 & 0x3C
    if protocol != TCP or not _MIN_HEADER <= header <= size <= length - 54:
        return None
    options = bytes(data[74 : 54 + header]) if header > _MIN_HEADER else b""
    return (source, destination, sport, dport, seq, ack, bits, window,
            size - header, options, ttl, 14, 54, 54 + size, None, ())
    # fmt: on


def observed(frame: Frame, fields: Fields) -> Observed:
    """Return the fields of this frame as an Observed, with payload, packet and checksum."""
    source, destination = fields[0], fields[1]
    tcp, end, whole = fields[12], fields[13], fields[14]
    octets = bytes((frame.data if whole is None else whole)[tcp:end])
    right = None if len(octets) < end - tcp else not checksum(source, destination, octets)
    return observed_as(frame, fields, frame.length, fields[15], checksum_ok=right)


def observed_as(
    frame: Frame, fields: Fields, length: int, via: tuple[str, ...], *, checksum_ok: bool | None
) -> Observed:
    """Return the same where its length on the wire, its way and its checksum are known."""
    ends = endpoint(fields[0], fields[2]), endpoint(fields[1], fields[3])
    ttl, ip, tcp, end, whole = fields[10:15]
    packet = bytes((frame.data if whole is None else whole)[ip:end])
    octets = packet[tcp - ip :]
    return Observed(
        segment=Segment.parse(ends[0].address, ends[1].address, octets, end - tcp, ends),
        at=frame.time,
        frame=frame.number,
        length=length,
        ttl=ttl,
        checksum_ok=checksum_ok,
        packet=packet,
        via=via,
    )
