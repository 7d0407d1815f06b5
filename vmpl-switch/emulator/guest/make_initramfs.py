#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the first file system of the emulated machine's guest; where its parts cannot be had, an empty file.

make_initramfs.py --linux STAMP --busybox STAMP --out FILE [--file PATH=SOURCE]... [--module NAME]... [--network NAME]...

The stamps are those of toolchain/emulator. A --file whose source is empty is left out. Modules of the kernel get into
lib/modules with all that they need, uncompressed, and two lists say in which order they are loaded: "always" and "network".
"""

import argparse
import lzma
import os
import re
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [_HERE, os.path.join(_HERE, "../../../toolchain/emulator")]

import cpio  # noqa: E402
import fetched  # noqa: E402


class Modules:
    """The modules of one kernel, by name; "-" and "_" are the same in names."""

    def __init__(self, folder):
        self._paths, self._built_in, self._contents = {}, set(), {}
        for parent, _, names in os.walk(folder):
            for name in names:
                if match := re.fullmatch(r"(.*)\.ko(\.xz)?", name):
                    self._paths[match[1].replace("-", "_")] = os.path.join(parent, name)
        with open(os.path.join(folder, "modules.builtin"), encoding="utf-8") as stream:
            self._built_in = {os.path.basename(line.strip())[:-3].replace("-", "_") for line in stream}

    def contents(self, name):
        if name not in self._contents:
            with open(self._paths[name], "rb") as stream:
                data = stream.read()
            self._contents[name] = lzma.decompress(data) if self._paths[name].endswith(".xz") else data
        return self._contents[name]

    def in_order(self, wanted):
        """Names of the wanted modules and of those that they depend on, which come first."""
        order = []

        def visit(name):
            name = name.replace("-", "_")
            if name in order or name in self._built_in:
                return
            if name not in self._paths:
                sys.exit(f"make_initramfs.py: this kernel has no module {name}")
            match = re.search(rb"\0depends=([^\0]*)\0", self.contents(name))
            for other in filter(None, match[1].decode().split(",") if match else []):
                visit(other)
            order.append(name)

        for name in wanted:
            visit(name)
        return order


def make(arguments):
    linux = fetched.folder_of(arguments.linux)
    busybox = fetched.folder_of(arguments.busybox)
    with open(os.path.join(linux, "release"), encoding="utf-8") as stream:
        release = stream.read().strip()
    archive = cpio.Archive()
    for folder in ("dev", "proc", "sys", "tmp", "run"):
        archive.add_folder(folder)
    archive.add_device("dev/console", 5, 1)
    files = [entry.split("=", 1) for entry in arguments.file]
    files.append(["bin/busybox", os.path.join(busybox, "bin/busybox")])
    own_modules = []
    for path, source in files:
        with open(source, "rb") as stream:
            data = stream.read()
        if data:
            archive.add_file(path, data, 0o755)
            if path.startswith("lib/modules/"):
                own_modules.append(os.path.basename(path))
    modules = Modules(os.path.join(linux, "lib/modules", release))
    always = modules.in_order(arguments.module)
    network = [name for name in modules.in_order(arguments.network) if name not in always]
    for name in always + network:
        archive.add_file(f"lib/modules/{name}.ko", modules.contents(name))
    for name, order in (("always", [f"{name}.ko" for name in always] + own_modules), ("network", [f"{name}.ko" for name in network])):
        archive.add_file(f"lib/modules/{name}", "".join(f"{file}\n" for file in order).encode())
    return archive.bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--linux", required=True)
    parser.add_argument("--busybox", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--module", action="append", default=[])
    parser.add_argument("--network", action="append", default=[])
    arguments = parser.parse_args()
    try:
        data = make(arguments)
    except fetched.Unavailable:
        data = b""
    with open(arguments.out, "wb") as stream:
        stream.write(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
