#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lua in an enclave runs checks.lua, which checks itself, and prints what the native twin prints."""

import os
import sys
import unittest

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(_HERE))

from twins import run_both  # noqa: E402


class LuaTest(unittest.TestCase):
    def test_checks(self):
        with open(os.path.join(_HERE, "checks.lua"), "rb") as stream:
            ended = run_both("lua/lua", "-", "one", "two", stdin=stream.read())
        self.assertEqual((ended.status, ended.said), (0, ""))
        self.assertTrue(ended.printed.endswith("all checks passed\n"), ended.printed)

    def test_an_error_ends_it(self):
        ended = run_both("lua/lua", "-e", "error('wanted')")
        self.assertEqual(ended.status, 1)
        self.assertIn("wanted", ended.said)

    def test_exit_status(self):
        self.assertEqual(run_both("lua/lua", "-e", "os.exit(7)").status, 7)


if __name__ == "__main__":
    unittest.main()
