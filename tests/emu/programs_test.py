#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every enclave test of the tree on the emulated machine, in one start of it: programs_test.py [NAME...], in the out folder.

GN knows which there are. As everywhere each case has to end as in the native twin, which runs on this machine's own Linux.
"""

import json
import os
import re
import subprocess
import sys
import unittest

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [_HERE, os.path.join(_HERE, "../harness")]

import machine  # noqa: E402
import run_twins  # noqa: E402

# Programs that are no tests: what they print and how they end is what the native twin does.
_PROGRAMS = ["hello", "threads"]

# For one program, in seconds.
_TIMEOUT = 600


def names_in(file):
    with open(file, encoding="utf-8") as stream:
        return sorted(json.load(stream))


def run_emulated(names):
    """{name: (exit status, what it printed)} of programs in enclaves of one machine."""
    script = "cd /share\n"
    for name in names:
        script += f"timeout {_TIMEOUT} nsgx-run {name}.elf < /dev/null > /tmp/out 2>&1; echo '<<' {name} $?; cat /tmp/out; echo '>>'\n"
    result = machine.shell(script, [f"{name}.elf" for name in names], timeout=1700)
    printed = result.out.decode(errors="replace")
    found = re.findall(r"^<< (\S+) (\d+)\n(.*?)^>>$", printed, re.MULTILINE | re.DOTALL)
    return {name: (int(status), text) for name, status, text in found}, result


class ProgramsTest(unittest.TestCase):
    wanted = []

    def test_no_enclave_test_is_left_out(self):
        """An enclave test outside of //tests is to be named in this folder's BUILD.gn."""
        self.assertEqual(names_in("emu-twins.json"), names_in("twins.json"))

    def test_programs_do_as_natively(self):
        twins = names_in("emu-twins.json")
        names = [name for name in _PROGRAMS + twins if not self.wanted or name in self.wanted]
        self.assertTrue(names)
        emulated, result = run_emulated(names)
        for name in names:
            with self.subTest(name):
                self.assertIn(name, emulated, (result.status, result.err, result.console[-4000:]))
                status, printed = emulated[name]
                native_status, native_printed = run_twins.run([f"./{name}.native"])
                if name in twins:
                    self.assertTrue(run_twins.cases(native_printed))
                    found = run_twins.differences(run_twins.cases(printed), run_twins.cases(native_printed))
                    self.assertEqual((found, status, native_status), ([], 0, 0), printed)
                else:
                    self.assertEqual((printed, status), (native_printed, native_status))
        # Linux noticed nothing odd.
        self.assertNotRegex(result.console, r"rcu: |WARNING|BUG|Call Trace|soft lockup")


if __name__ == "__main__":
    machine.require()
    ProgramsTest.wanted = [sys.argv.pop() for _ in sys.argv[1:]]
    unittest.main()
