#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
One flow for each line: CLIENT CLIENT_PORT SERVER SERVER_PORT TRANSPORT PROTOCOL

    generate.py OUT.pcap [LIST]       (LIST is standard input where left out; fields are separated by tabs or blanks)

The flows start 10 ms apart, in the order of the lines.  PROTOCOL is a matrix's name for it ("Kerberos",
"NetBIOS SMB"); "-" or an unknown name gives opaque bytes.  Empty lines and lines that begin with '#' are skipped.
"""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "support"))
from traffic import MS, SECOND, Wire, capture, flow_for  # noqa: E402

START = 1772442000 * SECOND  # 2026-03-02 09:00:00 UTC
APART = 10 * MS


def put_line(net, line, number, index):
    parts = line.split(None, 5)
    if len(parts) < 5:
        raise ValueError(
            "line %d: expected CLIENT PORT SERVER PORT TRANSPORT [PROTOCOL], got %r" % (number, line.strip())
        )
    client, sport, server, dport, transport = parts[:5]
    if transport not in ("tcp", "udp"):
        raise ValueError("line %d: transport %r is neither tcp nor udp" % (number, transport))
    protocol = parts[5].strip() if len(parts) > 5 else "-"
    flow_for(net, protocol, client, int(sport), server, int(dport), transport, START + index * APART, gap=MS // 2)


def main(arguments):
    if len(arguments) not in (2, 3):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    source = open(arguments[2], encoding="utf-8") if len(arguments) == 3 else sys.stdin
    net, index = Wire(seed=7), 0
    with source:
        for number, line in enumerate(source, 1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                put_line(net, line, number, index)
            except ValueError as error:
                print("generate.py: %s" % error, file=sys.stderr)
                return 2
            index += 1
    with open(arguments[1], "wb") as out:
        out.write(capture.write_pcap(net.frames()))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
