#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Writes the sample captures, their site files and the truth tables.

    generate.py OUTDIR      writes them all into OUTDIR
    generate.py --check     compares what it would write with the files beside it: 0 equal, 1 not

Deterministic: the bytes depend on this program alone.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tests", "support")]
from scenarios import healthy, incident, web_shop  # noqa: E402
from traffic import capture  # noqa: E402
from traffic.scenario import COLUMNS  # noqa: E402

COMMENTS = {
    "healthy": "Example HQ with everything in order; made by samples/generate.py, no real traffic",
    "incident": "An incident at Example HQ; made by samples/generate.py, no real traffic",
}


def table(header, rows):
    return ("\n".join("\t".join(row) for row in [header] + rows) + "\n").encode()


def everything():
    """Name of a file to its bytes."""
    files, flows, findings = {}, [], []
    for name, story in (("healthy", healthy), ("incident", incident), ("web-shop", web_shop)):
        s = story.build()
        if name in COMMENTS:
            file = name + ".pcapng"
            files[file] = capture.write_pcapng(s.net.frames(), "span0", "span of the server network", COMMENTS[name])
        else:
            file = name + ".pcap"
            files[file] = capture.write_pcap(s.net.frames())
        files[name + ".yaml"] = story.SITE.encode()
        flows += sorted(
            ([file] + flow.line() for flow in s.flows), key=lambda row: int(row[1 + COLUMNS.index("first_packet")])
        )
        findings += [[file] + [text or "-" for text in finding] for finding in s.findings]
    files["EXPECTED.tsv"] = table(["file"] + list(COLUMNS), flows)
    files["FINDINGS.tsv"] = table(["file", "kind", "client", "server", "port", "row", "outcome", "note"], findings)
    return files


def check(files):
    bad = 0
    for name, data in files.items():
        path = os.path.join(HERE, name)
        try:
            with open(path, "rb") as file:
                same = file.read() == data
        except FileNotFoundError:
            same = False
        if not same:
            print("generate.py: %s is not what this program writes" % name, file=sys.stderr)
            bad = 1
    return bad


def main(arguments):
    if len(arguments) != 2 or arguments[1] in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stderr)
        return 0 if len(arguments) == 2 else 2
    files = everything()
    if arguments[1] == "--check":
        return check(files)
    for name, data in files.items():
        with open(os.path.join(arguments[1], name), "wb") as out:
            out.write(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
