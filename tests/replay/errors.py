#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a user is told who makes a mistake: in a site or matrix file, on the command line, with a file.

usage: errors.py FLOWAUDIT SOURCE_ROOT
"""
import hashlib
import os
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

FLOWAUDIT, SAMPLES = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]) + '/samples'
ERROR = re.compile(r'^(?P<file>[^:]+):(?P<line>\d+):(?P<column>\d+): error: (?P<text>.+)$')
NOBODY = 65534

SITE = """site: Demo
matrix: cisco-unity-5x-exchange
options: {https: on}
parameters: {dcom_ports: 5000-5020}
hosts:
  unity1: {addresses: [10.0.0.1], roles: [unity-primary]}
  dc1:    {addresses: [10.0.0.2, 10.1.0.0/24], roles: [dc-monitored]}
within: 1h
expect: {unity-dc-ntp: on-demand}
ignore:
  - {network: 10.9.0.0/24, reason: backup}
exceptions:
  - {id: X1, client: dc1, server: unity1, port: tcp/22, owner: N, reason: r, until: 2027-01-31}
"""

# What is put in the place of what, and the places and words of the errors that follow.
SITE_MISTAKES = [
    ('unknown key', [('within: 1h', 'witin: 1h')], [('witin', "did you mean 'within'")]),
    ('unknown key of a host', [('addresses: [10.0.0.1]', 'adresses: [10.0.0.1]')], [('adresses', "did you mean 'addresses'")]),
    ('missing key', [(', roles: [unity-primary]', '')], [('{addresses: [10.0.0.1]', "'roles' is missing")]),
    ('duplicate key', [('within: 1h', 'within: 1h\nwithin: 2h')], [('within: 2h', 'line 8 has it already')]),
    ('duplicate host', [('  dc1: ', '  unity1: ')], [('unity1: ', "duplicate host 'unity1'"), ('dc1, server', "'dc1'")]),
    ('a part of a name', [('unity-primary', 'secondary')], [('secondary', "did you mean 'unity-secondary'")]),
    ('version in words', [('{dcom_ports: 5000-5020}', '{ucm_release: abc}')], [('abc', "'ucm_release' is a version, such as 5.0, not 'abc'")]),
    ('range for a version', [('{dcom_ports: 5000-5020}', '{ucm_release: 5-6}')], [('5-6', "'ucm_release' is a version, such as 5.0, not '5-6'")]),
    ('list for a version', [('{dcom_ports: 5000-5020}', '{ucm_release: [5, 6]}')], [('ucm_release', 'is a version, such as 5.0, not a list of ports')]),
    ('port in words, and more', [('5000-5020', 'https'), ('within: 1h', 'witin: 1h')], [('https}', 'such as [1200, 1201-1204], not'), ('witin', "'within'")]),
    ('unknown role', [('unity-primary', 'unity-primery')], [('unity-primery', "did you mean 'unity-primary'")]),
    ('a role like no other', [('unity-primary', 'xyzzy')], [('xyzzy', 'voice-messaging-system and voip-gateway')]),
    ('unknown option', [('https: on', 'htps: on')], [('htps', "did you mean 'https'")]),
    ('value of an option', [('https: on', 'https: maybe')], [('maybe', 'on, off or both')]),
    ('value that this option cannot have', [('https: on', 'rdp: both')], [('both', 'it is on or off')]),
    ('unknown parameter', [('dcom_ports', 'dcom_port')], [('dcom_port', "did you mean 'dcom_ports'")]),
    ('range that runs backwards', [('5000-5020', '5020-5000')], [('5020-5000', "did you mean '5000-5020'")]),
    ('port that does not exist', [('5000-5020', '5000-70000')], [('5000-70000', '1 to 65535')]),
    ('port in words', [('5000-5020', 'https')], [('https}', 'such as [1200, 1201-1204], not')]),
    ('unknown row', [('unity-dc-ntp', 'unity-dc-ntq')], [('unity-dc-ntq', "did you mean 'unity-dc-ntp'")]),
    ('expectation', [('on-demand', 'always')], [('always', 'required or on-demand')]),
    ('duration without a unit', [('within: 1h', 'within: 90')], [('90', "'90m'")]),
    ('unknown matrix', [('matrix: cisco-unity-5x-exchange', 'matrix: cisco')], [('cisco', 'rules directory, or a path')]),
    ('address', [('10.0.0.1', '10.0.0.256')], [('10.0.0.256', 'write 10.0.0.1')]),
    ('bits behind the prefix', [('10.1.0.0/24', '10.1.0.7/24')], [('10.1.0.7/24', "did you mean '10.1.0.0/24'")]),
    ('address of another host', [('10.0.0.2', '10.0.0.1')], [('10.0.0.1, 10.1', "host 'unity1' already")]),
    ('overlap', [('10.1.0.0/24', '10.0.0.0-10.0.0.2'), ('[10.0.0.2, ', '['), ('[10.0.0.1]', '[10.0.0.1-10.0.0.9]')],
     [('10.0.0.0-10.0.0.2', 'overlap')]),
    ('date', [('2027-01-31', '2027-02-29')], [('2027-02-29', 'YYYY-MM-DD')]),
    ('host of an exception', [('client: dc1', 'client: dc2')], [('dc2', "did you mean 'dc1'")]),
    ('open bracket', [('[10.0.0.1]', '[10.0.0.1')], [(None, '')]),
    ('tab', [('  dc1:', '\tdc1:')], [(None, 'indent with spaces')]),
    ('text that is no mapping', [('options: {https: on}', 'options: https')], [('https', 'must be a mapping')]),
    ('alias', [('reason: backup', 'reason: *backup')], [('backup', 'write the value out')]),
    ('four in one file',
     [('within: 1h', 'witin: 1h'), ('5000-5020', '5020-5000'), ('unity-primary', 'unity-primery'), ('https: on', 'htps: on')],
     [('htps', "'https'"), ('5020-5000', "'5000-5020'"), ('unity-primery', "'unity-primary'"), ('witin', "'within'")]),
]

MATRIX = """matrix: demo
roles:
  web: {governed: true}
  db:  {family: data}
options: {cache: {default: off}}
parameters: {db_port: {ports: 5432}}
sections:
  - heading: One
    rows:
      - {id: web-db, from: web, to: db, ports: "tcp/{db_port}", service: SQL, expect: required, protocols: TLS}
      - {id: web-cache, from: web, to: db, ports: tcp/6379, service: cache, when: {cache: on}, expect: on-demand}
tests:
  - allow web db tcp/5432
"""

MATRIX_MISTAKES = [
    ('unknown key of a row', [('service: SQL', 'servcie: SQL')], [('servcie', "did you mean 'service'")]),
    ('unknown role', [('to: db, ports: "', 'to: dba, ports: "')], [('dba', "did you mean 'db'")]),
    ('port without a transport', [('tcp/6379', '6379')], [('6379', "write 'tcp/6379'")]),
    ('unknown parameter', [('{db_port}', '{dbport}')], [('tcp/{dbport}', "did you mean 'db_port'")]),
    ('unknown option', [('{cache: on}', '{cash: on}')], [('cash', "did you mean 'cache'")]),
    ('two rows of one name', [('id: web-cache', 'id: web-db')], [('web-db, from: web, to: db, ports: tcp/6379', "duplicate row")]),
    ('unknown protocol', [('protocols: TLS', 'protocols: TSL')], [('TSL', "did you mean 'TLS'")]),
    ('expectation', [('expect: on-demand', 'expect: sometimes')], [('sometimes', 'required or on-demand')]),
    ('test that fails', [('allow web db tcp/5432', 'allow db web tcp/5432')], [('allow db', 'self-test failed')]),
    ('protocol of a test', [('allow web db tcp/5432', 'deny db web tcp/5432 as Kerbros')], [('deny db', "unknown protocol 'Kerbros'; did you mean 'Kerberos'?")]),
    ('test that is none', [('allow web db tcp/5432', 'permit web db tcp/5432')], [('permit', 'allow|deny')]),
    ('empty', [(MATRIX, '')], [(None, 'empty')]),
]

failures = []


def expect(condition, what):
    if not condition:
        failures.append(what)


def run(*arguments, **options):
    return subprocess.run([FLOWAUDIT, *arguments], capture_output=True, text=True, timeout=120, **options)


def write(path, text):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    return path


def mutate(text, changes):
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def find_place(text, mark):
    """Line and column of the last place where the mark stands: changes are made before it, names are defined before they
    are used."""
    before = text[:text.rindex(mark)]
    return before.count('\n') + 1, len(before) - (before.rfind('\n') + 1) + 1


def check_errors(name, path, text, done, wanted):
    """One error at each place, each with its line of the file and a caret under the place."""
    lines = done.stderr.splitlines()
    found = [(i, m) for i, m in ((i, ERROR.match(line)) for i, line in enumerate(lines)) if m]
    expect(done.returncode == 2, f'{name}: status {done.returncode}')
    expect(done.stdout == '', f'{name}: something on standard output: {done.stdout}')
    expect(len(found) == len(wanted), f'{name}: {len(found)} errors and not {len(wanted)}:\n{done.stderr}')
    for (i, m), (mark, words) in zip(found, wanted):
        place = int(m['line']), int(m['column'])
        expect(m['file'] == path, f"{name}: names {m['file']}")
        expect(words in m['text'], f'{name}: does not say "{words}": {m["text"]}')
        if text == '':
            continue
        expect(mark is None or place == find_place(text, mark), f'{name}: at {place}, and {mark} is at {mark and find_place(text, mark)}')
        expect(lines[i + 1].strip() == text.split('\n')[place[0] - 1].strip(), f'{name}: not the line of the file: {lines[i + 1]}')
        expect(lines[i + 2].index('^') - 4 == place[1] - 1, f'{name}: the caret is not under the place:\n{done.stderr}')


def check_site_mistakes(folder):
    write(f'{folder}/good.yaml', SITE)
    done = run('lint', '-s', f'{folder}/good.yaml')
    expect(done.returncode in (0, 1) and done.stderr == '', f'the site without mistakes: {done.stderr}')
    for name, changes, wanted in SITE_MISTAKES:
        text = mutate(SITE, changes)
        path = write(f'{folder}/site.yaml', text)
        db = f'{folder}/none.db'
        check_errors(name, path, text, run('check', '-s', path, '-o', db, f'{SAMPLES}/healthy.pcapng'), wanted)
        expect(not os.path.exists(db), f'{name}: a record was made')
        for command in (['lint'], ['explain', 'unity1', 'dc1', 'tcp/88'], ['matrix']):
            check_errors(f'{name}, {command[0]}', path, text, run(command[0], '-s', path, *command[1:]), wanted)


def check_matrix_mistakes(folder):
    path = write(f'{folder}/matrix.yaml', MATRIX)
    done = run('lint', path)
    expect(done.returncode == 0 and done.stderr == '', f'the matrix without mistakes: {done.stderr}')
    site = write(f'{folder}/of-matrix.yaml', 'matrix: matrix.yaml\nhosts:\n  a: {addresses: 10.0.0.1, roles: web}\n')
    for name, changes, wanted in MATRIX_MISTAKES:
        text = mutate(MATRIX, changes)
        write(path, text)
        check_errors(name, path, text, run('lint', path), wanted)
        check_errors(f'{name}, by a site', path, text, run('lint', '-s', site), wanted)


def refuse(arguments, words, status=2, **options):
    done = run(*arguments, **options)
    name = 'flowaudit ' + ' '.join(arguments)
    expect(done.returncode == status, f'{name}: status {done.returncode} {done.stderr}')
    expect(words in done.stderr, f'{name}: does not say "{words}": {done.stderr}')
    expect(done.stdout == '', f'{name}: something on standard output: {done.stdout}')
    expect(all(line.startswith('flowaudit') for line in done.stderr.splitlines()), f'{name}: who speaks? {done.stderr}')


def check_usage(folder):
    site, capture = f'{SAMPLES}/incident.yaml', f'{SAMPLES}/incident.pcapng'
    done = run()
    expect(done.returncode == 2 and 'usage: flowaudit' in done.stderr and done.stdout == '', 'no arguments')
    refuse(['chekc'], "unknown command 'chekc'; did you mean 'check'?")
    refuse(['judgement'], "unknown command 'judgement'; 'flowaudit --help'")
    for command in ('check', 'report', 'explain', 'lint', 'matrix'):
        refuse([command, '--bogus'], f"flowaudit {command}: unrecognized option '--bogus'\nflowaudit: try 'flowaudit {command} --help'")
    done = run('check', '--output', '--quitt', '-Xq', capture) # of a cluster of letters, the word before it is not what was not known
    expect(done.returncode == 2 and "invalid option -- 'X'" in done.stderr and 'did you mean' not in done.stderr, f'a letter in a cluster: {done.stderr}')
    refuse(['check', '--quitt'], "did you mean '--quiet'?")
    refuse(['check'], "no capture file named\nflowaudit: try 'flowaudit check --help'")
    refuse(['check', '-s'], "option requires an argument -- 's'")
    for options, words in ((['-j', '0'], '-j 0: a number from 1 to 64'), (['-j', '2x'], '-j 2x: a number'), (['--memory', '-3'], '--memory -3'),
                           (['--tcp-idle', ''], '--tcp-idle'), (['--flows', 'some'], "'violations' or 'all'"),
                           (['--fail-on', 'no-row,nothing'], "'nothing' is not a kind of finding; known are no-row")):
        refuse(['check', *options, capture], words)
    refuse(['check', capture], 'no site file: name one with -s SITE', cwd=folder)
    refuse(['report'], 'report takes one database')
    refuse(['report', '--format', 'xml', 'a.db'], "unknown format 'xml'; known are text, csv, json")
    refuse(['report', '--run', '0', 'a.db'], '--run 0: a number from 1 on')
    refuse(['explain', '-s', site, 'a', 'b'], 'explain takes CLIENT SERVER PROTO/PORT')
    refuse(['explain', '-s', site, 'admin', 'unity1', 'tcp/80'], "'admin' is neither an address nor a host of the site; did you mean 'admin1'?")
    refuse(['explain', '-s', site, 'admin1', 'unity1', '80'], "'80' is not a service; tcp/PORT or udp/PORT is wanted")
    refuse(['explain', '-s', site, 'admin1', 'unity1', 'tcp/65536'], "'65536' is not a port; a number from 1 to 65535")
    refuse(['explain', '-s', site, 'admin1', 'unity1', 'tcp/80', '--protocol', 'HTPP'], "unknown protocol 'HTPP'; did you mean 'HTTP'?")
    refuse(['explain', '-s', site, 'admin1', 'unity1', 'tcp/80', '--format', 'tsv'], "unknown format 'tsv'; known are text and json")
    refuse(['lint', 'a', 'b'], 'lint takes a site with -s, or one matrix file')
    refuse(['lint', 'nosuch'], "no matrix 'nosuch'; a name of a file in the rules directory, or a path, is wanted")
    refuse(['matrix', 'nosuch'], "no matrix 'nosuch'")
    refuse(['matrix', '--format', 'csv'], "unknown format 'csv'; known are text, tsv and json")


def check_inputs(folder):
    """Nothing is made where a file cannot be used, and each one that is not there is told."""
    site, capture, db = f'{SAMPLES}/incident.yaml', f'{SAMPLES}/incident.pcapng', f'{folder}/inputs.db'
    check = ['check', '-s', site, '-o', db]
    refuse([*check, 'none.pcap', capture, 'more.pcap', folder], 'none.pcap: cannot be opened: No such file or directory\n'
           f'flowaudit: more.pcap: cannot be opened: No such file or directory\nflowaudit: {folder}: is a directory, not a capture file')
    expect(not os.path.exists(db), 'a record was made although inputs are missing')
    refuse([*check, site], 'not a capture file')
    refuse([*check, write(f'{folder}/empty.pcap', '')], 'it is empty')
    refuse([*check, '-f', 'tcp prt 80', capture], "the filter 'tcp prt 80' does not compile")
    for path, words in ((f'{folder}/none.yaml', 'cannot be read: No such file'), (folder, 'cannot be read: Is a directory')):
        done = run('check', '-s', path, capture)
        expect(done.returncode == 2 and f'{path}: error: {words}' in done.stderr, f'site {path}: {done.stderr}')


def check_unreadable(folder):
    """As an ordinary user: root can read everything."""
    site, secret = f'{SAMPLES}/incident.yaml', write(f'{folder}/secret', 'hosts: {}\n')
    os.chmod(secret, 0)
    options = {'user': NOBODY, 'group': NOBODY, 'extra_groups': []} if os.geteuid() == 0 else {}
    os.chmod(folder, 0o755)
    if subprocess.run(['test', '-r', FLOWAUDIT, '-a', '-r', site, '-a', '-x', folder], **options).returncode != 0:
        print('an ordinary user cannot reach the program and the samples: unreadable files were not tried')
        return
    refuse(['check', '-s', site, '-o', f'{folder}/u.db', secret], f'{secret}: cannot be opened: Permission denied', **options)
    refuse(['report', secret], 'Permission denied', **options)
    done = run('lint', '-s', secret, **options)
    expect(done.returncode == 2 and f'{secret}: error: cannot be read: Permission denied' in done.stderr, f'secret site: {done.stderr}')
    os.chmod(folder, 0o555)
    if os.geteuid() == 0:
        refuse(['check', '-s', site, '-o', f'{folder}/u.db', f'{SAMPLES}/incident.pcapng'], 'u.db', **options)
    os.chmod(folder, 0o755)


def digest(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def check_foreign_records(folder):
    """A file that is not ours is refused, and not one byte of it is changed."""
    check = ['check', '-s', f'{SAMPLES}/incident.yaml', f'{SAMPLES}/incident.pcapng', '-o']
    other = f'{folder}/other.db'
    with sqlite3.connect(other) as connection:
        connection.execute('CREATE TABLE t(x)')
    connection.close()
    for path, words in ((write(f'{folder}/letter.txt', 'Dear reader,\n'), 'not SQLite at all'), (other, "another program's SQLite file")):
        before = digest(path), sorted(os.listdir(folder))
        refuse([*check, path], f'{path}: is not a flowaudit database ({words})')
        refuse(['report', path], f'{path}: is not a flowaudit database ({words})')
        expect(before == (digest(path), sorted(os.listdir(folder))), f'{path} was touched')
    refuse([*check, folder], 'is a directory, not a file')
    refuse([*check, f'{folder}/none/x.db'], 'No such file or directory')
    refuse(['report', f'{folder}/none.db'], 'no such file')


def check_outputs(folder):
    """What was printed is whole, or the status says that it is not."""
    site, db = f'{SAMPLES}/incident.yaml', f'{folder}/out.db'
    check = ['check', '-s', site, '-o', db, f'{SAMPLES}/incident.pcapng']
    expect(run(*check).returncode == 1, 'check before outputs')
    refuse(['report', '--table', 'nothing', db], "no table 'nothing'; there are runs, seals")
    refuse(['report', '--run', '9', db], 'the record has no run 9')
    for form in 'text', 'html':
        refuse(['report', '--table', 'findings', '--format', form, db], '--table is for the formats csv')
    expect(run('report', '--table', 'hosts', db).stdout == run('report', '--format', 'csv', '--table', 'hosts', db).stdout != '', '--table alone is CSV')
    refuse(['check', '-s', f'{SAMPLES}/incident.pcapng', site], 'incident.pcapng is a capture, not a site file')
    refuse(['check', '--siet', site], "did you mean '--site'?")
    refuse(['report', '--formt', 'csv', db], "did you mean '--format'?")
    refuse(['matrix', 'web-shp'], "did you mean 'web-shop'?")
    refuse(['matrix', 'nothing-like-it'], 'there are cisco-unity-5x-exchange, ')
    refuse(['report', '-o', f'{folder}/none/x.csv', db], f'{folder}/none/x.csv: cannot be made: No such file or directory')
    commands = [check, ['report', db], ['report', '--format', 'csv', db], ['report', '--format', 'json', db], ['matrix', '-s', site],
                ['matrix'], ['lint', '-s', site], ['explain', '-s', site, 'admin1', 'unity1', 'tcp/80'], ['--help'], ['check', '--help'],
                ['--version']]
    for command in commands:
        with open('/dev/full', 'w', encoding='utf-8') as full:
            done = subprocess.run([FLOWAUDIT, *command], stdout=full, stderr=subprocess.PIPE, text=True)
        expect(done.returncode == 3 and 'No space left on device' in done.stderr, f'{command} to a full disk: {done.returncode} {done.stderr}')
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([FLOWAUDIT, *command], stdout=writer, stderr=subprocess.PIPE, text=True, preexec_fn=default_sigpipe)
        os.close(writer)
        expect(done.returncode == -signal.SIGPIPE and done.stderr == '', f'{command} to nobody: {done.returncode} {done.stderr}')
    runs = sqlite3.connect(db).execute('SELECT count(*), sum(complete) FROM runs').fetchone()
    expect(runs == (3, 3), f'a run is whole although nobody reads its report: {runs}')


def default_sigpipe():
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def check_named(folder):
    """A file that is named twice, by whatever name; a site file where a matrix is meant."""
    capture, link = f'{SAMPLES}/web-shop.pcap', f'{folder}/again.pcap'
    os.symlink(capture, link)
    refuse(['check', '-s', f'{SAMPLES}/web-shop.yaml', '-o', f'{folder}/twice.db', capture, link], 'are the same file: its packets would count twice')
    refuse(['learn', capture, f'{SAMPLES}/../samples/web-shop.pcap'], 'are the same file: its packets would count twice')
    refuse(['learn', '-f', 'tcp port 80', capture], "shows a role of cisco-unity-5x-exchange; write the site file by hand: 'flowaudit matrix' shows the roles")
    refuse(['lint', f'{SAMPLES}/web-shop.yaml'], f"is a site file; 'flowaudit lint -s {SAMPLES}/web-shop.yaml' checks it with its matrix")
    matrix = write(f'{folder}/a-matrix.yaml', MATRIX)
    for command in (['lint'], ['matrix'], ['check', capture]):
        refuse([command[0], '-s', matrix, *command[1:]], f"{matrix} is a matrix, not a site file; 'flowaudit lint {matrix}' checks it")
    write(matrix, MATRIX.replace('service: SQL', 'servcie: SQL'))
    refuse(['lint', '-s', matrix], 'is a matrix, not a site file')
    for time in ('', '1', '59s', '1w', '-1h', '99999999d'):
        refuse(['check', '-s', f'{SAMPLES}/web-shop.yaml', '--window', time, capture], 'a duration of a minute or more is wanted')


def check_filter(folder):
    """What a filter took out is not missing."""
    db = f'{folder}/filter.db'
    done = run('check', '-q', '-s', f'{SAMPLES}/healthy.yaml', '-o', db, '-f', 'port 389', f'{SAMPLES}/healthy.pcapng')
    outcomes = {outcome for outcome, in sqlite3.connect(db).execute('SELECT DISTINCT outcome FROM expectations')}
    expect(done.returncode == 0 and outcomes == {'seen', 'not-covered'}, f'filter: {done.returncode} {outcomes}')


def pcap(path, frames, linktype=1):
    records = b''.join(struct.pack('<IIII', 1772442000 + i, 0, len(f), len(f)) + f for i, f in enumerate(frames))
    with open(path, 'wb') as f:
        f.write(struct.pack('<IHHiIII', 0xa1b2c3d4, 2, 4, 0, 0, 65535, linktype) + records)
    return path


def ether(kind, payload):
    return b'\x02\0\0\0\0\2\x02\0\0\0\0\1' + struct.pack('>H', kind) + payload


def ipv4(protocol, payload, source=(192, 0, 2, 1), target=(192, 0, 2, 2)):
    return ether(0x0800, struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0) + bytes(source) + bytes(target) + payload)


def check_nothing_shown(folder):
    """Captures that say nothing of the site are no evidence that it conforms."""
    tcp, dns = struct.pack('>HHIIBBHHH', 1025, 80, 1, 0, 1 << 4, 2, 1024, 0, 0), struct.pack('>HHHH', 1025, 53, 16, 0) + b'question'
    for name, frames, options, words in (
            ('malformed', [ipv4(6, tcp)] * 2, [], 'of 2 packets not one was decoded'),
            ('arp', [ether(0x0806, struct.pack('>HHBBH', 1, 0x0800, 6, 4, 1) + bytes(20))], [], 'of 1 packet not one was decoded'),
            ('strangers', [ipv4(17, dns)], [], 'no TCP or UDP packet of a host of the site was seen'),
            ('filtered', [ipv4(17, dns)] * 3, ['-f', 'tcp'], 'the filter left none of 3 packets')):
        done = run('check', '-s', f'{SAMPLES}/healthy.yaml', '-o', f'{folder}/{name}.db', *options, pcap(f'{folder}/{name}.pcap', frames))
        head = ' '.join(done.stdout.split('\n\n')[0].split())
        expect(done.returncode == (3 if options else 0) and head.startswith(f'Not determined: nothing was shown: {words}'), f'{name}: {done.returncode} {head}')
        expect(words.split(' of ')[0] in done.stderr or 'not one of' in done.stderr, f'{name}: {done.stderr}')
    pcap(f'{folder}/none.pcap', [])
    check = ['check', '-s', f'{SAMPLES}/healthy.yaml', '-q', '-o', f'{folder}/x.db']
    refuse([*check, f'{folder}/none.pcap'], 'none.pcap: not one packet could be read')
    refuse([*check, pcap(f'{folder}/odd.pcap', [bytes(60)], 147)], 'odd.pcap: link type LINKTYPE 147 is not decoded')
    refuse([*check, f'{folder}/odd.pcap'], 'PPPoE, Cisco HDLC and NFLOG')
    done = run('check', '-s', f'{SAMPLES}/healthy.yaml', '-o', f'{folder}/two.db', f'{folder}/none.pcap', f'{SAMPLES}/healthy.pcapng')
    expect(done.returncode == 3 and 'incomplete: 1 input has no packet' in done.stdout, f'an empty one of two: {done.returncode} {done.stdout[:200]}')


def check_matrix_printed(folder):
    """Whoever writes a site file by hand finds the names that it may have, and who they are, in what is printed."""
    done = run('matrix')
    for words in ('Roles of hosts\n', '  unity-primary                  the primary or only Cisco Unity server (is also unity)\n', '  exchange  ',
                  '  failover                       the Cisco Unity servers are a failover pair (off, but on where a host is unity-secondary)\n',
                  '  dcom_ports                     the range to which DCOM dynamic port allocation is restricted (5000-5020)\n',
                  '(5.0)\n', 'the table of the source is lost: the site lists them)\n'):
        expect(words in done.stdout, f'matrix does not print {words!r}')
    expect('.md' not in done.stdout, 'matrix names a file that nobody has')
    expect('Roles of hosts' not in run('matrix', '--format', 'tsv').stdout, 'tsv has rows alone')
    expect(run('matrix', write(f'{folder}/m.yaml', MATRIX)).stdout.startswith('Roles of hosts\n  web '), 'a small matrix')
    with open(f'{folder}/cut.pcapng', 'wb') as f:
        f.write(struct.pack('<IIIHHI', 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, 0))
    done = run('check', '-s', f'{SAMPLES}/web-shop.yaml', '-o', f'{folder}/x.db', f'{folder}/cut.pcapng')
    expect('block of type 0x0A0D0D0A' in done.stdout + done.stderr, f'a cut section: {done.stdout} {done.stderr}')


def check_stopped(folder):
    """A signal ends the reading, and the record says so; of a run that is at work it says that it may be."""
    db, fifo = f'{folder}/stopped.db', f'{folder}/fifo.pcap'
    os.mkfifo(fifo)
    p = subprocess.Popen([FLOWAUDIT, 'check', '-s', f'{SAMPLES}/web-shop.yaml', '-o', db, fifo], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with open(f'{SAMPLES}/web-shop.pcap', 'rb') as f, open(fifo, 'wb') as out:
        out.write(f.read()[:4000])
        out.flush()
        for _ in range(100):
            if os.path.exists(db) and 'still running, or broken off' in run('report', db).stdout:
                break
            time.sleep(0.1)
        else:
            expect(False, 'a run at work is not told as one')
        time.sleep(0.3)
        p.send_signal(signal.SIGINT)
        time.sleep(0.3)
    out, err = p.communicate(timeout=60)
    text = ' '.join(out.split())
    expect(p.returncode == 3 and 'stopped by a signal' in err, f'stopped: {p.returncode} {err}')
    expect('1 of 1 input not read to the end' in text and 'Not read to the end: fifo.pcap (a signal stopped the run)' in text and 'Damaged' not in text, f'stopped: {text}')
    expect('      not read to its end: a signal stopped the run' in run('report', db).stdout, 'stopped: the full report')
    expect('<td>not read to its end: a signal' in run('report', '--format', 'html', db).stdout, 'stopped: the page')


def main():
    for check in (check_site_mistakes, check_matrix_mistakes, check_usage, check_inputs, check_unreadable, check_foreign_records,
                  check_outputs, check_named, check_filter, check_nothing_shown, check_stopped, check_matrix_printed):
        with tempfile.TemporaryDirectory() as folder:
            check(folder)
    print(*failures, sep='\n')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
