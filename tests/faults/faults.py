#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every call to the system that can fail fails, one after the other; then the record is looked at.

usage: faults.py FLOWAUDIT SOURCE_ROOT FAULT_MODULE [all]

Each kind of call (open, read, write, fsync, size, unlink, alloc) is counted in a run without faults; then there is a run for each number, in
which that call fails once, and one in which it and all after it fail; for calls that change the disk also runs that are killed there, or in the
middle of the write.  Without 'all' a sample of these points is tried.  After each: the exit status is one of ours and no signal's; the
record, where there is one, is sound; a run is complete only where the status is 0 or 1 (or the report could not be printed); a run that was
there before is still whole; a file beside it is untouched; and a report can be made.
"""
import concurrent.futures
import errno
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile

SAMPLE = 8 # points of each kind and mode without 'all'
SAMPLE_ALLOC = 24
ERRORS = {'open': errno.EMFILE, 'read': errno.EIO, 'write': errno.ENOSPC, 'fsync': errno.EIO, 'size': errno.EIO, 'unlink': errno.EACCES,
          'alloc': errno.ENOMEM}
CHANGES = ('write', 'fsync', 'size', 'unlink')
BESIDE = b'not ours\n'


class Bench:
    def __init__(self, program, source, module):
        self.program, self.module = os.path.abspath(program), os.path.abspath(module)
        self.samples = os.path.join(os.path.abspath(source), 'samples')
        self.command = ['check', '-q', '-s', f'{self.samples}/web-shop.yaml', '-o', 'audit.db', f'{self.samples}/web-shop.pcap']

    def run(self, directory, arguments, op=None, at=0, mode='once'):
        environment = dict(os.environ)
        if op:
            environment.update(LD_PRELOAD=self.module, FAULT_OP=op, FAULT_AT=str(at), FAULT_MODE=mode, FAULT_ERRNO=str(ERRORS[op]),
                               FAULT_COUNT=os.path.join(directory, 'count'))
        return subprocess.run([self.program, *arguments], cwd=directory, env=environment, capture_output=True, text=True, timeout=120)

    def prepare(self, directory, again):
        with open(os.path.join(directory, 'beside'), 'wb') as f:
            f.write(BESIDE)
        if again:
            with open(os.path.join(directory, 'audit.db'), 'wb') as f:
                f.write(self.before)

    def count(self, op, again):
        with tempfile.TemporaryDirectory(prefix='flowaudit-') as directory:
            self.prepare(directory, again)
            self.run(directory, self.command, op)
            with open(os.path.join(directory, 'count'), encoding='ascii') as f:
                return int(f.read())

    def make_before(self):
        with tempfile.TemporaryDirectory(prefix='flowaudit-') as directory:
            assert self.run(directory, self.command).returncode in (0, 1)
            with open(os.path.join(directory, 'audit.db'), 'rb') as f:
                self.before = f.read()

    def check(self, point):
        op, at, mode, again = point
        with tempfile.TemporaryDirectory(prefix='flowaudit-') as directory:
            self.prepare(directory, again)
            try:
                done = self.run(directory, self.command, op, at, mode)
            except subprocess.TimeoutExpired:
                return f'{op} {at} {mode}{" again" if again else ""}: it does not come back'
            wrong = self.judge(directory, done, mode, again)
            return f'{op} {at} {mode}{" again" if again else ""}: {wrong}' if wrong else None

    def judge(self, directory, done, mode, again):
        killed = mode in ('kill', 'torn')
        if done.returncode not in ((0, 1, 2, 3, -signal.SIGKILL) if killed else (0, 1, 2, 3)):
            return f'status {done.returncode} {done.stderr[-500:]}'
        if done.returncode in (2, 3) and not done.stderr:
            return f'status {done.returncode} without a word'
        with open(os.path.join(directory, 'beside'), 'rb') as f:
            if f.read() != BESIDE:
                return 'the file beside it was changed'
        path = os.path.join(directory, 'audit.db')
        if not os.path.exists(path) or os.path.getsize(path) == 0:
            return 'the record that was there is gone' if again else None if done.returncode not in (0, 1) else 'no record'
        return self.judge_record(directory, path, done.returncode, again)

    def judge_record(self, directory, path, status, again):
        db = sqlite3.connect(path)
        try:
            sound = db.execute('PRAGMA integrity_check').fetchall()
            if sound != [('ok',)]:
                return f'integrity: {sound}'
            if db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'runs'").fetchone() == (0,):
                return 'the record that was there is gone' if again else None if status not in (0, 1) else 'an empty record'
            runs = [complete for complete, in db.execute('SELECT complete FROM runs ORDER BY run_id')]
            sums = db.execute('SELECT count(*) FROM inputs i JOIN runs r USING (run_id) WHERE r.complete = 1 AND packets <> packets_decoded + '
                              'coalesce((SELECT sum(packets) FROM discards d WHERE d.run_id = i.run_id AND d.input_id = i.input_id), 0)').fetchone()
        except sqlite3.Error as e:
            return f'the record cannot be read: {e}'
        finally:
            db.close()
        if again:
            if not runs or runs.pop(0) != 1:
                return 'the run that was there is not whole'
        if (status in (0, 1)) != (runs == [1]) and not (status in (3, -signal.SIGKILL) and runs == [1]):
            return f'status {status}, runs {runs}'
        if status == 2 and any(runs): # not one packet could be read
            return f'status 2, and a run that is whole: {runs}'
        if sums != (0,):
            return 'packets do not add up'
        report = self.run(directory, ['report', 'audit.db'])
        return None if report.returncode in (0, 1, 2) and (report.returncode != 2 or not (runs or again)) else f'report: {report.stderr}'


def spread(n, sample):
    if sample is None or n <= sample:
        return range(1, n + 1)
    return sorted({1 + i * (n - 1) // (sample - 1) for i in range(sample)})


def points(bench, whole):
    for op in ERRORS:
        for again in (False, True):
            if again and op == 'alloc':
                continue
            n = bench.count(op, again)
            sample = SAMPLE_ALLOC if op == 'alloc' else SAMPLE
            if whole:
                sample = 4000 if op == 'alloc' else None
            modes = ['once', 'ever'] + (['kill', 'torn'] if op == 'write' else ['kill'] if op in CHANGES else [])
            for mode in modes:
                for at in spread(n, sample):
                    yield op, at, mode, again


def main():
    whole = sys.argv[4:] == ['all']
    bench = Bench(*sys.argv[1:4])
    bench.make_before()
    tried, failed = {}, 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        todo = list(points(bench, whole))
        for point, wrong in zip(todo, pool.map(bench.check, todo)):
            tried[point[0], point[2]] = tried.get((point[0], point[2]), 0) + 1
            if wrong:
                failed += 1
                print(wrong)
    print(f'{len(todo)} points, {failed} faults:', ', '.join(f'{op} {mode} {n}' for (op, mode), n in tried.items()))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
