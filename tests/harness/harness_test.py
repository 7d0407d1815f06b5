#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the scripts that run tests."""

import io
import json
import os
import subprocess
import sys
import tempfile
import unittest

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, _HERE)

import run_tests  # noqa: E402
import run_twins  # noqa: E402


def script(code):
    return [sys.executable, "-c", code]


class RunTestsTest(unittest.TestCase):
    def run_entry(self, command, timeout=20):
        return run_tests.run_one({"name": "a", "command": command, "timeout": timeout}, ".")

    def test_passes(self):
        self.assertEqual(self.run_entry(script("print('fine')"))[:3], ("a", "ok", ""))

    def test_fails_with_everything_printed(self):
        outcome = self.run_entry(script("import sys; print('out'); sys.stdout.flush(); sys.exit('err')"))
        self.assertEqual(outcome.verdict, "FAILED")
        self.assertEqual(outcome.detail, "out\nerr\n\nexit status 1")

    def test_names_the_signal(self):
        outcome = self.run_entry(script("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
        self.assertIn("ended by SIGSEGV", outcome.detail)

    def test_skips_for_the_reason_in_the_last_line(self):
        outcome = self.run_entry(script("import sys; print('looking'); print('no device'); sys.exit(77)"))
        self.assertEqual((outcome.verdict, outcome.detail), ("skipped", "no device"))

    def test_cannot_start(self):
        self.assertEqual(self.run_entry(["./no-such-program"]).verdict, "FAILED")

    def test_stops_what_takes_too_long_and_its_children(self):
        child = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); print('begun', flush=True); time.sleep(60)"
        outcome = self.run_entry(script(child), timeout=1)
        self.assertEqual(outcome.verdict, "FAILED")
        self.assertIn("begun", outcome.detail)
        self.assertIn("took longer than 1 s", outcome.detail)
        self.assertLess(outcome.seconds, 30)  # the pipe is closed only when the child is gone too

    def test_sums_up(self):
        entries = [
            {"name": "good", "command": script(""), "timeout": 20},
            {"name": "bad", "command": script("raise SystemExit('because')"), "timeout": 20},
            {"name": "none", "command": script("print('not here'); raise SystemExit(77)"), "timeout": 20},
        ]
        printed = io.StringIO()
        outcomes = run_tests.run_all(entries, ".", 2, printed)
        self.assertEqual(run_tests.summary(outcomes), "1 passed, 1 failed, 1 skipped")
        for line in ("good ... ok", "bad ... FAILED", "because", "none ... skipped: not here"):
            self.assertIn(line, printed.getvalue())
        self.assertIn("[3/3]", printed.getvalue())

    def test_as_a_program(self):
        with tempfile.TemporaryDirectory() as folder:
            entries = [{"name": name, "command": script(code), "timeout": 20} for name, code in (("a", ""), ("b", "0/0"))]
            with open(f"{folder}/tests.json", "w", encoding="utf-8") as stream:
                json.dump(entries, stream)
            for only, status, last in (("", 1, "1 passed, 1 failed, 0 skipped"), ("a", 0, "1 passed, 0 failed, 0 skipped")):
                done = subprocess.run(
                    [sys.executable, f"{_HERE}/run_tests.py", folder, f"--only={only}"], capture_output=True, text=True
                )
                self.assertEqual((done.returncode, done.stdout.splitlines()[-1]), (status, last))


class RunTwinsTest(unittest.TestCase):
    PRINTED = """
[ RUN      ] Pipe.Closes
[       OK ] Pipe.Closes (0 ms)
[ RUN      ] Sizes/Pipe.Holds/1
[  FAILED  ] Sizes/Pipe.Holds/1, where GetParam() = 4 (12 ms)
[  SKIPPED ] Pipe.Later (0 ms)
[==========] 3 tests from 2 test suites ran. (12 ms total)
[  PASSED  ] 1 test.
"""

    def test_finds_how_cases_ended(self):
        self.assertEqual(
            run_twins.cases(self.PRINTED), {"Pipe.Closes": "OK", "Sizes/Pipe.Holds/1": "FAILED", "Pipe.Later": "SKIPPED"}
        )

    def test_says_what_differs(self):
        self.assertEqual(run_twins.differences({"A.a": "OK", "A.b": "OK"}, {"A.a": "OK", "A.b": "OK"}), [])
        self.assertEqual(
            run_twins.differences({"A.a": "FAILED"}, {"A.a": "OK", "A.b": "OK"}),
            ["A.a: FAILED in the enclave, OK natively", "A.b: missing in the enclave, OK natively"],
        )

    def run_in(self, folder, runner, native):
        for name, code in (("nsgx-run", runner), ("x.native", native)):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as stream:
                stream.write(f"#!{sys.executable}\n{code}\n")
            os.chmod(f"{folder}/{name}", 0o755)
        return subprocess.run(
            [sys.executable, f"{_HERE}/run_twins.py", "x"], cwd=folder, capture_output=True, text=True
        ).returncode

    def test_as_a_program(self):
        good, bad = "print('[       OK ] A.a (0 ms)')", "print('[  FAILED  ] A.a (0 ms)'); exit(1)"
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(self.run_in(folder, good, good), 0)
            self.assertEqual(self.run_in(folder, bad, good), 1)
            self.assertEqual(self.run_in(folder, bad, bad), 1)
            self.assertEqual(self.run_in(folder, "", ""), 1)
            self.assertEqual(self.run_in(folder, good + "\nexit(1)", good), 1)


class GoldenTest(unittest.TestCase):
    def run_golden(self, file, *options):
        command = [sys.executable, f"{_HERE}/golden.py", file, *options, "--"] + script("print('two')")
        return subprocess.run(command, capture_output=True, text=True)

    def test_compares_and_updates(self):
        with tempfile.TemporaryDirectory() as folder:
            file = f"{folder}/expected"
            with open(file, "w", encoding="utf-8") as stream:
                stream.write("one\n")
            done = self.run_golden(file)
            self.assertEqual(done.returncode, 1)
            self.assertIn("-one\n+two\n", done.stdout)
            self.assertEqual(self.run_golden(file, "--update").returncode, 0)
            self.assertEqual(self.run_golden(file).returncode, 0)


class RunCorpusTest(unittest.TestCase):
    def test_gives_each_file_to_the_fuzzer(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/corpus")
            fuzzer = f"{folder}/fuzzer"
            with open(fuzzer, "w", encoding="utf-8") as stream:
                stream.write("#!/bin/sh\nfor file; do case $file in *bad) exit 77;; esac; done\n")
            os.chmod(fuzzer, 0o755)

            def run():
                command = [sys.executable, f"{_HERE}/run_corpus.py", fuzzer, f"{folder}/corpus"]
                return subprocess.run(command, capture_output=True).returncode

            self.assertEqual(run(), 1)  # an empty corpus tests nothing
            for name, status in (("good", 0), ("bad", 1)):
                with open(f"{folder}/corpus/{name}", "w", encoding="utf-8"):
                    pass
                self.assertEqual(run(), status)


if __name__ == "__main__":
    unittest.main()
