#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What 'flowaudit waive' prints is read back by the site loader, whatever the owner and the reason, and covers the finding.

usage: waive.py FLOWAUDIT SOURCE_ROOT
"""
import os
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

ENVIRONMENT = dict(os.environ, SOURCE_DATE_EPOCH='1772442000', **flowdb.SANITIZERS)
TEXTS = ['plain', 'a: b', '- dash', '# no comment', "it's", '"quoted"', 'back\\slash', '{a: b}', '[x]', '&anchor *alias !tag', '%directive', 'true',
         '2027-01-31', '~', '  spaces  ', 'umlaut äöü', 'CJK 監査', 'emoji 🦉', 'nbsp\u00a0', 'e' * 1500, '|', '>', '? key', '@', '`',
         'a\\nb', "'''", '---', '...', '0x1f', '1e3', ',', ':', '"', '\\', 'x #y']


def main():
    program, source, wrong = os.path.abspath(sys.argv[1]), sys.argv[2], []

    with flowdb.scratch() as folder:
        def run(*arguments):
            return subprocess.run([program, *arguments], capture_output=True, text=True, env=ENVIRONMENT, cwd=folder, timeout=60)

        capture = os.path.join(source, 'samples', 'incident.pcapng')
        with open(os.path.join(source, 'samples', 'incident.yaml'), encoding='utf-8') as f:
            site = f.read()
        site = site[:site.index('exceptions:')]
        with open(os.path.join(folder, 'site.yaml'), 'w', encoding='utf-8') as f:
            f.write(site)
        run('check', '-q', '-s', 'site.yaml', '-o', 'a.db', capture)
        db = sqlite3.connect(os.path.join(folder, 'a.db'))
        flows = [row for row in db.execute('SELECT finding_id, client, server, transport, server_port FROM findings WHERE client IS NOT NULL AND server IS'
                                           ' NOT NULL AND server_port IS NOT NULL ORDER BY finding_id')]
        others = [n for n, in db.execute('SELECT min(finding_id) FROM findings WHERE server_port IS NULL GROUP BY kind')]
        db.close()

        stanza = ''
        for i, text in enumerate(TEXTS):
            finding, *_ = flows[i % len(flows)]
            done = run('waive', 'a.db', str(finding), '--owner', text, '--reason', text + '!', '--until', '2099-12-31', '--id', f'X-{i}')
            if done.returncode != 0 or done.stderr:
                wrong.append(f'{text!r}: {done.returncode} {done.stderr}')
                continue
            entry = done.stdout[done.stdout.index('exceptions:\n') + len('exceptions:\n'):]
            stanza += entry
        with open(os.path.join(folder, 'waived.yaml'), 'w', encoding='utf-8') as f:
            f.write(site + 'exceptions:\n' + stanza)
        done = run('check', '-q', '-s', 'waived.yaml', '-o', 'b.db', capture)
        if done.returncode not in (0, 1):
            wrong.append(f'the site with all exceptions: {done.stderr}')
        db = sqlite3.connect(os.path.join(folder, 'b.db'))
        options = db.execute('SELECT options FROM runs').fetchone()[0]
        read = {e[0]: e[1:] for e in db.execute("SELECT json_extract(value, '$.id'), json_extract(value, '$.owner'), json_extract(value, '$.reason')"
                                                " FROM json_each(?, '$.exceptions')", (options,))}
        for i, text in enumerate(TEXTS):
            if read.get(f'X-{i}') != (text, text + '!'):
                wrong.append(f'{text!r} is read back as {read.get(f"X-{i}")!r}')
        for i in range(min(len(TEXTS), len(flows))):
            finding, *ends = flows[i]
            waived = db.execute('SELECT count(*), count(waived_by) FROM findings WHERE client = ? AND server = ? AND transport = ? AND server_port = ?',
                                ends).fetchone()
            if waived[0] == 0 or waived[0] != waived[1]:
                wrong.append(f'finding {finding} {ends} is not covered: {waived}')
        db.close()

        usual = ['--owner', 'o', '--reason', 'r', '--until', '2099-12-31']
        first = str(flows[0][0])
        for what, arguments in [('a date that no calendar has', [first, '--owner', 'o', '--reason', 'r', '--until', '2027-02-30']),
                                ('a date before the finding', [first, '--owner', 'o', '--reason', 'r', '--until', '2001-01-01']),
                                ('no owner', [first, '--reason', 'r', '--until', '2099-12-31']), ('an empty owner', [first, '--owner', '', *usual[2:]]),
                                ('no such finding', ['99999', *usual]), ('no number', ['x', *usual]), ('no such run', [first, *usual, '--run', '9']),
                                ('a text that turns around', [first, '--owner', 'x\u202ey', *usual[2:]]), ('a control character', [first, '--owner', 'a\x07b', *usual[2:]]), *[(f'finding {n}', [str(n), *usual]) for n in others]]:
            done = run('waive', 'a.db', *arguments)
            if done.returncode != 2 or not done.stderr or done.stdout:
                wrong.append(f'{what}: status {done.returncode} {done.stdout}{done.stderr}')
        same = {run('waive', name, first, *usual).stdout for name in ('a.db', 'a.db')}
        if len(same) != 1:
            wrong.append('two names for one finding')
    print(f'{len(wrong)} wrong', *wrong, sep='\n')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
