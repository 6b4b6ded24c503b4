#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live runs in a network namespace of the test's own: a mirrored port judged as its capture would be, packets counted whatever happens, links,
signals and a record that cannot be written.  Skipped where there are no rights to make a namespace.

usage: watch.py FLOWAUDIT SOURCE_ROOT SEND GENERATE [--full]
       --full: the sizes that a release is measured with (minutes); else smaller ones
"""
import glob
import os
import random
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import time

from line import (FULL, ROOT, SEND, SITE, SAME, FLOWAUDIT, Watch, balanced, each_in_a_folder, enter_namespace, equals, generated, ip, packets_of, send)


# --- the cases ------------------------------------------------------------------------------------------------

def told_in_time(conversations):
    """
    What is sent faster than it was captured ends before answers are due, and all of it is near the beginning: of what failed in silence there is no
    disposition, and media that an error met may be the rest of a call.
    """
    by_time = {('tcp', 'unanswered'): 'unanswered', ('udp', 'unanswered'): 'unanswered', ('udp', 'refused'): 'refused or one-way', ('udp', 'one-way'): 'refused or one-way'}
    return sorted(((*c[:7], by_time[c[3], c[7]], *c[9:]) if (c[3], c[7]) in by_time else c for c in conversations), key=repr)


def same_as_check(folder, capture, site, *options):
    """Every conversation of a mirrored capture, to the last count, as 'check' has it."""
    count = packets_of(capture, folder)
    run = Watch(folder, *options, site=site)
    send(capture, count, 8000)
    time.sleep(0.3)
    equals(run.end() in (0, 1), f'{capture}: {run.said()}')
    equals(balanced(run, count, capture) == 0, f'{capture}: packets were dropped')
    subprocess.run([FLOWAUDIT, 'check', '-q', '-s', site, '-o', f'{folder}/file.db', capture], check=False, capture_output=True)
    with sqlite3.connect(f'{folder}/file.db') as db:
        ours, theirs = (told_in_time(rows) for rows in (run.ask(SAME), db.execute(SAME).fetchall()))
    equals(len(theirs) > 0 and ours == theirs, f'{capture} {options}: {len(set(ours) ^ set(theirs))} of {len(theirs)} conversations differ')
    print(f'{os.path.basename(capture)} {" ".join(options)}: {len(theirs)} conversations as check has them')


def a_rate(folder):
    count = 500000 if FULL else 150000
    capture = generated(folder, 'rtp', count)
    run = Watch(folder)
    sent = send(capture, count, 50000)
    status = run.end()
    equals(status in (0, 1), f'rate: status {status}: {run.said()}')
    equals(balanced(run, sent, 'rate') == 0, 'rate: packets were dropped at 50,000 a second')
    print(f'{sent} packets at 50,000 a second: none dropped, all accounted for')


def an_overload(folder):
    count = 400000
    capture = generated(folder, 'scan', count)
    run = Watch(folder, '--ring', '8', '--window', '1m')
    run.send(signal.SIGSTOP)
    sent = send(capture, count, 0)
    run.send(signal.SIGCONT)
    run.wait_for('word of drops', lambda: 'were dropped before they could be judged' in run.said(), 60)
    status = run.end()
    dropped = balanced(run, sent, 'overload')
    equals(dropped > 0, 'overload: nothing was dropped, so nothing was tested')
    lost = run.ask("SELECT sum(packets), min(first), max(last) FROM losses WHERE reason = 'kernel-buffer'")[0]
    equals(lost[0] == dropped and lost[1] is not None, f'overload: {dropped} dropped, losses say {lost}')
    absent = run.ask("SELECT count(*) FROM expectations WHERE outcome = 'never-attempted'")[0][0]
    equals(absent == 0 and status in (0, 1), f'overload: {absent} conclusions from silence, status {status}')
    print(f'{sent} packets to a sensor that was held: {dropped} dropped, and every one accounted for')


def a_stop(folder, how):
    capture = generated(folder, 'short', 30000)
    run = Watch(folder)
    sent = send(capture, 60000, 0)
    equals(run.end(how) in (0, 1), f'stop: {run.said()}')
    equals(balanced(run, sent, 'stop') == 0 and run.ask('SELECT complete FROM runs')[0][0] == 1, 'stop: not complete')
    equals(not run.ask("SELECT 1 FROM losses WHERE reason = 'unread-at-stop'"), 'stop: packets were left unread')
    print(f'{sent} packets in a burst, then {how.name}: none unread')


def kills(folder):
    n, rng = (20 if FULL else 4), random.Random(7)
    capture = generated(folder, 'short', 30000)
    for _ in range(n):
        run = Watch(folder)
        sender = subprocess.Popen([SEND, 'out', capture, '600000', '60000'], stdout=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.05, 3.5))
        run.end(signal.SIGKILL)
        sender.kill()
        sender.wait()
    run = Watch(folder)
    equals(run.ask('PRAGMA integrity_check') == [('ok',)], 'kill: the record is damaged')
    complete = [row[0] for row in run.ask('SELECT complete FROM runs ORDER BY run_id')]
    equals(complete == [0] * (n + 1), f'kill: complete is {complete}')
    send(capture, 1000, 0)
    run.end()
    equals([row[0] for row in run.ask('SELECT complete FROM runs')] == [0] * n + [1], 'kill: the next run is not complete')
    print(f'{n} times killed: the record is sound, no such run says that it is complete, and the next goes on')


def links(folder):
    capture = f'{ROOT}/samples/incident.pcapng'
    run = Watch(folder)
    send(capture, 500, 0)
    ip('link set tap down')
    run.wait_for('word of the link', lambda: 'the interface is down' in run.said())
    time.sleep(1)
    equals(cpu_of(run, 2) < 0.3, 'a link that is down keeps the program busy')
    ip('link set tap up')
    run.wait_for('word of the link', lambda: 'is up again' in run.said())
    time.sleep(0.3)
    send(capture, 500, 0)
    equals(run.end() in (0, 1, 3), run.said())
    equals(balanced(run, 1000, 'down and up') == 0, 'down and up: packets were dropped')
    equals(run.ask("SELECT first, last FROM losses WHERE reason = 'interface'")[0][1] is not None, 'down and up: no such loss in the record')
    run = Watch(folder)
    send(capture, 500, 0)
    time.sleep(0.5)
    ip('link set tap down')
    run.wait_for('word of the link', lambda: 'the interface is down' in run.said())
    ip('link del span')
    equals(run.process.wait(timeout=15) == 3, f'deleted: status is not 3: {run.said()}')
    equals(len(run.ask("SELECT 1 FROM losses WHERE reason = 'interface' AND run_id = (SELECT max(run_id) FROM runs)")) == 1, 'down, then deleted: not one loss')
    equals(run.ask('SELECT complete FROM runs ORDER BY run_id DESC LIMIT 1')[0][0] == 0, 'deleted: the run says that it is complete')
    ip('link add span type veth peer name tap')
    ip('link set span mtu 9000 up')
    ip('link set tap mtu 9000 up')
    subprocess.run('tc filter del dev in parent ffff:'.split(), check=True, capture_output=True)
    subprocess.run('tc filter add dev in parent ffff: protocol all u32 match u32 0 0 action mirred egress mirror dev span'.split(), check=True, capture_output=True)
    run = Watch(folder, interface='nosuch', wait=False)
    equals(run.process.wait(timeout=15) == 2 and 'nosuch' in run.said(), f'absent: {run.said()}')
    print('links: down and up, deleted, absent, each as documented')


def no_permission(folder):
    os.chmod(folder, 0o777)
    run = Watch(folder, wait=False, user=65534, group=65534, extra_groups=[])
    equals(run.process.wait(timeout=15) == 2 and 'CAP_NET_RAW' in run.said(), f'no permission: {run.said()}')
    print('no permission: said so')


def cpu_of(run, seconds):
    def ticks():
        with open(f'/proc/{run.process.pid}/stat', encoding='ascii') as f:
            fields = f.read().rsplit(')', 1)[1].split()
        return int(fields[11]) + int(fields[12])
    first = ticks()
    time.sleep(seconds)
    return (ticks() - first) / os.sysconf('SC_CLK_TCK') / seconds


def at_rest(folder):
    run = Watch(folder, wait=False, stay_root=False) # nobody else may write here
    equals(run.process.wait(timeout=15) == 2 and '--user' in run.said(), f'root in a folder of its own: {run.said()}')
    os.chown(folder, 65534, 65534) # whose folder it is, as that one it goes on
    run = Watch(folder)
    send(f'{ROOT}/samples/incident.pcapng', 100, 0)
    time.sleep(2)
    used = cpu_of(run, 10 if FULL else 4)
    with open(f'/proc/{run.process.pid}/status', encoding='ascii') as f:
        status = dict(line.split(':\t', 1) for line in f.read().splitlines() if ':\t' in line)
    equals(status['Uid'].split() == ['65534'] * 4 and status['Groups'].strip() == '', f'rights: user {status["Uid"]}, groups {status["Groups"]}')
    equals(int(status['CapEff'], 16) == 0 and status['NoNewPrivs'] == '1', f'rights: {status["CapEff"]} {status["NoNewPrivs"]}')
    equals(status['Seccomp'] == '2', 'rights: no seccomp')
    run.end()
    equals(used < 0.02, f'at rest: {100 * used:.1f} % of a core')
    print(f'at rest: {100 * used:.1f} % of a core; another user, no capability, no new rights, system calls filtered')


def locked(folder):
    capture = generated(folder, 'short', 30000)
    for kind in ('DEFERRED', 'IMMEDIATE'):
        run = Watch(folder)
        send(capture, 2000, 0)
        run.wait_for('a commit', lambda: run.ask('SELECT count(*) FROM inputs WHERE run_id = (SELECT max(run_id) FROM runs)')[0][0] > 0)
        db = sqlite3.connect(run.db, isolation_level=None)
        db.execute(f'BEGIN {kind}')
        db.execute('SELECT count(*) FROM conversations').fetchall()
        sender = subprocess.Popen([SEND, 'out', capture, '200000', '50000'], stdout=subprocess.PIPE, text=True)
        time.sleep(4)
        db.execute('ROLLBACK')
        db.close()
        sent = 2000 + int(sender.communicate(timeout=60)[0])
        equals(run.end() in (0, 1), f'locked: {run.said()}')
        equals(balanced(run, sent, f'locked {kind}') == 0, f'locked {kind}: packets were dropped')
    print('a record locked by a reader and by a writer for 4 s: no packet lost')


def a_silent_line(folder):
    """One SYN, and then nothing: it is recorded once it has waited for its answer, and its flow has ended when the run has."""
    tcp = struct.pack('!HHIIBBHHH', 41000, 4444, 1, 0, 0x50, 2, 65535, 0, 0)
    header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, socket.inet_aton('10.20.1.10'), socket.inet_aton('10.20.2.53'))
    total = sum(struct.unpack('!10H', header))
    checksum = ~(total + (total >> 16)) & 0xffff
    frame = bytes.fromhex('02000000000202000000000108') + b'\0' + header[:10] + struct.pack('!H', checksum) + header[12:] + tcp
    run = Watch(folder)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
        line.bind(('out', 0))
        line.send(frame)
    run.wait_for('an attempt on a silent line', lambda: run.ask("SELECT 1 FROM flows WHERE end_reason = 'active'"), 12)
    run.end()
    equals([row[0] for row in run.ask('SELECT end_reason FROM flows')] == ['forced'], f'silent line: {run.ask("SELECT end_reason FROM flows")}')
    print('a silent line: an attempt is told without another packet, and its flow ends with the run')


def a_clock_that_steps(folder):
    """The machine's clock moved by a day ahead, then back, while packets are not: no flow expires, nothing is removed, nobody is busy."""
    libraries = glob.glob('/usr/lib/*/faketime/libfaketimeMT.so.1')
    if not libraries:
        print('a clock that steps: libfaketime is not here, without it')
        return
    clock, capture = f'{folder}/clock', f'{ROOT}/samples/incident.pcapng'

    def step(offset):
        with open(f'{clock}.new', 'w', encoding='ascii') as f:
            f.write(offset)
        os.rename(f'{clock}.new', clock)

    def open_flows():
        run.send(signal.SIGUSR1)
        run.wait_for('statistics', lambda: len(re.findall(r'(\d+) of them open', run.said())) > asked)
        return int(re.findall(r'(\d+) of them open', run.said())[-1])

    step('+0')
    os.chown(folder, 65534, 65534)
    asked = 0
    run = Watch(folder, '--keep', '12h', '--tcp-idle', '3600', '--udp-idle', '3600',
                env={**os.environ, 'ASAN_OPTIONS': 'verify_asan_link_order=0', # a sanitizer wants to be the first that is loaded
                     'LD_PRELOAD': libraries[0], 'FAKETIME_TIMESTAMP_FILE': clock, 'FAKETIME_NO_CACHE': '1', 'FAKETIME_DONT_FAKE_MONOTONIC': '1'})
    sent = send(capture, 1800, 3000)
    time.sleep(1.5)
    before = open_flows()
    for offset in ('+1d', '-1d'):
        step(offset)
        used = cpu_of(run, 1.5)
        equals(used < 0.3, f'clock {offset}: {100 * used:.0f} % of a core')
        asked += 1
        equals(open_flows() == before > 0, f'clock {offset}: {before} flows were open, and now others: {run.said()[-400:]}')
    sent += send(capture, 1800, 3000)
    equals(run.end() in (0, 1), f'clock: {run.said()}')
    equals(balanced(run, sent, 'clock') == 0 and run.ask('SELECT complete FROM runs') == [(1,)], 'clock: packets were lost, or the run is not complete')
    equals(not run.ask('SELECT 1 FROM losses') and not run.ask('SELECT 1 FROM removals'), 'clock: something was lost or removed')
    print('a clock that is moved by a day, ahead and back: no flow expires, no packet is lost')


def full(folder):
    small = f'{folder}/small'
    os.mkdir(small)
    if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', small], capture_output=True).returncode != 0:
        print('disk full: no file system of a test\'s own can be mounted here')
        return
    try:
        run = Watch(small, log=folder) # what it says does not go to the full disk
        with open(f'{small}/ballast', 'wb', buffering=0) as ballast:
            try:
                while ballast.write(b'x' * 4096):
                    pass
            except OSError:
                pass
        capture = f'{ROOT}/samples/incident.pcapng'
        count = packets_of(capture, folder)
        send(capture, count, 20000)
        run.wait_for('word of the disk', lambda: re.search('full|space', run.said()), 30)
        os.unlink(f'{small}/ballast')
        run.wait_for('the record', lambda: 'is written again' in run.said(), 30)
        equals(run.end() == 1, f'full: {run.said()}')
        equals(balanced(run, count, 'full') == 0 and run.ask('PRAGMA integrity_check') == [('ok',)], 'full: the record is damaged')
        equals(run.ask('SELECT count(*) FROM findings')[0][0] > 100, 'full: the findings are not there')
    finally:
        subprocess.run(['umount', '-l', small], check=False)
    print('a full disk, freed again: the record has all')


def main():
    enter_namespace()
    lab = f'{ROOT}/../shared/captures-lab'
    cases = [lambda f: same_as_check(f, f'{ROOT}/samples/incident.pcapng', SITE), lambda f: same_as_check(f, f'{ROOT}/samples/incident.pcapng', SITE, '-j', '2')]
    if os.path.isdir(lab):
        for name in ('healthy', 'missing', 'violating'):
            cases.append(lambda f, name=name: same_as_check(f, f'{lab}/{name}.pcap', f'{lab}/{name}.site.yaml'))
    else:
        print('the captures of the lab are not here: without them')
    cases += [a_rate, an_overload, lambda f: a_stop(f, signal.SIGTERM), lambda f: a_stop(f, signal.SIGINT), kills, no_permission, at_rest, a_silent_line, a_clock_that_steps, locked, full, links]
    return each_in_a_folder(cases)


if __name__ == '__main__':
    sys.exit(main())
