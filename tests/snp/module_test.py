#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs module_test in the emulated machine's Linux, and looks at what the kernel says of it."""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../emu"))

import machine  # noqa: E402

_FILES = ["native/module_test", "spin.elf", "nsgx.ko"]

_TESTS = """
export NSGX_TEST_IMAGE=/share/spin.elf NSGX_TEST_RUN=/bin/nsgx-run NSGX_TEST_MODULE=/share/nsgx.ko
/share/module_test --gtest_color=no
echo "status $?"
echo "begin log"; dmesg; echo "end log"
exit
"""

# What tells of a kernel in trouble.
_TROUBLE = re.compile(r"BUG:|WARNING: CPU|Oops|Call Trace|rcu.*stall|soft lockup|nsgx: .*(lost|can't be destroyed|did not)")


class ModuleTest(unittest.TestCase):
    def test_in_the_guest(self):
        result = machine.shell(_TESTS, _FILES, timeout=240)
        said = result.out.decode(errors="replace").replace("\r", "") + result.err.decode(errors="replace")
        self.assertIn("\nstatus 0\n", said)
        self.assertRegex(said, r"\[  PASSED  \] 1[0-9] tests\.")
        log = re.search(r"^begin log$(.*?)^end log$", said, re.MULTILINE | re.DOTALL)
        self.assertIsNotNone(log, said)
        self.assertEqual([line for line in log[1].splitlines() if _TROUBLE.search(line)], [])


if __name__ == "__main__":
    machine.require()
    unittest.main()
