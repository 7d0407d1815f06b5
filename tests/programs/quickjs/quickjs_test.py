#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""QuickJS in an enclave passes its own tests, as its native twin does."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from twins import run_both  # noqa: E402

_TESTS = "programs/quickjs/source/tests"


class QuickjsTest(unittest.TestCase):
    def test_its_own_tests(self):
        # The files are given as programs on the command line: an enclave sees no file of the host that it was not given.
        for name in ("language", "builtin", "closure", "bigint", "loop"):
            with self.subTest(name), open(f"{_TESTS}/test_{name}.js", encoding="utf-8") as stream:
                ended = run_both("quickjs/qjs", "--std", "-e", stream.read())
                self.assertEqual((ended.status, ended.said), (0, ""))

    def test_they_can_fail(self):
        with open(f"{_TESTS}/test_language.js", encoding="utf-8") as stream:
            ended = run_both("quickjs/qjs", "-e", stream.read() + "\nassert(1, 2);")
        self.assertEqual(ended.status, 1)

    def test_timers_and_files(self):
        program = """
          let left = 3;
          for (let i = 1; i <= 3; i++)
            os.setTimeout(() => { std.out.puts("timer " + i + "\\n"); if (!--left) std.out.flush(); }, 30 * i);
          const file = std.tmpfile();
          file.puts("x".repeat(100000));
          file.seek(0, std.SEEK_SET);
          std.out.puts(file.readAsString().length + "\\n");
          std.out.puts(JSON.stringify(os.readdir("/nowhere")) + "\\n");
        """
        ended = run_both("quickjs/qjs", "--std", "-e", program)
        self.assertEqual((ended.status, ended.said), (0, ""))


if __name__ == "__main__":
    unittest.main()
