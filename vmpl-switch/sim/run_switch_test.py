#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the switch test with everything this machine offers, then with each fallback.

The last fallback, without any system-call trap, leaves out the tests that are about the trap.
"""
import os
import subprocess
import sys

# What the machine has to do without, and the tests that run then. A gate for less vector state than the processor has is
# right in all but what it leaves behind.
RUNS = [
    ("", "*"),
    ("keys", "*"),
    ("dispatch", "*"),
    ("keys,dispatch,seccomp", "-*SystemCall*:*Vsyscall*"),
    ("avx512", "Switch.*:Step.*:-*HostSeesNoRegister*"),
    ("avx512,avx", "Switch.*:Step.*:-*HostSeesNoRegister*"),
]


def main():
    program = sys.argv[1]
    for without, tests in RUNS:
        print("without:", without or "nothing", flush=True)
        status = subprocess.run(
            [program, "--gtest_brief=1", "--gtest_filter=" + tests],
            env={**os.environ, "NSGX_SIM_WITHOUT": without},
            timeout=120,
            check=False,
        ).returncode
        if status != 0:
            print("exit status", status)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
