#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What nsgx-gdb shows of an enclave: gdb_test.py, run in the out folder."""

import subprocess
import sys
import unittest


def debug(how, *commands):
    words = ["--gdb-option=--batch"] + [f"--gdb-option=-ex={command}" for command in commands]
    done = subprocess.run(["./nsgx-gdb"] + words + ["crashing.elf", how], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=100, check=False)
    return done.stdout + done.stderr


class GdbTest(unittest.TestCase):

    def assert_in_order(self, text, *parts):
        at = 0
        for part in parts:
            found = text.find(part, at)
            self.assertGreaterEqual(found, 0, f"{part!r} is missing or out of order:\n{text}")
            at = found + len(part)

    def test_stops_where_the_program_crashes(self):
        self.assert_in_order(debug("null", "run", "backtrace"), "signal 11 ends the program", "PayInto",
                             "PayEverybody", "main (")

    def test_breakpoint_in_the_program(self):
        shown = debug("wait", "break LookAtMe", "run", "backtrace")
        self.assert_in_order(shown, "Breakpoint", "LookAtMe", "#1", "main (")

    def test_threads_that_are_on_no_vcpu(self):
        shown = debug("wait", "break LookAtMe", "run", "nsgx threads", "nsgx bt 2")
        self.assert_in_order(shown, "1  running", "2  asleep", "waiter")
        self.assert_in_order(shown, "thread 2 waiter", "pthread_cond_timedwait", "WaitForNobody")

    def test_the_program_goes_on(self):
        self.assertIn("exited with code 03", debug("wait", "break LookAtMe", "run", "nsgx bt", "continue"))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
