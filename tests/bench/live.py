#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures live runs over a pair of interfaces in a network namespace of its own: what is sent at a rate, and what of it is dropped.

usage: live.py FLOWAUDIT SOURCE_ROOT SEND GENERATE [--seconds N] [--rate R]... [--load NAME]... [--ring MIB] [--xdp]

The sender takes a processor for itself: what it sends is also received by the kernel on it, which with a socket holds it under some 340,000
a second.  With --xdp the kernel takes 32,768 packets at once, and they come that many at a time.  Prints for each load and rate how fast it
was sent, what arrived at the interface, what of it was judged and dropped, when the first drop was noticed, and the CPU time of the
program for a packet.
Skipped where there are no rights to make a namespace.  It measures, and never judges.
"""
import argparse
import ctypes
import fcntl
import os
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

SKIP = 77
PER_COUNT = {'rtp': 1, 'scan': 1, 'flood': 1, 'short': 5, 'bulk': 1}  # packets for each of the generator's COUNT
MOST = {'rtp': 2_000_000, 'bulk': 400_000}  # packets kept; the sender begins anew after the last


def make_line():
    if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:
        print('skipped: no rights to make a network namespace')
        sys.exit(SKIP)
    for command in ('ip link set lo up', 'ip link add out type veth peer name tap'):
        subprocess.run(command.split(), check=True, capture_output=True)
    for end in ('out', 'tap'):
        with open(f'/proc/sys/net/ipv6/conf/{end}/disable_ipv6', 'w', encoding='ascii') as f:
            f.write('1')  # else the kernel sends packets of its own
        subprocess.run(f'ip link set {end} mtu 3000 up'.split(), check=True, capture_output=True)


def poll_at(iface):
    """GRO on: then the kernel polls this end of the pair, and takes XDP frames of the other."""
    value = ctypes.create_string_buffer(struct.pack('=II', 0x2c, 1))  # ETHTOOL_SGRO
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8946, struct.pack('16sP16x', iface.encode(), ctypes.addressof(value)))  # SIOCETHTOOL


def wait_until_ready(path, process):
    for _ in range(400):
        with open(path, encoding='utf-8') as f:
            if 'recording run' in f.read():
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise SystemExit('watch did not begin')


def arrived_at(iface):
    with open('/proc/net/dev', encoding='ascii') as f:
        return next(int(line.split(':')[1].split()[1]) for line in f if line.split(':')[0].strip() == iface)


def run(args, load, capture, rate, folder):
    db, errors = os.path.join(folder, 'live.db'), os.path.join(folder, 'errors')
    for suffix in ('', '-wal', '-shm'):
        if os.path.exists(db + suffix):
            os.unlink(db + suffix)
    command = [args.flowaudit, 'watch', '-s', os.path.join(args.source, 'samples', 'healthy.yaml'), '-o', db, '-i', 'tap', '--user', 'root', '--ring', str(args.ring)]
    with open(errors, 'w', encoding='utf-8') as out:
        process = subprocess.Popen(command, stderr=out)
    wait_until_ready(errors, process)
    before = arrived_at('tap')
    done = subprocess.run([args.send, 'out', capture, str(rate * args.seconds), str(rate), *(['xdp'] if args.xdp else [])], check=True, capture_output=True, text=True)
    asked, speed = int(done.stdout), float(done.stderr.split()[0])
    time.sleep(0.2)
    sent = arrived_at('tap') - before
    process.send_signal(signal.SIGTERM)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    with sqlite3.connect(f'file:{db}?mode=ro', uri=True) as record:
        packets, dropped = record.execute('SELECT sum(packets), sum(packets_dropped) FROM inputs').fetchone()
        first = record.execute('SELECT (min(l.first_ns) - r.first_ns) / 1e9 FROM loss l, (SELECT min(first_ns) AS first_ns FROM input) r').fetchone()[0]
    when = f'{first:6.1f} s' if dropped and first is not None else '       -'
    print(f'{load:6}{rate:9}{speed:12.0f}{sent:11}{packets:11}{dropped:10}{100 * dropped / sent:8.2f} %{when}'
          f'{(usage.ru_utime + usage.ru_stime) * 1e9 / max(1, packets):9.0f}{usage.ru_maxrss // 1024:7}', flush=True)
    if sent < asked:
        print(f'       {asked - sent} packets were lost on their way to the interface')
    if packets + dropped != sent:
        print(f'       {sent - packets - dropped} packets are not accounted for')
    if process.returncode not in (0, 1):
        with open(errors, encoding='utf-8') as f:
            print(f'       status {process.returncode}: {f.read()[-500:]}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    for name in ('flowaudit', 'source', 'send', 'generate'):
        parser.add_argument(name)
    parser.add_argument('--seconds', type=int, default=20)
    parser.add_argument('--rate', type=int, action='append')
    parser.add_argument('--load', action='append', choices=list(PER_COUNT))
    parser.add_argument('--ring', type=int, default=64)
    parser.add_argument('--xdp', action='store_true')
    args = parser.parse_args()
    make_line()
    if args.xdp:
        poll_at('tap')
    print(f"{'load':6}{'asked/s':>9}{'sent/s':>12}{'arrived':>11}{'judged':>11}{'dropped':>10}{'':10}{'first':>8}{'ns CPU':>9}{'MiB':>7}")
    for load in args.load or ['rtp', 'short', 'scan']:
        rates = args.rate or [400_000]
        with tempfile.TemporaryDirectory(prefix='flowaudit-live-') as folder:
            packets = min(max(rates) * args.seconds, MOST.get(load, 10_000_000))
            capture = os.path.join(folder, 'load.pcap')
            subprocess.run([args.generate, load, capture, str(packets // PER_COUNT[load])], check=True)
            for rate in rates:
                run(args, load, capture, rate, folder)
    return 0


if __name__ == '__main__':
    sys.exit(main())
