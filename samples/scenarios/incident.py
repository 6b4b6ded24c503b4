# SPDX-License-Identifier: Apache-2.0
"""
"An incident at Example HQ": the same site on the Monday after a weekend of changes.

Second 0 is 08:58:00 UTC.  README.md tells the story in words; what each flow is meant to be stands beside it
here and goes into the truth tables from here.
"""

from traffic import directory, web, windows, wire
from traffic.flows import opaque_talk, Ends
from traffic.scenario import CLIENT, SERVER
from traffic.tcp import ACK, RST, SYN, Connection

from . import unity

LAST = 1860  # 31 minutes

SITE = (
    unity.SITE.format(file="incident.pcapng", within="20m")
    + """\
ignore:
  - {network: 10.20.99.0/24, reason: out-of-band management}
exceptions:
  - id: EX-1
    client: admin1
    server: unity1
    port: tcp/22
    owner: A. Keeper
    reason: migration to the new voice mail
    until: 2027-01-31
"""
)

VIOLATION = {"verdict": "violation"}


def firewall(s):
    """09:02: a rule in front of exch1 forbids LDAP to the domain controller, by TCP and by UDP."""
    prohibited = dict(row="exchange-dc-ldap", outcome="prohibited", note="new rule on fw1")
    for second in (245, 660, 1310):
        s.blocked(second, "LDAP", "exch1", "dc1", 389, unity.FIREWALL, **prohibited)
        s.blocked_datagram(
            second - 4, "LDAP", "exch1", "dc1", 389, directory.cldap_request(1, "EXCH1"), unity.FIREWALL, **prohibited
        )
    s.finding(
        "misdropped",
        "exch1",
        "dc1",
        "tcp/389",
        "exchange-dc-ldap",
        "prohibited",
        "every attempt by TCP and by UDP was prohibited by 10.20.0.254",
    )
    s.finding(
        "separated",
        "exch1",
        "dc1",
        note="ICMP administratively prohibited between the partner Exchange server and a domain controller",
    )


def dynamic_port(s):
    """09:06: exch1 came up without its DCOM range; the endpoint mapper sends unity2 to a port of the default range."""
    told = windows.epm_exchange(windows.SYSTEM_ATTENDANT, s["exch1"].v4, 49157)
    for second in (482, 1402):
        s.talk(
            second,
            "DCE_RPC",
            "unity2",
            "exch1",
            135,
            [(n % 2, m) for n, m in enumerate(told)],
            row="unity-exchange-epm",
        )
        prng = s.net.prng("dynamic %d" % second)
        s.talk(
            second + 0.4,
            "DCE_RPC",
            "unity2",
            "exch1",
            49157,
            windows.rpc_session(prng, windows.SYSTEM_ATTENDANT, 49157),
            kind="wrong-port",
            row="unity-exchange-dcom",
            note="negotiated by the endpoint mapper of exch1",
            **VIOLATION
        )
    s.finding(
        "wrong-port",
        "unity2",
        "exch1",
        "tcp/49157",
        "unity-exchange-dcom",
        "established",
        "exch1 does not restrict its DCOM range",
    )
    s.finding(
        "missing",
        "unity2",
        "exch1",
        "",
        "unity-exchange-dcom",
        "never-attempted",
        "no RPC inside 5000-5020: all of it went to 49157",
    )


def refused(s):
    """The routing service of exch2 is not running."""
    for second in (350, 950, 1550):
        s.blocked(
            second,
            "-",
            "exch1",
            "exch2",
            691,
            "rst",
            tries=1,
            row="exchange-exchange-routing",
            outcome="refused",
            intended="refused",
        )
    s.finding(
        "misdropped",
        "exch1",
        "exch2",
        "tcp/691",
        "exchange-exchange-routing",
        "refused",
        "exch2 refuses: the service is not running",
    )


def people(s):
    """What persons did who should not have."""
    prng = s.net.prng("people")
    s.service(
        410,
        "RDP",
        "desk1",
        "unity1",
        3389,
        kind="wrong-role",
        row="admin-rdp",
        note="a desk, not an administrator",
        **VIOLATION
    )
    s.finding(
        "wrong-role", "desk1", "unity1", "tcp/3389", "admin-rdp", "established", "RDP is for administrator workstations"
    )
    s.service(
        530,
        "HTTP",
        "admin1",
        "unity1",
        5010,
        kind="wrong-protocol",
        row="admin-dcom",
        note="HTTP on a port of the DCOM range",
        **VIOLATION
    )
    s.finding(
        "wrong-protocol", "admin1", "unity1", "tcp/5010", "admin-dcom", "established", "HTTP where DCE/RPC belongs"
    )
    s.service(610, "Telnet", "admin1", "unity1", 23, kind="no-row", **VIOLATION)
    s.finding("no-row", "admin1", "unity1", "tcp/23", "", "established", "telnet is in no table")
    s.service(
        720,
        "HTTP",
        "desk2",
        "unity1",
        80,
        kind="option-off",
        row="pca-http",
        note="HTTPS is on at this site",
        **VIOLATION
    )
    s.finding(
        "option-off",
        "desk2",
        "unity1",
        "tcp/80",
        "pca-http",
        "established",
        "HTTP on TCP 80 is allowed only while HTTPS is disabled",
    )
    s.talk(800, "SSH", "admin1", "unity1", 22, web.ssh_session(prng), kind="no-row", note="waived by EX-1", **VIOLATION)
    s.finding(
        "no-row",
        "admin1",
        "unity1",
        "tcp/22",
        "",
        "established",
        "waived by EX-1 until 2027-01-31: does not count for the exit status",
    )


def machines(s):
    """What machines did on their own."""
    for second, name in ((130, "update.example.test"), (131, "mail.example.test"), (900, "time.example.test")):
        number = s.prng.u16()
        with s.flow("unity1", None, "resolver", 53, "udp", "DNS", kind="unknown-host", **VIOLATION) as (_, a, sport, b):
            now = s.time(second)
            s.net.udp(now, a, sport, b, 53, directory.dns_query(number, name))
            s.net.udp(now + 14 * wire.MS, b, 53, a, sport, directory.dns_answer(number, name, address="198.51.100.7"))
    s.finding(
        "unknown-host", "unity1", "203.0.113.53", "udp/53", "", "established", "a resolver that the site does not name"
    )
    s.finding("missing", "unity1", "dc1", "", "unity-dc-ntp", "never-attempted", "unity1 never asks for the time")
    unity.sip_call(
        s,
        1010,
        1,
        22830,
        27010,
        "udp",
        kind="wrong-port",
        row="sip-unity-control",
        note="SIP over UDP; the document knows TCP only",
        **VIOLATION
    )
    s.finding(
        "wrong-port",
        "sipgw1",
        "unity1",
        "udp/5060",
        "sip-unity-control",
        "established",
        "SIP over UDP; the document knows TCP only",
    )
    s.service(1060, "LDAP", "unity1", "gc2", 3268, kind="wrong-role", row="unity-gc-gc-ldap", **VIOLATION)
    s.finding(
        "wrong-role",
        "unity1",
        "gc2",
        "tcp/3268",
        "unity-gc-gc-ldap",
        "established",
        "gc2 is a global catalog that Unity does not monitor",
    )
    s.blocked(
        1100,
        "-",
        "ucm1",
        "unity1",
        2000,
        "rst",
        tries=1,
        kind="wrong-direction",
        row="unity-ucm-sccp",
        outcome="refused",
        intended="refused",
        **VIOLATION
    )
    s.finding(
        "wrong-direction",
        "ucm1",
        "unity1",
        "tcp/2000",
        "unity-ucm-sccp",
        "refused",
        "Unity connects to the UCM, never the other way round",
    )
    e = Ends(s.net, 0, "10.20.1.10", 1, "10.20.8.31", 1503)
    s.talk(
        1150,
        "-",
        "unity1",
        "desk1",
        1503,
        opaque_talk(e),
        verdict="undocumented",
        row="unity-workstation",
        note="the table of the source is lost",
    )
    s.service(1160, "TLS", "unity1", "backup", 443, verdict="not-governed", note="in the site's ignore list")


def silent(s):
    """A packet filter on ucm1 drops what comes to its web server, and says nothing.  No row requires it."""
    truth = dict(outcome="unanswered", row="unity-ucm-web", note="allowed, and dropped on the way")
    s.blocked(1170, "-", "unity1", "ucm1", 8443, "nothing", **truth)


def bad_media(s):
    """phone2 was provisioned with another range: it listens on UDP 16500."""
    truth = dict(kind="wrong-port", row="unity-phone-rtp", **VIOLATION)
    s.media(
        1200, "unity1", 22812, "phone2", 16500, 3, note="towards phone2; the direction to unity1 is allowed", **truth
    )
    s.finding(
        "wrong-port",
        "unity1",
        "phone2",
        "udp/16500",
        "unity-phone-rtp",
        "established",
        "phone2 listens outside 22800-32767 (with RTCP on 16501)",
    )


SCAN_PORTS = tuple(
    map(
        int,
        """
    1 7 9 13 17 19 20 21 22 23 25 37 42 43 53 67 68 69 70 79 80 81 82 88 102 110 111 113 119 123 135 137 138
    139 143 161 162 179 199 389 443 444 445 464 500 512 513 514 515 543 544 548 554 587 593 631 636 646 691
    993 995 1025 1026 1027 1080 1110 1433 1434 1720 1723 1900 2000 2001 2049 2121 2443 2717 3000 3128 3268
    3269 3306 3372 3389 3653 3986 4899 5000 5009 5051 5060 5101 5190 5357 5432 5631 5666 5800 5900 6000 6001
    6646 7070 8000 8008 8009 8080 8081 8443 8888 9100 9999 10000 32768 49152 49153 49154 49155 49156 49157
""".split(),
    )
)
OPEN = {135, 139, 443, 445, 1433, 3389, 5060, 5900}


def scan(s):
    """Somebody's laptop: 10.20.77.9 looks for open ports on unity1, a few ms apart, from one port of its own."""
    now = s.time(1250)
    for port in SCAN_PORTS:
        is_open = port in OPEN
        truth = dict(kind="unknown-host", outcome="established" if is_open else "refused", intended="scan", **VIOLATION)
        with s.flow("laptop", 43210, "unity1", port, "tcp", "-", **truth) as (_, a, sport, b):
            line = Connection(s.net, now, a, sport, b, port)
            line.syn()
            if is_open:
                line.seq[CLIENT] += 1
                line.step()
                line.segment(SERVER, SYN | ACK, options=line._options(), seq=line.isn[SERVER])
                line.step()
                line.segment(CLIENT, RST, seq=line.seq[CLIENT], ack=False)
            else:
                line.refuse()
        now += (4 + s.prng.below(9)) * wire.MS
    s.finding(
        "unknown-host",
        "10.20.77.9",
        "unity1",
        "tcp/*",
        "",
        "",
        "a scan of %d ports, %d of them open" % (len(SCAN_PORTS), len(OPEN)),
    )


def harmless(s):
    """What looks like trouble and is none."""
    # A name query to the whole network: whoever knows answers, from port 137, though no row lets dns1 or the UCM speak
    # to unity1 there.
    with s.flow(
        "unity1", 137, "everyone", 137, "udp", "NetBIOS", verdict="not-governed", outcome="one-way", note="broadcast"
    ):
        now = s.time(60)
        s.net.udp(now, "10.20.1.10", 137, unity.BROADCAST, 137, windows.nbns_query(0x8123, "EXAMPLE", True, 0x1C))
    for i, name in enumerate(("dns1", "ucm1")):
        with s.flow(
            "unity1",
            137,
            name,
            137,
            "udp",
            "NetBIOS",
            verdict="not-governed",
            outcome="one-way",
            note="an answer to unity1's broadcast",
        ):
            s.net.udp(
                now + (i + 2) * wire.MS,
                s[name].v4,
                137,
                "10.20.1.10",
                137,
                windows.nbns_answer(0x8123, "EXAMPLE", s[name].v4, 0x1C),
            )
    with s.flow(
        "unity1", 138, "everyone", 138, "udp", "NetBIOS", verdict="not-governed", outcome="one-way", note="broadcast"
    ):
        message = windows.browser_datagram(
            77, "10.20.1.10", "UNITY1", "EXAMPLE", windows.browser_announcement("UNITY1"), 0x11
        )
        s.net.udp(s.time(61), "10.20.1.10", 138, unity.BROADCAST, 138, message)
    s.service(
        64,
        "NetBIOS",
        "unity1",
        "dc1",
        138,
        "udp",
        sport=138,
        row="unity-dc-netbios",
        note="138 to 138, both directions in one flow",
    )
    s.service(66, "NetBIOS", "unity1", "dc1", 139, row="unity-dc-netbios")
    # Client ports that fall into a range of the document.
    s.service(
        90, "DNS", "unity1", "dns1", 53, "udp", sport=23456, row="unity-dns", note="client port inside the RTP range"
    )
    s.service(
        95,
        "DCE_RPC",
        "desk1",
        "exch1",
        135,
        sport=5015,
        row="workstation-exchange-epm",
        note="client port inside the DCOM range",
    )
    s.service(
        96,
        "Kerberos",
        "exch2",
        "dc1",
        88,
        "udp",
        sport=25000,
        row="exchange-dc-kerberos",
        note="client port inside the RTP range",
    )
    s.service(100, "LDAP", "unity1", "dc1", 389, v6=True, row="unity-dc-ldap", note="over IPv6")
    # A session from before the capture, in which the server speaks first.
    events = []
    for second in range(40, LAST, 300):
        i = second
        events += [
            (
                second,
                SERVER,
                directory.ldap_entry(i, "CN=Subscriber 9,OU=Subscribers," + directory.BASE, uSNChanged=str(420000 + i)),
            ),
            (second + 30, CLIENT, directory.ldap_search(i + 1, directory.BASE, "sAMAccountName", "subscriber%d" % i)),
        ]
    s.persistent(
        events,
        "LDAP",
        "exch1",
        "gc1",
        3268,
        True,
        row="exchange-gc-gc-ldap",
        note="begun before the capture; the first packet is the server's",
    )
    # The administrator's HTTPS passes two routed ports of the span.
    s.seen_twice(
        s.service(420, "TLS", "admin1", "unity1", 443, row="admin-https", note="each packet is in the capture twice")
    )
    # A SYN that got lost once.
    with s.flow(
        "unity2",
        None,
        "dc1",
        445,
        "tcp",
        "SMB",
        row="unity-dc-netbios",
        intended="retransmission",
        note="the SYN is sent twice",
    ) as (_, a, sport, b):
        line = Connection(s.net, s.time(450), a, sport, b, 445)
        line.syn()
        line.now += 3 * wire.SECOND
        line.open()
        for n, message in enumerate(windows.smb2_session(line.prng, "UNITY2$", "DC1")):
            line.send(n % 2, message)
        line.close()


def calls(s):
    """Two good calls.  At the end of the first the phone has closed its sockets before the last packets come: no
    refusal."""
    s.media(
        300,
        "unity1",
        22804,
        "phone1",
        24608,
        5,
        late=True,
        row="unity-phone-rtp",
        note="port unreachable at the end of the call",
    )
    unity.sip_call(s, 1400, 2, 22840, 27020)
    unity.line_to_ucm(
        s, "unity1", LAST, [(300, 5, 22804, "phone1", 24608), (1200, 3, 22812, "phone2", 16500)], middle=True
    )
    unity.line_to_ucm(s, "unity2", LAST)
    unity.phone_line(s, "phone1", LAST)
    unity.phone_line(s, "phone2", LAST)


def build():
    s = unity.site()
    s.host("fw1", "10.20.0.254", ttl=255)
    s.host("laptop", "10.20.77.9", ttl=64, hops=1)
    s.host("resolver", "203.0.113.53", ttl=64, hops=9)
    s.host("backup", "10.20.99.5", ttl=64)
    s.host("everyone", unity.BROADCAST)
    otherwise = {
        ("unity-dc-ntp", "unity1"),
        ("exchange-dc-ldap", "exch1"),
        ("unity-exchange-dcom", "unity2"),
        ("unity-exchange-epm", "unity2"),
        ("exchange-exchange-routing", "exch1"),
    }
    unity.ordinary(s, 2, LAST - 30, otherwise)
    calls(s)
    unity.monitoring(s, LAST, 60)
    unity.new_mail(s, (210, 640, 900, 1500))
    s.service(480, "TLS", "desk1", "unity1", 443, row="pca-https")
    s.service(505, "VNC", "admin1", "unity1", 5900, row="vnc-unity")
    s.service(520, "DNS", "desk1", "dns1", 53, "udp", row="workstation-dns")
    s.service(531, "DCE_RPC", "desk1", "exch1", 5003, row="workstation-exchange-dcom")
    s.service(
        535,
        "Kerberos",
        "desk1",
        "dc1",
        88,
        "udp",
        verdict="not-governed",
        note="no row joins desks and domain controllers",
    )
    s.service(700, "SMTP", "exch2", "exch1", 25, row="exchange-exchange-smtp")
    for part in (firewall, dynamic_port, refused, people, machines, silent, bad_media, scan, harmless):
        part(s)
    for host in ("unity1", "unity2", "exch1", "exch2"):
        s.service(
            LAST - 2, "DNS", host, "dns1", 53, "udp", row="unity-dns" if host.startswith("unity") else "exchange-dns"
        )
    _comments(s)
    return s


def _comments(s):
    """A few packet comments, as an engineer at the span port leaves them."""
    for flow in s.flows:
        first = flow.packets[0]
        if (
            flow.outcome == "prohibited"
            and flow.transport == "tcp"
            and not any(p.comment for f in s.flows for p in f.packets)
        ):
            first.comment = "fw1 got its new rule set at 09:02; mail delivery complaints start here"
        if flow.kind == "wrong-role" and flow.app == "RDP":
            first.comment = "who is this?"
