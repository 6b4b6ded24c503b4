#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The program is built as hardened as the compiler can: position-independent, relocations read-only, all bound at the start, no stack or segment
that is writable and executable, stack protector, checked library calls.

usage: hardening.py FLOWAUDIT SOURCE_ROOT
"""
import os
import re
import shutil
import subprocess
import sys


def read(program, *options):
    return subprocess.run(['readelf', '-W', *options, program], capture_output=True, text=True, check=True).stdout


def main():
    program = sys.argv[1]
    if shutil.which('readelf') is None:
        print('readelf is not installed: nothing was checked')
        return 77
    header, segments, dynamic, symbols = (read(program, o) for o in ('-h', '-l', '-d', '--dyn-syms'))
    if '__asan_init' in symbols or '__tsan_init' in symbols or '__ubsan' in symbols:
        print('a build with sanitizers: not the one that is shipped')
        return 77
    checks = {
        'position-independent': re.search(r'Type:\s+DYN', header) and 'PIE' in dynamic,
        'relocations read-only': 'GNU_RELRO' in segments,
        'all bound at the start': 'BIND_NOW' in dynamic or re.search(r'FLAGS.*NOW', dynamic),
        'stack not executable': re.search(r'GNU_STACK\s.*\sRW\s', segments),
        'no segment writable and executable': not re.search(r'LOAD\s.*\sRWE\s', segments),
        'stack protector': '__stack_chk_fail' in symbols,
        'checked library calls': re.search(r'__(mem|sn?printf|vsnprintf|fprintf|read|str)\w*_chk', symbols),
        'no library from a path of its own': 'RPATH' not in dynamic and 'RUNPATH' not in dynamic,
    }
    wrong = [name for name, holds in checks.items() if not holds]
    print(f'{os.path.basename(program)}: {len(checks)} checks; failed: {", ".join(wrong) or "none"}')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
