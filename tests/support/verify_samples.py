#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Holds the samples, and one flow of every protocol that the generator knows, against two programs that are not ours.

tshark: nothing malformed, no wrong checksum, no remark of its TCP analysis but where one is intended, the packets of
each flow and its protocol as the truth table says.  ndpiReader: the protocol by content, where libndpi 4.2 can tell.

    verify_samples.py [SAMPLES_DIR]       exit 0 agreed, 1 not, 77 where tshark or ndpiReader is not installed
"""

import csv
import ipaddress
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)
from traffic import SECOND, Wire, capture, flow_for, flows  # noqa: E402

SKIP = 77
# What tshark calls it: any of these layers in the flow.
LAYERS = {
    "Kerberos": {"kerberos", "kpasswd"},
    "LDAP": {"ldap", "cldap"},
    "NetBIOS": {"nbns", "nbdgm", "nbss"},
    "SMB": {"smb", "smb2", "nbns", "nbdgm"},
    "NetBIOS SMB": {"nbns", "nbdgm", "nbss"},
    "DCE_RPC": {"dcerpc"},
    "DNS": {"dns"},
    "NTP": {"ntp"},
    "MsSQL-TDS": {"tds"},
    "CiscoSkinny": {"skinny"},
    "SIP": {"sip"},
    "TLS": {"tls"},
    "RDP": {"rdp"},
    "VNC": {"vnc"},
    "SNMP": {"snmp"},
    "HTTP": {"http"},
    "RTP": {"rtp"},
    "RTCP": {"rtcp"},
    "SMTP": {"smtp"},
    "SSH": {"ssh"},
    "Telnet": {"telnet"},
    "PostgreSQL": {"pgsql"},
    "MySQL": {"mysql"},
    "Redis": {"resp"},
    "Memcached": {"memcache"},
}
# What libndpi calls it where that is another name, and what it cannot tell by content (measured with 4.2).
NDPI_NAME = {"NetBIOS SMB": ("NetBIOS",), "SMB": ("SMBv23", "SMBv1", "NetBIOS"), "RTCP": ("RTCP",)}
NDPI_BLIND = {"CiscoSkinny", "Telnet", "Memcached", "MAPI", "-"}
NDPI_BLIND_PORTS = {("Kerberos", 464), ("MsSQL-TDS", 1434)}
# tshark goes by the port first: what it cannot know there, and two dissectors on ports where the samples have HTTP.
TSHARK_BLIND = {("MsSQL-TDS", 1434), ("SSH", 443)}
TSHARK = [
    "tshark",
    "-n",
    "--enable-heuristic",
    "rtp_udp",
    "--disable-protocol",
    "ipsictl",
    "--disable-protocol",
    "woww",
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "tcp.check_checksum:TRUE",
    "-o",
    "udp.check_checksum:TRUE",
]
FIELDS = (
    "frame.number",
    "frame.protocols",
    "ip.src",
    "ipv6.src",
    "ip.dst",
    "ipv6.dst",
    "tcp.srcport",
    "udp.srcport",
    "tcp.dstport",
    "udp.dstport",
    "tcp.len",
    "_ws.malformed",
    "tcp.analysis.flags",
    "ip.checksum.status",
    "tcp.checksum.status",
    "udp.checksum.status",
)


def key_of(transport, a, aport, b, bport):
    return transport, frozenset(((ipaddress.ip_address(a), int(aport)), (ipaddress.ip_address(b), int(bport))))


def flow_key(flow):
    return key_of(flow["transport"], flow["client"], flow["client_port"], flow["server"], flow["server_port"])


class Seen:
    def __init__(self):
        self.frames, self.layers, self.payload, self.remarks = 0, set(), 0, []


def first(text):
    return text.split(",")[0]


def by_tshark(path, complain):
    command = TSHARK + ["-r", path, "-T", "fields", "-E", "separator=/t"]
    for name in FIELDS:
        command += ["-e", name]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout
    seen = defaultdict(Seen)
    for line in out.splitlines():
        f = dict(zip(FIELDS, line.split("\t")))
        if f["_ws.malformed"]:
            complain("frame %s is malformed (%s)" % (f["frame.number"], f["frame.protocols"]))
        icmp = "icmp" in f["frame.protocols"]  # quotes another packet: what is quoted is not looked at
        for name in ("ip", "tcp", "udp"):
            status = f[name + ".checksum.status"]
            if first(status) == "0" and not (icmp and name != "ip"):
                complain("frame %s: bad %s checksum" % (f["frame.number"], name))
        transport = "tcp" if f["tcp.srcport"] else "udp"
        if icmp or not (f["tcp.srcport"] or f["udp.srcport"]):
            continue
        end = [
            first(f["ip.src"] or f["ipv6.src"]),
            f[transport + ".srcport"],
            first(f["ip.dst"] or f["ipv6.dst"]),
            f[transport + ".dstport"],
        ]
        flow = seen[key_of(transport, *end)]
        flow.frames += 1
        flow.layers |= set(f["frame.protocols"].split(":"))
        flow.payload += int(f["tcp.len"] or 1)
        if f["tcp.analysis.flags"]:
            flow.remarks.append(f["frame.number"])
    return seen


NDPI_LINE = re.compile(r"^\s+\d+\s+(TCP|UDP) (\S+) <?-> (\S+) \[proto: [\d.]+/([^\]]+)\].*?\[Confidence: ([^\]]+)\]")


def by_ndpi(path):
    run = subprocess.run(
        ["ndpiReader", "-i", path, "-v", "2"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    seen = {}
    for line in run.stdout.decode("utf-8", "replace").splitlines():
        match = NDPI_LINE.match(line)
        if match:
            ends = []
            for text in match.group(2), match.group(3):
                address, port = text.rsplit(":", 1)
                ends += [address.strip("[]"), port]
            seen[key_of(match.group(1).lower(), *ends)] = match.group(4), match.group(5)
    return seen


def check_flow(flow, seen, ndpi, complain):
    key, app = flow_key(flow), flow["app"]
    what = "%(client)s:%(client_port)s -> %(server)s:%(server_port)s/%(transport)s %(app)s" % flow
    if key not in seen:
        complain("%s: tshark does not see it" % what)
        return
    got = seen[key]
    if "packets" in flow and got.frames != int(flow["packets"]):
        complain("%s: %s packets in the table, %d for tshark" % (what, flow["packets"], got.frames))
    if got.remarks and flow.get("intended", "-") == "-":
        complain("%s: TCP analysis remarks on frames %s" % (what, ", ".join(got.remarks[:5])))
    if not got.payload:
        return
    port = int(flow["server_port"])
    if app in LAYERS and (app, port) not in TSHARK_BLIND and not got.layers & LAYERS[app]:
        complain("%s: tshark sees %s" % (what, ":".join(sorted(got.layers))))
    name, confidence = ndpi.get(key, ("", ""))
    if app in NDPI_BLIND or (app, port) in NDPI_BLIND_PORTS:
        if confidence == "DPI" and app == "-":
            complain("%s: opaque, but ndpiReader says %s" % (what, name))
        return
    if confidence != "DPI" or not any(part in name for part in NDPI_NAME.get(app, (app,))):
        complain("%s: ndpiReader says %s (%s)" % (what, name or "nothing", confidence))


def check_capture(path, table):
    problems = []
    seen, ndpi = by_tshark(path, problems.append), by_ndpi(path)
    for flow in table:
        check_flow(flow, seen, ndpi, problems.append)
    known = {flow_key(flow) for flow in table}
    problems += ["a flow that is not in the table: %s" % (key,) for key in seen if key not in known]
    for problem in problems[:40]:
        print("%s: %s" % (os.path.basename(path), problem))
    print(
        "%s: %d flows, %d packets, %d problems"
        % (os.path.basename(path), len(table), sum(s.frames for s in seen.values()), len(problems))
    )
    return len(problems)


USUAL_PORT = {
    "Kerberos": (88, 464),
    "LDAP": (389, 3268),
    "NetBIOS": (137, 138, 139),
    "SMB": (445,),
    "DCE_RPC": (135, 5003),
    "DNS": (53,),
    "NTP": (123,),
    "MsSQL-TDS": (1433, 1434),
    "CiscoSkinny": (2000,),
    "SIP": (5060,),
    "TLS": (443, 636),
    "RDP": (3389,),
    "VNC": (5900,),
    "SNMP": (161, 162),
    "HTTP": (80, 5010),
    "RTP": (22800,),
    "RTCP": (22801,),
    "SMTP": (25,),
    "SSH": (22,),
    "Telnet": (23,),
    "PostgreSQL": (5432,),
    "MySQL": (3306,),
    "Redis": (6379,),
    "Memcached": (11211,),
    "MAPI": (1187,),
}
ONLY = {
    (137, "udp"),
    (138, "udp"),
    (139, "tcp"),
    (445, "tcp"),
    (135, "tcp"),
    (1433, "tcp"),
    (1434, "udp"),
    (3268, "tcp"),
}


def catalogue():
    """Every protocol of the generator on its usual ports, over IPv4 and IPv6: frames and table."""
    net, table, sport = Wire(seed=11), [], 1100
    for transport, content in (("tcp", flows.TCP_CONTENT), ("udp", flows.UDP_CONTENT)):
        for app in sorted(content):
            for port in USUAL_PORT[app]:
                if any(port == only for only, _ in ONLY) and (port, transport) not in ONLY:
                    continue
                for client, server in (("10.1.0.1", "10.1.0.2"), ("fd00:1::1", "fd00:1::2")):
                    if ":" in client and app in ("SNMP", "NTP", "RTP", "RTCP", "NetBIOS"):
                        continue  # libndpi 4.2 and these protocols: IPv4 alone
                    sport += 1
                    source = (
                        port
                        if app in ("NetBIOS", "NTP") and transport == "udp"
                        else 24000 + 2 * sport
                        if app == "RTP"
                        else sport
                    )
                    flow_for(net, app, client, source, server, port, transport, (1772442000 + sport) * SECOND)
                    table.append(
                        {
                            "client": client,
                            "client_port": source,
                            "server": server,
                            "server_port": port,
                            "transport": transport,
                            "app": app,
                        }
                    )
    return net.frames(), table


def main(arguments):
    missing = [tool for tool in ("tshark", "ndpiReader") if not shutil.which(tool)]
    if missing:
        print("skipped: %s is not installed" % " and ".join(missing))
        return SKIP
    folder = arguments[1] if len(arguments) > 1 else os.path.join(HERE, "..", "..", "samples")
    tables = defaultdict(list)
    with open(os.path.join(folder, "EXPECTED.tsv"), encoding="utf-8", newline="") as file:
        for flow in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            tables[flow["file"]].append(flow)
    problems = sum(check_capture(os.path.join(folder, name), table) for name, table in sorted(tables.items()))
    frames, table = catalogue()
    with tempfile.TemporaryDirectory() as temporary:
        path = os.path.join(temporary, "catalogue.pcap")
        with open(path, "wb") as out:
            out.write(capture.write_pcap(frames))
        problems += check_capture(path, table)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
