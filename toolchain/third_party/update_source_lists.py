#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""After a version in sources.toml has changed: writes the lists of files that the build compiles.

update_source_lists.py FOLDER    FOLDER holds musl/, llvm/ and mbedtls/ as fetch_source.py makes them
"""

import glob
import os
import re
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))
_ARCH = "x86_64"

# musl's assembly with a `syscall` instruction; //syscall-shim/musl takes its place.
_MUSL_REPLACED = {
    "src/process/x86_64/vfork.s",
    "src/signal/x86_64/restore.s",
    "src/thread/x86_64/__set_thread_area.s",
    "src/thread/x86_64/__unmapself.s",
    "src/thread/x86_64/clone.s",
    "src/thread/x86_64/syscall_cp.s",
}


def write_list(path, **lists):
    with open(os.path.join(_HERE, path), "w", encoding="utf-8") as stream:
        stream.write("# SPDX-License-Identifier: Apache-2.0\n")
        stream.write("# Written by update_source_lists.py.\n")
        for name, files in lists.items():
            stream.write(f"{name} = [\n" + "".join(f'  "{file}",\n' for file in sorted(files)) + "]\n")
            print(f"{path}: {len(files)} {name}")


def stem(path):
    return os.path.splitext(path)[0]


def found(root, *patterns):
    return [os.path.relpath(path, root) for pattern in patterns for path in glob.glob(f"{root}/{pattern}")]


def musl_sources(root):
    """As in musl's Makefile: every C file, but a file for this processor replaces the general one of its name."""
    general = set(found(root, "src/*/*.c", "src/malloc/mallocng/*.c"))
    special = set(found(root, *(f"src/*/{_ARCH}/*.{kind}" for kind in "csS")))
    replaced = {stem(path).replace(f"/{_ARCH}/", "/") for path in special}
    assert _MUSL_REPLACED <= special, _MUSL_REPLACED - special
    sources = {path for path in general if stem(path) not in replaced} | (special - _MUSL_REPLACED)
    # The C version of vfork is fork; the assembly is needed only to make the system call itself.
    return sources | {"src/process/vfork.c"}


def builtins_sources(root):
    """The lists that compiler-rt's own build file gives for this processor, without what needs an operating system."""
    folder = "compiler-rt/lib/builtins"
    with open(f"{root}/{folder}/CMakeLists.txt", encoding="utf-8") as stream:
        text = stream.read()
    names = []
    for listed in ("GENERIC_SOURCES", "GENERIC_TF_SOURCES", "BF16_SOURCES", "x86_80_BIT_SOURCES"):
        names += re.search(rf"set\({listed}\n(.*?)\)", text, re.DOTALL)[1].split()
    names = set(names) - {"apple_versioning.c", "os_version_check.c", "fp_mode.c"}
    # atomic.c: std::atomic of what no instruction handles, which elsewhere is libatomic's.
    names |= {"cpu_model/x86.c", "i386/fp_mode.c", "gcc_personality_v0.c", "atomic.c"}
    special = {f"{_ARCH}/{name}" for name in ("floatdidf.c", "floatdisf.c", "floatdixf.c")}
    special |= {f"{_ARCH}/{name}" for name in ("floatundidf.S", "floatundisf.S", "floatundixf.S")}
    replaced = {os.path.basename(stem(name)) for name in special}
    names = {name for name in names if "/" in name or stem(name) not in replaced} | special
    return {f"{folder}/{name}" for name in names}


def main():
    root = sys.argv[1]
    write_list("musl/musl_sources.gni", musl_sources=musl_sources(f"{root}/musl"))

    llvm = f"{root}/llvm"
    libcxx = set(found(llvm, "libcxx/src/*.cpp", "libcxx/src/filesystem/*.cpp", "libcxx/src/ryu/*.cpp"))
    # operator new comes from libc++abi; 128-bit arithmetic on files from the builtins.
    libcxx -= {"libcxx/src/new.cpp", "libcxx/src/filesystem/int128_builtins.cpp"}
    libunwind = ["UnwindLevel1-gcc-ext.c", "UnwindLevel1.c", "UnwindRegistersRestore.S", "UnwindRegistersSave.S"]
    libunwind += ["libunwind.cpp"]
    lists = {
        "builtins_sources": builtins_sources(llvm),
        "libcxx_sources": libcxx,
        "libcxxabi_sources": set(found(llvm, "libcxxabi/src/*.cpp")) - {"libcxxabi/src/cxa_noexception.cpp"},
        "libunwind_sources": {f"libunwind/src/{name}" for name in libunwind},
    }
    for files in lists.values():
        for file in files:
            assert os.path.exists(f"{llvm}/{file}"), file
    write_list("llvm/llvm_sources.gni", **lists)

    # The two other implementations of curves below 3rdparty/ are switched off in mbedTLS's own configuration.
    mbedtls = set(found(f"{root}/mbedtls", "library/*.c"))
    protocols = re.compile(r"library/(debug|mps_\w+|net_sockets|pkcs7|ssl_\w+|x509\w*)\.c")
    write_list(
        "mbedtls/mbedtls_sources.gni",
        mbedcrypto_sources={file for file in mbedtls if not protocols.fullmatch(file)},
        mbedtls_sources={file for file in mbedtls if protocols.fullmatch(file)},
    )


if __name__ == "__main__":
    main()
