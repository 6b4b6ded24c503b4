#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the parent of each flow on a negotiated port against tshark's dissectors; run by pinholes.py.

A media flow: tshark says that signalling set it up.  A DCE/RPC flow: an endpoint mapper or an object resolver named its port before it
began.  The record must name as its parent a frame in which tshark finds one of the flow's ends named; and each parent in the record, of
whatever flow, must be such a frame.  Captures are judged with a site in which everybody may speak to everybody.
"""
import collections
import os
import re
import tempfile

import flowdb
import dissect

MATRIX = '''matrix: everybody
roles: {a: {governed: true}}
sections:
  - heading: Everything
    rows:
      - {id: any, from: a, to: a, ports: [tcp/1-65535, udp/1-65535], service: anything, expect: on-demand}
'''
SITE = '''matrix: ./everybody.yaml
hosts:
  all: {addresses: [0.0.0.0/0, "::/0"], roles: [a]}
'''
ENDS = ['ip.src', 'ipv6.src', 'ip.dst', 'ipv6.dst', 'udp.srcport', 'tcp.srcport', 'udp.dstport', 'tcp.dstport']


def ends_of(cells):
    """The innermost ends of a frame: ((address, port), (address, port)), or None for what has none."""
    src, dst = (cells[0] or cells[1]), (cells[2] or cells[3])
    sport, dport = (cells[4] or cells[5]), (cells[6] or cells[7])
    if not (src and dst and sport and dport):
        return None
    return (src[-1], int(sport[-1])), (dst[-1], int(dport[-1]))


def named_by_mappers(path):
    """(address, port) -> frames in which a mapper's answer, or an object reference, named it."""
    named = collections.defaultdict(list)
    want = '(epm && dcerpc.pkt_type == 2) || ((isystemactivator || oxid) && dcerpc.pkt_type == 2)'
    names = ENDS + ['epm.proto.ip', 'epm.proto.tcp_port', 'epm.proto.udp_port', 'epm.proto.http_port', 'dcom.dualstringarray.network_addr']
    for frame, cells in dissect.fields(path, want, names):
        ends, addresses, ports = ends_of(cells[:8]), cells[8], sum(cells[9:12], [])
        if ends is None:
            continue
        for port in ports:
            for address in set(addresses + [ends[0][0]]):
                named[(address, int(port))].append(frame)
        for name in cells[12]:
            match = re.search(r'^(.*)\[(\d+)\]$', name)
            if match:
                for address in (match.group(1), ends[0][0]):
                    named[(address, int(match.group(2)))].append(frame)
    return named


def named_by_sessions(path):
    """The same for session descriptions and SCCP: the control port is the next one."""
    named = collections.defaultdict(list)
    addresses = ['sdp.connection_info.address', 'sdp.owner.address', 'skinny.ipv4or6.ipv4', 'skinny.stationIpAddr.ipv4', 'skinny.remoteIpAddr.ipv4', 'skinny.ipAddr.ipv4']
    addresses = [a for a in addresses if a in dissect.known_fields()]
    ports = ['sdp.media.port', 'skinny.portNumber', 'skinny.remotePortNumber']
    for frame, cells in dissect.fields(path, '(sdp && (sip || megaco)) || skinny', ENDS + addresses + ports):
        ends = ends_of(cells[:8])
        hosts = set(sum(cells[8:8 + len(addresses)], [])) | ({ends[0][0], ends[1][0]} if ends else set())
        for port in sum(cells[8 + len(addresses):], []):
            number = port.split('/')[0]
            for host in hosts if number.isdigit() else ():
                named[(host, int(number))].append(frame)
                named[(host, int(number) + 1)].append(frame)
    return named


def flows_of_tshark(path, named):
    """frozenset of two ends -> (first frame, kind)."""
    flows = {}
    for frame, cells in dissect.fields(path, '(rtp || rtcp) && (rtp.setup-frame || rtcp.setup-frame)', ENDS):
        ends = ends_of(cells[:8])
        if ends is not None:
            flows.setdefault(frozenset(ends), (frame, 'media'))
    for frame, cells in dissect.fields(path, 'dcerpc && tcp && !smb && !smb2 && !nbss', ENDS):
        ends = ends_of(cells[:8])
        if ends is not None and any(named.get(end) for end in ends):
            flows.setdefault(frozenset(ends), (frame, 'rpc'))
    return flows


def flows_of_record(audit):
    """frozenset of two ends -> (first packet, the packets that the record names as parents)."""
    query = ('SELECT f.client, f.client_port, f.server, f.server_port, f.first_packet_number, c.parent FROM flows f '
             'JOIN conversations c ON c.run_id = f.run_id AND c.conversation_id = f.conversation_id ORDER BY f.first_packet_number')
    found = {}
    for row in audit.rows(query):
        ends = frozenset(((row['client'], row['client_port']), (row['server'], row['server_port'])))
        match = re.match(r'[a-z0-9-]+, packet (\d+) of ', row['parent'] or '')
        found.setdefault(ends, (row['first_packet_number'], set()))[1].add(int(match.group(1)) if match else None)
    return found


def text(ends):
    return ' <-> '.join(f'{address} {port}' for address, port in sorted(ends))


def compare(program, path, known):
    """'known': (frame, port) that the record alone has, with reason.  The number of differences, and of flows with the parent that tshark says, by kind."""
    name, bad, same = os.path.basename(path), 0, collections.Counter()
    named = named_by_mappers(path)
    for end, frames in named_by_sessions(path).items():
        named[end] += frames
    with tempfile.TemporaryDirectory() as directory:
        for file, content in (('everybody.yaml', MATRIX), ('site.yaml', SITE)):
            with open(os.path.join(directory, file), 'w', encoding='utf-8') as out:
                out.write(content)
        audit = flowdb.Audit(program, os.path.join(directory, 'site.yaml'), [path], '--flows', 'all', directory=directory)
        found = flows_of_record(audit)
        audit.close()
    flows = flows_of_tshark(path, named)
    for ends, (first, parents) in found.items():
        frame, kind = flows.get(ends, (None, None))
        frames = sorted({f for end in ends for f in named.get(end, ())})
        follows = kind == 'media' or (kind == 'rpc' and any(f < first for f in frames))
        if parents == {None} and not follows:
            continue
        if parents <= set(frames) | {frame for frame, port in known if port in {end[1] for end in ends}}:
            same[kind or 'other'] += 1
            continue
        print(f'{name}: {kind} {text(ends)} from frame {frame}: named in {frames}, the record says {sorted(parents, key=str)}')
        bad += 1
    for ends in flows.keys() - found.keys():
        print(f'{name}: {flows[ends][1]} {text(ends)} from frame {flows[ends][0]}: no such flow in the record')
        bad += 1
    return bad, same
