#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what is negotiated in captures against what tshark finds: pinholes.py PINHOLE_PRINT FLOWAUDIT SOURCE_ROOT

Endpoint-mapper towers (both answers), DCOM string bindings, session descriptions, SCCP media: the same (frame, port) both ways.
Interfaces: the same (frame, UUID) for each accepted bind.  Flows: see parents.py.  Exit 77: tshark or the captures are absent.
"""
import collections
import os
import re
import shutil
import subprocess
import sys

import parents
from dissect import fields
from flowdb import SKIP


def towers(path):
    want = 'epm && (dcerpc.pkt_type == 2) && (epm.opnum == 2 || epm.opnum == 3)'
    names = ['epm.proto.tcp_port', 'epm.proto.udp_port', 'epm.proto.http_port']
    for frame, cells in fields(path, want, names):
        for port in sum(cells, []):
            yield frame, int(port)


def bindings(path):
    want = '(isystemactivator || oxid) && dcerpc.pkt_type == 2'
    for frame, (names,) in fields(path, want, ['dcom.dualstringarray.network_addr']):
        for name in names:
            match = re.search(r'\[(\d+)\]$', name)
            if match:
                yield frame, int(match.group(1))


def sessions(path):
    for frame, (ports,) in fields(path, 'sdp && (sip || megaco)', ['sdp.media.port']):
        for port in ports:
            number = port.split('/')[0]
            if number.isdigit() and 0 < int(number) < 65536:
                yield frame, int(number)


def skinny(path):
    want = 'skinny.messageId in {34, 49, 138, 306, 340, 341}'
    names = ['skinny.portNumber', 'skinny.remotePortNumber']
    for frame, cells in fields(path, want, names):
        for port in sum(cells, []):
            if int(port):
                yield frame, int(port)


def binds(path):
    """Frames of bind acknowledgements: how many contexts were accepted."""
    want = '(dcerpc.pkt_type == 12 || dcerpc.pkt_type == 15) && tcp && !smb && !smb2 && dcerpc.cn_ack_result == 0'
    for frame, _ in fields(path, want, []):
        yield frame, 0


KINDS = {
    'towers': (towers, {'epm-map', 'epm-lookup'}),
    'bindings': (bindings, {'dcom-oxid'}),
    'sessions': (sessions, {'sip-sdp', 'h248-sdp'}),
    'skinny': (skinny, {'sccp-open-ack', 'sccp-start', 'sccp-start-ack'}),
    'binds': (binds, {'rpc-bind'}),
}


def ours(program, path):
    found = collections.defaultdict(set)
    out = subprocess.run([program, path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    for line in out.decode().splitlines():
        _, frame, kind, _, _, _, port, transport, rtcp = line.split('\t')[:9]
        if rtcp == '-' and (kind, transport) != ('rpc-bind', 'udp'):
            found[kind].add((int(frame), 0 if kind == 'rpc-bind' else int(port)))
    return found


def known_differences():
    """Lines of pinholes-differences.tsv: file, kind, frame, port, side, reason."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'pinholes-differences.tsv')
    with open(path, encoding='utf-8') as lines:
        rows = [line.rstrip('\n').split('\t') for line in lines if line.strip() and not line.startswith('#')]
    return {(r[0], r[1], int(r[2]), int(r[3]), r[4]) for r in rows}


def compare(program, path, known):
    name, bad, total = os.path.basename(path), 0, 0
    found = ours(program, path)
    for kind, (read, names) in KINDS.items():
        theirs = set(read(path))
        mine = set().union(*(found[n] for n in names))
        total += len(theirs & mine)
        for side, extra in (('tshark', theirs - mine), ('flowaudit', mine - theirs)):
            for frame, port in sorted(extra):
                if (name, kind, frame, port, side) in known:
                    continue
                print(f'{name}: {kind}: frame {frame}, port {port}: only {side} has it')
                bad += 1
    return bad, total


def main():
    program, flowaudit, root = sys.argv[1:4]
    folders = [os.path.join(root, *parts) for parts in (('..', 'shared', 'captures'), ('..', 'shared', 'captures-lab'), ('samples',))]
    if shutil.which('tshark') is None or not os.path.isdir(folders[0]):
        print('skipped: no tshark, or no captures')
        return SKIP
    bad = total = n_files = 0
    flows = collections.Counter()
    known = known_differences()
    for folder in filter(os.path.isdir, folders):
        for name in sorted(os.listdir(folder)):
            if not re.search(r'\.(pcap|pcapng|cap)(\.gz)?$', name):
                continue
            probe = 'dcerpc || sip || megaco || skinny'
            path = os.path.join(folder, name)
            if next(iter(fields(path, probe, [])), None) is None:
                continue
            n_files += 1
            differ, same = compare(program, path, known)
            bad, total = bad + differ, total + same
            differ, same = parents.compare(flowaudit, path, {(k[2], k[3]) for k in known if (k[0], k[4]) == (name, 'flowaudit')})
            bad, flows = bad + differ, flows + same
    print(f'{n_files} captures: {total} announcements the same; {flows["media"]} media flows, {flows["rpc"]} DCE/RPC flows and {flows["other"]} others have '
          f'the parent that tshark says; {bad} differ')
    return 1 if bad or not total or not flows else 0


if __name__ == '__main__':
    sys.exit(main())
