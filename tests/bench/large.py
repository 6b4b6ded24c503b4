#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A very large matrix and inventory around given ones, to measure what their size costs.

usage: large.py MATRIX SITE DIRECTORY [ROWS [HOSTS]]

Writes DIRECTORY/large.yaml: MATRIX, and ROWS (default 100,000) rows more, of 100 roles that are made up; and DIRECTORY/large-site.yaml:
SITE, each of whose hosts has two of these roles as well, and HOSTS (default 1,000,000) addresses in entries of 256.  The same files for the
same arguments.  Then: FLOWAUDIT_RULES=DIRECTORY flowaudit check -s DIRECTORY/large-site.yaml CAPTURE
"""
import os
import random
import re
import sys

ROLES = 100


def rows(dice, count):
    yield '  - heading: Rows that are made up\n    rows:\n'
    for i in range(count):
        low = dice.randrange(1, 60000)
        high = low + 20 if dice.randrange(8) == 0 else low
        yield (f'      - {{id: made-up-{i}, from: made-up-{dice.randrange(ROLES)}, to: made-up-{dice.randrange(ROLES)}, '
               f'ports: {dice.choice(("tcp", "udp"))}/{low}-{high}, service: s, expect: on-demand, protocols: HTTP}}\n')


def write_matrix(dice, source, path, count):
    """Sections are a list, and so are the parts behind them: the rows go to the end of the sections."""
    parts = re.split(r'^(?=[a-z]+:)', source, flags=re.M)
    with open(path, 'w', encoding='utf-8') as out:
        for part in parts:
            if part.startswith('matrix:'):
                part = re.sub(r'^matrix:.*', 'matrix: large', part)
            out.write(part)
            if part.startswith('roles:'):
                out.writelines(f'  made-up-{i}: {{family: f{i}}}\n' for i in range(ROLES))
            elif part.startswith('sections:'):
                out.writelines(rows(dice, count))


def write_site(dice, source, path, count):
    def two_more(match):
        return match[1] + ''.join(f', made-up-{i}' for i in dice.sample(range(ROLES), 2)) + ']'

    source = re.sub(r'^matrix:.*', 'matrix: large', source, flags=re.M)
    source = re.sub(r'(roles: \[[^\]]*)\]', two_more, source)
    head, hosts, rest = re.split(r'^(hosts:\n)', source, flags=re.M)
    with open(path, 'w', encoding='utf-8') as out:
        out.write(head + hosts)
        for entry in range(0, count, 256):
            addresses = ', '.join(f'{100 + (a >> 23)}.{a >> 15 & 255}.{a >> 7 & 255}.{2 * (a & 127)}' for a in range(entry, min(entry + 256, count)))
            out.write(f'  made-up-{entry}: {{addresses: [{addresses}], roles: [made-up-{dice.randrange(ROLES)}]}}\n')
        out.write(rest)


def main():
    matrix, site, directory = sys.argv[1:4]
    dice = random.Random(1)
    with open(matrix, encoding='utf-8') as f:
        write_matrix(dice, f.read(), os.path.join(directory, 'large.yaml'), int(sys.argv[4]) if len(sys.argv) > 4 else 100000)
    with open(site, encoding='utf-8') as f:
        write_site(dice, f.read(), os.path.join(directory, 'large-site.yaml'), int(sys.argv[5]) if len(sys.argv) > 5 else 1000000)


if __name__ == '__main__':
    main()
