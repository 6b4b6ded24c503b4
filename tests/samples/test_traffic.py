#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The traffic generator itself, where no other program can say that it is right."""

import os
import struct
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = os.path.join(HERE, "..", "replay", "rows", "generate.py")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from traffic import SECOND, Wire, capture, flow_for, prng, wire  # noqa: E402


def one_flow(protocol="HTTP", transport="tcp", port=80):
    net = Wire(seed=3)
    flow_for(net, protocol, "10.0.0.1", 1025, "10.0.0.2", port, transport, SECOND)
    return net


def run_rows(text):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.pcap")
        done = subprocess.run([sys.executable, ROWS, out], input=text, text=True, stderr=subprocess.PIPE, check=False)
        data = b""
        if os.path.exists(out):
            with open(out, "rb") as file:
                data = file.read()
        return done.returncode, done.stderr, data


def pcap_times(data):
    times, at = [], 24
    while at < len(data):
        seconds, us, size, _ = struct.unpack_from("<IIII", data, at)
        times.append(seconds * 1000000 + us)
        at += 16 + size
    return times


class Bytes(unittest.TestCase):
    def test_prng_is_splitmix64(self):
        stream = prng.Prng(1234567)  # reference values of the algorithm's author
        self.assertEqual(
            [stream.u64() for _ in range(3)], [6457827717110365317, 3203168211198807973, 9817491932198370423]
        )

    def test_checksum_of_rfc1071(self):
        self.assertEqual(wire.checksum(bytes.fromhex("0001f203f4f5f6f7")), 0xFFFF ^ 0xDDF2)
        self.assertEqual(wire.checksum(b"\x01"), 0xFFFF ^ 0x0100)

    def test_same_seed_same_bytes(self):
        self.assertEqual(capture.write_pcap(one_flow().frames()), capture.write_pcap(one_flow().frames()))

    def test_pcapng_blocks_fill_the_file(self):
        net = one_flow()
        net.packets[0].comment = "note"
        data, kinds, at = capture.write_pcapng(net.frames(), "if0", "text", "about"), [], 0
        while at < len(data):
            kind, size = struct.unpack_from("<II", data, at)
            self.assertEqual(struct.unpack_from("<I", data, at + size - 4)[0], size)
            kinds.append(kind)
            at += size
        self.assertEqual(at, len(data))
        self.assertEqual(kinds[:2] + kinds[-1:], [0x0A0D0D0A, 1, 5])
        self.assertEqual(kinds[2:-1], [6] * len(net.packets))


class OnTheWire(unittest.TestCase):
    def test_sequence_numbers_join(self):
        """What each side sends begins where its last segment ended, and what it acknowledges has been sent."""
        after = {}
        for _, frame, _ in one_flow().frames():
            source = frame[26:30]
            size = struct.unpack_from("!H", frame, 16)[0]
            sequence, acknowledged = struct.unpack_from("!II", frame, 38)
            flags, payload = frame[47], size - 20 - (frame[46] >> 4) * 4
            self.assertEqual(sequence, after.get(source, sequence))
            after[source] = (sequence + payload + (1 if flags & 3 else 0)) & 0xFFFFFFFF
            other = [value for key, value in after.items() if key != source]
            if flags & 16:
                self.assertLessEqual(acknowledged, other[0])
        self.assertEqual(len(after), 2)

    def test_unknown_protocol_is_opaque(self):
        frames = one_flow("-", "udp", 9).frames()
        self.assertTrue(all(frame[42:44] == b"\xe7\x9d" for _, frame, _ in frames))

    def test_error_quotes_the_packet(self):
        net = Wire()
        packet = net.udp(SECOND, "10.0.0.1", 1025, "10.0.0.2", 53, b"question")
        net.unreachable(2 * SECOND, "10.0.0.9", packet, 13)
        question, error = [frame for _, frame, _ in net.frames()]
        self.assertEqual(error[34:36], b"\x03\x0d")
        self.assertEqual(error[42:70], question[14:42])

    def test_routed_copy_keeps_the_identification(self):
        net = Wire()
        net.routed_copy(net.udp(SECOND, "10.0.0.1", 1025, "10.0.0.2", 53, b"question"))
        one, two = [frame for _, frame, _ in net.frames()]
        self.assertEqual(one[18:20], two[18:20])
        self.assertEqual(one[22] - 1, two[22])
        self.assertNotEqual(one[:12], two[:12])


class Rows(unittest.TestCase):
    def test_flows_start_10_ms_apart(self):
        status, _, data = run_rows(
            "10.0.0.1 1025 10.0.0.2 1187 udp MAPI\n# no line\n\n10.0.0.1\t1026\t10.0.0.2\t1187\tudp\tMAPI\n"
        )
        self.assertEqual(status, 0)
        times = pcap_times(data)
        self.assertEqual(len(times), 2)
        self.assertEqual(times[1] - times[0], 10000)

    def test_wrong_line_is_named(self):
        status, message, data = run_rows("10.0.0.1 1025 10.0.0.2 53 udp DNS\n10.0.0.1 1025 10.0.0.2 53 sctp DNS\n")
        self.assertEqual((status, data), (2, b""))
        self.assertIn("line 2", message)


if __name__ == "__main__":
    unittest.main()
