#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures flowaudit against other programs on the same captures, in turn, as whole processes.

usage: compare.py FLOWAUDIT BENCH_GENERATE SOURCE_ROOT [--runs N] [--scale X] [--load NAME]... [--capture FILE]...

Prints for each load and program the median CPU time for each packet, packets for each second of wall time, peak memory, and the ratio to flowaudit's CPU
time. Programs that are not installed are left out. 'mix' repeats the samples (or the files named with --capture). It measures, and never judges.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

LOADS = {'rtp': 10_000_000, 'short': 1_000_000, 'scan': 1_000_000, 'bulk': 1_000_000, 'mix': 1_400}


def programs(flowaudit, site, directory):
    record = os.path.join(directory, 'bench.db')
    found = {
        'flowaudit': [flowaudit, 'check', '-q', '-s', site, '-o', record],
        'flowaudit --no-digest': [flowaudit, 'check', '-q', '--no-digest', '-s', site, '-o', record],
        'ndpiReader': ['ndpiReader', '-q', '-i'],
        'softflowd': ['softflowd', '-d', '-n', '127.0.0.1:9995', '-r'],
        'nfpcapd': ['nfpcapd', '-l', directory, '-r'],
        'tcpdump -w null': ['tcpdump', '-w', '/dev/null', '-r'],
    }
    return {name: command for name, command in found.items() if shutil.which(command[0])}, record


def measure(command, record):
    """One run: (CPU seconds, wall seconds, peak memory in KiB)."""
    if os.path.exists(record):
        os.unlink(record)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss


def count_packets(path):
    """Of a classic pcap file in this machine's byte order, by walking its headers."""
    packets, at, size = 0, 24, os.path.getsize(path)
    with open(path, 'rb') as f:
        while at < size:
            f.seek(at + 8)
            at += 16 + int.from_bytes(f.read(4), 'little')
            packets += 1
    return packets


def generate(args, load, directory):
    path = os.path.join(directory, load + '.pcap')
    count = max(1, int(LOADS[load] * args.scale))
    captures = []
    if load == 'mix':
        samples = os.path.join(args.source, 'samples')
        captures = args.capture or [os.path.join(samples, n) for n in ('healthy.pcapng', 'incident.pcapng', 'web-shop.pcap')]
    subprocess.run([args.generate, load, path, str(count), '1', *captures], check=True)
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('flowaudit')
    parser.add_argument('generate')
    parser.add_argument('source')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--scale', type=float, default=1.0)
    parser.add_argument('--load', action='append')
    parser.add_argument('--capture', action='append')
    args = parser.parse_args()
    site = os.path.join(args.source, 'samples', 'healthy.yaml')
    print(f"{'load':8}{'program':24}{'ns/packet':>10}{'packets/s':>12}{'MiB':>8}{'ratio':>8}")
    for load in args.load or LOADS:
        with tempfile.TemporaryDirectory(prefix='flowaudit-bench-') as directory:
            path = generate(args, load, directory)
            packets = count_packets(path)
            known, record = programs(args.flowaudit, site, directory)
            runs = {name: [] for name in known}
            for _ in range(args.runs):
                for name, command in known.items():
                    runs[name].append(measure([*command, path], record))
            base = statistics.median(r[0] for r in runs['flowaudit'])
            for name, results in runs.items():
                cpu, wall, memory = (statistics.median(r[i] for r in results) for i in range(3))
                print(f'{load:8}{name:24}{cpu * 1e9 / packets:10.0f}{packets / wall:12.0f}{memory / 1024:8.0f}{cpu / base:8.2f}', flush=True)
    return 0


if __name__ == '__main__':
    sys.exit(main())
