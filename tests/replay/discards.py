#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every reason for which a packet is not part of a flow, from a packet that has it.

usage: discards.py FLOWAUDIT SOURCE_ROOT

The list of reasons is the one in include/flowaudit/packet.h: a reason that no packet here has is a fault, and so is one that another packet has.
"""
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

NONE = {'decoded', 'fragment', 'filtered'}  # these are not discards: a flow's, a flow's, and the user's wish
MANY = 4000  # connections in use; twice as many go before, so that the bound of 1 MiB is reached


def ether(kind, payload):
    return b'\x02\0\0\0\0\2\x02\0\0\0\0\1' + struct.pack('>H', kind) + payload


def ipv4(proto, payload, version=0x45, fragment=0, last=2, source=b'\x0a\0\0\1'):
    return struct.pack('>BBHHHBBH', version, 0, 20 + len(payload), last, fragment, 64, proto, 0) + source + bytes((10, 0, 0, 2)) + payload


def over_ip(proto, payload, **how):
    return ether(0x0800, ipv4(proto, payload, **how))


def ipv6(payload, proto=17, version=6, source=b'\x20\1' + bytes(13) + b'\1'):
    return ether(0x86dd, struct.pack('>IHBB', version << 28, len(payload), proto, 64) + source + b'\x20\1' + bytes(13) + b'\2' + payload)


def tcp(source, target, flags=2, offset=5):
    return struct.pack('>HHIIBBHHH', source, target, 1, 1, offset << 4, flags, 1024, 0, 0)


def udp(size=12):
    return struct.pack('>HHHH', 1025, 53, size, 0) + b'data'


def nested(depth, inner):
    for _ in range(depth):
        inner = ipv4(4, inner)
    return ether(0x0800, inner)


PACKETS = {
    'decoded': over_ip(17, udp()),
    'fragment-orphan': over_ip(17, bytes(64), fragment=8, last=77),
    'icmp-error': over_ip(1, struct.pack('>BBHI', 3, 3, 0, 0) + ipv4(6, tcp(1026, 80))),
    'icmp': over_ip(1, struct.pack('>BBHHH', 8, 0, 0, 1, 1)),
    'igmp': over_ip(2, bytes(8)),
    'arp': ether(0x0806, struct.pack('>HHBBH', 1, 0x0800, 6, 4, 1) + bytes(20)),
    'not-ip': ether(0x88cc, bytes(46)),
    'other-transport': over_ip(89, bytes(24)),
    'ipsec': over_ip(50, bytes(24)),
    'malformed-link': bytes(10),
    'malformed-ipv4': over_ip(17, udp(), version=0x43),
    'malformed-ipv6': ipv6(udp(), version=5),
    'malformed-tcp': over_ip(6, tcp(1027, 80, offset=3)),
    'malformed-udp': over_ip(17, udp(4)),
    'malformed-icmp': over_ip(1, b'\3\3'),
    'malformed-tunnel': over_ip(47, struct.pack('>HH', 2, 0x0800) + bytes(24)),
    'too-deep': nested(9, ipv4(17, udp())),
    'mapped-address': ipv6(udp(), source=bytes(10) + b'\xff\xff\x0a\0\0\1'),
    'empty': b'',
}
CUT = {'cut-header': (over_ip(17, udp()), 30)}


def capture(path, frames, linktype=1, back=0):
    """Packet i at 1000 s and i microseconds; 'back': as many seconds earlier are the odd ones, with 1000 without a time."""
    with open(path, 'wb') as out:
        out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, linktype))
        for i, (frame, kept) in enumerate(frames):
            out.write(struct.pack('<IIII', 1000 + i // 100000 - back * (i % 2), i % 100000 if back < 1000 else 0, len(frame[:kept]), len(frame)) + frame[:kept])
    return path


def connection(i):
    """Both ways at once: what one side alone speaks is ended first."""
    client, server = bytes((10, 1, i >> 8, i & 255)), bytes((10, 0, 0, 2))
    for source, target, ports in ((client, server, (1030, 53)), (server, client, (53, 1030))):
        header = struct.pack('>BBHHHBBH', 0x45, 0, 32, i & 0xffff, 0, 64, 17, 0)
        yield ether(0x0800, header + source + target + struct.pack('>HHHHI', *ports, 12, 0, i))


def too_many():
    """Connections as many as there is room for, each of them in use again, and then others: there is none to end early for them."""
    for i in range(3 * MANY):
        yield from connection(i)
    for i in range(2 * MANY, 3 * MANY):
        yield [*connection(i)][0]
    for i in range(3 * MANY, 5 * MANY):
        yield from connection(i)


def reasons_of(source):
    with open(os.path.join(source, 'include', 'flowaudit', 'packet.h'), encoding='utf-8') as header:
        return set(re.findall(r'X\(PACKET_\w+, "([a-z0-9-]+)"', header.read()))


def counted(program, site, path, directory, *options):
    audit = flowdb.Audit(program, site, [path], *options, directory=directory)
    fault = audit.fault()
    found = {row['reason']: row['packets'] for row in audit.rows('SELECT reason, sum(packets) AS packets FROM discards GROUP BY reason')}
    audit.close()
    return fault, found


def clock_faults(program, site, path, directory):
    """A clock that went back is told, in the counters and beside the loss: lengths of time rest on it."""
    for back, counted_as in ((0, {}), (1, {'times-back': 1}), (3, {'times-back': 1, 'clock-steps': 1})):
        audit = flowdb.Audit(program, site, [capture(path, [(PACKETS['decoded'], None)] * 2, back=back)], directory=directory)
        found = {row['name']: row['value'] for row in audit.rows("SELECT name, value FROM counters WHERE name IN ('times-back', 'clock-steps')")}
        told = b'a second earlier than the one' in subprocess.run([program, 'report', audit.path], stdout=subprocess.PIPE, check=True).stdout
        audit.close()
        if found != counted_as or told != ('clock-steps' in counted_as):
            yield f'clock {back} s back: {found}, told: {told}'
    audit = flowdb.Audit(program, site, [capture(path, [(PACKETS['decoded'], None)] * 2, back=1000)], directory=directory)
    found = [row['text'] for row in audit.rows("SELECT text FROM counters WHERE name = 'odd-times'")]
    audit.close()
    if len(found) != 1 or 'that of the packet before them' not in found[0]:
        yield f'no time: {found}'


def unseen_errors(program, path, directory):
    """An ICMP error that quotes a packet of a flow of which nothing is there: no packet is known to be lost, but not all was captured."""
    site = flowdb.full_site(directory)
    quoted = over_ip(6, tcp(1026, 80))
    for before, counted_as in ([], 1), ([quoted], None):
        audit = flowdb.Audit(program, site, [capture(path, [(frame, None) for frame in [PACKETS['decoded'], *before, PACKETS['icmp-error']]])], directory=directory)
        found = {row['value'] for row in audit.rows("SELECT value FROM counters WHERE name = 'unseen-flow-errors'")}
        text = subprocess.run([program, 'report', audit.path], stdout=subprocess.PIPE, check=True).stdout
        told = b'No loss is known, but 1 ICMP error quotes a packet of hosts of the site' in text
        audit.close()
        if found != ({counted_as} - {None}) or told != (counted_as is not None):
            yield f'error about a flow that is {"there" if before else "not there"}: {found}, told: {told}'


def main():
    program, source = sys.argv[1:3]
    faults, seen = [], set()
    with flowdb.scratch() as directory:
        site = flowdb.any_site(directory)
        path = os.path.join(directory, 'one.pcap')
        for reason, (frame, kept) in [*((r, (f, None)) for r, f in PACKETS.items()), *CUT.items(), ('linktype', (bytes(20), None))]:
            # A packet that is decoded is with it: a capture of which nothing is decoded has nothing to judge.
            frames = [(frame, kept)] if reason == 'linktype' else [(PACKETS['decoded'], None), (frame, kept)]
            fault, found = counted(program, site, capture(path, frames, 147 if reason == 'linktype' else 1), directory)
            expected = {} if reason in NONE else {reason: 1}
            seen.add(reason)
            if fault or found != expected:
                faults.append(f'{reason}: {fault or found}')
        fault, found = counted(program, site, capture(path, ((frame, None) for frame in too_many())), directory, '--memory', '1')
        seen.add('flow-limit')
        if fault or set(found) != {'flow-limit'} or not 0 < found['flow-limit'] < 6 * MANY:
            faults.append(f'flow-limit: {fault or found}')
        faults += clock_faults(program, site, path, directory)
        faults += unseen_errors(program, path, directory)
    listed = reasons_of(source) - NONE
    faults += [f'{reason}: no packet here has it' for reason in sorted(listed - seen)]
    faults += [f'{reason}: not in the list' for reason in sorted(seen - listed - NONE)]
    for fault in faults:
        print(fault)
    print(f'{len(listed)} reasons, {len(faults)} faults')
    return 1 if faults or not listed else 0


if __name__ == '__main__':
    sys.exit(main())
