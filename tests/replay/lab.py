#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds verdicts and expectations to those of a site recorded in a laboratory.

usage: lab.py FLOWAUDIT SOURCE_ROOT [NAME...]

For each NAME.pcap with NAME.site.yaml: every flow's verdict (and that the row recorded is one of those that allow it), and every expectation's
outcome, are those of NAME.expected.json.  Skips where the captures are not there.
"""
import collections
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb


def tuple_key(f):
    ends = sorted(((f['client'], f['client_port']), (f['server'], f['server_port'])))
    return (f['transport'], *ends)


def compare_flows(audit, expected):
    ours = collections.defaultdict(list)
    for f in audit.rows('SELECT f.client, f.client_port, f.server, f.server_port, f.transport, c.verdict, c.row_id, f.first_seen '
                        'FROM flows f JOIN conversations c USING (run_id, conversation_id) ORDER BY f.first_seen'):
        ours[tuple_key(f)].append(f)
    wrong = []
    for e in expected:
        found = ours.get(tuple_key(e))
        name = f"{e['client']}:{e['client_port']} > {e['server']}:{e['server_port']} {e['transport']} {e['state']}"
        if not found:
            wrong.append(f'{name}: no such flow')
            continue
        f = found.pop(0) if len(found) > 1 else found[0]
        if f['verdict'] != e['verdict']:
            wrong.append(f"{name}: {f['verdict']} ({f['row_id']}), expected {e['verdict']} {e['rows']} {e['why']}")
        elif e['verdict'] == 'allowed' and e['rows'] and f['row_id'] not in e['rows']:
            wrong.append(f"{name}: row {f['row_id']}, expected one of {e['rows']}")
    return wrong


def compare_expectations(audit, expected):
    ours = {}
    for x in audit.rows('SELECT * FROM expectations'):
        ours[(x['row_id'], x['client_name'])] = x
    wrong = []
    for e in expected:
        x = ours.pop((e['row'], e['client']), None)
        if x is None:
            wrong.append(f"expectation {e['row']} {e['client']}: not evaluated, expected {e['outcome']}")
        elif x['outcome'] != e['outcome']:
            wrong.append(f"expectation {e['row']} {e['client']}: {x['outcome']} ({x['reason']}), expected {e['outcome']}")
    wrong += [f'expectation {row} {client}: {x["outcome"]}, and none is expected' for (row, client), x in ours.items()]
    return wrong


def main():
    program, source = sys.argv[1:3]
    folder = flowdb.shared(source, 'captures-lab')
    if folder is None:
        print('skipped: the captures of the laboratory are not beside the source tree')
        return flowdb.SKIP
    names = sys.argv[3:] or sorted(n[:-len('.expected.json')] for n in os.listdir(folder) if n.endswith('.expected.json'))
    failed = 0
    with flowdb.scratch() as directory:
        for name in names:
            with open(os.path.join(folder, name + '.expected.json'), encoding='utf-8') as f:
                expected = json.load(f)
            audit = flowdb.Audit(program, os.path.join(folder, name + '.site.yaml'), [os.path.join(folder, name + '.pcap')],
                                 '--flows', 'all', directory=directory)
            wrong = compare_flows(audit, expected['flows']) + compare_expectations(audit, expected['expectations'])
            audit.close()
            failed += flowdb.told(f"{name}: {len(expected['flows'])} flows, {len(expected['expectations'])} expectations, {len(wrong)} differences, "
                                  f'status {audit.status} {audit.messages}', wrong)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
