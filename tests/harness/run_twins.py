#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a GoogleTest program as an enclave and as its native twin: run_twins.py NAME [ARGUMENT...], in the out folder.

Passes when both end well and every case ended the same way in both; says which case did not.
"""

import re
import subprocess
import sys

_ENDING = re.compile(r"^\[\s+(OK|FAILED|SKIPPED)\s+\] (\w[\w/.]*)(?:,.*)?(?: \(\d+ ms\))?$")


def cases(printed):
    """{case: how it ended} in what a GoogleTest program printed."""
    found = {}
    for line in printed.splitlines():
        if match := _ENDING.match(line.strip()):
            found[match[2]] = match[1]
    return found


def differences(enclave, native):
    """Sentences about the cases that did not end alike; both are {case: ending}."""
    found = []
    for case in sorted(enclave.keys() | native.keys()):
        sides = enclave.get(case, "missing"), native.get(case, "missing")
        if sides[0] != sides[1]:
            found.append(f"{case}: {sides[0]} in the enclave, {sides[1]} natively")
    return found


def run(command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace")


def main():
    name, *arguments = sys.argv[1:]
    enclave_status, enclave_printed = run(["./nsgx-run", f"{name}.elf"] + arguments)
    native_status, native_printed = run([f"./{name}.native"] + arguments)
    print(f"--- {name}.elf: exit status {enclave_status}\n{enclave_printed}")
    print(f"--- {name}.native: exit status {native_status}\n{native_printed}")
    if not cases(native_printed):
        print("the native twin ran no case")
        return 1
    found = differences(cases(enclave_printed), cases(native_printed))
    for difference in found:
        print(difference)
    return 1 if found or enclave_status != 0 or native_status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
