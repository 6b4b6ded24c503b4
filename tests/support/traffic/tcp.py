# SPDX-License-Identifier: Apache-2.0
"""TCP as two well-behaved stacks speak it: handshake with MSS, segments, acknowledgements, FIN both ways or RST."""

import struct

from . import wire

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
CLIENT, SERVER = 0, 1


class Connection:
    """A time line of its own: 'now' moves on with each packet.  'send' and 'close' may be mixed with 'wait'."""

    def __init__(self, net, now, client, sport, server, dport, rtt=400 * wire.US, mss=1460):
        self.net, self.now, self.rtt, self.mss = net, now, rtt, mss
        self.addr, self.port = (client, server), (sport, dport)
        prng = net.prng("tcp %s %d %s %d" % (client, sport, server, dport))
        self.prng = prng
        self.isn = [prng.u32(), prng.u32()]
        self.seq = list(self.isn)
        self.window = (64240, 65535)
        self.owes = [False, False]  # has data to acknowledge
        if ":" in client:
            self.mss = mss - 20

    def step(self, part=2):
        self.now += self.rtt // part + self.prng.below(self.rtt // 8)

    def wait(self, ns):
        self.flush()
        self.now += ns

    def segment(self, side, flags, data=b"", seq=None, options=b"", ack=True):
        other = 1 - side
        number = self.seq[side] if seq is None else seq
        acked = self.seq[other] if ack and flags & ACK else 0
        head = (
            struct.pack(
                "!HHIIBBHHH",
                self.port[side],
                self.port[other],
                number & 0xFFFFFFFF,
                acked & 0xFFFFFFFF,
                (5 + len(options) // 4) << 4,
                flags,
                self.window[side],
                0,
                0,
            )
            + options
        )
        value = wire.transport_checksum(self.addr[side], self.addr[other], wire.TCP, head + data)
        packet = head[:16] + struct.pack("!H", value) + head[18:] + data
        return self.net.emit(self.now, self.addr[side], self.addr[other], wire.TCP, packet)

    def syn(self):
        """Only the SYN, again with each call (the sequence number stays)."""
        return self.segment(CLIENT, SYN, options=self._options(), seq=self.isn[CLIENT], ack=False)

    def _options(self):
        return struct.pack("!BBH", 2, 4, self.mss) + b"\x01\x01\x04\x02"

    def open(self):
        self.syn()
        return self.accept()

    def accept(self):
        """The rest of the handshake after syn()."""
        self.seq[CLIENT] = self.isn[CLIENT] + 1
        self.step()
        self.segment(SERVER, SYN | ACK, options=self._options(), seq=self.isn[SERVER])
        self.seq[SERVER] = self.isn[SERVER] + 1
        self.step()
        self.segment(CLIENT, ACK)
        return self

    def refuse(self):
        """RST to the SYN."""
        self.seq[CLIENT] = self.isn[CLIENT] + 1
        self.seq[SERVER] = 0
        self.step()
        head = self.window
        self.window = (head[0], 0)
        self.segment(SERVER, RST | ACK, seq=0)
        self.window = head

    def flush(self):
        for side in (CLIENT, SERVER):
            if self.owes[side]:
                self.step(4)
                self.segment(side, ACK)
                self.owes[side] = False

    def send(self, side, data):
        if self.owes[1 - side]:
            self.flush()
        self.step()
        parts = [data[i : i + self.mss] for i in range(0, len(data), self.mss)]
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            self.segment(side, ACK | (PSH if last else 0), part)
            self.seq[side] += len(part)
            self.owes[side] = False
            if i % 2 and not last:
                self.step()
                self.segment(1 - side, ACK)
            elif not last:
                self.now += 12 * wire.US
        self.owes[1 - side] = True
        return self

    def c(self, data):
        return self.send(CLIENT, data)

    def s(self, data):
        return self.send(SERVER, data)

    def talk(self, *messages):
        """Client, server, client, ..."""
        for i, data in enumerate(messages):
            self.send(i % 2, data)
        return self

    def close(self, by=CLIENT):
        self.flush()
        other = 1 - by
        self.step()
        self.segment(by, FIN | ACK)
        self.seq[by] += 1
        self.step()
        self.segment(other, ACK)
        self.step(8)
        self.segment(other, FIN | ACK)
        self.seq[other] += 1
        self.step()
        self.segment(by, ACK)

    def reset(self, by=CLIENT):
        self.flush()
        self.step()
        self.segment(by, RST | ACK)
