# SPDX-License-Identifier: Apache-2.0
"""The only source of "random" bytes: splitmix64, so that a seed gives the same bytes on every machine and Python."""

_MASK = (1 << 64) - 1


class Prng:
    """A stream of its own for each label: adding a flow to a scenario does not change the others."""

    def __init__(self, seed, label=""):
        state = seed & _MASK
        for byte in label.encode():
            state = ((state ^ byte) * 0x100000001B3) & _MASK
        self._state = state

    def u64(self):
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def u32(self):
        return self.u64() >> 32

    def u16(self):
        return self.u64() >> 48

    def below(self, n):
        return self.u64() % n

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def bytes(self, n):
        out = bytearray()
        while len(out) < n:
            out += self.u64().to_bytes(8, "big")
        return bytes(out[:n])
