#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Poorer evidence never makes a stronger claim.

usage: weaker.py FLOWAUDIT SOURCE_ROOT

Each sample is audited whole, and again after something was taken away: one direction of all traffic, the first half, all but 60 bytes of each packet,
every tenth or third packet, all but the ICMP errors between hosts of which there is one, what came of a flow before the first error
that quotes it, the first data of each connection.  No finding from absence or failure, and none from content, may appear that the whole sample does not have; an expected
flow may only turn from what was found to 'not-covered' or 'one-way', or from a failure to one that says less; confidence may only fall.
Where the beginning is gone, what came in it is missing by the document's words if the rest lasts as long as 'within': of a client that was there before, that is told, and
counts least.  The first evidence of a separation is the first of the ICMP errors that it counts.  What was answered, or of which nobody can tell, does not become a failure for want of an answer.
"""
import collections
import ipaddress
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

NS = 1000000000
# Said of an expected flow, and what may be said of it with less evidence.
MAY_BECOME = {
    'seen': {'seen', 'one-way', 'not-covered'},
    'prohibited': {'prohibited', 'unanswered', 'refused', 'one-way', 'not-covered'},
    'refused': {'refused', 'unanswered', 'one-way', 'not-covered'},
    'unanswered': {'unanswered', 'one-way', 'not-covered'},
    'one-way': {'one-way', 'not-covered'},
    'never-attempted': {'never-attempted', 'not-covered'},
    'not-covered': {'not-covered'},
}
GUARDED = {'missing', 'misdropped', 'separated', 'wrong-protocol'}
SEVERITIES = ['notice', 'low', 'medium', 'high', 'critical']


def pcapng_packets(data):
    """(time in ns, frame) of a little-endian file with one Ethernet interface and microseconds, as the samples are."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from('<II', data, at)
        if kind == 6:
            _, high, low, length, _ = struct.unpack_from('<IIIII', data, at + 8)
            yield (high << 32 | low) * 1000, data[at + 28:at + 28 + length]
        at += size


def pcap_packets(data):
    at = 24
    while at < len(data):
        seconds, us, length, _ = struct.unpack_from('<IIII', data, at)
        yield seconds * NS + us * 1000, data[at + 16:at + 16 + length]
        at += 16 + length


def packets_of(path):
    with open(path, 'rb') as f:
        data = f.read()
    return list((pcapng_packets if path.endswith('pcapng') else pcap_packets)(data))


def write(path, packets, snaplen):
    with open(path, 'wb') as out:
        out.write(struct.pack('<IHHiIII', 0xA1B2C3D4, 2, 4, 0, 0, snaplen, 1))
        for time_ns, frame in packets:
            us = time_ns // 1000
            out.write(struct.pack('<IIII', us // 1000000, us % 1000000, min(len(frame), snaplen), len(frame)))
            out.write(frame[:snaplen])


def ends(frame):
    at = 12
    while frame[at:at + 2] == b'\x81\x00':
        at += 4
    kind, ip = frame[at:at + 2], frame[at + 2:]
    if kind == b'\x08\x00':
        return ip[12:16], ip[16:20]
    return (ip[8:24], ip[24:40]) if kind == b'\x86\xdd' else (b'', b'')


def one_direction(packets, upward):
    return [p for p in packets if (ends(p[1])[0] <= ends(p[1])[1]) == upward]


def hears_only(packets, address):
    """A tap that mirrors what one host sends and not what it gets."""
    raw = ipaddress.ip_address(address).packed
    return [p for p in packets if ends(p[1])[1] != raw]


def quoted_ends(frame):
    """Between whom the packet went that an ICMP error about IPv4 quotes."""
    at = 12
    while frame[at:at + 2] == b'\x81\x00':
        at += 4
    ip = frame[at + 2:]
    if frame[at:at + 2] != b'\x08\x00' or ip[9] != 1:
        return None
    icmp = ip[4 * (ip[0] & 15):]
    return frozenset((icmp[20:24], icmp[24:28])) if icmp[0] in (3, 11) else None


def errors_alone(packets):
    """Of the pairs that ICMP errors tell of nothing but those errors."""
    pairs = {quoted_ends(p[1]) for p in packets} - {None}
    return [p for p in packets if quoted_ends(p[1]) is not None or frozenset(ends(p[1])) not in pairs]


def network_part(frame):
    at = 12
    while frame[at:at + 2] == b'\x81\x00':
        at += 4
    return frame[at + 2:] if frame[at:at + 2] == b'\x08\x00' else b''


def flow_of(ip):
    """Of a packet of IPv4, or of the beginning of one: its transport and both ends."""
    if len(ip) < 24 or ip[9] not in (6, 17):
        return None
    at = 4 * (ip[0] & 15)
    return ip[9], frozenset(((ip[12:16], ip[at:at + 2]), (ip[16:20], ip[at + 2:at + 4])))


def without_beginnings(packets):
    """Of the flows that ICMP errors quote nothing that came before the first of them, nor in a moment after it."""
    first = {}
    for time_ns, frame in packets:
        if quoted_ends(frame) is not None:
            ip = network_part(frame)
            first.setdefault(flow_of(ip[4 * (ip[0] & 15) + 8:]), time_ns)
    return [p for p in packets if p[0] > first.get(flow_of(network_part(p[1])), -NS) + NS // 100]


def headless(packets, n):
    """Of each TCP connection the first segments with data gone."""
    seen, left = collections.Counter(), []
    for time_ns, frame in packets:
        ip = network_part(frame)
        flow = flow_of(ip)
        if flow is not None and flow[0] == 6:
            tcp = 4 * (ip[0] & 15)
            if struct.unpack_from('!H', ip, 2)[0] > tcp + 4 * (ip[tcp + 12] >> 4):
                seen[flow] += 1
                if seen[flow] <= n:
                    continue
        left.append((time_ns, frame))
    return left


def variants(packets):
    middle = (packets[0][0] + packets[-1][0]) // 2
    yield 'from lower to higher addresses', one_direction(packets, True), 262144
    yield 'from higher to lower addresses', one_direction(packets, False), 262144
    yield 'second half', [p for p in packets if p[0] >= middle], 262144
    for percent in (3, 10, 22, 33, 70):
        yield f'the first {percent} % gone', packets[len(packets) * percent // 100:], 262144
    yield '60 bytes of each packet', packets, 60
    yield 'of the pairs that errors quote, the errors alone', errors_alone(packets), 262144
    yield 'of the flows that errors quote, nothing before the first', without_beginnings(packets), 262144
    for n in (1, 2, 3):
        yield f'of each connection the first {n} segments with data gone', headless(packets, n), 262144
    for first in (0, 3, 7):
        yield f'every tenth packet gone, from {first}', [p for i, p in enumerate(packets) if i % 10 != first], 262144
    yield 'every third packet gone', [p for i, p in enumerate(packets) if i % 3 != 0], 262144
    for sender in sorted({ends(p[1])[0] for p in packets if len(ends(p[1])[0]) == 4}):
        if sender[3] in (10, 40):
            name = str(ipaddress.ip_address(sender))
            yield f'nothing that goes to {name}', hears_only(packets, name), 262144


def conversation_key(c):
    return tuple(c[k] for k in ('client', 'server', 'transport', 'server_port'))


def read(audit):
    findings = collections.defaultdict(int)
    for f in audit.rows('SELECT * FROM findings WHERE waived_by IS NULL'):
        key = ('violation', *sorted((f['client'] or '', f['server'] or '')))
        if f['kind'] in GUARDED:
            key = tuple(f[k] for k in ('kind', 'row_id', 'section', 'client', 'server', 'server_port'))
        if f['kind'] == 'misdropped':  # the server that was tried first may be another
            key = (f['kind'], f['row_id'], f['client'])
        findings[key] = max(findings[key], SEVERITIES.index(f['severity']))
    expectations = {(e['row_id'], e['client']): e for e in audit.rows('SELECT * FROM expectations')}
    confirmed = {conversation_key(c) for c in audit.rows("SELECT * FROM conversations WHERE confidence = 'confirmed' AND transport = 'tcp'")}
    datagrams = {(*conversation_key(c), c['disposition'], c['outcome']) for c in audit.rows(
        "SELECT * FROM conversations WHERE disposition IN ('misdropped', 'rejected')")}
    return findings, expectations, confirmed, datagrams


def deaf(audit, address):
    """Of a host to which nothing was captured, though its TCP goes on, nobody knows whether what else it sent got through."""
    if not audit.rows("SELECT 1 FROM conversations WHERE client = ? AND transport = 'tcp' AND outcome = 'one-way' AND disposition IS NOT NULL LIMIT 1", address):
        return []
    told = audit.rows("SELECT * FROM conversations WHERE client = ? AND transport = 'udp' AND outcome IN ('unanswered', 'one-way') AND disposition IS NOT NULL"
                      " AND scope = 'judged'", address)
    return [f"conversation {conversation_key(c)}: {c['outcome']} and {c['disposition']}, and nothing to {address} was captured" for c in told]


def late(audit, packets):
    """The evidence that is shown is the first of the errors that are counted."""
    wrong = []
    for f in audit.rows("SELECT * FROM findings WHERE kind = 'separated' AND reason LIKE '%[strong] ICMP%'"):
        pair = frozenset(ipaddress.ip_address(f[end]).packed for end in ('client', 'server'))
        first = next(i for i, p in enumerate(packets, 1) if quoted_ends(p[1]) == pair)
        if f' First evidence: packet {first} of ' not in f['reason']:
            wrong.append(f"the first error is packet {first}: {f['reason']}")
    return wrong


def is_reserved(e):
    """Missing, with the reserve that it may have come before the capture."""
    return e['outcome'] == 'never-attempted' and ' and may have done so then.' in e['reason']


def compare(whole, part, begun_late):
    wrong = []
    reserved = {key for key, e in part[1].items() if is_reserved(e)} if begun_late else set()
    for key, severity in part[0].items():
        if key[0] == 'missing' and (key[1], key[3]) in reserved and severity == SEVERITIES.index('low'):
            continue
        if key not in whole[0]:
            wrong.append(f'finding {key}: not in the whole')
        elif severity > whole[0][key]:
            wrong.append(f'finding {key}: {SEVERITIES[severity]}, in the whole {SEVERITIES[whole[0][key]]}')
    for key, e in part[1].items():
        was = whole[1][key]['outcome']
        if e['outcome'] not in MAY_BECOME[was] and key not in reserved:
            wrong.append(f"expectation {key}: {e['outcome']}, in the whole {was}: {e['reason']}")
        if e['attempts'] > whole[1][key]['attempts']:
            wrong.append(f"expectation {key}: {e['attempts']} attempts, in the whole {whole[1][key]['attempts']}")
    wrong += [f'conversation {key}: confirmed, and not in the whole' for key in sorted(part[2] - whole[2])]
    failed = {key[:-1] for key in whole[3]}  # in whatever way: errors are evidence of their own
    wrong += [f'conversation {key}: not in the whole' for key in sorted(part[3]) if key[-1] == 'unanswered' and key[:-1] not in failed]
    return wrong


def main():
    program, source = sys.argv[1:3]
    samples = os.path.join(source, 'samples')
    failed = 0
    with flowdb.scratch() as directory:
        for name, site in (('healthy.pcapng', 'healthy.yaml'), ('incident.pcapng', 'incident.yaml'), ('web-shop.pcap', 'web-shop.yaml')):
            packets = packets_of(os.path.join(samples, name))
            audit = flowdb.Audit(program, os.path.join(samples, site), [os.path.join(samples, name)], directory=directory)
            whole = read(audit)
            audit.close()
            for title, left, snaplen in variants(packets):
                path = os.path.join(directory, 'variant.pcap')
                write(path, left, snaplen)
                audit = flowdb.Audit(program, os.path.join(samples, site), [path], directory=directory)
                wrong = compare(whole, read(audit), title.startswith('the first')) + late(audit, left)
                wrong += deaf(audit, title.rsplit(' ', 1)[1]) if title.startswith('nothing that goes to') else []
                audit.close()
                if audit.status not in (0, 1, 3) or not left:
                    wrong.append(f'status {audit.status} with {len(left)} packets: {audit.messages}')
                failed += flowdb.told(f'{name}, {title}: {len(left)} of {len(packets)} packets, {len(wrong)} stronger claims', wrong)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
