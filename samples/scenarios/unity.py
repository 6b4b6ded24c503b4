# SPDX-License-Identifier: Apache-2.0
"""
"Example HQ": a small Cisco Unity site and its ordinary day.

The span port hears the server network 10.20.0.0/21.  The desks (10.20.8.0/24) and phones (10.20.9.0/24)
are one router away, so their packets arrive with one hop less to live; servers are in one network with each other.
"""

from traffic import voice, windows
from traffic.scenario import CLIENT, SERVER, Scenario

START = 1772441880  # 2026-03-02 08:58:00 UTC, a Monday
BROADCAST = "10.20.7.255"
FIREWALL = "fw1"

SITE = """\
# The site of samples/{file}: see samples/README.md.
site: Example HQ
matrix: cisco-unity-5x-exchange
options:
  {{failover: on, sccp: on, sccp_tls: off, sip: on, https: on, pca: on, vnc: on, snmp: on, rdp: on, report_share: off}}
parameters:
  dcom_ports: 5000-5020
  rtp_ports: 22800-32767
  exchange_static_ports: [1200, 1201-1204]
hosts:
  unity1: {{addresses: [10.20.1.10, "fd00:20::1:10"], roles: [unity-primary]}}
  unity2: {{addresses: [10.20.1.11], roles: [unity-secondary]}}
  dc1:    {{addresses: [10.20.2.10, "fd00:20::2:10"], roles: [dc-monitored]}}
  gc1:    {{addresses: [10.20.2.11], roles: [gc-monitored, gc-mapi]}}
  gc2:    {{addresses: [10.20.2.12], roles: [gc]}}
  dns1:   {{addresses: [10.20.2.53], roles: [dns]}}
  exch1:  {{addresses: [10.20.3.10], roles: [exchange-partner]}}
  exch2:  {{addresses: [10.20.3.11], roles: [exchange-mailbox]}}
  ucm1:   {{addresses: [10.20.4.10], roles: [ucm]}}
  sipgw1: {{addresses: [10.20.5.10], roles: [sip-endpoint]}}
  admin1: {{addresses: [10.20.6.10], roles: [admin-workstation, vnc-client]}}
  nms1:   {{addresses: [10.20.6.40], roles: [snmp-station]}}
  desks:  {{addresses: [10.20.8.20-10.20.8.60], roles: [subscriber-workstation]}}
  phones: {{addresses: [10.20.9.0/24], roles: [phone]}}
within: {within}
"""


def site():
    s = Scenario(20260302, START)
    s.host("unity1", "10.20.1.10", "fd00:20::1:10", ephemeral=1101)
    s.host("unity2", "10.20.1.11", ephemeral=1131)
    s.host("dc1", "10.20.2.10", "fd00:20::2:10", ephemeral=2011)
    s.host("gc1", "10.20.2.11")
    s.host("gc2", "10.20.2.12")
    s.host("dns1", "10.20.2.53")
    s.host("exch1", "10.20.3.10", ephemeral=2311)
    s.host("exch2", "10.20.3.11", ephemeral=2711)
    s.host("ucm1", "10.20.4.10", ttl=64, ephemeral=36211)
    s.host("sipgw1", "10.20.5.10", ttl=64, ephemeral=41211)
    s.host("admin1", "10.20.6.10", ephemeral=49311)
    s.host("nms1", "10.20.6.40", ttl=64, ephemeral=33211)
    s.host("desk1", "10.20.8.31", hops=1, ephemeral=50111)
    s.host("desk2", "10.20.8.32", hops=1, ephemeral=50311)
    s.host("phone1", "10.20.9.21", ttl=64, hops=1, ephemeral=51211)
    s.host("phone2", "10.20.9.23", ttl=64, hops=1, ephemeral=51411)
    return s


NETBIOS = (("udp", 137), ("tcp", 445))
DIRECTORY = {
    "kerberos": ("Kerberos", (("udp", 88), ("tcp", 88))),
    "ldap": ("LDAP", (("udp", 389), ("tcp", 389))),
    "netbios": ("NetBIOS SMB", NETBIOS),
    "gc-ldap": ("LDAP", (("tcp", 3268),)),
    "epm": ("DCE_RPC", (("tcp", 135),)),
    "dcom": ("DCE_RPC", (("tcp", 5003),)),
    "ntp": ("NTP", (("udp", 123),)),
    "dns": ("DNS", (("udp", 53), ("tcp", 53))),
    "sql": ("MsSQL-TDS", (("udp", 1434), ("tcp", 1433))),
    "msdtc": ("-", (("tcp", 3372),)),
    "node-manager": ("-", (("tcp", 3653),)),
    "routing": ("-", (("tcp", 691),)),
}
SAME_PORT = {137, 138, 123}
# From port 137 to port 137 is one flow for both directions: the second of a pair asks by TCP alone.
ANSWERED = {("unity1", "unity2")}

# (row of the matrix, what, client, server): the required rows, in the order of a member's start.
REQUIRED = [("%s-dns", "dns", ("unity1", "unity2", "exch1", "exch2"), "dns1")]
REQUIRED += [
    ("unity-dc-" + what, what, ("unity1", "unity2"), "dc1")
    for what in ("ldap", "kerberos", "netbios", "ntp", "epm", "dcom")
]
REQUIRED += [
    ("unity-gc-" + what, what, ("unity1", "unity2"), "gc1")
    for what in ("kerberos", "ldap", "gc-ldap", "netbios", "epm", "dcom")
]
REQUIRED += [
    ("exchange-dc-" + what, what, ("exch1", "exch2"), "dc1")
    for what in ("ldap", "kerberos", "netbios", "ntp", "epm", "dcom")
]
REQUIRED += [
    ("exchange-gc-" + what, what, ("exch1", "exch2"), "gc1")
    for what in ("kerberos", "ldap", "gc-ldap", "netbios", "epm", "dcom")
]
REQUIRED += [("unity-exchange-" + what, what, ("unity1", "unity2"), "exch1") for what in ("netbios", "epm", "dcom")]
PAIRS = [("failover-" + what, what, ("unity1", "unity2")) for what in ("netbios", "sql", "msdtc", "node-manager")]
PAIRS += [("exchange-exchange-" + what, what, ("exch1", "exch2")) for what in ("epm", "routing", "dcom")]


def required_flows():
    """(row, what, client, server) for every required row and client host but SCCP and SNMP, which last."""
    for row, what, clients, server in REQUIRED:
        for client in clients:
            yield row % (
                "unity" if client.startswith("unity") else "exchange"
            ) if "%" in row else row, what, client, server
    for row, what, pair in PAIRS:
        yield row, what, pair[0], pair[1]
        yield row, what, pair[1], pair[0]


def ordinary(s, first, last, leave_out=()):
    """Every required exchange once, spread over the seconds 'first' to 'last'.  'leave_out': (row, client) that
    the story does otherwise."""
    todo = [item for item in required_flows() if (item[0], item[2]) not in leave_out]
    for i, (row, what, client, server) in enumerate(todo):
        second = first + (last - first) * i / len(todo)
        app, ports = DIRECTORY[what]
        if (server, client) in ANSWERED:
            ports = [item for item in ports if item[1] not in SAME_PORT]
        for transport, port in ports:
            if what == "epm":
                told = windows.epm_exchange(windows.NETLOGON, s[server].v4, 5003)
                s.talk(second, app, client, server, port, [(n % 2, m) for n, m in enumerate(told)], row=row)
            else:
                s.service(
                    second, app, client, server, port, transport, sport=port if port in SAME_PORT else None, row=row
                )
            second += 0.7


def line_to_ucm(s, unity, last, calls=(), middle=False):
    """The SCCP line of one Unity server: registration, keepalives, and the channels of its calls (second,
    seconds, port, phone, phone's port)."""
    address = s[unity].v4
    events = (
        []
        if middle
        else [
            (3, CLIENT, voice.sccp_register("VM1-VI%s" % unity[-1], address)),
            (3.1, SERVER, voice.sccp_register_ack()),
        ]
    )
    for second in range(15, int(last), 30):
        events += [(second, CLIENT, voice.sccp_keepalive()), (second + 0.01, SERVER, voice.sccp_keepalive_ack())]
    for n, (second, seconds, port, phone, phone_port) in enumerate(calls, 1):
        party = 16777216 + n
        events += [
            (second - 0.3, SERVER, voice.sccp_open_receive(n, party)),
            (second - 0.25, CLIENT, voice.sccp_open_receive_ack(address, port, party)),
            (second - 0.2, SERVER, voice.sccp_start_media(s[phone].v4, phone_port, n, party)),
            (second + seconds + 0.1, SERVER, voice.sccp_close_receive(n, party)),
            (second + seconds + 0.12, SERVER, voice.sccp_stop_media(n, party)),
        ]
    events.sort(key=lambda event: event[0])
    return s.persistent(events, "CiscoSkinny", unity, "ucm1", 2000, middle, row="unity-ucm-sccp")


def phone_line(s, phone, last):
    events = []
    for second in range(20, int(last), 60):
        events += [(second, CLIENT, voice.sccp_keepalive()), (second + 0.01, SERVER, voice.sccp_keepalive_ack())]
    s.persistent(
        events, "CiscoSkinny", phone, "ucm1", 2000, True, verdict="not-governed", note="no row joins phones and the UCM"
    )


def monitoring(s, last, every):
    """SNMP polls from one socket for each server, as a poller does."""
    from traffic import web

    for unity in ("unity1", "unity2"):
        with s.flow("nms1", None, unity, 161, "udp", "SNMP", row="snmp-unity") as (_, a, sport, b):
            for second in range(8, int(last), every):
                now, number = s.time(second), 5000 + second
                s.net.udp(now, a, sport, b, 161, web.snmp(number))
                s.net.udp(now + 900000, b, 161, a, sport, web.snmp(number, True, ticks=4711000 + 100 * second))


def new_mail(s, seconds, server="exch1"):
    """The store rings: eight bytes to a port that the client chose when it registered."""
    prng = s.net.prng("new mail")
    message = windows.new_mail(prng)
    with s.flow(server, None, "unity1", 1187, "udp", "-", row="exchange-unity-notify", outcome="one-way") as (
        _,
        a,
        sport,
        b,
    ):
        for second in seconds:
            s.net.udp(s.time(second), a, sport, b, 1187, message)


def sip_call(s, second, seconds, unity_port, gateway_port, transport="tcp", media=True, **truth):
    """The gateway calls Unity, with audio both ways."""
    call = voice.SipCall(
        s["sipgw1"].v4, s["unity1"].v4, 5060, 5060, transport, s.net.prng("sip %s" % second).bytes(8).hex()
    )
    if transport == "tcp":
        call.sport = s["sipgw1"].next_port
        events = [
            (second, CLIENT, call.invite(gateway_port)),
            (second + 0.02, SERVER, call.trying()),
            (second + 0.3, SERVER, call.ok(unity_port)),
            (second + 0.35, CLIENT, call.ack()),
            (second + 0.6 + seconds, CLIENT, call.bye()),
            (second + 0.62 + seconds, SERVER, call.bye_ok()),
        ]
        s.persistent(events, "SIP", "sipgw1", "unity1", 5060, row="sip-unity-control")
    else:
        with s.flow("sipgw1", 5060, "unity1", 5060, "udp", "SIP", **truth) as (_, a, sport, b):
            ends = (a, 5060, b, 5060), (b, 5060, a, 5060)
            for delay, side, message in (
                (0, 0, call.invite(gateway_port)),
                (0.02, 1, call.trying()),
                (0.3, 1, call.ok(unity_port)),
                (0.35, 0, call.ack()),
                (0.6 + seconds, 0, call.bye()),
                (0.62 + seconds, 1, call.bye_ok()),
            ):
                s.net.udp(s.time(second + delay), *ends[side], message)
    if media:
        s.media(second + 0.4, "sipgw1", gateway_port, "unity1", unity_port, seconds, row="sip-unity-rtp")
