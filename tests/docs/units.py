#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The unit of a live run and its snippets: systemd reads them without a word, the unit is hardened, and its command line is one that
the program has.

usage: units.py FLOWAUDIT SOURCE_ROOT UNIT
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

MOST_EXPOSED = 20  # of systemd-analyze security, in tenths of its scale from 0 (nothing) to 10


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, 'SYSTEMD_LOG_COLOR': '0'})
    return done.returncode, done.stdout + done.stderr


def check_options(flowaudit, unit):
    """Each option of ExecStart is one that --help of the command shows."""
    words = re.search(r'^ExecStart=(.*)$', unit, re.M).group(1).split()
    status, text = run(flowaudit, words[1], '--help')
    if status != 0:
        return [f'ExecStart: flowaudit {words[1]}: {text}']
    return [f'ExecStart: {word} is no option of it' for word in words if word.startswith('-') and not re.search(rf'(?<![\w-]){word}(?![\w-])', text)]


def check_unit(flowaudit, unit, folder):
    """As systemd reads it, with the program that was built in place of the one that is installed."""
    path = os.path.join(folder, 'flowaudit@eth1.service')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(re.sub(r'^(ExecStart=)\S+', rf'\g<1>{flowaudit}', unit, flags=re.M))
    status, text = run('systemd-analyze', 'verify', '--man=no', path)
    # What it says of other units on this system is none of ours.
    wrong = [line for line in text.splitlines() if 'flowaudit' in line]
    if status != 0 and not wrong and 'Failed to' in text:
        print(f'skipped in part: systemd-analyze verify does not work here: {text.splitlines()[0]}')
    status, text = run('systemd-analyze', 'security', '--offline=yes', '--no-pager', f'--threshold={MOST_EXPOSED}', path)
    overall = [line for line in text.splitlines() if 'Overall exposure' in line]
    if status != 0:
        wrong += overall or text.splitlines()
    print(*overall)
    return wrong


def check_users(sysusers, folder):
    """The user is made by that file and by nothing else."""
    root = os.path.join(folder, 'root')
    os.makedirs(os.path.join(root, 'etc'))
    status, text = run('systemd-sysusers', f'--root={root}', sysusers)
    with open(os.path.join(root, 'etc/passwd'), encoding='utf-8') as f:
        made = [line.split(':')[0] for line in f]
    return [] if status == 0 and made == ['flowaudit'] else [f'{sysusers}: {text} {made}']


def check_snippets(root, unit):
    """User, group and folders of the snippets are those of the unit."""
    wrong = []
    with open(os.path.join(root, 'systemd/flowaudit.tmpfiles'), encoding='utf-8') as f:
        made = {line.split()[1]: line.split()[2:5] for line in f if line.startswith('d ')}
    for folder in ('lib', 'log'):
        if made.get(f'/var/{folder}/flowaudit') != ['0750', 'flowaudit', 'flowaudit']:
            wrong.append(f'flowaudit.tmpfiles: /var/{folder}/flowaudit: {made}')
    for setting in ('User=flowaudit', 'Group=flowaudit', 'StateDirectory=flowaudit', 'LogsDirectory=flowaudit', 'RuntimeDirectory=flowaudit'):
        if not re.search(rf'^{setting}$', unit, re.M):
            wrong.append(f'the unit has no {setting}')
    return wrong


def main():
    flowaudit, root, unit_path = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
    with open(unit_path, encoding='utf-8') as f:
        unit = f.read()
    wrong = check_options(flowaudit, unit) + check_snippets(root, unit)
    if '@' in re.sub(r'flowaudit@|@system-service|@chown|@keyring', '', unit):
        wrong.append('the unit has names that were not put in')
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which('systemd-analyze') is None:
            print('skipped in part: there is no systemd-analyze here')
        else:
            wrong += check_unit(flowaudit, unit, folder)
        if shutil.which('systemd-sysusers') is not None:
            wrong += check_users(os.path.join(root, 'systemd/flowaudit.sysusers'), folder)
    for line in wrong:
        print(line)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
