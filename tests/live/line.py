# SPDX-License-Identifier: Apache-2.0
"""What the tests of live runs share: a network namespace of the test's own with a line and a mirror of it, runs of the program, their counts.

A test's arguments: FLOWAUDIT SOURCE_ROOT SEND GENERATE [--full]
"""
import atexit
import ctypes
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

SKIP = 77
FLOWAUDIT, ROOT, SEND, GENERATE = sys.argv[1:5]
FULL = '--full' in sys.argv
SITE = f'{ROOT}/samples/incident.yaml'
SAME = ('SELECT client, server, server_port, transport, protocol, row_id, verdict, outcome, disposition, confidence, kind, parent IS NOT NULL, flows, '
        'packets, bytes, client_port_low, client_port_high FROM conversations WHERE run_id = (SELECT max(run_id) FROM runs) ORDER BY ' + ', '.join(map(str, range(1, 18))))


def ip(command):
    subprocess.run(['ip', *command.split()], check=True, capture_output=True)


def enter_namespace():
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        print('skipped: no rights to make a network namespace')
        sys.exit(SKIP)
    try:
        # out -> in is the line; what comes to 'in' is mirrored to 'span', at whose other end the sensor listens.
        ip('link set lo up')
        for pair in (('out', 'in'), ('span', 'tap')):
            ip(f'link add {pair[0]} type veth peer name {pair[1]}')
            for end in pair:
                with open(f'/proc/sys/net/ipv6/conf/{end}/disable_ipv6', 'w', encoding='ascii') as f:
                    f.write('1')
                ip(f'link set {end} mtu 9000 up')
        subprocess.run('tc qdisc add dev in ingress'.split(), check=True, capture_output=True)
        subprocess.run('tc filter add dev in parent ffff: protocol all u32 match u32 0 0 action mirred egress mirror dev span'.split(), check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f'skipped: no mirror can be made here: {error}')
        sys.exit(SKIP)


class Watch:
    """A run of the program on 'tap', and what its record says."""

    def __init__(self, folder, *options, site=SITE, interface='tap', wait=True, log=None, stay_root=True, **kwargs):
        self.db = f'{folder}/live.db'
        self.errors = open(f'{log or folder}/errors', 'w+', encoding='utf-8')
        if os.stat(folder).st_uid == 0 and 'user' not in kwargs and stay_root:
            options = ('--user', 'root', *options)
        self.process = subprocess.Popen([FLOWAUDIT, 'watch', '-s', site, '-o', self.db, '-i', interface, *options], stderr=self.errors, **kwargs)
        atexit.register(self.process.kill) # of a test that failed nothing stays
        if wait:
            self.wait_for('the run', lambda: 'recording run' in self.said())

    def said(self):
        self.errors.flush()
        with open(self.errors.name, encoding='utf-8') as f:
            return f.read()

    def wait_for(self, what, test, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if test():
                return
            time.sleep(0.05)
        raise SystemExit(f'{what}: not within {seconds} s\n{self.said()[-2000:]}')

    def send(self, how):
        self.process.send_signal(how)

    def end(self, how=signal.SIGTERM, seconds=90):
        self.send(how)
        return self.process.wait(timeout=seconds)

    def ask(self, query):
        with sqlite3.connect(f'file:{self.db}?mode=ro', uri=True) as db:
            return db.execute(query).fetchall()

    def counts(self):
        """What was sent to the interface must be judged, discarded or lost; nothing else."""
        return self.ask('SELECT packets, packets_decoded, packets_discarded, packets_dropped FROM inputs WHERE run_id = (SELECT max(run_id) FROM runs)')[0]


def send(capture, count, rate):
    return int(subprocess.run([SEND, 'out', capture, str(count), str(rate)], check=True, capture_output=True, text=True).stdout)


def packets_of(capture, folder):
    subprocess.run([FLOWAUDIT, 'check', '-q', '-s', SITE, '-o', f'{folder}/count.db', capture], check=False, capture_output=True)
    with sqlite3.connect(f'{folder}/count.db') as db:
        return db.execute('SELECT sum(packets) FROM inputs').fetchone()[0]


def generated(folder, kind, count):
    path = f'{folder}/{kind}-{count}.pcap'
    subprocess.run([GENERATE, kind, path, str(count)], check=True, capture_output=True)
    return path


def equals(condition, what):
    if not condition:
        raise SystemExit(f'FAILED: {what[:300]} ... {what[-1200:]}')


def balanced(run, sent, what):
    packets, decoded, discarded, dropped = run.counts()
    equals(packets == decoded + discarded, f'{what}: {packets} packets are not {decoded} decoded and {discarded} discarded')
    equals(packets + dropped == sent, f'{what}: {sent} sent, {packets} judged, {dropped} dropped')
    return dropped


def each_in_a_folder(cases):
    """Runs the cases, each with a folder of its own that is gone afterwards."""
    for case in cases:
        begun = time.monotonic()
        folder = tempfile.mkdtemp(prefix='flowaudit-live-')
        try:
            case(folder)
            print(f'    {time.monotonic() - begun:.1f} s', flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 0
