#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What goes to a group or answers one is not judged: only what is that.

usage: groups.py FLOWAUDIT SOURCE_ROOT

A frame's multicast address takes no connection out of judgement, and of datagrams none of a talk.  Answers to a broadcast are excused, captured or not what
they answer; a stream that looks like one, or runs from one broadcast to another, is not.
"""
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile

FLOWAUDIT, ROOT = sys.argv[1:3]
SITE = """site: two hosts
matrix: cisco-unity-5x-exchange
hosts:
  unity1: {addresses: [10.20.1.10], roles: [unity-primary]}
  dc1: {addresses: [10.20.2.10], roles: [dc-monitored]}
"""
UNITY, DC, DESK, STRANGER = '10.20.1.10', '10.20.2.10', '10.20.8.9', '203.0.113.9'
STATION, CLUSTER, EVERYONE = b'\x02\0\0\0\0\2', b'\x03\xbf\x0a\x14\x02\x0a', b'\xff' * 6
SECOND, START = 10 ** 9, 1772442000 * 10 ** 9
ANSWER = struct.pack('!6H', 7, 0x8580, 1, 1, 0, 0) + b'\3dc1\5local\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x0a\x14\1\x0a'


class Capture:
    def __init__(self):
        self.frames = []

    def show(self, at, src, dst, protocol, payload, to=STATION):
        head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), len(self.frames) + 1, 0, 64, protocol, 0, socket.inet_aton(src), socket.inet_aton(dst))
        total = sum(struct.unpack('!10H', head))
        total = (total & 0xffff) + (total >> 16)
        head = head[:10] + struct.pack('!H', ~(total + (total >> 16)) & 0xffff) + head[12:]
        self.frames.append((START + int(at * SECOND), to + b'\2\0\0\0\0\1\x08\0' + head + payload))

    def udp(self, at, src, sport, dst, dport, data, to=STATION):
        self.show(at, src, dst, 17, struct.pack('!4H', sport, dport, 8 + len(data), 0) + data, to)

    def connect(self, at, client, cport, server, sport, to_server=lambda i: STATION):
        steps = ((0, 2, 5, 0, b''), (1, 18, 9, 6, b''), (0, 16, 6, 10, b''), (0, 24, 6, 10, b'hello there'), (1, 24, 10, 17, b'hello back'), (0, 16, 17, 20, b''))
        for i, (back, flags, seq, ack, data) in enumerate(steps):
            src, dst, a, b = (server, client, sport, cport) if back else (client, server, cport, sport)
            self.show(at + i / 1000, src, dst, 6, struct.pack('!HHIIBBHHH', a, b, seq, ack, 0x50, flags, 8192, 0, 0) + data, STATION if back else to_server(i))

    def write(self, path):
        with open(path, 'wb') as f:
            f.write(struct.pack('<IHHiIII', 0xa1b23c4d, 2, 4, 0, 0, 65535, 1))
            for ns, data in sorted(self.frames, key=lambda frame: frame[0]):
                f.write(struct.pack('<4I', ns // SECOND, ns % SECOND, len(data), len(data)) + data)


def tcp_one_frame(c):
    c.connect(0, UNITY, 40000, DC, 4444, lambda i: CLUSTER if i == 5 else STATION)


def tcp_cluster(c):
    c.connect(0, UNITY, 40000, DC, 4444, lambda i: CLUSTER)


def tcp_turned(c):
    c.show(0, DC, UNITY, 6, struct.pack('!HHIIBBHHH', 4444, 40000, 9, 0, 0x50, 2, 8192, 0, 0))
    c.connect(1, UNITY, 40000, DC, 4444)


def talk_cluster(c):
    for i in range(3):
        c.udp(i, UNITY, 40000, DC, 4444, b'x' * 20, CLUSTER)
        c.udp(i + .1, DC, 4444, UNITY, 40000, b'y' * 20)


def one_way_one_frame(c):
    for i in range(5):
        c.udp(i, UNITY, 40000, DC, 4444, b'x' * 20, CLUSTER if i == 2 else STATION)


def subnet_broadcast(c):
    c.udp(0, UNITY, 40000, '10.20.1.255', 4444, b'x' * 20, EVERYONE)


def answers(to, n, every, later=ANSWER):
    def show(c):
        for i in range(n):
            c.udp(i * every, UNITY, 5353, to, 4000, ANSWER if i == 0 else later)
    return show


def again_and_again(c):
    for i in range(3):
        for k in range(5):
            c.udp(i * 2000 + k, UNITY, 5353, DESK, 4000, ANSWER)


def stream(asks, n):
    """Every 20 s so many datagrams, for an hour; a broadcast before those of 'asks'."""
    def show(c):
        for i in range(180):
            if i in asks:
                c.udp(i * 20, DC, 500, '255.255.255.255', 700, b'?', EVERYONE)
            for k in range(n):
                c.udp(i * 20 + 1 + k / 100, UNITY, 700, DC, 500, b'x' * 900)
    return show


JUDGED, GROUP, EXCUSED = 'violation judged', 'not-governed broadcast-or-multicast', 'not-governed answer-to-broadcast'
CASES = [
    ('a connection, one frame to a multicast address', tcp_one_frame, (UNITY, DC), JUDGED),
    ('a connection to a cluster', tcp_cluster, (UNITY, DC), JUDGED),
    ('a SYN the other way', tcp_turned, (UNITY, DC), JUDGED),
    ('datagrams with a cluster, both ways', talk_cluster, (UNITY, DC), JUDGED),
    ('datagrams one way, one frame to a multicast address', one_way_one_frame, (UNITY, DC), JUDGED),
    ('to a subnet', subnet_broadcast, (UNITY, '10.20.1.255'), GROUP),
    ('an answer', answers(DESK, 1, 1), (UNITY, DESK), EXCUSED),
    ('answers within ten seconds', answers(DESK, 5, 2), (UNITY, DESK), EXCUSED),
    ('answers from time to time', again_and_again, (UNITY, DESK), EXCUSED),
    ('an answer to a stranger', answers(STRANGER, 1, 1), (STRANGER, UNITY), JUDGED + ' inferred-direction'),
    ('a stream that begins as an answer', answers(DESK, 600, 1, b'z' * 900), (DESK, UNITY), JUDGED + ' inferred-direction'),
    ('many at once', answers(DESK, 200, .01, b'z' * 900), (DESK, UNITY), JUDGED + ' inferred-direction'),
    ('answers to each of many broadcasts', stream(range(180), 5), (UNITY, DC), EXCUSED),
    ('a stream between two broadcasts', stream((0, 179), 5), (UNITY, DC), JUDGED),
]


def told(directory, show, ends):
    capture = Capture()
    show(capture)
    path, site, db = (os.path.join(directory, name) for name in ('c.pcap', 'site.yaml', 'c.db'))
    capture.write(path)
    with open(site, 'w', encoding='utf-8') as f:
        f.write(SITE)
    if os.path.exists(db):
        os.unlink(db)
    done = subprocess.run([FLOWAUDIT, 'check', '-q', '-s', site, '-o', db, path], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(f'{FLOWAUDIT}: {done.returncode}: {done.stderr}')
    with sqlite3.connect(db) as records:
        rows = records.execute('SELECT client, server, verdict, scope, confidence FROM conversations').fetchall()
    return [f'{verdict} {scope} {confidence}' for client, server, verdict, scope, confidence in rows if (client, server) == ends]


def main():
    os.environ['FLOWAUDIT_RULES'] = os.path.join(ROOT, 'rules')
    failed = 0
    with tempfile.TemporaryDirectory() as directory:
        for name, show, ends, expected in CASES:
            found = told(directory, show, ends)
            if len(found) != 1 or not found[0].startswith(expected) or (expected == JUDGED and 'inferred' in found[0]):
                print(f'{name}: {found}, expected {expected}')
                failed += 1
    print(f'{len(CASES)} captures, {failed} not as expected')
    return failed != 0


sys.exit(main())
