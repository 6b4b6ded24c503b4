#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures flowaudit against other programs on the same captures, in turn, as whole processes.

usage: compare.py FLOWAUDIT BENCH_GENERATE SOURCE_ROOT [OPTIONS]

Each round runs every program once on the same file, one after another; a ratio is the median of the rounds' own ratios, so that what
else the machine does meets both sides.  Prints for each load and program the median CPU time (user and system) of a packet and its
range, packets for each second of wall time, peak memory, and the CPU time and memory as multiples of flowaudit's.  Programs that are not
installed are left out.  It measures, and never judges.
"""
import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

LOADS = {'span': 1, 'mix': 84, 'rtp': 10_000_000, 'short': 1_000_000, 'scan': 1_000_000, 'flood': 1_000_000, 'bulk': 1_000_000}
SITES = {'mix': 40, 'span': 370}  # at --scale 1
EVERYBODY = """site: everybody
hosts:
  low: {addresses: [0.0.0.0/1, "::/1"], roles: [unity-primary]}
  high: {addresses: [128.0.0.0/1, "8000::/1"], roles: [dc-monitored, gc-monitored, dns, exchange-mailbox]}
"""


def programs(args, site, directory):
    """{name: command}; the first is what the others are compared with."""
    record = os.path.join(directory, 'bench.db')
    check = [args.flowaudit, 'check', '-q', '-s', site, '-o', record]
    found = {
        'flowaudit': [*check, '-j', '1'],
        'flowaudit --no-digest': [*check, '-j', '1', '--no-digest'],
        'flowaudit -j 2': [*check, '-j', '2'],
        'ndpiReader': ['ndpiReader', '-q', '-i'],
        'softflowd': ['softflowd', '-d', '-n', '127.0.0.1:9995', '-r'],
        'nfpcapd': ['nfpcapd', '-l', directory, '-r'],
        'tcpdump': ['tcpdump', '-w', '/dev/null', '-r'],
        'digest alone': ['openssl', 'dgst', '-sha256'],  # what a file's SHA-256 takes, whoever asks for it
    }
    wanted = args.program or list(found)
    return {name: command for name, command in found.items() if shutil.which(command[0]) and name in wanted}, record


def measure(command, record):
    """One run: (CPU seconds, wall seconds, peak memory in KiB, status)."""
    for suffix in ('', '-wal', '-shm'):
        if os.path.exists(record + suffix):
            os.unlink(record + suffix)
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss, os.waitstatus_to_exitcode(status)


def count_packets(path):
    """Of a classic pcap file in this machine's byte order, by walking its headers."""
    packets, at, size = 0, 24, os.path.getsize(path)
    with open(path, 'rb') as f:
        while at < size:
            f.seek(at + 8)
            at += 16 + int.from_bytes(f.read(4), 'little')
            packets += 1
    return packets


# --- the loads and their sites ------------------------------------------------------------------------------------

def shifted(address, by):
    """The address of the same host at another site, as the generator has it."""
    if ':' in address:
        head, rest = address.strip('"').split(':', 2)[0], address.strip('"').split(':', 2)
        return f'"{head}:{int(rest[1], 16) + by:x}:{rest[2]}"'
    def one(match):
        number = (int(match[1]) << 8 | int(match[2])) + by
        return f'{number >> 8}.{number & 255}.'
    return re.sub(r'(\d+)\.(\d+)\.(?=\d+\.\d+)', one, address)


def site_of_many(sample, sites):
    """The sample's site file with each of its hosts at every site."""
    lines = []
    for line in sample.splitlines():
        host = re.match(r'  (\w+):( *)\{addresses: \[(.*?)\], (roles: .*)$', line)
        if not host:
            lines.append(line)
            continue
        for s in range(sites):
            addresses = ', '.join(shifted(a.strip(), s) for a in host[3].split(','))
            lines.append(f'  {host[1]}-{s}: {{addresses: [{addresses}], {host[4]}')
    return '\n'.join(lines) + '\n'


def mixed_files(args, load):
    samples = [os.path.join(args.source, 'samples', n) for n in 6 * ['healthy.pcapng'] + ['incident.pcapng']]
    if not args.captures:
        return samples if load == 'mix' else samples[-2:]
    captures = [path for path in sorted(os.path.join(args.captures, n) for n in os.listdir(args.captures))
                if re.search(r'\.p?cap(ng)?$', path) and os.path.isfile(path)]
    return captures if load == 'mix' else samples[-2:-1] + captures


def generate(args, load, directory):
    """(capture, site file)."""
    path, site = os.path.join(directory, load + '.pcap'), os.path.join(args.source, 'samples', 'healthy.yaml')
    count = max(1, int(LOADS[load] * args.scale))
    more = ['1']
    if load in SITES:
        sites = args.sites or max(2, int(SITES[load] * min(1, (12 if load == 'mix' else 1) * args.scale)))
        files = mixed_files(args, load)
        more += [str(sites), *files]
        if load == 'span':
            count = args.rounds or 1
        else:
            count = len(files) * (args.rounds or 1) if args.captures else max(7, count)
        with open(site, encoding='utf-8') as f:
            text = EVERYBODY if args.captures and load == 'mix' else site_of_many(f.read(), sites)
        site = args.site or os.path.join(directory, 'site.yaml')
        if not args.site:
            with open(site, 'w', encoding='utf-8') as f:
                f.write(text)
    subprocess.run([args.generate, load, path, str(count), *more], check=True, stderr=subprocess.DEVNULL)
    return path, site


# --- measuring and telling ----------------------------------------------------------------------------------------

def tell(load, name, rounds, base, packets):
    cpu, wall, memory = ([r[i] for r in rounds] for i in range(3))
    ns = sorted(c * 1e9 / packets for c in cpu)
    ratio = statistics.median(c / b[0] for c, b in zip(cpu, base))
    faster = statistics.median(b[1] / w for w, b in zip(wall, base))
    heavier = statistics.median(m / b[2] for m, b in zip(memory, base))
    print(f'{load:6}{name:22}{statistics.median(ns):9.0f}{ns[0]:9.0f} -{ns[-1]:6.0f}{packets / statistics.median(wall):12.0f}'
          f'{statistics.median(memory) / 1024:8.0f}{ratio:8.2f}{heavier:8.2f}{faster:8.2f}', flush=True)
    bad = {r[3] for r in rounds} - {0, 1, 3}
    if bad or (name.startswith('flowaudit') and 3 in {r[3] for r in rounds}):
        print(f'       {name} ended with status {sorted({r[3] for r in rounds})}')


def stages(args, command, path, record):
    """Where flowaudit's time goes, from one more run."""
    measure(['true'], record)
    done = subprocess.run([*command, '--stats', path], capture_output=True, text=True)
    print(done.stderr, flush=True)


def compare(args, load):
    with tempfile.TemporaryDirectory(prefix='flowaudit-bench-', dir=args.directory) as directory:
        path, site = generate(args, load, directory)
        packets = count_packets(path)
        known, record = programs(args, site, directory)
        runs = {name: [] for name in known}
        print(f'{load}: {packets} packets, {os.path.getsize(path) >> 20} MiB; load of the machine {os.getloadavg()[0]:.1f}', flush=True)
        for _ in range(args.runs):
            for name, command in known.items():
                runs[name].append(measure([*command, path], record))
        base = next(iter(runs.values()))
        for name, results in runs.items():
            tell(load, name, results, base, packets)
        if args.stages:
            stages(args, known['flowaudit'], path, record)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('flowaudit')
    parser.add_argument('generate')
    parser.add_argument('source')
    parser.add_argument('--runs', type=int, default=5, help='rounds (default 5)')
    parser.add_argument('--scale', type=float, default=1.0, help='of the sizes by which speed is judged (default 1)')
    parser.add_argument('--load', action='append', choices=list(LOADS))
    parser.add_argument('--program', action='append', help='only this one; may be repeated')
    parser.add_argument('--captures', help='a folder of captures: the mix has them instead of the samples, the span beside them')
    parser.add_argument('--rounds', type=int, help='how often each of them is repeated (default 1)')
    parser.add_argument('--sites', type=int, help=f'at how many sites mix and span are captured at once (default {SITES})')
    parser.add_argument('--site', help='the site file of the mix or the span (default: of the mix with --captures one in which everybody has a role)')
    parser.add_argument('--stages', action='store_true', help='print what --stats says of one more run')
    parser.add_argument('--directory', help='for the generated captures (default: as TMPDIR says)')
    args = parser.parse_args()
    print(f"{'load':6}{'program':22}{'ns/packet':>9}{'range':>17}{'packets/s':>12}{'MiB':>8}{'CPU x':>8}{'mem x':>8}{'faster':>8}")
    for load in args.load or LOADS:
        compare(args, load)
    return 0


if __name__ == '__main__':
    sys.exit(main())
