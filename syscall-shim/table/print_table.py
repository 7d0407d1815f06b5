#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints docs/syscalls.md from the table of system calls: print_table.py syscalls.inc > docs/syscalls.md"""

import re
import sys

ROW = re.compile(r'^(CALL|REFUSE)\((\d+), (\w+), (\w+), (?:(\w+), )?"([^"]*)"(?:, "([^"]*)")?\)$')


def rows(path):
    """Each row as a dictionary; raises ValueError at a line that is neither row nor comment."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("//"):
                continue
            match = ROW.match(line)
            if not match:
                raise ValueError(f"{path}:{number}: not a row: {line}")
            kind, call, name, what, flags, text, host_calls = match.groups()
            yield {"refused": kind == "REFUSE", "number": int(call), "name": name, "handler_or_errno": what,
                   "restarts": flags == "kRestart", "text": text, "host_calls": host_calls or ""}


def state(row):
    if row["refused"]:
        return f"refused: {row['handler_or_errno'].removeprefix('k')}"
    return "partial" if row["text"] else "full"


def main():
    table = list(rows(sys.argv[1]))
    counts = {kind: sum(state(row).startswith(kind) for row in table) for kind in ("full", "partial", "refused")}
    print("<!-- SPDX-License-Identifier: Apache-2.0 -->")
    print("<!-- Made from syscall-shim/table/syscalls.inc by print_table.py; don't edit. -->")
    print("# System calls\n")
    print(f"Of {len(table)} calls of Linux on x86-64 {counts['full']} are full, {counts['partial']} partial, "
          f"{counts['refused']} refused.")
    print("*Leaves the enclave by* names the host calls that a call may make; most make none. Not named are those on files of folders of\n"
          "the host ([files.md](files.md)), which each call on files makes there.\n")
    print("| number | name | state | what is missing, or why refused | leaves the enclave by |")
    print("|---|---|---|---|---|")
    for row in table:
        print(f"| {row['number']} | {row['name']} | {state(row)} | {row['text']} | {row['host_calls']} |")


if __name__ == "__main__":
    main()
