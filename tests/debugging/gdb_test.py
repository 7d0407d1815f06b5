#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What nsgx-gdb shows of an enclave: gdb_test.py, run in the out folder."""

import os
import subprocess
import sys
import tempfile
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

    def test_core_file(self):
        with tempfile.TemporaryDirectory() as folder:
            core = os.path.join(folder, "core")
            run = ["./nsgx-run", f"--core={core}", "crashing.elf"]
            done = subprocess.run(run + ["null"], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 128 + 11, done.stderr)
            self.assertIn(f"core file {core} written", done.stderr)
            # Holes are holes: the whole address range is not on the disk.
            self.assertLess(os.stat(core).st_blocks * 512, 64 << 20)
            self.assertEqual(os.stat(core).st_mode & 0o777, 0o600)
            look = ["./nsgx-gdb", "--gdb-option=--batch"]
            look += [f"--gdb-option=-ex={command}" for command in ("backtrace", "print $_siginfo.si_signo", "nsgx threads")]
            shown = subprocess.run(look + [f"--core={core}", "crashing.elf"], stdin=subprocess.DEVNULL,
                                   capture_output=True, text=True, timeout=100, check=False).stdout
            self.assert_in_order(shown, "SIGSEGV", "PayInto", "PayEverybody", "main (", "= 11", "1  running")

    def test_core_file_that_is_not_wanted(self):
        with tempfile.TemporaryDirectory() as folder:
            core = os.path.join(folder, "core")
            # No signal, no file; and none of an enclave that has secrets.
            for image, status, text in ((["crashing.elf", "wait"], 3, ""), (["hello.elf"], 125, "it is no debug image")):
                done = subprocess.run(["./nsgx-run", f"--core={core}"] + image, capture_output=True, text=True,
                                      timeout=60, check=False)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertIn(text, done.stderr)
                self.assertFalse(os.path.exists(core))
            done = subprocess.run(["./nsgx-run", f"--core={folder}", "crashing.elf", "null"], capture_output=True,
                                  text=True, timeout=60, check=False)
            self.assertIn("core file can't be written", done.stderr)
            self.assertEqual(done.returncode, 128 + 11)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
