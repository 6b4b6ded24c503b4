#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What stopped an attempt, and signs that something stands between two hosts.

usage: attempts.py FLOWAUDIT SOURCE_ROOT

Small captures made on the spot.  Each case says what becomes of LDAP from unity1 to dc1 (the conversation's outcome and the expectation's) and the
severity of the finding 'separated' of the two.  The record must be the same with one worker and with three.  And what becomes of DHCP, whose server
seems to begin where its client asked by broadcast.
"""
import ipaddress
import os
import sqlite3
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'support'))
import flowdb
from traffic import capture, flows, windows, wire
from traffic.tcp import ACK, CLIENT, RST, SERVER, SYN, Connection

UNITY, DC, EXCHANGE, FILTER, STATION = '10.20.1.10', '10.20.2.10', '10.20.3.10', '10.20.0.254', '10.20.9.9'
PHONE, MUTE = '10.20.9.20', '10.20.9.21'
GC = '10.20.2.20'
BACK = 'lower addresses'  # one direction of all
SITE = f"""site: two hosts and a third
matrix: cisco-unity-5x-exchange
within: 10s
hosts:
  unity1: {{addresses: [{UNITY}], roles: [unity-primary]}}
  dc1: {{addresses: [{DC}], roles: [dc-monitored]}}
  exch1: {{addresses: [{EXCHANGE}], roles: [exchange-partner]}}
  gc1: {{addresses: [{GC}], roles: [gc-monitored]}}
"""
START = 1772442000 * wire.SECOND


class Story:
    def __init__(self, dc_hops=0):
        self.net = wire.Wire(7)
        self.net.host('unity1', UNITY, ttl=128)
        self.net.host('dc1', DC, ttl=128, hops=dc_hops)
        self.net.host('exch1', EXCHANGE, ttl=128)
        self.net.host('gc1', GC, ttl=128)
        self.net.host('station', STATION, ttl=128)
        self.net.host('phone1', PHONE, ttl=128)
        self.net.host('phone2', MUTE, ttl=128)
        self.port = 1100
        self.snaplen = 262144

    def at(self, second):
        return START + second * wire.SECOND

    def works(self, protocol, server, dport, second, client=UNITY):
        self.port += 1
        flows.flow_for(self.net, protocol, client, self.port, server, dport, 'tcp', self.at(second))

    def connect(self, dport, second, server=DC):
        self.port += 1
        return Connection(self.net, self.at(second), UNITY, self.port, server, dport)

    def begun(self):
        """Both hosts at work, from the first second to the thirtieth."""
        for second in (0, 12, 30):
            self.works('Kerberos', DC, 88, second)
        self.works('SMB', DC, 445, 5)
        return self

    def refused(self, ttl, second=8):
        line = self.connect(389, second)
        line.syn()
        before = len(self.net.packets)
        line.refuse()
        for packet in self.net.packets[before:]:
            packet.ttl = ttl
        return self

    def silent(self, second=8, times=2):
        line = self.connect(389, second)
        for _ in range(times):
            line.syn()
            line.now += 3 * wire.SECOND
        return self

    def undelivered(self, gaps, delivered=False, late=False):
        """The server answers each SYN, but what it answers is lost behind the tap; SYNs come so many ms after each other."""
        line = self.connect(389, 8)
        for i, gap in enumerate((0, *gaps)):
            line.now += gap * wire.MS
            line.syn()
            line.seq[CLIENT] = line.isn[CLIENT] + 1
            if not late or i == len(gaps):
                line.step()
                line.segment(SERVER, SYN | ACK, seq=line.isn[SERVER])
        if delivered:
            line.seq[SERVER] = line.isn[SERVER] + 1
            line.step()
            line.segment(CLIENT, ACK)
        return self

    def repeated(self, answers, gives_up=False, goes_on=False, then_refused=False):
        """Only the server's SYN,ACK is in the capture, so many times; then maybe its RST, or an ACK of it, or a SYN that it refuses."""
        line = self.connect(389, 7)
        line.seq[CLIENT] = line.isn[CLIENT] + 1
        for _ in range(answers):
            line.segment(SERVER, SYN | ACK, seq=line.isn[SERVER])
            line.now += wire.SECOND
        line.seq[SERVER] = line.isn[SERVER] + 1
        if gives_up or goes_on:
            line.segment(SERVER, RST | ACK if gives_up else ACK)
        return self.refused(128, 14) if then_refused else self

    def given_up(self, syns):
        """The server's SYN,ACK is answered with a RST, after so many SYNs that are in the capture."""
        line = self.connect(389, 8)
        for _ in range(syns):
            line.syn()
            line.now += 3 * wire.SECOND
        line.seq[CLIENT] = line.isn[CLIENT] + 1
        line.segment(SERVER, SYN | ACK, seq=line.isn[SERVER])
        line.step()
        line.segment(CLIENT, RST)
        return self

    def older(self, by):
        """Of a connection that began before the capture: a segment of one side, and the RST of the other."""
        line = self.connect(389, 8)
        line.segment(1 - by, ACK)
        line.step()
        line.segment(by, RST)
        return self

    def answered_alone(self, ack=True):
        """The server's RST is all there is of an attempt: with ACK, as a closed port's."""
        self.connect(389, 8).segment(SERVER, RST | (ACK if ack else 0), seq=0)
        return self

    def prohibited(self, sender):
        line = self.connect(389, 8)
        self.net.unreachable(line.now + wire.MS, sender, line.syn(), 13)
        return self

    def cut_error(self, to):
        """An error about a packet of 'to', of which the capture ends before the ports that it quotes."""
        self.works('Kerberos', DC, 88, 7, client=to)
        self.net.unreachable(self.at(9), FILTER, next(p for p in reversed(self.net.packets) if p.src == to), 13)
        self.snaplen = 60
        return self

    def cut_off(self, ttl):
        """A working session that a RST ends in the server's name."""
        line = self.connect(445, 9).open()
        line.talk(*(message for _, message in flows.content('SMB', flows.Ends(self.net, line.now, UNITY, self.port, DC, 445), 'tcp')))
        before = len(self.net.packets)
        line.reset(SERVER)
        for packet in self.net.packets[before:]:
            if packet.src == DC:
                packet.ttl = ttl
        return self

    def goes_on(self):
        """A connection of which only what dc1 sends after the handshake is in the capture."""
        before = len(self.net.packets)
        self.works('LDAP', DC, 389, 3)
        self.net.packets[before:] = [p for p in self.net.packets[before:] if p.src == DC][1:]
        return self

    def leases(self, renewals):
        """unity1 offers an address to who asked by broadcast; the station asks it again, and is answered."""
        offer, request = b'\x02\x01\x06\x00' + bytes(296), b'\x01\x01\x06\x00' + bytes(296)
        self.net.udp(self.at(2), UNITY, 67, STATION, 68, offer)
        for i in range(renewals):
            self.net.udp(self.at(4 + i), STATION, 68, UNITY, 67, request)
            self.net.udp(self.at(4 + i) + wire.MS, UNITY, 67, STATION, 68, offer)
        return self

    def write(self, path, without=None):
        packets = self.net.frames()
        if without == BACK:
            packets = [p for p, made in zip(packets, self.net.packets) if ipaddress.ip_address(made.src) < ipaddress.ip_address(made.dst)]
        elif without is not None:
            packets = [p for p, made in zip(packets, self.net.packets) if made.dst != without]
        with open(path, 'wb') as out:
            out.write(capture.write_pcap(packets, self.snaplen))


def strangers(ttl):
    """unity1 never spoke with dc1 before; exch1 did."""
    story = Story()
    for second in (0, 12, 30):
        story.works('Kerberos', DC, 88, second, client=EXCHANGE)
        story.works('SMTP', EXCHANGE, 25, second)
    return story.refused(ttl)


def nothing_else():
    story = Story()
    for second in (0, 12, 30):
        story.works('SMTP', EXCHANGE, 25, second)
    return story


CASES = {  # name: (story, host that the tap does not hear packets for, LDAP's outcome, expectation's, separated)
    'refused by the server': (lambda: Story().begun().refused(128), None, 'refused', 'refused', None),
    'reset by another stack': (lambda: Story().begun().refused(64), None, 'prohibited', 'prohibited', 'high'),
    'reset from one hop nearer': (lambda: Story(dc_hops=1).begun().refused(128), None, 'prohibited', 'prohibited', 'high'),
    'reset by a stack unlike the one that others know': (lambda: strangers(64), None, 'prohibited', 'prohibited', 'high'),
    'a hop more on a way never seen': (lambda: strangers(127), None, 'refused', 'refused', None),
    'refused by a server never seen': (lambda: nothing_else().refused(64), None, 'refused', 'refused', None),
    'told by a filter': (lambda: Story().begun().prohibited(FILTER), None, 'prohibited', 'prohibited', 'high'),
    'told by a filter of what the tap does not hear': (lambda: Story().begun().prohibited(FILTER), DC, 'prohibited', 'prohibited', 'high'),
    'told by the server itself': (lambda: Story().begun().prohibited(DC), None, 'prohibited', 'prohibited', 'medium'),
    'dropped in silence': (lambda: Story().begun().silent(), None, 'unanswered', 'unanswered', 'medium'),
    'dropped, but the tap hears only one side': (lambda: Story().begun().silent(), UNITY, 'one-way', 'one-way', None),
    'a server never seen to send': (lambda: nothing_else().silent(), None, 'one-way', 'one-way', None),
    'asked as the capture ends': (lambda: Story().begun().silent(29, 1), None, 'unanswered', 'not-covered', None),
    'the answer may be an error that was cut': (lambda: Story().begun().silent().cut_error(UNITY), None, 'unanswered', 'not-covered', None),
    'an error that was cut went to another': (lambda: Story().begun().silent().cut_error(EXCHANGE), None, 'unanswered', 'unanswered', None),
    'answers that do not arrive': (lambda: Story().begun().undelivered((1000, 2000, 4000)), None, 'unanswered', 'unanswered', 'medium'),
    'an answer that arrives in the end': (lambda: Story().begun().undelivered((1000, 2000), delivered=True), None, 'established', 'seen', None),
    'an answer, and no more of the client': (lambda: Story().begun().undelivered(()), None, 'one-way', 'one-way', None),
    'a late answer': (lambda: Story().begun().undelivered((1000, 2000), late=True), None, 'one-way', 'one-way', None),
    'a SYN that crosses its answer': (lambda: Story().begun().undelivered((100,)), None, 'one-way', 'one-way', None),
    'an answer after the client gave up': (lambda: Story().begun().given_up(3), None, 'established', 'seen', None),
    'an answer to nothing that was seen': (lambda: Story().begun().given_up(0), None, 'established', 'seen', None),
    'an answer alone': (lambda: Story().begun().repeated(1), None, 'one-way', 'one-way', None),
    'an answer again and again': (lambda: Story().begun().repeated(4), None, 'one-way', 'one-way', None),
    'an answer again and again, then a RST': (lambda: Story().begun().repeated(4, gives_up=True), None, 'one-way', 'one-way', None),
    'an answer, and another attempt that is refused': (lambda: Story().begun().repeated(2, then_refused=True), None, 'one-way', 'refused', None),
    'an answer, and later a SYN that is answered': (lambda: Story().begun().repeated(1).undelivered(()), None, 'one-way', 'one-way', None),
    'an answer, and more of the server': (lambda: Story().begun().repeated(2, goes_on=True), None, 'one-way', 'one-way', None),
    'an older connection that the server resets': (lambda: Story().begun().older(SERVER), None, 'one-way', 'one-way', None),
    'an older connection that the client resets': (lambda: Story().begun().older(CLIENT), None, 'one-way', 'one-way', None),
    'the refusal alone': (lambda: Story().begun().answered_alone(), None, 'one-way', 'one-way', None),
    'a RST alone': (lambda: Story().begun().answered_alone(False), None, 'one-way', 'one-way', None),
    'a session cut by another stack': (lambda: Story().begun().cut_off(64), None, None, 'never-attempted', 'high'),
    'a session that the server resets': (lambda: Story().begun().cut_off(128), None, None, 'never-attempted', None),
    'refused, beside a connection that goes on': (lambda: Story().begun().goes_on().refused(128), None, 'one-way', 'one-way', None),
    'behind a router': (lambda: Story(dc_hops=1).begun(), None, None, 'never-attempted', 'notice'),
    'side by side': (lambda: Story().begun(), None, None, 'never-attempted', None),
    'requests not heard': (lambda: Story().begun(), DC, None, 'not-covered', None),
}


LEASES = {  # renewals: findings of DHCP
    0: [],
    2: [(STATION, UNITY, 67)],
}


NOT_USED = 'that it is open (SYN, ACK), and unity1 reset the connection, so that no connection was used: TCP 389 of dc1'
REPEATED = ('(of it only the server\'s packets were captured): the server\'s answer (SYN, ACK) came more than once, as where the client\'s next packet is not sent or '
            'does not arrive, and nothing of unity1 is in the capture, so whether it worked cannot be told. ')
WORDS = {  # of some of the cases: what is said of the expected flow, and of the packet that shows it
    'an answer after the client gave up': (NOT_USED, ' First: packet {} of made.pcap.'),
    'an answer to nothing that was seen': (NOT_USED, ' First: packet {} of made.pcap, an answer (SYN, ACK) of which the SYN is not in the capture.'),
    'an older connection that the server resets': (f'No attempt of unity1 ({UNITY}) at TCP 389 of dc1 ({DC}) was seen, only a segment of a connection that began '
                                                   "before the capture, and dc1's RST to it, so whether it ever worked cannot be told. ",
                                                   ' First seen of that: packet {} of made.pcap.'),
    'an older connection that the client resets': ("and unity1's RST to it, so whether it ever worked cannot be told. ", ' First seen of that: packet {} of made.pcap.'),
    'an answer again and again': (REPEATED, ' First sign of an attempt: packet {} of made.pcap.'),
    'an answer, and later a SYN that is answered': ('tried LDAP on TCP 389', ' First sign of an attempt: packet {} of made.pcap.'),
    'the refusal alone': ("(of it only the server's packets were captured): the server's RST, ACK is in the capture, of the sequence number 0 as that of a closed port which answers a SYN, and "
                          'nothing of unity1, so whether it was refused cannot be told. ', ' First sign of an attempt: packet {} of made.pcap.'),
    'a RST alone': ('only one direction was captured', ' First sign of an attempt: packet {} of made.pcap.'),
    'an answer alone': ('only one direction was captured', ' First sign of an attempt: packet {} of made.pcap.'),
    'an answer that arrives in the end': (f'unity1 ({UNITY}) used TCP 389 of dc1', ' First: packet {} of made.pcap.'),
}


# Whether what was tried is said to have got through.
DISPOSITIONS = {'the refusal alone': None, 'a RST alone': None, 'an answer alone': None, 'an answer again and again': None, 'an answer again and again, then a RST': None, 'an answer, and more of the server': 'permitted'}


def check_disposition(name, audit):
    said = [row['disposition'] for row in audit.rows('SELECT disposition FROM conversations WHERE client = ? AND server = ? AND server_port = 389', UNITY, DC)]
    good = name not in DISPOSITIONS or said == [DISPOSITIONS[name]]
    if not good:
        print('   said:', said, '\n   meant:', DISPOSITIONS[name])
    return good


def check_words(name, audit):
    """The packet is the first of the flow that the record has."""
    if name not in WORDS:
        return True
    reason = audit.rows("SELECT reason FROM expectations WHERE row_id = 'unity-dc-ldap'")[0]['reason']
    packet = audit.rows("SELECT min(first_packet_number) AS n FROM conversations WHERE client = ? AND server = ? AND server_port = 389", UNITY, DC)[0]['n']
    words, ending = WORDS[name]
    good = words in reason and reason.endswith(ending.format(packet))
    if not good:
        print('   said:', reason, '\n   meant:', words, ending.format(packet))
    return good


def check_leases(program, site, path, directory):
    failed = 0
    for renewals, meant in LEASES.items():
        Story().begun().leases(renewals).write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [tuple(row.values()) for row in audit.rows('SELECT client, server, server_port FROM findings WHERE server_port IN (67, 68)')]
        audit.close()
        print(f"{'ok' if said == meant else 'NOT OK'}  an address offered, {renewals} renewals: {said}")
        failed += said != meant
    return failed


# The host that the tap does not hear packets for, to whom an error went that was cut, and where a forbidden datagram of dc1 went: what became of it, and
# what is said of that.
UNHEARD = {
    (None, None, UNITY): (None, 'no answer was seen, so whether it got through cannot be told. '),
    (None, DC, UNITY): (None, 'no answer was seen, though 1 packet of the capture is cut before the ports and may be one, so whether it got through cannot be told. '),
    (None, EXCHANGE, UNITY): (None, 'no answer was seen, so whether it got through cannot be told. '),
    (None, None, EXCHANGE): (None, 'no answer was seen, so whether it got through cannot be told. '),
    (BACK, None, EXCHANGE): (None, 'no TCP or UDP packet the other way was seen, but of some TCP flows the capture has one direction only, so whether it was answered cannot'),
    (DC, None, UNITY): (None, f'no TCP or UDP packet of unity1 ({UNITY}) to dc1 ({DC}) is in the capture, though the latter acted on some'),
    (DC, None, EXCHANGE): (None, f'no TCP or UDP packet to dc1 ({DC}) is in the capture, though it acted on some, so whether it was answered cannot be told. '),
}
MEDIA = {  # the same of media that goes one way, to a port that no row has
    (None, None, UNITY): ('escaped', 'no packet the other way was seen. '),
    (None, DC, UNITY): (None, 'no packet the other way was seen, though 1 packet of the capture is cut before the ports and may be one, so whether it got through cannot be told. '),
    (None, EXCHANGE, UNITY): ('escaped', 'no packet the other way was seen. '),
    (BACK, None, EXCHANGE): (None, 'no TCP or UDP packet the other way was seen, but of some TCP flows the capture has one direction only, so whether it got through cannot'),
    (DC, None, UNITY): (None, f'no TCP or UDP packet of unity1 ({UNITY}) to dc1 ({DC}) is in the capture, though the latter acted on some, so whether it got through'),
    (DC, None, EXCHANGE): (None, f'no TCP or UDP packet to dc1 ({DC}) is in the capture, though it acted on some, so whether it got through cannot be told. '),
}


def rtp(number):
    return struct.pack('!BBHII', 0x80, 0, number, 160 * number, 0x1234) + bytes(160)


def check_unheard(program, site, path, directory):
    failed = 0
    for media, (key, meant) in [(False, case) for case in UNHEARD.items()] + [(True, case) for case in MEDIA.items()]:
        without, cut_to, server = key
        story = Story().begun()
        for client, other in ((UNITY, EXCHANGE), (EXCHANGE, STATION)):  # both are seen
            story.works('SMTP', other, 25, 3, client)
        if cut_to is not None:
            story.cut_error(cut_to)
        for i in range(40 if media else 1):
            story.net.udp(story.at(20) + 20 * i * wire.MS, DC, 1645, server, 10008 if media else 9, rtp(i) if media else b'anyone there?')
        story.write(path, without)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [tuple(row.values()) for row in audit.rows('SELECT disposition, reason FROM findings WHERE client = ? AND server = ? AND server_port IN (9, 10008)', DC, server)]
        audit.close()
        good = len(said) == 1 and said[0][0] == meant[0] and meant[1] in said[0][1]
        print(f"{'ok' if good else 'NOT OK'}  forbidden {'media' if media else 'datagram'} to {server}, packets to {without} not heard, an error to {cut_to} cut: {said}")
        failed += not good
    return failed


FILTERED = (FILTER, 13)
LATE = '; no packet the other way was seen, but ICMP "port unreachable" (type 3 code 3) from unity1 (10.20.1.10) came (1 error, in packet '
ENDS = {  # media one way, to a port that no row has: ((packets, ms between them, how many had gone when an error came, whose, of what kind, is it media), what became of it, what is said)
    'media to a receiver that hung up': ((133, 20, 133, (UNITY, 3), True), ('one-way', None, LATE + '{} of made.pcap, when 133 of the 133 packets had gone there, without an answer), which '
                                                                            'may be the end of the call, so whether it got through before cannot be told. ')),
    'one that hung up before the sender did': ((133, 20, 60, (UNITY, 3), True), ('one-way', None, LATE + '{} of made.pcap, when 60 of the 133 packets had gone there, ')),
    'an error at first, and none for seconds': ((133, 20, 1, (UNITY, 3), True), ('one-way', None, '(1 error, 133 packets, and none to the last), so whether it got through cannot be told. ')),
    'a receiver that never was': ((40, 20, 1, (UNITY, 3), True), ('refused', 'rejected', 'it was refused by ICMP "port unreachable"')),
    'a filter that comes late': ((133, 20, 133, FILTERED, True), ('prohibited', 'rejected', 'it was answered by ICMP')),
    'datagrams that are no media': ((133, 20, 133, (UNITY, 3), False), ('refused', 'rejected', 'it was refused by ICMP "port unreachable"')),
}


def check_ends(program, site, path, directory):
    failed = 0
    for name, ((packets, gap, before, (sender, code), media), meant) in ENDS.items():
        story = Story().begun()
        for i in range(packets):
            sent = story.net.udp(story.at(20) + gap * i * wire.MS, DC, 1645, UNITY, 10008, rtp(i) if media else b'anyone there?')
            if i + 1 == before:
                story.net.unreachable(story.at(20) + gap * i * wire.MS + wire.MS, sender, sent, code)
        story.write(path)
        audit = flowdb.Audit(program, site, [path], '--flows', 'all', directory=directory)
        said = [tuple(row.values()) for row in audit.rows(
            'SELECT f.outcome, f.disposition, f.reason, l.icmp_packet_number FROM findings f JOIN flows l USING (run_id, conversation_id)'
            ' WHERE f.client = ? AND f.server = ? AND f.server_port = 10008', DC, UNITY)]
        audit.close()
        good = len(said) == 1 and said[0][:2] == meant[:2] and meant[2].format(said[0][3]) in said[0][2]
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said}")
        failed += not good
    return failed


SEEN, MISSING = '; no answer was seen. ', '; no answer was seen, though packets passed that were not captured'
LOST = {  # name: ((from, to, TCP port, seconds between its SYNs, is a segment of another connection lost), (disposition, what is said of it))
    'one SYN': ((DC, EXCHANGE, 9, (), False), (None, 'no answer was seen, so whether it got through cannot be told. ')),
    'one SYN, with loss': ((DC, EXCHANGE, 9, (), True), (None, MISSING + ', so whether it got through cannot be told. ')),
    'two SYNs at once, with loss': ((DC, EXCHANGE, 9, (0,), True), (None, MISSING + ', so whether it got through cannot be told. ')),
    'SYNs again and again, with loss': ((DC, EXCHANGE, 9, (1, 2, 2), True), ('rejected', MISSING + '. ')),
    'an allowed SYN': ((UNITY, DC, 389, (), False), (None, '')),
    'an allowed SYN again': ((UNITY, DC, 389, (1,), False), ('misdropped', '')),
    'an allowed SYN, with loss': ((UNITY, DC, 389, (), True), (None, '')),
    'allowed SYNs again and again, with loss': ((UNITY, DC, 389, (1, 2, 2), True), ('misdropped', '')),
}
SENDER_REPORT = struct.pack('!BBHIQIII', 0x80, 200, 6, 0x1234, 1 << 60, 160, 1, 160)
SILENT = {  # the same of media one way that no row has: ((packets, ms between them, what is sent, with loss), ...
    'RTCP alone': ((1, 0, SENDER_REPORT, False), ('escaped', '; no packet the other way was seen. ')),
    'RTCP alone, with loss': ((1, 0, SENDER_REPORT, True), (None, '; no packet the other way was seen, though packets passed that were not captured, so whether it got through cannot be told. ')),
    'RTP for a moment, with loss': ((20, 20, None, True), (None, '; no packet the other way was seen, though packets passed that were not captured, so whether it got through cannot be told. ')),
    'RTP for seconds, with loss': ((250, 20, None, True), ('escaped', '; no packet the other way was seen. ')),
    'RTP for a moment': ((20, 20, None, False), ('escaped', '; no packet the other way was seen. ')),
    'RTP for a moment, and an answer without its request': ((20, 20, None, 'answer'), (None, '; no packet the other way was seen, so whether it got through cannot be told. ')),
}
INVITE = b'INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n'
ONE_WAY = {  # datagrams to which nothing came, on ports where nothing needs to: ((from, its port, to, port, what is sent, how often, is anything else sent to who sent them), (disposition, outcome expected of NetBIOS))
    'to the datagram service': ((UNITY, 138, DC, 138, b'\x11' + bytes(99), 1, True), ('permitted', 'seen')),
    'notifications': ((EXCHANGE, 1500, UNITY, 4021, bytes(8), 3, True), ('permitted', None)),
    'notifications of who gets nothing': ((EXCHANGE, 1500, UNITY, 4021, bytes(8), 3, False), (None, None)),
    'a request on the port of notifications': ((EXCHANGE, 5060, UNITY, 5060, INVITE, 3, True), (None, None)),
    'datagrams of a route that is traced': ((EXCHANGE, 33000, UNITY, 33436, bytes(8), 3, True), (None, None)),
    'media that a row allows': ((UNITY, 23000, PHONE, 24000, None, 100, True), ('permitted', None)),
    'the same of who gets nothing': ((UNITY, 23000, PHONE, 24000, None, 100, False), (None, None)),
    'the same to who sends nothing': ((UNITY, 23000, MUTE, 24000, None, 100, True), (None, None)),
    'what may be media by its port alone': ((UNITY, 23000, PHONE, 24000, b'anyone there?', 3, True), (None, None)),
    'what would break a row if it were media': ((UNITY, 23000, PHONE, 13000, b'XXXX', 2, True), (None, None)),
}


def check_one_way(program, _, path, directory):
    site, failed = os.path.join(directory, 'phone.yaml'), 0
    with open(site, 'w', encoding='utf-8') as out:
        out.write(SITE + f'  phone1: {{addresses: [{PHONE}, {MUTE}], roles: [phone]}}\n')
    for name, ((client, sport, server, dport, data, times, heard), meant) in ONE_WAY.items():
        story = Story()
        for second in (0, 12, 30):
            for host in (UNITY, EXCHANGE, PHONE):
                if heard or host != client:
                    story.works('Kerberos', DC, 88, second, host)
        for i in range(times):
            story.net.udp(story.at(10) + 20 * i * wire.MS, client, sport, server, dport, data or rtp(i))
            if dport == 33436:
                story.net.packets[-1].ttl = i + 1
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [(row['disposition'], row['outcome']) for row in audit.rows("SELECT * FROM conversations WHERE client = ? AND server_port = ?", client, dport)]
        expected = audit.rows("SELECT outcome FROM expectations WHERE row_id = 'unity-dc-netbios'")[0]['outcome'] if meant[1] else None
        audit.close()
        good = said == [(meant[0], 'one-way')] and expected == meant[1]
        print(f"{'ok' if good else 'NOT OK'}  one way: {name}: {said} {expected or ''}")
        failed += not good
    return failed


def with_loss(lossy):
    """A capture in which one segment of another connection is missing, or none."""
    story = Story().begun()
    story.works('SMTP', EXCHANGE, 25, 3)
    if lossy == 'answer':
        story.net.udp(story.at(5), GC, 53, UNITY, 1500, ANSWER)
    elif lossy:
        story.net.packets.remove([p for p in story.net.packets if p.src == EXCHANGE][5])
    return story


def check_alive(program, site, path, directory):
    """Of the packets in a server's name its RSTs are left out where they are unlike its own, or all that their flow has: with windows and without, those in the same as the rest."""
    story, failed = Story().begun().silent(), 0
    own = sum(p.src == DC for p in story.net.packets)
    before = len(story.net.packets)
    for second in (9, 10, 25):
        line = story.connect(445, second)
        line.syn()
        line.refuse()
    for packet in story.net.packets[before:]:
        if packet.src == DC:
            packet.ttl = 64
    story.connect(88, 20).segment(SERVER, RST, seq=7)
    story.net.packets[-1].ttl = 64
    story.write(path)
    for options, meant in (((), f', though dc1 sent {own} TCP and UDP packets in this capture. The '), (('--window', '1h'), f', though dc1 sent packets in that window ({own} in flows that began in it). The ')):
        audit = flowdb.Audit(program, site, [path], *options, directory=directory)
        said = [row['reason'] for row in audit.rows("SELECT reason FROM expectations WHERE row_id = 'unity-dc-ldap'")]
        audit.close()
        print(f"{'ok' if meant in said[0] else 'NOT OK'}  what dc1 sent itself {options}: {said}")
        failed += meant not in said[0]
    return failed


def check_headline(program, site, path, directory):
    """How much is missing is said where it is known."""
    story = with_loss(True)
    story.write(path)
    audit = flowdb.Audit(program, site, [path], directory=directory)
    missing = audit.rows("SELECT value FROM counters WHERE name = 'unseen-bytes'")[0]['value']
    audit.close()
    said = ' '.join(subprocess.run([program, 'report', audit.path], capture_output=True, text=True, check=False).stdout.split())
    meant = f'; {missing} bytes of TCP data, an end of a connection counted as one, were acknowledged and are not in the capture WHAT'
    print(f"{'ok' if meant in said else 'NOT OK'}  the headline tells of {missing} bytes")
    if meant not in said:
        print('   said:', said[:600])
    return meant not in said


def check_lost(program, site, path, directory):
    failed = 0
    cases = [(name, case, True) for name, case in LOST.items()] + [(name, case, False) for name, case in SILENT.items()]
    for name, (key, meant), tcp in cases:
        if tcp:
            client, server, dport, gaps, lossy = key
            story = with_loss(lossy)
            story.port += 1
            line = Connection(story.net, story.at(12), client, story.port, server, dport)
            for gap in (0, *gaps):
                line.now += gap * wire.SECOND + 10 * wire.MS
                line.syn()
        else:
            (packets, gap, data, lossy), (client, server, dport) = key, (DC, EXCHANGE, 10009)
            story = with_loss(lossy)
            for i in range(packets):
                story.net.udp(story.at(12) + gap * i * wire.MS, client, 1645, server, dport, data or rtp(i))
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [(row['disposition'], row['reason'] or '') for row in audit.rows(
            'SELECT c.disposition, f.reason FROM conversations c LEFT JOIN findings f ON f.conversation_id = c.conversation_id AND f.run_id = c.run_id'
            ' WHERE c.client = ? AND c.server = ? AND c.server_port = ?', client, server, dport)]
        findings = [row['kind'] for row in audit.rows("SELECT kind FROM findings WHERE kind IN ('misdropped', 'separated')")]
        audit.close()
        good = len(said) == 1 and said[0][0] == meant[0] and meant[1] in said[0][1] and (not findings or meant[0] == 'misdropped')
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said} {findings}")
        failed += not good
    return failed


QUERY = b'\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01'
LOG, TRAP = b'<34>Mar  2 09:00:00 dc1 su: failed', bytes.fromhex('302602010104067075626c6963a71902010102010002010030 0e300c06082b060102010101000500'.replace(' ', ''))
UNTOLD, MISSED = ', so whether it got through cannot be told. ', ', though packets passed that were not captured'
DATAGRAMS = {  # name: ((from, its port, to, port, what is sent, how often, was a segment of TCP lost, the type of an error about it), (disposition, what is said))
    'a log': ((DC, 1645, EXCHANGE, 514, LOG, 3, False, None), (None, 'no answer was seen' + UNTOLD)),
    'traps': ((DC, 1645, EXCHANGE, 162, TRAP, 3, False, None), (None, 'no answer was seen' + UNTOLD)),
    'a log that lived too long': ((DC, 1645, EXCHANGE, 514, LOG, 3, False, 11), ('rejected', 'no answer was seen, but ICMP')),
    'a log that was redirected': ((DC, 1645, EXCHANGE, 514, LOG, 3, False, 5), (None, UNTOLD)),
    'one query': ((DC, 1645, EXCHANGE, 53, QUERY, 1, False, None), (None, 'no answer was seen' + UNTOLD)),
    'a query again and again': ((DC, 1645, EXCHANGE, 53, QUERY, 3, False, None), ('rejected', 'no answer was seen. ')),
    'a query again and again, with loss': ((DC, 1645, EXCHANGE, 53, QUERY, 3, True, None), (None, 'no answer was seen' + MISSED + UNTOLD)),
    'one that may be an answer': ((GC, 3268, UNITY, 1500, LOG, 1, True, None), (None, 'no answer was seen' + MISSED + f', and this may be the answer to some, from UDP 3268 of gc1 ({GC})' + UNTOLD)),
    'the same without loss': ((GC, 3268, UNITY, 1500, LOG, 1, False, None), (None, 'no answer was seen' + UNTOLD)),
    'an allowed one': ((UNITY, 1500, DC, 389, LOG, 1, False, None), ('misdropped', '')),
    'an allowed one, with loss': ((UNITY, 1500, DC, 389, LOG, 1, True, None), (None, '')),
}


def check_datagrams(program, site, path, directory):
    failed = 0
    for name, ((client, sport, server, dport, data, times, lossy, kind), meant) in DATAGRAMS.items():
        story = with_loss(lossy)
        for i in range(times):
            sent = story.net.udp(story.at(20 + i), client, sport, server, dport, data)
        if kind is not None:
            story.net.unreachable(story.at(24), FILTER, sent, 0, kind=kind)
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [(row['disposition'], row['reason'] or '', row['confidence']) for row in audit.rows(
            'SELECT c.disposition, c.confidence, f.reason FROM conversations c LEFT JOIN findings f ON f.conversation_id = c.conversation_id AND f.run_id = c.run_id'
            " WHERE c.client = ? AND c.server = ? AND c.server_port = ? AND c.transport = 'udp'", client, server, dport)]
        audit.close()
        good = len(said) == 1 and said[0][0] == meant[0] and meant[1] in said[0][1] and (said[0][2] == 'inferred-direction') == ('may be the answer' in meant[1])
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said}")
        failed += not good
    return failed


AGAIN = {  # datagrams, some of which are refused: ((from, to, port, seconds between them, which of them draw an error), (outcome, disposition, what is said of it, or of LDAP as an expected flow))
    'the first is refused, and the second not': ((DC, EXCHANGE, 53, 1.1, (0,), 2), ('unanswered', None, f'; no answer was seen, but ICMP "port unreachable" (type 3 code 3) from exch1 ({EXCHANGE}) '
                                                                                   '(1 error, 2 packets, and none to the last), so whether it got through cannot be told. ')),
    'the second came too soon for another error': ((DC, EXCHANGE, 53, 0.3, (0,), 2), ('refused', 'rejected', '; it was refused by ICMP "port unreachable"')),
    'both are refused': ((DC, EXCHANGE, 53, 2, (0, 1), 2), ('refused', 'rejected', '; it was refused by ICMP "port unreachable"')),
    'the last is refused': ((DC, EXCHANGE, 53, 2, (0, 2), 3), ('refused', 'rejected', '; it was refused by ICMP "port unreachable"')),
    'the first that is allowed is refused': ((UNITY, DC, 389, 2, (0,), 2), ('unanswered', None, f': no answer was seen, but ICMP "port unreachable" (type 3 code 3) from dc1 ({DC}) (1 error, 2 packets)')),
    'media that is refused at first': ((UNITY, PHONE, 24000, 1.5, (0,), 3), ('one-way', None, '')),
}


def check_again(program, _, path, directory):
    site, failed = os.path.join(directory, 'phone.yaml'), 0
    for name, ((client, server, dport, gap, refused, times), meant) in AGAIN.items():
        story = with_loss(False)
        for i in range(times):
            at = story.at(12) + int(gap * i * wire.SECOND)
            sent = story.net.udp(at, client, 1645, server, dport, rtp(i) if server == PHONE else SEARCH if dport == 389 else QUERY)
            if i in refused:
                story.net.unreachable(at + wire.MS, server, sent, 3)
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [tuple(row.values()) for row in audit.rows("SELECT outcome, disposition FROM conversations WHERE client = ? AND server_port = ? AND transport = 'udp'", client, dport)]
        words = ''.join(row['reason'] or '' for row in audit.rows("SELECT reason FROM findings WHERE kind = 'no-row' UNION ALL SELECT reason FROM expectations WHERE row_id = 'unity-dc-ldap'"))
        audit.close()
        good = said == [meant[:2]] and meant[2] in words
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said} {'' if good else words}")
        failed += not good
    return failed


PORTS = {(24001, 24011): ' on udp/24001 and 24011, RTCP ', (24001, 24002, 24003): ' on udp/24001-24003, RTCP ', (24001, 24003, 24011): ' on 3 ports from udp/24001 to 24011, RTCP '}


def check_ports(program, _, path, directory):
    """Of several ports of one line no range is told that was not tried."""
    site, failed = os.path.join(directory, 'phone.yaml'), 0
    for ports, meant in PORTS.items():
        story = with_loss(False)
        for i, port in enumerate(ports):
            sent = story.net.udp(story.at(12 + i), PHONE, 23001, UNITY, port, SENDER_REPORT)
            story.net.unreachable(story.at(12 + i) + wire.MS, UNITY, sent, 3)
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        audit.close()
        said = ' '.join(subprocess.run([program, 'report', audit.path], capture_output=True, text=True, check=False).stdout.split())
        good = meant in said
        print(f"{'ok' if good else 'NOT OK'}  the ports {ports} on demand {'' if good else said[:3000]}")
        failed += not good
    return failed


ANSWER = b'\x12\x34\x81\x80' + QUERY[4:]
TOLD = ', so whether it got through cannot be told. '
FAINT = {  # name: ((queries without an answer: flow, second; seconds of such with one; is anything else sent to the client, and by the server), (disposition, what is said))
    'queries': ((((0, 10), (0, 14)), (), True), ('rejected', 'no answer was seen. ')),
    'queries of a flow each': ((((0, 10), (1, 14)), (), True), (None, 'no answer was seen' + TOLD.replace('it', 'they'))),
    'queries at once': ((((0, 10), (0, 10)), (), True), (None, 'no answer was seen' + TOLD)),
    'queries, others of them answered': ((((0, 10), (0, 14)), (20, 24), True), (None, 'no answer was seen, while 2 others of the same client to this port were answered' + TOLD)),
    'queries, fewer of them answered': ((((0, 10), (0, 14), (1, 16), (1, 18)), (20,), True), ('rejected', 'no answer was seen. ')),
    'queries, more of them than answers to others that are not there': ((((0, 10), (0, 14), (1, 16), (1, 18)), (-20,), True),
                                                                        (None, 'no answer was seen, while 1 other of the same client to this port, which is not in the capture, was answered' + TOLD.replace('it', 'they'))),
    'queries of which the answers would not be heard': ((((0, 10), (0, 14)), (), False), (None, 'no answer was seen' + TOLD)),
    'queries to who is never heard': ((((0, 10), (0, 14)), (), 'client'), (None, 'no answer was seen' + TOLD)),
    'queries at the end': ((((0, 28), (0, 29)), (), True), (None, 'no answer was seen' + TOLD)),
    'queries, the first well before the end': ((((0, 26), (0, 29)), (), True), ('rejected', 'no answer was seen. ')),
    'queries, others answered of which one query is there': ((((0, 10), (0, 14)), (20, -24), True),
                                                             (None, 'while 1 other of the same client to this port was answered, and 1 more, which is not in the capture' + TOLD)),
    'queries, others answered of which the queries are not there': ((((0, 10), (0, 14)), (-20, -24), True), (None, 'while 2 others of the same client to this port, which are not in the capture, were answered' + TOLD)),
}


SYNS = {  # name: ((seconds of SYNs, are they of one connection, is anything else sent to the client, is each answered), disposition)
    'SYNs': (((10, 14), False, True, False), 'rejected'),
    'SYNs of which the answers would not be heard': (((10, 14), False, False, False), None),
    'SYNs again of which the answers would not be heard': (((10, 14), True, False, False), 'rejected'),
    'SYNs at the end': (((28, 29), False, True, False), None),
    'SYNs though they were answered': (((14, 15, 17), True, True, True), 'rejected'),
    'SYNs though they were answered, at the end': (((26, 27, 29), True, True, True), None),
}


def check_syns(program, site, path, directory):
    failed = 0
    for name, ((seconds, same, heard, answered), meant) in SYNS.items():
        story = Story()
        for second in (0, 12, 30):
            story.works('Kerberos' if heard else 'SMB', DC if heard else EXCHANGE, 88 if heard else 445, second)
        for i, second in enumerate(seconds):
            if i == 0 or not same:
                line = Connection(story.net, story.at(second), DC, 1645 + i, EXCHANGE, 691)
            line.now = story.at(second)
            line.syn()
            line.seq[CLIENT] = line.isn[CLIENT] + 1
            if answered:
                line.step()
                line.segment(SERVER, SYN | ACK, seq=line.isn[SERVER])
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [(row['disposition'], row['outcome']) for row in audit.rows('SELECT * FROM conversations WHERE client = ? AND server = ?', DC, EXCHANGE)]
        audit.close()
        good = said == [(meant, 'unanswered')]
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said}")
        failed += not good
    return failed


def check_faint(program, site, path, directory):
    failed = 0
    for name, ((silent, answered, heard), meant) in FAINT.items():
        story = Story()
        for second in (0, 12, 30):
            story.works('Kerberos' if heard else 'SMB', DC if heard else EXCHANGE, 88 if heard else 445, second)
        if heard is True:
            story.works('SMTP', EXCHANGE, 25, 3)
        for flow, second in silent:
            story.net.udp(story.at(second), DC, 1645 + flow, EXCHANGE, 53, QUERY)
        for i, second in enumerate(answered):
            if second > 0:
                story.net.udp(story.at(second), DC, 1745 + i, EXCHANGE, 53, QUERY)
            story.net.udp(story.at(abs(second)) + wire.MS, EXCHANGE, 53, DC, 1745 + i, ANSWER)
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [(row['disposition'], row['reason']) for row in audit.rows(
            'SELECT c.disposition, f.reason FROM conversations c JOIN findings f ON f.conversation_id = c.conversation_id AND f.run_id = c.run_id'
            " WHERE c.client = ? AND c.server = ? AND c.outcome = 'unanswered'", DC, EXCHANGE)]
        audit.close()
        good = len(said) == 1 and said[0][0] == meant[0] and meant[1] in said[0][1]
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said}")
        failed += not good
    return failed


SEARCH = bytes.fromhex('3025020101632004000a01000a0100020100020100010100870b6f626a656374436c6173733000')  # LDAP, of everything
CALL = bytes.fromhex('0400080010000000') + bytes(16) + bytes.fromhex('0883afe11f5dc91191a408002b14a0fa') + bytes(40)  # DCE/RPC, connectionless
SPOKEN = {  # name: ((from, its port, to, port, what is sent), (client, port, verdict, confidence))
    'LDAP from its port': ((GC, 3268, UNITY, 1500, SEARCH), (UNITY, 3268, 'allowed', 'inferred-direction')),
    'DCE/RPC from its port': ((DC, 5001, UNITY, 1500, CALL), (UNITY, 5001, 'allowed', 'inferred-direction')),
    'a log from a port of LDAP': ((GC, 3268, UNITY, 1500, LOG), (GC, 1500, 'violation', 'port-only')),
    'LDAP from another port': ((GC, 3270, UNITY, 1500, SEARCH), (GC, 1500, 'violation', 'confirmed')),
    'LDAP to its port': ((UNITY, 1500, GC, 3268, SEARCH), (UNITY, 3268, 'allowed', 'confirmed')),
}


def check_spoken(program, site, path, directory):
    """Whose port is documented for what a datagram carries is the server, though it was seen to ask."""
    failed = 0
    for name, (datagram, meant) in SPOKEN.items():
        story = Story().begun()
        story.net.udp(story.at(20), *datagram)
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [(row['client'], row['server_port'], row['verdict'], row['confidence']) for row in audit.rows(
            "SELECT * FROM conversations WHERE transport = 'udp' AND (client_port_low = 1500 OR server_port = 1500)")]
        audit.close()
        good = said == [meant]
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said}")
        failed += not good
    return failed


NTP_TIME = struct.pack('!II', 0xE0000000, 1)
NTP = {mode: struct.pack('!BBBbII4s', 0x20 | mode, 2, 6, -20, 100, 100, b'GPS\0') + 4 * NTP_TIME for mode in (3, 4, 5)}
NO_ATTEMPT = 'and no request the other way between the same ports is in the capture'
RINGING = b'SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n'
REPLIES = {  # of what nobody is seen to have asked: ((from, its port, to, port, what, snap length), (client, port, disposition, is said, advice))
    'the time': ((UNITY, 123, DC, 1500, NTP[4], 262144), (DC, 123, 'escaped', f'from UDP 123 to its UDP 1500, carrying NTP; it is an answer, {NO_ATTEMPT}. ', 'on dc1 uses UDP 123 of unity1')),
    'the time, to where it is sent from': ((EXCHANGE, 123, DC, 123, NTP[4], 262144), (DC, 123, 'escaped', f'; it is an answer, {NO_ATTEMPT}. ', 'on dc1 uses UDP 123 of exch1')),
    'the time, cut': ((UNITY, 123, DC, 1500, NTP[4], 60), (DC, 123, None, f'looks like NTP; it looks like an answer, {NO_ATTEMPT}, so whether it got through cannot be told (who began is',
                                                            'on dc1 uses UDP 123 of unity1')),
    'an answer about a name, cut': ((EXCHANGE, 53, UNITY, 1500, QUERY[:2] + b'\x81\x80' + QUERY[4:], 60), (UNITY, 53, 'escaped', f'from UDP 53 to its UDP 1500, and the content looks like DNS; it looks like an answer, {NO_ATTEMPT}. ',
                                                                                                        'on unity1 uses UDP 53 of exch1')),
    'a request, cut': ((UNITY, 1500, EXCHANGE, 123, NTP[3], 60), (UNITY, 123, None, 'looks like NTP; no answer was seen, so', 'on unity1 tries UDP 123 of exch1')),
    'ringing': ((UNITY, 5060, DC, 1500, RINGING, 262144), (DC, 5060, 'escaped', f'from UDP 5060 to its UDP 1500, carrying SIP; it is an answer, {NO_ATTEMPT}. ', 'on dc1 uses UDP 5060 of unity1')),
    'the time, unasked': ((UNITY, 123, DC, 1500, NTP[5], 262144), (DC, 123, 'escaped', '; no packet the other way was seen. ', 'on dc1 uses UDP 123 of unity1')),
    'an answer about a name': ((EXCHANGE, 53, UNITY, 1500, QUERY[:2] + b'\x81\x80' + QUERY[4:], 262144), (UNITY, 53, 'escaped', f'; it is an answer, {NO_ATTEMPT}. ', 'on unity1 uses UDP 53 of exch1')),
}


def check_replies(program, site, path, directory):
    """An answer is told as one."""
    failed = 0
    for name, ((*datagram, snaplen), meant) in REPLIES.items():
        story = Story().begun()
        story.works('SMTP', EXCHANGE, 25, 3)
        story.net.udp(story.at(20), *datagram)
        story.snaplen = snaplen
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [tuple(row.values()) for row in audit.rows("SELECT client, server_port, disposition, reason FROM findings WHERE transport = 'udp'")]
        audit.close()
        good = len(said) == 1 and said[0][:3] == meant[:3] and meant[3] in said[0][3] and meant[4] in said[0][3]
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said}")
        failed += not good
    return failed


def ike(response, flags):
    """IKE_SA_INIT (RFC 7296, 3.1) without payloads."""
    return struct.pack('!8s8sBBBBII', b'initiate', b'response' if response else bytes(8), 0, 0x20, 34, flags, 0, 28)


def sip(line):
    return f'{line}\r\nCSeq: 1 INVITE\r\n\r\n'.encode()


INVITE, BYE, SIP_OK = sip('INVITE sip:a@b SIP/2.0'), sip('BYE sip:a@b SIP/2.0'), sip('SIP/2.0 200 OK')
CALLED, CALLS = (EXCHANGE, 5060, UNITY, 5060), (UNITY, 5060, EXCHANGE, 5060)
BEGAN, UNSURE = '(who began is not in the capture)', 'cannot be told (who began is not in the capture)'
BEGINNINGS = {  # of datagrams that no row allows: (each: (from, its port, to, port[, what]), ...), (client, port, disposition, what is said, what is not)
    'from a port of GTP, and an answer': (((DC, 2123, UNITY, 1024), (UNITY, 1024, DC, 2123)), (UNITY, 2123, 'escaped', BEGAN, 'on UDP 1024')),
    'from a port of GTP': (((DC, 2123, UNITY, 1024),), (UNITY, 2123, None, UNSURE, 'on UDP 1024')),
    'from a port of QUIC, and an answer': (((EXCHANGE, 443, DC, 52425), (DC, 52425, EXCHANGE, 443)), (DC, 443, 'escaped', BEGAN, 'on UDP 52425')),
    'to a port of QUIC, and an answer': (((DC, 52425, EXCHANGE, 443), (EXCHANGE, 443, DC, 52425)), (DC, 443, 'escaped', 'it was answered', BEGAN)),
    'from the port of NFS, and an answer': (((DC, 2049, UNITY, 789), (UNITY, 789, DC, 2049)), (UNITY, 2049, 'escaped', BEGAN, 'on UDP 789')),
    'to the port of NFS, and an answer': (((UNITY, 789, DC, 2049), (DC, 2049, UNITY, 789)), (UNITY, 2049, 'escaped', 'it was answered', BEGAN)),
    'from a low port, and an answer': (((UNITY, 789, DC, 40000), (DC, 40000, UNITY, 789)), (UNITY, 40000, 'escaped', BEGAN, 'it was answered')),
    'from a low port': (((UNITY, 789, DC, 40000),), (UNITY, 40000, None, UNSURE, 'on UDP 789')),
    'from a port to one, and an answer': (((UNITY, 1789, DC, 40000), (DC, 40000, UNITY, 1789)), (UNITY, 40000, 'escaped', 'it was answered', BEGAN)),
    'SIP, the row is the other direction\'s': (((*CALLS, INVITE), (*CALLED, SIP_OK), (*CALLS, BYE), (*CALLED, SIP_OK)), (UNITY, 5060, 'escaped', 'has only the other direction', BEGAN)),
    'SIP, what ends a call first': (((*CALLED, BYE), (*CALLS, SIP_OK), (*CALLS, INVITE), (*CALLED, SIP_OK)), (UNITY, 5060, 'escaped', 'it was answered, and the first packet', BEGAN)),
    'SIP, what ends a call alone': (((DC, 5060, UNITY, 5060, BYE), (UNITY, 5060, DC, 5060, SIP_OK)), (DC, 5060, 'escaped', BEGAN, 'it was answered')),
    'SIP, a call is changed by who was called': (((*CALLED, INVITE.replace(b'To: ', b'To: <sip:a@b>;tag=7;x=') if b'To: ' in INVITE else INVITE.replace(b'\r\n', b'\r\nTo: <sip:a@b>;tag=7\r\n', 1)), (*CALLS, SIP_OK), (*CALLS, INVITE), (*CALLED, SIP_OK)), (UNITY, 5060, 'escaped', 'it was answered, and the first packet', BEGAN)),
    'SIP, no request': (((DC, 5060, UNITY, 5060, b'\r\n\r\n'), (UNITY, 5060, DC, 5060, b'\r\n\r\n')), (DC, 5060, 'escaped', BEGAN, 'it was answered')),
    'IKE, its response first': (((DC, 500, UNITY, 500, ike(True, 0x20)), (UNITY, 500, DC, 500, ike(True, 8))), (UNITY, 500, 'escaped', 'the first packet of it that was captured is the server', BEGAN)),
    'IKE behind a translation, its response first': (((DC, 4500, UNITY, 4500, bytes(4) + ike(True, 0x20)), (UNITY, 4500, DC, 4500, bytes(4) + ike(True, 8))), (UNITY, 4500, 'escaped', 'is the server', BEGAN)),
}


def check_beginnings(program, site, path, directory):
    """Who is the client is told no more surely than ports and headers show."""
    failed = 0
    for name, (datagrams, meant) in BEGINNINGS.items():
        story = Story().begun()
        story.works('SMTP', EXCHANGE, 25, 3)
        for i, (sender, sport, receiver, dport, *data) in enumerate(datagrams):
            story.net.udp(story.at(20 + i), sender, sport, receiver, dport, *(data or [b'\x03' * 24]))
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [tuple(row.values()) for row in audit.rows("SELECT client, server_port, disposition, reason FROM findings WHERE transport = 'udp'")]
        audit.close()
        good = len(said) == 1 and said[0][:3] == meant[:3] and meant[3] in said[0][3] and meant[4] not in said[0][3]
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said}")
        failed += not good
    return failed


def name_message(flags, record, address=bytes(4)):
    """A query with its question, or an answer with one record of that type (RFC 1002, 4.2)."""
    answer = flags >> 15
    name = windows.netbios_name('FILES')
    return struct.pack('!HHHHHH', 7, flags, not answer, answer, 0, 0) + name + struct.pack('!HH', record, 1) + (struct.pack('!IHH4s', 60, 6, 0, address) if answer else b'')


QUESTION, STATUS, REFUSED, TOLD_OF = name_message(0x0100, 0x20), name_message(0, 0x21), name_message(0xAD86, 0x20), name_message(0x8500, 0x20)
STATUS_IS, SERVED, TOLD_OF_ITSELF = name_message(0x8400, 0x21), name_message(0x8580, 0x20), name_message(0x8580, 0x20, bytes(map(int, DC.split('.'))))
NO_SUCH = name_message(0x8583, 0x0A)
ASKED_NOBODY = ('not-covered', 0)
NAMES = {  # datagrams from 137 to 137: ((from, to, what), ...), what is known of NetBIOS from unity1 to dc1, and how often it was tried
    'a query of the client': (((UNITY, DC, QUESTION), (DC, UNITY, TOLD_OF)), ('seen', 1)),
    'a query of the server, and its answer': (((DC, UNITY, STATUS), (UNITY, DC, STATUS_IS)), ASKED_NOBODY),
    'queries of both': (((DC, UNITY, STATUS), (UNITY, DC, STATUS_IS), (UNITY, DC, QUESTION), (DC, UNITY, TOLD_OF)), ('seen', 1)),
    'a query of the server': (((DC, UNITY, STATUS),), ASKED_NOBODY),
    'a registration refused': (((DC, UNITY, REFUSED),), ASKED_NOBODY),
    'an answer that may be to a broadcast': (((DC, UNITY, TOLD_OF),), ASKED_NOBODY),
    'an answer about itself, with the bit of name servers': (((DC, UNITY, TOLD_OF_ITSELF),), ASKED_NOBODY),
    'the same to the port of a client of its own': (((DC, UNITY, TOLD_OF_ITSELF, 40000),), ASKED_NOBODY),
    'that there is no such name': (((DC, UNITY, NO_SUCH),), ('one-way', 1)),
    'an answer of a name server': (((DC, UNITY, SERVED),), ('one-way', 1)),
    'the status of a host': (((DC, UNITY, STATUS_IS),), ('one-way', 1)),
    'answers of both': (((UNITY, DC, REFUSED), (DC, UNITY, TOLD_OF)), ASKED_NOBODY),
    'answers of the client': (((UNITY, DC, REFUSED), (UNITY, DC, STATUS_IS)), ASKED_NOBODY),
    'its answer to a broadcast': (((DC, '10.20.255.255', QUESTION), (UNITY, DC, TOLD_OF)), ('never-attempted', 0)),
    'its answers, of which one is to no broadcast': (((DC, '10.20.255.255', QUESTION), (UNITY, DC, TOLD_OF), (UNITY, DC, STATUS_IS)), ASKED_NOBODY),
    'a query of the server after an answer to its broadcast': (((DC, '10.20.255.255', QUESTION), (UNITY, DC, TOLD_OF), (DC, UNITY, STATUS), (UNITY, DC, STATUS_IS)), ASKED_NOBODY),
    'a query of the server, and an answer to one of the client': (((DC, UNITY, STATUS), (UNITY, DC, STATUS_IS), (DC, UNITY, STATUS_IS)), ('seen', 1)),
}
ASKED_BACK = {'a query of the server, and its answer', 'a query of the server', 'a query of the server after an answer to its broadcast'}  # the server is the client of these


def check_names(program, site, path, directory):
    """A query of the server is no attempt of the client, and no row's of the other direction; nor is an answer to what may have been a broadcast."""
    failed = 0
    cut = [(name + ', cut', case, 60) for name, case in NAMES.items() if case[1] == ASKED_NOBODY and STATUS_IS not in [d[2] for d in case[0][-1:]]]
    for name, (datagrams, meant), snaplen in [(name, case, 262144) for name, case in NAMES.items()] + cut:
        story = Story()
        story.snaplen = snaplen
        for second in (3, 12, 17, 28):
            story.works('LDAP', DC, 389, second)
        for i, (sender, receiver, data, *port) in enumerate(datagrams):
            story.net.udp(story.at(20 + i), sender, 137, receiver, *(port or [137]), data)
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [tuple(row.values()) for row in audit.rows("SELECT outcome, attempts, reason FROM expectations WHERE row_id = 'unity-dc-netbios'")]
        back = [row['verdict'] for row in audit.rows(f"SELECT verdict FROM conversations WHERE client = '{DC}' AND server = '{UNITY}' AND server_port = 137")]
        audit.close()
        good = [s[:2] for s in said] == [meant] and back == (['violation'] if name.removesuffix(', cut') in ASKED_BACK else []) and (meant != ASKED_NOBODY or 'No attempt of unity1' in said[0][2])
        print(f"{'ok' if good else 'NOT OK'}  {name}: {said} {back}")
        failed += not good
    for client, server, meant in (('unity1', 'dc1', 'allowed: '), ('dc1', 'unity1', 'violation (wrong-direction): ')):
        said = subprocess.run([program, 'explain', '-s', site, client, server, 'udp/137', '--protocol', 'NetBIOS', '--client-port', '137', '--both'], capture_output=True, text=True, check=False).stdout
        good = said.startswith(meant) and ('if others are captured, or none, row unity-dc-netbios of the other direction allows it' in said) == (client == 'dc1')
        print(f"{'ok' if good else 'NOT OK'}  names of {client} explained {'' if good else said}")
        failed += not good
    return failed


def check_damaged(program, site, path, directory):
    """What a datagram with a wrong IP header checksum says of its sender is told with that, unless it was left to the interface, or more of the flow is there."""
    failed = 0
    for name, times, wrong, meant in (('whole', 1, None, False), ('damaged', 1, b'\x00\x01', True), ('left to the interface', 1, b'\x00\x00', False), ('one of two', 2, b'\x00\x01', False)):
        story = Story().begun()
        story.works('SMTP', EXCHANGE, 25, 3)
        for i in range(times):
            story.net.udp(story.at(16 + i), DC, 1645, EXCHANGE, 9, b'anyone there?')
        story.write(path)
        if wrong is not None:
            with open(path, 'rb+') as file:
                at = file.read().index(b'anyone there?') - 28 + 10  # the checksum of the first
                file.seek(at)
                file.write(wrong)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [row['reason'] for row in audit.rows("SELECT reason FROM findings WHERE transport = 'udp'")]
        audit.close()
        good = len(said) == 1 and ('The IP header checksum of this packet is wrong' in said[0]) == meant
        print(f"{'ok' if good else 'NOT OK'}  a datagram's header, {name}: {'' if good else said}")
        failed += not good
    return failed


def check_closed(program, site, path, directory):
    """A closed port's RST, ACK of the number 0 alone, from a port that says nothing to one of a server: who tried is the other."""
    story = Story().begun()
    line = Connection(story.net, story.at(8), DC, 389, EXCHANGE, 40000)
    line.syn()
    line.refuse()
    story.write(path, EXCHANGE)
    audit = flowdb.Audit(program, site, [path], directory=directory)
    said = [(row['client'], row['server_port'], row['disposition'], row['confidence']) for row in audit.rows(
        "SELECT * FROM conversations WHERE ? IN (client, server) AND ? IN (client, server) AND transport = 'tcp'", DC, EXCHANGE)]
    audit.close()
    good = said == [(DC, 40000, None, 'inferred-direction')]
    print(f"{'ok' if good else 'NOT OK'}  a closed port answers what is not in the capture: {said}")
    return not good


def check_folded(program, site, path, directory):
    """Of like findings that are told as one not each was rejected: the first was, of the others nobody knows."""
    story, failed = Story().begun(), 0
    story.works('SMTP', EXCHANGE, 25, 3)
    for i in range(6):
        sent = story.net.udp(story.at(16 + i), DC, 1645, EXCHANGE, 9 + i, b'anyone there?')
        if i == 0:
            story.net.unreachable(story.at(24), FILTER, sent, 0, kind=11)
    story.write(path)
    audit = flowdb.Audit(program, site, [path], directory=directory)
    said = [row['disposition'] for row in audit.rows("SELECT disposition FROM findings WHERE transport = 'udp' ORDER BY finding_id")]
    audit.close()
    for kind, end in (('text', '\n  #'), ('html', '</article>')):
        report = subprocess.run([program, 'report', audit.path, '--format', kind], capture_output=True, text=True, check=False).stdout
        at = report.find('no-row, 6 like findings' if kind == 'html' else 'udp/9-14, 6 like findings')
        told = report[at:report.find(end, at)]
        good = said == ['rejected'] + 5 * [None] and at >= 0 and 'unanswered' in told and 'rejected' not in told
        print(f"{'ok' if good else 'NOT OK'}  like findings as {kind}: {said} {'' if good else told}")
        failed += not good
    return failed


def check_unbegun(program, _, path, directory):
    """The first flow of which nobody knows who began is told with its own port, which is not the lowest."""
    site, story = os.path.join(directory, 'workstation.yaml'), Story().begun()
    with open(site, 'w', encoding='utf-8') as out:
        out.write(SITE + '  ws1: {addresses: [10.20.8.20], roles: [subscriber-workstation]}\n')
    for port, second in ((2000, 5), (1500, 10)):
        line = Connection(story.net, story.at(second), UNITY, port, '10.20.8.20', 4000)
        for side, data in ((CLIENT, b'one'), (SERVER, b'two'), (CLIENT, b'three')):
            line.segment(side, ACK, data)
            line.step()
    story.write(path)
    audit = flowdb.Audit(program, site, [path], directory=directory)
    said = [row['reason'] for row in audit.rows("SELECT reason FROM findings WHERE kind = 'site' AND reason LIKE '%such flow%'")]
    packet = audit.rows("SELECT first_packet_number AS n FROM conversations WHERE server = '10.20.8.20'")[0]['n']
    audit.close()
    meant = f'no such flow, but 2 that may be one, for who began is not in the capture, the first between TCP 2000 of unity1 ({UNITY}) and TCP 4000 of ws1 (10.20.8.20) (packet {packet} of made.pcap).'
    good = len(said) == 1 and said[0].endswith(meant)
    print(f"{'ok' if good else 'NOT OK'}  the first of which nobody knows who began: {said}")
    return not good


def check_calls(program, _, path, directory):
    """Media that goes on at the beginning was begun by nobody knows whom, and that a port was not used is no news where nothing that went there was captured."""
    site, phone, failed = os.path.join(directory, 'phone.yaml'), '10.20.9.7', 0
    with open(site, 'w', encoding='utf-8') as out:
        out.write(SITE + f'  phone1: {{addresses: [{phone}], roles: [phone]}}\n')
    for second, began in ((0, f'; packets came the other way too {BEGAN}. '), (20, '; packets came the other way too. ')):
        story = Story().begun()
        for i in range(10):
            story.net.udp(story.at(second) + 20 * i * wire.MS, DC, 1645, UNITY, 1648, rtp(i))
            story.net.udp(story.at(second) + (20 * i + 5) * wire.MS, UNITY, 1648, DC, 1645, rtp(i))
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [row['reason'] for row in audit.rows("SELECT reason FROM findings WHERE transport = 'udp'")]
        audit.close()
        good = len(said) == 1 and began in said[0]
        print(f"{'ok' if good else 'NOT OK'}  media at second {second}: {said}")
        failed += not good
    sdp = f'v=0\r\nc=IN IP4 {phone}\r\nm=audio 40000 RTP/AVP 0\r\n'
    answer = f'SIP/2.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n\r\n{sdp}'.encode()
    for asked, meant in ((True, ', and no flow to it was seen. '), (False, f'; no TCP or UDP packet to phone1 ({phone}) is in the capture, so whether it was used cannot be told. ')):
        story = Story().begun()
        if asked:
            story.net.udp(story.at(19), UNITY, 5060, phone, 5060, INVITE)
        story.net.udp(story.at(20), phone, 5060, UNITY, 5060, answer)
        story.write(path)
        audit = flowdb.Audit(program, site, [path], directory=directory)
        said = [row['reason'] for row in audit.rows("SELECT reason FROM findings WHERE reason LIKE '%was announced%'")]
        audit.close()
        good = len(said) == 1 and meant in said[0]
        print(f"{'ok' if good else 'NOT OK'}  a port announced, asked {asked}: {said}")
        failed += not good
    return failed


def read(audit):
    ldap = audit.rows("SELECT outcome FROM conversations WHERE client = ? AND server = ? AND server_port = 389", UNITY, DC)
    expected = audit.rows("SELECT outcome FROM expectations WHERE row_id = 'unity-dc-ldap'")
    separated = audit.rows("SELECT severity, reason FROM findings WHERE kind = 'separated' AND client = ? AND server = ?", UNITY, DC)
    said = (ldap[0]['outcome'] if ldap else None, expected[0]['outcome'] if expected else None, separated[0]['severity'] if separated else None)
    return said, separated[0]['reason'] if separated else ''


def dump(path):
    with sqlite3.connect(path) as db:
        return [line for line in db.iterdump() if not line.startswith('INSERT INTO "run"')]


def main():
    program, _ = sys.argv[1:3]
    failed = 0
    with flowdb.scratch() as directory:
        site, path = os.path.join(directory, 'site.yaml'), os.path.join(directory, 'made.pcap')
        with open(site, 'w', encoding='utf-8') as out:
            out.write(SITE)
        for name, (story, without, *meant) in CASES.items():
            story().write(path, without)
            dumps = []
            for workers in ('1', '3'):
                audit = flowdb.Audit(program, site, [path], '-j', workers, '--flows', 'all', directory=directory)
                said, reason = read(audit)
                worded = check_words(name, audit) and check_disposition(name, audit)
                audit.close()
                dumps.append(dump(audit.path))
            good = said == tuple(meant) and worded and dumps[0] == dumps[1]
            print(f"{'ok' if good else 'NOT OK'}  {name}: {said} {reason}")
            if said != tuple(meant):
                print('   meant:', tuple(meant))
            if dumps[0] != dumps[1]:
                print('   one worker and three differ:', [p for p in zip(*dumps) if p[0] != p[1]][:2])
            failed += not good
        failed += check_leases(program, site, path, directory)
        failed += check_unheard(program, site, path, directory)
        failed += check_ends(program, site, path, directory)
        failed += check_alive(program, site, path, directory)
        failed += check_headline(program, site, path, directory)
        failed += check_lost(program, site, path, directory)
        failed += check_one_way(program, site, path, directory)
        failed += check_again(program, site, path, directory)
        failed += check_ports(program, site, path, directory)
        failed += check_datagrams(program, site, path, directory)
        failed += check_syns(program, site, path, directory)
        failed += check_faint(program, site, path, directory)
        failed += check_damaged(program, site, path, directory)
        failed += check_closed(program, site, path, directory)
        failed += check_folded(program, site, path, directory)
        failed += check_unbegun(program, site, path, directory)
        failed += check_calls(program, site, path, directory)
        failed += check_replies(program, site, path, directory)
        failed += check_beginnings(program, site, path, directory)
        failed += check_names(program, site, path, directory)
        failed += check_spoken(program, site, path, directory)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
