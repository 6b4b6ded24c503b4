#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Packets that libndpi does not return from: the one that is known is judged within a second; one that is not known ends the run, which says
which packet it was, and its record is not complete.

usage: hang.py FLOWAUDIT SOURCE_ROOT HANG_MODULE
"""
import os
import resource
import sqlite3
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'replay'))
import flowdb

CLIENT, SERVER = b'\x0a\0\0\1', b'\x0a\0\0\2'


def frame(protocol, segment):
    ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(segment), 1, 0, 64, protocol, 0, CLIENT, SERVER)
    return b'\2\0\0\0\0\2\2\0\0\0\0\1\x08\0' + ip + segment


def udp(port, payload):
    return frame(17, struct.pack('>HHHH', 40000, port, 8 + len(payload), 0) + payload)


def tcp(port, payload):
    return frame(6, struct.pack('>HHIIBBHHH', 40000, port, 1, 1, 5 << 4, 0x18, 8192, 0, 0) + payload)


def write(path, frames):
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for i, data in enumerate(frames):
            f.write(struct.pack('<IIII', 1700000000, i, len(data), len(data)) + data)
    return path


def long_question(size):
    """A DNS question whose name is made of labels of 0xbf bytes, as if there were such."""
    return (b'\0\1\1\0\0\1\0\0\0\0\0\0' + b'\xbf' * size)[:size]


def children_seconds():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def check_long_questions(program, site, directory):
    frames = {'udp': udp(53, long_question(65507)), 'tcp': tcp(53, struct.pack('>H', 65493) + long_question(65493)),
              'udp elsewhere': udp(5353, long_question(65507)), 'udp, an answer': udp(53, b'\0\1\x81\x80' + long_question(65507)[4:])}
    for name, data in frames.items():
        begun = children_seconds()  # of a processor: a second by the clock says how busy the machine is
        audit = flowdb.Audit(program, site, [write(os.path.join(directory, 'long.pcap'), [data])], directory=directory)
        spent = children_seconds() - begun
        rows, fault = audit.rows('SELECT packets_decoded FROM inputs'), audit.fault()
        audit.close()
        if fault or audit.status not in (0, 1) or rows != [{'packets_decoded': 1}] or spent > 1:
            yield f'a question of 65,507 bytes, {name}: status {audit.status}, {rows}, {spent:.2f} s {audit.messages}'


def check_held(program, site, directory, module, workers):
    path = write(os.path.join(directory, 'held.pcap'), [udp(7777, b'good morning, who is there'), udp(9999, b'please hold me for ever')])
    record = os.path.join(directory, f'held-{workers}.db')
    begun = time.monotonic()
    done = subprocess.run([program, 'check', '-s', site, '-o', record, '-j', workers, path], capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, LD_PRELOAD=module))
    spent = time.monotonic() - begun
    runs = sqlite3.connect(record).execute('SELECT complete, (SELECT * FROM pragma_integrity_check) FROM runs').fetchall()
    if done.returncode != 3 or f'{path}: packet 2 held' not in done.stderr or runs != [(0, 'ok')]:
        yield f'held, {workers} workers: status {done.returncode}, {done.stderr!r}, {runs}'
    if not 3 < spent < 30:
        yield f'held, {workers} workers: given up after {spent:.1f} s'


def main():
    program, _, module = sys.argv[1:4]
    with flowdb.scratch() as directory:
        site = flowdb.any_site(directory)
        wrong = list(check_long_questions(program, site, directory))
        for workers in '12':
            wrong += check_held(program, site, directory, module, workers)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
