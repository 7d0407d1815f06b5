#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Looks which system calls the linker has kept in images.

records_test.py ROOT SPARE ALL, run in the out folder: an image whose program needs few, and one that calls syscall().
"""

import os
import struct
import sys
import unittest

ROOT, SPARE, ALL = sys.argv[1:4]
sys.path[:0] = [os.path.join(ROOT, "toolchain/checks"), os.path.join(ROOT, "syscall-shim/table")]

import elf  # noqa: E402
import print_table  # noqa: E402


def kept(path):
    with open(path, "rb") as stream:
        image = elf.Elf(stream.read())
    section = image.section("nsgx_syscalls")
    return [number for number, _ in struct.iter_unpack("<Ii", image.contents(section))]


class RecordsTest(unittest.TestCase):

    def setUp(self):
        rows = list(print_table.rows(os.path.join(ROOT, "syscall-shim/table/syscalls.inc")))
        self.calls = {row["name"]: row["number"] for row in rows if not row["refused"]}

    def test_a_program_that_calls_syscall_has_all(self):
        self.assertEqual(kept(ALL), sorted(self.calls.values()))

    def test_a_program_has_what_it_can_reach(self):
        numbers = kept(SPARE)
        self.assertEqual(numbers, sorted(set(numbers)))
        for name in "writev", "exit_group", "mmap", "futex":
            self.assertIn(self.calls[name], numbers, name)
        # Neither the program nor what the C and C++ libraries do for it comes near these.
        for name in "epoll_wait", "rename", "mkdir", "timer_create", "getrlimit", "chroot", "sendfile", "setuid":
            self.assertNotIn(self.calls[name], numbers, name)
        for name in "socket", "connect":
            self.assertNotIn(self.calls.get(name), numbers, name)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
