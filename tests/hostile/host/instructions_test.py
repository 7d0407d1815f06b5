#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions that are no program's, in ring 3 of VMPL0. It runs in the out folder.

Without Ghcb::Disarm the machine ends at vmgexit: the host takes the answer of the last switch for a request.
"""

import re
import unittest

import hostile_machine
import machine

# "ran", or the signal that Linux would send: 4 undefined, 5 trap, 11 not allowed, 31 a system call that there is not.
_OUTCOMES = [
    # VMGEXIT reaches the host; it is asked for nothing.
    ("ran", "cpuid rdtsc rdtscp vmgexit vmgexit.other_prefix pause"),
    ("signal 4", "vmmcall vmcall ud2 encls invlpgb stac"),
    ("signal 5", "int3 icebp"),
    ("signal 31", "int_0x80 sysenter"),
]
_REFUSED = "signal 11"
# What only QEMU decides: versions of it take INVD and WBINVD, which do nothing there, for anybody's, and give the wrong reason for
# refusing the others. A processor answers "signal 11" and "signal 4".
_BY_QEMU = [({"ran", "signal 11"}, "invd wbinvd"), ({"signal 4", "signal 11"}, "monitor mwait")]


class InstructionsTest(unittest.TestCase):
    maxDiff = None

    def test_instructions(self):
        result = hostile_machine.run("nsgx-run instructions.elf; echo status $?\n", ["instructions.elf"])
        found = dict(re.findall(r"^(\S+) (ran|signal \d+|\d+)$", result.out.decode(), re.MULTILINE))
        self.assertEqual(found.pop("status", None), "0", result)
        self.assertGreater(len(found), 50)
        for outcomes, names in _BY_QEMU:
            for name in names.split():
                self.assertIn(found.pop(name), outcomes, name)
        expected = dict.fromkeys(found, _REFUSED)
        expected.update({name: outcome for outcome, names in _OUTCOMES for name in names.split()})
        if machine.processors() > 1:
            # There it is an instruction, and ring 0's.
            expected["invlpgb"] = _REFUSED
        self.assertEqual(found, expected)


if __name__ == "__main__":
    machine.require()
    unittest.main()
