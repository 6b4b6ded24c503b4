#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The manual pages: clean under mandoc, their examples (and those of README.md) without errors, every column of the record
described.

usage: pages.py FLOWAUDIT SOURCE_ROOT
"""
import glob
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap


def lint(pages):
    done = subprocess.run(['mandoc', '-T', 'lint', '-W', 'warning', *pages], capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()


def examples(page):
    """The literal displays of a page that are whole files; in README.md the blocks of YAML."""
    with open(page, encoding='utf-8') as f:
        text = f.read()
    displays = re.findall(r'^\.Bd -literal[^\n]*\n(.*?)^\.Ed', text, re.M | re.S)
    displays += [textwrap.dedent(block) for block in re.findall(r'^ *```yaml\n(.*?)^ *```', text, re.M | re.S)]
    return [d for d in displays if re.match(r'(site|matrix|hosts):', d)]


def check_examples(flowaudit, page, folder):
    found = examples(page)
    wrong = [] if found else [f'{page}: no example']
    for i, text in enumerate(found):
        path = os.path.join(folder, f'{i}.yaml')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        arguments = [path] if 'flowaudit-matrix' in page else ['-s', path]
        done = subprocess.run([flowaudit, 'lint', *arguments], capture_output=True, text=True)
        if done.returncode > 1 or done.stderr:
            wrong.append(f'{page}, example {i + 1}: {done.stderr}')
    return wrong


def check_columns(flowaudit, page, root, folder):
    """Each view has a section, and each column an entry in it; nothing else has."""
    db = os.path.join(folder, 'columns.db')
    subprocess.run([flowaudit, 'check', '-q', '-s', f'{root}/samples/healthy.yaml', '-o', db, f'{root}/samples/healthy.pcapng'],
                   check=True, stdout=subprocess.DEVNULL)
    connection = sqlite3.connect(db)
    views = {name: {column[1] for column in connection.execute(f'PRAGMA table_info("{name}")')} - {'run_id'}
             for name, in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    connection.close()
    described, section = {}, None
    with open(page, encoding='utf-8') as f:
        for line in f:
            words = line.replace(',', ' ').split()
            if words[:1] == ['.Ss']:
                section = described.setdefault(words[1], set())
            elif words[:2] == ['.It', 'Va'] and section is not None:
                section |= set(words[2:]) - {'run_id'}
    return [f'{page}: {view}: {sorted(views.get(view, set()) ^ described.get(view, set()))} in one place only'
            for view in sorted(views.keys() | described.keys()) if views.get(view) != described.get(view)]


def main(flowaudit, root):
    pages = sorted(glob.glob(f'{root}/man/*.[1-9]'))
    wrong = [] if len(pages) >= 4 else ['pages are missing']
    with tempfile.TemporaryDirectory() as folder:
        for page in ('man/flowaudit-site.5', 'man/flowaudit-matrix.5', 'README.md'):
            wrong += check_examples(flowaudit, f'{root}/{page}', folder)
        wrong += check_columns(flowaudit, f'{root}/man/flowaudit-db.5', root, folder)
    have_mandoc = shutil.which('mandoc') is not None
    wrong += lint(pages) if have_mandoc else []
    print(*wrong, sep='\n')
    if wrong:
        return 1
    if not have_mandoc:
        print('mandoc is not installed: the form of the pages was not checked')
        return 77
    return 0


if __name__ == '__main__':
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2]))
