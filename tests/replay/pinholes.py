#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what is negotiated in captures against what tshark finds: pinholes.py PINHOLE_PRINT FLOWAUDIT SOURCE_ROOT [--all]

Endpoint-mapper towers (both answers), DCOM string bindings, session descriptions, SCCP media: the same (frame, port) both ways.
Interfaces: the same (frame, UUID) for each accepted bind.  Flows: see parents.py.  Exit 77: tshark or the captures are absent.

Captures that come with a list of their layers (truth/FILE.json) in which none of these protocols is are passed over; --all has tshark
read them too, to see that nothing is missed by that.
"""
import collections
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

import dissect
import parents
from flowdb import SKIP

SIGNALLING = {'dcerpc', 'sip', 'megaco', 'skinny'}
FIELDS = parents.FIELDS + ['dcerpc.cn_ack_result', 'skinny.messageId']


def towers(frame):
    if frame.is_any('dcerpc.pkt_type', 2) and frame.is_any('epm.opnum', 2, 3):
        yield from (int(port) for port in parents.all_of(frame, parents.MAPPER_PORTS))


def bindings(frame):
    if parents.all_of(frame, parents.RESOLVERS) and frame.is_any('dcerpc.pkt_type', 2):
        for name in frame[parents.BINDINGS]:
            match = re.search(r'\[(\d+)\]$', name)
            if match:
                yield int(match.group(1))


def sessions(frame):
    if frame.has('sdp') and frame.has('sip', 'megaco'):
        for port in frame['sdp.media.port']:
            number = port.split('/')[0]
            if number.isdigit() and 0 < int(number) < 65536:
                yield int(number)


def skinny(frame):
    if frame.is_any('skinny.messageId', 34, 49, 138, 306, 340, 341):
        yield from (int(port) for port in parents.all_of(frame, ['skinny.portNumber', 'skinny.remotePortNumber']) if int(port))


def binds(frame):
    """Bind acknowledgements in which a context was accepted."""
    if (frame.is_any('dcerpc.pkt_type', 12, 15) and frame.has('tcp') and not frame.has('smb', 'smb2') and
            frame.is_any('dcerpc.cn_ack_result', 0)):
        yield 0


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


def compare(program, path, frames, known):
    """The differences, and the number of announcements that are the same."""
    name, wrong, total = os.path.basename(path), [], 0
    found = ours(program, path)
    for kind, (read, names) in KINDS.items():
        theirs = {(frame.number, port) for frame in frames for port in read(frame)}
        mine = set().union(*(found[n] for n in names))
        total += len(theirs & mine)
        for side, extra in (('tshark', theirs - mine), ('flowaudit', mine - theirs)):
            wrong += [f'{name}: {kind}: frame {frame}, port {port}: only {side} has it' for frame, port in sorted(extra)
                      if (name, kind, frame, port, side) not in known]
    return wrong, total


def check(programs, path, known):
    """None for a capture without such traffic."""
    name = os.path.basename(path)
    frames = dissect.frames(path, ' || '.join(sorted(SIGNALLING | {'rtp', 'rtcp'})), FIELDS)
    if not any(frame.has(*SIGNALLING) for frame in frames):
        return None
    wrong, total = compare(programs[0], path, frames, known)
    differ, flows = parents.compare(programs[1], path, frames, {(k[2], k[3]) for k in known if (k[0], k[4]) == (name, 'flowaudit')})
    return wrong + differ, total, flows


def may_signal(path):
    """False: the list of its layers, made by tshark, has nothing of it.  What port 5000 carries is one thing to tshark and another here."""
    truth = os.path.join(os.path.dirname(path), 'truth', os.path.basename(path) + '.json')
    if not os.path.isfile(truth):
        return True
    with open(truth, encoding='utf-8') as file:
        known = json.load(file)
    layers = known['tshark'].get('frames_with_layer')
    return layers is None or os.path.getsize(path) != known['size'] or not (SIGNALLING | {'gsm_ipa'}).isdisjoint(layers)


def captures_of(folders, everything):
    for folder in filter(os.path.isdir, folders):
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if re.search(r'\.(pcap|pcapng|cap)(\.gz)?$', name) and (everything or may_signal(path)):
                yield path


def main():
    programs, root = sys.argv[1:3], sys.argv[3]
    folders = [os.path.join(root, *parts) for parts in (('..', 'shared', 'captures'), ('..', 'shared', 'captures-lab'), ('samples',))]
    if shutil.which('tshark') is None or not os.path.isdir(folders[0]):
        print('skipped: no tshark, or no captures')
        return SKIP
    known = known_differences()
    dissect.known_fields()
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        results = [r for r in pool.map(lambda path: check(programs, path, known), captures_of(folders, '--all' in sys.argv[4:])) if r is not None]
    wrong, total = sum((r[0] for r in results), []), sum(r[1] for r in results)
    flows = sum((r[2] for r in results), collections.Counter())
    for line in wrong:
        print(line)
    print(f'{len(results)} captures: {total} announcements the same; {flows["media"]} media flows, {flows["rpc"]} DCE/RPC flows and {flows["other"]} others have '
          f'the parent that tshark says; {len(wrong)} differ')
    return 1 if wrong or not total or not flows else 0


if __name__ == '__main__':
    sys.exit(main())
