#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds what flowaudit learns from captures to the site files that people wrote for them.

usage: learn.py FLOWAUDIT SOURCE_ROOT

For each capture: every host that the site file names and the traffic shows has its roles in the proposal, apart from those listed in DOUBTFUL with
the reason; the proposal passes lint; check runs with it on the same capture; and neither a second run nor the number of workers changes a
byte of it.  What stands in comments to be uncommented does what is said of it.
"""
import ipaddress
import os
import re
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb
import weaker

IMPLIED = {'unity-primary': 'unity', 'unity-secondary': 'unity', 'dc-monitored': 'dc', 'gc-monitored': 'gc', 'gc-mapi': 'gc',
           'exchange-partner': 'exchange', 'exchange-mailbox': 'exchange', 'db-primary': 'database', 'db-replica': 'database'}

# (site, host): roles that traffic does not show, and why; the proposal must mention them as possible.
DOUBTFUL = {
    ('lab', 'dc1'): ({'gc', 'gc-monitored', 'gc-mapi'}, 'it never serves a port of a global catalog; all else a domain controller serves too'),
    ('incident', 'gc2'): ({'gc'}, 'one search by a host that does not monitor it'),
    ('incident', 'desks'): ({'subscriber-workstation'}, 'one of them shows a web session alone, which administrators have too'),
}

SILENT = {'gc2', 'sub2'}  # in a site file, and not in the captures


def hosts_of(path):
    """name: (networks, roles), from the one-line entries of our site files."""
    hosts = {}
    with open(path, encoding='utf-8') as f:
        text = f.read()
    for name, addresses, roles in re.findall(r'^  ([\w.-]+):\s*\{addresses: \[([^\]]*)\], roles: \[([^\]]*)\]\}', text, re.M):
        hosts[name] = ([a.strip().strip('"') for a in addresses.split(',')], {r.strip() for r in roles.split(',')})
    return hosts, text


def owner(hosts, address):
    """Whose address it is: an entry that names it comes before one that names its network."""
    named = [name for name, (blocks, _) in hosts.items() if address in blocks]
    return (named or [name for name, (blocks, _) in hosts.items() if any(contains(b, address) for b in blocks)] or [None])[0]


def contains(block, address):
    if '/' in block:
        return ipaddress.ip_address(address) in ipaddress.ip_network(block)
    low, _, high = block.partition('-')
    a, low, high = (ipaddress.ip_address(x) for x in (address, low, high or low))
    return a.version == low.version and low <= a <= high


def closure(roles):
    return roles | {IMPLIED[r] for r in roles if r in IMPLIED}


def compare(name, site, proposal):
    truth, _ = hosts_of(site)
    learned, text = hosts_of(proposal)
    by_address = {a: roles for addresses, roles in learned.values() for a in addresses}
    wrong = []
    for address, found in by_address.items():
        host = owner(truth, address)
        if host is None:
            continue
        roles = truth[host][1]
        doubtful, _ = DOUBTFUL.get((name, host), (set(), ''))
        missing = closure(roles) - closure(found) - doubtful
        extra = closure(found) - closure(roles)
        if missing or (extra and not doubtful):
            wrong.append(f'{host} ({address}): {sorted(found)}, the site file says {sorted(roles)}')
        comment = text[text.index(f'# {address}:'):].split('roles: [')[0].split()
        wrong += [f'{host} ({address}): {r} is not mentioned' for r in roles - closure(found) if r not in comment]
    return wrong, by_address, truth


def run(program, *arguments):
    environment = dict(os.environ, SOURCE_DATE_EPOCH='0', **flowdb.SANITIZERS)
    return subprocess.run([program, *arguments], capture_output=True, text=True, env=environment, timeout=120)


def learn(program, name, matrix, capture, site, everybody, directory):
    done = run(program, 'learn', '-m', matrix, capture)
    if done.returncode != 0:
        return [f'status {done.returncode}: {done.stderr}']
    wrong = [f'{options}: another proposal' for options in ([], ['-j', '2'], ['-j', '4'])
             if run(program, 'learn', '-m', matrix, *options, capture).stdout != done.stdout]
    proposal = os.path.join(directory, 'proposal.yaml')
    with open(proposal, 'w', encoding='utf-8') as out:
        out.write(done.stdout)
    lint = run(program, 'lint', '-s', proposal)
    if lint.returncode != 0:
        wrong.append(f'lint: status {lint.returncode}: {lint.stdout}{lint.stderr}')
    audit = flowdb.Audit(program, proposal, [capture], directory=directory)
    if audit.status not in (0, 1, 3):
        wrong.append(f'check: status {audit.status}: {audit.messages}')
    unknown = audit.rows("SELECT client, server FROM findings WHERE kind = 'unknown-host'")
    audit.close()
    if everybody and unknown:
        wrong.append(f'check: hosts that nobody named: {unknown}')
    differences, by_address, truth = compare(name, site, proposal)
    wrong += differences
    seen = {owner(truth, a) for a in by_address}
    if everybody:
        wrong += [f'{host}: no role proposed' for host in truth if host not in seen and host not in SILENT]
    return wrong


def proposal_of(program, matrix, capture, directory):
    path = os.path.join(directory, 'proposal.yaml')
    done = run(program, 'learn', '-m', matrix, capture)
    with open(path, 'w', encoding='utf-8') as out:
        out.write(done.stdout)
    return path, done.stdout


def violations(program, site, capture, directory):
    audit = flowdb.Audit(program, site, [capture], directory=directory)
    found = {(f['kind'], f['client'], f['server'], f['server_port']) for f in audit.rows('SELECT * FROM findings WHERE conversation_id IS NOT NULL')}
    audit.close()
    return found


def uncomment_parameters(program, matrix, capture, ports, directory):
    """With the parameters uncommented 'ports' are no fault any more, and what was right before still is."""
    path, text = proposal_of(program, matrix, capture, directory)
    before = violations(program, path, capture, directory)
    block = re.search(r'^# parameters:\n(?:#   \w+: \[.*\]\n)+', text, re.M)
    if block is None:
        return ['no parameters are proposed']
    with open(path, 'w', encoding='utf-8') as out:
        out.write(text.replace(block[0], re.sub(r'(?m)^# ', '', block[0])))
    after = violations(program, path, capture, directory)
    lint = run(program, 'lint', '-s', path)
    wrong = [f'uncommented: new: {f}' for f in after - before] + [f'uncommented: still: {f}' for f in after if f[3] in ports]
    wrong += [f'port {port} was no fault' for port in ports - {f[3] for f in before}]
    return wrong + ([] if lint.returncode == 0 and 'are needed' not in lint.stdout else [f'uncommented: lint: {lint.stdout}{lint.stderr}'])


def uncomment_within(program, source, directory):
    """A capture with a hole of two hours: 'within' fits the longer part, so that the observation is not said to be too short for it."""
    packets = weaker.packets_of(os.path.join(source, 'samples', 'incident.pcapng'))
    middle, first = packets[0][0] + 600 * weaker.NS, packets[0][0]
    holed, wrong = os.path.join(directory, 'holed.pcap'), []
    for part, want in ((1300, '10m'), (670, '580s'), (603, '580s')):
        parts = [(at if at < middle else at + 7200 * weaker.NS, frame) for at, frame in packets if at < first + part * weaker.NS]
        weaker.write(holed, parts, 262144)
        path, text = proposal_of(program, 'cisco-unity-5x-exchange', holed, directory)
        found = re.search(r'(?m)^# (within: (\w+))$', text)
        wrong += [f'hole: {line}' for line in text.split('\n') if 'observation lasts' in line and not re.search(r'lasts 2 h \d+ min, and', line)]
        if found is None or found[2] != want or 'without a hole' not in text:
            wrong.append(f'hole: {found and found[1]}, and not {want}')
            continue
        with open(path, 'w', encoding='utf-8') as out:
            out.write(text.replace(found[0], found[1]))
        audit = flowdb.Audit(program, path, [holed], directory=directory)
        reasons = [row['reason'] for row in audit.rows('SELECT reason FROM expectations')]
        audit.close()
        wrong += [f'hole: {reason}' for reason in reasons if 'observation lasts' in reason]
        if not reasons:
            wrong.append('hole: nothing is expected')
    return wrong


def tell_damage(program, source, directory):
    """What could not be read is told, with a proposal and without one; so is what an empty site file may come from."""
    wrong = []
    with open(os.path.join(source, 'samples', 'incident.pcapng'), 'rb') as f:
        data = f.read()

    def told(what, content, status, said, proposed=''):
        path = os.path.join(directory, 'damaged.cap')
        with open(path, 'wb') as out:
            out.write(content)
        done = run(program, 'learn', path)
        if done.returncode != status or said not in done.stderr or proposed not in done.stdout or (proposed == '') != (done.stdout == ''):
            wrong.append(f'{what}: status {done.returncode}: {done.stderr}')

    told('cut early', data[:3000], 3, 'damaged.cap: cut short')
    told('cut in its middle', data[:len(data) // 2], 3, 'damaged.cap: cut short', 'damaged.cap: cut short')
    header = struct.pack('<IHHiIII', 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    nothing = header + 3 * struct.pack('<IIII', 1, 0, 0, 0)
    told('without bytes', nothing, 3, 'not one of 3 packets was decoded')
    told('without bytes', nothing, 3, '3 (a record without a byte)')
    told('without a packet', header, 2, 'damaged.cap: no packet is in it')
    empty = os.path.join(directory, 'empty.yaml')
    open(empty, 'wb').close()
    for command in (['lint', '-s', empty], ['check', '-s', empty, '-o', os.path.join(directory, 'empty.db'), os.path.join(source, 'samples', 'web-shop.pcap')]):
        done = run(program, *command)
        if done.returncode != 2 or 'flowaudit learn CAPTURE' not in done.stderr:
            wrong.append(f'empty site file: status {done.returncode}: {done.stderr}')
    return wrong


def tell_why(program, source, directory):
    """Where there is no role it is told what was seen, and what would be evidence."""
    wrong = []

    def told(what, capture, said, *options):
        done = run(program, 'learn', '-m', 'cisco-unity-5x-exchange', *options, capture)
        if done.returncode != 2 or done.stdout != '' or any(s not in done.stderr for s in said):
            wrong.append(f'{what}: status {done.returncode}: {done.stderr}')

    told('filtered', os.path.join(source, 'samples', 'web-shop.pcap'),
         ['served on ports that rows have, with how many clients: tcp/80 HTTP by 3 addresses to 3', 'governed role (unity) at one end', 'none of 4 addresses'], '-f', 'tcp port 80')
    exchange = flowdb.shared(source, 'captures', 'exchange-mapi-nspi-newmail-udp--zeek.pcap')
    if exchange is not None:
        told('exchange', exchange, ['tcp/135 DCE_RPC, RPC interface EPMv4 by 192.168.0.2 to 1', 'served on other ports: tcp/1032 DCE_RPC, RPC interface MAPI by 192.168.0.2 to 5',
                                    'tcp/4997 DCE_RPC, RPC interface NSPI by 192.168.0.2 to 1', 'none of 27 addresses'])
    return wrong


def main():
    program, source = sys.argv[1:3]
    samples, lab = os.path.join(source, 'samples'), flowdb.shared(source, 'captures-lab')
    cases = [('sample', 'cisco-unity-5x-exchange', 'healthy.pcapng', samples, 'healthy.yaml', True),
             ('incident', 'cisco-unity-5x-exchange', 'incident.pcapng', samples, 'incident.yaml', False),
             ('shop', 'web-shop', 'web-shop.pcap', samples, 'web-shop.yaml', True)]
    if lab is not None:
        cases.append(('lab', 'cisco-unity-5x-exchange', 'healthy.pcap', lab, 'healthy.site.yaml', True))
    else:
        print('the captures of the laboratory are not beside the source tree: samples alone')
    failed = 0
    with flowdb.scratch() as directory:
        for name, matrix, capture, folder, site, everybody in cases:
            wrong = learn(program, name, matrix, os.path.join(folder, capture), os.path.join(folder, site), everybody, directory)
            failed += flowdb.told(f'{name}: {len(wrong)} differences', wrong)
        for matrix, capture, ports in (('web-shop', 'web-shop.pcap', {8088}), ('cisco-unity-5x-exchange', 'incident.pcapng', {16500})):
            wrong = uncomment_parameters(program, matrix, os.path.join(samples, capture), ports, directory)
            failed += flowdb.told(f'parameters of {capture}: {len(wrong)} faults', wrong)
        failed += flowdb.told('why there is no role', tell_why(program, source, directory))
        failed += flowdb.told('damage', tell_damage(program, source, directory))
        failed += flowdb.told('within', uncomment_within(program, source, directory))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
