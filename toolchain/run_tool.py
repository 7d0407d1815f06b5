# SPDX-License-Identifier: Apache-2.0
"""Runs a program of the build as a build step: run_tool.py PROGRAM ARGUMENT... (GN's actions run Python only)."""

import subprocess
import sys

sys.exit(subprocess.run(sys.argv[1:]).returncode)
