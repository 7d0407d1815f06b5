#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lays out the SDK in a folder of the build; BUILD.gn says what goes into it. Writes OUT.stamp."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "third_party"))

from fetch.unpack import write_tree  # noqa: E402

# Their functions are in libc.a; build systems ask for the names all the same.
_EMPTY_LIBRARIES = ("crypt", "dl", "m", "pthread", "resolv", "rt", "util", "xnet")
_TOOLS_OF_LLVM = ("ar", "nm", "ranlib", "strip")


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def private_names(llvm, archive):
    """The archive with the cryptography of the library OS under names of its own: a program may bring another version of
    the same library, and neither must get the other's functions."""
    listed = subprocess.run(
        [f"{llvm}/llvm-nm", "--defined-only", "--extern-only", "--format=just-symbols", archive],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()
    names = sorted({name for name in listed if name.startswith(("mbedtls_", "psa_"))})
    with tempfile.TemporaryDirectory() as folder:
        table, renamed = os.path.join(folder, "names"), os.path.join(folder, "renamed.a")
        with open(table, "w", encoding="utf-8") as stream:
            stream.writelines(f"{name} nsgx_private_{name}\n" for name in names)
        subprocess.run([f"{llvm}/llvm-objcopy", f"--redefine-syms={table}", archive, renamed], check=True)
        return read(renamed)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("out", "source", "checks", "llvm", "include", "enclave", "native"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("tool", "library", "page", "header"):
        parser.add_argument(f"--{name}", action="append")
    arguments = parser.parse_args()

    programs = {f"bin/{os.path.basename(path)}": read(path) for path in arguments.tool}
    driver = read(f"{arguments.source}/nsgx-cc")
    programs |= {"bin/nsgx-cc": driver, "bin/nsgx-c++": driver}
    programs |= {f"bin/nsgx-{name}": read(f"{arguments.source}/nsgx-tool") for name in _TOOLS_OF_LLVM}
    programs["bin/nsgx-pkg-config"] = read(f"{arguments.source}/nsgx-pkg-config")
    programs["lib/nsgx/ld.lld"] = read(f"{arguments.source}/ld.lld")

    files = {
        "lib/nsgx/clang.cfg": read(f"{arguments.source}/clang.cfg"),
        "lib/nsgx/enclave/libnsgx.a": private_names(arguments.llvm, arguments.enclave),
        "lib/nsgx/native/libnsgx.a": read(arguments.native),
        "share/cmake/nsgx.cmake": read(f"{arguments.source}/nsgx.cmake"),
        "share/meson/cross/nsgx.ini": read(f"{arguments.source}/nsgx.ini"),
    }
    for name in ("allowed_instructions.toml", "check_elf.py", "elf.py"):
        files[f"lib/nsgx/{name}"] = read(f"{arguments.checks}/{name}")
    for path in arguments.library:
        files[f"lib/nsgx/sysroot/usr/lib/{os.path.basename(path)}"] = read(path)
    for name in _EMPTY_LIBRARIES:
        files[f"lib/nsgx/sysroot/usr/lib/lib{name}.a"] = b"!<arch>\n"
    for folder, _, names in os.walk(arguments.include):
        for name in names:
            path = os.path.join(folder, name)
            files[f"lib/nsgx/sysroot/usr/include/{os.path.relpath(path, arguments.include)}"] = read(path)
    for path in arguments.page:
        files[f"share/man/man{path[-1]}/{os.path.basename(path)}"] = read(path)
    for entry in arguments.header:
        path, _, name = entry.partition("=")
        files[f"include/{name}"] = read(path)

    write_tree({**files, **programs}, arguments.out)
    for name in programs:
        os.chmod(os.path.join(arguments.out, name), 0o755)
    shutil.rmtree(os.path.join(arguments.out, "lib/nsgx/__pycache__"), ignore_errors=True)
    with open(f"{arguments.out}.stamp", "w", encoding="utf-8"):
        pass


if __name__ == "__main__":
    main()
