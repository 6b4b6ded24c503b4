#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs flowaudit on every file there is, sound, damaged or no capture at all, with one worker and with several.

usage: robust.py FLOWAUDIT SOURCE_ROOT [FILE...]

It must not crash, nor may a sanitizer it was built with report anything; every packet is counted under one name; the exit status is one of the
four; the number of workers changes nothing in the record.  Files: samples/ and, where they are there, the captures beside the source
tree; and one made here whose times are the first and the last that there are.
"""
import concurrent.futures
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

RUNS = [  # options, and whether the record must equal that of the first run
    (('--flows', 'all'), True),
    (('--flows', 'all', '-j', '4'), True),
    (('--memory', '1', '-j', '2'), False),
]


LAST_NS = 2**63 - 1
AT_THE_ENDS = RUNS + [(('--window', '36500d'), False), (('--window', '36500d', '-j', '2'), False)]


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack('<II', kind, len(body) + 12) + body + struct.pack('<I', len(body) + 12)


def udp(source, target, ports, payload):
    datagram = struct.pack('>HHHH', *ports, 8 + len(payload), 0) + payload
    return (bytes.fromhex('020000000001 020000000002 0800') + struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0) +
            bytes(source) + bytes(target) + datagram)


def write_times(path):
    """A flow, an answer, a session that names a port, and its media: within the first seconds, and within the last that a record can name."""
    a, b = (10, 20, 1, 10), (10, 20, 2, 10)
    sdp = b'v=0\r\nc=IN IP4 10.20.2.10\r\nm=audio 40000 RTP/AVP 0\r\n'
    invite = b'SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n' % len(sdp) + sdp
    frames = [udp(a, b, (5000, 53), b'query'), udp(b, a, (53, 5000), b'answer'), udp(b, a, (5060, 5060), invite), udp(a, b, (5004, 40000), b'media')]
    with open(path, 'wb') as out:
        out.write(block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1)))
        out.write(block(1, struct.pack('<HHIHHB3xHH', 1, 0, 0, 9, 1, 9, 0, 0))) # nanoseconds
        for time in (1, 10**9, LAST_NS - 10**9, LAST_NS):
            for frame in frames:
                out.write(block(6, struct.pack('<IIIII', 0, time >> 32, time & 0xffffffff, len(frame), len(frame)) + frame))


def files(source):
    folders = [os.path.join(source, 'samples'), flowdb.shared(source, 'captures')]
    paths = [os.path.join(f, name) for f in folders if f for name in sorted(os.listdir(f))]
    return [p for p in paths if os.path.isfile(p)]


def check(program, path):
    wrong, first = [], None
    with flowdb.scratch() as directory:
        site = flowdb.full_site(directory)
        if path is None:
            path = os.path.join(directory, 'times.pcapng')
            write_times(path)
        for options, same in AT_THE_ENDS if path.endswith('/times.pcapng') else RUNS:
            audit = flowdb.Audit(program, site, [path], *options, directory=directory)
            fault = audit.fault()
            if fault:
                wrong.append(f'{path} {options}: {fault}')
            record = (audit.status, audit.dump())
            audit.close()
            if same and first is None:
                first = record
            elif same and record != first:
                line = next((pair for pair in zip(first[1], record[1]) if pair[0] != pair[1]), (first[0], record[0]))
                wrong.append(f'{path} {options}: the record differs from that of one worker:\n   {line[0]}\n   {line[1]}')
    return first[0], wrong


def main():
    program, source = sys.argv[1:3]
    paths = sys.argv[3:] or files(source) + [None]
    statuses, failed = {}, 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for status, wrong in pool.map(lambda path: check(program, path), paths):
            statuses[status] = statuses.get(status, 0) + 1
            for line in wrong:
                print(line)
            failed += len(wrong)
    print(f'{len(paths)} files, {len(RUNS)} runs each: {failed} faults; exit statuses:',
          ', '.join(f'{n} times {status}' for status, n in sorted(statuses.items())))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
