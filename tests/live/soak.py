#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A live run under a mixed load for as long as is asked: many short flows again and again, and beside them a hundred sites whose traffic has
findings.  Prints memory, record, log and lag every ten seconds, and then whether they stayed within bounds.  As root, in a network namespace of its own.

usage: soak.py [FLOWAUDIT SOURCE_ROOT SEND GENERATE] [--minutes N] [--rate PACKETS] [--priority] [-- WATCH_OPTION...]
       --minutes   how long (default 20)
       --rate      packets a second (default 10000: four fifths of them short flows)
       --priority  the program runs before all others (chrt -r 1), where others use the machine
"""
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
MIB = 1 << 20
MOST_LOG = 64 * MIB + 16 * MIB  # its bound, and a commit
MOST_GROWTH = 0.10              # of the memory, from the fifth minute (or a quarter of the time, where that is less) on
LEAST_SECONDS = 600             # before that flows still fill the table
MOST_LAG_GROWTH = 3.0           # seconds: the last third's mean beyond the first third's


def arguments():
    own, options = sys.argv[1:], []
    if '--' in own:
        at = own.index('--')
        own, options = own[:at], own[at + 1:]
    wanted = {'--minutes': 20.0, '--rate': 10000.0}
    for name in wanted:
        if name in own:
            at = own.index(name)
            wanted[name] = float(own[at + 1])
            del own[at:at + 2]
    first = '--priority' in own
    own = [word for word in own if word != '--priority']
    if not own:
        own = [f'{TOP}/build/flowaudit', TOP, f'{TOP}/build/tests/live/live_send', f'{TOP}/build/tests/bench/bench_generate']
    if len(own) != 4:
        raise SystemExit(__doc__)
    sys.argv[1:] = own
    return wanted['--minutes'] * 60, int(wanted['--rate']), first, options


SECONDS, RATE, FIRST, OPTIONS = arguments()
from line import GENERATE, ROOT, SEND, Watch, balanced, enter_namespace, generated  # noqa: E402 (it reads the arguments)


def metric(text, name):
    found = re.search(rf'^flowaudit_{name} (\S+)', text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def look(run, folder, begun):
    with open(f'/proc/{run.process.pid}/status', encoding='ascii') as f:
        memory = int(re.search(r'VmRSS:\s*(\d+) kB', f.read())[1]) * 1024
    try:
        with open(f'{folder}/m.prom', encoding='utf-8') as f:
            metrics = f.read()
    except FileNotFoundError:
        metrics = ''
    sizes = [os.path.getsize(p) if os.path.exists(p) else 0 for p in (run.db, f'{run.db}-wal')]
    row = (time.monotonic() - begun, memory, *sizes, metric(metrics, 'recorder_lag_seconds'))
    print(f'{row[0]:6.0f} s  memory {memory / MIB:6.1f} MiB  record {sizes[0] / MIB:6.1f} MiB  log {sizes[1] / MIB:5.1f} MiB  lag {row[4]:4.1f} s  '
          f'conversations {metric(metrics, "conversations"):.0f}  flows open {metric(metrics, "flows_active"):.0f}  load {os.getloadavg()[0]:.1f}', flush=True)
    return row


def mean(values):
    return sum(values) / len(values) if values else 0.0


def verdict(rows, dropped, complete):
    from_then = [r for r in rows if r[0] >= min(300, SECONDS / 4)]
    memory = [r[1] for r in from_then]
    growth = max(memory) / mean(memory[:3]) - 1
    third = max(1, len(from_then) // 3)
    lag = mean([r[4] for r in from_then[-third:]]) - mean([r[4] for r in from_then[:third]])
    checks = (
        (growth <= MOST_GROWTH or SECONDS < LEAST_SECONDS, f'{"" if SECONDS >= LEAST_SECONDS else "not judged of so short a run: "}memory grew by {100 * growth:.1f} % at most after {from_then[0][0]:.0f} s (bound {100 * MOST_GROWTH:.0f} %)'),
        (max(r[3] for r in rows) <= MOST_LOG, f'log {max(r[3] for r in rows) / MIB:.1f} MiB at most (bound {MOST_LOG / MIB:.0f})'),
        (lag <= MOST_LAG_GROWTH, f'lag {max(r[4] for r in rows):.1f} s at most; the last third {lag:+.1f} s against the first (bound {MOST_LAG_GROWTH:+.1f})'),
        (dropped == 0, f'{dropped} packets dropped'),
        (complete, 'the run is complete' if complete else 'the run is not complete'),
    )
    for holds, what in checks:
        print(f'{"holds" if holds else "FAILS"}: {what}')
    return 0 if all(holds for holds, _ in checks) else 1


def main():
    enter_namespace()
    with tempfile.TemporaryDirectory(prefix='flowaudit-soak-') as folder:
        short, mix = generated(folder, 'short', 150000), f'{folder}/mix.pcap'
        subprocess.run([GENERATE, 'mix', mix, '1', '1', '100', f'{ROOT}/samples/incident.pcapng'], check=True, capture_output=True)
        run = Watch(folder, '-q', '--udp-idle', '60', '--tcp-idle', '120', '--metrics', f'{folder}/m.prom', '--evidence', f'{folder}/kept,64MiB', *OPTIONS,
                    wait=False)
        if FIRST:
            subprocess.run(['chrt', '-a', '-r', '-p', '1', str(run.process.pid)], check=False)
        run.wait_for('the metrics', lambda: os.path.exists(f'{folder}/m.prom'))
        begun, rows = time.monotonic(), []
        senders = [subprocess.Popen([SEND, 'out', path, str(int(rate * SECONDS)), str(int(rate))], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
                   for path, rate in ((short, RATE * 0.8), (mix, RATE * 0.2))]
        while any(sender.poll() is None for sender in senders):
            time.sleep(10)
            rows.append(look(run, folder, begun))
        sent = sum(int(sender.stdout.read()) for sender in senders)
        status = run.end()
        dropped = balanced(run, sent, 'soak')
        complete = run.ask('SELECT min(complete) FROM runs')[0][0] == 1 and status in (0, 1)
        print(f'{sent} packets in {rows[-1][0]:.0f} s, {dropped} dropped, every one accounted for; status {status}')
        return verdict(rows, dropped, complete)


if __name__ == '__main__':
    sys.exit(main())
