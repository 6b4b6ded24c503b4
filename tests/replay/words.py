#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sentences of findings of the samples, whole: what was negotiated and not used, which port is named and which follows from another."""
import os
import sqlite3
import subprocess
import sys
import tempfile

INCIDENT = ("samples/incident.yaml", "samples/incident.pcapng")

# (site and capture, pcap filter, column of the findings, text that one of them must have)
CASES = [
    (INCIDENT, "not tcp port 49157", "reason",
     "A port outside the documented range was announced (epm-map, packet 1184 of incident.pcapng: the endpoint mapper of exch1 (10.20.3.10) told unity2 "
     "(10.20.1.11) that RFR is on TCP 49157 of exch1 (10.20.3.10)), and no flow to it was seen. Row unity-exchange-dcom (DCOM RPC range after restriction, "
     '"Network Traffic from Cisco Unity to the Partner Exchange Server") allows TCP and UDP 5000-5020 only. Look at the range of ports that exch1 is set to use.'),
    (INCIDENT, None, "parent",
     "ucm1 (10.20.4.10) told unity1 (10.20.1.10) to send audio PCMU to UDP 16500 of phones (10.20.9.23); its control (RTCP) goes to the port after it, UDP 16501, "
     "by convention (RFC 3550, 11)"),
    (INCIDENT, "src host not 10.20.1.10 or tcp port 3268", "reason", "unity1 (10.20.1.10) connected to gc2 (10.20.2.12) on TCP 3268"),
    (INCIDENT, "not src host 10.20.1.10", "reason", "gc2 (10.20.2.12) sent to unity1 (10.20.1.10) from TCP 3268 to its TCP 1130, carrying LDAP; no packet the other way was seen."),
    (INCIDENT, "not src host 10.20.1.10", "reason", "and the server here is gc2 (gc)."),
    (("samples/web-shop.yaml", "samples/web-shop.pcap"), None, "reason",
     "HTTPS from the load balancer on is allowed only at a site that encrypts behind the load balancer too. Row balancer-web-tls "),
]


def main():
    program, root = sys.argv[1:3]
    failed = 0

    with tempfile.TemporaryDirectory() as folder:
        for i, ((site, capture), expression, column, text) in enumerate(CASES):
            record = os.path.join(folder, "%d.db" % i)
            command = [program, "check", "-q", "-o", record, "-s", os.path.join(root, site)] + (["-f", expression] if expression else [])
            subprocess.run(command + [os.path.join(root, capture)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            found = [row[0] or "" for row in sqlite3.connect(record).execute("SELECT %s FROM findings" % column)]
            good = any(text in f for f in found)
            failed += not good
            print("%s  %s" % ("ok" if good else "NOT FOUND", text))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
