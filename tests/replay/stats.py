#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""'check --stats' tells on standard error where the time went, agrees with the record, and changes nothing in it.

usage: stats.py FLOWAUDIT SOURCE_ROOT
"""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

STAGES = ['rules', 'start', 'read', 'digest', 'decode', 'flow', 'classify', 'judge', 'conclude', 'record', 'wait', 'report', 'other']
HEAD = re.compile(r'^(\d+) packets in ([\d.]+) s, (\d+) workers?: ([\d.]+) s of CPU as the user, ([\d.]+) s in the kernel; at most (\d+) MiB of memory$')
STAGE = re.compile(r'^  (\w+) +([\d.]+) s +([\d.]+) % +([\d.]+) ns per packet$')
TABLE = re.compile(r'^  (\S.*\S) +(\d+)$')


def parse(text):
    """(head as numbers, {stage: seconds}, {table: number})."""
    lines = text.splitlines()
    head = [float(n) for n in HEAD.match(lines[0]).groups()]
    at = lines.index('tables:')
    stages = [STAGE.match(line).groups() for line in lines[2:at]]
    tables = dict(TABLE.match(line).groups() for line in lines[at + 1:])
    if [s[0] for s in stages] != STAGES:
        raise ValueError(f'stages: {stages}')
    return head, {s[0]: float(s[1]) for s in stages}, {name: int(n) for name, n in tables.items()}


def expected(audit):
    count = lambda query: audit.rows(query)[0]['n']
    return {
        'flows': count('SELECT sum(flows) AS n FROM conversations'),
        'conversations': count('SELECT count(*) AS n FROM conversations'),
        'findings': count('SELECT count(*) AS n FROM findings'),
        'expectations': count('SELECT count(*) AS n FROM expectations'),
    }


def check(program, site, capture, workers, directory):
    plain = flowdb.Audit(program, site, [capture], '-j', workers, directory=directory)
    without = [plain.status, plain.dump()]
    wrong = [f'without --stats: {plain.messages}'] if 'packets in' in plain.messages else []
    plain.close()
    audit = flowdb.Audit(program, site, [capture], '-j', workers, '--stats', directory=directory)
    if [audit.status, audit.dump()] != without:
        wrong.append('the record is another one with --stats')
    head, stages, tables = parse(audit.messages)
    packets = audit.rows('SELECT sum(packets) AS n FROM inputs')[0]['n']
    if head[0] != packets or head[2] != int(workers):
        wrong.append(f'{head} for {packets} packets of {workers} workers')
    for name, n in expected(audit).items():
        if tables[name] != n:
            wrong.append(f'{name}: {tables[name]}, in the record {n}')
    total, wall = sum(stages.values()), head[1]
    # One worker is in one stage at any moment; of more than one there are a reader and a digester besides.
    low, high = (0.98 * wall - 0.02, 1.02 * wall + 0.02) if workers == '1' else (0.98 * wall - 0.02, (int(workers) + 2) * wall + 0.02)
    if not low <= total <= high:
        wrong.append(f'stages take {total:.3f} s of {wall:.3f} s with {workers} workers')
    for name in ('rules', 'read', 'decode', 'flow', 'classify', 'judge', 'record'):
        if min(stages.values()) < 0 or (name in ('classify', 'record') and stages[name] == 0):
            wrong.append(f'{name}: {stages[name]} s')
    if tables['flows at once, at most'] > tables['flows'] or tables['payloads that libndpi saw'] > tables['payloads shown to the classifier']:
        wrong.append(f'tables: {tables}')
    audit.close()
    return wrong


def main(program, source):
    failed = []
    with flowdb.scratch() as directory:
        for sample, capture in (('incident', 'incident.pcapng'), ('healthy', 'healthy.pcapng'), ('web-shop', 'web-shop.pcap')):
            for workers in ('1', '2'):
                site, path = (os.path.join(source, 'samples', name) for name in (sample + '.yaml', capture))
                failed += [f'{sample}, {workers} workers: {line}' for line in check(program, site, path, workers, directory)]
    print(*failed, f'{len(failed)} differences', sep='\n')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:3]))
