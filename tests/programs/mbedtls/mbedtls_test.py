#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mbedTLS's self-test in an enclave says the same as in its native twin."""

import os
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from twins import run_both  # noqa: E402


class MbedtlsTest(unittest.TestCase):
    def test_selftest(self):
        ended = run_both("mbedtls/selftest", "-x", "timing", "-x", "entropy")
        self.assertEqual(ended.status, 0)
        self.assertRegex(ended.printed, r"Executed \d+ test suites")
        self.assertIn("[ All tests PASS ]", ended.printed)
        self.assertGreater(len(re.findall(r": passed", ended.printed)), 100)


if __name__ == "__main__":
    unittest.main()
