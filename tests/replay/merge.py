#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records of several sensors joined: held to the record of one sensor that saw everything.

usage: merge.py FLOWAUDIT SOURCE_ROOT
"""
import ipaddress
import os
import sqlite3
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb
import recordcheck

ENVIRONMENT = dict(os.environ, SOURCE_DATE_EPOCH='1772442000', **flowdb.SANITIZERS)
UNITY1 = '10.20.1.10'
CONVERSATION = 'client, server, transport, server_port, protocol, row_id, verdict, kind, outcome, packets, bytes, flows, first_seen, last_seen'
FINDING = 'kind, severity, row_id, client_name, server_name, transport, server_port, protocol, outcome, packets, bytes, flows'


def only(data, keep):
    """The packets of a pcapng file (Ethernet, IPv4 or IPv6 without tags) of which 'keep' says so of the two addresses."""
    order = '<' if data[8:12] == b'\x4d\x3c\x2b\x1a' else '>'
    at, out = 0, b''
    while at < len(data):
        kind, size = struct.unpack(order + 'II', data[at:at + 8])
        block = data[at:at + size]
        if kind != 6 or keep(addresses(block[28:])):
            out += block
        at += size
    return out


def addresses(frame):
    kind = frame[12:14]
    if kind == b'\x08\x00':
        return {str(ipaddress.ip_address(frame[26:30])), str(ipaddress.ip_address(frame[30:34]))}
    if kind == b'\x86\xdd':
        return {str(ipaddress.ip_address(frame[22:38])), str(ipaddress.ip_address(frame[38:54]))}
    return set()


class Bench:
    def __init__(self, program, source, folder):
        self.program, self.folder, self.wrong, self.n = program, folder, [], 0
        with open(os.path.join(source, 'samples', 'incident.yaml'), encoding='utf-8') as f:
            self.site = f.read()
        with open(os.path.join(source, 'samples', 'incident.pcapng'), 'rb') as f:
            self.capture = f.read()

    def run(self, *arguments):
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, env=ENVIRONMENT, cwd=self.folder, timeout=120)

    def audit(self, name, capture, site=None):
        for path, data in (('site.yaml', (site or self.site).encode()), (name + '.pcapng', capture)):
            with open(os.path.join(self.folder, path), 'wb') as f:
                f.write(data)
        done = self.run('check', '-q', '-s', 'site.yaml', '--flows', 'all', '-o', name + '.db', name + '.pcapng')
        if done.returncode not in (0, 1, 3):
            raise SystemExit(f'{name}: {done.stderr}')
        return name + '.db'

    def join(self, name, *sources):
        done = self.run('merge', '-q', '-o', name, *sources)
        if done.returncode not in (0, 1, 3):
            raise SystemExit(f'{name}: {done.returncode} {done.stderr}')
        return name

    def rows(self, name, sql):
        db = sqlite3.connect(os.path.join(self.folder, name))
        rows = sorted(db.execute(sql).fetchall(), key=repr)
        db.close()
        return rows

    def expect(self, what, have, meant):
        self.n += 1
        if have != meant:
            if isinstance(have, list):
                have, meant = [r for r in have if r not in meant][:5], [r for r in meant if r not in have][:5]
            self.wrong.append(f'{what}:\n  have {have}\n  want {meant}')


def check_part(bench, whole):
    """One sensor saw everything, the other only what unity1 sent and received: figures are not added up."""
    part = bench.audit('part', only(bench.capture, lambda ends: UNITY1 in ends))
    joined = bench.join('joined.db', whole, part)
    for table, columns in (('conversations', CONVERSATION), ('findings', FINDING), ('expectations', 'row_id, client_name, outcome, attempts'),
                           ('hosts', 'address, name, packets, first_seen, last_seen')):
        sql = f'SELECT {columns} FROM {table}' + (" WHERE kind <> 'separated'" if table == 'findings' else '')
        bench.expect(table, bench.rows(joined, sql), bench.rows(whole, sql))
    witnesses = 'SELECT c.client, c.server, c.transport, c.server_port, group_concat(s.name) FROM conversations c JOIN (SELECT * FROM witnesses ORDER BY' \
                ' sensor_id) w USING (run_id, conversation_id) JOIN sensors s USING (run_id, sensor_id) WHERE c.client IS NOT NULL AND c.server IS NOT NULL' \
                ' GROUP BY c.conversation_id'
    told = bench.rows(joined, witnesses)
    bench.expect('witnesses', [r for r in told if r[4] != ('whole.db,part.db' if UNITY1 in r[:2] else 'whole.db')], [])
    bench.expect('of both kinds', {r[4] for r in told}, {'whole.db,part.db', 'whole.db'})
    bench.expect('packets of the inputs', bench.rows(joined, 'SELECT name, packets, packets_decoded FROM inputs'),
                 sorted(bench.rows(whole, 'SELECT name, packets, packets_decoded FROM inputs') + bench.rows(part, 'SELECT name, packets, packets_decoded FROM inputs')))
    bench.expect('packets account', bench.rows(joined, 'SELECT i.input_id FROM inputs i WHERE packets <> packets_decoded + (SELECT ifnull(sum(packets), 0) FROM'
                                                       ' discards d WHERE d.input_id = i.input_id)'), [])
    bench.expect('counters of both', bench.rows(joined, "SELECT count(*) FROM counters WHERE name LIKE 'flows@%'"), [(2,)])
    reasons = [r for r, in bench.rows(joined, "SELECT reason FROM findings WHERE kind = 'no-row'")]
    bench.expect('who saw it', bool(reasons) and all(r.endswith(' Seen by whole.db, part.db.') for r in reasons), True)
    others = [r for r, in bench.rows(joined, "SELECT reason FROM findings WHERE client <> '10.20.1.10' AND server <> '10.20.1.10' AND transport IS NOT NULL")]
    bench.expect('who did not', bool(others) and all(r.endswith(' Seen by whole.db; not seen by part.db.') for r in others), True)
    flows = bench.rows(joined, 'SELECT count(*) FROM flows f JOIN conversations c USING (run_id, conversation_id) JOIN inputs i USING (run_id, input_id)'
                               ' WHERE f.client IS NOT c.client AND c.client IS NOT NULL')
    bench.expect('flows are at their conversations', flows, [(0,)])
    return joined


def check_halves(bench, whole):
    """Neither sensor saw all: together they know what one that saw all knows."""
    one = bench.audit('one', only(bench.capture, lambda ends: UNITY1 in ends))
    two = bench.audit('two', only(bench.capture, lambda ends: UNITY1 not in ends))
    joined = bench.join('halves.db', one, two)
    sql = f'SELECT {CONVERSATION} FROM conversations WHERE summed = 0'
    bench.expect('conversations of halves', bench.rows(joined, sql), bench.rows(whole, sql))
    sql = "SELECT row_id, client_name, outcome FROM expectations WHERE outcome = 'seen'"
    bench.expect('seen by either half', bench.rows(joined, sql), bench.rows(whole, sql))
    bench.expect('each by one', bench.rows(joined, 'SELECT count(*) FROM witnesses GROUP BY conversation_id HAVING count(*) > 1'), [])
    other = bench.join('other.db', two, one)
    for table, columns in (('conversations', CONVERSATION), ('expectations', 'row_id, client_name, outcome'), ('findings', FINDING)):
        bench.expect(f'{table} in the other order', bench.rows(other, f'SELECT {columns} FROM {table}'), bench.rows(joined, f'SELECT {columns} FROM {table}'))


def check_silence(bench, whole):
    """A flow that one sensor misses is missing unless another one, whose capture has a hole, cannot tell."""
    missing = "SELECT row_id, client_name FROM expectations WHERE outcome = 'never-attempted'"
    found = "SELECT row_id, client_name FROM findings WHERE kind = 'missing'"
    meant = bench.rows(whole, missing)
    bench.expect('the sample misses some', bool(meant) and bench.rows(whole, found) == meant, True)
    absent = bench.audit('absent', only(bench.capture, lambda ends: UNITY1 not in ends and '10.20.1.11' not in ends))
    bench.expect('whose clients were not there', bench.rows(absent, missing), [])
    damaged = bench.audit('damaged', bench.capture[:-7])
    bench.expect('that ends within a packet', bench.rows(damaged, missing), [])
    for name, other, want in (('absent-joined.db', absent, meant), ('damaged-joined.db', damaged, [])):
        for sources in ((whole, other), (other, whole)):
            joined = bench.join(name, *sources)
            bench.expect(f'silence of {sources}', bench.rows(joined, missing), want)
            bench.expect(f'missing of {sources}', bench.rows(joined, found), want)
            os.unlink(os.path.join(bench.folder, joined))


def shifted(data, seconds):
    """The capture at another time: the stamps of its enhanced packet blocks, of which the interfaces count microseconds."""
    order, at, out = '<' if data[8:12] == b'\x4d\x3c\x2b\x1a' else '>', 0, b''
    while at < len(data):
        kind, size = struct.unpack(order + 'II', data[at:at + 8])
        block = data[at:at + size]
        if kind == 6:
            high, low = struct.unpack(order + 'II', block[12:20])
            stamp = (high << 32 | low) + seconds * 1000000
            block = block[:12] + struct.pack(order + 'II', stamp >> 32, stamp & 0xffffffff) + block[20:]
        out += block
        at += size
    return out


def check_apart(bench, whole):
    """Records of two times are joined with a warning, those of one time without; a third that spans both joins them."""
    notices = "SELECT reason FROM findings WHERE kind = 'site' AND severity = 'notice' AND reason LIKE '%do not overlap in time%'"
    later = bench.audit('later', shifted(only(bench.capture, lambda ends: UNITY1 in ends), 86400))
    for sources in ((whole, later), (later, whole)):
        done = bench.run('merge', '-q', '-o', 'apart.db', *sources)
        told = bench.rows('apart.db', notices)
        bench.expect(f'apart {sources}', len(told), 1)
        bench.expect('told on standard error', told and 'warning: ' + told[0][0] in done.stderr, True)
        bench.expect('names both in their order, and what to do', told and 0 <= told[0][0].find('whole.db ends at') < told[0][0].find('later.db begins at') and
                     'flowaudit diff' in told[0][0], True)
        bench.expect('in its report', 'do not overlap in time' in bench.run('report', 'apart.db').stdout, True)
        os.unlink(os.path.join(bench.folder, 'apart.db'))
    both = bench.audit('both', bench.capture + shifted(bench.capture, 86400 - 1))
    for sources in ((whole, 'part.db'), (whole, later, both)):
        done = bench.run('merge', '-q', '-o', 'near.db', *sources)
        bench.expect(f'together {sources}', (bench.rows('near.db', notices), done.stderr), ([], ''))
        os.unlink(os.path.join(bench.folder, 'near.db'))


def check_tools(bench, whole, joined):
    bench.expect('verify', bench.run('verify', joined).returncode, 0)
    db = sqlite3.connect(os.path.join(bench.folder, joined))
    bench.expect('its seals', recordcheck.check_seals(db), [])
    db.close()
    for format in ('text', 'html', 'json', 'csv'):
        bench.expect(f'report {format}', bench.run('report', '--format', format, joined).returncode, 0)
    bench.expect('diff to itself', bench.run('diff', joined, joined).returncode, 0)
    again = bench.join('again.db', whole, 'part.db')
    bench.expect('the same again', bench.rows(again, 'SELECT manifest FROM seals')[0][0].split('table input')[0].split('table conversation')[1],
                 bench.rows(joined, 'SELECT manifest FROM seals')[0][0].split('table input')[0].split('table conversation')[1])


def check_refused(bench, whole, joined):
    other = bench.audit('elsewhere', only(bench.capture, lambda ends: UNITY1 in ends), bench.site.replace('https: on', 'https: off'))
    copy = bench.audit('copy', bench.capture)
    for what, arguments, words in (('another site', [whole, other], 'different site files'), ('the same capture', [whole, copy], 'in more than one'),
                                   ('a joined one', [joined, whole], 'itself joined'), ('one record', [whole], 'two records'),
                                   ('no such file', [whole, 'none.db'], 'no such file')):
        done = bench.run('merge', '-o', 'refused.db', *arguments)
        bench.expect(what, (done.returncode, words in done.stderr, os.path.exists(os.path.join(bench.folder, 'refused.db'))), (2, True, False))
    evil = bench.audit('evil', bench.capture)
    for name in copy, evil:
        with sqlite3.connect(os.path.join(bench.folder, name)) as c:
            c.execute("UPDATE input SET name = char(27) || ']0;evil' || char(7)")
    done = bench.run('merge', '-o', 'refused.db', copy, evil)
    bench.expect('a name from a record', (done.returncode, r'\x1b]0;evil\x07' in done.stderr, '\x1b' in done.stderr), (2, True, False))
    with sqlite3.connect(os.path.join(bench.folder, copy)) as c: # as of a live run
        c.execute('UPDATE input SET sha256 = NULL')
    done = bench.run('merge', '-o', 'refused.db', copy, os.path.join('.', copy))
    bench.expect('one record twice', (done.returncode, 'are the same file' in done.stderr), (2, True))
    done = bench.run('merge', '-o', whole, whole, copy)
    bench.expect('a source as the output', (done.returncode, 'is the output' in done.stderr), (2, True))


def main():
    with flowdb.scratch() as folder:
        bench = Bench(os.path.abspath(sys.argv[1]), sys.argv[2], folder)
        whole = bench.audit('whole', bench.capture)
        joined = check_part(bench, whole)
        check_halves(bench, whole)
        check_silence(bench, whole)
        check_apart(bench, whole)
        check_tools(bench, whole, joined)
        check_refused(bench, whole, joined)
        print(f'{bench.n} checks, {len(bench.wrong)} wrong', *bench.wrong, sep='\n')
        return 1 if bench.wrong else 0


if __name__ == '__main__':
    sys.exit(main())
