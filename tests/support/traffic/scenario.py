# SPDX-License-Identifier: Apache-2.0
"""A story on a wire: named hosts, flows put at times, and beside each flow what its maker says of it (the truth
tables)."""

import contextlib

from . import flows, voice, wire
from .tcp import CLIENT, SERVER, Connection

COLUMNS = (
    "client",
    "client_port",
    "server",
    "server_port",
    "transport",
    "app",
    "verdict",
    "kind",
    "outcome",
    "row",
    "packets",
    "first_packet",
    "intended",
    "note",
)


class Flow:
    """One flow and its truth.  'intended': what a TCP analyser may rightly remark upon here ("duplicates",
    "midstream", ...)."""

    def __init__(self, client, sport, server, dport, transport, app, **truth):
        self.client, self.client_port, self.server, self.server_port = client, sport, server, dport
        self.transport, self.app = transport, app
        self.verdict = truth.pop("verdict", "allowed")
        self.kind = truth.pop("kind", "")
        self.outcome = truth.pop("outcome", "established")
        self.row = truth.pop("row", "")
        self.intended = truth.pop("intended", "")
        self.note = truth.pop("note", "")
        if truth:
            raise TypeError("unknown words of truth: %s" % ", ".join(truth))
        self.packets = []

    def line(self):
        values = dict(vars(self), packets=len(self.packets), first_packet=min(p.number for p in self.packets))
        return [str(values[name]) or "-" for name in COLUMNS]


class Scenario:
    def __init__(self, seed, start):
        """'start': seconds since 1970 of second 0 of the story."""
        self.net, self.start = wire.Wire(seed), start * wire.SECOND
        self.prng = self.net.prng("scenario")
        self.flows, self.findings = [], []

    def time(self, second):
        """A time of the story in ns, with a few ms of life in it."""
        return self.start + round(second * 1000) * wire.MS + self.prng.below(9000) * wire.US

    def host(self, name, v4, v6=None, **more):
        return self.net.host(name, v4, v6, **more)

    def __getitem__(self, name):
        return self.net.hosts[name]

    @contextlib.contextmanager
    def flow(self, client, sport, server, dport, transport, app, v6=False, **truth):
        """For what is put on the wire by hand: yields (flow, client address, client port, server address)."""
        client, server = self[client], self[server]
        sport = client.port() if sport is None else sport
        a, b = client.address(v6), server.address(v6)
        flow = Flow(a, sport, b, dport, transport, app, **truth)
        self.flows.append(flow)
        self.net.flow = flow
        try:
            yield flow, a, sport, b
        finally:
            self.net.flow = None

    def service(self, second, app, client, server, dport, transport="tcp", sport=None, v6=False, **truth):
        """One ordinary exchange.  'app' is a name of flows.content(), or "-" for opaque bytes."""
        with self.flow(client, sport, server, dport, transport, app, v6, **truth) as (flow, a, sport, b):
            flows.flow_for(self.net, app, a, sport, b, dport, transport, self.time(second))
        return flow

    def talk(self, second, app, client, server, dport, messages, sport=None, closes=CLIENT, **truth):
        """A TCP connection with these (side, message)."""
        with self.flow(client, sport, server, dport, "tcp", app, **truth) as (flow, a, sport, b):
            line = Connection(self.net, self.time(second), a, sport, b, dport).open()
            for side, message in messages:
                line.send(side, message)
                line.now += self.prng.below(1500) * wire.US
            line.close(closes)
        return flow

    def persistent(self, events, app, client, server, dport, middle=False, **truth):
        """A connection that lasts: 'events' are (second, side, message) in order.  'middle': its handshake was
        before the capture."""
        with self.flow(client, None, server, dport, "tcp", app, intended="midstream" if middle else "", **truth) as (
            flow,
            a,
            sport,
            b,
        ):
            line = Connection(self.net, self.time(events[0][0]), a, sport, b, dport)
            if middle:
                line.seq = [line.isn[0] + 1, line.isn[1] + 1]
            else:
                line.open()
            for second, side, message in events:
                line.flush()
                line.now = max(line.now, self.start + round(second * 1000) * wire.MS)
                line.send(side, message)
            line.flush()
        return flow

    def blocked(self, second, app, client, server, dport, answer, tries=3, sport=None, **truth):
        """SYNs that get nowhere.  'answer': "nothing", "rst", or the host that says by ICMP that it is prohibited."""
        intended = truth.pop("intended", "retransmission" if tries > 1 else "")
        with self.flow(client, sport, server, dport, "tcp", app, intended=intended, **truth) as (flow, a, sport, b):
            line = Connection(self.net, self.time(second), a, sport, b, dport)
            for i in range(tries):
                syn = line.syn()
                if answer == "rst":
                    line.refuse()
                elif answer != "nothing":
                    self.net.unreachable(line.now + 220 * wire.US, self[answer].v4, syn, 13)
                line.now = syn.time + (3 << i) * wire.SECOND
        return flow

    def blocked_datagram(self, second, app, client, server, dport, message, answer, code=13, tries=2, **truth):
        with self.flow(client, None, server, dport, "udp", app, **truth) as (flow, a, sport, b):
            now = self.time(second)
            for _ in range(tries):
                packet = self.net.udp(now, a, sport, b, dport, message)
                if answer != "nothing":
                    self.net.unreachable(now + 230 * wire.US, self[answer].v4, packet, code)
                now += 5 * wire.SECOND
        return flow

    def media(self, second, caller, caller_port, callee, callee_port, seconds, late=False, **truth):
        """G.711 both ways and RTCP beside it.  'late': the callee has closed its socket when the caller's last
        packets come."""
        kinds = dict(truth)
        with self.flow(caller, caller_port, callee, callee_port, "udp", "RTP", **kinds) as (flow, a, _, b):
            now = self.time(second)
            streams = voice.RtpStream(self.net.prng("rtp %s %d" % (a, caller_port))), voice.RtpStream(
                self.net.prng("rtp %s %d" % (b, callee_port))
            )
            end = now + round(seconds * 50) * 20 * wire.MS
            reports = []
            for i in range(round(seconds * 50)):
                when = now + i * 20 * wire.MS
                self.net.udp(when + self.prng.below(900) * wire.US, a, caller_port, b, callee_port, streams[0].packet())
                self.net.udp(
                    when + 7 * wire.MS + self.prng.below(900) * wire.US,
                    b,
                    callee_port,
                    a,
                    caller_port,
                    streams[1].packet(),
                )
                if i % 150 == 149:
                    reports.append(
                        (when + 11 * wire.MS, streams[0].report(when, caller), streams[1].report(when, callee))
                    )
            if late:
                packet = self.net.udp(end, a, caller_port, b, callee_port, streams[0].packet())
                self.net.unreachable(end + wire.MS, b, packet, 3)
        kinds["note"] = "RTCP of the call"
        with self.flow(caller, caller_port + 1, callee, callee_port + 1, "udp", "RTCP", **kinds):
            for when, one, two in reports:
                self.net.udp(when, a, caller_port + 1, b, callee_port + 1, one)
                self.net.udp(when + 13 * wire.MS, b, callee_port + 1, a, caller_port + 1, two)
            if not reports:
                self.net.udp(end, a, caller_port + 1, b, callee_port + 1, streams[0].report(end, caller))
                self.net.udp(end + wire.MS, b, callee_port + 1, a, caller_port + 1, streams[1].report(end, callee))
            if late:
                packet = self.net.udp(
                    end + 2 * wire.MS, a, caller_port + 1, b, callee_port + 1, streams[0].report(end, caller)
                )
                self.net.unreachable(end + 3 * wire.MS, b, packet, 3)
        return flow

    def seen_twice(self, flow):
        """The span shows every packet of this flow before and after a router."""
        for packet in list(flow.packets):
            self.net.routed_copy(packet)
        flow.intended = "duplicates"

    def finding(self, kind, client, server, port="", row="", outcome="", note=""):
        """What the program must report, beyond single flows too; port as "tcp/389".  Written by address: a site file may
        name a whole network where the scenario names one host in it."""
        ends = [self.net.hosts[end].v4 if end in self.net.hosts else end for end in (client, server)]
        self.findings.append((kind, *ends, port, row, outcome, note))


__all__ = ["CLIENT", "COLUMNS", "SERVER", "Flow", "Scenario"]
