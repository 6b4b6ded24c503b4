#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the reports tell of like findings that they fold together: the ports that were seen, and no range that was not.

usage: told.py FLOWAUDIT SOURCE_ROOT
"""
import os
import struct
import subprocess
import sys
import tempfile


FLOWAUDIT, SAMPLES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]) + '/samples'
STRANGER, UNITY = (10, 66, 0, 1), (10, 20, 1, 10)


def segment(source, target, ports, flags, sequence=1):
    tcp = struct.pack('>HHIIBBHHH', *ports, sequence, 0 if flags == 2 else 2, 5 << 4, flags, 1024, 0, 0)
    return (b'\x02\0\0\0\0\2\x02\0\0\0\0\1\x08\0' + struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0) + bytes(source) + bytes(target) + tcp)


def write(path, ports):
    frames = []
    for i, port in enumerate(ports):
        frames += [segment(STRANGER, UNITY, (40000 + i, port), 2), segment(UNITY, STRANGER, (port, 40000 + i), 0x14, 0)]
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames):
            f.write(struct.pack('<IIII', 1772442000 + i, 0, len(frame), len(frame)) + frame)


def main():
    failures = []
    cases = [([1032, 4997], 'tcp/1032,4997', False), ([7000, 7001, 7002, 7003, 9000], 'tcp/7000-7003,9000', True),
             ([9, 10, 11, 12, 13, 14], 'tcp/9-14', True),
             ([3, 5, 7, 9, 11, 13, 15, 16, 19], 'tcp/3,5,7,9,11,13 and 3 more up to 19', True)]
    with tempfile.TemporaryDirectory() as folder:
        for ports, want, is_folded in cases:
            capture, db = f'{folder}/a.pcap', f'{folder}/{len(ports)}.db'
            write(capture, ports)
            brief = subprocess.run([FLOWAUDIT, 'check', '-s', f'{SAMPLES}/healthy.yaml', '-o', db, capture], capture_output=True, text=True)
            full = subprocess.run([FLOWAUDIT, 'report', db], capture_output=True, text=True)
            page = subprocess.run([FLOWAUDIT, 'report', '--format', 'html', db], capture_output=True, text=True)
            for name, done, words in (('brief', brief, f'like findings on {want} ('), ('full', full, want if is_folded else 'tcp/1032'),
                                      ('page', page, f'<dt>Service<dd>{want}<dt>')):
                if words not in ' '.join(done.stdout.split()):
                    failures.append(f'{name}: not "{words}":\n{done.stdout}\n{done.stderr}')
        write(f'{folder}/scan.pcap', range(1, 4000, 2))
        db = f'{folder}/scan.db'
        brief = subprocess.run([FLOWAUDIT, 'check', '-s', f'{SAMPLES}/healthy.yaml', '-o', db, f'{folder}/scan.pcap'], capture_output=True, text=True)
        full = subprocess.run([FLOWAUDIT, 'report', db], capture_output=True, text=True)
        page = subprocess.run([FLOWAUDIT, 'report', '--format', 'html', db], capture_output=True, text=True)
        for name, done in (('brief', brief), ('full', full), ('page', page)): # one of them stands for all that are not kept one by one
            if ' more up to 1999 and others' not in ' '.join(done.stdout.split()):
                failures.append(f'{name}: a scan: {done.stdout[:3000]}')
    print(*failures, sep='\n')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
