#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what flowaudit says of the samples to what their maker meant (samples/EXPECTED.tsv, samples/FINDINGS.tsv).

usage: samples.py FLOWAUDIT SOURCE_ROOT
"""
import contextlib
import csv
import os
import re
import sqlite3
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

STATUS = {'healthy.pcapng': 0, 'incident.pcapng': 1, 'web-shop.pcap': 1}


def table(path):
    with open(path, encoding='utf-8', newline='') as f:
        return list(csv.DictReader(f, delimiter='\t', quoting=csv.QUOTE_NONE))


def ends(f):
    return (f['transport'], *sorted(((f['client'], int(f['client_port'])), (f['server'], int(f['server_port'])))))


def check_flows(audit, expected):
    ours = {}
    for f in audit.rows('SELECT f.client, f.client_port, f.server, f.server_port, f.transport, f.first_packet_number, c.verdict, c.kind, '
                        'c.outcome, c.row_id FROM flows f JOIN conversations c USING (run_id, conversation_id)'):
        ours[(ends(f), f['first_packet_number'])] = f
    wrong = []
    for e in expected:
        f = ours.get((ends(e), int(e['first_packet'])))
        name = f"{e['client']}:{e['client_port']} > {e['server']}:{e['server_port']} {e['transport']}"
        if f is None:
            wrong.append(f'{name}: no such flow')
            continue
        for column in ('verdict', 'kind', 'outcome'):
            want = '' if e[column] == '-' else e[column]
            if (f[column] or '') != want:
                wrong.append(f'{name}: {column} {f[column]!r}, meant {want!r}')
        if e['verdict'] == 'allowed' and f['row_id'] != e['row']:
            wrong.append(f"{name}: row {f['row_id']}, meant {e['row']}")
    return wrong


def matches(want, f):
    """One line of FINDINGS.tsv against one finding.  Expectations speak of a row, not of one port, and name the server
    only where one was tried."""
    expectation = want['kind'] in ('missing', 'misdropped')
    port = f"{f['transport']}/{f['server_port']}" if f['server_port'] else '-'
    return (f['kind'] == want['kind'] and want['client'] in ('-', f['client'], f['client_name']) and
            (want['server'] in ('-', f['server']) or (want['kind'] == 'missing' and f['server'] is None)) and
            (expectation or want['port'] == '-' or want['port'].endswith('*') or want['port'] == port) and
            want['row'] in ('-', f['row_id']) and want['outcome'] in ('-', f['outcome']))


def check_findings(audit, expected):
    findings = audit.rows("SELECT * FROM findings WHERE severity <> 'notice'")
    wrong = [f"{w['kind']} {w['client']} {w['server']} {w['port']} {w['row']}: not found" for w in expected
             if not any(matches(w, f) for f in findings)]
    # RTCP goes with its RTP; nothing else may be there that nobody meant.
    spare = [f for f in findings if not any(matches(w, f) for w in expected) and f['protocol'] != 'RTCP']
    wrong += [f"#{f['finding_id']} is of {f['packets']} packets and {f['bytes']} bytes until {f['last_seen']}" for f in findings
              if f['kind'] == 'misdropped' and not (f['packets'] >= f['flows'] > 0 and f['bytes'] > 0 and f['last_seen'] >= f['first_seen'])]
    return wrong + [f"nobody meant: {f['kind']} {f['client_name']} {f['server_name']} {f['server_port']} {f['reason']}" for f in spare]


def untrue_in_readme(program, source, site, capture, directory):
    """The lines of README's example that `check` of the incident does not print."""
    with open(os.path.join(source, 'README.md'), encoding='utf-8') as f:
        example = re.search(r'^```\n(Not compliant: .*?)^```', f.read(), re.M | re.S).group(1)
    done = subprocess.run([program, 'check', '-s', site, '-o', os.path.join(directory, 'readme.db'), capture], stdout=subprocess.PIPE, encoding='utf-8')
    shown = done.stdout.splitlines()
    return [f'README shows: {line}' for line in example.splitlines() if line != '...' and line not in shown] + folded_unlike(os.path.join(directory, 'readme.db'), shown)


def folded_unlike(db, shown):
    """The entries of the report that stand for findings of another severity or kind than they say."""
    with contextlib.closing(sqlite3.connect(db)) as record:
        told = {number: words for number, *words in record.execute('SELECT finding_id, severity, kind FROM findings')}
    wrong, entries = [], 0
    for line in shown:
        entry = re.match(r' +(#\d+[-#\d, ]*) ([a-z]+) ([a-z-]+)[:,]', line)
        if entry is None:
            continue
        entries += 1
        for low, high in re.findall(r'#(\d+)(?:-#(\d+))?', entry[1]):
            wrong += [f'#{i} is {told[i]}, shown in {line}' for i in range(int(low), int(high or low) + 1) if told[i] != [entry[2], entry[3]]]
    return wrong if entries > 5 else wrong + ['the report has no entries']


def main():
    program, source = sys.argv[1:3]
    folder = os.path.join(source, 'samples')
    flows, findings = table(os.path.join(folder, 'EXPECTED.tsv')), table(os.path.join(folder, 'FINDINGS.tsv'))
    failed = 0
    with flowdb.scratch() as directory:
        for name, status in STATUS.items():
            site = os.path.join(folder, name.split('.')[0] + '.yaml')
            audit = flowdb.Audit(program, site, [os.path.join(folder, name)], '--flows', 'all', directory=directory)
            wrong = check_flows(audit, [e for e in flows if e['file'] == name])
            wrong += check_findings(audit, [w for w in findings if w['file'] == name])
            if audit.status != status:
                wrong.append(f'exit status {audit.status}, meant {status}: {audit.messages}')
            if name.startswith('incident'):
                wrong += untrue_in_readme(program, source, site, os.path.join(folder, name), directory)
            audit.close()
            failed += flowdb.told(f'{name}: {len(wrong)} differences', wrong)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
