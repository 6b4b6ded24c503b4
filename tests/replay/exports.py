#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every export holds the rows of the views, cell by cell; hostile names are harmless in each, and still recognisable; same record, same bytes.

usage: exports.py FLOWAUDIT SOURCE_ROOT
"""
import csv
import datetime
import html
import html.parser
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import xml.etree.ElementTree
import zipfile

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

ORDERS = {
    'runs': 'run_id', 'inputs': 'input_id', 'discards': 'input_id, reason', 'losses': 'loss_id', 'counters': 'counter_id', 'hosts': 'host_id',
    'rows': 'position', 'conversations': 'conversation_id', 'flows': 'conversation_id, flow_id', 'findings': 'finding_id',
    'expectations': 'expectation_id', 'requirements': 'expectation_id', 'seals': 'seal_id', 'removals': 'removed_run', 'evidence': 'file_id', 'sensors': 'sensor_id',
    'witnesses': 'conversation_id, sensor_id'}
FORMATS = ('text', 'csv', 'json', 'ndjson', 'html', 'xlsx')
HOSTILE = [
    b"=cmd|' /C calc'!A0", b'+1+1', b'-2+3', b'@SUM(A1)', b'\t=1', b'\r=1', b'<script>alert(1)</script>', b'"><img src=x onerror=alert(1)>',
    b"'); DROP TABLE run;--", b'\x1b[31mred\x1b]0;title\x07', b'a,b"c\nd', b'\xe2\x80\xaegpj.exe', b'\xe2\x81\xa6hid\xe2\x81\xa9den', b'caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac',
    b'\xff\xfe\xc0\xaf', b'_x0041_', b'</style></title></pre>', b'&lt;&amp;', b'\xef\xbb\xbfbom', b'zero\xe2\x80\x8bwidth', b'x' * 40000, b'http://example.com/', b'\x9b31m',
    b'%s%n', b'\\', b'C:\\x41']
UNSEEN = [(0x00, 0x1f), (0x7f, 0x9f), (0xad, 0xad), (0x61c, 0x61c), (0x180e, 0x180e), (0x200b, 0x200f), (0x2028, 0x202e), (0x2060, 0x206f),
          (0xfeff, 0xfeff), (0xfff9, 0xfffb), (0xe0000, 0xe007f)]


class Bench:
    def __init__(self, program, folder):
        self.program, self.folder, self.wrong, self.n_cells = program, folder, [], 0

    def report(self, db, form, *options, **environment):
        done = subprocess.run([self.program, 'report', '--format', form, *options, db], capture_output=True, timeout=120,
                              env=dict(os.environ, **flowdb.SANITIZERS, **environment))
        if done.returncode != 0:
            self.wrong.append(f'{form} {options}: status {done.returncode}: {done.stderr[-1000:]!r}')
        return done.stdout

    def same(self, where, want, have):
        """Tables as lists of lists of text."""
        self.n_cells += sum(len(row) for row in want)
        if want == have:
            return
        place = next((f'row {i}, cell {k}: meant {a[k:k + 1]!r:.700}, is {b[k:k + 1]!r:.700}' for i, (a, b) in enumerate(zip(want, have)) for k in range(max(len(a), len(b)))
                      if a[k:k + 1] != b[k:k + 1]), f'{len(want)} rows meant, {len(have)} are there')
        self.wrong.append(f'{where}: {place[:1500]}')


def views(path):
    """{table: (columns, rows)} of the last run, texts as bytes."""
    db = sqlite3.connect(f'file:{path}?mode=ro', uri=True)
    db.text_factory = bytes
    run, = db.execute('SELECT max(run_id) FROM runs').fetchone()
    tables = {}
    for name, order in ORDERS.items():
        cursor = db.execute(f'SELECT * FROM "{name}" WHERE run_id = ? ORDER BY {order}', (run,))
        tables[name] = [column[0] for column in cursor.description], cursor.fetchall()
    db.close()
    return tables


# --- how each medium shows a cell -----------------------------------------------------------------------------------

def decoded(raw, shown_byte):
    """Valid text; each byte that is none goes through 'shown_byte'."""
    parts = []
    while raw:
        try:
            parts.append(raw.decode())
            break
        except UnicodeDecodeError as e:
            parts.append(raw[:e.start].decode() + shown_byte(raw[e.start]))
            raw = raw[e.start + 1:]
    return ''.join(parts)


def shown(raw):
    """As a person may see it; line breaks and tabs stay."""
    def each(c):
        if c in '\n\t' or not any(low <= ord(c) <= high for low, high in UNSEEN):
            return c
        return f'\\x{ord(c):02x}' if ord(c) < 0x80 else f'\\u{{{ord(c):04x}}}'
    text, out = raw, []
    for piece in re.split(b'(\xff|\xfe|\xc0|\xaf|\x9b)', text) if not valid(raw) else [raw]:
        out.append(''.join(map(each, piece.decode())) if valid(piece) else ''.join(f'\\x{b:02x}' for b in piece))
    return ''.join(out)


def valid(raw):
    try:
        raw.decode()
        return True
    except UnicodeDecodeError:
        return False


def as_csv(value):
    if value is None:
        return ''
    if isinstance(value, int):
        return str(value)
    return ("'" if value[:1] in (b'=', b'+', b'-', b'@', b'\t', b'\r') else '') + shown(value)


def as_json(value):
    return value if value is None or isinstance(value, int) else decoded(value, lambda byte: '\ufffd')


def as_sheet(value):
    if value is None or value == b'':
        return None
    if isinstance(value, int):
        return value
    return shown(value)


# --- the formats ------------------------------------------------------------------------------------------------------

def check_csv(bench, db, tables):
    for name, (columns, rows) in tables.items():
        text = bench.report(db, 'csv', '--table', name).decode()
        if any(ord(c) < 0x20 and c not in '\n\r\t' for c in text):
            bench.wrong.append(f'csv {name}: control characters')
        have = list(csv.reader(io.StringIO(text, newline=''), strict=True))
        bench.same(f'csv {name}', [columns] + [[as_csv(cell) for cell in row] for row in rows], have)


def check_json(bench, db, tables):
    whole = json.loads(bench.report(db, 'json'))
    lines = [json.loads(line) for line in bench.report(db, 'ndjson').decode().splitlines()]
    for name, (columns, rows) in tables.items():
        want = [[as_json(cell) for cell in row] for row in rows]
        have = [whole['run']] if name == 'runs' else whole[name]
        bench.same(f'json {name}', [columns] * len(want), [list(row) for row in have])
        bench.same(f'json {name}', want, [list(row.values()) for row in have])
        bench.same(f'ndjson {name}', want, [list(row.values())[1:] for row in lines if row['table'] == name])


SHEET = '{http://schemas.openxmlformats.org/spreadsheetml/2006/main}'
RELATION = '{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id'


def unescaped(text):
    return re.sub('_x([0-9A-Fa-f]{4})_', lambda m: chr(int(m[1], 16)), text)


def sheet_rows(text, width):
    rows = []
    for row in xml.etree.ElementTree.fromstring(text).iter(SHEET + 'row'):
        cells = [None] * width
        for cell in row:
            column = 0
            for letter in re.match('[A-Z]+', cell.get('r'))[0]:
                column = column * 26 + ord(letter) - 64
            if cell.get('t') == 'inlineStr':
                cells[column - 1] = unescaped(''.join(t.text or '' for t in cell.iter(SHEET + 't')))
            elif cell.find(SHEET + 'v') is not None:
                cells[column - 1] = float(cell.find(SHEET + 'v').text)
        rows.append(cells)
    return rows


def sheets(data):
    """{sheet: its XML}"""
    book = zipfile.ZipFile(io.BytesIO(data))
    ids = {e.get('Id'): e.get('Target') for e in xml.etree.ElementTree.fromstring(book.read('xl/_rels/workbook.xml.rels'))}
    return {e.get('name'): book.read('xl/' + ids[e.get(RELATION)]) for e in xml.etree.ElementTree.fromstring(book.read('xl/workbook.xml')).iter(SHEET + 'sheet')}


def is_cut(want, have):
    return isinstance(want, str) and len(want) > 32000 and have == want[:32000] + ' ... [cut here: the JSON has it whole]'


def is_time(want, have):
    """Dates are numbers in a sheet: microseconds are the last thing that a double can tell of them."""
    if not isinstance(have, float) or not isinstance(want, str) or not re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z', want):
        return False
    there = datetime.datetime.strptime(want, '%Y-%m-%dT%H:%M:%S.%fZ') - datetime.datetime(1899, 12, 30)
    return abs(there.total_seconds() - have * 86400) < 5e-6


def check_xlsx(bench, db, tables):
    by_name = sheets(bench.report(db, 'xlsx'))
    if sorted(by_name) != sorted([*tables, 'summary']):
        bench.wrong.append(f'xlsx: sheets {sorted(by_name)}')
    for name, text in by_name.items():
        if re.search(rb'<f[ >]|<hyperlink', text):
            bench.wrong.append(f'xlsx {name}: a formula or a link')
    for name, (columns, rows) in tables.items():
        for what in (rb'<pane [^>]*state="frozen"', rb'<autoFilter '):
            if not re.search(what, by_name[name]):
                bench.wrong.append(f'xlsx {name}: no {what}')
        have = sheet_rows(by_name[name], len(columns))
        want = [columns] + [[as_sheet(cell) for cell in row] for row in rows]
        for i, (a, b) in enumerate(zip(want, have)):
            for k, cell in enumerate(a):
                if is_cut(cell, b[k]) or is_time(cell, b[k]):
                    b[k] = cell
        bench.same(f'xlsx {name}', want, have)


def check_bound(bench, source):
    """A table of more rows than a workbook of all takes is cut there, which the summary says, and whole where it is asked for."""
    path, bound, more = os.path.join(bench.folder, 'long.db'), 200_000, 7
    shutil.copy(source, path)
    db = sqlite3.connect(path)
    db.execute('DELETE FROM counter')
    db.execute("WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO counter SELECT 1, i, 'n', i, NULL FROM n", (bound + more,))
    db.commit()
    db.close()
    for options, rows in (((), bound), (('--table', 'counters'), bound + more)):
        book = sheets(bench.report(path, 'xlsx', *options))
        have = book['counters'].count(b'<row ') - 1
        told = f'counters: the first {bound:,} of {bound + more:,} rows are here'.encode() in book['summary']
        bench.n_cells += have
        if have != rows or told != (rows == bound):
            bench.wrong.append(f'xlsx, {bound + more} counters {options}: {have} rows, told: {told}')


class Page(html.parser.HTMLParser):
    """What an HTML file is made of: elements and attributes, and the rows of each section's tables."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.attributes, self.tables, self.section, self.cell = set(), set(), {}, '', None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.add(tag)
        self.attributes |= {(name, value) if name in ('href', 'src', 'http-equiv') else (name, '') for name, value in attributes}
        if tag == 'section':
            self.section = dict(attributes)['id']
        elif tag == 'table':
            self.tables.setdefault(self.section, []).append([])
        elif tag == 'tr':
            self.tables[self.section][-1].append([])
        elif tag in ('td', 'th'):
            self.tables[self.section][-1][-1].append('')
            self.cell = True
        elif tag in ('p', 'h3', 'section'):
            self.cell = None

    def handle_endtag(self, tag):
        if tag in ('table', 'thead', 'tbody'):
            self.cell = None

    def handle_data(self, data):
        if self.cell:
            self.tables[self.section][-1][-1][-1] += data

    def rows(self, section, title):
        """The rows of the table of a part whose heading begins with a title, without the heading; none where there is no such table."""
        for table in self.tables.get(section, []):
            if table[0][:len(title)] == title:
                return [[cell.strip() for cell in row] for row in table[1:]]
        return []


ELEMENTS = set('html head meta title style body header h1 h2 h3 h4 p dl dt dd div b i span nav ol ul li a section table thead tbody tr th td code pre br article svg g path '
               'rect text tspan'.split())


def host(name, address, nobody='–', form='{} {}'):
    return nobody if not name and not address else form.format(name, address) if name and address else name or address


def n(value):
    return '–' if value is None else f'{value:,}'


def t(text, nothing='–'):
    return nothing if text is None else text


def when(text):
    return '–' if text is None else f'{text[:10]} {text[11:19]}'


def stripped(rows):
    return [[cell.strip() for cell in row] for row in rows]


def as_page(table):
    """Rows as dictionaries, their texts as a page shows them."""
    columns, rows = table
    return [dict(zip(columns, [shown(cell).replace('\n', '\\x0a').replace('\t', '\\x09') if isinstance(cell, bytes) else cell for cell in row])) for row in rows]


def check_html(bench, db, tables):
    text = bench.report(db, 'html').decode()
    page = Page(text)
    if not page.elements <= ELEMENTS:
        bench.wrong.append(f'html: elements {page.elements - ELEMENTS}')
    for name, value in page.attributes:
        if name.startswith('on') or name in ('src', 'srcset') or name == 'href' and not value.startswith('#'):
            bench.wrong.append(f'html: attribute {name}={value!r}')
    if re.search(r'@import|url\(', text[:text.index('</style>')]) or any(ord(c) < 0x20 and c not in '\n\t' for c in text):
        bench.wrong.append('html: it refers to something outside, or has control characters')

    def rows_of(name):
        return as_page(tables[name])
    findings, expectations, inputs = rows_of('findings'), rows_of('expectations'), rows_of('inputs')
    want = [[n(row['finding_id']), row['severity'], row['kind'], host(row['client_name'], row['client']), host(row['server_name'], row['server']),
             '–' if row['transport'] is None else row['transport'] + (', many ports' if row['server_port'] is None else f'/{row["server_port"]}') +
             ('' if row['protocol'] is None else ' ' + row['protocol']), t(row['disposition'] or row['outcome']), when(row['first_seen']),
             t(row['row_id']) if row['waived_by'] is None else 'waived by ' + row['waived_by']] for row in findings]
    bench.same('html findings', stripped(want), page.rows('all-findings', ['No.']))
    ends = [(host(row['client_name'], row['client'], 'any client of the row', '{} ({})'), host(row['server_name'], row['server'], 'any server of the row', '{} ({})')) for row in expectations]
    want = [[n(row['expectation_id']), row['row_id'], *end, row['outcome'], when(row['first_seen']), n(row['attempts'])] for row, end in zip(expectations, ends)]
    bench.same('html expectations', stripped(want), page.rows('all-expectations', ['No.']))
    bench.same('html unused rows that were seen', [], [row[0] for row in page.rows('rows', ['Row', 'Section']) if row[0] in {x['row_id'] for x in expectations if x['outcome'] == 'seen'}])
    order = sorted(((row['outcome'] in ('not-covered', 'one-way'), i) for i, row in enumerate(expectations) if row['outcome'] != 'seen'))
    want = [[expectations[i]['outcome'], expectations[i]['row_id'], ' → '.join(ends[i]), n(expectations[i]['attempts']), t(expectations[i]['reason'])] for _, i in order]
    bench.same('html missing', stripped(want), page.rows('missing', ['Outcome']))
    want = [[n(row['input_id']), t(row['name']), t(row['linktype']), when(row['first_packet']), when(row['last_packet']), n(row['packets']), n(row['packets_decoded']),
             n(row['packets_discarded']), n(row['packets_dropped'])] for row in inputs]
    bench.same('html inputs', stripped(want), page.rows('evidence', ['Input', 'File']))
    want = [[n(row['input_id']), ('' if (row['damage'] or 'not read').startswith('not read') else 'damaged: ') + t(row['damage'], 'not read to its end') if row['damaged'] else 'read to its end', n(row['snaplen']), t(row['sha256'], 'not asked for')]
            for row in inputs]
    bench.same('html digests', stripped(want), [row[:2] + row[3:] for row in page.rows('evidence', ['Input', 'State'])])
    want = [[t(row['reason']), n(row['input_id']), n(row['packets']), when(row['first']), when(row['last']), t(row['detail'])] for row in rows_of('losses')]
    bench.same('html losses', stripped(want), page.rows('evidence', ['Reason', 'Input']))
    sums = {}
    for row in rows_of('discards'):
        sums[row['reason']] = sums.get(row['reason'], 0) + row['packets']
    bench.same('html discards', [[reason, n(packets)] for reason, packets in sorted(sums.items(), key=lambda each: (-each[1], each[0]))],
               [row for row in page.rows('evidence', ['Reason', 'Packets'])])
    want = [[t(row['name']), n(row['value']), t(row['text'])] for row in rows_of('counters') if row['value'] > 0]
    bench.same('html counters', stripped(want), page.rows('evidence', ['Counter']))
    want = [[n(row['finding_id']), t(row['waived_by']), row['severity'], row['kind'], row['reason'], when(row['first_seen'])] for row in findings if row['waived_by'] is not None]
    bench.same('html waived', stripped(want), page.rows('findings', ['No.', 'Waived by']))
    want = [[n(row['finding_id']), row['kind'], row['reason']] for row in findings if row['waived_by'] is None and row['severity'] == 'notice']
    bench.same('html notices', stripped(want), page.rows('findings', ['No.', 'Kind']))
    judged = [row for row in rows_of('conversations') if row['verdict'] != 'not-governed']
    edges = page.rows('roles', ["Client's roles"])
    bench.same('html roles, the sums', [[str(len(judged))] + [str(sum(row['disposition'] == word for row in judged)) for word in ('permitted', 'misdropped', 'escaped', 'rejected')] +
                                        [str(sum(row['packets'] for row in judged))]], [[str(sum(int(row[k].replace(',', '')) for row in edges)) for k in range(2, 8)]])


def options_of(tables):
    """What the record says was in force: {'rows': [...], 'exceptions': [...], ...}; nothing where that is no JSON."""
    columns, rows = tables['runs']
    try:
        options = json.loads(dict(zip(columns, rows[-1]))['options'])
    except (TypeError, ValueError):
        options = {}
    return options if isinstance(options, dict) else {}


OTHER_WAY = 'told under the section of the other way'


def other_ways(rows):
    """Of each media row the sections in which the document has it the other way."""
    def way(row, a, b):
        return (row[a], row[b], row['ports'], row['service'], row['protocols'])

    return {row['row_id']: [other['section'] or '' for other in rows if way(other, 'from_roles', 'to_roles') == way(row, 'to_roles', 'from_roles')
                            and other['section'] != row['section'] and other['enabled'] not in (0, '0')]
            for row in rows if 'RTP' in (row['protocols'] or '')}


def check_html_sections(bench, page, tables):
    """The sections' names and counts, and no 'conforms' where anything speaks against it."""
    rows, conversations, findings = (as_page(tables[name]) for name in ('rows', 'conversations', 'findings'))
    section = {row['row_id']: row['section'] or '' for row in rows}
    counted = ('permitted', 'escaped', 'rejected', 'misdropped', 'missing', 'not covered', 'one-way', 'unanswered', OTHER_WAY, 'findings')
    others, two_way = other_ways(rows), {c['conversation_id'] for c in conversations if c['transport'] == 'udp' and c['outcome'] == 'established'}
    counts = {name: dict.fromkeys(counted, 0) for name in section.values()}
    untold = dict.fromkeys(counts, 0)
    for row in conversations:
        if row['row_id'] in section and row['disposition'] == 'permitted':
            for name in [section[row['row_id']], *(others.get(row['row_id'], []) if row['conversation_id'] in two_way else [])]:
                counts[name]['permitted'] += 1
        elif row['row_id'] in section and row['verdict'] == 'allowed' and row['outcome'] == 'one-way' and row['disposition'] is None:
            untold[section[row['row_id']]] += 1
    for row in findings:
        if row['waived_by'] is None and row['severity'] != 'notice':
            count = counts.setdefault(row['section'] or '', dict.fromkeys(counted, 0))
            count['findings'] += 1
            for name in others.get(row['row_id'], []) if row['conversation_id'] in two_way else []:
                counts[name][OTHER_WAY] += 1
            if row['disposition'] in ('escaped', 'rejected'):
                count[row['disposition']] += 1
            elif row['outcome'] in ('one-way', 'unanswered'):
                count[row['outcome']] += 1
    words = {'never-attempted': 'missing', 'not-covered': 'not covered', 'one-way': 'one-way', 'refused': 'misdropped', 'prohibited': 'misdropped', 'unanswered': 'misdropped'}
    for row in as_page(tables['requirements']):
        if row['row_id'] in section and row['outcome'] in words:
            counts[section[row['row_id']]][words[row['outcome']]] += 1
    for name, number in untold.items(): # told where nothing else of the section is
        if not any(counts[name].values()):
            counts[name]['one-way'] = number
    have = page.rows('sections', ['Section', 'Result', 'Counts'])
    want = sorted([(name or 'No section of the document speaks of these').strip(), ', '.join(f'{value:,} {word}' for word, value in count.items() if value > 0 and word != 'findings')]
                  for name, count in counts.items())
    bench.same('html sections', want, sorted([row[0], row[2]] for row in have))
    sound = {(name or 'No section of the document speaks of these').strip() for name, count in counts.items() if not any(count[word] for word in ('findings', 'misdropped', 'missing', 'not covered', 'one-way', OTHER_WAY))}
    for name, result, _ in have:
        if result == 'conforms' and name not in sound:
            bench.wrong.append(f'html: section {name!r} conforms in spite of its counts')


def check_html_rows(bench, page, tables):
    rows, conversations = as_page(tables['rows']), as_page(tables['conversations'])
    known = {str(row.get('id')): row for row in options_of(tables).get('rows', [])}
    used = {}
    for row in conversations:
        if row['verdict'] == 'allowed':
            used.setdefault(row['row_id'], set())
            if row['server_port'] is not None:
                used[row['row_id']].add((row['transport'], row['server_port']))
    want = [[row['row_id'], t(row['section']), t(row['service']), t(known.get(row['row_id'], {}).get('ports', row['ports'])), t(row['expect'])] for row in rows
            if row['enabled'] and known.get(row['row_id'], {}).get('applies', 1) not in (0, False) and row['row_id'] not in used]
    bench.same('html unused rows', stripped(want), page.rows('rows', ['Row', 'Section']))
    for row in page.rows('rows', ['Row', 'Service', 'Allowed']):
        ports = used.get(row[0], set())
        low, high = min(port for _, port in ports), max(port for _, port in ports)
        bench.same(f'html wide row {row[0]}', [[n(len(ports)), f'{low} – {high}']], [[row[4], row[5]]])
    demand = {row['row_id']: row['service'] for row in rows if row['expect'] == 'on-demand'}
    attempts, names = {}, {row['input_id']: row['name'] for row in as_page(tables['inputs'])}
    for row in conversations:
        if row['verdict'] == 'allowed' and row['disposition'] == 'misdropped' and row['row_id'] in demand:
            key = (row['row_id'], row['client'], row['server'], row['outcome'])
            first = f"{row['first_packet_number']} of {t(names[row['input_id']])}"
            attempts.setdefault(key, [row['row_id'], t(demand[row['row_id']]), t(row['client_name'] or row['client']), t(row['server_name'] or row['server']), row['outcome'], 0, first])[5] += row['flows']
    bench.same('html attempts on demand', sorted(stripped([[*row[:5], n(row[5]), row[6]] for row in attempts.values()])), sorted(page.rows('missing', ['Row', 'Service'])))
    unjudged = {}
    for row in conversations:
        if row['verdict'] in ('undocumented', 'not-governed'):
            key = 'undocumented: the document is silent, and the site lists no ports' if row['verdict'] == 'undocumented' else row['scope'] or 'out-of-scope'
            count = unjudged.setdefault(key, [0, 0])
            count[0] += 1
            count[1] += row['packets']
    bench.same('html not judged', [[key, n(count[0]), n(count[1])] for key, count in sorted(unjudged.items())], sorted(row[:3] for row in page.rows('evidence', ['Not judged because'])))


def check_html_site(bench, page, tables):
    options, findings = options_of(tables), as_page(tables['findings'])
    day = max((row['last_packet'] or '' for row in as_page(tables['inputs'])), default='')[:10]
    waived = [row['waived_by'] for row in findings if row['waived_by'] is not None]
    want = [[t(each.get('id')), 'expired' if each.get('until') and each['until'] < day else 'used' if each.get('id') in waived else 'unused', n(waived.count(each.get('id'))),
             *(t(each.get(key)) for key in ('client', 'server', 'port', 'owner', 'reason', 'until'))] for each in options.get('exceptions', [])]
    bench.same('html exceptions', stripped(want), page.rows('exceptions', ['Exception']))
    plain = [row for row in findings if row['waived_by'] is None and row['severity'] != 'notice']
    want = [[each['standard'], each['clause'], each['title'], each['shows'], n(sum(row['kind'] in each['kinds'].split() for row in plain))] for each in options.get('requirements', [])]
    bench.same('html requirements', stripped(want), page.rows('requirements', ['Standard', 'Clause']))
    want = [[n(row['finding_id']), row['severity'], t(row['section']), row['reason']] for row in findings if row['kind'] == 'separated']
    bench.same('html separation', stripped(want), page.rows('separation', ['No.', 'Severity']))


def check_html_cards(bench, text, tables):
    """Each finding but those of expectations is on a card, by itself or as one of its like ones, and a card's sentence is its finding's own."""
    findings = [row for row in as_page(tables['findings']) if row['waived_by'] is None and row['severity'] != 'notice' and row['kind'] not in ('missing', 'misdropped')]
    sentences = {str(row['finding_id']): ' '.join((row['severity'], row['kind'], row['reason'])).split() for row in findings}
    told = 0
    for number, head, sentence in re.findall(r'<article class="card [a-z]+" id="f(\d+)"><h4>(.*?)</h4><p>(.*?)</p>', text, re.DOTALL):
        plain, body = re.sub(r'<[^>]*>', ' ', head), re.sub(r'<[^>]*>', '', sentence)
        like = re.search(r', ([\d,]+) like findings', plain)
        told += int(like[1].replace(',', '')) if like else 1
        have = [*plain.split(), *html.unescape(body).removeprefix('For example: ').split()]
        if like:
            have = [word.rstrip(',') if word.startswith(sentences.get(number, ['', ''])[1]) else word for word in html.unescape(re.sub(r', [\d,]+ like findings, the last one #\d+', '', ' '.join(have))).split()]
        bench.same(f'html card {number}', [sentences.get(number, [])], [have[1:] if have[0] == '#' + number else have])
    if told != len(findings): # no record here has more cards than a page
        bench.wrong.append(f'html: the cards stand for {told} of {len(findings)} findings')


def check_html_parts(bench, db, tables):
    text = bench.report(db, 'html').decode()
    page = Page(text)
    check_html_sections(bench, page, tables)
    check_html_rows(bench, page, tables)
    check_html_site(bench, page, tables)
    check_html_cards(bench, text, tables)


def check_text(bench, db, tables):
    text = bench.report(db, 'text', '-v').decode()
    if any(low <= ord(c) <= high and c != '\n' for c in set(text) for low, high in UNSEEN):
        bench.wrong.append('text: characters that a terminal obeys')


# --- hostile names ----------------------------------------------------------------------------------------------------

def forged(bench, source):
    """A copy of a record, as somebody else's program could have written it: each name is an attack."""
    path = os.path.join(bench.folder, 'forged.db')
    shutil.copy(source, path)
    db = sqlite3.connect(path)
    for i, text in enumerate(HOSTILE):
        for table, key, columns in (('finding', 'finding_id', ('client_name', 'server_name', 'reason', 'protocol')), ('conversation', 'conversation_id', ('client_name', 'protocol_detail')),
                                    ('host', 'host_id', ('name',)), ('flow', 'flow_id', ('protocol_detail',)), ('expectation', 'expectation_id', ('client_name', 'reason')),
                                    ('input', 'input_id', ('name', 'path', 'damage')), ('run', 'run_id', ('site_name',)), ('counter', 'counter_id', ('text',))):
            db.execute(f'UPDATE {table} SET ' + ', '.join(f'{c} = CAST(? AS TEXT)' for c in columns) + f' WHERE {key} = ?', [text] * len(columns) + [i + 1])
    db.executemany('INSERT INTO loss VALUES (1, ?, 1, CAST(? AS TEXT), ?, NULL, 1772442010008790000, CAST(? AS TEXT))', [(100 + i, text, i or None, text) for i, text in enumerate(HOSTILE)])
    db.commit()
    db.close()
    return path


def check_recognisable(bench, db):
    """The letters of each attack are there to be read."""
    for form in FORMATS[:5]:
        text = bench.report(db, form, *(['--table', 'findings'] if form == 'csv' else ['-v'] if form == 'text' else [])).decode()
        for word in ('calc', 'alert(1)', 'gpj.exe', 'title', 'café', 'DROP TABLE', '\\x1b' if form not in ('json', 'ndjson') else '\\u001b'):
            if word not in re.sub(r'\s+' if form == 'text' else r'\0', ' ', text):
                bench.wrong.append(f'{form}: {word!r} is not to be found')


# --- the same bytes; a browser ------------------------------------------------------------------------------------------

def check_same(bench, db):
    for form in FORMATS:
        first = bench.report(db, form)
        other = bench.report(db, form, TZ='Asia/Tokyo', LC_ALL='tr_TR.UTF-8', LANG='de_DE.UTF-8', HOSTNAME='elsewhere', USER='nobody')
        if first != other:
            bench.wrong.append(f'{form}: another time zone, another report')


def check_browser(bench, db, name):
    """As the manual page tells to make a PDF; False without a browser."""
    browser = shutil.which('chromium')
    if not browser:
        return False
    page, pdf = os.path.join(bench.folder, name + '.html'), os.path.join(bench.folder, name + '.pdf')
    with open(page, 'wb') as out:
        out.write(bench.report(db, 'html'))
    done = subprocess.run([browser, '--headless', '--no-sandbox', '--disable-gpu', '--enable-logging=stderr', '--user-data-dir=' + os.path.join(bench.folder, 'profile'),
                           '--no-pdf-header-footer', '--print-to-pdf=' + pdf, 'file://' + page], capture_output=True, text=True, timeout=120)
    for line in done.stderr.splitlines():
        if 'CONSOLE' in line:
            bench.wrong.append(f'{name}: the browser says {line}')
    if not os.path.exists(pdf) or not open(pdf, 'rb').read(5) == b'%PDF-':
        bench.wrong.append(f'{name}: no PDF: {done.stderr[-500:]}')
    return True


def main():
    program, source = sys.argv[1], sys.argv[2]
    with flowdb.scratch() as folder:
        bench = Bench(program, folder)
        audit = flowdb.Audit(program, os.path.join(source, 'samples', 'incident.yaml'), [os.path.join(source, 'samples', 'incident.pcapng')], '--flows', 'all', directory=folder)
        audit.close()
        hostile = forged(bench, audit.path)
        for db in (audit.path, hostile):
            tables = views(db)
            for check in (check_csv, check_json, check_xlsx, check_html, check_html_parts, check_text):
                check(bench, db, tables)
        check_recognisable(bench, hostile)
        check_same(bench, audit.path)
        check_bound(bench, audit.path)
        seen = [check_browser(bench, db, name) for db, name in ((audit.path, 'sample'), (hostile, 'forged'))]
        if not all(seen):
            print('no chromium here: the browser and the PDF are left out')
    print(f'{bench.n_cells} cells compared, {len(bench.wrong)} wrong')
    for wrong in bench.wrong[:20]:
        print(wrong)
    return 1 if bench.wrong else 0


sys.exit(main())
