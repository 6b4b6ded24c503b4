# SPDX-License-Identifier: Apache-2.0
"""What domain members say to a domain controller: Kerberos, kpasswd, LDAP, CLDAP, NTP, DNS."""

import datetime
import ipaddress
import struct

REALM = "EXAMPLE.TEST"
BASE = "DC=example,DC=test"


# --- BER ------------------------------------------------------------------------------------------
def der(tag, *parts):
    body = b"".join(parts)
    n = len(body)
    if n < 128:
        size = bytes([n])
    else:
        raw = n.to_bytes((n.bit_length() + 7) // 8, "big")
        size = bytes([0x80 | len(raw)]) + raw
    return bytes([tag]) + size + body


def integer(value, tag=2):
    return der(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(value, tag=4):
    return der(tag, value.encode() if isinstance(value, str) else value)


def sequence(*parts):
    return der(0x30, *parts)


def field(number, *parts):
    return der(0xA0 | number, *parts)


# --- Kerberos -------------------------------------------------------------------------------------
def _time(ns):
    when = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=ns // 1000000000)
    return der(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())


def _text(value):
    return der(0x1B, value.encode())


def _name(kind, *parts):
    return sequence(field(0, integer(kind)), field(1, sequence(*[_text(part) for part in parts])))


def _encrypted(cipher, kvno=None):
    return sequence(field(0, integer(23)), *([field(1, integer(kvno))] if kvno else []), field(2, octets(cipher)))


def _ticket(prng, *service):
    return der(
        0x61,
        sequence(
            field(0, integer(5)),
            field(1, _text(REALM)),
            field(2, _name(2, *service)),
            field(3, _encrypted(prng.bytes(180), 2)),
        ),
    )


def _body(prng, now, user, service):
    return sequence(
        field(0, der(3, b"\0\x40\x81\0\x10")),
        *([field(1, _name(1, user))] if user else []),
        field(2, _text(REALM)),
        field(3, _name(2, *service)),
        field(5, _time(now + 36000 * 10**9)),
        field(7, integer(prng.u32() >> 1)),
        field(8, sequence(integer(18), integer(17), integer(23)))
    )


def _padata(kind, value):
    return sequence(field(1, integer(kind)), field(2, octets(value)))


def as_req(prng, now, user, preauth):
    padata = [_padata(128, sequence(field(0, der(1, b"\xff"))))]
    if preauth:
        padata.insert(0, _padata(2, _encrypted(prng.bytes(52))))
    return der(
        0x6A,
        sequence(
            field(1, integer(5)),
            field(2, integer(10)),
            field(3, sequence(*padata)),
            field(4, _body(prng, now, user, ("krbtgt", REALM))),
        ),
    )


def krb_error(now, code=25):
    hint = sequence(_padata(11, sequence(sequence(field(0, integer(23))))), _padata(2, b""))
    return der(
        0x7E,
        sequence(
            field(0, integer(5)),
            field(1, integer(30)),
            field(4, _time(now)),
            field(5, integer(4711)),
            field(6, integer(code)),
            field(9, _text(REALM)),
            field(10, _name(2, "krbtgt", REALM)),
            *([field(12, octets(hint))] if code == 25 else [])
        ),
    )


def _reply(prng, tag, user, service):
    return der(
        0x60 | tag,
        sequence(
            field(0, integer(5)),
            field(1, integer(tag)),
            field(3, _text(REALM)),
            field(4, _name(1, user)),
            field(5, _ticket(prng, *service)),
            field(6, _encrypted(prng.bytes(244), 3)),
        ),
    )


def as_rep(prng, user):
    return _reply(prng, 11, user, ("krbtgt", REALM))


def ap_req(prng, *service):
    return der(
        0x6E,
        sequence(
            field(0, integer(5)),
            field(1, integer(14)),
            field(2, der(3, b"\0\x20\0\0\0")),
            field(3, _ticket(prng, *service)),
            field(4, _encrypted(prng.bytes(140))),
        ),
    )


def tgs_req(prng, now, *service):
    return der(
        0x6C,
        sequence(
            field(1, integer(5)),
            field(2, integer(12)),
            field(3, sequence(_padata(1, ap_req(prng, "krbtgt", REALM)))),
            field(4, _body(prng, now, None, service)),
        ),
    )


def tgs_rep(prng, user, *service):
    return _reply(prng, 13, user, service)


def kerberos_tcp(message):
    return struct.pack("!I", len(message)) + message


def kerberos_exchange(prng, now, user, *service):
    """AS without and with preauthentication, TGS: six messages, client first."""
    return [
        as_req(prng, now, user, False),
        krb_error(now),
        as_req(prng, now, user, True),
        as_rep(prng, user),
        tgs_req(prng, now, *service),
        tgs_rep(prng, user, *service),
    ]


def kpasswd(prng, reply=False):
    """RFC 3244: a set-password request, or its answer."""
    if reply:
        head = der(0x6F, sequence(field(0, integer(5)), field(1, integer(15)), field(2, _encrypted(prng.bytes(64)))))
    else:
        head = ap_req(prng, "kadmin", "changepw")
    private = der(0x75, sequence(field(0, integer(5)), field(1, integer(21)), field(3, _encrypted(prng.bytes(96)))))
    return struct.pack("!HHH", 6 + len(head) + len(private), 1 if reply else 0xFF80, len(head)) + head + private


# --- LDAP, with the four-byte lengths that Windows writes -----------------------------------------
def _wide(tag, *parts):
    body = b"".join(parts)
    return bytes([tag, 0x84]) + struct.pack("!I", len(body)) + body


def ldap_message(number, operation):
    return _wide(0x30, integer(number), operation)


def ldap_bind(number, user, secret="not a real secret"):
    dn = "CN=%s,OU=Voice Mail Service Accounts,OU=Head Office,%s" % (user, BASE)
    return ldap_message(number, _wide(0x60, integer(3), octets(dn), octets(secret, 0x80)))


def ldap_result(number, tag):
    return ldap_message(number, _wide(tag, der(10, b"\0"), octets(""), octets("")))


def ldap_search(number, base, attribute, value, wanted=("distinguishedName", "whenChanged", "uSNChanged", "mail")):
    return ldap_message(
        number,
        _wide(
            0x63,
            octets(base),
            der(10, b"\x02"),
            der(10, b"\0"),
            integer(0),
            integer(120),
            der(1, b"\0"),
            _wide(0xA3, octets(attribute), octets(value)),
            _wide(0x30, *[octets(name) for name in wanted]),
        ),
    )


def ldap_entry(number, dn, **attributes):
    items = [_wide(0x30, octets(key), _wide(0x31, octets(value))) for key, value in attributes.items()]
    return ldap_message(number, _wide(0x64, octets(dn), _wide(0x30, *items)))


def ldap_unbind(number):
    return ldap_message(number, b"\x42\0")


def ldap_session(user, people=3):
    """Messages in turn, client first: bind, one search for each person, answered by an entry and the end of the
    result."""
    talk = [ldap_bind(1, user), ldap_result(1, 0x61)]
    for i in range(people):
        dn = "CN=Subscriber %d,OU=Subscribers,%s" % (i + 1, BASE)
        talk.append(ldap_search(i + 2, BASE, "sAMAccountName", "subscriber%d" % (i + 1)))
        talk.append(
            ldap_entry(
                i + 2,
                dn,
                distinguishedName=dn,
                whenChanged="20260227153000.0Z",
                uSNChanged=str(418001 + i),
                mail="subscriber%d@example.test" % (i + 1),
            )
            + ldap_result(i + 2, 0x65)
        )
    return talk


def _dns_name(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def cldap_request(number, host):
    """The domain controller locator's ping."""

    def equal(attribute, value):
        return _wide(0xA3, octets(attribute), octets(value))

    conditions = _wide(
        0xA0,
        equal("DnsDomain", "example.test"),
        equal("Host", host),
        equal("NtVer", struct.pack("<I", 0x16)),
        equal("DnsHostName", host + ".example.test"),
    )
    return ldap_message(
        number,
        _wide(
            0x63,
            octets(""),
            der(10, b"\0"),
            der(10, b"\0"),
            integer(0),
            integer(0),
            der(1, b"\0"),
            conditions,
            _wide(0x30, octets("Netlogon")),
        ),
    )


def cldap_reply(number, prng, server):
    names = [
        _dns_name("example.test"),
        _dns_name("example.test"),
        _dns_name(server + ".example.test"),
        _dns_name("EXAMPLE"),
        _dns_name(server.upper()),
        b"\0",
        _dns_name("HQ"),
        _dns_name("HQ"),
    ]
    blob = struct.pack("<HHI", 23, 0, 0x3FD) + prng.bytes(16) + b"".join(names) + struct.pack("<IHH", 5, 0xFFFF, 0xFFFF)
    entry = _wide(0x64, octets(""), _wide(0x30, _wide(0x30, octets("netlogon"), _wide(0x31, octets(blob)))))
    return ldap_message(number, entry) + ldap_result(number, 0x65)


# --- NTP ------------------------------------------------------------------------------------------
def _ntp_time(ns):
    return struct.pack("!II", (ns // 10**9 + 2208988800) & 0xFFFFFFFF, (ns % 10**9 << 32) // 10**9)


def ntp(now, reply=False):
    if not reply:
        return struct.pack("!BBbbII4s", 0xDB, 0, 6, -6, 0x20000, 0x20000, b"\0" * 4) + bytes(24) + _ntp_time(now)
    return (
        struct.pack("!BBbbII4s", 0x1C, 2, 6, -20, 0x400, 0x900, bytes([10, 20, 0, 1]))
        + _ntp_time(now - 64 * 10**9)
        + _ntp_time(now - 300000)
        + _ntp_time(now - 100000)
        + _ntp_time(now)
    )


# --- DNS ------------------------------------------------------------------------------------------
DNS_A, DNS_SRV, DNS_SOA, DNS_AXFR = 1, 33, 6, 252


def dns_query(number, name, kind=DNS_A):
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + _dns_name(name) + struct.pack("!HH", kind, 1)


def dns_answer(number, name, kind=DNS_A, address="10.20.2.10", count=1):
    if kind == DNS_SRV:
        data = struct.pack("!HHH", 0, 100, 389) + _dns_name("dc1.example.test")
    else:
        data = ipaddress.ip_address(address).packed
    record = b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 3600, len(data)) + data
    return (
        struct.pack("!6H", number, 0x8580, 1, count, 0, 0)
        + _dns_name(name)
        + struct.pack("!HH", kind, 1)
        + record * count
    )


def dns_tcp(message):
    return struct.pack("!H", len(message)) + message
