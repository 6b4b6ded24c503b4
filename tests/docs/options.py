#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each command and option that --help shows is in flowaudit(1) and in the completion, and the other way round; each text
fits on a terminal of 24 lines and 80 columns.

usage: options.py FLOWAUDIT SOURCE_ROOT
"""
import os
import re
import subprocess
import sys

HELP = {'-h', '--help'}
OPTION = re.compile(r'(?<![\w-])(--[a-z][a-z-]*|-[a-zA-Z])(?![\w-])')


def help_of(flowaudit, *command):
    done = subprocess.run([flowaudit, *command, '--help'], capture_output=True, text=True)
    if done.returncode != 0 or done.stderr:
        raise SystemExit(f'{command} --help: status {done.returncode} {done.stderr}')
    return done.stdout


def options_of_help(text):
    """Options stand at the start of a line, before the text that explains them."""
    found = set()
    for line in text.splitlines():
        if re.match(r'\s+-', line):
            found |= set(OPTION.findall(re.split(r'\s{2,}', line.strip())[0]))
    return found


def flags_of(words):
    """The arguments of mdoc's Fl, up to the next macro."""
    flags, in_flags = set(), False
    for word in words:
        if word in ('Fl', 'Ar', 'Op', 'Ns', 'Cm'):
            in_flags = word == 'Fl'
        elif in_flags and word != ',':
            flags.add('-' + word)
    return flags


def page_sections(page):
    """The options of flowaudit(1), by the command under whose heading they are explained."""
    sections, name = {}, None
    for line in page.splitlines():
        heading = re.match(r'\.S[sh] (.*)', line)
        if heading:
            name = heading.group(1)
        elif line.startswith('.It Fl ') and name is not None:
            sections.setdefault(name, set()).update(flags_of(line.split()[1:]))
    return sections


def completed(script):
    return {name: set(words.split()) for name, words in re.findall(r"^\t\t(\w+)\) options='([^']*)'", script, re.M)}


def compare(what, ours, theirs, command):
    return [f'{command}: {option} is in --help and not in {what}' for option in sorted(ours - theirs)] + \
           [f'{command}: {option} is in {what} and not in --help' for option in sorted(theirs - ours)]


def check_size(command, text):
    lines = text.splitlines()
    widest = max(map(len, lines))
    return [f'{command or "flowaudit"} --help: {len(lines)} lines of {widest} columns'] if len(lines) > 24 or widest > 80 else []


def main(flowaudit, root):
    with open(f'{root}/man/flowaudit.1', encoding='utf-8') as f:
        page = f.read()
    with open(f'{root}/completions/flowaudit.bash', encoding='utf-8') as f:
        script = f.read()
    top = help_of(flowaudit)
    commands = re.findall(r'^  ([a-z]+) ', top, re.M)
    explained, offered = page_sections(page), completed(script)
    wrong = check_size('', top)
    if len(commands) < 5:
        wrong.append(f'commands not recognised in --help: {commands}')
    for command in commands:
        text = help_of(flowaudit, command)
        options = options_of_help(text) - HELP
        wrong += check_size(command, text)
        if not options:
            wrong.append(f'{command}: no option recognised in --help')
        wrong += compare('flowaudit(1)', options, explained.get(command, set()) - HELP, command)
        wrong += compare('the completion', options, offered.get(command, set()) - HELP, command)
        if not re.search(rf'^\.Cm {command}$', page, re.M):
            wrong.append(f'{command}: not in the synopsis of flowaudit(1)')
    print(*wrong, sep='\n')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(os.path.abspath(sys.argv[1]), sys.argv[2]))
