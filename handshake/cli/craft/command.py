"""`handshake craft`: builds one packet, right or deliberately wrong, and shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from handshake.cli.craft import options as opt  # noqa: TC001 - typer reads the annotations
from handshake.cli.parameters import HiddenLang, language

if TYPE_CHECKING:
    from handshake.tcp.options import Timestamps


def craft(
    target: opt.Destination = None,
    destination: opt.DestinationOption = None,
    source: opt.Source = None,
    source_port: opt.SourcePort = None,
    flags: opt.SetFlags = "SYN",
    seq: opt.SetSeq = None,
    ack: opt.SetAck = None,
    window: opt.SetWindow = None,
    urgent: opt.SetUrgent = None,
    reserved: opt.SetReserved = None,
    offset: opt.SetOffset = None,
    checksum: opt.SetChecksum = "right",
    payload: opt.Payload = None,
    ecn: opt.Ecn = False,
    mss: opt.SetMss = None,
    wscale: opt.SetScale = None,
    no_wscale: opt.NoScale = False,
    sack: opt.Sack = None,
    sack_blocks: opt.SackBlocks = None,
    timestamps: opt.Timestamps = None,
    tsval: opt.TsVal = None,
    tsecr: opt.TsEcr = None,
    fast_open: opt.FastOpen = None,
    md5: opt.Md5 = None,
    option: opt.OtherOptions = None,
    options_raw: opt.RawOptions = None,
    ttl: opt.Ttl = None,
    tos: opt.Tos = None,
    identification: opt.Identification = None,
    ip_flags: opt.IpFlags = None,
    fragment: opt.FragmentOffset = None,
    protocol: opt.Protocol = None,
    length: opt.IpLength = None,
    ihl: opt.HeaderLength = None,
    ip_checksum: opt.IpChecksum = "right",
    flow_label: opt.FlowLabel = None,
    ip_options: opt.IpOptions = None,
    extensions: opt.Extensions = None,
    bare: opt.Bare = False,
    cut: opt.Cut = None,
    trailer: opt.Trailer = None,
    form: opt.Form = None,
    send: opt.Send = False,
    timeout: opt.Wait = 2.0,
    write: opt.Write = None,
    as_json: opt.AsJson = False,
    plain: opt.Plain = False,
    ascii_only: opt.Ascii = False,
    lang: HiddenLang = None,
) -> None:
    """Build one packet to TARGET (192.0.2.2:80), right or wrong on purpose."""
    from handshake.cli.craft import field_values as values
    from handshake.cli.craft.output import CraftOutput
    from handshake.crafter.fields import DONT_FRAGMENT, IDENTIFICATION, WINDOW, PacketFields
    from handshake.crafter.tcp_options import TcpOptions
    from handshake.endpoint.options import ECN
    from handshake.errors import UsageError
    from handshake.tcp import Flags
    from handshake.units import TCP

    output = CraftOutput(form, write, as_json, plain, ascii_only, language(lang))
    if target is not None and destination is not None:
        raise UsageError("craft.twice", value=target, other=destination)
    number = values.given_number
    if send:
        from handshake.cli.craft.send import destination as looked_up

        # A name is looked up only to be sent to.
        remote: str | None = str(looked_up(target or destination))
    else:
        remote = target or destination
    ends = values.ends(source, source_port, remote)
    bits = values.flags(flags)
    if ecn:
        bits |= ECN if Flags.ACK not in bits else Flags.ECE
    key = values.octets(md5, "--md5")
    named = TcpOptions(
        mss=values.number(mss, "--mss", 0xFFFF),
        window_scale=False if no_wscale else values.number(wscale, "--wscale", 0xFF),
        sack=sack,
        timestamps=_clocks(timestamps, tsval, tsecr),
        fast_open=values.cookie(fast_open),
        md5=bool(key),
        more=(*values.sack_blocks(sack_blocks), *map(values.option, option or ())),
        raw=values.raw_options(options_raw),
    )
    fields = PacketFields(
        *ends,
        flags=bits,
        seq=number(seq, "--seq", "seq", 0),
        ack=number(ack, "--ack", "ack", 0),
        window=number(window, "--window", "window", WINDOW),
        urgent=number(urgent, "--urgent", "urgent", 0),
        reserved=number(reserved, "--reserved", "reserved", 0),
        offset=values.number(offset, "--offset", 15),
        options=named.octets(bits, ends[0].version),
        payload=values.payload(payload),
        checksum=values.checksum(checksum, "--checksum", partial=True),
        key=key,
        ttl=number(ttl, "--ttl", "ttl", 64),
        tos=number(tos, "--tos", "tos", 0),
        protocol=number(protocol, "--protocol", "protocol", TCP),
        length=values.number(length, "--length", 0xFFFF),
        extensions=values.hexadecimal(extensions, "--extensions"),
        words=values.number(ihl, "--ihl", 15),
        identification=number(identification, "--id", "identification", IDENTIFICATION),
        ip_flags=values.ip_flags(ip_flags, DONT_FRAGMENT),
        fragment=number(fragment, "--fragment", "fragment", 0),
        ip_checksum=values.checksum(ip_checksum, "--ip-checksum", partial=False),
        ip_options=values.hexadecimal(ip_options, "--ip-options"),
        label=number(flow_label, "--flow-label", "label", 0),
        bare=bare,
        cut=values.number(cut, "--cut", 0xFFFF),
        trailer=values.hexadecimal(trailer, "--trailer"),
    )
    if send:
        from handshake.cli.craft.send import send as send_packet

        output.check_send()
        port = source_port is not None or values.has_port(source)
        given = {"own_source": source is not None, "own_port": port, "own_seq": seq is not None}
        raise typer.Exit(send_packet(fields, output, timeout, **given))
    raise typer.Exit(output.show(fields))


def _clocks(wanted: bool | None, value: str | None, echo: str | None) -> Timestamps | bool | None:
    """Return the timestamps option: wanted or not, or with values of its own."""
    from handshake.cli.craft.field_values import number
    from handshake.tcp.options import Timestamps
    from handshake.units import MASK

    if value is None and echo is None:
        return wanted
    return Timestamps(number(value, "--tsval", MASK) or 0, number(echo, "--tsecr", MASK) or 0)
