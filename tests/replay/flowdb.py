# SPDX-License-Identifier: Apache-2.0
"""What the replay tests share: running flowaudit on a capture and reading the record through its views."""
import os
import sqlite3
import subprocess
import tempfile

SKIP = 77  # meson's exit status for a test that was skipped
FAULT = 86  # exit status of a program built with sanitizers that found something: none of flowaudit's own
SANITIZERS = {'ASAN_OPTIONS': f'exitcode={FAULT}', 'UBSAN_OPTIONS': f'halt_on_error=1:print_stacktrace=1:exitcode={FAULT}',
              'TSAN_OPTIONS': f'exitcode={FAULT}'}


def unaccounted(db):
    """The first input whose packets are not all decoded or discarded under a name, or None: holds after every run, whatever its end."""
    query = ('SELECT i.run_id, i.name, i.packets, i.packets_decoded, i.packets_discarded, coalesce((SELECT sum(d.packets) FROM discards d '
             'WHERE d.run_id = i.run_id AND d.input_id = i.input_id), 0) AS named FROM inputs i')
    for run, name, packets, decoded, discarded, named in db.execute(query):
        if packets != decoded + named or named != discarded:
            return f'packets do not add up: run {run}, {name}: {packets} packets, {decoded} decoded, {discarded} discarded, {named} under a name'
    return None


class Audit:
    """One run of 'flowaudit check' and its record; whose packets are all accounted for."""

    def __init__(self, program, site, captures, *options, directory):
        self.path = os.path.join(directory, 'audit.db')
        if os.path.exists(self.path):
            os.unlink(self.path)
        command = [program, 'check', '-q', '-s', site, '-o', self.path, *options, *captures]
        environment = dict(os.environ, SOURCE_DATE_EPOCH='0', **SANITIZERS)
        try:
            done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
            self.status, self.messages = done.returncode, done.stderr
        except subprocess.TimeoutExpired:
            self.status, self.messages = None, 'no end within a minute'
        self.db = None
        if os.path.exists(self.path) and os.path.getsize(self.path) > 0:
            self.db = sqlite3.connect(f'file:{self.path}?mode=ro', uri=True)
            wrong = unaccounted(self.db)
            assert wrong is None, wrong
            self.db.row_factory = sqlite3.Row

    def rows(self, query, *parameters):
        return [dict(row) for row in self.db.execute(query, parameters)] if self.db else []

    def dump(self, leave_out=()):
        """Every view as text, row by row in the order of the record: (view, line)."""
        views = [row['name'] for row in self.rows("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")]
        lines = []
        for view in views:
            for row in self.rows(f'SELECT * FROM "{view}"'):
                lines.append((view, ' '.join(f'{k}={v!r}' for k, v in row.items() if (view, k) not in leave_out)))
        return lines

    def close(self):
        if self.db:
            self.db.close()

    def fault(self):
        """What is wrong with the run itself, whatever it found; None where nothing is."""
        if self.status not in (0, 1, 2, 3):
            return f'status {self.status}: {self.messages[-2000:]}'
        if 'Sanitizer' in self.messages or 'runtime error:' in self.messages:
            return self.messages[-2000:]
        return None


def any_site(directory):
    """A site file that names nobody in the captures: for tests of flows, not of verdicts."""
    path = os.path.join(directory, 'nobody.yaml')
    with open(path, 'w', encoding='utf-8') as out:
        out.write('site: nobody\nhosts:\n  nobody: {addresses: [192.0.2.1], roles: []}\n')
    return path


def full_site(directory):
    """A site file that names everybody, so that all flows are judged and expected rows evaluated."""
    path = os.path.join(directory, 'everybody.yaml')
    with open(path, 'w', encoding='utf-8') as out:
        out.write('site: everybody\nhosts:\n'
                  '  low: {addresses: [0.0.0.0/1, "::/1"], roles: [unity-primary]}\n'
                  '  high: {addresses: [128.0.0.0/1, "8000::/1"], roles: [dc-monitored, gc-monitored, dns, exchange-mailbox]}\n')
    return path


def shared(source_root, *parts):
    """A file beside the source tree that is there for some and not for others; None where it is not."""
    path = os.path.normpath(os.path.join(source_root, '..', 'shared', *parts))
    return path if os.path.exists(path) else None


def told(title, wrong):
    """Prints a title with how many faults, and each of them; how many they are."""
    print(title)
    for line in wrong:
        print('  ', line)
    return len(wrong)


def scratch():
    return tempfile.TemporaryDirectory(prefix='flowaudit-')
