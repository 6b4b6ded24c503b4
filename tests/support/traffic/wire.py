# SPDX-License-Identifier: Apache-2.0
"""
Ethernet, IPv4, IPv6, UDP, ICMP: hosts send packets onto a wire that a span port hears.

Packets are kept as objects and become bytes only in Wire.frames(), in time order, so that each host's IP identification
counts up in the order of time, an ICMP error quotes exactly what was sent, and the copy of a routed span carries the
identification of its original.
"""

import ipaddress
import struct

from .prng import Prng

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
ROUTER_MAC = bytes.fromhex("020a14000001")
FAR_ROUTER_MAC = bytes.fromhex("020a14000002")
BROADCAST_MAC = b"\xff" * 6
US = 1000
MS = 1000 * US
SECOND = 1000 * MS


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Host:
    """'hops': routers between this host and the span port.  'ephemeral': first of the client ports that it will use."""

    def __init__(self, name, v4=None, v6=None, ttl=128, hops=0, ephemeral=1025):
        self.name, self.v4, self.v6, self.ttl, self.hops = name, v4, v6, ttl, hops
        key = ipaddress.ip_address(v4 or v6).packed
        self.mac = b"\x02\x0a" + key[-4:]
        self.next_port = ephemeral
        self.ident = (key[-1] * 251 + key[-2] * 7919 + 17) & 0xFFFF

    def port(self):
        self.next_port += 1
        return self.next_port - 1

    def address(self, v6=False):
        return self.v6 if v6 or not self.v4 else self.v4


class Packet:
    def __init__(self, order, time, src, dst, proto, body):
        self.order, self.time, self.src, self.dst, self.proto, self.body = order, time, src, dst, proto, body
        self.comment = None
        self.copy_of = None  # the copy that a routed span gives
        self.ident = None
        self.ip = None
        self.ttl = None  # where another host sent it in this one's name
        self.flow = None


class Wire:
    def __init__(self, seed=1):
        self.seed = seed
        self.packets = []
        self.hosts = {}
        self.by_address = {}
        self.flow = None  # what the packets that follow belong to: set by the caller, for the truth tables

    def prng(self, label):
        return Prng(self.seed, label)

    def host(self, name, v4=None, v6=None, **more):
        host = Host(name, v4, v6, **more)
        self.hosts[name] = host
        for address in (v4, v6):
            if address:
                self.by_address[ipaddress.ip_address(address)] = host
        return host

    def at(self, address):
        """The host with this address; made on the spot where there is none."""
        value = ipaddress.ip_address(address)
        if value not in self.by_address:
            text = str(value)
            self.host(text, *((text, None) if value.version == 4 else (None, text)), ttl=64)
        return self.by_address[value]

    def emit(self, time, src, dst, proto, body):
        """'src', 'dst': address texts.  'body': transport bytes, or a function that gives them when the frame is
        made."""
        packet = Packet(len(self.packets), time, src, dst, proto, body)
        packet.flow = self.flow
        if self.flow is not None and proto in (TCP, UDP):
            self.flow.packets.append(packet)
        self.packets.append(packet)
        return packet

    def udp(self, time, src, sport, dst, dport, data):
        header = struct.pack("!HHHH", sport, dport, 8 + len(data), 0)
        value = transport_checksum(src, dst, UDP, header + data) or 0xFFFF
        return self.emit(time, src, dst, UDP, header[:6] + struct.pack("!H", value) + data)

    def unreachable(self, time, sender, original, code, code6=4, kind=3):
        """ICMP destination unreachable (of IPv4 also others, by 'kind') from 'sender' about 'original' (quoted: IP header and 8 bytes more, as
        routers do)."""
        v6 = ":" in original.src

        def body():
            if v6:
                head, quoted = struct.pack("!BBHI", 1, code6, 0, 0), original.ip[:1232]
                value = transport_checksum(sender, original.src, ICMP6, head + quoted)
            else:
                head, quoted = struct.pack("!BBHI", kind, code, 0, 0), original.ip[:28]
                value = checksum(head + quoted)
            return head[:2] + struct.pack("!H", value) + head[4:] + quoted

        return self.emit(time, sender, original.src, ICMP6 if v6 else ICMP, body)

    def routed_copy(self, packet, delay=18 * US):
        """The same packet once more, after one more router, as the span of a routed network shows it."""
        copy = Packet(len(self.packets), packet.time + delay, packet.src, packet.dst, packet.proto, packet.body)
        copy.copy_of, copy.flow = packet, packet.flow
        if packet.flow is not None:
            packet.flow.packets.append(copy)
        self.packets.append(copy)
        return copy

    def frames(self):
        """(time in ns, frame, comment) in time order.  Sets the number of each packet, counted from 1."""
        self.packets.sort(key=lambda packet: (packet.time, packet.order))
        out = []
        for number, packet in enumerate(self.packets, 1):
            packet.number = number
            out.append((packet.time, self._frame(packet), packet.comment))
        return out

    def _frame(self, packet):
        src, dst = self.at(packet.src), None
        group = packet.dst.endswith(".255") or packet.dst == "255.255.255.255"
        if not group:
            dst = self.at(packet.dst)
        hops = src.hops + (1 if packet.copy_of else 0)
        body = packet.body() if callable(packet.body) else packet.body
        if ":" in packet.src:
            packet.ip = _ipv6(packet, packet.ttl or src.ttl - hops, body)
            kind = b"\x86\xdd"
        else:
            if packet.copy_of:
                packet.ident = packet.copy_of.ident
            else:
                src.ident = (src.ident + 1) & 0xFFFF
                packet.ident = src.ident
            packet.ip = _ipv4(packet, packet.ttl or src.ttl - hops, body)
            kind = b"\x08\x00"
        src_mac = src.mac if hops == 0 else ROUTER_MAC
        dst_mac = BROADCAST_MAC if group else dst.mac if dst.hops == 0 else ROUTER_MAC
        if packet.copy_of:
            src_mac, dst_mac = FAR_ROUTER_MAC, dst.mac
        if src_mac == dst_mac:
            src_mac = FAR_ROUTER_MAC
        frame = dst_mac + src_mac + kind + packet.ip
        return frame + b"\0" * max(0, 60 - len(frame))


def transport_checksum(src, dst, proto, segment):
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(a) == 4:
        pseudo = a + b + struct.pack("!BBH", 0, proto, len(segment))
    else:
        pseudo = a + b + struct.pack("!IHBB", len(segment), 0, 0, proto)
    return checksum(pseudo + segment)


def _ipv4(packet, ttl, body):
    flags = 0x4000 if packet.proto == TCP else 0
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), packet.ident, flags, ttl, packet.proto, 0)
    header += ipaddress.ip_address(packet.src).packed + ipaddress.ip_address(packet.dst).packed
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def _ipv6(packet, ttl, body):
    return (
        struct.pack("!IHBB", 0x60000000, len(body), packet.proto, ttl)
        + ipaddress.ip_address(packet.src).packed
        + ipaddress.ip_address(packet.dst).packed
        + body
    )
