#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records from elsewhere, made to do harm: every command that reads one ends in order and in time, whatever is in it.

usage: strangers.py FLOWAUDIT SOURCE_ROOT
"""
import os
import random
import shutil
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

ENVIRONMENT = dict(os.environ, SOURCE_DATE_EPOCH='1772442000', **flowdb.SANITIZERS)
COMMANDS = [['report', '{}'], ['report', '{}', '-v'], ['report', '--format', 'html', '{}'], ['report', '--format', 'json', '{}'],
            ['report', '--format', 'csv', '{}'], ['verify', '{}'], ['diff', 'good.db', '{}'], ['diff', '{}', 'good.db', '--format', 'json'],
            ['waive', '{}', '1', '--owner', 'o', '--reason', 'r', '--until', '2099-01-01'], ['merge', '-o', 'out.db', '{}', 'other.db']]


def connect(path):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute('PRAGMA ignore_check_constraints = ON')
    return db


def schema(db, old, new):
    """Replaces text in the definitions themselves."""
    db.execute('PRAGMA writable_schema = ON')
    db.execute('UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE type = ?', (old, new, 'table'))
    db.execute('PRAGMA writable_schema = RESET')


def loosely(path, *statements):
    """Runs statements while the tables take any type, and puts their definitions back as they were."""
    db = connect(path)
    before = db.execute('SELECT rowid, sql FROM sqlite_schema').fetchall()
    schema(db, 'STRICT, WITHOUT ROWID', 'WITHOUT ROWID')
    schema(db, ') STRICT', ')')
    schema(db, ' NOT NULL', '')
    db.close()
    db = connect(path)
    for statement in statements:
        db.execute(statement)
    db.execute('PRAGMA writable_schema = ON')
    for rowid, sql in before:
        db.execute('UPDATE sqlite_schema SET sql = ? WHERE rowid = ?', (sql, rowid))
    db.close()


def columns(path, table):
    db = connect(path)
    names = [(c[1], c[5]) for c in db.execute(f'PRAGMA table_info("{table}")')]
    db.close()
    return [name for name, key in names if key == 0]


def strictly(path, *statements):
    db = connect(path)
    for statement in statements:
        db.execute(statement)
    db.close()


def every_column(path, value):
    for table in ('conversation', 'finding', 'expectation', 'host', 'flow', 'input', 'matrix_row', 'seal'):
        loosely(path, *[f'UPDATE "{table}" SET "{name}" = {value}' for name in columns(path, table)])


def random_pages(path, seed):
    draw = random.Random(seed)
    with open(path, 'r+b') as f:
        size = f.seek(0, 2)
        for _ in range(40):
            f.seek(draw.randrange(100, size))
            f.write(bytes([draw.randrange(256)]))


ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i AS run_id FROM n'
HARM = {
    'a view without an end': lambda p: strictly(p, 'DROP VIEW findings', f'CREATE VIEW findings AS {ENDLESS}'),
    'a view of itself': lambda p: strictly(p, 'DROP VIEW hosts', 'CREATE VIEW hosts AS SELECT * FROM hosts'),
    'a view beside ours': lambda p: strictly(p, f'CREATE VIEW "temp.runs" AS {ENDLESS}'),
    'triggers': lambda p: strictly(p, 'CREATE TRIGGER t INSTEAD OF INSERT ON runs BEGIN DELETE FROM run; END',
                                   'CREATE TRIGGER u AFTER INSERT ON run BEGIN DELETE FROM finding; END'),
    'nulls everywhere': lambda p: every_column(p, 'NULL'),
    'blobs everywhere': lambda p: every_column(p, "x'00ff80c0226c3b'"),
    'fractions everywhere': lambda p: every_column(p, '-1e308'),
    'the least number everywhere': lambda p: every_column(p, '-9223372036854775808'),
    'text everywhere': lambda p: every_column(p, "char(27) || '[2J' || char(8238) || '<script>=1+1'"),
    'no UTF-8 everywhere': lambda p: every_column(p, "CAST(x'c0aff08080ed' AS TEXT)"),
    'a text with a NUL': lambda p: loosely(p, "UPDATE finding SET reason = CAST(x'4100420a' AS TEXT)"),
    'a text of 8 MB': lambda p: strictly(p, "UPDATE finding SET reason = replace(hex(zeroblob(4000000)), '00', 'ab') WHERE finding_id = 1"),
    'a run that is not there': lambda p: strictly(p, 'UPDATE run SET run_id = 9223372036854775807'),
    'no run': lambda p: strictly(p, 'DELETE FROM run'),
    'a site that is none': lambda p: strictly(p, "UPDATE run SET site_text = '{{{{[[[[&a *a', site_sha256 = 'x'"),
    'a manifest of many lines': lambda p: strictly(
        p, "UPDATE seal SET manifest = 'flowaudit-seal-1' || char(10) || 'seal 1' || char(10) || 'run 1' || char(10) || 'previous -' || char(10)"
           " || replace(hex(zeroblob(50000)), '00', 'open 1' || char(10))"),
    'a version to come': lambda p: strictly(p, 'PRAGMA user_version = 3'),
    'version 1, and not its tables': lambda p: strictly(p, 'PRAGMA user_version = 1'),
    **{f'random bytes, {i}': lambda p, i=i: random_pages(p, i) for i in range(6)},
}


def main():
    program, source, wrong, n = os.path.abspath(sys.argv[1]), sys.argv[2], [], 0
    with flowdb.scratch() as folder:
        def run(*arguments):
            return subprocess.run([program, *arguments], capture_output=True, env=ENVIRONMENT, cwd=folder, timeout=60)

        for name, sample in (('good.db', 'incident'), ('other.db', 'healthy')):
            run('check', '-q', '-s', f'{source}/samples/incident.yaml', '-o', name, f'{source}/samples/{sample}.pcapng')
        for what, harm in HARM.items():
            path = os.path.join(folder, 'stranger.db')
            shutil.copy(os.path.join(folder, 'good.db'), path)
            try:
                harm(path)
            except sqlite3.Error as e:
                wrong.append(f'{what}: cannot be made: {e}')
                continue
            for command in COMMANDS:
                n += 1
                before = os.stat(path)
                try:
                    done = run(*[word.replace('{}', 'stranger.db') for word in command])
                except subprocess.TimeoutExpired:
                    wrong.append(f'{what}: {command}: no end')
                    continue
                if done.returncode not in (0, 1, 2, 3) or (done.returncode == 2 and not done.stderr) or b'runtime error' in done.stderr:
                    wrong.append(f'{what}: {command}: status {done.returncode} {done.stderr[-600:]}')
                if (os.stat(path).st_mtime_ns, os.stat(path).st_size) != (before.st_mtime_ns, before.st_size):
                    wrong.append(f'{what}: {command}: the record was written to')
                if os.path.exists(os.path.join(folder, 'out.db')):
                    os.unlink(os.path.join(folder, 'out.db'))
    print(f'{n} commands, {len(wrong)} wrong', *wrong, sep='\n')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
