#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Expected flows by window agree with captures cut into these windows.

usage: windows.py FLOWAUDIT SOURCE_ROOT

The incident is judged in windows of five minutes, and again each window's packets alone.  In a window nothing is missing that the cut
capture shows tried, and what the cut capture shows is seen.  One finding stands for all windows of a row and client, and says how many.
Workers change nothing.
"""
import os
import re
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
    print(f'{len(windows)} windows of {len(next(iter(windows.values())))} expected flows: {len(wrong)} differences', *wrong, sep='\n')
    return 1 if wrong or len(windows) != 7 else 0


if __name__ == '__main__':
    sys.exit(main())
