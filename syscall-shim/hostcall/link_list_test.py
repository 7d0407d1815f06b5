#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Links programs that use some stubs and looks whether .nsgx.hostcalls lists these and no others.

link_list_test.py --root FOLDER --clang FOLDER
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile


def calls_of(root):
    with open(os.path.join(root, "syscall-shim/hostcall/host_calls.def"), encoding="utf-8") as stream:
        return {name: int(number) for number, name in re.findall(r"^HOST_CALL\((\d+), (\w+),", stream.read(), re.M)}


def listed(arguments, folder, used):
    """Links a program that calls the stubs named in `used`; returns the numbers in its list."""
    source = os.path.join(folder, "program.S")
    with open(source, "w", encoding="utf-8") as stream:
        stream.write(".globl _start\n_start:\n")
        stream.writelines(f"  call nsgx_host_call_{name}\n" for name in used)
    stubs = os.path.join(arguments.root, "syscall-shim/hostcall/stubs.S")
    objects = []
    for file in source, stubs:
        objects.append(os.path.join(folder, os.path.basename(file) + ".o"))
        compile_ = ["clang", "--target=x86_64-linux-musl", "-I" + arguments.root, "-c", file, "-o", objects[-1]]
        compile_[0] = os.path.join(arguments.clang, compile_[0])
        subprocess.run(compile_, check=True)
    image = os.path.join(folder, "image")
    link = [os.path.join(arguments.clang, "ld.lld"), "-static", "-pie", "--gc-sections", "--icf=safe", "-o", image]
    subprocess.run(link + objects, check=True)
    raw = os.path.join(folder, "list")
    copy = [os.path.join(arguments.clang, "llvm-objcopy"), f"--dump-section=.nsgx.hostcalls={raw}", image]
    if subprocess.run(copy, stderr=subprocess.DEVNULL).returncode != 0:
        return set()  # no such section
    with open(raw, "rb") as stream:
        data = stream.read()
    return {int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data), 4)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--clang", required=True)
    arguments = parser.parse_args()
    calls = calls_of(arguments.root)
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        for used in [], ["log"], ["stream_write", "certificate_chain"], list(calls):
            expected = {calls[name] for name in used}
            found = listed(arguments, folder, used)
            if found != expected:
                wrong.append(f"a program that calls {used} lists {sorted(found)}, not {sorted(expected)}")
    print("\n".join(wrong) or f"{len(calls)} host calls: lists are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
