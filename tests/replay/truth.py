#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the record of real captures to ground truth that other programs made.

usage: truth.py FLOWAUDIT SOURCE_ROOT [CAPTURE...]

Flows are compared by 5-tuple: packets, frame bytes and payload bytes in each direction, who is the client where a handshake says so,
the state of a TCP connection, how it was closed and what became of it; ICMP errors by the flow that they quote.  Inputs are
compared by the number of packets and the times of the first and the last; the exit status is that of the contract for such a file; every
packet must be counted once.  Differences that are the truth file's fault stand in truth-differences.tsv with the reason; one that is
listed and does not occur fails too.  Skips where the captures are not there.
"""
import calendar
import collections
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

TCP_STATES = {'synack-only': 'syn-ack-only', 'synack-unseen': 'syn-ack-unseen'}  # where truth has another word
GROUP = {'multicast', 'broadcast'}
LINKTYPES = {0, 1, 9, 12, 14, 50, 51, 101, 104, 108, 113, 228, 229, 239, 276}  # that the manual says are decoded
DECODED_LINKS = ('EN10MB', 'RAW', 'LINUX_SLL', 'NULL', 'LOOP', 'C_HDLC', 'PPP', 'NFLOG', 'IPV4', 'IPV6')
TIME_TOLERANCE = 2e-6  # truth has times as binary fractions


def key_of(transport, a, b):
    return (transport,) + tuple(sorted((a, b)))


def sides(client, key, out, back):
    """Two things said of the client's and the server's direction, in the order of the key."""
    return (out, back) if client == key[1] else (back, out)


def truth_flows(truth):
    flows = collections.defaultdict(list)
    for f in truth['flows']:
        client, server = (f['client']['ip'], f['client']['port']), (f['server']['ip'], f['server']['port'])
        key = key_of(f['transport'], client, server)
        flows[key].append({
            'counts': sides(client, key, (f['packets_c2s'], f['bytes_c2s']), (f['packets_s2c'], f['bytes_s2c'])),
            'payload': sides(client, key, f['payload_c2s'], f['payload_s2c']),
            'client': client if f['initiator_basis'] in ('syn', 'synack') else None,
            'state': f['state'],
            'closed': f.get('closed_by') or 'none',
        })
    return flows


def our_flows(audit):
    flows = collections.defaultdict(list)
    for f in audit.rows('SELECT f.*, c.outcome FROM flows f JOIN conversations c USING (run_id, conversation_id)'):
        client, server = (f['client'], f['client_port']), (f['server'], f['server_port'])
        key = key_of(f['transport'], client, server)
        flows[key].append({
            'counts': sides(client, key, (f['packets_out'], f['bytes_out']), (f['packets_in'], f['bytes_in'])),
            'payload': sides(client, key, f['payload_out'], f['payload_in']),
            'client': client,
            'state': f['tcp_state'],
            'closed': f['closed'] or 'none',
            'outcome': f['outcome'],
            'icmp_errors': f['icmp_errors'],
        })
    return flows


def total(flows, what):
    return tuple(tuple(map(sum, zip(*side))) if isinstance(side[0], tuple) else sum(side) for side in zip(*(f[what] for f in flows)))


def outcomes(transport, flow):
    """The outcomes that agree with truth's word for a flow and with what it says each side sent."""
    both, data = all(c[0] > 0 for c in flow['counts']), all(flow['payload'])
    table = {
        'established': {'established'},
        'answered': {'established'},
        'refused': {'refused', 'prohibited'},
        'unreachable': {'refused', 'prohibited'},
        'half-open': {'established', 'one-way', 'refused', 'prohibited'},
        'unanswered': {'unanswered'} if transport == 'tcp' else {'unanswered', 'one-way'},
        'synack-unseen': {'established'} if both else {'one-way'},
        'synack-only': {'one-way'},
        'midstream': {'established'} if data else {'established', 'one-way', 'refused', 'prohibited'},
        'flags-cut': {'established'} if data else {'established', 'one-way', 'unanswered'},
        'multicast': {'unanswered', 'one-way'},
        'broadcast': {'unanswered', 'one-way'},
    }
    return table[flow['state']]


def compare_flow(transport, truth, ours):
    """One flow of truth and those of ours that have the same counts: one of them must agree in all."""
    checks = {
        'client': lambda o: truth['client'] is None or o['client'] == truth['client'],
        'outcome': lambda o: o['outcome'] in outcomes(transport, truth),
    }
    if transport == 'tcp':
        checks['state'] = lambda o: o['state'] == TCP_STATES.get(truth['state'], truth['state'])
        checks['closed'] = lambda o: o['closed'] == truth['closed']
    if any(all(check(o) for check in checks.values()) for o in ours):
        return []
    return [(what, f'truth {truth}, ours {ours[0]}') for what, check in checks.items() if not any(check(o) for o in ours)] or \
           [('mixture', f'truth {truth}, ours {ours}')]


def compare_tuple(transport, ours, truths):
    """The differences of one 5-tuple, as (what, detail)."""
    if not ours:
        return [('flow-missing', f'truth has {len(truths)}: {total(truths, "counts")}')]
    if not truths:
        return [('flow-extra', f'we have {len(ours)}: {total(ours, "counts")}')]
    if total(ours, 'counts') != total(truths, 'counts'):
        return [('counts', f'ours {total(ours, "counts")}, truth {total(truths, "counts")}')]
    found = []
    if total(ours, 'payload') != total(truths, 'payload'):
        found.append(('payload', f'ours {total(ours, "payload")}, truth {total(truths, "payload")}'))
    if sorted(f['counts'] for f in ours) != sorted(f['counts'] for f in truths):
        return found + [('split', f"ours {[f['counts'] for f in ours]}, truth {[f['counts'] for f in truths]}")]
    for t in truths:
        found += compare_flow(transport, t, [o for o in ours if o['counts'] == t['counts']])
    return found


def show(key):
    transport, a, b = key
    return f'{transport} {a[0]}:{a[1]} {b[0]}:{b[1]}'


def compare_icmp(truth, ours):
    """Errors that quote a flow of the capture stand with it."""
    quoted = collections.Counter()
    for e in truth['icmp']['errors']:
        transport, source, target, source_port, target_port = e['quoted']
        if transport in ('tcp', 'udp') and source_port is not None:
            quoted[key_of(transport, (source, source_port), (target, target_port))] += 1
    found = []
    for key, n in quoted.items():
        joined = sum(f['icmp_errors'] for f in ours.get(key, []))
        if key in ours and joined != n:
            found.append((show(key), 'icmp', f'{n} errors quote it, {joined} are recorded with it'))
    return found


def seconds(text):
    if text is None:
        return None
    date, fraction = text.rstrip('Z').split('.')
    return calendar.timegm(time.strptime(date, '%Y-%m-%dT%H:%M:%S')) + float('0.' + fraction)


def compare_input(audit, truth):
    rows = audit.rows('SELECT packets, first_packet, last_packet FROM inputs')
    ours = rows[0] if rows else {'packets': 0, 'first_packet': None, 'last_packet': None}
    found = []
    if ours['packets'] != truth['packets']:
        found.append(('-', 'packets', f"ours {ours['packets']}, truth {truth['packets']}"))
    for column, name in (('first_packet', 'first_ts'), ('last_packet', 'last_ts')):
        mine, other = seconds(ours[column]), truth[name]
        if (mine is None) != (other is None) or (mine is not None and abs(mine - other) > TIME_TOLERANCE):
            found.append(('-', name, f'ours {mine}, truth {other}'))
    return found


def unreadable(truth):
    """Not one packet of it can be judged."""
    container, link = truth['container'], truth['libpcap']['link']
    if container['records'] == 0 or 'savefile' in (truth['libpcap']['error'] or ''):
        return True
    if link is not None and not truth['libpcap']['error']:
        return not link.startswith(DECODED_LINKS)
    return not LINKTYPES & set(container.get('linktypes', [container.get('linktype')]))


def statuses(truth):
    container = truth['container']
    if unreadable(truth):
        return {2}
    if container['truncated_tail_bytes'] > 0 or not set(container.get('linktypes', [])) <= LINKTYPES:
        return {3}
    return {0, 1}


def check_capture(program, site, directory, capture, truth):
    audit = flowdb.Audit(program, site, [capture], '--flows', 'all', directory=directory)
    found = [('-', 'fault', audit.fault())] if audit.fault() else []
    found += compare_input(audit, truth)
    if audit.status not in statuses(truth):
        found.append(('-', 'status', f'ours {audit.status}, truth {sorted(statuses(truth))}; {audit.messages[-300:]}'))
    ours, truths = our_flows(audit), truth_flows(truth)
    for key in sorted(set(ours) | set(truths)):
        found += [(show(key), what, detail) for what, detail in compare_tuple(key[0], ours.get(key, []), truths.get(key, []))]
    found += compare_icmp(truth, ours)
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
    unexplained, explained, n_flows = 0, collections.Counter(), 0
    with flowdb.scratch() as directory:
        site = flowdb.any_site(directory)
        for name in names:
            with open(os.path.join(folder, 'truth', name + '.json'), encoding='utf-8') as f:
                truth = json.load(f)
            n_flows += len(truth['flows'])
            for flow, what, detail in check_capture(program, site, directory, os.path.join(folder, name), truth):
                wanted = [k for k in ((name, flow, what), (name, '*', what)) if k in known]
                if wanted:
                    explained[wanted[0]] += 1
                    continue
                unexplained += 1
                print(f'{name}\t{flow}\t{what}\t{detail}')
    stale = [k for k in known if k not in explained and k[0] in names]
    for k in stale:
        print('listed as a difference, and does not occur:', *k)
    print(f'{len(names)} captures, {n_flows} flows: {unexplained} unexplained differences, {sum(explained.values())} explained')
    return 1 if unexplained or stale else 0


if __name__ == '__main__':
    sys.exit(main())
