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
MAPPER_ADDRESSES = ['epm.proto.ip']
MAPPER_PORTS = ['epm.proto.tcp_port', 'epm.proto.udp_port', 'epm.proto.http_port']
SESSION_ADDRESSES = ['sdp.connection_info.address', 'sdp.owner.address', 'skinny.ipv4or6.ipv4', 'skinny.stationIpAddr.ipv4', 'skinny.remoteIpAddr.ipv4',
                     'skinny.ipAddr.ipv4']
SESSION_PORTS = ['sdp.media.port', 'skinny.portNumber', 'skinny.remotePortNumber']
BINDINGS = 'dcom.dualstringarray.network_addr'
RESOLVERS = ['isystemactivator.opnum', 'oxid.opnum'] # what is within DCE/RPC is not in the list of a frame's protocols
SETUP = ['rtp.setup-frame', 'rtcp.setup-frame']
ENDS = ['ip.src', 'ipv6.src', 'ip.dst', 'ipv6.dst', 'udp.srcport', 'tcp.srcport', 'udp.dstport', 'tcp.dstport']
FIELDS = ENDS + RESOLVERS + ['epm.opnum', 'dcerpc.pkt_type'] + MAPPER_ADDRESSES + MAPPER_PORTS + SESSION_ADDRESSES + SESSION_PORTS + SETUP + [BINDINGS]


def ends_of(frame):
    """The innermost ends of a frame: ((address, port), (address, port)), or None for what has none."""
    src, dst = (frame['ip.src'] or frame['ipv6.src']), (frame['ip.dst'] or frame['ipv6.dst'])
    sport, dport = (frame['udp.srcport'] or frame['tcp.srcport']), (frame['udp.dstport'] or frame['tcp.dstport'])
    if not (src and dst and sport and dport):
        return None
    return (src[-1], int(sport[-1])), (dst[-1], int(dport[-1]))


def all_of(frame, names):
    return sum((frame[name] for name in names), [])


def named_by_mapper(frame, ends):
    """The ends that a mapper's answer, or an object reference, names."""
    for port in all_of(frame, MAPPER_PORTS):
        for address in set(all_of(frame, MAPPER_ADDRESSES) + [ends[0][0]]):
            yield address, int(port)
    for name in frame[BINDINGS]:
        match = re.search(r'^(.*)\[(\d+)\]$', name)
        if match:
            for address in (match.group(1), ends[0][0]):
                yield address, int(match.group(2))


def named_by_session(frame, ends):
    """The same of session descriptions and SCCP: the control port is the next one."""
    hosts = set(all_of(frame, SESSION_ADDRESSES)) | ({ends[0][0], ends[1][0]} if ends else set())
    for port in all_of(frame, SESSION_PORTS):
        number = port.split('/')[0]
        for host in hosts if number.isdigit() else ():
            yield host, int(number)
            yield host, int(number) + 1


def named_ends(frames):
    """(address, port) -> frames in which it is named."""
    named = collections.defaultdict(list)
    for frame in frames:
        ends = ends_of(frame)
        if ends is not None and all_of(frame, RESOLVERS + ['epm.opnum']) and frame.is_any('dcerpc.pkt_type', 2):
            for end in named_by_mapper(frame, ends):
                named[end].append(frame.number)
        if (frame.has('sdp') and frame.has('sip', 'megaco')) or frame.has('skinny'):
            for end in named_by_session(frame, ends):
                named[end].append(frame.number)
    return named


def flows_of_tshark(frames, named):
    """frozenset of two ends -> (first frame, kind)."""
    flows = {}
    for frame in frames:
        ends = ends_of(frame)
        if ends is None:
            continue
        if frame.has('rtp', 'rtcp') and all_of(frame, SETUP):
            flows.setdefault(frozenset(ends), (frame.number, 'media'))
        elif frame.has('dcerpc') and frame.has('tcp') and not frame.has('smb', 'smb2', 'nbss') and any(named.get(end) for end in ends):
            flows.setdefault(frozenset(ends), (frame.number, 'rpc'))
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


def judged_flows(program, path):
    with tempfile.TemporaryDirectory() as directory:
        for file, content in (('everybody.yaml', MATRIX), ('site.yaml', SITE)):
            with open(os.path.join(directory, file), 'w', encoding='utf-8') as out:
                out.write(content)
        audit = flowdb.Audit(program, os.path.join(directory, 'site.yaml'), [path], '--flows', 'all', directory=directory)
        found = flows_of_record(audit)
        audit.close()
    return found


def compare(program, path, frames, known):
    """'known': (frame, port) that the record alone has, with reason.  The differences, and the number of flows with the parent that tshark
    says, by kind."""
    name, wrong, same = os.path.basename(path), [], collections.Counter()
    named = named_ends(frames)
    found, flows = judged_flows(program, path), flows_of_tshark(frames, named)
    for ends, (first, parents) in found.items():
        frame, kind = flows.get(ends, (None, None))
        naming = sorted({f for end in ends for f in named.get(end, ())})
        follows = kind == 'media' or (kind == 'rpc' and any(f < first for f in naming))
        if parents == {None} and not follows:
            continue
        if parents <= set(naming) | {frame for frame, port in known if port in {end[1] for end in ends}}:
            same[kind or 'other'] += 1
            continue
        wrong.append(f'{name}: {kind} {text(ends)} from frame {frame}: named in {naming}, the record says {sorted(parents, key=str)}')
    for ends in flows.keys() - found.keys():
        wrong.append(f'{name}: {flows[ends][1]} {text(ends)} from frame {flows[ends][0]}: no such flow in the record')
    return wrong, same
