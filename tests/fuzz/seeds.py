#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes seeds for the fuzz targets, from the samples and the rules.

usage: seeds.py SOURCE_ROOT OUT
"""
import gzip
import os
import random
import shutil
import struct
import subprocess
import sys
import uuid

SOURCE, OUT = sys.argv[1:3]
RANDOM = random.Random(20260302)


def put(target, name, data):
    folder = os.path.join(OUT, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(data)


def frames_of(path):
    """(bytes on the wire beyond those captured, frame) of a little-endian Ethernet pcap or pcapng."""
    with open(path, 'rb') as f:
        data = f.read()
    frames, at = [], 0
    if data[:4] == b'\xd4\xc3\xb2\xa1':
        at = 24
        while at + 16 <= len(data):
            cap, wire = struct.unpack_from('<II', data, at + 8)
            frames.append((wire - cap, data[at + 16:at + 16 + cap]))
            at += 16 + cap
        return data, frames
    while at + 12 <= len(data):
        kind, size = struct.unpack_from('<II', data, at)
        if kind == 6:
            cap, wire = struct.unpack_from('<II', data, at + 20)
            frames.append((wire - cap, data[at + 28:at + 28 + cap]))
        at += size
    return data, frames


def inner(frame):
    """The IP packet of an Ethernet frame."""
    at = 12
    while frame[at:at + 2] in (b'\x81\x00', b'\x88\xa8'):
        at += 4
    return frame[at:at + 2], frame[at + 2:]


def udp_in_ip(port, payload):
    udp = struct.pack('>HHHH', 40000, port, 8 + len(payload), 0) + payload
    return struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, b'\x0a\0\0\1', b'\x0a\0\0\2') + udp


def ip4(protocol, payload):
    return struct.pack('>BBHHHBBH4s4s', 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, b'\x0a\0\0\1', b'\x0a\0\0\2') + payload


def ip6(protocol, payload):
    return struct.pack('>IHBB', 0x60000000, len(payload), protocol, 64) + b'\xfd' + bytes(15) + b'\xfd' + bytes(14) + b'\1' + payload


def wraps(frame):
    """The same packet below other link layers and in tunnels: (link type, frame)."""
    kind, ip = inner(frame)
    mac = frame[:12]
    if kind != b'\x08\x00':
        return
    for linktype in (101, 228, 12, 14):
        yield linktype, ip
    yield 113, struct.pack('>HHH8s', 0, 1, 6, bytes(8)) + kind + ip
    yield 276, kind + struct.pack('>HIHBB8s', 0, 2, 1, 0, 6, bytes(8)) + ip
    yield 0, struct.pack('<I', 2) + ip
    yield 108, struct.pack('>I', 2) + ip
    yield 9, b'\xff\x03\x00\x21' + ip
    yield 50, b'\xff\x03\x00\x21' + ip
    yield 51, struct.pack('>BBHH', 0x11, 0, 1, len(ip) + 2) + b'\x00\x21' + ip
    yield 104, b'\x0f\x00\x08\x00' + ip
    yield 239, struct.pack('<BBHHHIHH', 2, 0, 0, 8, 1, 0, len(ip) + 4, 9) + ip
    yield 1, mac + b'\x88\xa8\x00\x01\x81\x00\x00\x02' + kind + ip
    yield 1, mac + b'\x88\x47' + struct.pack('>II', 1 << 12 | 64, 2 << 12 | 0x100 | 64) + ip
    yield 1, mac + b'\x88\x47' + struct.pack('>II', 1 << 12 | 0x100 | 64, 0) + frame
    yield 1, mac + b'\x88\x64' + struct.pack('>BBHHH', 0x11, 0, 1, len(ip) + 2, 0x21) + ip
    yield 1, mac + struct.pack('>H', len(ip) + 8) + b'\xaa\xaa\x03\0\0\0\x08\x00' + ip
    gre = b'\x08\x00' + ip4(47, b'\xb0\x00\x08\x00' + bytes(12) + ip)
    yield 1, mac + gre
    yield 1, mac + b'\x08\x00' + ip4(47, b'\x00\x00\x65\x58' + frame)
    yield 1, mac + b'\x08\x00' + ip4(47, b'\x30\x81\x88\x0b' + struct.pack('>HHII', len(ip) + 2, 1, 1, 1) + b'\xff\x03\x00\x21'[2:] + ip)
    yield 1, mac + b'\x08\x00' + ip4(47, b'\x10\x00\x88\xbe' + struct.pack('>III', 1, 0x10000000, 0)[:12] + frame)
    yield 1, mac + b'\x08\x00' + ip4(47, b'\x10\x00\x22\xeb' + struct.pack('>IIII', 1, 0x20000000, 0, 0) + frame)
    yield 1, mac + b'\x08\x00' + ip4(4, ip)
    yield 1, mac + b'\x08\x00' + ip4(41, ip6(17, ip[20:]))
    yield 1, mac + b'\x86\xdd' + ip6(4, ip)
    yield 1, mac + b'\x86\xdd' + ip6(0, b'\x3c\x00' + bytes(6) + b'\x2b\x00' + bytes(6) + b'\x06\x00' + bytes(6) + ip[20:])
    yield 1, mac + b'\x86\xdd' + ip6(44, b'\x11\x00\x00\x01\x00\x00\x00\x07' + ip[20:])
    yield 1, mac + b'\x86\xdd' + ip6(44, b'\x11\x00\x00\x08\x00\x00\x00\x07' + ip[20:])
    yield 1, mac + b'\x86\xdd' + ip6(51, b'\x06\x04' + bytes(22) + ip[20:])
    yield 1, mac + b'\x86\xdd' + ip6(58, b'\x01\x04\0\0\0\0\0\0' + ip6(17, ip[20:]))
    yield 1, mac + b'\x86\xdd' + ip6(58, b'\x80\0\0\0')
    yield 1, mac + b'\x08\x00' + ip4(51, b'\x06\x04' + bytes(22) + ip[20:])
    yield 1, mac + b'\x08\x00' + ip4(50, bytes(16))
    yield 1, mac + b'\x08\x00' + ip4(2, bytes(8))
    yield 1, mac + b'\x08\x00' + ip4(1, b'\x03\x0d\0\0\0\0\0\0' + ip[:28])
    yield 1, mac + b'\x08\x00' + ip4(1, b'\x08\x00\0\0\0\0\0\0')
    yield 1, mac + b'\x08\x00' + udp_in_ip(4789, b'\x08\0\0\0\0\0\1\0' + frame)
    yield 1, mac + b'\x08\x00' + udp_in_ip(6081, b'\x01\0\x65\x58\0\0\1\0' + bytes(4) + frame)
    yield 1, mac + b'\x08\x06' + bytes(28)
    yield 1, mac + b'\x88\xcc' + bytes(28)
    fragment = bytearray(ip)
    fragment[6:8] = b'\x20\x00'
    yield 1, mac + kind + bytes(fragment)
    fragment[6:8] = b'\x20\x40'
    yield 1, mac + kind + bytes(fragment)


def flows_of(frames):
    """{(udp, ends): [(side, payload)]}, side 0 is the sender of the first packet."""
    flows = {}
    for _, frame in frames:
        kind, ip = inner(frame)
        if kind != b'\x08\x00' or ip[9] not in (6, 17):
            continue
        header = (ip[0] & 15) * 4
        total = struct.unpack_from('>H', ip, 2)[0]
        segment = ip[header:total]
        if len(segment) < 8 or (ip[9] == 6 and len(segment) < 20):
            continue
        ends = (ip[12:16] + segment[:2], ip[16:20] + segment[2:4])
        key = (ip[9] == 17, ends) if (ip[9] == 17, ends[::-1]) not in flows else (ip[9] == 17, ends[::-1])
        flow = flows.setdefault(key, [])
        payload = segment[8:] if ip[9] == 17 else segment[(segment[12] >> 4) * 4:]
        if payload:
            flow.append((0 if key[1] == ends else 1, payload))
    return {key: pieces for key, pieces in flows.items() if pieces}


def ports(ends):
    return struct.unpack('>H', ends[0][4:])[0], struct.unpack('>H', ends[1][4:])[0]


def seed_frames(name, frames):
    for i in range(0, len(frames), max(1, len(frames) // 120)):
        beyond, frame = frames[i]
        put('decode', f'{name}-{i}', struct.pack('>HH', 1, min(beyond, 65535)) + frame)
    for i, (linktype, frame) in enumerate(wraps(frames[len(frames) // 2][1])):
        put('decode', f'{name}-wrap-{i}', struct.pack('>HH', linktype, 0) + frame[:400])


def seed_flows(name, frames):
    seen = {}
    for (udp, ends), pieces in flows_of(frames).items():
        sport, dport = ports(ends)
        count = seen[udp, dport] = seen.get((udp, dport), 0) + 1
        if count > 2:
            continue
        label = f'{name}-{"udp" if udp else "tcp"}-{dport}-{count}'
        data = bytes([udp]) + struct.pack('>H', dport)
        for side, payload in pieces[:8]:
            data += bytes([side]) + struct.pack('>H', len(payload)) + payload
        put('classify', label, data)
        for i, (side, payload) in enumerate(pieces[:3]):
            a, b = (sport, dport) if side == 0 else (dport, sport)
            put('confirm', f'{label}-{i}', bytes([udp | (i == 0) << 1]) + struct.pack('>HHH', a, b, 0) + payload[:600])
        index = {135: 0, 5060: 1, 2000: 2}.get(dport, 3)
        data = bytes([udp | index << 1])
        for side, payload in pieces[:24]:
            data += bytes([side]) + struct.pack('>H', len(payload)) + payload
        put('pinhole', label, data[:8192])


def seed_captures(name, data):
    head = data[:6000]
    put('capture', f'{name}-head', struct.pack('>H', 0) + head)
    put('capture', f'{name}-small-blocks', struct.pack('>H', 101) + head[:3000])
    put('capture', f'{name}-gzip', struct.pack('>H', 0) + gzip.compress(head))
    if shutil.which('zstd'):
        put('capture', f'{name}-zstd', struct.pack('>H', 0) + subprocess.run(['zstd', '-c'], input=head, capture_output=True, check=True).stdout)
    for i, at in enumerate((0, 1, 5, 200, 0x8000 | 40, 1000)):
        put('audit', f'{name}-{i}', struct.pack('>HB', at, i) + data[:4000 + 6000 * (i % 2)])


def swap_pcap(data, nanoseconds):
    """Big-endian, and the magic of nanoseconds."""
    out, at = struct.pack('>IHHiIII', 0xa1b23c4d if nanoseconds else 0xa1b2c3d4, *struct.unpack_from('<HHiIII', data, 4)), 24
    while at + 16 <= min(len(data), 4000):
        record = struct.unpack_from('<IIII', data, at)
        out += struct.pack('>IIII', *record) + data[at + 16:at + 16 + record[2]]
        at += 16 + record[2]
    return out


def pcapng_forms():
    """Blocks that the samples do not have, in either byte order."""
    for order in '<>':
        def block(kind, body):
            size = 12 + (len(body) + 3) // 4 * 4
            return struct.pack(order + 'II', kind, size) + body + bytes(size - 12 - len(body)) + struct.pack(order + 'I', size)

        section = block(0x0a0d0d0a, struct.pack(order + 'IHHq', 0x1a2b3c4d, 1, 0, -1))
        interface = block(1, struct.pack(order + 'HHIHHB3xHHqHH', 1, 0, 64, 9, 1, 9, 14, 8, 100, 0, 0))
        other = block(1, struct.pack(order + 'HHI', 101, 0, 0))
        packet = block(6, struct.pack(order + 'IIIII', 0, 0x123, 0x456, 60, 90) + bytes(60) + struct.pack(order + 'HHqHH', 4, 8, 3, 0, 0))
        simple = block(3, struct.pack(order + 'I', 40) + bytes(40))
        old = block(2, struct.pack(order + 'HHIIII', 0, 1, 0x123, 0x456, 20, 20) + bytes(20))
        statistics = block(5, struct.pack(order + 'III', 0, 1, 2) + struct.pack(order + 'HHqHHqHH', 5, 8, 7, 7, 8, 9, 0, 0))
        yield section + interface + other + packet + simple + old + statistics + section + interface + packet + block(0xbad, b'abc')


def text_seeds():
    def read(*parts):
        with open(os.path.join(SOURCE, *parts), 'rb') as f:
            return f.read()

    for name in sorted(os.listdir(os.path.join(SOURCE, 'samples'))):
        if name.endswith('.yaml'):
            put('rules', name, read('samples', name))
    put('rules', 'web-shop', read('rules', 'web-shop.yaml') + b'\n%%\n' + read('samples', 'web-shop.yaml'))
    matrix = read('rules', 'cisco-unity-5x-exchange.yaml')
    put('rules', 'unity', matrix + b'\n%%\n' + read('samples', 'incident.yaml'))
    put('rules', 'small', b'options: {cache: on, fast: both}\nparameters: {db_port: [5433, 5436-5439]}\nwithin: 90m\nhosts:\n'
        b'  a: {addresses: [10.0.0.0/30, "fd00::1"], roles: [web]}\n  b: {addresses: [10.0.0.4-10.0.0.6], roles: [db]}\n'
        b'expect: {web-db: {within: 2h, servers: every}, web-cache: required}\nignore:\n  - {network: 10.9.0.0/24, reason: backup}\n'
        b'exceptions:\n  - {id: X, client: a, server: b, port: tcp/22, owner: N, reason: r, until: 2027-01-31}\n')


HOSTILE = [b'\x1b[31m', b'=cmd|x', b'<script>alert(1)</script>', b'\xff\xfe', b'"\'\n\r', b'\xe2\x80\xae', b'a' * 200, b'%s%n', b'&amp;', b'-- ', b'{"a":[']


def random_seeds():
    for i in range(60):
        put('flow', f'random-{i}', bytes([i % 4]) + RANDOM.randbytes(12 * RANDOM.randrange(1, 60)))
        changes = bytes([1 << i % 6])
        for _ in range(RANDOM.randrange(1, 6)):
            kind = RANDOM.choice((0, 1, 2, 2, 2, 3, 255))
            text = RANDOM.choice(HOSTILE)
            value = {0: RANDOM.randbytes(8), 1: RANDOM.randbytes(1), 255: b''}.get(kind, bytes([len(text) if kind == 2 else len(text) // 16]) + text)
            changes += bytes([RANDOM.randrange(256), RANDOM.randrange(256), RANDOM.randrange(256), kind]) + value
        put('report', f'random-{i}', changes)
        patches = struct.pack('>I', 0 if i % 3 else RANDOM.randrange(1 << 20))
        for _ in range(RANDOM.randrange(0, 5)):
            patch = RANDOM.randbytes(RANDOM.choice((1, 1, 2, 4, 40)))
            patches += struct.pack('>IB', RANDOM.choice((RANDOM.randrange(1 << 20), RANDOM.randrange(100), 4096 * RANDOM.randrange(60) + RANDOM.randrange(20))),
                                   len(patch)) + patch
        put('store', f'random-{i}', patches)


def rpc_pdu(order, kind, call, body):
    """A whole fragment of connection-oriented DCE/RPC (C706, 12.6.3)."""
    head = struct.pack('BBBB4s', 5, 0, kind, 3, b'\x10\0\0\0' if order == '<' else bytes(4))
    return head + struct.pack(order + 'HHI', 16 + len(body), 0, call) + body


def dcom_seeds():
    """Object references (MS-DCOM 2.2.19), which no sample has: a bind, its acceptance, a call, and the bindings in its answer."""
    ndr = uuid.UUID('8a885d04-1ceb-11c9-9fe8-08002b104860')
    lists = (['10.0.0.7[5001]', 'exch1[5001]'], ['fd00::7[5020]', '10.0.0.7', 'dual.example[49152]'], ['10.0.0.7[0]', 'x[99999]', '[1]', 'exch1[135]', 'exch1[135]'])
    calls = (('99fcfec4-5260-101b-bbcb-00aa0021347a', 0), ('99fcfec4-5260-101b-bbcb-00aa0021347a', 4),
             ('000001a0-0000-0000-c000-000000000046', 3), ('000001a0-0000-0000-c000-000000000046', 4))
    for order, (interface, opnum), bindings in ((o, c, b) for o in '<>' for c in calls for b in lists):
        def syntax(of, version):
            return (of.bytes_le if order == '<' else of.bytes) + struct.pack(order + 'I', version)

        def words(text):
            return struct.pack(f'{order}{len(text) + 1}H', *text.encode(), 0)

        array = b''.join(struct.pack(order + 'H', 7) + words(text) for text in bindings) + bytes(4)
        answer = struct.pack(order + 'IIHH', 0x20000, len(array) // 2, len(array) // 2, len(array) // 2 - 1) + array + bytes(-len(array) % 4 + 4)
        pieces = [(0, rpc_pdu(order, 11, 1, struct.pack(order + 'HHIBBHHBB', 5840, 5840, 0, 1, 0, 0, 5, 1, 0) + syntax(uuid.UUID(interface), 0) + syntax(ndr, 2))),
                  (1, rpc_pdu(order, 12, 1, struct.pack(order + 'HHIH4sHBBHHH', 5840, 5840, 77, 4, b'135', 0, 1, 0, 0, 0, 0) + syntax(ndr, 2))),
                  (0, rpc_pdu(order, 0, 2, struct.pack(order + 'IHH', 8, 5, opnum) + b'whatever')),
                  (1, rpc_pdu(order, 2, 2, struct.pack(order + 'IHBB', len(answer), 5, 0, 0) + answer))]
        for port in (0, 3):
            name = f'dcom-{"little" if order == "<" else "big"}-{interface[:8]}-{opnum}-{lists.index(bindings)}-{port}'
            put('pinhole', name, bytes([port << 1]) + b''.join(bytes([side]) + struct.pack('>H', len(pdu)) + pdu for side, pdu in pieces))


def main():
    for name in ('web-shop.pcap', 'healthy.pcapng', 'incident.pcapng'):
        data, frames = frames_of(os.path.join(SOURCE, 'samples', name))
        seed_frames(name, frames)
        seed_flows(name, frames)
        seed_captures(name, data)
        if name.endswith('.pcap'):
            for i in range(2):
                put('capture', f'swapped-{i}', bytes(2) + swap_pcap(data, i == 1))
    for i, form in enumerate(pcapng_forms()):
        put('capture', f'pcapng-{i}', bytes(2) + form)
    dcom_seeds()
    text_seeds()
    random_seeds()


if __name__ == '__main__':
    main()
