# SPDX-License-Identifier: Apache-2.0
"""What tshark's dissectors say of a capture."""
import functools
import subprocess


@functools.lru_cache(None)
def known_fields():
    """The names of all fields of the tshark that is there."""
    out = subprocess.run(['tshark', '-G', 'fields'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    return {line.split('\t')[2] for line in out.decode('utf-8', 'replace').splitlines() if line.startswith('F\t')}


def fields(path, display_filter, names):
    """Rows of tshark's fields, each a list of lists."""
    # Port 5000 is a service of mobile networks to tshark.
    command = ['tshark', '-n', '--disable-protocol', 'gsm_ipa', '-r', path, '-Y', display_filter, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=|']
    for name in ['frame.number'] + names:
        command += ['-e', name]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    for line in out.decode('utf-8', 'replace').splitlines():
        cells = (line.split('\t') + [''] * len(names))[:len(names) + 1]
        yield int(cells[0]), [[v for v in c.split('|') if v] for c in cells[1:]]
