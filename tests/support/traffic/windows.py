# SPDX-License-Identifier: Apache-2.0
"""NetBIOS, SMB, DCE/RPC with its endpoint mapper, SQL Server, RDP and the Exchange store's notification."""

import ipaddress
import struct
import uuid

# --- NetBIOS --------------------------------------------------------------------------------------


def netbios_name(name, suffix=0x20):
    raw = b"*" + b"\0" * 15 if name == "*" else name.upper().encode().ljust(15)[:15] + bytes([suffix])
    return b"\x20" + b"".join(bytes([0x41 + (c >> 4), 0x41 + (c & 15)]) for c in raw) + b"\0"


def nbns_query(number, name, broadcast=False, suffix=0x20):
    return (
        struct.pack("!6H", number, 0x0110 if broadcast else 0x0100, 1, 0, 0, 0)
        + netbios_name(name, suffix)
        + b"\0\x20\0\x01"
    )


def nbns_answer(number, name, address, suffix=0x20):
    return (
        struct.pack("!6H", number, 0x8580, 0, 1, 0, 0)
        + netbios_name(name, suffix)
        + struct.pack("!HHIHH", 0x20, 1, 300000, 6, 0x6000)
        + ipaddress.ip_address(address).packed
    )


def _smb1(command, words, data, flags=0x18, status=0, pid=0xFEFF, mid=64, reply=False):
    return (
        b"\xffSMB"
        + struct.pack("<BIBH", command, status, flags | (0x80 if reply else 0), 0x4801)
        + bytes(12)
        + struct.pack("<HHHH", 0, pid, 0, mid)
        + bytes([len(words) // 2])
        + words
        + struct.pack("<H", len(data))
        + data
    )


def browser_datagram(number, address, sender, receiver, message, kind=0x10):
    """A NetBIOS datagram with a browser mailslot message (which carries an SMB1 header, as all of them do)."""
    slot = b"\\MAILSLOT\\BROWSE\0"
    words = struct.pack(
        "<HHHHBBHIHHHHHBBHHH", 0, len(message), 0, 0, 0, 0, 0, 1000, 0, 0, 0, len(message), 86, 3, 0, 1, 1, 2
    )
    smb = _smb1(0x25, words, slot + message, flags=0, pid=0, mid=0)
    names = netbios_name(sender, 0x00) + netbios_name(receiver, 0x1D if kind == 0x10 else 0x1E)
    return (
        struct.pack(
            "!BBH4sHHH", kind, 0x1A, number, ipaddress.ip_address(address).packed, 138, len(names) + len(smb), 0
        )
        + names
        + smb
    )


def browser_announcement(name):
    return struct.pack("<BBI16sBBIBBH", 1, 0, 720000, name.upper().encode(), 5, 2, 0x1003, 15, 1, 0xAA55) + b"\0"


def browser_list_request(token):
    return struct.pack("<BBI", 9, 4, token)


def browser_list_response(token, name):
    return struct.pack("<BBI", 10, 1, token) + name.upper().encode() + b"\0"


def session_request(called, calling):
    body = netbios_name(called) + netbios_name(calling, 0)
    return struct.pack("!BBH", 0x81, 0, len(body)) + body


SESSION_ACCEPTED = b"\x82\0\0\0"


def session(message):
    return struct.pack("!I", len(message)) + message


# --- NTLMSSP --------------------------------------------------------------------------------------
def _wide_text(text):
    return text.encode("utf-16-le")


def ntlm_negotiate():
    return b"NTLMSSP\0" + struct.pack("<II", 1, 0xE2088297) + bytes(16) + b"\x05\x02\xce\x0e\0\0\0\x0f"


def ntlm_challenge(prng, domain="EXAMPLE"):
    name = _wide_text(domain)
    info = struct.pack("<HH", 2, len(name)) + name + struct.pack("<HH", 0, 0)
    return (
        b"NTLMSSP\0"
        + struct.pack("<I", 2)
        + struct.pack("<HHI", len(name), len(name), 56)
        + struct.pack("<I", 0xE2898215)
        + prng.bytes(8)
        + bytes(8)
        + struct.pack("<HHI", len(info), len(info), 56 + len(name))
        + b"\x05\x02\xce\x0e\0\0\0\x0f"
        + name
        + info
    )


def ntlm_authenticate(prng, user, domain="EXAMPLE", station="UNITY1"):
    fields, payload = [], b""
    for value in (
        prng.bytes(24),
        prng.bytes(24),
        _wide_text(domain),
        _wide_text(user),
        _wide_text(station),
        prng.bytes(16),
    ):
        fields.append(struct.pack("<HHI", len(value), len(value), 72 + len(payload)))
        payload += value
    return (
        b"NTLMSSP\0"
        + struct.pack("<I", 3)
        + b"".join(fields)
        + struct.pack("<I", 0xE2888215)
        + b"\x05\x02\xce\x0e\0\0\0\x0f"
        + payload
    )


# --- SMB1 over a NetBIOS session ------------------------------------------------------------------
SMB_TIME = 133500000000000000


def smb1_session(prng, user):
    """Negotiate, session setup in two rounds: six messages, client first."""
    negotiate = _smb1(0x72, b"", b"\x02NT LM 0.12\0")
    chosen = _smb1(
        0x72,
        struct.pack("<HBHHIIIIQHB", 0, 3, 50, 1, 16644, 65536, 0, 0x8000E3FD, SMB_TIME, 0, 0),
        prng.bytes(16),
        reply=True,
    )
    more = 0xC0000016

    def setup(blob):
        words = struct.pack("<BBHHHHIHII", 0xFF, 0, 0, 16644, 50, 1, 0, len(blob), 0, 0x800000D4)
        return _smb1(0x73, words, blob + b"Windows 2003\0Windows 2003 5.2\0", mid=128)

    def answer(blob, status):
        words = struct.pack("<BBHHH", 0xFF, 0, 0, 0, len(blob))
        return _smb1(0x73, words, blob + b"Windows 2003\0Windows 2003 5.2\0", status=status, mid=128, reply=True)

    return [
        session(m)
        for m in (
            negotiate,
            chosen,
            setup(ntlm_negotiate()),
            answer(ntlm_challenge(prng), more),
            setup(ntlm_authenticate(prng, user)),
            answer(b"", 0),
        )
    ]


# --- SMB2 over TCP 445 ----------------------------------------------------------------------------
def _smb2(command, number, body, reply=False, status=0, session_id=0, tree=0):
    return (
        b"\xfeSMB"
        + struct.pack(
            "<HHIHHIIQIIQ",
            64,
            0 if number == 0 else 1,
            status,
            command,
            31,
            1 if reply else 0,
            0,
            number,
            0xFEFF,
            tree,
            session_id,
        )
        + bytes(16)
        + body
    )


def smb2_session(prng, user, server):
    """Negotiate, session setup in two rounds, tree connect to IPC$, logoff: ten messages, client first."""
    sid = 0x40000000001 + prng.below(1 << 20)
    negotiate = _smb2(0, 0, struct.pack("<HHHHI16sQHH", 36, 2, 1, 0, 0, prng.bytes(16), 0, 0x0202, 0x0210))
    chosen = _smb2(
        0,
        0,
        struct.pack(
            "<HHHH16sIIIIQQHHI",
            65,
            1,
            0x0210,
            0,
            prng.bytes(16),
            7,
            65536,
            65536,
            65536,
            SMB_TIME,
            SMB_TIME - 10**12,
            128,
            0,
            0,
        )
        + b"",
        reply=True,
    )

    def setup(number, blob, session_id):
        return _smb2(
            1, number, struct.pack("<HBBIIHHQ", 25, 0, 1, 1, 0, 88, len(blob), 0) + blob, session_id=session_id
        )

    def answer(number, blob, status):
        return _smb2(1, number, struct.pack("<HHHH", 9, 0, 72 if blob else 0, len(blob)) + blob, True, status, sid)

    path = _wide_text("\\\\%s\\IPC$" % server)
    messages = (
        negotiate,
        chosen,
        setup(1, ntlm_negotiate(), 0),
        answer(1, ntlm_challenge(prng), 0xC0000016),
        setup(2, ntlm_authenticate(prng, user), sid),
        answer(2, b"", 0),
        _smb2(3, 3, struct.pack("<HHHH", 9, 0, 72, len(path)) + path, session_id=sid),
        _smb2(3, 3, struct.pack("<HBBIII", 16, 2, 0, 0x30, 0, 0x1F01FF), True, 0, sid, 1),
        _smb2(2, 4, struct.pack("<HH", 4, 0), session_id=sid),
        _smb2(2, 4, struct.pack("<HH", 4, 0), True, 0, sid),
    )
    return [session(m) for m in messages]


# --- DCE/RPC --------------------------------------------------------------------------------------
EPM = ("e1af8308-5d1f-11c9-91a4-08002b14a0fa", 3, 0)
DRSUAPI = ("e3514235-4b06-11d1-ab04-00c04fc2dcd2", 4, 0)
NETLOGON = ("12345678-1234-abcd-ef00-01234567cffb", 1, 0)
NSPI = ("f5cc5a18-4264-101a-8c59-08002b2f8426", 56, 0)
EMSMDB = ("a4f1db00-ca47-1067-b31f-00dd010662da", 0, 81)
SYSTEM_ATTENDANT = ("1544f5e0-613c-11d1-93df-00c04fd7bd09", 1, 0)
REMOTE_ACTIVATION = ("000001a0-0000-0000-c000-000000000046", 0, 0)
DIRECTORY_CHANGES = ("5f2a1c84-7d30-4e0b-9a56-31c9e8b0d7a2", 1, 0)  # an interface of our own, which no dissector knows
NDR = ("8a885d04-1ceb-11c9-9fe8-08002b104860", 2, 0)


def _syntax(interface):
    return uuid.UUID(interface[0]).bytes_le + struct.pack("<HH", interface[1], interface[2])


def _pdu(kind, call, body, auth=b""):
    trailer = b""
    if auth:
        pad = -len(body) % 16 if kind in (0, 2) else -len(body) % 4
        body += bytes(pad)
        trailer = struct.pack("<BBBBI", 10, 6, pad, 0, 79231) + auth
    size = 16 + len(body) + len(trailer)
    return struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, size, len(auth), call) + body + trailer


def rpc_bind(interface, call=1, auth=b""):
    body = struct.pack("<HHIBBHHBB", 5840, 5840, 0, 1, 0, 0, 0, 1, 0) + _syntax(interface)
    body += uuid.UUID(NDR[0]).bytes_le + struct.pack("<I", 2)
    return _pdu(11, call, body, auth)


def rpc_bind_ack(port, group, call=1, auth=b""):
    address = str(port).encode() + b"\0"
    body = struct.pack("<HHIH", 5840, 5840, group, len(address)) + address
    body += (
        bytes(-len(body) % 4) + struct.pack("<BBHHH", 1, 0, 0, 0, 0) + uuid.UUID(NDR[0]).bytes_le + struct.pack("<I", 2)
    )
    return _pdu(12, call, body, auth)


def rpc_auth3(auth, call=1):
    return _pdu(16, call, b"\0\0\0\0", auth)


def rpc_request(operation, stub, call, auth=b""):
    return _pdu(0, call, struct.pack("<IHH", len(stub), 0, operation) + stub, auth)


def rpc_response(stub, call, auth=b""):
    return _pdu(2, call, struct.pack("<IHBB", len(stub), 0, 0, 0) + stub, auth)


def _tower(interface, port, address):
    def floor(left, right):
        return struct.pack("<H", len(left)) + left + struct.pack("<H", len(right)) + right

    return (
        struct.pack("<H", 5)
        + floor(b"\x0d" + _syntax(interface)[:18], struct.pack("<H", interface[2]))
        + floor(b"\x0d" + _syntax(NDR)[:18], b"\0\0")
        + floor(b"\x0b", b"\0\0")
        + floor(b"\x07", struct.pack("!H", port))
        + floor(b"\x09", ipaddress.ip_address(address).packed)
    )


def _tower_ndr(tower):
    return struct.pack("<II", len(tower), len(tower)) + tower + bytes(-len(tower) % 4)


def epm_exchange(interface, server, port, call=1):
    """Bind to the endpoint mapper, ask where 'interface' listens, be told 'server' and 'port': four messages."""
    if ":" in server:
        server = "0.0.0.0"
    ask = struct.pack("<I", 1) + bytes(16) + struct.pack("<I", 2) + _tower_ndr(_tower(interface, 135, "0.0.0.0"))
    ask += bytes(20) + struct.pack("<I", 4)
    told = (
        bytes(20)
        + struct.pack("<IIIII", 1, 4, 0, 1, 3)
        + _tower_ndr(_tower(interface, port, server))
        + struct.pack("<I", 0)
    )
    return [
        rpc_bind(EPM, call),
        rpc_bind_ack(135, 0x1A2B + port, call),
        rpc_request(3, ask, call + 1),
        rpc_response(told, call + 1),
    ]


def rpc_session(prng, interface, port, calls=2, user="unitymsg"):
    """Bind with NTLM and sealed calls.  A list of (side, message): the third leg of the authentication has no
    answer."""
    talk = [
        (0, rpc_bind(interface, 1, ntlm_negotiate())),
        (1, rpc_bind_ack(port, 0x3C4D + port, 1, ntlm_challenge(prng))),
        (0, rpc_auth3(ntlm_authenticate(prng, user), 1)),
    ]
    for call in range(2, 2 + calls):
        talk.append(
            (
                0,
                rpc_request(
                    prng.between(0, 11), prng.bytes(16 * prng.between(4, 12)), call, b"\1\0\0\0" + prng.bytes(12)
                ),
            )
        )
        talk.append((1, rpc_response(prng.bytes(16 * prng.between(6, 40)), call, b"\1\0\0\0" + prng.bytes(12))))
    return talk


def rpc_datagram(prng, interface, number, reply=False):
    """Connectionless RPC (version 4) with a sealed body."""
    body = prng.bytes(96)
    head = struct.pack("<BBBBBBBB", 4, 2 if reply else 0, 0x28 if not reply else 0x08, 0, 0x10, 0, 0, 0)
    head += (
        bytes(16)
        + uuid.UUID(interface[0]).bytes_le
        + uuid.UUID(int=0x1234567890ABCDEF1234567890ABCDEF + number).bytes_le
    )
    head += struct.pack("<IIIHHHHHBB", 0, interface[1], number, 4, 0xFFFF, 0xFFFF, len(body), 0, 0, 0)
    return head + body


# --- SQL Server -----------------------------------------------------------------------------------
def _tds(kind, body, number=1):
    return struct.pack("!BBHHBB", kind, 1, 8 + len(body), 0 if kind != 4 else 51, number, 0) + body


def tds_session(station, server, statement="SELECT state FROM FailoverStatus"):
    """Prelogin, login, one batch: six messages, client first."""

    def prelogin(encryption):
        items = [(0, b"\x08\x00\x07\xf7\0\0"), (1, bytes([encryption])), (2, b"MSSQLServer\0"), (3, b"\0\0\x0a\x14")]
        offset, table, data = 5 * len(items) + 1, b"", b""
        for code, value in items:
            table += struct.pack("!BHH", code, offset + len(data), len(value))
            data += value
        return table + b"\xff" + data

    texts, data = [station, "unitysvc", "", "Failover", server, "", "ODBC", "", "UnityDb"], b""
    table = b""
    for i, text in enumerate(texts):
        raw = _wide_text(text)
        table += struct.pack("<HH", 86 + len(data), len(text))
        data += raw
    table += b"\x02\x0a\x14\x01\x0a\x01" + struct.pack("<HHHH", 86 + len(data), 0, 86 + len(data), 0)
    login = (
        struct.pack("<IIIIIIBBBBiI", 86 + len(data), 0x01000071, 4096, 7, 1234, 0, 0xE0, 3, 0, 0, 0, 0x409)
        + table
        + data
    )
    name = _wide_text("Microsoft SQL Server")
    ack = b"\1" + bytes.fromhex("71000001") + bytes([len(name) // 2]) + name + b"\x08\0\x07\xf7"
    done = b"\xfd" + struct.pack("<HHI", 0, 0, 0)
    loginack = b"\xad" + struct.pack("<H", len(ack)) + ack + done
    return [
        _tds(0x12, prelogin(2)),
        _tds(4, prelogin(2)),
        _tds(0x10, login),
        _tds(4, loginack),
        _tds(1, _wide_text(statement)),
        _tds(4, done),
    ]


def sql_browser(server, reply=False):
    if not reply:
        return b"\x04MSSQLSERVER\0"
    text = ("ServerName;%s;InstanceName;MSSQLSERVER;IsClustered;No;Version;8.00.2039;tcp;1433;;" % server).encode()
    return b"\x05" + struct.pack("<H", len(text)) + text


# --- RDP, and the store's "new mail" --------------------------------------------------------------
def rdp_request(user):
    cookie = b"Cookie: mstshash=" + user.encode() + b"\r\n"
    body = cookie + struct.pack("<BBHI", 1, 0, 8, 1)
    return struct.pack("!BBH", 3, 0, 11 + len(body)) + struct.pack("!BBHHB", 6 + len(body), 0xE0, 0, 0, 0) + body


def rdp_confirm():
    body = struct.pack("<BBHI", 2, 0, 8, 1)
    return struct.pack("!BBH", 3, 0, 11 + len(body)) + struct.pack("!BBHHB", 6 + len(body), 0xD0, 0, 0x1234, 0) + body


def new_mail(prng):
    """Eight bytes that the client chose when it registered: nothing else is in the datagram."""
    return prng.bytes(8)
