#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Cuts captures short at every byte and holds the record to what is left.

usage: cut.py FLOWAUDIT SOURCE_ROOT [STEP]

A pcap and a pcapng file are cut at every STEP-th byte (default 1024) of their first and last 4 KiB, and
one byte before, at and after the end of each record in the first and last KiB.  The record must have exactly the packets that are whole in what is left, must be that of a
file with these packets alone, and says that the input is damaged unless the cut is between two records, where nobody can know.  With the program; tests/faults/cut.c does every byte, through the library.
"""
import concurrent.futures
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

SPAN = 4096
NEAR = 1024
# What a cut file says of itself and a whole one does not: its size, its digest, and that it is cut.
OF_THE_CUT = {('inputs', c) for c in ('name', 'path', 'sha256', 'bytes', 'damaged', 'damage')} | {('runs', 'complete')}
JUDGED = ('conversations', 'flows', 'hosts', 'discards')


def pcap_ends(data):
    """The end of the header and of each record: (offset, packets so far)."""
    ends, at, n = [(24, 0)], 24, 0
    while at + 16 <= len(data):
        at += 16 + struct.unpack_from('<I', data, at + 8)[0]
        n += 1
        ends.append((at, n))
    return ends


def pcapng_ends(data):
    ends, at, n = [], 0, 0
    while at + 12 <= len(data):
        kind, size = struct.unpack_from('<II', data, at)
        at += size
        n += kind == 6
        ends.append((at, n))
    return ends


def places(ends, size, step):
    near = {at + d for at, _ in ends for d in (-1, 0, 1) if at < NEAR or at > size - NEAR}
    span = [*range(1, min(SPAN, size)), *range(max(1, size - SPAN), size)]
    return sorted({at for at in span if at % step == 0 or at in near})


class Case:
    def __init__(self, program, site, data, ends, name):
        self.program, self.site, self.data, self.ends, self.name = program, site, data, ends, name
        self.wholes = {}

    def run(self, size):
        with flowdb.scratch() as directory:
            path = os.path.join(directory, self.name)  # always the same: sentences name the file
            with open(path, 'wb') as out:
                out.write(self.data[:size])
            audit = flowdb.Audit(self.program, self.site, [path], '--flows', 'all', directory=directory)
            rows = audit.rows('SELECT packets, damaged FROM inputs')
            judged = [line for line in audit.dump(OF_THE_CUT) if line[0] in JUDGED]
            fault = audit.fault()
            audit.close()
        return audit.status, fault, rows[0] if rows else None, judged

    def whole(self, end):
        """The record of a file that ends where a record ends."""
        if end not in self.wholes:
            self.wholes[end] = self.run(end)
        return self.wholes[end]

    def check(self, at):
        status, fault, row, judged = self.run(at)
        before = [(end, n) for end, n in self.ends if end <= at]
        if fault:
            return f'{self.name} cut at {at}: {fault}'
        if not before or before[-1][1] == 0:
            return None if status == 2 else f'{self.name} cut at {at}, before the first packet: status {status}'
        end, n = before[-1]
        if row is None or row['packets'] != n or bool(row['damaged']) != (end != at):
            return f'{self.name} cut at {at}: {row}, {n} packets are whole up to byte {end}'
        if (status == 3) != (end != at):
            return f'{self.name} cut at {at}: status {status}, the last whole record ends at byte {end}'
        if end != at and judged != self.whole(end)[3]:
            return f'{self.name} cut at {at}: the record is not that of the first {end} bytes'
        return None


def main():
    program, source = sys.argv[1:3]
    step = int(sys.argv[3]) if len(sys.argv) > 3 else 1024
    failed = n_places = 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, ends_of in (('web-shop.pcap', pcap_ends), ('healthy.pcapng', pcapng_ends)):
            sample = os.path.join(source, 'samples', name)
            with open(sample, 'rb') as f:
                data = f.read()
            ends = ends_of(data)
            case = Case(program, sample.split('.pcap')[0] + '.yaml', data, ends, name)
            at = places(ends, len(data), step)
            n_places += len(at)
            for wrong in pool.map(case.check, at):
                if wrong:
                    print(wrong)
                    failed += 1
    print(f'{n_places} cuts (every {step} bytes of the first and last {SPAN}, and around the records near both ends): {failed} faults')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
