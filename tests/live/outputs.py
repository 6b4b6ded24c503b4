#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a live run tells: the same findings as JSON lines, on standard error, to the service manager, as metrics and on the terminal;
the signals that reload and end it.  In a network namespace of its own, with the packets of a sample; skipped where there are no rights to make one.

usage: outputs.py FLOWAUDIT SOURCE_ROOT
"""
import ctypes
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import time

SKIP = 77
CLONE_NEWNET = 0x40000000


def enter_namespace():
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        print('skipped: no rights to make a network namespace')
        sys.exit(SKIP)
    for command in ('link add v0 type veth peer name v1', 'link set v0 up', 'link set v1 up', 'link set lo up'):
        if subprocess.run(['ip', *command.split()], capture_output=True).returncode != 0:
            print(f'skipped: ip {command} does not work here')
            sys.exit(SKIP)


def frames(path):
    """The packets of a pcapng file of this machine's byte order: enhanced packet blocks alone."""
    with open(path, 'rb') as f:
        data = f.read()
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from('<II', data, at)
        if kind == 6:
            captured = struct.unpack_from('<I', data, at + 20)[0]
            yield data[at + 28:at + 28 + captured]
        at += size


def send(path):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind(('v0', 0))
        for i, frame in enumerate(frames(path)):
            out.send(frame)
            if i % 200 == 0:
                time.sleep(0.005)


def wait_for(what, seconds, test):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = test()
        if got:
            return got
        time.sleep(0.1)
    raise SystemExit(f'{what}: not within {seconds} s')


def fetch(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        s.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        answer = b''
        while chunk := s.recv(65536):
            answer += chunk
    head, _, body = answer.decode().partition('\r\n\r\n')
    assert head.startswith('HTTP/1.1 200 '), head
    return samples(body)


def samples(text):
    """Each sample of the Prometheus text format; what is not well-formed ends the test."""
    found, types = {}, {}
    for line in text.splitlines():
        if match := re.fullmatch(r'# TYPE (\w+) (counter|gauge)', line):
            types[match[1]] = match[2]
        elif not re.fullmatch(r'# HELP \w+ .+', line):
            match = re.fullmatch(r'(\w+)(\{(?:\w+="(?:[^"\\]|\\["\\n])*",?)+\})? ([0-9.]+)', line)
            assert match, f'no sample: {line}'
            assert match[1] in types and (types[match[1]] == 'counter') == match[1].endswith('_total'), line
            assert match[1] + (match[2] or '') not in found, f'twice: {line}'
            found[match[1] + (match[2] or '')] = float(match[3])
    return found


def start(flowaudit, site, folder, *options, **kwargs):
    return subprocess.Popen([flowaudit, 'watch', '-s', site, '-o', f'{folder}/live.db', '-i', 'v1', '--user', 'root', *options], **kwargs)


def check_outputs(flowaudit, root, folder):
    """NDJSON, hook, metrics, the service manager's messages and standard error of one run, with a reload in it."""
    hook = f'{folder}/hook'
    with open(hook, 'w', encoding='utf-8') as f:
        f.write(f'#!/bin/sh\nexec cat >> {folder}/hooked\n')
    os.chmod(hook, 0o755)
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(f'{folder}/manager')
    manager.setblocking(False)
    told = []

    def manager_says(word):
        try:
            while True:
                told.append(manager.recv(65536).decode())
        except BlockingIOError:
            return any(word in text for text in told)

    run = start(flowaudit, f'{root}/samples/incident.yaml', folder, '--ndjson', f'{folder}/alerts', '--metrics', f'unix:{folder}/metrics', '--metrics',
                f'{folder}/m.prom', '--on-finding', hook, '--alerts', 'each,notice,100000/m', stderr=subprocess.PIPE, text=True,
                env={**os.environ, 'NOTIFY_SOCKET': f'{folder}/manager', 'WATCHDOG_USEC': '3000000'})
    wait_for('READY=1', 20, lambda: manager_says('READY=1'))
    send(f'{root}/samples/incident.pcapng')
    packets = sum(1 for _ in frames(f'{root}/samples/incident.pcapng'))
    seen = wait_for('all packets', 20, lambda: (m := fetch(f'{folder}/metrics'))['flowaudit_packets_total'] >= packets and m)
    findings = wait_for('findings', 20, lambda: sum(v for k, v in fetch(f'{folder}/metrics').items() if k.startswith('flowaudit_findings_total')) > 100)
    assert seen['flowaudit_bytes_total'] >= sum(map(len, frames(f'{root}/samples/incident.pcapng'))), seen['flowaudit_bytes_total']
    assert findings and seen['flowaudit_interface_up{interface="v1"}'] == 1
    assert seen['flowaudit_packets_decoded_total'] + sum(v for k, v in seen.items() if 'discarded' in k) == seen['flowaudit_packets_total']
    wait_for('a sign of life', 10, lambda: manager_says('WATCHDOG=1'))
    run.send_signal(signal.SIGHUP)
    wait_for('RELOADING=1', 20, lambda: manager_says('RELOADING=1'))
    wait_for('a reload', 20, lambda: fetch(f'{folder}/metrics')['flowaudit_reloads_total'] == 1)
    assert os.path.exists(f'{folder}/m.prom')
    run.send_signal(signal.SIGTERM)
    errors = run.communicate(timeout=60)[1]
    assert run.returncode in (0, 1, 3), f'{run.returncode}: {errors[-2000:]}'
    assert manager_says('STOPPING=1')
    assert 'cannot' not in errors, errors
    with open(f'{folder}/alerts', encoding='utf-8') as f:
        lines = [json.loads(line) for line in f]
    alerts = [line for line in lines if line['event']['kind'] == 'alert']
    assert len(alerts) > 100 and len({(a['event']['code'], json.dumps(a.get('source')), json.dumps(a.get('destination')), a['message'])
                                      for a in alerts if a['flowaudit']['new']}) > 100
    assert any(a.get('network', {}).get('community_id', '').startswith('1:') for a in alerts)
    assert any(a['flowaudit']['kind'] == 'wrong-protocol' and a['source']['ip'] == '10.20.6.10' and a['destination']['port'] == 5010 for a in alerts)
    wait_for('the hook', 60, lambda: sum(1 for _ in open(f'{folder}/hooked', encoding='utf-8')) == len(alerts))
    assert not os.path.exists(f'{folder}/m.prom') and not os.path.exists(f'{folder}/metrics')
    print(f'{packets} packets, {len(alerts)} alerts, {len(told)} messages to the service manager')


def check_folds(flowaudit, root, folder):
    """A scan among other findings is a few alerts and one that grows, everywhere alike; nothing is dropped at the end without a word."""
    run = start(flowaudit, f'{root}/samples/incident.yaml', folder, '--ndjson', f'{folder}/alerts', stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    send(f'{root}/samples/incident.pcapng')
    time.sleep(4)
    run.send_signal(signal.SIGTERM)
    errors = run.communicate(timeout=60)[1]
    with open(f'{folder}/alerts', encoding='utf-8') as f:
        alerts = [a for a in map(json.loads, f) if a['event']['kind'] == 'alert']
    scan = [a for a in alerts if a.get('source', {}).get('address') == '10.20.77.9' and a['event']['code'] == 'unknown-host']
    folded = [a for a in scan if a['event']['action'] == 'findings-like']
    assert len(scan) < 12 and folded and max(a['flowaudit']['like'] for a in folded) > 50, [a['message'] for a in scan]
    assert re.search(r'10\.20\.77\.9 to unity1 \(10\.20\.1\.10\): \d+ more like findings, tcp/\d+-\d+ \(', folded[-1]['message']), folded[-1]
    assert len(re.findall(r'^\d\d:\d\d:\d\dZ [a-z]+ [a-z-]+', errors, re.MULTILINE)) == len(alerts), errors
    with sqlite3.connect(f'{folder}/live.db') as db:
        recorded = db.execute("SELECT kind, severity, count(*) FROM findings WHERE severity <> 'notice' AND waived_by IS NULL GROUP BY 1, 2").fetchall()
        assert db.execute('SELECT min(finding_id) FROM findings').fetchone()[0] == 1, 'there is no finding 1'
    for kind, severity, n in recorded:
        mine = [a for a in alerts if a['event']['code'] == kind and a['log']['level'] == severity]
        latest = {a['flowaudit']['finding_id']: a['flowaudit'].get('like', 1) for a in mine if a['event']['action'] != 'finding-grew'}
        assert sum(latest.values()) >= n, f'{n} findings {severity} {kind} are recorded, and {latest} were told'
    print(f'{len(alerts)} alerts for {sum(n for _, _, n in recorded)} findings, {len(scan)} of them for the scan')


def check_top(flowaudit, root, folder, lines, columns):
    """The live table in a terminal of that size, from the first screen to the terminal given back."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))
    before = termios.tcgetattr(slave)
    run = start(flowaudit, f'{root}/samples/incident.yaml', folder, '--top', stdin=slave, stdout=slave, stderr=slave, env={**os.environ, 'TERM': 'xterm'})
    shown = b''

    def sees(word):
        nonlocal shown
        while select.select([master], [], [], 0.05)[0]:
            shown += os.read(master, 65536)
        return word in shown

    wait_for('the table', 20, lambda: sees(b'sort: bytes'))
    send(f'{root}/samples/incident.pcapng')
    wait_for('a finding', 20, lambda: sees(b'unknown-host'))
    wait_for('a conversation', 20, lambda: sees(b'tcp/'))
    os.write(master, b's')
    wait_for('another order', 20, lambda: sees(b'sort: packets'))
    os.write(master, b'q')
    end = time.monotonic() + 60
    while run.poll() is None and time.monotonic() < end:
        sees(b'')
    assert run.returncode in (0, 1, 3), run.returncode
    assert sees(b'\x1b[?1049h') and sees(b'\x1b[?1049l')
    assert termios.tcgetattr(slave)[:4] == before[:4], 'the terminal is not as it was'
    screen = shown.split(b'\x1b[H')[-2].decode(errors='replace')
    text = re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', screen)
    rows = re.split(r'\r+\n', text)  # the terminal adds a return to each newline
    assert len(rows) == lines and all(len(row) <= columns for row in rows[:-1]) and len(rows[-1].split('\x1b')[0]) <= columns, screen
    os.close(slave)
    os.close(master)


def check_refused(flowaudit, root, folder):
    """What is wrong at the start is said on the terminal as it was, not on the table's screen, which is gone then."""
    master, slave = pty.openpty()
    run = start(flowaudit, f'{root}/samples/incident.yaml', folder, '--top', '-o', folder, stdin=slave, stdout=slave, stderr=slave,
                env={**os.environ, 'TERM': 'xterm'})
    assert run.wait(60) == 2, run.returncode
    os.close(slave)
    shown = b''
    while select.select([master], [], [], 1)[0]:
        try:
            shown += os.read(master, 65536)
        except OSError:  # the other end is closed
            break
    os.close(master)
    assert b'\x1b[?1049l' in shown and b'not a file' in shown.split(b'\x1b[?1049l')[-1], shown


def main():
    flowaudit, root = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    enter_namespace()
    for check in (check_outputs, check_folds, check_refused, lambda *a: check_top(*a, 24, 80), lambda *a: check_top(*a, 10, 40)):
        with tempfile.TemporaryDirectory() as folder:
            check(flowaudit, root, folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())
