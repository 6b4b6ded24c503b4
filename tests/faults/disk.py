#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Disks that are full, and inputs that are no quiet files.

usage: disk.py FLOWAUDIT SOURCE_ROOT

The disk is a small one in memory, in a mount namespace of its own (skipped where there is none): a record that does not fit, and a second run that does not fit
behind a first.  Inputs: a FIFO, a FIFO whose writer ends too early, a file that grows while it is read, and one that cannot be read.
"""
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'replay'))
import flowdb

INSIDE = '--inside'
SIZES = (0, 4, 60, 140, 220, 300, 400, 500, 600, 700)  # KiB that are free


def check(program, site, record, *captures):
    done = subprocess.run([program, 'check', '-q', '-s', site, '-o', record, *captures], capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, SOURCE_DATE_EPOCH='0', **flowdb.SANITIZERS))
    return done.returncode, done.stderr


def runs_of(record):
    """The completeness of each run of a sound record, or what is wrong with it; none where there is no record."""
    if not os.path.exists(record) or os.path.getsize(record) == 0:
        return []
    db = sqlite3.connect(record)
    try:
        if db.execute('PRAGMA integrity_check').fetchone()[0] != 'ok':
            return 'the record is damaged'
        if not db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'runs'").fetchone()[0]:
            return []
        return flowdb.unaccounted(db) or [row[0] for row in db.execute('SELECT complete FROM runs ORDER BY run_id')]
    finally:
        db.close()


def full_disks(program, source, disk):
    """Inside the namespace.  Prints faults."""
    site, capture = (os.path.join(source, 'samples', name) for name in ('incident.yaml', 'incident.pcapng'))
    aside = disk + '.aside'  # outside of the disk: a record with one run
    first = os.path.join(aside, 'audit.db')
    os.makedirs(aside, exist_ok=True)
    check(program, site, first, capture)
    n = n_full = 0
    for behind in (False, True):
        for free in SIZES:
            size = free + (os.path.getsize(first) // 1024 + 8 if behind else 0)
            subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={max(size, 4)}k', 'tmpfs', disk], check=True)
            record = os.path.join(disk, 'audit.db')
            if behind:
                shutil.copy(first, record)
            status, said = check(program, site, record, capture)
            # To look at it needs room too: what SQLite has to undo is undone in a copy.
            for name in os.listdir(disk):
                shutil.copy(os.path.join(disk, name), os.path.join(aside, 'copy' + name[len('audit'):] if name.startswith('audit.db') else name))
            copy = os.path.join(aside, 'copy.db')
            runs = runs_of(copy)
            n += 1
            n_full += status in (2, 3)
            where = f'{free} KiB free{" behind a run" if behind else ""}'
            if status not in (0, 1, 2, 3) or (status in (2, 3) and not said.strip()):
                print(f'{where}: status {status}: {said[-500:]}')
            elif isinstance(runs, str):
                print(f'{where}: {runs}')
            elif sum(runs) != behind + (status in (0, 1)) or (behind and not runs[:1] == [1]):
                print(f'{where}: status {status}, runs {runs}')
            for name in os.listdir(aside):
                if name.startswith('copy'):
                    os.unlink(os.path.join(aside, name))
            subprocess.run(['umount', disk], check=True)
    print(f'# {n} disks, {n_full} of them full')
    if n_full < len(SIZES) // 2 or n_full == n:
        print('the sizes do not meet the records')


class Inputs:
    def __init__(self, program, source, folder):
        self.program, self.folder, self.faults = program, folder, []
        self.site = os.path.join(source, 'samples', 'web-shop.yaml')
        with open(os.path.join(source, 'samples', 'web-shop.pcap'), 'rb') as f:
            self.data = f.read()

    def judge(self, name, write):
        """Status and what was judged of an input that 'write' fills in a thread."""
        path = os.path.join(self.folder, 'web-shop.pcap')
        if os.path.exists(path):
            os.unlink(path)
        ready = threading.Event()
        writer = threading.Thread(target=write, args=(path, ready))
        writer.start()
        ready.wait(10)
        audit = flowdb.Audit(self.program, self.site, [path], directory=self.folder)
        writer.join(10)
        fault = audit.fault()
        packets = (audit.rows('SELECT packets FROM inputs') or [{'packets': 0}])[0]['packets']
        complete = (audit.rows('SELECT complete FROM runs') or [{'complete': 0}])[0]['complete']
        found = audit.rows('SELECT * FROM findings') if complete else None
        audit.close()
        if fault:
            self.faults.append(f'{name}: {fault}')
        return audit.status, packets, complete, found

    def expect(self, name, condition, got):
        if not condition:
            self.faults.append(f'{name}: {got}')

    def plain(self, path, ready):
        with open(path, 'wb') as out:
            out.write(self.data)
        ready.set()

    def through_fifo(self, size):
        def write(path, ready):
            os.mkfifo(path)
            ready.set()
            with open(path, 'wb') as out:
                for at in range(0, size, 1000):  # in pieces that end in the midst of records
                    out.write(self.data[at:min(at + 1000, size)])
                    out.flush()
        return write

    def growing(self, path, ready):
        half = len(self.data) // 2 | 1
        with open(path, 'wb') as out:
            out.write(self.data[:half])
            out.flush()
            ready.set()
            for at in range(half, len(self.data), 997):
                out.write(self.data[at:at + 997])
                out.flush()
                time.sleep(0.0005)

    def run(self):
        whole = self.judge('a file', self.plain)
        self.expect('a file', whole[0] in (0, 1) and whole[2] == 1, whole)
        got = self.judge('a FIFO', self.through_fifo(len(self.data)))
        self.expect('a FIFO is as the file', got == whole, got)
        got = self.judge('a FIFO that ends too early', self.through_fifo(len(self.data) // 2 | 1))
        self.expect('a FIFO that ends too early', got[0] == 3 and got[2] == 0 and 0 < got[1] < whole[1], got)
        for _ in range(5):
            got = self.judge('a file that grows', self.growing)
            self.expect('a file that grows', got[0] in (0, 1, 3) and 0 < got[1] <= whole[1] and (got[2] == 0 or got[0] in (0, 1)), got)
        record = os.path.join(self.folder, 'unread.db')
        status, said = check(self.program, self.site, record, '/proc/self/mem')
        self.expect('a file that cannot be read', status == 3 and '/proc/self/mem: cannot be read' in said, (status, said))
        self.expect('a file that cannot be read', sum(runs_of(record) or [0]) == 0, runs_of(record))
        return self.faults


def main():
    program, source = (os.path.abspath(path) for path in sys.argv[1:3])
    if sys.argv[3:4] == [INSIDE]:
        full_disks(program, source, sys.argv[4])
        return 0
    with flowdb.scratch() as folder:
        faults = Inputs(program, source, folder).run()
        disk = os.path.join(folder, 'disk')
        os.mkdir(disk)
        command = ['unshare', '--mount', *([] if os.getuid() == 0 else ['--user', '--map-root-user'])]
        if subprocess.run([*command, 'true'], capture_output=True, check=False).returncode != 0:
            print('full disks: skipped, no mount namespace can be had here')
        else:
            done = subprocess.run([*command, sys.executable, __file__, program, source, INSIDE, disk], capture_output=True, text=True, check=False)
            print('\n'.join(line for line in done.stdout.splitlines() if line.startswith('#')))
            faults += [line for line in done.stdout.splitlines() if not line.startswith('#')]
            if done.returncode != 0:
                faults.append(done.stderr[-2000:])
    for fault in faults:
        print(fault)
    print(f'{len(faults)} faults')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
