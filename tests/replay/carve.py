#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The packets of findings: as many as the record counts, each with its comment, the same bytes twice, and the same finding again when judged alone.

usage: carve.py FLOWAUDIT SOURCE_ROOT
"""
import collections
import os
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import weaker

KEY = "kind, coalesce(client, ''), coalesce(server, ''), coalesce(transport, ''), coalesce(server_port, ''), coalesce(outcome, '')"
EACH_KIND = 3  # findings of a kind and capture that are tried
WITHOUT_PACKETS = ('missing', 'site')


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def options(data):
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from('<HH', data, at)
        if code == 0:
            return
        yield code, data[at + 4:at + 4 + size]
        at += 4 + (size + 3) // 4 * 4


def read_pcapng(path):
    """The section's comment, and (frame, comment) of each packet."""
    with open(path, 'rb') as f:
        data = f.read()
    at, section, packets = 0, '', []
    while at < len(data):
        kind, size = struct.unpack_from('<II', data, at)
        body = data[at + 8:at + size - 4]
        assert size % 4 == 0 and struct.unpack_from('<I', data, at + size - 4)[0] == size
        if kind == 0x0a0d0d0a:
            section = dict(options(body[16:]))[1].decode()
        elif kind == 6:
            caplen = struct.unpack_from('<I', body, 12)[0]
            comment = dict(options(body[20 + (caplen + 3) // 4 * 4:]))[1].decode()
            packets.append((body[20:20 + caplen], comment))
        at += size
    return section, packets


def write_scans(path):
    """One host tries 1,500 ports of another; 1,500 hosts try one port of it: more than are told one by one."""
    records, n = [], 0

    def put(src, dst, sport, dport, flags):
        nonlocal n
        tcp = struct.pack('!HHIIBBHHH', sport, dport, 1, 0, 0x50, flags, 1000, 0, 0)
        ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, socket.inet_aton(src), socket.inet_aton(dst))
        frame = b'\2\0\0\0\0\1\2\0\0\0\0\2\x08\0' + ip + tcp
        records.append(struct.pack('<IIII', 1772441000 + n // 1000, n % 1000 * 1000, len(frame), len(frame)) + frame)
        n += 1

    for i in range(1500):
        put('10.20.77.9', '10.20.1.10', 40000, i + 1, 2)
        put('10.20.1.10', '10.20.77.9', i + 1, 40000, 0x14)
    for i in range(1500):
        put(f'10.99.{i // 250}.{i % 250 + 1}', '10.20.1.10', 50000, 23, 2)
        put('10.20.1.10', f'10.99.{i // 250}.{i % 250 + 1}', 23, 50000, 0x14)
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1) + b''.join(records))


class Bench:
    def __init__(self, flowaudit, folder):
        self.flowaudit, self.folder, self.n, self.wrong = flowaudit, folder, 0, []
        self.db, self.out, self.again = (os.path.join(folder, name) for name in ('r.db', 'c.pcapng', 'again.pcapng'))
        self.tshark = shutil.which('tshark')

    def fail(self, *words):
        self.wrong.append(' '.join(str(w) for w in words))

    def try_finding(self, site, number, packets, key):
        kind = key[0]
        done = run(self.flowaudit, 'carve', self.db, str(number), '--out', self.out)
        if kind in WITHOUT_PACKETS:
            if done.returncode != 2 or 'no packet shows it' not in done.stderr:
                self.fail(number, kind, 'status', done.returncode, done.stderr)
            return
        if done.returncode != 0:
            self.fail(number, key, 'status', done.returncode, done.stderr)
            return
        section, frames = read_pcapng(self.out)
        n_errors = sum('; ICMP error, packet' in comment for _, comment in frames)
        if f'finding {number} ({kind}, ' not in section or not all(c.startswith(f'finding {number} ({kind}, ') for _, c in frames):
            self.fail(number, key, 'comments do not name it')
        if packets > 0 and kind != 'separated' and len(frames) - n_errors != packets:
            self.fail(number, key, len(frames), 'packets,', n_errors, 'of them errors; the record counts', packets)
        self.check_again(site, number, packets, key)
        run(self.flowaudit, 'carve', self.db, f'#{number}', '--out', self.again)
        with open(self.out, 'rb') as a, open(self.again, 'rb') as b:
            if a.read() != b.read():
                self.fail(number, key, 'other bytes the second time')
        if self.tshark:
            lines = run(self.tshark, '-r', self.out, '-T', 'fields', '-e', 'frame.comment').stdout.splitlines()
            if lines != [comment for _, comment in frames]:
                self.fail(number, key, 'tshark reads something else')
        self.n += 1

    def check_again(self, site, number, packets, key):
        db = os.path.join(self.folder, 'again.db')
        if os.path.exists(db):
            os.unlink(db)
        run(self.flowaudit, 'check', '-q', '-s', site, '-o', db, self.out)
        with sqlite3.connect(db) as c:
            rows = c.execute(f'SELECT packets, {KEY} FROM findings').fetchall()
        if not any(list(row[1:]) == key and (row[0] == packets or key[0] == 'separated') for row in rows):
            self.fail(number, key, 'is not found in its own packets')

    def try_capture(self, site, *captures):
        if os.path.exists(self.db):
            os.unlink(self.db)
        run(self.flowaudit, 'check', '-q', '-s', site, '-o', self.db, *captures)
        tried = collections.Counter()
        with sqlite3.connect(self.db) as c:
            for number, packets, *key in c.execute(f'SELECT finding_id, packets, {KEY} FROM findings ORDER BY finding_id').fetchall():
                tried[key[0]] += 1
                if tried[key[0]] <= EACH_KIND:
                    self.try_finding(site, number, packets, key)
        if not tried:
            self.fail(captures, 'no finding')

    def try_sums(self, site):
        """Of what was summed up the packets are told too, and nobody else's with them."""
        capture = os.path.join(self.folder, 'scans.pcap')
        write_scans(capture)
        os.unlink(self.db)
        run(self.flowaudit, 'check', '-q', '-s', site, '-o', self.db, capture)
        with sqlite3.connect(self.db) as c:
            sums = c.execute('SELECT f.finding_id, f.packets FROM findings f JOIN conversations c USING (run_id, conversation_id)'
                             ' WHERE c.summed > 0').fetchall()
        for number, packets in sums:
            done = run(self.flowaudit, 'carve', self.db, str(number), '--out', self.out)
            if done.returncode != 0 or len(read_pcapng(self.out)[1]) != packets:
                self.fail('sum', number, packets, done.stdout, done.stderr)
        if len(sums) != 2:
            self.fail('sums', sums)

    def try_late(self, site, capture):
        """An error that came before the first packet of its flow is there goes with it."""
        late = os.path.join(self.folder, 'late.pcap')
        packets = weaker.without_beginnings(weaker.packets_of(capture))
        weaker.write(late, packets, 262144)
        self.try_capture(site, late)
        with sqlite3.connect(self.db) as c:
            found = c.execute("SELECT finding_id, client, server FROM findings WHERE kind = 'misdropped' AND outcome = 'prohibited'").fetchall()
        for number, *ends in found:
            run(self.flowaudit, 'carve', self.db, str(number), '--out', self.out)
            pair = frozenset(socket.inet_aton(end) for end in ends)
            there, carved = (sum(weaker.quoted_ends(frame) == pair for frame in frames) for frames in (
                [frame for _, frame in packets], [frame for frame, _ in read_pcapng(self.out)[1]]))
            if carved != there or there == 0:
                self.fail('late', number, carved, 'errors of', there)
        if not found:
            self.fail('late: nothing prohibited')

    def try_cited(self, site, capture):
        """A port that was announced and not used has no flow: its packet is the one that its sentence cites."""
        os.unlink(self.db)
        run(self.flowaudit, 'check', '-q', '-s', site, '-o', self.db, '-f', 'not tcp port 49157', capture)
        with sqlite3.connect(self.db) as c:
            found = c.execute("SELECT finding_id FROM findings WHERE reason LIKE '%packet 1184 of incident.pcapng%was announced%' OR reason LIKE"
                              " '%was announced (epm-map, packet 1184 of incident.pcapng%'").fetchall()
        for number, in found:
            done = run(self.flowaudit, 'carve', self.db, str(number), '--out', self.out)
            comments = [comment for _, comment in read_pcapng(self.out)[1]] if done.returncode == 0 else []
            if len(comments) != 1 or 'packet 1184 of' not in comments[0] or '1 packet of finding' not in done.stdout or 'announced' not in done.stdout:
                self.fail('cited', number, comments, done.stdout, done.stderr)
        if len(found) != 1:
            self.fail('cited', found)

    def refusals(self, site, capture):
        """A capture that moved, one that was changed, and what is named wrongly."""
        moved = os.path.join(self.folder, 'moved')
        os.mkdir(moved)
        here = shutil.copy(capture, os.path.join(self.folder, 'here.pcapng'))
        os.unlink(self.db)
        run(self.flowaudit, 'check', '-q', '-s', site, '-o', self.db, here)
        os.rename(here, os.path.join(moved, 'another-name'))
        tries = [((), 2, 'sha256'), ((), 2, f'is not where it was ({here}), nor beside the record in {self.folder}'), (('--from', moved), 0, '')]
        for extra, status, words in tries:
            done = run(self.flowaudit, 'carve', self.db, '1', '--out', self.again, *extra)
            if done.returncode != status or words not in done.stderr:
                self.fail('moved', extra, done.returncode, done.stderr)
        with open(os.path.join(moved, 'another-name'), 'r+b') as f:
            f.seek(-1, os.SEEK_END)
            last = f.read(1)
            f.seek(-1, os.SEEK_END)
            f.write(bytes([last[0] ^ 1]))
        os.unlink(self.again)
        done = run(self.flowaudit, 'carve', self.db, '1', '--out', self.again, '--from', moved)
        if done.returncode != 2 or os.path.exists(self.again):
            self.fail('changed capture taken', done.returncode)
        for words in (['carve', self.db, '9999', '--out', self.again], ['carve', self.db, '0', '--out', self.again], ['carve', self.db, '1'],
                      ['carve', self.db, '1', '--run', '7', '--out', self.again], ['carve', self.db, '1', '--from', moved, '--out', '/nowhere/x']):
            done = run(self.flowaudit, *words)
            if done.returncode != 2 or not done.stderr.startswith('flowaudit'):
                self.fail(words, done.returncode, done.stderr)
        self.keeps_what_is_there(site, capture)
        left = sorted(name for name in os.listdir(self.folder) if '.pcapng.' in name)
        if left:
            self.fail('left behind:', left)

    def keeps_what_is_there(self, site, capture):
        """Captures, the record and pipes are not written over, whatever they are called by; a link stays a link."""
        first, second = (shutil.copy(capture, os.path.join(self.folder, name)) for name in ('first.pcapng', 'second.pcapng'))
        fifo, link, target = (os.path.join(self.folder, name) for name in ('fifo', 'link', 'target.pcapng'))
        os.unlink(self.db)
        run(self.flowaudit, 'check', '-q', '-s', site, '-o', self.db, second)
        elsewhere = os.path.join(self.folder, 'elsewhere')
        os.mkdir(elsewhere)
        os.rename(second, os.path.join(elsewhere, 'second.pcapng'))
        run(self.flowaudit, 'check', '-q', '-s', site, '-o', self.db, first)
        os.mkfifo(fifo)
        for out, options in ((first, ()), (self.db, ()), (fifo, ()), (os.path.join(elsewhere, 'second.pcapng'), ('--run', '1', '--from', elsewhere))):
            before = None if out == fifo else open(out, 'rb').read()
            done = run(self.flowaudit, 'carve', self.db, '1', '--out', out, *options)
            if done.returncode != 2 or 'need a file of their own' not in done.stderr:
                self.fail('written over', out, done.returncode, done.stderr)
            if before is not None and open(out, 'rb').read() != before:
                self.fail('changed', out)
        open(target, 'wb').close()
        os.symlink(target, link)
        for again in range(2):
            done = run(self.flowaudit, 'carve', self.db, '1', '--out', link)
            if done.returncode != 0 or not os.path.islink(link) or os.path.getsize(target) == 0:
                self.fail('a link', again, done.returncode, done.stderr)


def main():
    flowaudit, source = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    samples, lab = os.path.join(source, 'samples'), os.path.join(source, '..', 'shared', 'captures-lab')
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(flowaudit, folder)
        incident = os.path.join(samples, 'incident.pcapng')
        bench.try_capture(os.path.join(samples, 'incident.yaml'), incident)
        bench.try_capture(os.path.join(samples, 'incident.yaml'), os.path.join(samples, 'healthy.pcapng'), incident)
        bench.try_capture(os.path.join(samples, 'web-shop.yaml'), os.path.join(samples, 'web-shop.pcap'))
        bench.try_late(os.path.join(samples, 'incident.yaml'), incident)
        bench.try_sums(os.path.join(samples, 'incident.yaml'))
        bench.try_cited(os.path.join(samples, 'incident.yaml'), incident)
        bench.refusals(os.path.join(samples, 'incident.yaml'), incident)
        for name in ('missing', 'violating'):
            if os.path.exists(os.path.join(lab, name + '.pcap')):
                bench.try_capture(os.path.join(lab, name + '.site.yaml'), os.path.join(lab, name + '.pcap'))
            else:
                print(f'skipped: {name}.pcap is not here')
        for line in bench.wrong:
            print('FAIL', line)
        print(f'{bench.n} findings, {len(bench.wrong)} faults' + ('' if bench.tshark else '; not read by tshark, which is not here'))
        return 1 if bench.wrong or bench.n == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
