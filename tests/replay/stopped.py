#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A run that SIGINT breaks off accounts for every packet that it counted, of several files read side by side too.

usage: stopped.py FLOWAUDIT SOURCE_ROOT
"""
import os
import signal
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import flowdb
import weaker

FILES, ROUNDS = 3, 60
TRIES = 12


def make(directory, packets):
    """Files of the sample again and again, at the same time in each of them."""
    length = packets[-1][0] - packets[0][0] + weaker.NS
    paths = [os.path.join(directory, f'part{k}.pcap') for k in range(FILES)]
    for k, path in enumerate(paths):
        weaker.write(path, [(t + n * length + k * 1000, f) for n in range(ROUNDS) for t, f in packets], 262144)
    return paths


def stopped_after(program, site, record, files, workers, seconds):
    """The exit status of a run that was sent SIGINT so long after it began, and what is wrong with its record."""
    if os.path.exists(record):
        os.unlink(record)
    with subprocess.Popen([program, 'check', '-q', '-j', workers, '-s', site, '-o', record, *files], stderr=subprocess.PIPE, text=True) as run:
        time.sleep(seconds)
        run.send_signal(signal.SIGINT)
        _, messages = run.communicate(timeout=60)
    if not os.path.exists(record) or os.path.getsize(record) == 0:
        return run.returncode, None, 0
    db = sqlite3.connect(record)
    wrong, (n, complete) = flowdb.unaccounted(db), db.execute('SELECT (SELECT sum(packets) FROM inputs), min(complete) FROM runs').fetchone()
    db.close()
    if wrong is None and run.returncode == 3 and complete:
        wrong = f'called complete: {messages}'
    return run.returncode, wrong, n or 0


def main():
    program, source = sys.argv[1:3]
    samples = os.path.join(source, 'samples')
    site, packets = os.path.join(samples, 'healthy.yaml'), weaker.packets_of(os.path.join(samples, 'healthy.pcapng'))
    failed = 0
    with flowdb.scratch() as directory:
        files = make(directory, packets)
        for workers in ('1', '3'):
            broken_off, seconds = 0, 0.02
            for _ in range(TRIES):
                status, wrong, n = stopped_after(program, site, os.path.join(directory, 'stopped.db'), files, workers, seconds)
                broken_off += status == 3 and 0 < n < FILES * ROUNDS * len(packets)
                seconds = seconds * 1.5 if status != 0 and n < FILES * ROUNDS * len(packets) else seconds / 2
                failed += flowdb.told(f'{workers} workers, status {status}, {n} packets', [wrong] if wrong else [])
            failed += flowdb.told(f'{workers} workers: {broken_off} of {TRIES} runs were broken off in between', [] if broken_off else ['none was'])
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
