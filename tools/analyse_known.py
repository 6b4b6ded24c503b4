#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what an analyser says (on standard input) against the list of what is known to be no fault.

usage: analyse_known.py STEP < output      STEP is the first word of the lines of tools/analyse.known that count

Says each warning that is not listed, and each line of the list that no warning needs any more; status 1 if there is one of either.
A warning is known by its file, the function that it is in, and the name of the check: lines of code move, these three seldom do."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WARNING = re.compile(r'^(\S+?\.[ch]):(\d+):\d+: (?:warning|error): (.*) \[([^\[\]]+?)\]$')
FUNCTION = re.compile(r'^[A-Za-z_][\w *]*?\b(\w+)\([^;]*$')


def function_at(path, line):
    """The function that the line is in: its name begins no earlier than a line, and its body ends with a brace that begins one."""
    with open(os.path.join(ROOT, path), encoding='utf-8') as f:
        lines = f.read().split('\n')[:line]
    for text in reversed(lines):
        match = FUNCTION.match(re.sub(r'__attribute__\(\(.*?\)\)+ *', '', text))
        if match:
            return match.group(1)
        if text.startswith('}') and text is not lines[-1]:
            break
    return '-'


def known(step):
    with open(os.path.join(ROOT, 'tools', 'analyse.known'), encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            words = line.split(None, 4)
            if line.startswith('#') or not words:
                continue
            if len(words) < 5:
                sys.exit(f'analyse.known:{number}: a line is STEP FILE FUNCTION CHECK REASON')
            if words[0] == step:
                yield tuple(words[1:4])


def main():
    listed, needed, faults = set(known(sys.argv[1])), set(), set()
    for text in sys.stdin:
        match = WARNING.match(text.rstrip('\n'))
        if not match:
            continue
        path, line, what, check = match.groups()
        path = os.path.relpath(os.path.normpath(os.path.join(ROOT, 'build', path)), ROOT) # compilers run in a folder beside src/
        check = re.sub(r'^-W(error=)?', '', check.split('] [')[-1].split(',')[0])
        what = re.sub(r' \[CWE-\d+\]$', '', what)
        place = (path, function_at(path, int(line)), check)
        if place in listed:
            needed.add(place)
        else:
            faults.add(f'{path}:{line}: {place[1]}: {what} [{check}]')
    for fault in sorted(faults):
        print(fault)
    for place in sorted(listed - needed):
        print('tools/analyse.known: nothing is said any more of: ' + ' '.join(place))
    return 1 if faults or listed - needed else 0


if __name__ == '__main__':
    sys.exit(main())
