#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares what a program prints with a file: golden.py FILE [--update] -- PROGRAM [ARGUMENT...]

--update writes the file anew instead.
"""

import difflib
import os
import subprocess
import sys


def main():
    split = sys.argv.index("--")
    file, *options = sys.argv[1:split]
    # A program is given by its path, also where that has no slash in it.
    program = [os.path.abspath(sys.argv[split + 1]), *sys.argv[split + 2 :]]
    printed = subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout.decode()
    if "--update" in options:
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(printed)
        return 0
    with open(file, encoding="utf-8") as stream:
        expected = stream.read()
    if printed == expected:
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(expected.splitlines(True), printed.splitlines(True), file, "what is printed now")
    )
    command = " ".join([sys.argv[0], file, "--update"] + sys.argv[split:])
    print(f"\nIf the change is right, run this in the out folder: python3 {command}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
