"""Build the segments that a client sends, with the same fields and options as Linux."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from handshake.endpoint.options import ECN, LINUX_SHIFT, ClientOptions
from handshake.errors import UsageError
from handshake.tcp import Endpoint, Flags, Offer, Options, Segment, Seq
from handshake.tcp import options as opt
from handshake.tcp.signature import signed
from handshake.units import MODULUS

if TYPE_CHECKING:
    from handshake.tcp import ControlBlock

ETHERNET: Final = 1460
"""The MSS of Ethernet with IPv4, in octets."""

LINUX: Final = Offer(mss=ETHERNET, window_scale=LINUX_SHIFT, sack_permitted=True, timestamps=True)
"""What Linux offers over Ethernet; some sites drop a SYN that offers less."""

_FIXED: Final = 20
_LARGEST: Final = 0xFFFF
_TIMESTAMPS: Final = 12
"""What timestamps take of each segment, in octets, padding included."""

_SMALLEST: Final = 48
"""The smallest MSS that is obeyed, as Linux does: a peer must not make us send tiny segments."""

_ECN_BITS: Final = ECN | Flags.AE

_PLACEHOLDER: Final = Endpoint.of("192.0.2.1", 1)


def path_mss(mtu: int, version: int) -> int:
    """Return the MSS for a path with this MTU, in octets (section 3.7.1)."""
    # The length field of IPv4 counts the IP header, that of IPv6 does not.
    return min(mtu, _LARGEST) - 40 if version == 4 else min(mtu, _LARGEST + 40) - 60


def offer_for(mtu: int, version: int, options: ClientOptions | None = None) -> Offer:
    """Return what a SYN with these options offers on a path with this MTU."""
    options = options or ClientOptions()
    return Offer(
        mss=path_mss(mtu, version) if options.mss is None else options.mss or None,
        window_scale=options.window_scale,
        sack_permitted=options.sack,
        # As Linux: with an MD5 signature there is no room for timestamps.
        timestamps=options.timestamps and not options.md5,
        ecn=options.ecn,
        fast_open=options.fast_open,
        md5=bool(options.md5),
    )


def check(options: ClientOptions) -> None:
    """Raise UsageError if the options of the SYN exceed the 40 octets of a header."""
    builder = SegmentBuilder(offer_for(1500, 4, options), options)
    try:
        builder.opening(_PLACEHOLDER, _PLACEHOLDER, Seq(0), clock=0)
    except ValueError as error:
        raise UsageError(
            "options.too-long", why=error, timestamps=builder.offer.timestamps
        ) from error


@dataclass(frozen=True, slots=True)
class SegmentBuilder:
    """Build the segments of one end. `clock` is always a timestamp value, in milliseconds."""

    offer: Offer
    options: ClientOptions = ClientOptions()  # noqa: RUF009 - it is frozen
    path_mss: int = ETHERNET
    """The largest segment that our side of the path carries, whatever MSS the peer announces."""

    def opening(
        self,
        local: Endpoint,
        remote: Endpoint,
        iss: Seq,
        clock: int,
        *,
        retransmission: bool = False,
    ) -> Segment:
        """Return the first segment; on a retransmission without what middleboxes may drop.

        That is ECN (RFC 3168 section 6.1.1.1) and Fast Open (RFC 7413 section 4.1.3.1).
        """
        if self.options.first is not None:
            return self.options.first
        offer, flags, data = self.offer, self.options.asked, b""
        if retransmission:
            flags &= ~_ECN_BITS
            offer = replace(offer, fast_open=None)
        options = self._offered(offer, clock, None) + self._extra()
        if offer.fast_open:
            data = self.options.data[: max(0, self.path_mss - len(options))]
        return self._signed(
            Segment(
                source=local,
                destination=remote,
                seq=iss,
                # As unpredictable as our ISN, so that only a host that saw it can answer.
                ack=Seq(~int(iss)) if Flags.ACK in flags else None,
                flags=flags,
                window=min(self._receive_window(), _LARGEST),
                options=Options.of(options),
                payload=data,
            )
        )

    def later(
        self, block: ControlBlock, flags: Flags, clock: int, seq: Seq, data: bytes = b""
    ) -> Segment:
        """Return any segment after the first."""
        assert block.remote is not None
        asked = block.peer_offered
        if block.passive and Flags.SYN in flags and self.offer.ecn and asked and asked.ecn:
            flags |= Flags.ECE  # RFC 3168 section 6.1.1
        return self._signed(
            Segment(
                source=block.local,
                destination=block.remote,
                seq=seq,
                ack=block.rcv.nxt if Flags.ACK in flags else None,
                flags=flags,
                window=self._window(block, flags),
                options=Options.of(self._negotiated(block, flags, clock)),
                payload=data,
            )
        )

    def payload(self, block: ControlBlock) -> int:
        """Return how many octets of data a segment may carry (section 3.7.1, RFC 6691)."""
        options = len(Options.of(self._negotiated(block, Flags.ACK, 0)).raw)
        size = min(block.mss or self.path_mss, self.path_mss)
        return max(_SMALLEST, size) - options

    def _signed(self, segment: Segment) -> Segment:
        return signed(segment, self.options.md5) if self.options.md5 else segment

    def _receive_window(self, block: ControlBlock | None = None) -> int:
        if self.options.window is not None:
            return self.options.window
        # As many full segments as an unscaled window can announce; who listens knows by then
        # whether timestamps take their part of each.
        size = self.offer.mss or 536
        if block is not None and block.passive and self.offer.timestamps:
            size -= _TIMESTAMPS if block.peer_offered and block.peer_offered.timestamps else 0
        size = max(size, 1)
        return _LARGEST // size * size

    def _window(self, block: ControlBlock, flags: Flags) -> int:
        if Flags.RST in flags and Flags.ACK not in flags:
            return 0  # it may come from a host without a socket
        # The window in a SYN is never scaled (RFC 7323 section 2.2); later it is rounded up.
        shift = 0 if Flags.SYN in flags else block.rcv_shift or 0
        return min(-(-self._receive_window(block) >> shift), _LARGEST)

    def _negotiated(self, block: ControlBlock, flags: Flags, clock: int) -> bytes:
        """Return the options of a segment after the first."""
        if Flags.SYN in flags:
            # A SYN-ACK offers only what the peer's SYN did (RFC 7323 sections 2.2 and 3.2).
            return self._offered(self.offer, clock, block) + (
                self._extra() if block.passive else b""
            )
        signature = self._blank_signature and opt.nop() * 2 + self._blank_signature
        if not block.timestamps or (Flags.RST in flags and Flags.ACK not in flags):
            return signature
        echo = block.ts_recent if Flags.ACK in flags else None
        return signature + opt.nop() + opt.nop() + opt.timestamps(clock % MODULUS, echo or 0)

    @property
    def _blank_signature(self) -> bytes:
        return opt.md5(bytes(opt.MD5_OCTETS)) if self.options.md5 else b""

    def _offered(self, offer: Offer, clock: int, block: ControlBlock | None) -> bytes:
        """Return the options of a SYN, or of a SYN-ACK if there is a block."""
        peer = (block and block.peer_offered) or offer
        clocks = None
        if offer.timestamps and peer.timestamps:
            echo = (block and block.ts_recent) or 0
            clocks = opt.Timestamps(clock % MODULUS, echo)
        scaled = peer.window_scale is not None
        # A SYN-ACK gives a cookie to a client that asks for one (RFC 7413 section 4.1.2).
        asked = block is None or peer.fast_open == b""
        return opt.in_order(
            signature=self._blank_signature,
            segment_size=offer.mss,
            sack=offer.sack_permitted and peer.sack_permitted,
            clocks=clocks,
            shift=offer.window_scale if scaled else None,
            cookie=offer.fast_open if asked else None,
        )

    def _extra(self) -> bytes:
        return b"".join(opt.option(kind, data) for kind, data in self.options.extra_options)
