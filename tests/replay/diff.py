#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What 'flowaudit diff' says of two audits that differ in known ways: one option, one host, one exception, one flow more.

usage: diff.py FLOWAUDIT SOURCE_ROOT
"""
import ipaddress
import json
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

ENVIRONMENT = dict(os.environ, SOURCE_DATE_EPOCH='1772442000', **flowdb.SANITIZERS)


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def udp_frame(source, target, port):
    payload = b'not a protocol that anyone knows'
    udp = struct.pack('!4H', 40000, port, 8 + len(payload), 0) + payload
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 77, 0, 64, 17, 0, ipaddress.ip_address(source).packed,
                       ipaddress.ip_address(target).packed)
    head = head[:10] + struct.pack('!H', checksum(head)) + head[12:]
    return bytes.fromhex('020000000002020000000001') + b'\x08\x00' + head + udp


def with_packet(data, frame):
    """A pcapng file with one more packet, at the time of the last."""
    order = '<' if data[8:12] == b'\x4d\x3c\x2b\x1a' else '>'
    at, last = 0, None
    while at < len(data):
        kind, size = struct.unpack(order + 'II', data[at:at + 8])
        if kind == 6:
            last = data[at + 12:at + 20]
        at += size
    body = struct.pack(order + 'I', 0) + last + struct.pack(order + 'II', len(frame), len(frame)) + frame + bytes(-len(frame) % 4)
    size = struct.pack(order + 'I', 12 + len(body))
    return data + struct.pack(order + 'I', 6) + size + body + size


class Bench:
    def __init__(self, program, source, folder):
        self.program, self.folder, self.wrong, self.n = program, folder, [], 0
        samples = os.path.join(source, 'samples')
        with open(os.path.join(samples, 'incident.yaml'), encoding='utf-8') as f:
            self.site = f.read()
        with open(os.path.join(samples, 'incident.pcapng'), 'rb') as f:
            self.capture = f.read()
        self.old = self.audit('old', self.site, self.capture)

    def run(self, *arguments):
        return subprocess.run([self.program, *arguments], capture_output=True, text=True, env=ENVIRONMENT, cwd=self.folder, timeout=120)

    def audit(self, name, site, capture):
        for suffix, data in (('.yaml', site.encode()), ('.pcapng', capture)):
            with open(os.path.join(self.folder, name + suffix), 'wb') as f:
                f.write(data)
        done = self.run('check', '-q', '-s', name + '.yaml', '-o', name + '.db', name + '.pcapng')
        if done.returncode not in (0, 1):
            raise SystemExit(f'{name}: {done.stderr}')
        return name + '.db'

    def replaced(self, old, new):
        if old not in self.site:
            raise SystemExit(f'the sample site has no {old!r}')
        return self.site.replace(old, new)

    def compare(self, new, old=None):
        done = self.run('diff', old or self.old, new, '--format', 'json')
        if done.returncode not in (0, 1):
            raise SystemExit(done.stderr)
        d = json.loads(done.stdout)
        text = self.run('diff', old or self.old, new)
        if text.returncode != done.returncode:
            self.wrong.append(f'{new}: text ends with {text.returncode}, json with {done.returncode}')
        return done.returncode, d

    def expect(self, what, have, meant):
        self.n += 1
        if have != meant:
            self.wrong.append(f'{what}:\n  have {have}\n  want {meant}')


def changes(d):
    return [(c['what'], c['name']) for c in d['changes']]


def told(items):
    """Entries that differ: what, kind, client, server, port, cause."""
    found = []
    for e in items:
        if e['what'] != 'persisting':
            i = e['new'] or e['old']
            found.append((e['what'], i['kind'], i['client_name'] or i['client'], i['server_name'] or i['server'], i['server_port'] or i['row_id'],
                          e['cause']))
    return sorted(found)


def check_same(bench):
    status, d = bench.compare(bench.old)
    bench.expect('an audit and itself', (status, changes(d), told(d['findings']), told(d['expectations'])), (0, [], [], []))
    again = bench.audit('again', '# another comment\n' + bench.site, bench.capture)
    status, d = bench.compare(again)
    bench.expect('another comment in the site file', (status, changes(d), told(d['findings'])), (0, [], []))


def check_option(bench):
    status, d = bench.compare(bench.audit('option', bench.replaced('https: on', 'https: off'), bench.capture))
    bench.expect('an option', (status, d['changes']), (1, [{'what': 'option', 'name': 'https', 'was': 'on', 'is': 'off'}]))
    found = told(d['findings'])
    bench.expect('findings by an option', found, [
        ('gone', 'option-off', 'desks', 'unity1', '80', 'site'),
        ('new', 'option-off', 'admin1', 'unity1', '443', 'site'),
        ('new', 'option-off', 'desks', 'unity1', '443', 'site')])
    bench.expect('their reason', {e['why'] for e in d['findings'] if e['what'] != 'persisting'}, {'option https: on -> off'})
    gone = [e for e in d['findings'] if e['what'] == 'gone']
    bench.expect('what is gone was seen', [(e['covered'], 'allowed by row pca-http' in e['coverage']) for e in gone], [('yes', True)])


def check_host(bench):
    site = bench.replaced('  gc2:    {addresses: [10.20.2.12], roles: [gc]}\n', '')
    status, d = bench.compare(bench.audit('host', site, bench.capture))
    bench.expect('a host', (status, changes(d)), (1, [('host', 'gc2')]))
    differing = [e for e in d['findings'] + d['expectations'] if e['what'] != 'persisting']
    bench.expect('all by the host', {(e['cause'], e['why']) for e in differing if (e['new'] or e['old'])['kind'] != 'site'},
                 {('site', 'host gc2: 10.20.2.12; gc -> (not there)')})
    bench.expect('and something by the host', len(differing) > 0, True)


def check_traffic(bench):
    more = with_packet(bench.capture, udp_frame('10.20.6.10', '10.20.1.10', 9999))
    path = bench.audit('traffic', bench.site, more)
    status, d = bench.compare(path)
    bench.expect('a flow more', (status, changes(d), told(d['findings']), told(d['expectations'])),
                 (1, [], [('new', 'no-row', 'admin1', 'unity1', '9999', 'traffic')], []))
    bench.expect('its reason', [e['why'] for e in d['findings'] if e['what'] == 'new'], ['the old audit has no such flow'])
    status, d = bench.compare(bench.old, old=path)
    bench.expect('a flow less', told(d['findings']), [('gone', 'no-row', 'admin1', 'unity1', '9999', 'traffic')])
    gone = [e for e in d['findings'] if e['what'] == 'gone']
    bench.expect('it could have been seen', [(e['covered'], 'saw both hosts' in e['coverage']) for e in gone], [('yes', True)])


def check_unseen(bench):
    """Findings about hosts of which the new audit saw nothing."""
    more = with_packet(bench.capture, udp_frame('10.20.8.59', '10.20.1.10', 9999))
    status, d = bench.compare(bench.old, old=bench.audit('seen', bench.site, more))
    gone = [e for e in d['findings'] if e['what'] == 'gone']
    bench.expect('its client was not seen', [(e['covered'], 'not desks' in e['coverage']) for e in gone], [('partly', True)])


def check_all(bench):
    """One option, one host and one flow at once: exactly these."""
    site = bench.replaced('https: on', 'https: off').replace('gc2:    {addresses: [10.20.2.12], roles: [gc]}',
                                                            'gc2:    {addresses: [10.20.2.12], roles: [gc, dns]}')
    more = with_packet(bench.capture, udp_frame('10.20.6.10', '10.20.1.10', 9999))
    status, d = bench.compare(bench.audit('all', site, more))
    bench.expect('all at once: changes', (status, changes(d)), (1, [('option', 'https'), ('host', 'gc2')]))
    bench.expect('all at once: new', [f for f in told(d['findings']) if f[0] == 'new'], [
        ('new', 'no-row', 'admin1', 'unity1', '9999', 'traffic'),
        ('new', 'option-off', 'admin1', 'unity1', '443', 'site'),
        ('new', 'option-off', 'desks', 'unity1', '443', 'site')])


    page = bench.run('report', '--format', 'html', '--earlier', bench.old, 'all.db').stdout
    bench.expect('the section in html', [words in page for words in (
        'id="differences"', '<td>option<td>https<td>on<td>off', 'the old audit has no such flow')], [True] * 3)
    plain = bench.run('report', '--format', 'html', 'all.db').stdout
    bench.expect('no section without an earlier audit', 'differences' in plain, False)


def check_exception(bench):
    start = bench.site.index('exceptions:')
    status, d = bench.compare(bench.audit('exception', bench.site[:start], bench.capture))
    changed = [(e['old']['waived_by'], e['new']['waived_by'], e['cause']) for e in d['findings'] if e['what'] == 'changed']
    bench.expect('an exception withdrawn', ('exception', 'EX-1') in changes(d) and set(changed), {('EX-1', None, 'site')})


def check_usage(bench):
    for arguments, status in ((['old.db'], 2), (['old.db', 'none.db'], 2), (['old.db', 'old.db', '--format', 'html'], 2),
                              (['old.db', 'old.db', '--new-run', '7'], 2), (['old.db', 'old.db', '--old-run', '1'], 0)):
        bench.expect(f'diff {" ".join(arguments)}', bench.run('diff', *arguments).returncode, status)


def main():
    with flowdb.scratch() as folder:
        bench = Bench(os.path.abspath(sys.argv[1]), sys.argv[2], folder)
        for check in (check_same, check_option, check_host, check_traffic, check_unseen, check_all, check_exception, check_usage):
            check(bench)
        print(f'{bench.n} checks, {len(bench.wrong)} wrong', *bench.wrong, sep='\n')
        return 1 if bench.wrong else 0


if __name__ == '__main__':
    sys.exit(main())
