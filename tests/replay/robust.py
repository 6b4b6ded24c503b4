#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs flowaudit on every file there is, sound, damaged or no capture at all, with one worker and with several.

usage: robust.py FLOWAUDIT SOURCE_ROOT [FILE...]

It must not crash, nor may a sanitizer it was built with report anything; every packet is counted under one name; the exit status is one of the
four; the number of workers changes nothing in the record.  Files: samples/ and, where they are there, the captures beside the source
tree.
"""
import concurrent.futures
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

RUNS = [  # options, and whether the record must equal that of the first run
    (('--flows', 'all'), True),
    (('--flows', 'all', '-j', '4'), True),
    (('--memory', '1', '-j', '2'), False),
]


def files(source):
    folders = [os.path.join(source, 'samples'), flowdb.shared(source, 'captures')]
    paths = [os.path.join(f, name) for f in folders if f for name in sorted(os.listdir(f))]
    return [p for p in paths if os.path.isfile(p)]


def check(program, path):
    wrong, first = [], None
    with flowdb.scratch() as directory:
        site = flowdb.full_site(directory)
        for options, same in RUNS:
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
    paths = sys.argv[3:] or files(source)
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
