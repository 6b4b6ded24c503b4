# SPDX-License-Identifier: Apache-2.0
"""TLS, HTTP, SMTP, SSH, telnet, VNC, SNMP, and a few services of a web shop (PostgreSQL, Redis, memcached,
Prometheus)."""

import struct

from .directory import der, integer, octets, sequence

# --- TLS 1.2 --------------------------------------------------------------------------------------


def _record(kind, body, version=0x0303):
    return struct.pack("!BHH", kind, version, len(body)) + body


def _handshake(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def _extension(kind, body):
    return struct.pack("!HH", kind, len(body)) + body


def client_hello(prng, name):
    raw = name.encode()
    suites = (0xC02F, 0xC030, 0xC027, 0xC013, 0xC014, 0x009C, 0x002F, 0x0035)
    extensions = (
        _extension(0, struct.pack("!HBH", len(raw) + 3, 0, len(raw)) + raw)
        + _extension(10, struct.pack("!HHH", 4, 23, 24))
        + _extension(11, b"\1\0")
        + _extension(13, struct.pack("!HHHH", 6, 0x0401, 0x0403, 0x0201))
        + _extension(23, b"")
        + _extension(0xFF01, b"\0")
    )
    body = struct.pack("!H", 0x0303) + prng.bytes(32) + b"\0" + struct.pack("!H", 2 * len(suites))
    body += (
        b"".join(struct.pack("!H", suite) for suite in suites)
        + b"\1\0"
        + struct.pack("!H", len(extensions))
        + extensions
    )
    return _record(22, _handshake(1, body), 0x0301)


def certificate(prng, name):
    """An X.509 certificate in form only: the key and the signature are noise."""

    def common_name(text):
        return sequence(der(0x31, sequence(bytes.fromhex("0603550403"), der(12, text.encode()))))

    rsa = sequence(bytes.fromhex("06092a864886f70d010101"), b"\5\0")
    signed = sequence(bytes.fromhex("06092a864886f70d01010b"), b"\5\0")
    key = sequence(rsa, der(3, b"\0", sequence(der(2, b"\0\xc1" + prng.bytes(255)), integer(65537))))
    names = der(0xA3, sequence(sequence(bytes.fromhex("0603551d11"), octets(sequence(octets(name, 0x82))))))
    body = sequence(
        der(0xA0, integer(2)),
        integer(prng.u32()),
        signed,
        common_name("Example HQ Issuing CA"),
        sequence(der(0x17, b"260101000000Z"), der(0x17, b"271231235959Z")),
        common_name(name),
        key,
        names,
    )
    return sequence(body, signed, der(3, b"\0", prng.bytes(256)))


def server_hello(prng, name):
    extensions = _extension(0xFF01, b"\0") + _extension(23, b"")
    hello = struct.pack("!H", 0x0303) + prng.bytes(32) + b"\x20" + prng.bytes(32) + struct.pack("!HB", 0xC02F, 0)
    hello += struct.pack("!H", len(extensions)) + extensions
    one = certificate(prng, name)
    chain = len(one).to_bytes(3, "big") + one
    exchange = b"\x03\0\x17\x41\x04" + prng.bytes(64) + struct.pack("!HH", 0x0401, 256) + prng.bytes(256)
    return (
        _record(22, _handshake(2, hello))
        + _record(22, _handshake(11, len(chain).to_bytes(3, "big") + chain))
        + _record(22, _handshake(12, exchange))
        + _record(22, _handshake(14, b""))
    )


def tls_session(prng, name, requests=1, size=900):
    """Handshake and application data: messages in turn, client first."""

    def finished():
        return _record(20, b"\1") + _record(22, prng.bytes(40))

    talk = [
        client_hello(prng, name),
        server_hello(prng, name),
        _record(22, _handshake(16, b"\x41\x04" + prng.bytes(64))) + finished(),
        finished(),
    ]
    for _ in range(requests):
        talk += [_record(23, prng.bytes(prng.between(200, 420))), _record(23, prng.bytes(size + prng.below(400)))]
    return talk


TLS_CLOSE = 26


def tls_close(prng):
    return _record(21, prng.bytes(TLS_CLOSE))


# --- HTTP -----------------------------------------------------------------------------------------
def http_get(host, path="/", agent="Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 5.2)"):
    return (
        "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\nConnection: Keep-Alive\r\n\r\n"
        % (path, host, agent)
    ).encode()


def http_ok(body, server="Microsoft-IIS/6.0", kind="text/html"):
    raw = body.encode()
    return (
        "HTTP/1.1 200 OK\r\nServer: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (server, kind, len(raw))
    ).encode() + raw


def http_page(title):
    return http_ok(
        "<html><head><title>%s</title></head><body><h1>%s</h1>%s</body></html>"
        % (title, title, "<p>Nothing to see.</p>" * 12)
    )


# --- SMTP (a list of (side, text): the server speaks first) ---------------------------------------
def smtp_session(client, server):
    talk = [
        (1, "220 %s.example.test Microsoft ESMTP MAIL Service ready" % server),
        (0, "EHLO %s.example.test" % client),
        (1, "250-%s.example.test Hello\r\n250-SIZE 10485760\r\n250-PIPELINING\r\n250 8BITMIME" % server),
        (0, "MAIL FROM:<subscriber1@example.test> SIZE=812"),
        (1, "250 2.1.0 subscriber1@example.test....Sender OK"),
        (0, "RCPT TO:<subscriber2@example.test>"),
        (1, "250 2.1.5 subscriber2@example.test"),
        (0, "DATA"),
        (1, "354 Start mail input; end with <CRLF>.<CRLF>"),
        (
            0,
            "From: <subscriber1@example.test>\r\nTo: <subscriber2@example.test>\r\nSubject: Voice message\r\n\r\n"
            "You have a new voice message.\r\n.",
        ),
        (1, "250 2.6.0 Queued mail for delivery"),
        (0, "QUIT"),
        (1, "221 2.0.0 closing transmission channel"),
    ]
    return [(side, text.encode() + b"\r\n") for side, text in talk]


# --- SSH, telnet ----------------------------------------------------------------------------------
def ssh_session(prng):
    def packet(body):
        pad = 8 - (len(body) + 5) % 8
        pad += 8 if pad < 4 else 0
        return struct.pack("!IB", len(body) + pad + 1, pad) + body + prng.bytes(pad)

    def kexinit():
        names = (
            "ecdh-sha2-nistp256,diffie-hellman-group14-sha256",
            "ssh-rsa",
            "aes128-ctr,aes256-ctr",
            "aes128-ctr,aes256-ctr",
            "hmac-sha2-256",
            "hmac-sha2-256",
            "none",
            "none",
            "",
            "",
        )
        body = b"\x14" + prng.bytes(16) + b"".join(struct.pack("!I", len(n)) + n.encode() for n in names)
        return packet(body + b"\0" * 5)

    return [
        (1, b"SSH-2.0-OpenSSH_8.9\r\n"),
        (0, b"SSH-2.0-PuTTY_Release_0.78\r\n"),
        (0, kexinit()),
        (1, kexinit()),
        (0, packet(b"\x1e" + struct.pack("!I", 65) + b"\x04" + prng.bytes(64))),
    ]


def telnet_session(host):
    return [
        (1, bytes.fromhex("fffd25fffb01fffb03fffd27fffd1ffffd00fffb00")),
        (0, bytes.fromhex("fffc25fffd01fffd03fffc27fffc1ffffc00fffd00")),
        (1, b"Welcome to Microsoft Telnet Service \r\n\n\r%s login: " % host.encode()),
        (0, b"administrator\r\n"),
        (1, b"password: "),
        (0, b"not-a-real-one\r\n"),
        (1, b"\r\nC:\\Documents and Settings\\Administrator>"),
        (0, b"exit\r\n"),
    ]


# --- VNC, SNMP ------------------------------------------------------------------------------------
def vnc_session(prng, name):
    pixel = struct.pack("!BBBBHHHBBB3x", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)
    rectangle = struct.pack("!BxHHHHHi", 0, 1, 0, 0, 8, 8, 0) + prng.bytes(8 * 8 * 4)
    return [
        (1, b"RFB 003.008\n"),
        (0, b"RFB 003.008\n"),
        (1, b"\1\2"),
        (0, b"\2"),
        (1, prng.bytes(16)),
        (0, prng.bytes(16)),
        (1, b"\0\0\0\0"),
        (0, b"\1"),
        (1, struct.pack("!HH", 1024, 768) + pixel + struct.pack("!I", len(name)) + name.encode()),
        (0, struct.pack("!BxHi", 2, 1, 0)),
        (0, struct.pack("!BBHHHH", 3, 0, 0, 0, 1024, 768)),
        (1, rectangle),
    ]


def snmp(number, reply=False, community="example-ro", ticks=4711000):
    value = der(0x43, ticks.to_bytes(4, "big")) if reply else b"\5\0"
    bind = sequence(sequence(bytes.fromhex("06082b06010201010300"), value))
    return sequence(
        integer(1), octets(community), der(0xA2 if reply else 0xA0, integer(number), integer(0), integer(0), bind)
    )


def snmp_trap(number, community="example-ro"):
    """SNMPv2-Trap: coldStart."""

    def value(oid, content):
        return sequence(der(6, bytes.fromhex(oid)), content)

    binds = sequence(
        value("2b06010201010300", der(0x43, b"\x2a")),
        value("2b060106030101040100", der(6, bytes.fromhex("2b0601060301010501"))),
    )
    return sequence(integer(1), octets(community), der(0xA7, integer(number), integer(0), integer(0), binds))


# --- A web shop's services ------------------------------------------------------------------------
def postgres_session(prng, database, statement):
    """Start-up, login by MD5, one query, end: a list of (side, message)."""

    def message(kind, body=b""):
        return kind + struct.pack("!I", len(body) + 4) + body

    start = struct.pack("!I", 196608) + b"user\0shop\0database\0" + database.encode() + b"\0\0"
    ready = message(b"Z", b"I")
    columns = message(b"T", struct.pack("!H", 1) + b"id\0" + struct.pack("!IHIHiH", 0, 0, 23, 4, -1, 0))
    row = message(b"D", struct.pack("!HI", 1, 2) + b"42")
    return [
        (0, struct.pack("!I", len(start) + 4) + start),
        (1, message(b"R", struct.pack("!I", 5) + prng.bytes(4))),
        (0, message(b"p", b"md5" + prng.bytes(16).hex().encode() + b"\0")),
        (
            1,
            message(b"R", bytes(4)) + message(b"S", b"server_version\x0015.6\0") + message(b"K", prng.bytes(8)) + ready,
        ),
        (0, message(b"Q", statement.encode() + b"\0")),
        (1, columns + row + message(b"C", b"SELECT 1\0") + ready),
        (0, message(b"X")),
    ]


def redis_session(key):
    raw = key.encode()
    return [
        b"*1\r\n$4\r\nPING\r\n",
        b"+PONG\r\n",
        b"*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n" % (len(raw), raw),
        b"$5\r\nvalue\r\n",
    ]


def memcached_session(key):
    raw = key.encode()
    return [b"get %s\r\n" % raw, b"VALUE %s 0 5\r\nvalue\r\nEND\r\n" % raw]


def mysql_session(prng):
    """Greeting, login, answer, one statement, answer: a list of (side, message)."""

    def packet(number, body):
        return len(body).to_bytes(3, "little") + bytes([number]) + body

    salt = bytes(1 + b % 120 for b in prng.bytes(20))
    greeting = (
        b"\x0a5.7.44\0"
        + struct.pack("<I", 1301)
        + salt[:8]
        + b"\0"
        + struct.pack("<HBHHB", 0xF7FF, 8, 2, 0x8000, 21)
        + bytes(10)
        + salt[8:]
        + b"\0mysql_native_password\0"
    )
    login = struct.pack("<IIB", 0x0008A685 & ~0x80000, 1 << 24, 8) + bytes(23) + b"shop\0" + b"\x14" + prng.bytes(20)
    okay = b"\0\0\0\2\0\0\0"
    return [
        (1, packet(0, greeting)),
        (0, packet(1, login)),
        (1, packet(2, okay)),
        (0, packet(0, b"\x03UPDATE stock SET n=n-1 WHERE id=42")),
        (1, packet(1, okay)),
        (0, packet(0, b"\x01")),
    ]
