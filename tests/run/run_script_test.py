#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests what `./run` says before it builds anything: run_script_test.py ROOT

The package tools that it asks are fakes on PATH, so nothing is installed and nothing is looked up.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1)).resolve()

# Answers for all packages but those of MISSING; --query-format's arguments are no packages.
DPKG_QUERY = """#!/bin/sh
for name; do
  case " $MISSING -W -f " in *" $name "*) continue ;; esac
  case $name in *{*) ;; *) echo "installed $name" ;; esac
done
"""
APT_GET = """#!/bin/sh
echo "$@" >>"$LOG"
exit 100
"""


class RunScript(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.log = self.folder / "apt-get.log"

    def run_script(self, *arguments, user, missing):
        for name, text in (
            ("dpkg-query", DPKG_QUERY),
            ("apt-get", APT_GET),
            ("id", f"#!/bin/sh\necho {user}\n"),
        ):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        environment = os.environ | {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "MISSING": " ".join(missing),
            "LOG": str(self.log),
        }
        return subprocess.run(
            [ROOT / "run", *arguments], env=environment, capture_output=True, text=True, timeout=30
        )

    def test_who_may_not_install_gets_the_one_line_that_does(self):
        done = self.run_script("hello", user=1000, missing=["clang-19", "ninja-build"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get install --no-install-recommends clang-19 ninja-build", done.stderr)
        self.assertFalse(self.log.exists(), "apt-get was called")

    def test_root_installs_what_is_missing_and_says_what_failed(self):
        done = self.run_script("hello", user=0, missing=["lld-19"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("apt-get cannot install: lld-19", done.stderr)
        calls = self.log.read_text()
        self.assertIn("install lld-19", calls)
        self.assertIn("update", calls)
        self.assertNotIn("clang-19", calls)

    def test_each_command_is_in_the_help(self):
        done = self.run_script("help", user=1000, missing=[])
        self.assertEqual(done.returncode, 0)
        for command in ("hello", "tests", "bench", "presubmit", "build", "clean"):
            self.assertIn(f"./run {command}", done.stdout)

    def test_unknown_commands_are_usage_errors(self):
        done = self.run_script("helo", user=1000, missing=[])
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("./run hello", done.stderr)


if __name__ == "__main__":
    unittest.main()
