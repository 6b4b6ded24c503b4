#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The packet that is named for a finding shows what its sentence says, and no word beside the sentence says more than it.

usage: named.py FLOWAUDIT SOURCE_ROOT

The samples, whole, without every tenth packet and with one direction alone, and the lab's captures where they are.  Of each finding of a flow the packet named must go from
the client to the server's port, unless the sentence says that the server's was the first, or that nobody knows who began; of an expected flow it
must be what its client sent, unless the sentence says that this was not captured.  Where the sentence says that nothing can be told, no disposition does.
"""
import ipaddress
import os
import re
import struct
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb
import weaker

OPEN_WITHOUT_SYN = ('unity1 (10.20.1.10) answered 10.20.77.9 that its TCP 139 is open (SYN, ACK), and 10.20.77.9 reset the connection; no data was seen, and what the server '
                    'answers (SYN) is not in the capture. ')
TURNED = ('first of all among them', 'is an answer', "is the server's", 'who began is not in the capture', 'no packet the other way was seen', 'whose beginning', ' answered ', 'as that of a closed port which answers a SYN')


def ends(frame):
    """(source, destination, transport or None, destination port)"""
    at = 12
    while frame[at:at + 2] == b'\x81\x00':
        at += 4
    kind, ip = frame[at:at + 2], frame[at + 2:]
    if kind == b'\x08\x00':
        source, destination, protocol, body = ip[12:16], ip[16:20], ip[9], ip[(ip[0] & 15) * 4:]
    else:
        source, destination, protocol, body = ip[8:24], ip[24:40], ip[6], ip[40:]
    transport = {6: 'tcp', 17: 'udp'}.get(protocol)
    port = struct.unpack_from('!H', body, 2)[0] if transport else None
    return str(ipaddress.ip_address(source)), str(ipaddress.ip_address(destination)), transport, port


def check_flows(audit, packets):
    query = ('SELECT f.*, (SELECT first_packet_number FROM flows l WHERE l.run_id = f.run_id AND l.conversation_id = f.conversation_id ORDER BY flow_id LIMIT 1) AS packet '
             'FROM findings f WHERE f.transport IS NOT NULL AND f.client IS NOT NULL AND f.server IS NOT NULL')
    for f in audit.rows(query):
        if re.search('cannot be told|(?<!of them )too little was seen', f['reason']) and f['disposition'] is not None:
            yield f"#{f['finding_id']} {f['disposition']}: {f['reason']}"
        if f['packet'] is None:
            continue
        source, destination, transport, port = ends(packets[f['packet'] - 1][1])
        there = (source, destination, transport) == (f['client'], f['server'], f['transport']) and f['server_port'] in (None, port)
        back = (destination, source, transport) == (f['client'], f['server'], f['transport']) and any(word in f['reason'] for word in TURNED)
        if not there and not back:
            yield f"#{f['finding_id']}, packet {f['packet']} is {source} -> {destination} {transport}/{port}: {f['reason']}"


def check_attempts(audit, packets):
    for table in ('findings', 'expectations'):
        for row in audit.rows(f'SELECT * FROM {table}'):
            for number in re.findall(r'First attempt: packet (\d+) of', row['reason'] or ''):
                source, destination, transport, port = ends(packets[int(number) - 1][1])
                client = re.search(r'\([0-9a-f.:, and]+\)', row['reason']).group(0)
                if source not in re.split('[(), ]+', client) and "only the server's packets were captured" not in row['reason']:
                    yield f"{table}, packet {number} is {source} -> {destination} {transport}/{port}: {row['reason']}"


def main():
    program, source = sys.argv[1:3]
    failed = 0
    captures = [(os.path.join(source, 'samples', name), os.path.join(source, 'samples', site), True)
                for name, site in (('healthy.pcapng', 'healthy.yaml'), ('incident.pcapng', 'incident.yaml'), ('web-shop.pcap', 'web-shop.yaml'))]
    lab = flowdb.shared(source, 'captures-lab')
    if lab is None:
        print('the captures of the laboratory are not beside the source tree: samples alone')
    for name in ('healthy', 'missing', 'violating') if lab is not None else ():
        captures.append((os.path.join(lab, name + '.pcap'), os.path.join(lab, name + '.site.yaml'), False))
    with flowdb.scratch() as directory:
        for path, site, thin in captures:
            packets = weaker.packets_of(path)
            variants = [packets, [p for i, p in enumerate(packets) if i % 10 < 9], weaker.one_direction(packets, False), weaker.one_direction(packets, True)]
            for i, some in enumerate(variants if thin else variants[:1]):
                variant = os.path.join(directory, 'variant.pcap')
                weaker.write(variant, some, 262144)
                audit = flowdb.Audit(program, site, [variant], directory=directory)
                wrong = list(check_flows(audit, some)) + list(check_attempts(audit, some))
                if 'incident' in path and i == 1 and not any(f['reason'].startswith(OPEN_WITHOUT_SYN) for f in audit.rows('SELECT reason FROM findings')):
                    wrong.append('no finding of the open port whose SYN is not in the capture')
                audit.close()
                failed += flowdb.told(f'{os.path.basename(path)}, {len(some)} of {len(packets)} packets: {len(wrong)} wrong', wrong)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
