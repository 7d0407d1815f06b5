#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds a module of the kernel by Kbuild, outside the source tree.

build_module.py --linux STAMP --root FOLDER --work FOLDER --folder FOLDER --out FILE SOURCE...

The module is named as the file --out; its Kbuild is in --folder, below the root.

The stamp is that of toolchain/emulator: it names a folder with a kernel's headers, or says why there is none; then the
module is an empty file, because all else works without it. Kbuild writes beside the sources, so these are copied to --work.
"""

import argparse
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../toolchain/emulator"))

import fetched  # noqa: E402


def copy_sources(sources, root, work):
    shutil.rmtree(work, ignore_errors=True)
    for source in sources:
        target = os.path.join(work, os.path.relpath(source, root))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(source, target)


def build(headers, folder, name):
    command = [
        "make",
        "-s",
        "-C",
        headers,
        f"M={folder}",
        # No path of this machine in the module.
        f"KCFLAGS=-ffile-prefix-map={folder}/=",
        # Type information would need more tools than a compiler.
        "CONFIG_DEBUG_INFO_BTF_MODULES=",
        "modules",
    ]
    # What the caller's make was told is not for this one.
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "ARCH")}
    try:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        sys.exit(f"{name} cannot be built: the program make is missing")
    if done.returncode:
        sys.exit(f"{name} cannot be built:\n{done.stdout}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linux", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("sources", nargs="+")
    options = parser.parse_args()

    name = os.path.basename(options.out)
    try:
        headers = os.path.realpath(os.path.join(fetched.folder_of(options.linux), "headers"))
    except fetched.Unavailable as reason:
        print(f"nsgx: no {name}: {reason}", file=sys.stderr)
        open(options.out, "w", encoding="utf-8").close()
        return
    copy_sources(options.sources, options.root, options.work)
    folder = os.path.join(os.path.abspath(options.work), options.folder)
    build(headers, folder, name)
    subprocess.run(["objcopy", "--strip-debug", os.path.join(folder, name), options.out], check=True)


if __name__ == "__main__":
    main()
