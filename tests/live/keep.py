#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A record that is written for weeks, in a minute: its size, its files, its log under a reader that stays, and the packets that are kept of what
it found.  Skipped where there are no rights to make a namespace.

usage: keep.py FLOWAUDIT SOURCE_ROOT SEND GENERATE [--full]
"""
import glob
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

from line import FLOWAUDIT, FULL, GENERATE, ROOT, SEND, SITE, Watch, each_in_a_folder, enter_namespace, equals, generated, packets_of, send

MIB = 1 << 20
ENDS = 'kind, client, server, transport, server_port, protocol, packets, outcome'


def sites(folder):
    """Traffic that makes a record grow: the sample again and again, each time with other addresses."""
    path = f'{folder}/sites.pcap'
    subprocess.run([GENERATE, 'mix', path, '1', '1', '60', f'{ROOT}/samples/incident.pcapng'], check=True, capture_output=True)
    return path


def ask(path, query):
    with sqlite3.connect(f'file:{path}?mode=ro', uri=True) as db:
        return db.execute(query).fetchall()


def records(folder):
    return sorted(p for p in glob.glob(f'{folder}/live*.db'))


def all_there(folder, sent, what):
    """No packet lost between runs and files; each run sealed and complete."""
    seen = sum(ask(path, 'SELECT coalesce(sum(packets), 0) FROM inputs')[0][0] for path in records(folder))
    equals(seen == sent, f'{what}: {sent} sent, {seen} in the records')
    for path in records(folder):
        equals(ask(path, 'SELECT min(complete) FROM runs')[0][0] == 1, f'{what}: {path} has a run that is not complete')
        verified = subprocess.run([FLOWAUDIT, 'verify', path], capture_output=True, text=True)
        equals(verified.returncode == 0, f'{what}: {verified.stdout}')


def on_disk(folder):
    return sum(os.path.getsize(p) for p in glob.glob(f'{folder}/live*'))


def a_size(folder):
    capture, most = sites(folder), 0
    run = Watch(folder, '--rotate', '2s', '--max-size', '8')
    sender = subprocess.Popen([SEND, 'out', capture, '600000', '50000'], stdout=subprocess.PIPE, text=True)
    while sender.poll() is None:
        time.sleep(0.2)
        most = max(most, on_disk(folder))
    equals(run.end() == 1 or run.end() == 0, run.said())
    removed = run.ask('SELECT removed_run FROM removals ORDER BY removed_run')
    equals(len(removed) > 0 and removed == [(n + 1,) for n in range(len(removed))], f'size: the oldest runs were to be removed, and {removed} were')
    equals(f'run {removed[-1][0]} was removed' in run.said(), f'size: nothing was said of it: {run.said()}')
    equals(most <= 10 * MIB, f'size: the record took {most} bytes')
    verified = subprocess.run([FLOWAUDIT, 'verify', run.db], capture_output=True, text=True)
    equals(verified.returncode in (0, 1) and 'altered' not in verified.stdout, verified.stdout)
    print(f'a bound of 8 MiB: {len(removed)} runs removed, {most / MIB:.1f} MiB at most on the disk')


def files(folder):
    capture, count = sites(folder), 210000
    run = Watch(folder, '--new-file', '1MiB')
    equals(send(capture, count, 30000) == count, 'files: not sent')
    equals(run.end() in (0, 1), run.said())
    names = [os.path.basename(p) for p in records(folder)]
    equals(len(names) >= 2 and all(re.fullmatch(r'live-\d{8}T\d{6}Z\.db', n) for n in names), f'files: {names}')
    all_there(folder, count, 'files')
    print(f'new files at 1 MiB: {len(names)} files, no packet lost between them')


def a_reader_that_stays(folder):
    capture = generated(folder, 'scan', 10000) # a row for each packet
    run = Watch(folder, '--max-size', '8')
    sent = send(capture, 1000, 20000)
    run.wait_for('a commit', lambda: run.ask('SELECT count(*) FROM inputs')[0][0] > 0)
    reader = sqlite3.connect(run.db, isolation_level=None)
    reader.execute('BEGIN')
    reader.execute('SELECT count(*) FROM conversations').fetchall()
    while len(records(folder)) < 2:
        equals(sent < 2000000, f'reader: no new file was begun: {run.said()}')
        sent += send(capture, 10000, 10000)
    equals('it goes on in a new file' in run.said(), run.said())
    log = os.path.getsize(run.db + '-wal')
    run.wait_for('word of what the reader holds', lambda: 'take ' in run.said() and 'they are not removed' in run.said())
    sent += send(capture, 10000, 10000)
    equals(reader.execute('SELECT count(*) FROM runs').fetchall() == [(1,)], 'reader: its snapshot changed')
    equals(run.end() in (0, 1), run.said())
    equals(os.path.getsize(run.db + '-wal') == log, f'reader: the log grew from {log} to {os.path.getsize(run.db + "-wal")}')
    reader.close()
    all_there(folder, sent, 'reader')
    print('a reader that stays: the record goes on in a new file, and no packet is lost')


def age(folder):
    capture = f'{ROOT}/samples/incident.pcapng'
    run = Watch(folder, '--rotate', '1s', '--keep', '2s')
    for _ in range(15):
        send(capture, 200, 0)
        time.sleep(1.2)
        if 'older than they are to be kept' in run.said():
            break
    equals('older than they are to be kept' in run.said(), f'age: {run.said()}')
    equals(run.ask('SELECT count(*) FROM removals')[0][0] > 0, 'age: nothing was removed while the run went on')
    run.end()
    print('old runs are removed while others go on')


def a_lock_at_the_end(folder):
    run = Watch(folder)
    send(f'{ROOT}/samples/incident.pcapng', 1000, 0)
    run.wait_for('a commit', lambda: run.ask('SELECT count(*) FROM inputs')[0][0] > 0)
    db = sqlite3.connect(run.db, isolation_level=None)
    db.execute('BEGIN IMMEDIATE')
    send(f'{ROOT}/samples/incident.pcapng', 500, 0)
    begun = time.monotonic()
    status = run.end(signal.SIGTERM, 20)
    took = time.monotonic() - begun
    db.execute('ROLLBACK')
    db.close()
    equals(status == 3 and took < 10, f'locked at the end: status {status} after {took:.1f} s')
    equals(re.search(r'lost: what the last [1-9]\d* packets of run 1 showed', run.said()) is not None, f'locked at the end: {run.said()}')
    print(f'SIGTERM while the record is locked: the end after {took:.1f} s, and what is lost is told')


def carved(folder, run, row):
    """The packets of a finding say the same again."""
    out, again = f'{folder}/carved.pcapng', f'{folder}/again.db'
    done = subprocess.run([FLOWAUDIT, 'carve', '-q', run.db, str(row[0]), '--out', out], capture_output=True, text=True)
    equals(done.returncode == 0, f'carve: {row}: {done.stderr}')
    if shutil.which('tshark') is not None and row[0] % 10 == 0:
        read = subprocess.run(['tshark', '-n', '-r', out], capture_output=True, text=True)
        equals(read.returncode == 0 and len(read.stdout.splitlines()) > 0, f'carve: tshark: {read.stderr}')
    if os.path.exists(again):
        os.unlink(again)
    subprocess.run([FLOWAUDIT, 'check', '-q', '-s', SITE, '-o', again, out], capture_output=True, check=False)
    found = ask(again, f'SELECT {ENDS} FROM findings')
    want = row[1:]
    if row[1] == 'misdropped':  # a live run judges by window, and does not know in which one each packet was
        at = ENDS.split(', ').index('packets')
        want, found = want[:at] + want[at + 1:], [f[:at] + f[at + 1:] for f in found]
    equals(want in found, f'carve: {row} is not found again')


def evidence(folder):
    capture = f'{ROOT}/samples/incident.pcapng'
    count = packets_of(capture, folder)
    run = Watch(folder, '--evidence', f'{folder}/kept,8MiB', '-j', '2')
    send(capture, count, 1000)
    time.sleep(1.5)
    run.send(signal.SIGHUP) # the run ends with its flows, and its packets are in the record
    run.wait_for('a new run', lambda: 'recording run 2' in run.said())
    send(capture, 100, 0)
    equals(run.end() in (0, 1), run.said())
    kept = run.ask('SELECT path, bytes, packets FROM evidence WHERE run_id = 1')
    equals(len(kept) > 0 and all(os.path.getsize(p) == n for p, n, _ in kept), f'evidence: {kept}')
    counted = dict(run.ask("SELECT name, value FROM counters WHERE run_id = 1 AND name LIKE 'evidence%'"))
    equals(counted == {'evidence-packets': sum(n for _, _, n in kept)}, f'evidence: {counted}, {kept}')
    findings = run.ask(f"SELECT finding_id, {ENDS} FROM findings WHERE run_id = 1 AND kind NOT IN ('missing', 'site')")
    equals(len(findings) > 100, f'evidence: {len(findings)} findings')
    sample = findings if FULL else [row for i, row in enumerate(findings) if i % 24 == 0 or row[1] in ('separated', 'misdropped', 'wrong-protocol')]
    with sqlite3.connect(run.db) as db: # carve takes the last run unless told
        db.execute('DELETE FROM run WHERE run_id = 2')
    for row in sample:
        carved(folder, run, row)
    print(f'evidence: {len(sample)} findings of a live run carved, and each found again with the same counts')


def evidence_in_bounds(folder):
    capture = sites(folder)
    run = Watch(folder, '--evidence', f'{folder}/kept,8MiB')
    send(capture, 90000, 30000)
    equals(run.end() in (0, 1), run.said())
    size = sum(os.path.getsize(p) for p in glob.glob(f'{folder}/kept/*'))
    counted = dict(run.ask("SELECT name, value FROM counters WHERE name LIKE 'evidence%'"))
    in_files = run.ask('SELECT coalesce(sum(packets), 0) FROM evidence')[0][0]
    equals(0 < size <= 8 * MIB and counted['evidence-packets'] == in_files, f'evidence: {size} bytes, {counted}, {in_files} in files')
    print(f'evidence under load: {in_files} packets, {size / MIB:.1f} of 8 MiB; not kept: {({k: v for k, v in counted.items() if k != "evidence-packets"})}')


def main():
    enter_namespace()
    return each_in_a_folder((evidence, evidence_in_bounds, a_size, files, a_reader_that_stays, age, a_lock_at_the_end))


if __name__ == '__main__':
    sys.exit(main())
