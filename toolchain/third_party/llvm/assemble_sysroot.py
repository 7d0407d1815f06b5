# SPDX-License-Identifier: Apache-2.0
"""Lays out the headers of the C and C++ libraries below SYSROOT/usr/include.

assemble_sysroot.py SYSROOT MUSL MUSL_GENERATED LLVM OVERLAY

Files that are already right keep their times, so that nothing is compiled again for them.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from fetch.unpack import write_if_changed, write_tree  # noqa: E402

_UNWIND_HEADERS = ("__libunwind_config.h", "libunwind.h", "unwind.h", "unwind_arm_ehabi.h", "unwind_itanium.h")


def read(path):
    with open(path, "rb") as stream:
        return stream.read()


def headers_below(folder, prefix=""):
    """All files of a folder but templates, as {prefix + path: bytes}."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            if not name.endswith((".in", "CMakeLists.txt")):
                path = os.path.join(parent, name)
                found[prefix + os.path.relpath(path, folder)] = read(path)
    return found


def main():
    sysroot, musl, musl_generated, llvm, overlay = sys.argv[1:]
    files = headers_below(f"{musl}/include")
    files |= headers_below(f"{musl}/arch/generic/bits", "bits/")
    files |= headers_below(f"{musl}/arch/x86_64/bits", "bits/")
    files |= headers_below(musl_generated)
    files |= headers_below(f"{llvm}/libcxx/include", "c++/v1/")
    files |= headers_below(f"{llvm}/libcxxabi/include", "c++/v1/")
    files |= {name: read(f"{llvm}/libunwind/include/{name}") for name in _UNWIND_HEADERS}
    files["c++/v1/__config_site"] = read(f"{overlay}/__config_site")
    files["c++/v1/__assertion_handler"] = read(f"{llvm}/libcxx/vendor/llvm/default_assertion_handler.in")
    files["linux/futex.h"] = read(f"{overlay}/linux/futex.h")
    write_tree(files, f"{sysroot}/usr/include")
    write_if_changed(f"{sysroot}/usr/include.stamp", b"")
    os.utime(f"{sysroot}/usr/include.stamp")


if __name__ == "__main__":
    main()
