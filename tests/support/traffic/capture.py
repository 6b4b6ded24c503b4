# SPDX-License-Identifier: Apache-2.0
"""Writers for pcap and pcapng (little endian, Ethernet, microseconds)."""

import struct

LINKTYPE_ETHERNET = 1


def write_pcap(packets, snaplen=262144):
    """'packets': (time in ns, frame, comment or None), in order.  Returns the file's bytes."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, LINKTYPE_ETHERNET)]
    for time_ns, frame, _ in packets:
        us = time_ns // 1000
        out.append(struct.pack("<IIII", us // 1000000, us % 1000000, len(frame[:snaplen]), len(frame)))
        out.append(frame[:snaplen])
    return b"".join(out)


def _option(code, value):
    if isinstance(value, str):
        value = value.encode()
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def _block(kind, body, options=b""):
    if options:
        options += struct.pack("<HH", 0, 0)
    size = 12 + len(body) + len(options)
    return struct.pack("<II", kind, size) + body + options + struct.pack("<I", size)


def _stamp(time_ns):
    us = time_ns // 1000
    return struct.pack("<II", us >> 32, us & 0xFFFFFFFF)


def write_pcapng(packets, interface, description, comment, snaplen=262144):
    """As write_pcap(); with one interface, a section comment, packet comments and one interface statistics block that
    states every packet as received and none as dropped."""
    out = [
        _block(
            0x0A0D0D0A,
            struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1),
            _option(1, comment) + _option(4, "samples/generate.py"),
        )
    ]
    out.append(
        _block(
            1,
            struct.pack("<HHI", LINKTYPE_ETHERNET, 0, snaplen),
            _option(2, interface) + _option(3, description) + _option(9, b"\x06"),
        )
    )
    for time_ns, frame, note in packets:
        body = struct.pack("<I", 0) + _stamp(time_ns) + struct.pack("<II", len(frame), len(frame))
        body += frame + b"\0" * (-len(frame) % 4)
        out.append(_block(6, body, _option(1, note) if note else b""))
    if packets:
        count = struct.pack("<Q", len(packets))
        zero = struct.pack("<Q", 0)
        out.append(
            _block(
                5,
                struct.pack("<I", 0) + _stamp(packets[-1][0]),
                _option(2, _stamp(packets[0][0]))
                + _option(3, _stamp(packets[-1][0]))
                + _option(4, count)
                + _option(5, zero)
                + _option(7, zero),
            )
        )
    return b"".join(out)
