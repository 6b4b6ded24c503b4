#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A packet of a known and classified flow makes no allocation, takes no lock, formats nothing and makes no system call.

usage: hot.py FLOWAUDIT SOURCE_ROOT COUNT_MODULE GENERATE

Two captures of the same flows, of which one has 200,000 packets more: what the whole program does more of for it, counted in a library
that is loaded before libc and (where strace is installed) by strace, is told apart by kind.  Reading a block of the file is one
call.  A third capture, in which the packets are of flows of their own, shows that the counters count.
"""
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'replay'))
import flowdb

MORE = 200_000
FEW = {'rtp': 160_000, 'bulk': 60_000}  # over 32 MiB both, from where on a record has larger pages
SLACK = 200  # calls for all of them: numbers of more digits, a page more in the record; one call a packet would be 200,000
BLOCK = 512 * 1024


def generate(program, load, count, directory):
    path = os.path.join(directory, f'{load}-{count}.pcap')
    subprocess.run([program, load, path, str(count)], check=True)
    return path


def command(program, source, capture, directory, *options):
    record = os.path.join(directory, 'hot.db')
    for suffix in ('', '-wal', '-shm'):
        if os.path.exists(record + suffix):
            os.unlink(record + suffix)
    return [program, 'check', '-q', '-j', '1', '-s', os.path.join(source, 'samples', 'healthy.yaml'), '-o', record, *options, capture]


def run(arguments, environment=None):
    done = subprocess.run(arguments, capture_output=True, text=True, env=dict(os.environ, SOURCE_DATE_EPOCH='0', **(environment or {})), timeout=300)
    if done.returncode not in (0, 1):
        raise SystemExit(f'{arguments}: status {done.returncode}: {done.stderr[-1000:]}')
    return done.stderr


def library_calls(module, *arguments):
    counts = dict(re.findall(r'^count (\w+) (\d+)$', run(command(*arguments), {'LD_PRELOAD': module}), re.M))
    return {kind: int(n) for kind, n in counts.items()}


def system_calls(*arguments):
    """By kind; the timer of the watchdog and what waits for it depend on time, not on packets."""
    text = run(['strace', '-f', '-qq', '-c', '-U', 'calls,name', *command(*arguments)])
    return {name: int(n) for n, name in re.findall(r'^ +(\d+) (\w+)$', text, re.M) if name != 'total'}


def more(few, many):
    return {kind: many[kind] - few.get(kind, 0) for kind in many}


def check(program, source, module, generator, load, directory):
    few, many = (generate(generator, load, n, directory) for n in (FEW[load], FEW[load] + MORE))
    calls = more(*(library_calls(module, program, source, path, directory) for path in (few, many)))
    print(f'{load}, {MORE} packets more: {calls}')
    wrong = [f'{load}: {n} more calls of kind {kind}' for kind, n in calls.items() if n > SLACK]
    if len(calls) != 4:
        wrong.append(f'{load}: not counted: {calls}')
    if shutil.which('strace'):
        blocks = (os.path.getsize(many) - os.path.getsize(few)) / BLOCK
        calls = more(*(system_calls(program, source, path, directory) for path in (few, many)))
        reads = calls.pop('read', 0)
        print(f'{load}, {MORE} packets more: {reads} reads for {blocks:.0f} blocks, other system calls {sum(calls.values())}')
        if reads > 1.1 * blocks + 20 or sum(calls.values()) > SLACK:
            wrong.append(f'{load}: {reads} reads for {blocks:.0f} blocks, and {calls}')
    return wrong


def counters_count(program, source, module, generator, directory):
    """Packets that are all of new flows cannot do without memory, words and locks."""
    counts = library_calls(module, program, source, generate(generator, 'short', 3000, directory), directory, '--flows', 'all')
    return [f'{kind} is counted {n} times for 3,000 recorded flows: the counter is dead' for kind, n in counts.items() if n < 5 * SLACK]


def main(program, source, module, generator):
    with flowdb.scratch() as directory:
        wrong = counters_count(program, source, module, generator, directory)
        for load in FEW:
            wrong += check(program, source, module, generator, load, directory)
    if not shutil.which('strace'):
        print('strace is not installed: system calls were not counted')
    print(*wrong, f'{len(wrong)} differences', sep='\n')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:5]))
