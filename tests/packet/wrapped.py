"""One segment, wrapped in everything that it may travel in."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any, Final

from scapy.contrib.erspan import ERSPAN_I, ERSPAN_II, ERSPAN_III
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.dot11 import Dot11, Dot11QoS, RadioTap
from scapy.layers.inet import (
    IP,
    UDP,
    IPOption_LSRR,
    IPOption_Router_Alert,
    IPOption_SSRR,
)
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    IPv6ExtHdrSegmentRouting,
)
from scapy.layers.l2 import GRE, LLC, SNAP, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Dot3, Ether
from scapy.layers.l2tp import L2TP
from scapy.layers.ppp import HDLC, PPP, PPPoE
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from handshake.packet import scapy_codec
from tests.packet.frames import A6, B6, SYN

V4: Final = scapy_codec.packet(SYN)
V6: Final = scapy_codec.packet(replace(SYN, source=A6, destination=B6))
OUTER: Final = IP(src="203.0.113.1", dst="203.0.113.2")
OUTER6: Final = IPv6(src="2001:db8::1", dst="2001:db8::2")
ETHER: Final = Ether(src="00:00:5e:00:53:01", dst="00:00:5e:00:53:02")


def pktap(link_type: int) -> bytes:
    return struct.pack("<III", 108, 1, link_type).ljust(108, b"\0")


def nflog(family: int, payload: Any) -> bytes:
    prefix, octets = struct.pack("<HH", 6, 10) + b"x\0\0\0", bytes(payload)
    return bytes((family, 0, 0, 0)) + prefix + struct.pack("<HH", len(octets) + 4, 9) + octets


_TYPED: Final = Raw(bytes(12))
"""An Ethernet header as far as the EtherType."""

Wrapped = tuple[int, Any, tuple[str, ...]]

LINKS: Final[list[Wrapped]] = [
    (1, ETHER / V4, ()),
    (1, ETHER / V6, ()),
    (1, ETHER / Dot1Q(vlan=5) / V4, ("vlan 5",)),
    (1, ETHER / Dot1Q(vlan=0) / V4, ()),
    (1, ETHER / Dot1AD(vlan=5) / Dot1Q(vlan=6) / V6, ("vlan 5", "vlan 6")),
    (1, ETHER / Dot1Q(vlan=5) / Dot1Q(vlan=6) / V4, ("vlan 5", "vlan 6")),
    (1, Ether(type=0x9100) / Dot1Q(vlan=5, type=0x8100) / Dot1Q(vlan=6) / V4, ("vlan 5", "vlan 6")),
    (1, Dot3() / LLC() / SNAP() / V4, ()),
    (1, Dot3() / LLC(dsap=6, ssap=6, ctrl=3) / V4, ()),
    (1, ETHER / MPLS(label=16, s=0) / MPLS(label=17, s=1) / V4, ("mpls 16/17",)),
    (1, ETHER / MPLS(label=16, s=1) / Raw(bytes(4)) / ETHER / V4, ("mpls 16",)),
    (1, ETHER / MPLS(label=16, s=1) / ETHER / V6, ("mpls 16",)),
    (1, ETHER / PPPoE(sessionid=9) / PPP() / V6, ("pppoe 9",)),
    (0, Raw(b"\x02\0\0\0") / V4, ()),
    (0, Raw(b"\0\0\0\x02") / V4, ()),
    (0, Raw(b"\x1e\0\0\0") / V6, ()),
    (0, Raw(b"\0\0\0\x18") / V6, ()),
    (108, Raw(b"\0\0\0\x02") / V4, ()),
    (108, Raw(b"\0\0\0\x1c") / V6, ()),
    *((raw, packet, ()) for raw in (12, 14, 101) for packet in (V4, V6)),
    (228, V4, ()),
    (229, V6, ()),
    (9, PPP() / V4, ()),
    (9, HDLC() / PPP() / V4, ()),
    (9, Raw(b"\x21") / V4, ()),
    (50, HDLC() / PPP() / V6, ()),
    (51, PPPoE(sessionid=9) / PPP() / V4, ("pppoe 9",)),
    (104, Raw(b"\x0f\0\x08\0") / V4, ()),
    (104, Raw(b"\x8f\0\x86\xdd") / V6, ()),
    (105, Dot11(type=2, FCfield=1) / LLC() / SNAP() / V4, ()),
    (105, Dot11(type=2, FCfield=3) / LLC() / SNAP() / V4, ()),
    (105, Dot11(type=2, subtype=8, FCfield=2) / Dot11QoS() / LLC() / SNAP() / V6, ()),
    (127, RadioTap() / Dot11(type=2, FCfield=1) / LLC() / SNAP() / V4, ()),
    (113, CookedLinux() / V4, ()),
    (113, CookedLinux() / Dot1Q(vlan=5) / V6, ("vlan 5",)),
    (276, CookedLinuxV2(proto=0x0800) / V4, ()),
    (276, CookedLinuxV2(proto=0x86DD) / V6, ()),
    (239, nflog(2, V4), ()),
    (239, nflog(10, V6), ()),
    (1, _TYPED / Raw(b"\x89\x3f\x10\0\0\xd3\0\x01\x08\0") / V4, ("e-tag 16595",)),
    (1, _TYPED / Raw(b"\x89\x26\0\x01\0\x02\x86\xdd") / V6, ("vn-tag",)),
    (1, _TYPED / Raw(b"\x89\x09\x01\x01\0\x01\0\x02\x08\0") / V4, ("sgt 2",)),
    (1, _TYPED / Raw(b"\x89\x09\x01\x01\0\x01\0\x02\x81\0\0\x05\x08\0") / V4, ("sgt 2", "vlan 5")),
    (1, _TYPED / Raw(b"\x89\x2f\0\x34\0\x01\x08\0") / V4, ()),
    (1, _TYPED / Raw(b"\xf1\xc1\0\0\0\x01\x86\xdd") / V6, ()),
    (1, _TYPED / Raw(b"\x88\xe5\0\0\0\0\0\x01\x08\0") / V4, ("macsec",)),
    (1, _TYPED / Raw(b"\x88\xe5\x20\0\0\0\0\x01" + bytes(8) + b"\x08\0") / V4, ("macsec",)),
    (1, _TYPED / Raw(b"\x22\xf3\0\x45\0\x01\0\x02" + bytes(4)) / ETHER / V4, ("trill",)),
    (1, _TYPED / Raw(b"\x89\x4f\x0f\xc6\x01\x01\0\0\x09\xff" + bytes(16)) / V4, ("nsh 9",)),
    (1, _TYPED / Raw(b"\x89\x4f\x0f\xc2\x02\x03\0\0\x09\xff") / ETHER / V6, ("nsh 9",)),
    (1, _TYPED / Raw(b"\x24\x52") / Dot11(type=2, FCfield=1) / LLC() / SNAP() / V4, ()),
    (1, _TYPED / Raw(b"\x88\x70") / LLC() / SNAP() / V4, ()),
    (6, Raw(b"\x10\x40" + bytes(12)) / LLC() / SNAP() / V4, ()),
    (
        6,
        Raw(b"\x10\x40" + bytes(6) + b"\x80" + bytes(5) + b"\x06\0" + bytes(4))
        / LLC()
        / SNAP()
        / V6,
        (),
    ),
    (10, Raw(b"\x50" + bytes(12)) / LLC() / SNAP() / V4, ()),
    (100, LLC() / SNAP() / V4, ()),
    (107, Raw(b"\x4c\x01\x08\0") / V4, ()),
    (107, Raw(b"\x4c\x01\x03\xcc") / V4, ()),
    (107, Raw(b"\x4c\x00\x00\x01\x03\x8e") / V6, ()),
    (107, Raw(b"\x4c\x01\x03\0\x80\0\0\0\x08\0") / V4, ()),
    (107, Raw(b"\x4c\x01\x03\0\x80\0\x80\xc2\0\x07") / ETHER / V4, ()),
    (109, Raw(b"\x02\0\0\0" + bytes(8)) / V4, ()),
    (117, Raw(b"\x3d\x02".ljust(64, b"\0")) / V4, ()),
    (117, Raw(b"\x3d\x18".ljust(64, b"\0")) / V6, ()),
    (242, Raw(bytes(40) + b"\x08\0\0\0") / V4, ()),
    (242, Raw(bytes(40) + b"\x86\xdd\0\0") / V6, ()),
    (258, pktap(1) + bytes(ETHER / V4), ()),
    (258, pktap(0) + b"\x1e\0\0\0" + bytes(V6), ()),
]
"""Link types: the number, a frame, and what the segment came through."""

_V3: Final = ERSPAN_III(session_id=7)

TUNNELS: Final[list[tuple[Any, tuple[str, ...]]]] = [
    (OUTER / GRE(), ("gre",)),
    (OUTER6 / GRE(key_present=1, key=5), ("gre 5",)),
    (OUTER / GRE(chksum_present=1, seqnum_present=1, sequence_number=3), ("gre",)),
    (OUTER / GRE(proto=0x6558) / ETHER / Dot1Q(vlan=5), ("gre", "vlan 5")),
    (OUTER / GRE(proto=0x8847) / MPLS(label=16, s=1), ("gre", "mpls 16")),
    (OUTER / GRE(proto=0x88BE) / ERSPAN_I() / ETHER, ("erspan",)),
    (OUTER / GRE(proto=0x88BE, seqnum_present=1) / ERSPAN_II(session_id=7) / ETHER,
     ("gre", "erspan 7")),
    (OUTER / GRE(proto=0x22EB, seqnum_present=1) / _V3 / ETHER, ("gre", "erspan 7")),
    (OUTER / UDP(sport=49999, dport=4789) / VXLAN(vni=5) / ETHER, ("vxlan 5",)),
    (OUTER6 / UDP(sport=49999, dport=4789) / VXLAN(vni=5) / ETHER, ("vxlan 5",)),
    (OUTER / GRE(proto=0x8200) / Dot11(type=2, FCfield=1) / LLC() / SNAP(), ("gre",)),
    (OUTER / GRE(proto=0x8310) / Dot11(type=2, subtype=8, FCfield=1) / Dot11QoS() / LLC() / SNAP(),
     ("gre",)),
    (IP(proto=47) / Raw(b"\x20\x01\x64\0\0\x40\x07\0") / ETHER, ("eoip 7",)),
    (OUTER / UDP(sport=49999, dport=4790) / VXLAN(flags=0xC, NextProtocol=3, vni=5) / ETHER,
     ("vxlan 5",)),
    (OUTER / UDP(sport=49999, dport=6081) / GENEVE(vni=6, proto=0x6558) / ETHER, ("geneve 6",)),
    (OUTER / UDP(sport=49999, dport=4754) / GRE(), ("gre",)),
    (OUTER / UDP(sport=49999, dport=6635) / MPLS(label=16, s=1), ("mpls 16",)),
    (OUTER / UDP(dport=1701) / L2TP(tunnel_id=2, session_id=3) / HDLC() / PPP(), ("l2tp 2/3",)),
    (OUTER / UDP(sport=49999, dport=2152) / GTP_U_Header(teid=4), ("gtp-u 4",)),
    (OUTER / UDP(sport=49999, dport=2152) / GTP_U_Header(teid=4, S=1, seq=1), ("gtp-u 4",)),
    (IP(proto=97) / Raw(b"\x30\0") / ETHER, ("etherip",)),
    (IP(proto=137) / MPLS(label=16, s=1), ("mpls 16",)),
]  # fmt: skip
"""What precedes a packet of either version, and its name."""

IN_IP: Final[list[Wrapped]] = [
    (1, ETHER / OUTER / V4, ("ipip",)),
    (1, ETHER / OUTER / V6, ("6in4",)),
    (1, ETHER / OUTER6 / V4, ("4in6",)),
    (1, ETHER / OUTER6 / V6, ("6in6",)),
    (1, ETHER / Dot1Q(vlan=5) / OUTER / OUTER6 / OUTER / V4, ("vlan 5", "6in4", "4in6", "ipip")),
    (1, ETHER / OUTER / UDP(sport=3544, dport=3544) / V6, ("teredo",)),
]

IN_TUNNELS: Final[list[Wrapped]] = [
    (1, ETHER / tunnel / inner, via) for tunnel, via in TUNNELS for inner in (V4, V6)
]

_ROUTED: Final = IPv6ExtHdrRouting(segleft=0, addresses=["::1"])
_BETWEEN: Final = (
    IPv6ExtHdrHopByHop(),
    IPv6ExtHdrDestOpt(),
    IPv6ExtHdrFragment(),
    IPv6ExtHdrHopByHop() / _ROUTED / IPv6ExtHdrDestOpt(),
)


_ON_ITS_WAY: Final = (
    IPv6ExtHdrRouting(segleft=1, addresses=["2001:db8::9"]),
    IPv6ExtHdrSegmentRouting(segleft=1, addresses=["2001:db8::9", "2001:db8::2"]),
)
_ROUTES: Final = (
    IPOption_LSRR(routers=["203.0.113.8", "198.51.100.1"]),
    IPOption_SSRR(routers=["203.0.113.8", "198.51.100.1"]),
)
_WITH_OPTION: Final = IP(src="192.0.2.1", dst="198.51.100.1", options=[IPOption_Router_Alert()])

EXTENDED: Final[list[Wrapped]] = [
    (1, ETHER / _WITH_OPTION / V4.payload, ()),
    *(
        (1, ETHER / IP(src=OUTER.src, dst=OUTER.dst, options=[route]) / V4.payload, ())
        for route in _ROUTES
    ),
    *((1, ETHER / OUTER6 / between / V6.payload, ()) for between in _BETWEEN),
]
"""Headers between IP and TCP."""

_BEYOND_TUNNELS: Final[list[tuple[Any, tuple[str, ...]]]] = [
    (OUTER / UDP(sport=49999, dport=8472) / VXLAN(flags=8, vni=5) / ETHER, ("vxlan 5",)),
    (OUTER6 / UDP(sport=8472, dport=8472, chksum=0) / VXLAN(flags=8, vni=5) / ETHER, ("vxlan 5",)),
    (OUTER / UDP(sport=49999, dport=8472) / VXLAN(flags=0x88, gpid=7, vni=5) / ETHER
     / Dot1Q(vlan=6), ("vxlan 5", "vlan 6")),
]  # fmt: skip

BEYOND: Final[list[Wrapped]] = [
    (1, _TYPED / Raw(b"\x89\x09\x01\x02\0\x01\0\x02\0\0\0\0\x08\0") / V4, ("sgt 2",)),
    (1, _TYPED / Raw(b"\x22\xe9\0\x01\x08\0") / V4, ()),
    *(
        (105, Dot11(type=2, FCfield=0x41) / Raw(vector) / LLC() / SNAP() / V4, ())
        for vector in (b"", b"\x73\xd2\x17\0", b"\x73\xd2\0\x20" + bytes(4))
    ),
    *((1, ETHER / OUTER6 / between / V6.payload, ()) for between in _ON_ITS_WAY),
    *((1, ETHER / tunnel / inner, via) for tunnel, via in _BEYOND_TUNNELS for inner in (V4, V6)),
]
"""What tshark 4.0 does not read, or reads with the next node as the destination."""

READ_BY_TSHARK: Final = [*LINKS, *IN_TUNNELS, *IN_IP, *EXTENDED]
ALL: Final = [*READ_BY_TSHARK, *BEYOND]
