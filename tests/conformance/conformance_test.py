#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the harness: runs in a build folder that holds `conformance_kit`."""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import conformance  # noqa: E402
from harness import results  # noqa: E402
from harness.execute import Running  # noqa: E402
from harness.kit import Kit  # noqa: E402
from harness.results import Row  # noqa: E402

_SUITE = """
from harness.suite import SKIP, Suite, Test

class Toy(Suite):
    where = "this test"
    flags = ("-O1",)
    precompiled_headers = ("stdexcept",)
    precompile_from = 2
    timeout = 5
    quick = ("good",)

    def tests(self, tree, work):
        for test in super().tests(tree, work):
            if test.name == "left_out":
                test = Test(name=test.name, skip="not for us")
            if test.name == "reads":
                test = Test(name=test.name, sources=test.sources, arguments=("a b",), files={"../down/file": "text"})
            if test.sources and test.sources[0].endswith(".cc"):
                test = Test(name=test.name, sources=test.sources, precompiled=True)
            yield test

    def verdict(self, status, printed):
        return (SKIP, "says so") if status == 4 else super().verdict(status, printed)

SUITE = Toy()
"""
_PROGRAMS = {
    "good.c": "int main(void) { return 0; }",
    "throws.cc": "#include <stdexcept>\nint main() { try { throw std::logic_error(\"x\"); } "
    "catch (std::exception&) { return 0; } return 1; }",
    # Has the header before its own lines, or is compiled without it.
    "precompiled.cc": "#ifndef _LIBCPP_VERSION\n#error none\n#endif\n"
    "int main() { try { throw std::logic_error(\"x\"); } catch (std::exception&) { return 0; } return 1; }",
    "not_precompiled.cc": "#ifdef _LIBCPP_VERSION\n#error too early\n#endif\nint main() { return 0; }",
    "bad.c": "int main(void) { return 3; }",
    "crashes.c": "int main(void) { __builtin_trap(); }",
    "hangs.c": "#include <unistd.h>\nint main(void) { for (;;) pause(); }",
    "floods.c": "#include <stdio.h>\nint main(void) { for (int i = 0; i < 40000; ++i) "
    "puts(\"0123456789012345678901234567890123456789\"); return 0; }",
    "unsupported.c": "int main(void) { return 4; }",
    "left_out.c": "int main(void) { return 0; }",
    "broken.c": "int main(void) { return nothing; }",
    "forks.c": "#include <unistd.h>\nint main(void) { int p = fork(); if (p == 0) _exit(0); return p < 0; }",
    "reads.c": "#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\nint main(int c, char** v) { "
    "char text[9] = {0}; FILE* f = fopen(\"../down/file\", \"r\"); return !f || !fgets(text, 9, f) || strcmp(text, \"hello\") "
    "|| c != 2 || strcmp(v[1], \"a b\") || geteuid() == 0; }",
    # The first process of an enclave is number 1; the native twin never is.
    "differs.c": "#include <unistd.h>\nint main(void) { return getpid() == 1; }",
}


class ResultsTest(unittest.TestCase):
    def test_a_table_reads_as_written(self):
        rows = {"b": Row("pass", "fail", "why"), "a/1": Row("skip", "skip", "not here")}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "results.tsv")
            results.write(path, rows, 7)
            self.assertEqual(results.read(path), (rows, 7))
            with open(path, "a", encoding="utf-8") as stream:
                stream.write("c\tpass\tgreat\t\n")
            with self.assertRaisesRegex(results.TableError, ":6: not NAME"):
                results.read(path)

    def test_a_difference_needs_a_reason_of_its_own(self):
        table = {"old": Row("pass", "fail", "known"), "bare": Row("pass", "fail"), "good": Row("pass", "pass")}
        run = {name: Row("pass", "crash") for name in ("old", "bare", "good", "new")}
        found = results.differences(table, run)
        self.assertEqual(found.unexplained, ["bare", "good", "new"])
        self.assertEqual(found.explained, ["old"])
        self.assertEqual(results.differences(table, {"old": Row("pass", "pass")}).better, ["old"])
        self.assertEqual(results.differences(table, {"good": Row("fail", "fail")}).changed, ["good"])

    def test_an_update_keeps_reasons_while_they_hold(self):
        old = {"a": Row("pass", "fail", "known"), "b": Row("pass", "fail", "known"), "gone": Row("pass", "pass")}
        new = {"a": Row("pass", "fail"), "b": Row("pass", "pass")}
        self.assertEqual(
            results.merged(old, new, {"a", "b", "c"}), {"a": Row("pass", "fail", "known"), "b": Row("pass", "pass")}
        )

    def test_every_test_is_counted_once(self):
        rows = {
            "a": Row("pass", "pass"),
            "b": Row("pass", "fail", "why"),
            "c": Row("fail", "fail"),
            "d": Row("skip", "skip", "why"),
            "e": Row("fail", "pass"),
        }
        self.assertEqual(
            results.counts(rows, 9)._asdict(),
            {"listed": 9, "skipped": 1, "not_run": 4, "native": 2, "enclave": 2, "worse": 1, "other": 1, "run": 4},
        )


class TablesTest(unittest.TestCase):
    def test_every_difference_in_the_tables_has_a_reason(self):
        for name, folder in conformance.suite_folders(os.path.join(HERE, "suites")).items():
            rows, _ = results.read(os.path.join(folder, "results.tsv"))
            self.assertEqual([test for test, row in rows.items() if row.differs() and not row.reason], [], name)

    def test_the_documentation_has_the_counts_of_the_tables(self):
        done = subprocess.run(
            [sys.executable, os.path.join(HERE, "conformance.py"), ".", "--counts"], capture_output=True, text=True
        )
        with open(os.path.join(HERE, "..", "..", "docs", "conformance.md"), encoding="utf-8") as stream:
            self.assertIn(done.stdout, stream.read())


class FeaturesTest(unittest.TestCase):
    def test_expressions_of_libcxx(self):
        libcxx = conformance.load_suite(os.path.join(HERE, "suites", "libcxx"))
        holds = type(libcxx).tests.__globals__["holds"]
        for text in ("c++23", "c++03, linux", "!windows && (c++03 || clang)", "target={{.+}}-musl", "c++{{2[0-9]}}"):
            self.assertTrue(holds(text), text)
        for text in ("c++03", "windows && clang", "!(c++03 || clang)", "target={{.+}}-gnu", "no-threads, c++11"):
            self.assertFalse(holds(text), text)


class KitTest(unittest.TestCase):
    def test_tests_that_begin_together_compile_a_shared_source_once(self):
        running, commands = Running(), []

        def run(command, folder, timeout):
            commands.append(command)
            time.sleep(0.5)  # so that all have begun before the first ends
            return running.run(command, folder, timeout)

        with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(4) as pool:
            source = os.path.join(folder, "shared.c")
            with open(source, "w", encoding="utf-8") as stream:
                stream.write("int shared;\n")
            kit = Kit(".", run)
            made = set(pool.map(lambda _: kit.compile(source, folder, []), range(4)))
            self.assertEqual((len(made), len(commands)), (1, 1))


class ExecuteTest(unittest.TestCase):
    def test_a_child_that_holds_the_output_keeps_nobody(self):
        start = time.monotonic()
        ended = Running().run(["sh", "-c", "sleep 50 & echo done"], "/", 30)
        self.assertEqual((ended.status, ended.printed), (0, "done\n"))
        self.assertLess(time.monotonic() - start, 25)

    def test_nothing_is_started_after_stop(self):
        running = Running()
        running.stop_all()
        with self.assertRaises(KeyboardInterrupt):
            running.run(["true"], "/", 1)


class ToySuiteTest(unittest.TestCase):
    """All ways in which a test can end, through the command line."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.suites = os.path.join(holder.name, "suites")
        self.tree = os.path.join(holder.name, "tree")
        self.json = os.path.join(holder.name, "results.json")
        os.makedirs(os.path.join(self.suites, "toy"))
        os.makedirs(self.tree)
        self.table = os.path.join(self.suites, "toy", "results.tsv")
        with open(os.path.join(self.suites, "toy", "suite.py"), "w", encoding="utf-8") as stream:
            stream.write(_SUITE)
        for name, text in (_PROGRAMS | {"text": "hello"}).items():
            with open(os.path.join(self.tree, name), "w", encoding="utf-8") as stream:
                stream.write(text if name == "text" else text + "\n")

    def command(self, *options):
        # A folder of its own for objects and the lock, beside a run of the person who builds.
        return [sys.executable, os.path.join(HERE, "conformance.py"), ".", "toy", "--suites-folder", self.suites] + [
            "--work-folder", os.path.dirname(self.suites), "--json", self.json, *options
        ]

    def run_toy(self, *options):
        return subprocess.run(
            self.command("--source", self.tree, *options), capture_output=True, text=True, timeout=250
        )

    def rows(self):
        with open(self.json, encoding="utf-8") as stream:
            return {name: (row["native"], row["enclave"]) for name, row in json.load(stream)["toy"]["tests"].items()}

    @staticmethod
    def holds(path, text):
        if not os.path.exists(path):
            return False
        with open(path, encoding="utf-8") as stream:
            return text in stream.read()

    def test_every_ending_is_told_apart(self):
        done = self.run_toy("--update")
        self.assertEqual(
            self.rows(),
            {
                "good": ("pass", "pass"),
                "throws": ("pass", "pass"),
                "precompiled": ("pass", "pass"),
                "not_precompiled": ("pass", "pass"),
                "reads": ("pass", "pass"),
                "floods": ("pass", "pass"),
                "bad": ("fail", "fail"),
                "crashes": ("crash", "crash"),
                "hangs": ("timeout", "timeout"),
                "unsupported": ("skip", "skip"),
                "left_out": ("skip", "skip"),
                "broken": ("no-build", "no-build"),
                "forks": ("pass", "fail"),
                "differs": ("pass", "fail"),
            },
            done.stdout + done.stderr,
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("PASS NATIVELY ONLY: 1\n    differs: ", done.stdout)
        rows, listed = results.read(self.table)
        self.assertEqual(listed, len(rows))
        self.assertIn("second process", rows["forks"].reason)
        self.assertIn("use of undeclared identifier 'nothing'", rows["broken"].reason)

        # With a reason in the table it is no longer news; a test that is built is not built again.
        rows["differs"] = rows["differs"]._replace(reason="number 1 is the enclave's")
        results.write(self.table, rows, listed)
        done = self.run_toy("--filter", "differs", "--filter", "good")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("differ for a known reason: 1", done.stdout)

    def test_a_suite_that_is_not_fetched_says_what_it_wants(self):
        done = subprocess.run(self.command(), capture_output=True, text=True, timeout=100)
        self.assertEqual(done.returncode, 2)
        self.assertIn("toy is not fetched: say --source DIR (this test)", done.stderr)

    def test_a_run_that_was_broken_off_goes_on(self):
        process = subprocess.Popen(
            self.command("--source", self.tree, "--jobs", "1", "--filter", "good", "--filter", "hangs"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        progress = os.path.join(os.path.dirname(self.suites), "toy", "progress.jsonl")
        deadline = time.monotonic() + 100
        while time.monotonic() < deadline and not self.holds(progress, '"good"'):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        self.assertIn("interrupted; --resume goes on", process.communicate(timeout=60)[1])
        self.assertEqual(process.returncode, 130)
        done = self.run_toy("--filter", "good", "--filter", "hangs", "--resume")
        self.assertIn("1 of 2 tests were run before", done.stdout)
        self.assertEqual(self.rows(), {"good": ("pass", "pass"), "hangs": ("timeout", "timeout")})

        # What has changed is run again, and what another run has found stays.
        with open(os.path.join(self.tree, "good.c"), "a", encoding="utf-8") as stream:
            stream.write("// changed\n")
        done = self.run_toy("--filter", "good", "--filter", "hangs", "--resume")
        self.assertIn("1 of 2 tests were run before", done.stdout)
        self.assertNotIn("were run before", self.run_toy("--filter", "good").stdout)
        done = self.run_toy("--filter", "good", "--filter", "hangs", "--resume")
        self.assertIn("2 of 2 tests were run before", done.stdout)


if __name__ == "__main__":
    unittest.main()
