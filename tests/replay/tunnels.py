#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a tunnel over UDP carries is judged, and the tunnel too where one of its ends is a host of the site.

usage: tunnels.py FLOWAUDIT SOURCE_ROOT

The healthy sample in VXLAN, as a switch mirrors it, says what it says by itself.  Carried between a host of the site and a stranger it shows a flow more,
which no row allows, and of which the packets can be carved; the result is the same for every number of workers.
"""
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb
import weaker

STRANGERS, MIXED = ('192.0.2.1', '192.0.2.2'), ('10.20.1.10', '203.0.113.5')
PORTS = {'vxlan': 4789, 'geneve': 6081}


def raw(address):
    return bytes(int(n) for n in address.split('.'))


def carried(frame, ends, kind):
    header = struct.pack('>BBHI', 8, 0, 0, 0x100) if kind == 'vxlan' else struct.pack('>BBHI', 0, 0, 0x6558, 0x100)
    udp = struct.pack('>HHHH', 50000, PORTS[kind], 16 + len(frame), 0) + header + frame
    ip = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + raw(ends[0]) + raw(ends[1])
    total = sum(struct.unpack('>10H', ip))
    ip = ip[:10] + struct.pack('>H', ~(total % 0xffff) & 0xffff) + ip[12:]
    return b'\2\0\0\0\0\1\2\0\0\0\0\2\x08\0' + ip + udp


def told(audit):
    judged = audit.rows("SELECT client, server, server_port, transport, verdict, outcome, packets FROM conversations WHERE server_port NOT IN (4789, 6081) ORDER BY 1, 2, 3, 4")
    outer = audit.rows("SELECT client, server, server_port, verdict, packets FROM conversations WHERE server_port IN (4789, 6081)")
    return [tuple(c.values()) for c in judged], [tuple(c.values()) for c in outer]


def n_carved(program, audit, path):
    """Packets of the finding about the tunnel."""
    finding = audit.rows('SELECT finding_id FROM findings WHERE server_port IN (4789, 6081)')[0]['finding_id']
    subprocess.run([program, 'carve', '-q', audit.path, str(finding), '--out', path], check=True, timeout=60)
    return len(weaker.packets_of(path))


def main():
    program, source = sys.argv[1:3]
    samples = os.path.join(source, 'samples')
    site, capture = os.path.join(samples, 'healthy.yaml'), os.path.join(samples, 'healthy.pcapng')
    packets = weaker.packets_of(capture)
    failed = 0
    with flowdb.scratch() as directory:
        audit = flowdb.Audit(program, site, [capture], directory=directory)
        plain, _ = told(audit)
        audit.close()
        for kind in PORTS:
            for ends in (STRANGERS, MIXED):
                path = os.path.join(directory, 'tunnel.pcap')
                weaker.write(path, [(t, carried(f, ends, kind)) for t, f in packets], 262144)
                for workers in ('1', '3'):
                    audit = flowdb.Audit(program, site, [path], '-j', workers, directory=directory)
                    inner, outer = told(audit)
                    wrong = [] if inner == plain else [f'{len(set(inner) ^ set(plain))} conversations differ from those of the plain capture']
                    want = [] if ends == STRANGERS else [(*MIXED, PORTS[kind], 'violation', len(packets))]
                    if outer != want:
                        wrong.append(f'the tunnel: {outer}, meant {want}')
                    elif want and n_carved(program, audit, os.path.join(directory, f'carved{workers}.pcapng')) != len(packets):
                        wrong.append('carve does not find all packets of the tunnel')
                    audit.close()
                    failed += flowdb.told(f'{kind} between {ends[0]} and {ends[1]}, {workers} workers: {len(wrong)} differences', wrong)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
