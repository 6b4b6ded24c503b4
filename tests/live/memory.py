#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A live run to which an allocation fails, once or from there on: it goes on or ends, and its record is sound and claims no more than it has.

usage: memory.py FLOWAUDIT SOURCE_ROOT SEND GENERATE FAULT_MODULE [all]

Calls are counted from the beginning of the run on, before its first packet.  Without 'all' a few points are tried.
"""
import errno
import os
import signal
import sqlite3
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__)))
from line import ROOT, Watch, each_in_a_folder, enter_namespace, equals, send

MODULE = os.path.abspath(sys.argv[5])
ALL = 'all' in sys.argv
CAPTURE = f'{ROOT}/samples/incident.pcapng'
COUNT = 3736
seen = {}


def run_with(folder, at, mode):
    environment = dict(os.environ, LD_PRELOAD=MODULE, FAULT_OP='alloc', FAULT_AT=str(at), FAULT_MODE=mode, FAULT_ERRNO=str(errno.ENOMEM), FAULT_WAIT='1')
    run = Watch(folder, '-j', '2', env=environment)
    run.send(signal.SIGRTMIN + 1)
    send(CAPTURE, COUNT, 0)
    time.sleep(1.2)
    return run, run.end(seconds=30) if run.process.poll() is None else run.process.returncode


def one(at, mode):
    def case(folder):
        run, status = run_with(folder, at, mode)
        what = f'alloc {at} {mode}: status {status}: {run.said()}'
        equals(status in (0, 1, 2, 3), what)
        complete = packets = None
        if os.path.exists(run.db):
            with sqlite3.connect(run.db) as db:
                equals(db.execute('PRAGMA integrity_check').fetchone()[0] == 'ok', f'the record is damaged: {what}')
                rows = db.execute("SELECT name FROM sqlite_master WHERE name = 'runs'").fetchall() and db.execute('SELECT complete FROM runs').fetchall()
                complete = rows[-1][0] if rows else None
            if complete == 1:
                packets = run.counts()
                equals(packets[0] == COUNT and packets[1] + packets[2] == COUNT, f'{packets}: {what}')
                equals(status in (0, 1), f'a complete run: {what}')
        seen[status, complete] = seen.get((status, complete), 0) + 1
        print(f'alloc {at} {mode}: status {status}, complete {complete}', end='')
    return case


def main():
    enter_namespace()
    points = range(100, 30000, 700) if ALL else (300, 4000, 12000)
    status = each_in_a_folder([one(at, mode) for at in points for mode in (('once', 'ever') if ALL else ('once',))])
    print(', '.join(f'{n} times status {key[0]}, complete {key[1]}' for key, n in sorted(seen.items())))
    return status


if __name__ == '__main__':
    sys.exit(main())
