# SPDX-License-Identifier: Apache-2.0
"""What the replay tests share: running flowaudit on a capture and reading the record through its views."""
import os
import sqlite3
import subprocess
import tempfile

SKIP = 77  # meson's exit status for a test that was skipped


class Audit:
    """One run of 'flowaudit check' and its record."""

    def __init__(self, program, site, captures, *options, directory):
        self.path = os.path.join(directory, 'audit.db')
        if os.path.exists(self.path):
            os.unlink(self.path)
        command = [program, 'check', '-q', '-s', site, '-o', self.path, *options, *captures]
        environment = dict(os.environ, SOURCE_DATE_EPOCH='0')
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
        self.status, self.messages = done.returncode, done.stderr
        self.db = None
        if os.path.exists(self.path) and os.path.getsize(self.path) > 0:
            self.db = sqlite3.connect(f'file:{self.path}?mode=ro', uri=True)
            self.db.row_factory = sqlite3.Row

    def rows(self, query, *parameters):
        return [dict(row) for row in self.db.execute(query, parameters)] if self.db else []

    def close(self):
        if self.db:
            self.db.close()


def any_site(directory):
    """A site file that names nobody in the captures: for tests of flows, not of verdicts."""
    path = os.path.join(directory, 'nobody.yaml')
    with open(path, 'w', encoding='utf-8') as out:
        out.write('site: nobody\nhosts:\n  nobody: {addresses: [192.0.2.1], roles: []}\n')
    return path


def shared(source_root, *parts):
    """A file beside the source tree that is there for some and not for others; None where it is not."""
    path = os.path.normpath(os.path.join(source_root, '..', 'shared', *parts))
    return path if os.path.exists(path) else None


def scratch():
    return tempfile.TemporaryDirectory(prefix='flowaudit-')
