#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Attacks of packets that have no end, around one long session.

usage: flood.py FLOWAUDIT SOURCE_ROOT FLOOD [COUNT [WORKERS]]

Each attack of tests/bench/flood.c is judged from a pipe.  The session is one flow, to the packet and byte; every packet is accounted for; the
record says what was summed up or given up; memory and record stay under their bounds; the time is at most three times that of as many SYNs
of random addresses and ports, or datagrams where the attack is one of datagrams: only they have content to look at.  COUNT packets each (default 200,000; 10,000,000 takes minutes).
"""
import os
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

EVERY = 997
MEMORY_MIB = 488     # 512 million bytes: the default bound, for all that the program needs
RECORD_MIB = 200
KINDS = ('random', 'datagrams', 'ordinary', 'syn', 'scan', 'reply', 'udp', 'collide')
SITE = """site: flooded
options: {sccp: off}
hosts:
  unity1: {addresses: [10.20.1.10], roles: [unity-primary]}
  dc1: {addresses: [10.20.2.10], roles: [dc-monitored, gc-monitored, dns]}
"""


class Run:
    def __init__(self, program, flood, kind, count, workers, directory):
        site = os.path.join(directory, 'site.yaml')
        with open(site, 'w', encoding='utf-8') as f:
            f.write(SITE)
        self.record = os.path.join(directory, f'{kind}.db')
        source = subprocess.Popen([flood, kind, str(count)], stdout=subprocess.PIPE)
        begun = time.monotonic()
        child = subprocess.Popen([program, 'check', '-q', '-s', site, '-o', self.record, '-j', workers, '-'], stdin=source.stdout,
                                 stderr=subprocess.PIPE, text=True)
        source.stdout.close()
        self.messages = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = self.status = os.waitstatus_to_exitcode(status)
        self.seconds = time.monotonic() - begun
        self.cpu = usage.ru_utime + usage.ru_stime
        self.mib = usage.ru_maxrss / 1024
        source.wait()
        self.record_mib = os.path.getsize(self.record) / 2**20 if os.path.exists(self.record) else 0

    def faults(self, kind, count, compared):
        n = count + 3 + count // EVERY + 2
        db = sqlite3.connect(f'file:{self.record}?mode=ro', uri=True)
        packets, decoded = db.execute('SELECT packets, packets_decoded FROM inputs').fetchone()
        named = db.execute('SELECT coalesce(sum(packets), 0) FROM discards').fetchone()[0]
        session = db.execute("SELECT flows, packets, bytes FROM conversations WHERE client = '10.20.1.10' AND server = '10.20.2.10' AND server_port = 389"
                             ).fetchall()
        counted = db.execute('SELECT sum(packets) FROM conversations').fetchone()[0]
        db.close()
        wanted = [(1, 5 + count // EVERY, 5 * 54 + count // EVERY * 154)]
        if self.status not in (0, 1, 3) or self.messages:
            yield f'status {self.status} {self.messages}'
        if packets != n or packets != decoded + named:
            yield f'{packets} packets of {n}, {decoded} decoded, {named} under names'
        if counted != decoded:
            yield f'{counted} packets in conversations, {decoded} were decoded'
        if session != wanted:
            yield f'the session is {session}, not {wanted}'
        if self.mib > MEMORY_MIB:
            yield f'{self.mib:.0f} MiB of memory'
        if self.record_mib > RECORD_MIB:
            yield f'a record of {self.record_mib:.0f} MiB'
        if compared and self.cpu > 3 * compared.cpu + 1:
            yield f'{self.cpu:.1f} s, and {compared.cpu:.1f} s for random ones'


def main():
    program, _, flood = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 200000
    workers = sys.argv[5] if len(sys.argv) > 5 else '1'
    failed, runs = 0, {}
    for kind in KINDS:
        with flowdb.scratch() as directory:
            run = Run(program, flood, kind, count if kind != 'scan' else min(count, 150 * 65535), workers, directory)
            compared = runs.get('datagrams' if kind == 'udp' else 'random') if kind != 'datagrams' else None
            for wrong in run.faults(kind, count if kind != 'scan' else min(count, 150 * 65535), compared):
                print(f'{kind}: {wrong}')
                failed += 1
            runs[kind] = run
            print(f'{kind}: {count} packets, {run.cpu:.1f} s of processor, {run.seconds:.1f} s, {run.mib:.0f} MiB, record {run.record_mib:.2f} MiB')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
