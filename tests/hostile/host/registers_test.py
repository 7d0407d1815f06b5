#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whenever VMPL0 hands over after an enclave ran, VMPL1 finds nothing of the enclave's in a register. It runs in the out folder.

x87 and SSE are initial already when VMPL0 leaves: with Ring3::Scrub left out this fails by registers.not-initial. General registers are
in VMPL0's VMSA then; what an enclave had may still be among them (registers.left), and is nobody's else.
"""

import re
import unittest

import hostile_machine
import machine


class RegistersTest(unittest.TestCase):
    def test_registers(self):
        result = hostile_machine.run("nsgx-run registers.elf\n", ["registers.elf"])
        said = result.out.decode()
        self.assertEqual(len(re.findall("^.* as it should$", said, re.MULTILINE)), 4, result)
        self.assertNotIn("WRONG", said)
        self.assertGreater(hostile_machine.count(result.console, "registers.checked"), 100)
        for what in ("not-initial", "below"):
            self.assertEqual(hostile_machine.count(result.console, f"registers.{what}"), 0, what)


if __name__ == "__main__":
    machine.require()
    unittest.main()
