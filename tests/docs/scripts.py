#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The shell scripts are clean under shellcheck.

usage: scripts.py FLOWAUDIT SOURCE_ROOT
"""
import shutil
import subprocess
import sys

SCRIPTS = ['run.sh', 'test.sh', '.ci/run', 'tools/setup.sh', 'completions/flowaudit.bash']


def main(root):
    if shutil.which('shellcheck') is None:
        print('shellcheck is not installed')
        return 77
    status = 0
    for script in SCRIPTS:
        shell = 'bash' if script.endswith('.bash') else 'sh'
        status |= subprocess.run(['shellcheck', '-x', '-s', shell, script], cwd=root).returncode
    return 1 if status else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[2]))
