#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes a large record out of a small one, and measures every export of it.

usage: record.py FLOWAUDIT SOURCE_ROOT [--conversations N] [--findings N] [--keep FILE] [--only FORMAT[:TABLE]]...

Of N conversations of some 50,000 clients with 2,000 servers as many as were asked for are findings, each with a flow of its own. Rows of the sample's record are
varied, so that texts and columns are those of a real run. Prints for each export seconds of wall and CPU time, peak memory and size. It measures, and never
judges. The record has no seal that fits: 'verify' calls it changed.
"""
import argparse
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

EXPORTS = ['text', 'csv:findings', 'csv:conversations', 'csv:flows', 'json', 'ndjson', 'html', 'xlsx']

NUMBERS = 'WITH RECURSIVE n(i) AS (VALUES ({low}) UNION ALL SELECT i + 1 FROM n WHERE i < {high}) '
CLIENT = "'10.' || (100 + (i * 7919) % 50) || '.' || ((i * 7919) / 50 % 250) || '.' || (1 + (i * 7919) / 12500 % 4)"
SERVER = "'10.' || (200 + i % 8) || '.' || (i / 8 % 5) || '.' || (1 + i / 40 % 50)"


def columns(db, table):
    return [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]


def vary(db, table, key, low, high, changed, template):
    """Rows 'low' to 'high' after rows of the sample; 'template' gives the sample's row for i."""
    names = columns(db, table)
    db.execute(f'CREATE TEMP TABLE sample AS SELECT row_number() OVER (ORDER BY {key}) - 1 AS nth, * FROM {table} WHERE {template}')
    count, = db.execute('SELECT count(*) FROM sample').fetchone()
    values = ', '.join(changed.get(name, 'i' if name == key else 's.' + name) for name in names)
    db.execute(NUMBERS.format(low=low, high=high) + f'INSERT INTO {table}({", ".join(names)}) SELECT {values} FROM n JOIN sample s ON s.nth = n.i % {count}')
    db.execute('DROP TABLE sample')


def enlarge(path, conversations, findings):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute('PRAGMA journal_mode = OFF')
    db.execute('PRAGMA synchronous = OFF')
    db.execute('BEGIN')
    times = {name: f's.{name} + i * 997 % 86400000000' for name in ('first_ns', 'last_ns')}
    names = {'client_name': f"'client-' || i * 7919 % 50000", 'server_name': "'server-' || i % 2000"}
    ends = {'client': CLIENT, 'server': SERVER, **names, **times}
    first, = db.execute('SELECT max(conversation_id) + 1 FROM conversation').fetchone()
    first_finding, = db.execute('SELECT max(finding_id) + 1 FROM finding').fetchone()
    db.execute('DELETE FROM finding')
    vary(db, 'conversation', 'conversation_id', first, conversations, {**ends, 'server_port': '1 + i * 31 % 65000'}, "disposition IN ('permitted', 'rejected', 'escaped', 'misdropped')")
    every = conversations // findings
    conversation = {'conversation_id': f'{first} + (i * {every}) % ({conversations} - {first})'}
    source = sqlite3.connect(path + '.sample')
    rows = source.execute('SELECT * FROM finding WHERE waived_by IS NULL').fetchall()
    db.executemany(f'INSERT INTO finding VALUES ({", ".join("?" * len(rows[0]))})', rows)
    vary(db, 'finding', 'finding_id', first_finding, findings, {**ends, **conversation, 'server_port': '1 + i * 31 % 65000'}, 'finding_id > 0')
    vary(db, 'flow', 'flow_id', 1000000, 1000000 + findings, {**{k: v for k, v in ends.items() if k not in names}, **conversation}, "transport = 'tcp'")
    vary(db, 'host', 'host_id', 1000000, 1052000, {'address': f"'172.' || (16 + i / 65536 % 16) || '.' || (i / 256 % 256) || '.' || i % 256", 'name': "'host-' || i"}, 'host_id > 0')
    vary(db, 'expectation', 'expectation_id', 1000000, 1020000, {**names, 'client': CLIENT, 'server': SERVER}, 'expectation_id > 0')
    db.execute('COMMIT')
    counts = {table: db.execute(f'SELECT count(*) FROM {table}').fetchone()[0] for table in ('conversation', 'finding', 'flow', 'host', 'expectation')}
    db.close()
    return counts


def measure(program, path, export, out):
    form, _, table = export.partition(':')
    began = time.monotonic()
    process = subprocess.Popen([program, 'report', '--format', form, *(['--table', table] if table else []), '-o', out, path])
    _, status, usage = os.wait4(process.pid, 0)
    size = os.path.getsize(out) if os.path.exists(out) else 0
    print(f'{export:20} {time.monotonic() - began:7.1f} s, CPU {usage.ru_utime + usage.ru_stime:6.1f} s, peak {usage.ru_maxrss / 1024:6.0f} MiB, {size / 1e6:8.1f} MB'
          + (f', status {os.waitstatus_to_exitcode(status)}' if status else ''), flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument('flowaudit')
    options.add_argument('source')
    options.add_argument('--conversations', type=int, default=1_000_000)
    options.add_argument('--findings', type=int, default=200_000)
    options.add_argument('--keep', help='where the record is made and left; used as it is where it is there')
    options.add_argument('--only', action='append')
    o = options.parse_args()
    with tempfile.TemporaryDirectory(prefix='flowaudit-') as folder:
        path = o.keep or os.path.join(folder, 'large.db')
        if not os.path.exists(path):
            sample = os.path.join(o.source, 'samples', 'incident')
            subprocess.run([o.flowaudit, 'check', '-q', '-s', sample + '.yaml', '--flows', 'all', '-o', path, sample + '.pcapng'], check=False)
            shutil.copy(path, path + '.sample')
            print(enlarge(path, o.conversations, o.findings), f'{os.path.getsize(path) / 1e6:.0f} MB', flush=True)
            os.unlink(path + '.sample')
        for export in o.only or EXPORTS:
            measure(o.flowaudit, path, export, os.path.join(folder, 'out'))


sys.exit(main())
