# SPDX-License-Identifier: Apache-2.0
"""
One minimal flow with the right content for a protocol, between any two ends.

The names are those of the matrix files ("Kerberos", "LDAP", "DCE_RPC", ...); what is not known, or has no known form on
that transport, is carried as opaque bytes that no dissector claims.
"""

from . import directory, voice, web, wire, windows
from .tcp import CLIENT, SERVER, Connection


class Ends:
    """What the makers of content may need to know."""

    def __init__(self, net, now, client, sport, server, dport):
        self.net, self.now = net, now
        self.client, self.sport, self.server, self.dport = client, sport, server, dport
        self.prng = net.prng("%s %d %s %d" % (client, sport, server, dport))
        self.client_name = _short(net.at(client).name)
        self.server_name = _short(net.at(server).name)


def _short(name):
    return "host-" + name.replace(".", "-").replace(":", "-")[-10:] if name[0].isdigit() or ":" in name else name


def _turns(messages, first=CLIENT):
    return [((i + first) % 2, message) for i, message in enumerate(messages)]


def opaque(prng, n):
    """Bytes that resemble nothing: the first is never one that a known protocol begins with."""
    return bytes([0xE7, 0x9D]) + prng.bytes(n - 2)


def opaque_talk(e, size=48):
    return _turns([opaque(e.prng, size), opaque(e.prng, size + 24), opaque(e.prng, size), opaque(e.prng, size + 80)])


# --- TCP: each gives (side, message) --------------------------------------------------------------
def _kerberos_tcp(e):
    if e.dport == 464:
        return [(side, directory.kerberos_tcp(directory.kpasswd(e.prng, side == SERVER))) for side in (CLIENT, SERVER)]
    messages = directory.kerberos_exchange(e.prng, e.now, e.client_name + "$", "ldap", e.server_name + ".example.test")
    return _turns([directory.kerberos_tcp(m) for m in messages[2:]])


def _ldap_tcp(e):
    return _turns(directory.ldap_session(e.client_name)) + [(CLIENT, directory.ldap_unbind(9))]


def _netbios_tcp(e):
    hello = [windows.session_request(e.server_name, e.client_name), windows.SESSION_ACCEPTED]
    return _turns(hello + windows.smb1_session(e.prng, e.client_name + "$"))


def _smb_tcp(e):
    return (
        _netbios_tcp(e) if e.dport == 139 else _turns(windows.smb2_session(e.prng, e.client_name + "$", e.server_name))
    )


def _rpc_tcp(e):
    if e.dport == 135:
        return _turns(windows.epm_exchange(windows.NETLOGON, e.server, 5003))
    return windows.rpc_session(e.prng, windows.NETLOGON, e.dport)


def _dns_tcp(e):
    number, name = e.prng.u16(), "_ldap._tcp.dc._msdcs.example.test"
    return _turns(
        [
            directory.dns_tcp(directory.dns_query(number, name, directory.DNS_SRV)),
            directory.dns_tcp(directory.dns_answer(number, name, directory.DNS_SRV, count=12)),
        ]
    )


def _sccp_tcp(e):
    address = e.client if ":" not in e.client else "10.0.0.1"
    return _turns(
        [
            voice.sccp_register("VM1-VI1", address),
            voice.sccp_register_ack(),
            voice.sccp_keepalive(),
            voice.sccp_keepalive_ack(),
        ]
    )


def _sip_tcp(e):
    call = voice.SipCall(e.client, e.server, e.sport, e.dport, "TCP", e.prng.bytes(8).hex())
    return _turns([call.options(), call.options_ok()])


def _tls_tcp(e):
    return _turns(web.tls_session(e.prng, e.server_name + ".example.test")) + [(CLIENT, web.tls_close(e.prng))]


def _http_tcp(e):
    return _turns([web.http_get(e.server_name), web.http_page("Welcome")])


def _rdp_tcp(e):
    return _turns([windows.rdp_request(e.client_name), windows.rdp_confirm()]) + _tls_tcp(e)


def _tds_tcp(e):
    return _turns(windows.tds_session(e.client_name.upper(), e.server_name.upper()))


TCP_CONTENT = {
    "Kerberos": _kerberos_tcp,
    "LDAP": _ldap_tcp,
    "NetBIOS": _netbios_tcp,
    "SMB": _smb_tcp,
    "DCE_RPC": _rpc_tcp,
    "DNS": _dns_tcp,
    "MsSQL-TDS": _tds_tcp,
    "CiscoSkinny": _sccp_tcp,
    "SIP": _sip_tcp,
    "TLS": _tls_tcp,
    "HTTP": _http_tcp,
    "RDP": _rdp_tcp,
    "VNC": lambda e: web.vnc_session(e.prng, e.server_name),
    "SMTP": lambda e: web.smtp_session(e.client_name, e.server_name),
    "SSH": lambda e: web.ssh_session(e.prng),
    "Telnet": lambda e: web.telnet_session(e.server_name),
    "PostgreSQL": lambda e: web.postgres_session(e.prng, "shop", "SELECT id FROM orders LIMIT 1"),
    "MySQL": lambda e: web.mysql_session(e.prng),
    "Redis": lambda e: _turns(web.redis_session("session:42")),
    "Memcached": lambda e: _turns(web.memcached_session("session:42")),
}
SERVER_CLOSES = {"SMTP", "HTTP", "Telnet"}


# --- UDP: each gives (side, message) --------------------------------------------------------------
def _kerberos_udp(e):
    if e.dport == 464:
        return [(CLIENT, directory.kpasswd(e.prng)), (SERVER, directory.kpasswd(e.prng, True))]
    return _turns(directory.kerberos_exchange(e.prng, e.now, e.client_name + "$", "cifs", e.server_name)[:4])


def _ldap_udp(e):
    return _turns([directory.cldap_request(1, e.client_name.upper()), directory.cldap_reply(1, e.prng, e.server_name)])


def _netbios_udp(e):
    address = e.server if ":" not in e.server else "10.0.0.2"
    sender = e.client if ":" not in e.client else "10.0.0.1"
    if e.dport == 138:
        token = e.prng.u16()
        return [
            (
                CLIENT,
                windows.browser_datagram(
                    e.prng.u16(), sender, e.client_name, "EXAMPLE", windows.browser_list_request(token)
                ),
            ),
            (
                SERVER,
                windows.browser_datagram(
                    e.prng.u16(),
                    address,
                    e.server_name,
                    e.client_name,
                    windows.browser_list_response(token, e.server_name),
                ),
            ),
        ]
    number = e.prng.u16()
    return _turns([windows.nbns_query(number, e.server_name), windows.nbns_answer(number, e.server_name, address)])


def _dns_udp(e):
    number, name = e.prng.u16(), e.server_name + ".example.test"
    return _turns([directory.dns_query(number, name), directory.dns_answer(number, name)])


def _sip_udp(e):
    call = voice.SipCall(e.client, e.server, e.sport, e.dport, "UDP", e.prng.bytes(8).hex())
    return _turns([call.options(), call.options_ok()])


def _rtp_udp(e):
    out, streams = [], [voice.RtpStream(e.prng), voice.RtpStream(e.prng)]
    for _ in range(6):
        out += [(CLIENT, streams[0].packet()), (SERVER, streams[1].packet())]
    return out


def _snmp_udp(e):
    number = e.prng.u16()
    return [(CLIENT, web.snmp_trap(number))] if e.dport == 162 else _turns([web.snmp(number), web.snmp(number, True)])


UDP_CONTENT = {
    "Kerberos": _kerberos_udp,
    "LDAP": _ldap_udp,
    "NetBIOS": _netbios_udp,
    "SMB": _netbios_udp,
    "DNS": _dns_udp,
    "NTP": lambda e: _turns([directory.ntp(e.now), directory.ntp(e.now + 400000, True)]),
    "DCE_RPC": lambda e: _turns(
        [
            windows.rpc_datagram(e.prng, windows.DIRECTORY_CHANGES, 1),
            windows.rpc_datagram(e.prng, windows.DIRECTORY_CHANGES, 1, True),
        ]
    ),
    "MsSQL-TDS": lambda e: _turns(
        [windows.sql_browser(e.server_name), windows.sql_browser(e.server_name.upper(), True)]
    ),
    "SIP": _sip_udp,
    "RTP": _rtp_udp,
    "RTCP": lambda e: [(CLIENT, voice.RtpStream(e.prng).report(e.now, e.client_name))],
    "SNMP": _snmp_udp,
    "MAPI": lambda e: [(CLIENT, windows.new_mail(e.prng))],
}


def content(protocol, e, transport):
    """(side, message) for a minimal exchange.  'protocol' may name alternatives ("NetBIOS SMB"): the port decides."""
    table = TCP_CONTENT if transport == "tcp" else UDP_CONTENT
    names = protocol.replace("|", " ").replace(",", " ").split()
    if len(names) > 1:
        names = [name for name in names if name == {445: "SMB"}.get(e.dport, "NetBIOS")] or names
    if names and names[0] in table:
        return table[names[0]](e)
    return opaque_talk(e) if transport == "tcp" else _turns([opaque(e.prng, 40), opaque(e.prng, 56)])


def flow_for(net, protocol, client, sport, server, dport, transport, now, gap=2 * wire.MS):
    """Puts one minimal flow on the wire: for TCP with handshake and teardown.  Returns the time of its last packet."""
    e = Ends(net, now, client, sport, server, dport)
    talk = content(protocol, e, transport)
    if transport == "udp":
        for side, message in talk:
            ends = (client, sport, server, dport) if side == CLIENT else (server, dport, client, sport)
            net.udp(now, *ends, message)
            now += 300 * wire.US
        return now
    line = Connection(net, now, client, sport, server, dport).open()
    for side, message in talk:
        line.send(side, message)
        line.now += gap // 8
    line.close(SERVER if protocol in SERVER_CLOSES else CLIENT)
    return line.now
