#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the table of system calls: table_test.py SYSCALLS_INC BITS_SYSCALL_H SYSCALLS_MD

No number is missing or doubled, the names are those of the C library, and the documentation is up to date.
"""

import os
import re
import subprocess
import sys
import unittest

import print_table

INC, HEADER, DOCUMENT = sys.argv[1:4]
LAST = 462
HOLE = range(335, 424)  # no such numbers on x86-64


class TableTest(unittest.TestCase):

    def setUp(self):
        self.rows = list(print_table.rows(INC))

    def test_every_number_once_and_in_order(self):
        self.assertEqual([row["number"] for row in self.rows], [n for n in range(LAST + 1) if n not in HOLE])

    def test_names_are_those_of_the_c_library(self):
        with open(HEADER, encoding="utf-8") as file:
            names = {int(number): name for name, number in re.findall(r"#define __NR_(\w+)\s+(\d+)", file.read())}
        self.assertGreater(len(names), 300)
        ours = {row["number"]: row["name"] for row in self.rows}
        for number, name in names.items():
            self.assertEqual(ours.get(number), name, number)

    def test_refusals_say_why(self):
        for row in self.rows:
            if row["refused"]:
                self.assertTrue(row["text"], row["name"])
                self.assertRegex(row["handler_or_errno"], "^kE[A-Z]+$")

    def test_document_is_up_to_date(self):
        printed = subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), "print_table.py"), INC],
                                 capture_output=True, text=True, check=True).stdout
        with open(DOCUMENT, encoding="utf-8") as file:
            self.assertEqual(file.read(), printed,
                             "run syscall-shim/table/print_table.py syscall-shim/table/syscalls.inc > docs/syscalls.md")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
