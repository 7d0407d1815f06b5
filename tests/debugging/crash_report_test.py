#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reports of crashes: crash_report_test.py, run in the out folder."""

import signal
import subprocess
import sys
import unittest


class CrashReportTest(unittest.TestCase):

    def crash(self, how, *numbers):
        """The report of a crash by one of these signals."""
        done = subprocess.run(["./nsgx-run", "crashing.elf", how], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
        self.assertIn(done.returncode, [128 + number for number in numbers], done.stderr)
        self.assertIn(f"killed by {signal.Signals(done.returncode - 128).name}", done.stderr)
        return done.stderr

    def assert_frames(self, report, *functions):
        """The frames name these functions, in this order; others may lie between."""
        frames = [line for line in report.splitlines() if "  #" in line]
        for function in functions:
            while frames and function not in frames[0]:
                frames.pop(0)
            self.assertTrue(frames, f"{function} is not there:\n{report}")

    def test_null_pointer(self):
        report = self.crash("null", signal.SIGSEGV)
        self.assertIn("address 0x0 (a null pointer)", report)
        self.assert_frames(report, "PayInto(", "PayEverybody(", "main+")
        self.assertRegex(report, r"PayInto\(.*crashing\.cc:\d+\)")

    def test_thread(self):
        report = self.crash("thread", signal.SIGSEGV)
        self.assert_frames(report, "PayInto(", "PayEverybody(")
        self.assertIn("thread 2", report)

    def test_uncaught_exception(self):
        report = self.crash("throw", signal.SIGABRT)
        self.assertIn("std::runtime_error", report)
        self.assertIn("the ledger is closed", report)
        self.assert_frames(report, "abort", "__cxa_throw", "ThrowWhenAsked(", "main+")

    def test_abort(self):
        self.assert_frames(self.crash("abort", signal.SIGABRT), "abort", "main+")

    def test_misuse_of_malloc(self):
        for how in ("freed_twice", "freed_by_another_thread", "freed_inside", "resized_after_free", "written_before_block"):
            with self.subTest(how):
                self.assert_frames(self.crash(how, signal.SIGILL, signal.SIGSEGV), "main+")

    def test_missing_right(self):
        self.assertRegex(self.crash("readonly", signal.SIGSEGV), r"in a mapping for reading only, 0x[0-9a-f]+-0x")

    def test_full_stack(self):
        report = self.crash("stack", signal.SIGSEGV)
        self.assertIn("(the stack is full)", report)
        self.assert_frames(report, "Recurse(", "Recurse(", "Recurse(")
        self.assertLess(len(report.splitlines()), 80)

    def test_wild_stack_pointer(self):
        report = self.crash("smashed", signal.SIGSEGV)
        self.assert_frames(report, "main+")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
