# SPDX-License-Identifier: Apache-2.0
"""SCCP, SIP with SDP, RTP and RTCP."""

import ipaddress
import struct

# --- SCCP -----------------------------------------------------------------------------------------
NO_ENCRYPTION, STREAM = 48, 24  # sizes of the parts of a channel message that stay zero


def sccp(kind, body=b"", version=0):
    return struct.pack("<III", 4 + len(body), version, kind) + body


def _address(address):
    return ipaddress.ip_address(address).packed


def sccp_register(name, address, instance=1):
    return sccp(
        0x0001, struct.pack("<16sII", name.encode(), 0, instance) + _address(address) + struct.pack("<II", 7, 1)
    )


def sccp_register_ack(interval=30):
    return sccp(0x0081, struct.pack("<I6sHIB3s", interval, b"M/D/Y", 0, interval, 3, b"\xff\xff\xff"))


def sccp_keepalive():
    return sccp(0x0000)


def sccp_keepalive_ack():
    return sccp(0x0100)


def sccp_open_receive(conference, party):
    body = struct.pack("<IIIIIII", conference, party, 20, 4, 0, 0, conference)
    return sccp(0x0105, body + bytes(NO_ENCRYPTION + STREAM))


def sccp_open_receive_ack(address, port, party):
    return sccp(0x0022, struct.pack("<I", 0) + _address(address) + struct.pack("<II", port, party))


def sccp_start_media(address, port, conference, party):
    body = struct.pack("<II", conference, party) + _address(address)
    body += struct.pack("<IIIIIHHII", port, 20, 4, 184, 0, 0, 0, 0, conference)
    return sccp(0x008A, body + bytes(NO_ENCRYPTION + STREAM))


def sccp_stop_media(conference, party):
    return sccp(0x008B, struct.pack("<IIII", conference, party, conference, 0))


def sccp_close_receive(conference, party):
    return sccp(0x0106, struct.pack("<IIII", conference, party, conference, 0))


# --- SIP ------------------------------------------------------------------------------------------
def sdp(address, port):
    return (
        "v=0\r\no=- 20518 0 IN IP4 %s\r\ns=call\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d RTP/AVP 0 101\r\n"
        "a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
        % (address, address, port)
    )


class SipCall:
    """The messages of one call: texts only, the caller puts them on the wire."""

    def __init__(self, caller, callee, sport, dport, transport, call_id, user="2101", mailbox="6000"):
        self.caller, self.callee, self.sport, self.dport = caller, callee, sport, dport
        self.transport, self.call_id, self.user, self.mailbox = transport.upper(), call_id, user, mailbox

    def _message(self, first, sequence, method, to_tag, more="", body=""):
        text = "%s\r\nVia: SIP/2.0/%s %s:%d;branch=z9hG4bK%s%d\r\n" % (
            first,
            self.transport,
            self.caller,
            self.sport,
            self.call_id[:8],
            sequence,
        )
        text += "From: <sip:%s@%s>;tag=f%s\r\n" % (self.user, self.caller, self.call_id[:6])
        text += "To: <sip:%s@%s>%s\r\n" % (self.mailbox, self.callee, ";tag=t%s" % self.call_id[:6] if to_tag else "")
        text += "Call-ID: %s@%s\r\nCSeq: %d %s\r\nMax-Forwards: 70\r\n%s" % (
            self.call_id,
            self.caller,
            sequence,
            method,
            more,
        )
        if body:
            text += "Content-Type: application/sdp\r\n"
        return (text + "Content-Length: %d\r\n\r\n%s" % (len(body), body)).encode()

    def _contact(self, address, port):
        return "Contact: <sip:%s:%d;transport=%s>\r\n" % (address, port, self.transport.lower())

    def invite(self, port):
        return self._message(
            "INVITE sip:%s@%s:%d SIP/2.0" % (self.mailbox, self.callee, self.dport),
            101,
            "INVITE",
            False,
            self._contact(self.caller, self.sport),
            sdp(self.caller, port),
        )

    def trying(self):
        return self._message("SIP/2.0 100 Trying", 101, "INVITE", False)

    def ok(self, port):
        return self._message(
            "SIP/2.0 200 OK", 101, "INVITE", True, self._contact(self.callee, self.dport), sdp(self.callee, port)
        )

    def ack(self):
        return self._message("ACK sip:%s@%s:%d SIP/2.0" % (self.mailbox, self.callee, self.dport), 101, "ACK", True)

    def bye(self):
        return self._message("BYE sip:%s@%s:%d SIP/2.0" % (self.mailbox, self.callee, self.dport), 102, "BYE", True)

    def bye_ok(self):
        return self._message("SIP/2.0 200 OK", 102, "BYE", True)

    def options(self):
        return self._message(
            "OPTIONS sip:%s@%s:%d SIP/2.0" % (self.mailbox, self.callee, self.dport),
            1,
            "OPTIONS",
            False,
            self._contact(self.caller, self.sport),
        )

    def options_ok(self):
        return self._message("SIP/2.0 200 OK", 1, "OPTIONS", True, "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS\r\n")


# --- RTP and RTCP ---------------------------------------------------------------------------------
class RtpStream:
    """G.711 mu-law, 20 ms a packet.  The sound is a slow ramp of quiet samples: it must only look like audio."""

    def __init__(self, prng):
        self.prng = prng
        self.ssrc, self.sequence, self.timestamp = prng.u32(), prng.u16() & 0x7FFF, prng.u32() >> 1
        self.packets = 0

    def packet(self):
        marker = 0x80 if self.packets == 0 else 0
        head = struct.pack("!BBHII", 0x80, marker, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        self.sequence += 1
        self.timestamp += 160
        self.packets += 1
        level = 0x7A + self.prng.below(5)
        return head + bytes([level, level | 0x80] * 80)

    def report(self, now, name):
        seconds, fraction = now // 10**9 + 2208988800, (now % 10**9 << 32) // 10**9
        sender = struct.pack(
            "!BBHIIIIII",
            0x80,
            200,
            6,
            self.ssrc,
            seconds & 0xFFFFFFFF,
            fraction,
            self.timestamp & 0xFFFFFFFF,
            self.packets,
            self.packets * 160,
        )
        item = struct.pack("!BB", 1, len(name)) + name.encode() + b"\0"
        item += bytes(-len(item) % 4)
        return sender + struct.pack("!BBHI", 0x81, 202, 1 + len(item) // 4, self.ssrc) + item
