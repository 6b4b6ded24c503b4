#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Places of capture, and packets that are shown twice.

usage: places.py FLOWAUDIT SOURCE_ROOT

A router refuses LDAP in dc1's name with a RST that has TTL 64, as the server's own packets have on its other side; TCP 88 it denies by ICMP, TCP 139 the
server itself refuses.  Told is the same whatever the capture shows: one side; both in two files, two interfaces of one file or under
one cooked header; each packet twice, plainly or mirrored as well; over IPv4 and IPv6.
"""
import os
import sqlite3
import struct
import subprocess
import sys
import tempfile

FLOWAUDIT, ROOT = sys.argv[1:3]
SITE = """site: two hosts
matrix: cisco-unity-5x-exchange
within: 10s
hosts:
  unity1: {addresses: [10.20.1.10, "fd00:20::1"], roles: [unity-primary]}
  dc1: {addresses: [10.20.2.10, "fd00:20::2"], roles: [dc-monitored]}
"""
ENDS = {4: (bytes([10, 20, 1, 10]), bytes([10, 20, 2, 10]), bytes([10, 20, 1, 1])),
        6: tuple(bytes.fromhex('fd000020' + '00' * 11) + bytes([n]) for n in (1, 2, 254))}
SYN, RST, ACK, PSH = 2, 4, 16, 8
SECOND, US = 10 ** 9, 1000
START = 1772442000 * SECOND


def checksum(data):
    total = sum(struct.unpack(f'>{len(data) // 2}H', data)) if len(data) % 2 == 0 else checksum_odd(data)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def checksum_odd(data):
    return sum(struct.unpack(f'>{len(data) // 2 + 1}H', data + b'\0'))


def ip(version, src, dst, protocol, payload, ttl, ident):
    if version == 6:
        return struct.pack('>IHBB', 6 << 28, len(payload), protocol, ttl) + src + dst + payload
    head = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(payload), ident, 0, ttl, protocol, 0) + src + dst
    return head[:10] + struct.pack('>H', checksum(head)) + head[12:] + payload


def tcp(version, src, dst, sport, dport, seq, ack, flags, data=b''):
    body = struct.pack('>HHIIBBHHH', sport, dport, seq, ack, 0x50, flags, 8192, 0, 0) + data
    return body[:16] + struct.pack('>H', checksum(src + dst + struct.pack('>II', len(body), 6) + body)) + body[18:]


class Story:
    """Packets as (time, place, outgoing, IP packet): place 0 is the client's side of the router, 1 the server's; the router has both."""

    def __init__(self):
        self.packets, self.now, self.ident = [], START, 100

    def show(self, version, side, src, dst, protocol, payload, places=(0, 1)):
        """Sent by 'side' (0: client, 1: server) with TTL 64, or by the router, side 2, to the client's side alone."""
        self.ident += 1
        for place in places if side != 1 else tuple(reversed(places)):
            first = place == side or side == 2
            outgoing = side == 2 or place != side
            self.packets.append((self.now, place, outgoing, ip(version, src, dst, protocol, payload, 64 if first else 63, self.ident)))
            self.now += 5 * US
        self.now += 300 * US

    def story(self, version, port, what):
        client, server, router = ENDS[version]
        sport = 40000 + port

        def send(side, seq, ack, flags, data=b'', by=None, places=(0, 1)):
            a, b, p, q = (client, server, sport, port) if side == 0 else (server, client, port, sport)
            self.show(version, side if by is None else by, a, b, 6, tcp(version, a, b, p, q, seq, ack, flags, data), places)

        if what == 'router resets':
            send(0, 1, 0, SYN, places=(0,))
            send(1, 0, 2, RST | ACK, by=2, places=(0,))
        elif what == 'server resets':
            send(0, 1, 0, SYN)
            send(1, 0, 2, RST | ACK)
        elif what == 'router denies':
            send(0, 1, 0, SYN, places=(0,))
            quote = self.packets[-1][3]
            kind, protocol = ((3, 13), 1) if version == 4 else ((1, 1), 58)
            body = struct.pack('>BBHI', *kind, 0, 0) + quote
            pseudo = b'' if version == 4 else router + client + struct.pack('>II', len(body), 58)
            body = body[:2] + struct.pack('>H', checksum(pseudo + body)) + body[4:]
            self.show(version, 2, router, client, protocol, body, (0,))
        else:
            send(0, 1, 0, SYN)
            send(1, 9, 2, SYN | ACK)
            send(0, 2, 10, ACK)
            send(0, 2, 10, ACK | PSH, b'\0\0\0\1' + b'x' * 20)
            send(1, 10, 26, ACK | PSH, b'\0\0\0\1' + b'y' * 20)
        self.now += SECOND


def the_story():
    s = Story()
    for version in (4, 6):
        for port, what in ((445, 'talk'), (389, 'router resets'), (88, 'router denies'), (139, 'server resets')):
            s.story(version, port, what)
    return s.packets


def ethernet(packet):
    return b'\2' * 6 + b'\4' * 6 + (b'\x08\0' if packet[0] >> 4 == 4 else b'\x86\xdd') + packet


def erspan(packet):
    gre = struct.pack('>HHI', 0x1000, 0x88be, 7) + struct.pack('>HHI', 0x1000, 5, 0) + ethernet(packet)
    return ethernet(ip(4, bytes([192, 0, 2, 1]), bytes([192, 0, 2, 2]), 47, gre, 60, 0))


def sll(packet, place, outgoing):
    return struct.pack('>HHHQH', 4 if outgoing else 0, 1, 6, 0, 0x800 if packet[0] >> 4 == 4 else 0x86dd) + packet


def sll2(packet, place, outgoing):
    return struct.pack('>HHIHBBQ', 0x800 if packet[0] >> 4 == 4 else 0x86dd, 0, 2 + place, 1, 4 if outgoing else 0, 6, 0) + packet


def pcap(path, linktype, frames):
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 262144, linktype))
        for ns, data in sorted(frames, key=lambda x: x[0]):
            f.write(struct.pack('<IIII', ns // SECOND, ns % SECOND, len(data), len(data)) + data)


def block(kind, body):
    body += b'\0' * (-len(body) % 4)
    return struct.pack('<II', kind, len(body) + 12) + body + struct.pack('<I', len(body) + 12)


def pcapng(path, frames):
    with open(path, 'wb') as f:
        f.write(block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)))
        for _ in range(2):
            f.write(block(1, struct.pack('<HHI', 1, 0, 262144) + struct.pack('<HHB3xHH', 9, 1, 9, 0, 0)))
        for ns, interface, data in sorted(frames, key=lambda x: x[0]):
            f.write(block(6, struct.pack('<IIIII', interface, ns >> 32, ns & 0xffffffff, len(data), len(data)) + data))


def captures(where):
    """Name and files."""
    every, mine = the_story(), [p for p in the_story() if p[1] == 0]

    def put(name, linktype, frames):
        pcap(os.path.join(where, name), linktype, frames)
        return [os.path.join(where, name)]

    yield 'one side', put('one', 1, [(t, ethernet(p)) for t, _, _, p in mine])
    yield 'two files', [put(f'side{k}', 1, [(t, ethernet(p)) for t, place, _, p in every if place == k])[0] for k in (0, 1)]
    path = os.path.join(where, 'two.pcapng')
    pcapng(path, [(t, place, ethernet(p)) for t, place, _, p in every])
    yield 'two interfaces', [path]
    yield 'cooked, with indexes', put('sll2', 276, [(t, sll2(p, place, out)) for t, place, out, p in every])
    yield 'cooked, without', put('sll', 113, [(t, sll(p, place, out)) for t, place, out, p in every])
    yield 'twice', put('twice', 1, [(t + k * 20 * US, ethernet(p)) for t, _, _, p in mine for k in (0, 1)])
    yield 'mirrored too', put('mirrored', 1, [(t + k * 20 * US, erspan(p) if k else ethernet(p)) for t, _, _, p in mine for k in (0, 1)])
    yield 'one side in two files', [put(f'part{k}', 1, [(t, ethernet(p)) for i, (t, _, _, p) in enumerate(mine) if (i > len(mine) // 2) == k])[0]
                                    for k in (False, True)]


def outcomes(where, site, files, workers):
    path = os.path.join(where, 'record.db')
    if os.path.exists(path):
        os.unlink(path)
    run = subprocess.run([FLOWAUDIT, 'check', '-q', '-j', str(workers), '-s', site, '-o', path, *files], stderr=subprocess.PIPE,
                         env=dict(os.environ, FLOWAUDIT_RULES=os.path.join(ROOT, 'rules')), check=False)
    if run.returncode != 1:
        sys.exit(f'status {run.returncode}: {run.stderr.decode()}')
    db = sqlite3.connect(path)
    found = dict(((':' in c, port), outcome) for c, port, outcome in db.execute('SELECT client, server_port, outcome FROM conversations'))
    reasons = [r for r, in db.execute("SELECT reason FROM findings WHERE kind = 'separated' AND severity = 'high'")]
    counted = db.execute('SELECT sum(packets) + (SELECT sum(icmp_errors) FROM conversations), (SELECT sum(packets_decoded) FROM inputs) FROM conversations').fetchone()
    counted += db.execute('SELECT (SELECT sum(packets) FROM hosts), 2 * (SELECT sum(packets) FROM conversations)').fetchone() # whoever sent them
    late = db.execute("SELECT count(*) FROM findings WHERE reason LIKE '%had gone there%'").fetchone()[0]
    db.close()
    return found, reasons, counted, late


def main():
    wrong = 0
    expected = {445: 'established', 389: 'prohibited', 88: 'prohibited', 139: 'refused'}
    with tempfile.TemporaryDirectory() as where:
        site = os.path.join(where, 'site.yaml')
        with open(site, 'w') as f:
            f.write(SITE)
        for name, files in captures(where):
            for workers, order in ((1, files), (3, files[::-1])):
                found, reasons, counted, late = outcomes(where, site, order, workers)
                told = []
                for v6 in (False, True):
                    told += [f'{"IPv6" if v6 else "IPv4"} TCP {p}: {found.get((v6, p))}' for p, o in expected.items() if found.get((v6, p)) != o]
                # Said where there are several, and where it is known which is which.
                at = ' at the same point of capture' if name in ('two files', 'two interfaces', 'cooked, with indexes', 'mirrored too') else ''
                told += [] if any(f'TTL 64, its own packets{at} TTL 63' in r and '(2 errors' in r for r in reasons) else ['separated: ' + ' / '.join(reasons)]
                told += [] if counted[0] == counted[1] else [f'{counted[0]} packets told of {counted[1]}']
                told += [] if counted[2] == counted[3] else [f'hosts have {counted[2]} packets, the two ends of conversations {counted[3]}']
                told += [] if late == 0 else ['a copy is told as a second packet']
                wrong += len(told)
                for t in told:
                    print(f'{name}, {workers} workers: {t}')
    print(f'{wrong} differences')
    return wrong > 0


if __name__ == '__main__':
    sys.exit(main())
