#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""SQLite in an enclave: the shell runs checks.sql as its native twin does, and speedtest1 verifies what it reads."""

import os
import re
import sys
import unittest

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(_HERE))

from twins import run, run_both  # noqa: E402


def remove_files():
    for name in ("checks.db", "checks2.db", "checks3.db"):
        for suffix in ("", "-wal", "-shm", "-journal"):
            if os.path.exists(f"/tmp/{name}{suffix}"):
                os.unlink(f"/tmp/{name}{suffix}")


class SqliteTest(unittest.TestCase):
    def setUp(self):
        remove_files()
        self.addCleanup(remove_files)  # of the native twin; an enclave's are in its memory

    def test_checks(self):
        with open(os.path.join(_HERE, "checks.sql"), "rb") as stream:
            ended = run_both("sqlite/sqlite3", "-batch", stdin=stream.read())
        self.assertEqual((ended.status, ended.said), (0, ""))
        self.assertIn("rows|50000|625012500.0|word 00001|word 50000", ended.printed)
        self.assertEqual(ended.printed.count("\nok\n"), 2)
        self.assertIn("backup|999", ended.printed)

    def speedtest(self, *options):
        """The hashes of all results of speedtest1, which say whether every query gave what it should."""
        hashes = []
        for side in ("enclave", "native"):
            ended = run("sqlite/speedtest1", side, "--size", "5", "--verify", *options)
            self.assertEqual(ended.status, 0, ended)
            hashes.append(re.search(r"Verification Hash: (.+)", ended.printed)[1])
        self.assertEqual(hashes[0], hashes[1])

    def test_speedtest_in_memory(self):
        self.speedtest("--memdb")

    def test_speedtest_in_a_file_with_threads_of_the_sorter(self):
        self.speedtest("--threads", "2", "--journal", "wal", "/tmp/checks.db")


if __name__ == "__main__":
    unittest.main()
