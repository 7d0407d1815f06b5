#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of launch_digest.py, and with it of the SEH's image: launch_digest_test.py SEH_IGVM SEH_DIGEST"""

import hashlib
import os
import struct
import sys
import unittest
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import launch_digest  # noqa: E402


def known_file():
    """A file that the igvm crate, igvmmeasure and sev-snp-measure give one digest."""
    headers = b"".join(
        bytes.fromhex(text)
        for text in (
            "01000000 10000000 01000000 00020100 00000000 00000000",
            "01010000 10000000 00000300 00000000 01000000 00000000",
            "05030000 18000000 00000100 00000000 01000000 00000100 00000000 00000000",
            "01030000 10000000 00100000 00000000 00000000 00000000",
            "07030000 08000000 00000000 00000000",
            "03030000 10000000 00500100 00000000 01000000 00000000",
            "02030000 18000000 00000100 00000000 01000000 68010000 00000000 00000000",
            "02030000 18000000 00100100 00000000 01000000 00000000 00000000 00000000",
            "02030000 18000000 00200100 00000000 01000000 00000000 00000000 01000000",
            "02030000 18000000 00300100 00000000 01000000 00000000 00000000 02000000",
            "02030000 18000000 00400100 00000000 01000000 00000000 02000000 00000000",
            "04030000 14000000 00f0ffff ffff0000 01000000 68110000 00000000 00000000",
        )
    )
    fixed = bytes.fromhex("4947564d 01000000 18000000 50010000 68210000 641aaac7")
    vmsa = bytearray(4096)
    struct.pack_into("<HHIQ", vmsa, 0x10, 8, 0xC9B, 0xFFFFFFFF, 0)
    for segment in (0x00, 0x20, 0x30, 0x40, 0x50):
        struct.pack_into("<HHIQ", vmsa, segment, 0x10, 0xA93, 0xFFFFFFFF, 0)
    for offset, value in (
        (0x0D0, 0x1800),
        (0x148, 0x60),
        (0x158, 0x31),
        (0x170, 2),
        (0x178, 0x10000),
        (0x1D8, 0x18000),
        (0x268, 0x0007040600070406),
        (0x3B0, 1),
        (0x3E8, 1),
    ):
        struct.pack_into("<Q", vmsa, offset, value)
    return fixed + headers + b"\xf4" + bytes(4095) + vmsa


def with_checksum(data):
    (size,) = struct.unpack_from("<I", data, 12)
    checksum = zlib.crc32(data[:20] + bytes(4) + data[24 : 24 + size])
    return data[:20] + struct.pack("<I", checksum) + data[24:]


class LaunchDigestTest(unittest.TestCase):
    def test_agrees_with_other_programs(self):
        self.assertEqual(
            launch_digest.launch_digest(known_file()),
            "333ad13de9751f63189a75f3b7d9d259df0341da3956afc1e1c803132127dc13"
            "64fb861bbc20f89407db9fb1ad7f561d",
        )

    def test_refuses_what_hosts_refuse(self):
        good = known_file()
        self.assertEqual(with_checksum(good), good)
        for offset, value in ((0, 0), (16, 0), (0x20, 3), (0x22, 1), (0x30, 2), (0xA8, 4), (0xC8, 0x14)):
            bad = bytearray(good)
            bad[offset] ^= 0xFF if value == 0 else value
            with self.subTest(offset=offset), self.assertRaises((launch_digest.Bad, struct.error)):
                launch_digest.launch_digest(with_checksum(bytes(bad)))
        with self.assertRaisesRegex(launch_digest.Bad, "wrong size"):
            launch_digest.launch_digest(good + b"\0")
        with self.assertRaisesRegex(launch_digest.Bad, "wrong checksum"):
            launch_digest.launch_digest(good[:20] + bytes(4) + good[24:])

    def test_every_measured_byte_counts(self):
        good = known_file()
        for offset in (0x168, 0x1167, 0x2167):
            bad = bytearray(good)
            bad[offset] ^= 1
            with self.subTest(offset=offset):
                self.assertNotEqual(launch_digest.launch_digest(bytes(bad)), launch_digest.launch_digest(good))


class SehImageTest(unittest.TestCase):
    def test_the_build_says_the_same_digest(self):
        with open(_igvm, "rb") as stream:
            data = stream.read()
        with open(_digest, encoding="ascii") as stream:
            self.assertEqual(stream.read(), launch_digest.launch_digest(data) + "\n")
        self.assertGreater(len(data), 64 * 1024, hashlib.sha256(data).hexdigest())


if __name__ == "__main__":
    _digest, _igvm = sys.argv.pop(), sys.argv.pop()
    unittest.main()
