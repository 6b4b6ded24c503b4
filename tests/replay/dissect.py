#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What tshark's dissectors say of a capture: one run of tshark, which costs more to start than to read a capture."""
import functools
import subprocess


@functools.lru_cache(None)
def known_fields():
    """The names of all fields of the tshark that is there."""
    out = subprocess.run(['tshark', '-G', 'fields'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    return {line.split('\t')[2] for line in out.decode('utf-8', 'replace').splitlines() if line.startswith('F\t')}


class Frame:
    """A frame's number, the names of its protocols, and the values of fields that were asked for."""

    def __init__(self, number, protocols, values):
        self.number = number
        self.protocols = set(protocols)
        self.values = values

    def has(self, *protocols):
        """Any of them?"""
        return not self.protocols.isdisjoint(protocols)

    def __getitem__(self, name):
        return self.values.get(name, [])

    def is_any(self, name, *numbers):
        """Has one of the field's values one of these numbers?"""
        return any(int(value, 0) in numbers for value in self[name])


def frames(path, display_filter, names):
    """The frames that pass the filter, with those of the fields that this tshark knows."""
    names = [name for name in names if name in known_fields()]
    # Port 5000 is a service of mobile networks to tshark.
    command = ['tshark', '-n', '--disable-protocol', 'gsm_ipa', '-r', path, '-Y', display_filter, '-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=|']
    for name in ['frame.number', 'frame.protocols'] + names:
        command += ['-e', name]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout
    found = []
    for line in out.decode('utf-8', 'replace').splitlines():
        cells = (line.split('\t') + [''] * len(names))[:len(names) + 2]
        values = {name: [v for v in cell.split('|') if v] for name, cell in zip(names, cells[2:])}
        found.append(Frame(int(cells[0]), cells[1].split(':'), values))
    return found
