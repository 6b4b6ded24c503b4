#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What 'flowaudit verify' says of records that were altered in every way: each column of each table, bytes of the file, runs, seals, inputs.

usage: verify.py FLOWAUDIT SOURCE_ROOT
"""
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb
import recordcheck

ENVIRONMENT = dict(os.environ, SOURCE_DATE_EPOCH='1772442000', **flowdb.SANITIZERS)


class Bench:
    def __init__(self, program, source, folder):
        self.program, self.source, self.folder, self.wrong, self.n = program, source, folder, [], 0
        self.good = self.path('good.db')
        for name in ('incident.pcapng', 'healthy.pcapng'):
            site = os.path.join(source, 'samples', name.split('.')[0] + '.yaml')
            self.run('check', '-q', '-s', site, '-o', self.good, os.path.join(source, 'samples', name))

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *arguments):
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, env=ENVIRONMENT, timeout=120)

    def verify(self, db, *options):
        return self.run('verify', db, *options)

    def expect(self, what, done, *statuses, words=''):
        self.n += 1
        if done.returncode not in statuses or words not in done.stdout + done.stderr:
            self.wrong.append(f'{what}: status {done.returncode}, meant {statuses} with {words!r}\n{done.stdout[-1500:]}{done.stderr[-500:]}')

    def altered(self, *statements, name='altered.db'):
        """A copy of the good record after some SQL, which a forger would run with everything switched off that hinders."""
        path = self.path(name)
        shutil.copy(self.good, path)
        db = sqlite3.connect(path, isolation_level=None)
        db.execute('PRAGMA ignore_check_constraints = ON')
        for statement, *values in statements:
            db.execute(statement, values)
        db.close()
        return path


def flipped(value, kind):
    """A value that differs by one bit; something where nothing was."""
    if value is None:
        return 1 if kind == 'INTEGER' else 'x'
    if isinstance(value, int):
        return value ^ 1
    i = len(value) // 2
    return value[:i] + (chr(ord(value[i]) ^ 1) if value else 'x') + value[i + 1:]


def check_columns(bench):
    db = sqlite3.connect(bench.good)
    tables = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
    for table in tables:
        columns = [(c[1], c[2]) for c in db.execute(f'PRAGMA table_info("{table}")')]
        key = [c[1] for c in db.execute(f'PRAGMA table_info("{table}")') if c[5] > 0]
        for column, kind in columns:
            rows = db.execute(f'SELECT {", ".join(key)}, "{column}" FROM "{table}" ORDER BY "{column}" IS NULL, {", ".join(key)}').fetchall()
            if not rows:
                continue
            *where, value = rows[sum(r[-1] is not None for r in rows) // 2 if rows[0][-1] is not None else 0]
            update = f'UPDATE "{table}" SET "{column}" = ? WHERE ' + ' AND '.join(f'"{k}" = ?' for k in key)
            new = flipped(value, kind)
            try:
                path = bench.altered((update, new, *where))
            except sqlite3.IntegrityError:  # the value is that of another row's key
                path = bench.altered((update, 999, *where))
            bench.expect(f'{table}.{column} {value!r:.60} > {new!r:.60}', bench.verify(path, '-q'), 1, words='ALTERED')
        bench.expect(f'a row less in {table}', bench.verify(bench.altered((f'DELETE FROM "{table}" WHERE {key[0]} = 1',)))
                     if db.execute(f'SELECT count(*) FROM "{table}" WHERE {key[0]} = 1').fetchone()[0] else
                     subprocess.CompletedProcess([], 1, '', ''), 1)
    bench.expect('a row more', bench.verify(bench.altered(("INSERT INTO discard VALUES (1, 1, 'arp', 3)",))), 1, words='table discard')
    bench.expect('a row of no run', bench.verify(bench.altered(("INSERT INTO discard VALUES (7, 1, 'arp', 3)",))), 1, words='not there')
    db.close()


def content(path):
    """All tables as Python reads them; None where SQLite refuses."""
    try:
        db = sqlite3.connect(f'file:{path}?mode=ro', uri=True)
        dump = [(name, sql, db.execute(f'SELECT * FROM "{name}"').fetchall() if kind == 'table' else None)
                for kind, name, sql in db.execute('SELECT type, name, sql FROM sqlite_schema ORDER BY name').fetchall()]
        db.close()
        return dump
    except (sqlite3.Error, UnicodeDecodeError):
        return None


def check_file(bench):
    """One byte anywhere: found, or refused, or it lies where no table has content."""
    with open(bench.good, 'rb') as f:
        good = f.read()
    whole, draw, path, found = content(bench.good), random.Random(6), bench.path('flipped.db'), 0
    for i in range(160):
        at = draw.randrange(100) if i < 20 else draw.randrange(len(good))
        with open(path, 'wb') as f:
            f.write(good[:at] + bytes([good[at] ^ 1 << draw.randrange(8)]) + good[at + 1:])
        done = bench.verify(path, '-q')
        found += done.returncode in (1, 2)
        bench.n += 1
        if done.returncode not in (1, 2) and (done.returncode != 0 or content(path) != whole):
            bench.wrong.append(f'byte {at} flipped: status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}')
    if found < 80:
        bench.wrong.append(f'only {found} of 160 flipped bytes found')


def check_runs(bench):
    db = sqlite3.connect(bench.good)
    tables = [name for name, in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
    last = db.execute('SELECT sha256 FROM seals ORDER BY seal_id DESC').fetchone()[0]
    db.close()
    gone = [(f'DELETE FROM "{table}" WHERE run_id = ?', 1) for table in tables]
    bench.expect('run 1 removed with its seal', bench.verify(bench.altered(*gone)), 1, words='does not follow')
    bench.expect('run 1 removed', bench.verify(bench.altered(*[s for s in gone if '"seal"' not in s[0]])), 1, words='not by flowaudit')
    forged = ("INSERT INTO removal SELECT 2, 1, 1, sha256, 'kept' FROM seal WHERE run_id = 1",)
    bench.expect('run 1 removed, and a false note of it', bench.verify(bench.altered(*[s for s in gone if '"seal"' not in s[0]], forged)), 1,
                 words='table removal')
    bench.expect('seal 1 removed', bench.verify(bench.altered(('DELETE FROM seal WHERE seal_id = 1',))), 1, words='does not follow')
    end = [(f'DELETE FROM "{table}" WHERE run_id = ?', 2) for table in tables]
    bench.expect('the last run removed with its seal', bench.verify(bench.altered(*end), '--seal', last), 1, words='not in the chain')
    bench.expect('the last seal is known', bench.verify(bench.good, '--seal', last), 0, words='in the chain')
    dead = ('INSERT INTO run(run_id, started_ns, site_text, site_sha256, matrix_text, matrix_sha256) SELECT 3, 1, site_text, site_sha256,'
            ' matrix_text, matrix_sha256 FROM run WHERE run_id = 1',)
    bench.expect('a run that did not end', bench.verify(bench.altered(dead)), 3, words='has no seal')
    bench.expect('its seal alone removed', bench.verify(bench.altered(('DELETE FROM seal WHERE seal_id = 2',))), 3, words='has no seal')


def check_inputs(bench):
    folder, name = bench.path('inputs'), 'incident.pcapng'
    os.mkdir(folder)
    for sample in (name, 'healthy.pcapng'):
        shutil.copy(os.path.join(bench.source, 'samples', sample), folder)
    bench.expect('inputs', bench.verify(bench.good, '--inputs', folder), 0)
    os.rename(os.path.join(folder, name), os.path.join(folder, 'renamed'))
    bench.expect('an input renamed', bench.verify(bench.good, '--inputs', folder), 0, words='as renamed')
    with open(os.path.join(folder, 'renamed'), 'rb') as f:
        data = bytearray(f.read())
    os.unlink(os.path.join(folder, 'renamed'))
    bench.expect('an input missing', bench.verify(bench.good, '--inputs', folder), 3, words='not in the folder')
    data[len(data) // 2] ^= 4
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(data)
    bench.expect('an input altered', bench.verify(bench.good, '--inputs', folder), 1, words='ALTERED')
    os.unlink(os.path.join(folder, name))
    os.mkfifo(os.path.join(folder, name))
    bench.expect('a pipe with the name of an input', bench.verify(bench.good, '--inputs', folder), 3)
    long = bench.altered(('UPDATE input SET name = ? WHERE run_id = 1', 'x' * 300), name='long.db')
    bench.expect('an input that no folder can have', bench.verify(long, '--inputs', folder), 1, words='cannot be read')
    bench.expect('no such folder', bench.verify(bench.good, '--inputs', folder + '/none'), 2)


def check_second(bench):
    db = sqlite3.connect(bench.good)
    bench.wrong += recordcheck.check_seals(db)
    for run_id in (1, 2):
        done = bench.run('report', '--format', 'json', '--run', str(run_id), bench.good)
        ours = json.loads(done.stdout)['findings_digest']
        theirs = {'algorithm': 'flowaudit-findings-1', 'sha256': recordcheck.findings_digest(db, run_id)}
        if ours != theirs:
            bench.wrong.append(f'findings of run {run_id}: {ours}, by the second implementation {theirs}')
        for format in ('text', 'html'):
            bench.expect(f'the digest in {format}', bench.run('report', '--format', format, '--run', str(run_id), bench.good), 0,
                         words=theirs['sha256'])
    db.close()


def check_signature(bench):
    """As flowaudit-db(5) shows it."""
    if shutil.which('openssl') is None:
        print('openssl is not there: signing was not tried')
        return
    db = sqlite3.connect(bench.good)
    with open(bench.path('seal.txt'), 'w', encoding='utf-8') as f:
        f.write(db.execute('SELECT sha256 FROM seals ORDER BY seal_id DESC LIMIT 1').fetchone()[0] + '\n')
    db.close()
    commands = ['genpkey -algorithm ed25519 -out key.pem', 'pkey -in key.pem -pubout -out public.pem',
                'pkeyutl -sign -inkey key.pem -rawin -in seal.txt -out seal.sig',
                'pkeyutl -verify -pubin -inkey public.pem -rawin -in seal.txt -sigfile seal.sig']
    for command in commands:
        done = subprocess.run(['openssl', *command.split()], cwd=bench.folder, capture_output=True, text=True)
        bench.expect(f'openssl {command}', done, 0)
    with open(bench.path('seal.txt'), 'a', encoding='utf-8') as f:
        f.write('x')
    done = subprocess.run(['openssl', *commands[-1].split()], cwd=bench.folder, capture_output=True, text=True)
    bench.expect('a signature of another seal', done, 1)


def main():
    with flowdb.scratch() as folder:
        bench = Bench(sys.argv[1], sys.argv[2], folder)
        bench.expect('the record as it was made', bench.verify(bench.good), 0, words='Verified')
        for check in (check_second, check_columns, check_file, check_runs, check_inputs, check_signature):
            check(bench)
        print(f'{bench.n} checks, {len(bench.wrong)} wrong', *bench.wrong, sep='\n')
        return 1 if bench.wrong else 0


if __name__ == '__main__':
    sys.exit(main())
