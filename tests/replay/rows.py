#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every row of a matrix end to end: flows on the wire, and what the record says of each.

usage: rows.py FLOWAUDIT SOURCE_ROOT [SITE...]

For each port of each row, on both ends of each range, the flows that the row allows and their neighbours (the port below and
above, the other transport, the other direction, a sibling role, a host that nobody named), with the row's content and with
bytes that nobody knows, at a site with every role; then, at sites with each option the other way, the rows that it
turns.  Verdict, kind and row of each flow in the record are held against a judge written here from the words of the
documentation, and for a sample against 'flowaudit explain'.
"""
import collections
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
import flowdb

EXPLAINED = 240  # flows asked one by one
ON_WIRE = {'NetBIOS SMB': {445: 'SMB'}}  # which of two protocols a port carries


# --- the matrix as data --------------------------------------------------------------------------------------------

class Matrix:
    """The rows from 'flowaudit matrix --format tsv', the roles from the matrix file."""

    def __init__(self, program, path):
        text = subprocess.run([program, 'matrix', '--format', 'tsv', path], capture_output=True, text=True, check=True).stdout
        lines = [line.split('\t') for line in text.splitlines()]
        self.rows = [Row(dict(zip(lines[0], line))) for line in lines[1:]]
        self.family, self.implies, self.governed = {}, {}, set()
        self.defaults, self.both = {}, set()
        section = None
        for line in open(path, encoding='utf-8'):
            section = line.split(':')[0] if re.match(r'\w+:', line) else section
            found = re.match(r'  ([\w-]+):\s+\{(.*)\}$', line)
            if found and section == 'roles':
                self.add_role(*found.groups())
            elif found and section == 'options' and 'both' in found.group(2):
                self.both.add(found.group(1))
            elif found and section == 'parameters' and 'ports:' in found.group(2):
                ports = re.search(r'ports: (\[\]|[\d-]+)', found.group(2)).group(1)
                self.defaults[found.group(1)] = [] if ports == '[]' else [numbers(ports)]
            elif section == 'parameters' and re.match(r'  \w+:$', line):
                pending = line.strip()[:-1]
            elif section == 'parameters' and re.match(r'    ports: [\d-]+$', line):
                self.defaults[pending] = [numbers(line.split()[1])]
        self.options = sorted({o for row in self.rows for o in row.option_names()})

    def add_role(self, name, words):
        family, implies = re.search(r'family: ([\w-]+)', words), re.search(r'implies: ([\w-]+)', words)
        self.family[name] = family.group(1) if family else None
        self.implies[name] = {name} | ({implies.group(1)} if implies else set())
        if 'governed: true' in words:
            self.governed.add(name)


def numbers(text):
    low, _, high = text.partition('-')
    return int(low), int(high or low)


class Row:
    def __init__(self, cells):
        self.id, self.section, self.service = cells['id'], cells['section'], cells['service']
        self.other = '(' in cells['to']
        self.source, self.target = (set(re.sub(r' \(.*', '', cells[k]).split('|')) for k in ('from', 'to'))
        self.ports = [p.split('/') for p in cells['ports'].split()]
        self.protocols = cells['protocols'].split()
        self.conditions = re.split(r', | or (?=option)', re.split(r'; THE TABLE', cells['condition'])[0])
        self.any = ' or option' in cells['condition']
        self.media = 'RTP' in self.protocols

    def option_names(self):
        return [c.split()[1] for c in self.conditions if c.startswith('option ')]

    def holds(self, site):
        met = [value_fits(site.options[c.split()[1]], 'off' if c.endswith(' off') else 'on') for c in self.conditions
               if c.startswith('option ')]
        return not met or (any(met) if self.any else all(met))

    def ranges(self, site):
        """(transport, low, high), parameters put in."""
        for transport, port in self.ports:
            found = site.parameters[port[1:-1]] if port.startswith('{') else [numbers(port)]
            yield from ((transport, low, high) for low, high in found)

    def fits(self, site, transport, port):
        return any(t == transport and low <= port <= high for t, low, high in self.ranges(site))

    def width(self, site):
        return max((high - low for _, low, high in self.ranges(site)), default=-1)


def value_fits(value, wanted):
    return value in ('both', wanted)


class Site:
    """One host for each role; options and parameters as given."""

    def __init__(self, matrix, options, lists):
        self.matrix, self.options = matrix, options
        self.parameters = dict(matrix.defaults, **lists)
        self.lists = lists
        self.hosts = {role: f'10.7.{i}.1' for i, role in enumerate(sorted(matrix.family))}
        self.role_at = {address: role for role, address in self.hosts.items()}

    def write(self, path):
        with open(path, 'w', encoding='utf-8') as out:
            out.write('site: rows\nmatrix: cisco-unity-5x-exchange\nhosts:\n')
            for role, address in self.hosts.items():
                out.write(f'  h-{role}: {{addresses: [{address}], roles: [{role}]}}\n')
            out.write('options:\n' + ''.join(f'  {k}: {v}\n' for k, v in self.options.items()))
            if self.lists:
                out.write('parameters:\n' + ''.join(f'  {k}: [{", ".join(f"{a}-{b}" for a, b in v)}]\n' for k, v in self.lists.items()))


# --- what is right --------------------------------------------------------------------------------------------------

def fitting(matrix, role, wanted):
    return bool(matrix.implies[role] & wanted)


def sibling(matrix, role, wanted):
    families = {matrix.family[r] for r in matrix.implies[role]} - {None}
    return fitting(matrix, role, wanted) or any(matrix.family[w] in families for w in wanted)


class Judge:
    """The documentation's words: 'What is judged', 'Direction', 'Parameters and options', and the kinds of finding."""

    def __init__(self, matrix, site):
        self.matrix, self.site = matrix, site
        self.on = {row.id: row.holds(site) for row in matrix.rows}

    def between(self, source, target):
        return [row for row in self.matrix.rows if fitting(self.matrix, source, row.source) and fitting(self.matrix, target, row.target)]

    def contradicts(self, row, content):
        return content is not None and bool(row.protocols) and content not in row.protocols

    def judge(self, flow):
        """(verdict, kind, row) of (client, client port, server, server port, transport, content); media went both ways."""
        source, target = self.site.role_at.get(flow.client), self.site.role_at.get(flow.server)
        governed = any(role and self.matrix.implies[role] & self.matrix.governed for role in (source, target))
        if source is None or target is None:
            return ('violation', 'unknown-host', None) if governed else ('not-governed', None, None)
        there, back = self.between(source, target), self.between(target, source)
        if not governed and not there and not back:
            return 'not-governed', None, None
        fits = [row for row in there if row.fits(self.site, flow.transport, flow.server_port)]
        allowing = [row for row in fits if self.on[row.id] and not self.contradicts(row, flow.content)]
        plain = [row for row in allowing if not row.media]
        if plain:
            return 'allowed', None, plain[0].id
        if any(row.media and self.on[row.id] for row in there + back) and flow.transport == 'udp':
            answer = self.judge_media(flow, there, back, allowing)
            if answer:
                return answer
        return self.judge_rest(flow, source, target, there, back, fits)

    def judge_media(self, flow, there, back, allowing):
        returning = [row for row in back if row.media and self.on[row.id] and row.fits(self.site, 'udp', flow.client_port)]
        if flow.content != 'RTP' and (flow.content is not None or not (allowing or returning) or min(flow.client_port, flow.server_port) < 1024):
            return None
        media = [row for row in there if row.media and self.on[row.id]]
        if not allowing:
            return 'violation', 'wrong-port', media[0].id
        if not returning:
            return 'violation', 'wrong-port', [row for row in back if row.media and self.on[row.id]][0].id
        return 'allowed', None, allowing[0].id

    def judge_rest(self, flow, source, target, there, back, fits):
        lost = [row for row in there if self.on[row.id] and not list(row.ranges(self.site)) and 'ports}' in row.ports[0][1] and
                row.ports[0][1][1:-1] in ('unity_workstation_ports', 'viewmail_ports')]
        if lost:
            return 'undocumented', None, lost[0].id
        off = [row for row in fits if not self.on[row.id] and not self.contradicts(row, flow.content)]
        if off:
            return 'violation', 'option-off', off[0].id
        contradicted = [row for row in fits if self.on[row.id] and self.contradicts(row, flow.content)]
        if contradicted:
            return 'violation', 'wrong-protocol', contradicted[0].id
        usable = [row for row in self.matrix.rows if self.on[row.id] and row.fits(self.site, flow.transport, flow.server_port) and
                  not self.contradicts(row, flow.content)]
        turned = [row for row in usable if row in back]
        told = [row for row in there if self.on[row.id] and flow.content in row.protocols]
        if turned and (flow.content in turned[0].protocols or not told):
            return 'violation', 'wrong-direction', turned[0].id
        m = self.matrix
        near = ([row for row in usable if fitting(m, source, row.source) and sibling(m, target, row.target)] or
                [row for row in usable if sibling(m, source, row.source) and fitting(m, target, row.target)])
        if near:
            return 'violation', 'wrong-role', near[0].id
        expecting = [row for row in there if self.on[row.id] and flow.content in row.protocols]
        if expecting:
            wide = [row for row in expecting if flow.server_port >= 1024 and row.width(self.site) > 0]
            return 'violation', 'wrong-port', (wide or expecting)[0].id
        return 'violation', 'no-row', None


# --- the flows --------------------------------------------------------------------------------------------------------

Flow = collections.namedtuple('Flow', 'client client_port server server_port transport content')
STRANGER = '203.0.113.77'
PLAIN = {'CiscoSkinny'}  # framing too plain to be known on a port where nobody expects it


def carried(row, transport, port):
    """What the row's protocol is on this transport and port; None where the row has no opinion."""
    if not row.protocols:
        return None
    if len(row.protocols) > 1:
        return ON_WIRE.get(' '.join(row.protocols), {}).get(port, row.protocols[0])
    return row.protocols[0]


class Plan:
    """Distinct flows; each has a client port of its own that no row documents."""

    def __init__(self, matrix, site):
        self.matrix, self.site, self.flows, self.seen = matrix, site, [], set()
        self.next_port, self.next_media = 40000, 23000

    def add(self, client, server, transport, port, content):
        key = (client, server, transport, port, content)
        if not 0 < port < 65536 or key in self.seen or client == server:
            return
        self.seen.add(key)
        if content == 'RTP':
            self.next_media += 2
        else:
            self.next_port += 1
        self.flows.append(Flow(client, self.next_media if content == 'RTP' else self.next_port, server, port, transport, content))

    def ends(self, row):
        """Each pair of hosts of the row's roles."""
        hosts, m = self.site.hosts, self.matrix
        sources = [r for r in hosts if fitting(m, r, row.source)]
        targets = [r for r in hosts if fitting(m, r, row.target)]
        return [(hosts[a], hosts[b]) for a in sources for b in targets if a != b]

    def siblings(self, row):
        hosts, m = self.site.hosts, self.matrix
        client, server = self.ends(row)[0]
        yield from ((client, hosts[r]) for r in hosts if sibling(m, r, row.target) and not fitting(m, r, row.target))
        yield from ((hosts[r], server) for r in hosts if sibling(m, r, row.source) and not fitting(m, r, row.source))

    def add_range(self, row, transport, low, high, neighbours):
        other = 'udp' if transport == 'tcp' else 'tcp'
        client, server = self.ends(row)[0]
        for port in sorted({low, high}):
            for content in {carried(row, transport, port), None}:
                for pair in self.ends(row):
                    self.add(*pair, transport, port, content)
        for port in {low - 1, high + 1} if neighbours else ():
            for content in {carried(row, transport, low), None} - PLAIN:
                self.add(client, server, transport, port, content)
        for port in sorted({low, high}) if neighbours else ():
            self.add(client, server, other, port, None)
            self.add(server, client, transport, port, None)
            self.add(client, STRANGER, transport, port, carried(row, transport, port))
            self.add(STRANGER, server, transport, port, None)
            for pair in self.siblings(row):
                self.add(*pair, transport, port, carried(row, transport, port))
        if neighbours and transport == 'tcp' and row.protocols:
            self.add(client, server, transport, low, 'SSH')

    def add_row(self, row, neighbours):
        for transport, low, high in row.ranges(self.site):
            self.add_range(row, transport, low, high, neighbours)
        if not list(row.ranges(self.site)):
            client, server = self.ends(row)[0]
            self.add(client, server, 'tcp', 2100, None)
            self.add(client, server, 'udp', 2101, None)


def write_capture(source, flows, directory):
    path, listing = os.path.join(directory, 'rows.pcap'), os.path.join(directory, 'rows.list')
    with open(listing, 'w', encoding='utf-8') as out:
        for f in flows:
            out.write(f'{f.client} {f.client_port} {f.server} {f.server_port} {f.transport} {f.content or "-"}\n')
    subprocess.run([sys.executable, os.path.join(source, 'tests', 'replay', 'rows', 'generate.py'), path, listing], check=True)
    return path


# --- the comparison -----------------------------------------------------------------------------------------------------

def recorded(audit):
    found = {}
    for r in audit.rows('SELECT f.client, f.client_port, f.server, f.server_port, f.transport, f.protocol, c.verdict, c.kind, c.row_id '
                        'FROM flows f JOIN conversations c USING (run_id, conversation_id)'):
        found[r['client'], r['client_port'], r['server'], r['server_port'], r['transport']] = r
    return found


def explain(program, site, flow):
    command = [program, 'explain', '-s', site, '--format', 'json', '--client-port', str(flow.client_port)]
    command += ['--protocol', flow.content] if flow.content else []
    command += ['--both'] if flow.transport == 'udp' else []
    done = subprocess.run([*command, flow.client, flow.server, f'{flow.transport}/{flow.server_port}'], capture_output=True, text=True)
    answer = json.loads(done.stdout)
    return answer['verdict'], answer['kind'] or None, answer['row_id'] or None


def compare(audit, judge, plan, counts):
    ours, wrong = recorded(audit), []
    for flow in plan.flows:
        right, r = judge.judge(flow), ours.get(flow[:5])
        if r is None:
            wrong.append(f'{flow}: not in the record')
            continue
        answer = (r['verdict'], r['kind'] or None, r['row_id'] or None)
        counts[right[1] or right[0]] += 1
        if answer != right:
            wrong.append(f'{tuple(flow)}: the record says {answer} (protocol {r["protocol"]}), right is {right}')
    if len(ours) != len(plan.flows):
        wrong.append(f'{len(ours)} flows in the record, {len(plan.flows)} on the wire')
    return wrong


def run_site(program, source, matrix, name, site, rows, neighbours, counts):
    plan, judge = Plan(matrix, site), Judge(matrix, site)
    for row in rows:
        plan.add_row(row, neighbours)
    with flowdb.scratch() as directory:
        path = os.path.join(directory, 'site.yaml')
        site.write(path)
        capture = write_capture(source, plan.flows, directory)
        audit = flowdb.Audit(program, path, [capture], '--flows', 'all', directory=directory)
        fault = audit.fault()
        wrong = [fault] if fault else compare(audit, judge, plan, counts)
        audit.close()
        step = max(1, len(plan.flows) // (EXPLAINED if neighbours else 6))
        for flow in () if wrong else plan.flows[::step]:
            counts['asked'] += 1
            answer, right = explain(program, path, flow), judge.judge(flow)
            if answer != right:
                wrong.append(f'{tuple(flow)}: explain says {answer}, right is {right}')
    print(f'{name}: {len(plan.flows)} flows, {len(wrong)} wrong')
    return wrong


def sites(matrix):
    """(name, site, rows, with neighbours)"""
    lists = {'exchange_static_ports': [(1200, 1200), (1301, 1303)]}
    usual = {o: 'both' if o in matrix.both else 'on' for o in matrix.options}
    yield 'every option on', Site(matrix, usual, lists), matrix.rows, True
    for option in matrix.options:
        turned = [row for row in matrix.rows if option in row.option_names()]
        for value in ('on', 'off') if option in matrix.both else ('off',):
            yield f'{option} {value}', Site(matrix, dict(usual, **{option: value}), {}), turned, False
    tables = {'unity_workstation_ports': [(3000, 3001)], 'viewmail_ports': [(3100, 3100)], 'dcom_ports': [(6000, 6040)]}
    listed = [row for row in matrix.rows if any(p[1][1:-1] in tables for p in row.ports)]
    yield 'tables listed', Site(matrix, usual, tables), listed, True


def main():
    program, source = sys.argv[1:3]
    matrix = Matrix(program, os.path.join(source, 'rules', 'cisco-unity-5x-exchange.yaml'))
    counts, wrong = collections.Counter(), []
    for name, site, rows, neighbours in sites(matrix):
        if len(sys.argv) <= 3 or name in sys.argv[3:]:
            wrong += [f'{name}: {w}' for w in run_site(program, source, matrix, name, site, rows, neighbours, counts)]
    print(dict(counts))
    for line in wrong[:400]:
        print(line)
    if len(sys.argv) <= 3:
        kinds = ('allowed', 'undocumented', 'no-row', 'wrong-port', 'wrong-protocol', 'wrong-direction', 'wrong-role', 'option-off', 'unknown-host')
        wrong += [f'no flow of kind {kind}' for kind in kinds if counts[kind] == 0]
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
