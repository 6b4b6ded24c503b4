#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the sources to the architecture: who may include whom, and which folder alone knows which library.

usage: layers.py FLOWAUDIT SOURCE_ROOT
"""
import os
import re
import sys

BASE = {'addr', 'diag', 'err', 'hash', 'utf8', 'value'}  # plain values and helpers: everybody's

# folder: the public headers of other folders that it may include, beyond BASE and its own
MAY = {
    'base': set(),
    'capture': set(),
    'packet': {'capture'},
    'flow': {'packet'},
    'classify': {'packet'},
    'pinhole': {'packet'},
    'rules': set(),
    'policy': {'rules'},
    'store': set(),
    'report': {'reader', 'store', 'policy', 'rules'},  # the schema's number; the names of kinds and severities; site texts
    'notify': {'store', 'policy'},
    'evidence': {'capture', 'packet'},
    'engine': {'evidence', 'capture', 'packet', 'flow', 'classify', 'pinhole', 'rules', 'policy', 'learn', 'store'},
    'cli': {'capture', 'evidence', 'notify', 'classify', 'engine', 'flow', 'learn', 'policy', 'reader', 'report', 'rules', 'store'},
}
OWN = {  # folder: its public headers, where they are not named after it
    'store': {'store', 'reader', 'seal'},
    'capture': {'capture', 'live', 'confine'},
    'notify': {'notify'},
    'evidence': {'evidence', 'keeper'},
    'engine': {'engine', 'watch'},
    'policy': {'policy', 'learn'},
    'base': BASE,
}
OF = {'keeper': 'evidence', 'seal': 'store', 'live': 'capture', 'confine': 'capture', 'watch': 'engine'}  # whose a public header is that has another name
LIBRARIES = {  # a system header, and the one folder that may include it
    r'pcap(/.*)?\.h': 'capture', r'zlib\.h': 'capture', r'zstd\.h': 'capture', r'ndpi_.*\.h': 'classify', r'sqlite3\.h': 'store',
    r'libfyaml\.h': 'rules', r'pthread\.h': 'engine', r'xlsxwriter\.h': 'report',
    r'microhttpd\.h': 'notify', r'seccomp\.h': 'capture', r'cap-ng\.h': 'capture', r'linux/(landlock|if_packet)\.h': 'capture',
}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def check_file(folder, path, text):
    own = OWN.get(folder, {folder})
    for bracket, name in INCLUDE.findall(text):
        if name.startswith('flowaudit/'):
            header = name[len('flowaudit/'):-2]
            if OF.get(header, header) not in MAY[folder] and header not in BASE | own:
                yield f'{path}: includes {name}, which is not to its left'
        elif bracket == '"' and '/' in name:
            yield f'{path}: includes {name}: private headers are private'
        for pattern, owner in LIBRARIES.items():
            if re.fullmatch(pattern, name) and folder != owner:
                yield f'{path}: includes <{name}>, which only src/{owner} may know'


def main():
    source = sys.argv[2]
    wrong, n = [], 0
    for folder in sorted(os.listdir(os.path.join(source, 'src'))):
        top = os.path.join(source, 'src', folder)
        if not os.path.isdir(top):
            continue
        if folder not in MAY:
            wrong.append(f'src/{folder}: no such folder in the architecture')
            continue
        for name in sorted(os.listdir(top)):
            if name.endswith(('.c', '.h')):
                with open(os.path.join(top, name), encoding='utf-8') as f:
                    wrong += check_file(folder, f'src/{folder}/{name}', f.read())
                n += 1
    for line in wrong:
        print(line)
    print(f'{n} files, {len(wrong)} edges that the architecture does not have')
    return 1 if wrong or n == 0 else 0


if __name__ == '__main__':
    sys.exit(main())
