#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bounds of flowaudit(1), LIMITS, each gone beyond by a few: what tells it is exact, and nothing else is lost.

usage: bounds.py FLOWAUDIT SOURCE_ROOT

Those of what a capture alone reaches only with millions of packets (hosts, queries, negotiated ports) are in tests/unit/engine/check_part.c.
"""
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

SERVER, CLIENT = bytes((10, 0, 0, 2)), bytes((10, 0, 0, 1))
SITE = ('site: bounds\nmatrix: cisco-unity-5x-exchange\noptions: {sccp: off}\nhosts:\n  unity1: {addresses: [10.0.0.2], roles: [unity-primary]}\n'
        '  dc1: {addresses: [10.0.0.3], roles: [dc-monitored, gc-monitored, dns]}\n')
MORE = 5


def ether(kind, payload):
    return b'\2\0\0\0\0\2\2\0\0\0\0\1' + struct.pack('>H', kind) + payload


def ipv4(proto, payload, source=CLIENT, target=SERVER, number=0, fragment=0):
    return struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(payload), number & 0xffff, fragment, 64, proto, 0) + source + target + payload


def host(i):
    return bytes((10, 1 + (i >> 16), i >> 8 & 255, i & 255))


def udp(sport, dport, payload=b'what nobody knows'):
    return struct.pack('>HHHH', sport, dport, 8 + len(payload), 0) + payload


def tcp(sport, dport, payload=b'', flags=2):
    return struct.pack('>HHIIBBHH', sport, dport, 1, 1, 5 << 4, flags, 1024, 0) + b'\0\0' + payload


def over_ip(proto, payload, **how):
    return ether(0x0800, ipv4(proto, payload, **how))


class Case:
    def __init__(self, program, directory):
        self.program, self.directory, self.wrong, self.n = program, directory, [], 0
        self.site = os.path.join(directory, 'bounds.yaml')
        with open(self.site, 'w', encoding='utf-8') as out:
            out.write(SITE)

    def run(self, frames, *options):
        path = os.path.join(self.directory, 'bounds.pcap')
        with open(path, 'wb') as out:
            out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
            for i, frame in enumerate(frames):
                out.write(struct.pack('<IIII', 1000 + i // 100000, i % 100000, len(frame), len(frame)) + frame)
        audit = flowdb.Audit(self.program, self.site, [path], *options, directory=self.directory)
        if audit.fault() or audit.status == 2:
            self.wrong.append(f'status {audit.status}: {audit.fault() or audit.messages}')
        return audit

    def same(self, what, found, expected):
        self.n += 1
        if found != expected:
            self.wrong.append(f'{what}: {found}, not {expected}')


def counter(audit, name):
    rows = audit.rows('SELECT value FROM counters WHERE name = ?', name)
    return rows[0]['value'] if rows else None


def one(audit, query):
    rows = audit.rows(query)
    return list(rows[0].values()) if rows else None


def said(case, audit, word):
    """A line of the report says so."""
    text = subprocess.run([case.program, 'report', audit.path], capture_output=True, text=True, timeout=60).stdout
    case.same(f'the report says "{word}"', word in ' '.join(text.split()), True)


def flows(case):
    """Beyond the room for flows each further one ends another early: the counter grows by as many, and no flow is lost from the totals."""
    evicted = {}
    for n in (9000, 9000 + MORE, 10000):
        audit = case.run((over_ip(6, tcp(40000, 389), source=host(i)) for i in range(n)), '--memory', '1')
        evicted[n] = counter(audit, 'evicted-flows')
        case.same(f'{n} flows: counted', counter(audit, 'flows'), n)
        case.same(f'{n} flows: of conversations', one(audit, 'SELECT sum(flows), sum(packets) FROM conversations'), [n, n])
        said(case, audit, 'ended early for want of memory')
        audit.close()
    case.same('flows more that ended early', [evicted[9000 + MORE] - evicted[9000], evicted[10000] - evicted[9000]], [MORE, 1000])
    audit = case.run((over_ip(6, tcp(40000, 389), source=host(i)) for i in range(1000)), '--memory', '1')
    case.same('1000 flows: ended early', counter(audit, 'evicted-flows'), 0)
    audit.close()


def content(case):
    """Beyond the room for flows in classification the oldest is not looked at any further, and counts once."""
    given_up = {}
    for n in (20, 600, 600 + MORE):
        audit = case.run((over_ip(17, udp(40000, 4711), source=host(i)) for i in range(n)), '--memory', '1')
        given_up[n] = counter(audit, 'content-given-up')
        case.same(f'{n} contents: flows', counter(audit, 'flows'), n)
        if n > 20:
            said(case, audit, 'whose content was not looked at to the end')
        audit.close()
    case.same('contents given up', [given_up[20], given_up[600 + MORE] - given_up[600]], [0, MORE])
    case.same('contents given up, of 600', 0 < given_up[600] < 600, True)


def conversations(case):
    """Beyond 1000 clients of a port, or ports of a pair, one conversation has the rest."""
    for what, frames in (('clients', [over_ip(6, tcp(40000, 9), source=host(i)) for i in range(1000 + MORE)]),
                         ('ports', [over_ip(6, tcp(40000, 20000 + i)) for i in range(1000 + MORE)])):
        audit = case.run(frames)
        case.same(f'{what}: conversations, flows, most', one(audit, 'SELECT count(*), sum(flows), max(flows) FROM conversations'), [1001, 1000 + MORE, MORE])
        case.same(f'{what}: flows summed up', counter(audit, 'summed-up-flows'), MORE)
        said(case, audit, 'beyond those that are listed one by one')
        audit.close()


def depth(case):
    """As deep as is followed, and one deeper, of each kind."""
    inner = ipv4(17, udp(1025, 53))

    def tunnels(n):
        packet = inner
        for _ in range(n):
            packet = ipv4(4, packet)
        return ether(0x0800, packet)

    def tags(n):
        return ether(0x8100, struct.pack('>HH', 1, 0x8100) * (n - 1) + struct.pack('>HH', 1, 0x0800) + inner)

    def labels(n):
        return ether(0x8847, struct.pack('>I', 16 << 12 | 64) * (n - 1) + struct.pack('>I', 16 << 12 | 1 << 8 | 64) + inner)

    def extensions(n):
        payload = bytes((60, 0, 1, 4, 0, 0, 0, 0)) * (n - 1) + bytes((17, 0, 1, 4, 0, 0, 0, 0)) + udp(1025, 53)
        return ether(0x86dd, struct.pack('>IHBB', 6 << 28, len(payload), 60, 64) + b'\x20\1' + bytes(13) + b'\1' + b'\x20\1' + bytes(13) + b'\2' + payload)

    for name, make, bound in (('IP headers', tunnels, 8), ('tags', tags, 8), ('labels', labels, 16), ('extension headers', extensions, 128)):
        audit = case.run([make(bound), make(bound + 1)])
        case.same(name, [one(audit, 'SELECT packets, packets_decoded FROM inputs'), audit.rows('SELECT reason, packets FROM discards')],
                  [[2, 1], [{'reason': 'too-deep', 'packets': 1}]])
        audit.close()


def fragments(case):
    """4096 datagrams whose first fragment is still to come; of those before them it comes too late."""
    n = 4096 + MORE
    later = [over_ip(17, bytes(16), source=host(i), number=i, fragment=1) for i in range(n)]
    first = [over_ip(17, udp(1025, 53, b''), source=host(i), number=i, fragment=0x2000) for i in reversed(range(n))]
    audit = case.run(later + first)
    case.same('fragments', [one(audit, 'SELECT packets, packets_decoded FROM inputs'), audit.rows('SELECT reason, packets FROM discards')],
              [[2 * n, 2 * n - MORE], [{'reason': 'fragment-orphan', 'packets': MORE}]])
    audit.close()


def signalling(case):
    """65,536 connections that may negotiate ports, and 1024 messages of theirs that are not whole yet."""
    n, kept = 65536 + MORE, 1024
    begun = b'INVITE sip:a@b SIP/2.0\r\nX: '
    audit = case.run(over_ip(6, tcp(5060, 40000, begun, 0x18), source=host(i)) for i in range(n))
    case.same('signalling: flows, not followed, messages', [counter(audit, name) for name in ('flows', 'signalling-not-followed', 'signalling-messages-not-kept')],
              [n, MORE, 65536 - kept])
    said(case, audit, 'connections that may negotiate ports, beyond the bound')
    audit.close()


def evidence(case):
    """Of a conversation that breaks the matrix 20 flows are kept, and all are counted."""
    frames = [over_ip(6, tcp(40000 + i, 9)) for i in range(20 + MORE)]
    for options, kept in (((), 20), (('--flows', 'all'), 20 + MORE)):
        audit = case.run(frames, *options)
        case.same(f'flows kept {options}', [one(audit, 'SELECT count(*) FROM flows'), one(audit, 'SELECT count(*), sum(flows), sum(packets) FROM conversations')],
                  [[kept], [1, 20 + MORE, 20 + MORE]])
        audit.close()


def site_files(case):
    """A site file of 64 MiB is read, and one byte more is too large; neither is read into anything before that is known."""
    line = '# ' + 'x' * 1000 + '\n'
    text = SITE + line * (((64 << 20) - len(SITE)) // len(line))
    text += '#' * ((64 << 20) - len(text) - 1) + '\n'
    found = []
    for more in ('', '\n'):
        path = os.path.join(case.directory, 'large.yaml')
        with open(path, 'w', encoding='utf-8') as out:
            out.write(text + more)
        done = subprocess.run([case.program, 'lint', '-s', path], capture_output=True, text=True, timeout=60)
        found.append([done.returncode, 'too large; 64 MiB is the most' in done.stderr])
        os.unlink(path)
    case.same('site files of 64 MiB, and of one byte more', found, [[1, False], [2, True]])


def main():
    with flowdb.scratch() as directory:
        case = Case(sys.argv[1], directory)
        for bound in (flows, content, conversations, depth, fragments, signalling, evidence, site_files):
            before = len(case.wrong)
            bound(case)
            case.wrong[before:] = [f'{bound.__name__}: {wrong}' for wrong in case.wrong[before:]]
    print(f'{case.n} comparisons, {len(case.wrong)} wrong', *case.wrong, sep='\n')
    return 1 if case.wrong or case.n == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
