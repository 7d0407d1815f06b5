# SPDX-License-Identifier: Apache-2.0
"""Makes the three headers that musl's Makefile makes.

generate_headers.py MUSL OUT
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from fetch.unpack import write_if_changed  # noqa: E402


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def main():
    musl, out = sys.argv[1:]
    types = subprocess.run(
        ["sed", "-f", f"{musl}/tools/mkalltypes.sed", f"{musl}/arch/x86_64/bits/alltypes.h.in"]
        + [f"{musl}/include/alltypes.h.in"],
        check=True,
        capture_output=True,
    ).stdout
    write_if_changed(f"{out}/include/bits/alltypes.h", types)

    # Every __NR_name gets a twin SYS_name.
    numbers = read(f"{musl}/arch/x86_64/bits/syscall.h.in")
    twins = [line.replace("__NR_", "SYS_", 1) for line in numbers.splitlines() if "__NR_" in line]
    write_if_changed(f"{out}/include/bits/syscall.h", (numbers + "\n".join(twins) + "\n").encode())

    version = read(f"{musl}/VERSION").strip()
    write_if_changed(f"{out}/internal/version.h", f'#define VERSION "{version}"\n'.encode())


if __name__ == "__main__":
    main()
