#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What 'check' asks of the system once packets are looked at: no socket, no program, no file outside of the record's folder.

usage: confined.py FLOWAUDIT SOURCE_ROOT
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

FORBIDDEN = re.compile(r'\b(socket|connect|bind|execve|execveat|fork|vfork|ptrace)\(')
OPEN = re.compile(r'\b(?:open|openat|creat)\((?:AT_FDCWD, )?"([^"]*)"')


def main():
    flowaudit, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    samples = os.path.join(source, 'samples')
    if shutil.which('strace') is None:
        print('skipped: strace is not here')
        return 77
    with tempfile.TemporaryDirectory() as folder:
        trace = os.path.join(folder, 'trace')
        command = ['strace', '-f', '-o', trace, flowaudit, 'check', '-j2', '-s', os.path.join(samples, 'incident.yaml'),
                   '-o', 'record/r.db', os.path.join(samples, 'incident.pcapng'), os.path.join(samples, 'healthy.pcapng')]
        os.mkdir(os.path.join(folder, 'record'))
        run = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300)
        if 'ptrace' in run.stderr and run.returncode == 1 and not run.stdout:
            print('skipped: tracing is not allowed here')
            return 77
        if run.returncode != 1 or 'Not compliant' not in run.stdout:
            print(f'FAIL status {run.returncode}: {run.stderr}')
            return 1
        with open(trace, encoding='utf-8', errors='replace') as f:
            lines = f.readlines()
    begin = next((i for i, line in enumerate(lines) if 'seccomp(SECCOMP_SET_MODE_FILTER, 0' in line or 'PR_SET_SECCOMP' in line), None)
    if begin is None:
        print('skipped: built without libseccomp')
        return 77
    wrong, n_opens = [], 0
    for line in lines[begin + 1:]:
        if FORBIDDEN.search(line) or ' EPERM ' in line or 'SIGSYS' in line:
            wrong.append(line)
        for path in OPEN.findall(line):
            n_opens += 1
            path = os.path.normpath(os.path.join(folder, path))
            if path != os.path.join(folder, 'record') and os.path.dirname(path) != os.path.join(folder, 'record'):
                wrong.append(line)
    for line in wrong:
        print('FAIL ' + line.rstrip())
    print(f'{len(lines) - begin - 1} calls after the rights were given up, {n_opens} of them open a file, {len(wrong)} that should not be')
    return 1 if wrong or n_opens == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
