#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Expected flows by window agree with captures cut into these windows.

usage: windows.py FLOWAUDIT SOURCE_ROOT

The incident is judged in windows of five minutes, and again each window's packets alone.  In a window nothing is missing that the cut
capture shows tried, and what the cut capture shows is seen.  One finding stands for all windows of a row and client, and says how many.
Workers change nothing, nor do more windows than are evaluated, or one packet of another time.
"""
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb
import weaker

WINDOW = 300
MISSING = {'missing': {'never-attempted'}, 'misdropped': {'refused', 'prohibited', 'unanswered'}}


def by_row(rows):
    return {(row['row_id'], row['client']): row['outcome'] for row in rows}


def compare(program, site, packets, start, found, directory):
    """What the cut capture says against the window of the whole."""
    part = [p for p in packets if start <= p[0] // weaker.NS < start + WINDOW]
    path = os.path.join(directory, 'part.pcap')
    weaker.write(path, part, 262144)
    audit = flowdb.Audit(program, site, [path], directory=directory)
    cut = by_row(audit.rows('SELECT * FROM expectations'))
    audit.close()
    wrong = []
    for key, outcome in found.items():
        if outcome == 'never-attempted' and cut[key] not in ('never-attempted', 'not-covered'):
            wrong.append(f'{start}: {key} is missing, and {cut[key]} in these packets alone')
        if cut[key] == 'seen' and outcome != 'seen':
            wrong.append(f'{start}: {key} is {outcome}, and seen in these packets alone')
    return wrong


def check_findings(audit):
    wrong = []
    windows = audit.rows('SELECT count(DISTINCT window_start) AS n FROM expectations')[0]['n']
    for kind, outcomes in MISSING.items():
        counts = {}
        for row in audit.rows('SELECT * FROM expectations'):
            key = row['row_id'], row['client']
            counts[key] = counts.get(key, 0) + (row['outcome'] in outcomes)
        said = {}
        for f in audit.rows('SELECT * FROM findings WHERE kind = ?', kind):
            match = re.match(r"In (\d+) of (\d+) windows of 5 min(?: \('within' is [^)]*\))?, first \d{4}-\d\d-\d\d \d\d:\d\d to \d\d:\d\d UTC: ", f['reason'])
            if match is None or int(match.group(2)) != windows or (f['row_id'], f['client']) in said:
                wrong.append(f'{kind}: {f["reason"]}')
            else:
                said[f['row_id'], f['client']] = int(match.group(1))
            if kind == 'misdropped' and not re.search(r' First attempt: packet \d+ of \S+\.$', f['reason']):
                wrong.append(f'no packet: {f["reason"]}')
        if said != {key: n for key, n in counts.items() if n}:
            wrong.append(f'{kind}: {said}, the windows say {counts}')
    return wrong


def check_hole(program, source, packets, directory):
    """Two files with two hours between them, and unity2 in the last minute of the one and all of the other, which is short: it proves nothing of unity2.
    Nor does it where both are in one file."""
    first, unity2 = packets[0][0], bytes([10, 20, 1, 11])
    begin = [p for p in packets if p[0] < first + 1200 * weaker.NS and (unity2 not in weaker.ends(p[1]) or p[0] > first + 1140 * weaker.NS)]
    rest = [(at + 7200 * weaker.NS, frame) for at, frame in packets if at >= first + 1200 * weaker.NS]
    site, wrong = os.path.join(directory, 'hole.yaml'), []
    with open(os.path.join(source, 'samples', 'incident.yaml'), encoding='utf-8') as f:
        text = re.sub(r'(?m)^within: .*$', 'within: 15m', f.read())
    with open(site, 'w', encoding='utf-8') as out:
        out.write(text)
    parts = [os.path.join(directory, name) for name in ('begin.pcap', 'rest.pcap')]
    for path, part in zip(parts, (begin, rest)):
        weaker.write(path, part, 262144)
    weaker.write(os.path.join(directory, 'joined.pcap'), begin + rest, 262144)
    weaker.write(os.path.join(directory, 'wrong.pcap'), rest + begin, 262144)
    dumps = []
    for files, workers in ((parts, '1'), (['joined.pcap'], '1'), (['joined.pcap'], '3'), (['wrong.pcap'], '2')):
        audit = flowdb.Audit(program, site, [os.path.join(directory, f) for f in files], '-j', workers, directory=directory)
        dumps.append(audit.rows('SELECT row_id, client, server, outcome FROM expectations'))
        held = [row['reason'] for row in audit.rows("SELECT reason FROM expectations WHERE client_name = 'unity2' AND outcome = 'not-covered'")]
        wrong += [f'hole: {reason}' for reason in held if not re.search(r' known for [0-9.]+ s without a hole, and .* holes of 7\d\d\d s in all', reason)]
        audit.close()
    wrong += [f'hole: as {n} of one file or in the wrong order it differs' for n, dump in enumerate(dumps) if dump != dumps[0]]
    audit = flowdb.Audit(program, site, parts, directory=directory)
    missing = {row['client_name'] for row in audit.rows("SELECT * FROM findings WHERE kind = 'missing'")}
    wrong += [f'hole: {f["reason"]}' for f in audit.rows("SELECT * FROM findings WHERE kind = 'missing' AND client_name = 'unity2'")]
    audit.close()
    return wrong if 'unity1' in missing else wrong + [f'hole: nothing is missing of unity1: {missing}']


SMALL = ('site: small\nmatrix: cisco-unity-5x-exchange\nhosts:\n  unity1: {addresses: [10.20.1.10], roles: [unity-primary]}\n'
         '  dns1: {addresses: [10.20.2.53], roles: [dns]}\n  dc1: {addresses: [10.20.2.10], roles: [dc-monitored]}\nwithin: ')
UNITY1, DNS1 = bytes((10, 20, 1, 10)), bytes((10, 20, 2, 53))


def exchange(at, port, server_port, question=b''):
    """A datagram of unity1 to dns1, and its answer: those of DNS, where there is a question."""
    pairs = []
    for source, target, ports, flags in ((UNITY1, DNS1, (port, server_port), 0x0100), (DNS1, UNITY1, (server_port, port), 0x8583)):
        payload = struct.pack('!HHHHHH', 1, flags, 1, 0, 0, 0) + question if question else b''
        ip = struct.pack('!BBHHHBBH', 0x45, 0, 28 + len(payload), len(pairs) + 1, 0, 64, 17, 0) + source + target
        frame = bytes.fromhex('0200000000020200000000010800') + ip + struct.pack('!HHHH', *ports, 8 + len(payload), 0) + payload
        pairs.append((at + len(pairs) * 1000000, frame))
    return pairs


def small(program, directory, packets, within, *options):
    site, path = os.path.join(directory, 'small.yaml'), os.path.join(directory, 'small.pcap')
    with open(site, 'w', encoding='utf-8') as out:
        out.write(f'{SMALL}{within}\n')
    weaker.write(path, packets, 262144)
    return flowdb.Audit(program, site, [path], *options, directory=directory)


def check_many(program, directory):
    """A query in two windows of three, for more windows than are evaluated: it is seen there and nowhere else, whatever the number of workers, and those
    that are left out are told."""
    n, most, begin, packets = 10300, 10000, 1772000000 // 120 * 120, []
    for w in range(n):
        at = (begin + w * 120) * weaker.NS
        for k, second in enumerate((0, 30, 60, 90, 119)): # it is there all the time
            packets += exchange(at + second * weaker.NS, 10000 + (w * 5 + k) % 9000, 9999)
        packets += exchange(at + 5 * weaker.NS, 20000 + w * 7 % 30000, 53, b'\x03dc1\x07example\x03com\0\0\1\0\1') if w % 3 != 2 else []
    packets.sort()
    wrong, dumps = [], []
    for workers in ('1', '4'):
        audit = small(program, directory, packets, '2m', '--window', '2m', '-j', workers)
        dumps.append(audit.rows('SELECT row_id, client, outcome, window_start FROM expectations'))
        starts = {int(row['start']) for row in audit.rows("SELECT strftime('%s', window_start) AS start FROM expectations WHERE row_id = 'unity-dns' AND outcome = 'seen'")}
        expected = {begin + w * 120 for w in range(n - most, n) if w % 3 != 2}
        left = audit.rows("SELECT value FROM counters WHERE name = 'windows-not-evaluated'")[0]['value'], audit.rows('SELECT complete FROM runs')[0]['complete'], audit.status
        text = subprocess.run([program, 'report', audit.path], capture_output=True, text=True, check=False).stdout.split('WHAT WAS')[0]
        audit.close()
        if starts != expected:
            wrong.append(f'many windows, {workers} workers: seen in {len(starts)}, {len(starts - expected)} of them wrong, {len(expected - starts)} are not there')
        if left != (n - most, 0, 3) or not re.search(r'300\s+windows\s+of all that there are\s+were\s+not\s+evaluated', text):
            wrong.append(f'many windows: not evaluated, complete, status: {left}; {text}')
    return wrong + ['many windows: one worker and four differ'] * (dumps[0] != dumps[1])


def check_stray(program, directory):
    """One packet of 1970 changes nothing in the windows of all others, also of rows whose time is longer than a window; those between are left out, and told."""
    begin, packets, wrong = 1772000000 // 10800 * 10800, [], []
    for hour in (0, 1, 2, 3, 31, 32):
        for second in range(0, 3600, 40):
            packets += exchange((begin + hour * 3600 + second) * weaker.NS, 10000 + hour * 100 + second // 40, 53, b'\x03dc1\x07example\x03com\0\0\1\0\1')
    stray = [(weaker.NS, packets[0][1].replace(UNITY1, bytes((1, 2, 3, 4))).replace(DNS1, bytes((5, 6, 7, 8))))]
    query = "SELECT row_id, client, outcome, window_start, window_end FROM expectations WHERE outcome != 'not-covered'"
    for within in ('30m', '3h'):
        found = []
        for more in ([], stray):
            audit = small(program, directory, packets + more, within, '--window', '1h', '--fail-on', 'missing')
            found.append((audit.status, audit.rows(query), audit.rows("SELECT row_id, client FROM findings WHERE kind = 'missing'")))
            empty = audit.rows("SELECT value FROM counters WHERE name = 'windows-empty'")[0]['value']
            text = subprocess.run([program, 'report', audit.path], capture_output=True, text=True, check=False).stdout.split('WHAT WAS')[0]
            audit.close()
        if found[0] != found[1] or not found[0][2]:
            wrong.append(f'one packet of 1970, within {within}: {found[1]}, without it {found[0]}')
        if empty < 400000 or not re.search(rf'{empty} windows in which\s+nothing', text):
            wrong.append(f'one packet of 1970: {empty} windows left out, {text}')
    return wrong


def main():
    program, source = sys.argv[1:3]
    capture = os.path.join(source, 'samples', 'incident.pcapng')
    with flowdb.scratch() as directory:
        with open(os.path.join(source, 'samples', 'incident.yaml'), encoding='utf-8') as f:
            text = re.sub(r'(?m)^within: .*$', 'within: 4m', f.read())
        site = os.path.join(directory, 'site.yaml')
        with open(site, 'w', encoding='utf-8') as out:
            out.write(text)
        dumps = []
        for workers in ('1', '3'):
            audit = flowdb.Audit(program, site, [capture], '--window', '5m', '-j', workers, directory=directory)
            windows = {}
            for row in audit.rows("SELECT *, strftime('%s', window_start) AS start FROM expectations ORDER BY expectation_id"):
                windows.setdefault(int(row['start']), []).append(row)
            wrong = check_findings(audit)
            dumps.append(audit.dump({('runs', 'command'), ('runs', 'options')}))
            audit.close()
        if dumps[0] != dumps[1]:
            wrong.append('one worker and three differ')
        with open(capture, 'rb') as f:
            packets = list(weaker.pcapng_packets(f.read()))
        for start, rows in windows.items():
            wrong += compare(program, site, packets, start, by_row(rows), directory)
        wrong += check_hole(program, source, packets, directory)
        wrong += check_many(program, directory)
        wrong += check_stray(program, directory)
    print(f'{len(windows)} windows of {len(next(iter(windows.values())))} expected flows: {len(wrong)} differences', *wrong, sep='\n')
    return 1 if wrong or len(windows) != 7 else 0


if __name__ == '__main__':
    sys.exit(main())
