#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Same bytes, same record, same reports.

usage: same.py FLOWAUDIT SOURCE_ROOT

The record (every view) and the reports in every format are compared byte for byte between two runs, between 1, 2, 3 and 4 workers, between orders in
which several inputs are given, and (but for what names the file) between a capture and its compressed copies.  Among the inputs is a
scan that goes beyond the number of conversations that are kept one by one, queries and negotiated ports beyond theirs, and captures joined in the wrong order of time.
"""
import gzip
import os
import random
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

FORMATS = [('text',), ('text', '-v'), ('csv', '--table', 'findings'), ('csv', '--table', 'conversations'), ('json',), ('ndjson',)]
OF_THE_FILE = {('inputs', 'path'), ('inputs', 'sha256'), ('inputs', 'bytes'),
               ('seals', 'sha256'), ('seals', 'manifest')}


def reports(program, audit):
    texts = []
    for format, *more in FORMATS:
        done = subprocess.run([program, 'report', audit.path, '--format', format, *more], capture_output=True, timeout=60)
        texts.append((format, ' '.join(more), done.returncode, done.stdout))
    return texts


def outcome(program, site, paths, *options, leave_out=(), with_reports=True, flows='all'):
    with flowdb.scratch() as directory:
        audit = flowdb.Audit(program, site, paths, '--flows', flows, *options, directory=directory)
        result = [('status', audit.status, audit.fault())] + audit.dump(leave_out)
        if with_reports:
            result += reports(program, audit)
        audit.close()
    return result


def compare(name, first, other):
    if first == other:
        return 0
    pair = next(((a, b) for a, b in zip(first, other) if a != b), (len(first), len(other)))
    print(f'{name}: differs\n   {pair[0]}\n   {pair[1]}'[:2000])
    return 1


# --- a scan ------------------------------------------------------------------------------------------------------

def ipv4_checksum(header):
    total = sum(struct.unpack('!10H', header))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff


def syn(source, target, port, number):
    header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 40, number & 0xffff, 0, 64, 6, 0, source, target)
    header = header[:10] + struct.pack('!H', ipv4_checksum(header)) + header[12:]
    tcp = struct.pack('!HHIIBBHHH', 40000, port, number, 0, 0x50, 2, 1024, 0, 0)
    return bytes(12) + b'\x08\0' + header + tcp


def write(path, packets):
    """(seconds, frame) as a capture."""
    with open(path, 'wb') as out:
        out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for at, frame in packets:
            out.write(struct.pack('<IIII', int(at), int(at % 1 * 1000000), len(frame), len(frame)) + frame)


def write_joined(path):
    """Captures one after the other in the wrong order of time: flows of one hour go on after packets of hours later, and more than once."""
    def hour(first, start, n_flows, n):
        flows = [(bytes([10, first, i % 200, 1 + i // 200]), bytes([10, 200, i * 7 % 250, 1])) for i in range(n_flows)]
        return [(1600000000 + start + i / 10, syn(*flows[i % n_flows], 80, 1)) for i in range(n)]

    parts = [hour(1, 0, 300, 300), hour(2, 4 * 3600, 500, 36000), hour(1, 300, 300, 300), hour(3, 8 * 3600, 500, 36000), hour(1, 600, 300, 300)]
    write(path, [packet for part in parts for packet in part])


def write_scan(path):
    """Too many ports of one pair and too many clients of one port; the order of time is none of the keys'."""
    low, high = bytes([10, 0, 0, 1]), bytes([200, 0, 0, 1])
    packets = [(low, high, 1 + i) for i in range(1500)]
    packets += [(bytes([20, 0, i >> 8, i & 255]), high, 9999) for i in range(1500)]
    random.Random(1).shuffle(packets)
    with open(path, 'wb') as out:
        out.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, (source, target, port) in enumerate(packets):
            frame = syn(source, target, port, i)
            out.write(struct.pack('<IIII', 1600000000 + i // 1000, i % 1000 * 1000, len(frame), len(frame)) + frame)


# --- more than is kept of what workers find out for each other --------------------------------------------------------

SMALL = ('site: small\nmatrix: cisco-unity-5x-exchange\noptions: {sip: on}\nhosts:\n  unity1: {addresses: [10.20.1.10], roles: [unity-primary]}\n'
         '  dns1: {addresses: [10.20.2.53], roles: [dns]}\n  sipgw1: {addresses: [10.20.5.10], roles: [sip-endpoint]}\n')
UNITY1, DNS1, SIPGW1 = bytes((10, 20, 1, 10)), bytes((10, 20, 2, 53)), bytes((10, 20, 5, 10))


def udp(source, target, sport, dport, payload=b''):
    header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0, source, target)
    return bytes(12) + b'\x08\0' + header + struct.pack('!HHHH', sport, dport, 8 + len(payload), 0) + payload


def write_queries(path):
    """Broadcasts of 80 hosts, and answers to 500 of dns1: some of those are to queries that are not kept."""
    packets = [(1772000010 + (h * 4500 + i) * 20e-6, udp(bytes((10, 30, h % 7, 1 + h)), b'\xff' * 4, 1024 + i, 9990)) for h in range(80) for i in range(4500)]
    end = 1772000010 + 80 * 4500 * 20e-6
    for i in range(500):
        packets += [(end + i / 1000, udp(DNS1, b'\xff' * 4, 500 + i, 700)), (end + i / 1000 + 0.0002, udp(UNITY1, DNS1, 700, 500 + i))]
    write(path, packets)


def write_promises(path):
    """Ports that SIP messages name, 430,000 of anyone's and 300 of calls to unity1 that are used."""
    def invite(source, target, call, media, ports):
        sdp = b'v=0\r\no=- 1 1 IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\n' % (media, media) + b''.join(b'm=audio %d RTP/AVP 0\r\n' % port for port in ports)
        text = (b'INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK%d\r\nFrom: <sip:b@c>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: %d\r\nCSeq: 1 INVITE\r\n'
                b'Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n' % (call, call, len(sdp)))
        return udp(source, target, 5060, 5060, text + sdp)

    packets = []
    for k in range(4800):
        media, ports = b'10.99.%d.%d' % (k % 250, 1 + k // 250), [2000 + (k * 97 + n * 2) % 60000 for n in range(45)]
        packets.append((1772000010 + k / 1000, invite(bytes((10, 30, k % 60, 1 + k % 60)), bytes((10, 31, 0, 1 + k % 60)), k, media, ports)))
    for k in range(300):
        at = 1772000020 + k / 100
        packets.append((at, invite(SIPGW1, UNITY1, 100000 + k, b'10.20.5.10', [40000 + 2 * k])))
        packets += [(at + n / 50, udp(UNITY1, SIPGW1, 23000 + 2 * k, 40000 + 2 * k, b'\x11\x22' * 40)) for n in range(1, 6)]
    write(path, sorted(packets))


def same_beyond_bounds(program, directory):
    """What is not kept is the same with any number of workers, there is some of it, and what rests on it differs from one to the next."""
    site, failed = os.path.join(directory, 'small.yaml'), 0
    with open(site, 'w', encoding='utf-8') as out:
        out.write(SMALL)
    for name, make, counter, query in (
            ('queries', write_queries, 'group-queries-not-kept', "SELECT count(DISTINCT verdict) AS n FROM conversations WHERE client_name = 'unity1' OR server_name = 'unity1'"),
            ('promises', write_promises, 'negotiated-ports-not-kept', "SELECT count(DISTINCT parent IS NULL) AS n FROM conversations WHERE server_name = 'sipgw1' AND server_port >= 40000")):
        path = os.path.join(directory, f'{name}.pcap')
        make(path)
        failed += same_twice_and_sharded(program, site, f'{name} beyond their bound', [path], flows='violations')
        audit = flowdb.Audit(program, site, [path], directory=directory)
        lost, words = audit.rows('SELECT value FROM counters WHERE name = ?', counter)[0]['value'], audit.rows(query)[0]['n']
        text = subprocess.run([program, 'report', audit.path], capture_output=True, text=True, check=False).stdout.split('WHAT WAS')[0]
        audit.close()
        if lost == 0 or words != 2 or str(lost) not in text:
            print(f'{name} beyond their bound: {lost} are not kept, {words} kinds of results; {text}')
            failed += 1
    return failed


# --- the comparisons ---------------------------------------------------------------------------------------------

def same_twice_and_sharded(program, site, name, paths, **how):
    first = outcome(program, site, paths, **how)
    failed = compare(f'{name}, a second time', first, outcome(program, site, paths, **how))
    for workers in ('2', '3', '4'):
        failed += compare(f'{name}, {workers} workers', first, outcome(program, site, paths, '-j', workers, **how))
    print(f'{name}: {len(first)} lines and reports, exit status {first[0][1]}')
    return failed


def same_in_any_order(program, site, name, paths):
    first, failed = outcome(program, site, paths), 0
    for seed in (1, 2):
        shuffled = list(paths)
        random.Random(seed).shuffle(shuffled)
        failed += compare(f'{name}, in another order', first, outcome(program, site, shuffled))
    return failed + compare(f'{name}, backwards, 4 workers', first, outcome(program, site, paths[::-1], '-j', '4'))


def copies_of(path, directory):
    """Compressed copies under the same name, for sentences name the file."""
    name = os.path.basename(path)
    os.makedirs(os.path.join(directory, 'gz'), exist_ok=True)
    with open(path, 'rb') as plain, gzip.open(os.path.join(directory, 'gz', name), 'wb') as packed:
        shutil.copyfileobj(plain, packed)
    yield os.path.join(directory, 'gz', name)
    if shutil.which('zstd'):
        os.makedirs(os.path.join(directory, 'zst'), exist_ok=True)
        subprocess.run(['zstd', '-q', '-f', path, '-o', os.path.join(directory, 'zst', name)], check=True)
        yield os.path.join(directory, 'zst', name)


def same_compressed(program, site, path, directory):
    first = outcome(program, site, [path], leave_out=OF_THE_FILE, with_reports=False)
    return sum(compare(f'{path} as {copy}', first, outcome(program, site, [copy], leave_out=OF_THE_FILE, with_reports=False))
               for copy in copies_of(path, directory))


def readable(program, site, path):
    with flowdb.scratch() as directory:
        audit = flowdb.Audit(program, site, [path], '--no-digest', directory=directory)
        audit.close()
        return audit.status in (0, 1, 3)


def main():
    program, source = sys.argv[1:3]
    folder = flowdb.shared(source, 'captures')
    if folder is None:
        print('skipped: the captures are not beside the source tree')
        return flowdb.SKIP
    samples = os.path.join(source, 'samples')
    failed = 0
    with flowdb.scratch() as directory:
        site = flowdb.full_site(directory)
        for sample in ('healthy.pcapng', 'incident.pcapng', 'web-shop.pcap'):
            path = os.path.join(samples, sample)
            failed += same_twice_and_sharded(program, path.split('.pcap')[0] + '.yaml', sample, [path])
            failed += same_compressed(program, site, path, directory)
        scan = os.path.join(directory, 'scan.pcap')
        write_scan(scan)
        joined = os.path.join(directory, 'joined.pcap')
        write_joined(joined)
        failed += same_twice_and_sharded(program, site, 'joined in the wrong order', [joined])
        failed += same_twice_and_sharded(program, site, 'scan', [scan])
        failed += same_beyond_bounds(program, directory)
        everything = [p for p in (os.path.join(folder, n) for n in sorted(os.listdir(folder))) if os.path.isfile(p) and readable(program, site, p)]
        failed += same_twice_and_sharded(program, site, f'{len(everything)} captures as one', everything)
        failed += same_in_any_order(program, site, f'{len(everything)} captures as one', everything)
    print(f'{failed} differences')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
