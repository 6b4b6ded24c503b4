#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the flows of real captures to ground truth that other programs made.

usage: truth.py FLOWAUDIT SOURCE_ROOT [CAPTURE...]

Flows are compared by 5-tuple: packets and frame bytes in each direction, who is the client where a handshake says so, and
what became of it.  Every packet must be counted once.  Differences that are the truth file's fault stand in truth-differences.tsv with the reason;
one that is listed and does not occur fails too.  Skips where the captures are not there.
"""
import collections
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

OUTCOMES = {  # truth's word for the state of a flow: the outcomes that say the same
    'established': {'established'},
    'answered': {'established'},
    'half-open': {'established', 'unanswered', 'one-way', 'refused', 'prohibited'},
    'refused': {'refused', 'prohibited'},
    'unreachable': {'refused', 'prohibited', 'unanswered'},
    'unanswered': {'unanswered', 'one-way'},
    'synack-unseen': {'one-way', 'established', 'unanswered', 'refused', 'prohibited'},
    'synack-only': {'one-way'},
    'midstream': {'established', 'one-way', 'refused', 'prohibited'},
    'flags-cut': {'established', 'one-way', 'unanswered'},
    'multicast': {'unanswered', 'one-way', 'established'},
    'broadcast': {'unanswered', 'one-way', 'established'},
}


def canonical(ip):
    return ip


def end(ip, port):
    return (canonical(ip), int(port))


def key_of(transport, a, b):
    return (transport,) + tuple(sorted((a, b)))


def truth_flows(truth):
    flows = collections.defaultdict(list)
    for f in truth['flows']:
        client, server = end(f['client']['ip'], f['client']['port']), end(f['server']['ip'], f['server']['port'])
        key = key_of(f['transport'], client, server)
        forward = client == key[1]
        counts = [(f['packets_c2s'], f['bytes_c2s']), (f['packets_s2c'], f['bytes_s2c'])]
        flows[key].append({
            'counts': counts if forward else counts[::-1],
            'client': client if f['initiator_basis'] in ('syn', 'synack') else None,
            'state': f['state'],
        })
    return flows


def our_flows(audit):
    flows = collections.defaultdict(list)
    for f in audit.rows('SELECT f.*, c.outcome FROM flows f JOIN conversations c USING (run_id, conversation_id)'):
        client, server = end(f['client'], f['client_port']), end(f['server'], f['server_port'])
        key = key_of(f['transport'], client, server)
        forward = client == key[1]
        counts = [(f['packets_out'], f['bytes_out']), (f['packets_in'], f['bytes_in'])]
        flows[key].append({'counts': counts if forward else counts[::-1], 'client': client, 'outcome': f['outcome']})
    return flows


def total(flows):
    return [tuple(sum(f['counts'][side][what] for f in flows) for what in (0, 1)) for side in (0, 1)]


def compare_tuple(ours, truths):
    """The differences of one 5-tuple, as (what, detail)."""
    if not ours:
        return [('flow-missing', f'truth has {len(truths)}: {total(truths)}')]
    if not truths:
        return [('flow-extra', f'we have {len(ours)}: {total(ours)}')]
    if total(ours) != total(truths):
        return [('counts', f'ours {total(ours)}, truth {total(truths)}')]
    found = []
    if sorted(f['counts'] for f in ours) != sorted(f['counts'] for f in truths):
        return [('split', f"ours {[f['counts'] for f in ours]}, truth {[f['counts'] for f in truths]}")]
    for t in truths:
        same = [o for o in ours if o['counts'] == t['counts']]
        if t['client'] is not None and not any(o['client'] == t['client'] for o in same):
            found.append(('client', f"truth {t['client']}, ours {same[0]['client']}"))
        if not any(o['outcome'] in OUTCOMES[t['state']] for o in same):
            found.append(('outcome', f"truth {t['state']}, ours {same[0]['outcome']}"))
    return found


def show(key):
    transport, a, b = key
    return f'{transport} {a[0]}:{a[1]} {b[0]}:{b[1]}'


def check_accounting(audit):
    found = []
    sums = audit.rows('SELECT i.name, i.packets, i.packets_decoded + coalesce((SELECT sum(d.packets) FROM discards d '
                      'WHERE d.run_id = i.run_id AND d.input_id = i.input_id), 0) AS accounted FROM inputs i')
    for row in sums:
        if row['packets'] != row['accounted']:
            found.append(('-', 'accounting', f"{row['packets']} packets, {row['accounted']} accounted for"))
    return found


def check_capture(program, site, directory, capture, truth):
    audit = flowdb.Audit(program, site, [capture], '--flows', 'all', directory=directory)
    found = []
    if audit.status not in (0, 1, 2, 3):
        found.append(('-', 'crash', f'status {audit.status}: {audit.messages[-300:]}'))
    found += check_accounting(audit)
    ours, truths = our_flows(audit), truth_flows(truth)
    for key in sorted(set(ours) | set(truths)):
        found += [(show(key), what, detail) for what, detail in compare_tuple(ours.get(key, []), truths.get(key, []))]
    audit.close()
    return found


def known_differences(path):
    known = {}
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            if line.strip() and not line.startswith('#'):
                capture, flow, what, reason = line.rstrip('\n').split('\t')
                known[(capture, flow, what)] = reason
    return known


def main():
    program, source = sys.argv[1:3]
    folder = flowdb.shared(source, 'captures')
    if folder is None:
        print('skipped: the captures with ground truth are not beside the source tree')
        return flowdb.SKIP
    known = known_differences(os.path.join(os.path.dirname(__file__), 'truth-differences.tsv'))
    names = sys.argv[3:] or sorted(n[:-5] for n in os.listdir(os.path.join(folder, 'truth')) if n.endswith('.json'))
    unexplained, explained = 0, set()
    with flowdb.scratch() as directory:
        site = flowdb.any_site(directory)
        for name in names:
            with open(os.path.join(folder, 'truth', name + '.json'), encoding='utf-8') as f:
                truth = json.load(f)
            for flow, what, detail in check_capture(program, site, directory, os.path.join(folder, name), truth):
                wanted = [k for k in ((name, flow, what), (name, '*', what)) if k in known]
                if wanted:
                    explained.update(wanted)
                    continue
                unexplained += 1
                print(f'{name}\t{flow}\t{what}\t{detail}')
    stale = [k for k in known if k not in explained and k[0] in names]
    for k in stale:
        print('listed as a difference, and does not occur:', *k)
    print(f'{len(names)} captures: {unexplained} unexplained differences, {len(explained)} explained')
    return 1 if unexplained or stale else 0


if __name__ == '__main__':
    sys.exit(main())
