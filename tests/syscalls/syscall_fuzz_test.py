#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Senseless system calls in an enclave: syscall_fuzz_test.py [SEED [CALLS]], run in the out folder.

The same seed makes the same calls in each thread. For long runs: more seeds, 8 threads, a million calls.
"""

import subprocess
import sys


def main():
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    calls = sys.argv[2] if len(sys.argv) > 2 else "5000"
    for seed, threads in [(first, "1"), (first + 1, "8"), (first + 2, "8")]:
        done = subprocess.run(["./nsgx-run", "syscall_fuzz.elf", str(seed), threads, calls],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              timeout=600)
        print(f"seed {seed}: {done.stdout.decode(errors='replace')}exit status {done.returncode}")
        if done.returncode != 0 or b"all works" not in done.stdout:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
