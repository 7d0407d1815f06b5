# SPDX-License-Identifier: Apache-2.0
"""musl's libc-test: tests of the functions of a C library, of bugs that musl once had, and of mathematics."""

import glob
import os

from harness.suite import Suite, Test

_NEEDS_SHARED_OBJECTS = ("dlopen", "_dso", "tls_align_dlopen", "tls_init_dlopen")


class LibcTest(Suite):
    title = "musl's libc-test, functional, regression and math"
    where = "a copy of the libc-test repository"
    flags = ("-std=c99", "-O1", "-D_GNU_SOURCE", "-I{tree}/src/common")

    def support(self, tree):
        return [path for path in glob.glob(f"{tree}/src/common/*.c") if os.path.basename(path) != "runtest.c"]

    def tests(self, tree, work):
        for folder in ("functional", "regression", "math"):
            for path in sorted(glob.glob(f"{tree}/src/{folder}/*.c")):
                name = f"{folder}/{os.path.basename(path).removesuffix('.c')}"
                shared = any(part in name for part in _NEEDS_SHARED_OBJECTS)
                yield Test(name=name, sources=(path,), skip="loads a shared object" if shared else "")


SUITE = LibcTest()
