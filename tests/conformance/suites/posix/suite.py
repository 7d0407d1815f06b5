# SPDX-License-Identifier: Apache-2.0
"""The Open POSIX Test Suite 1.5.2: one program for each assertion of POSIX.1-2001's interfaces."""

import glob
import os
import re

from harness.suite import FAIL, PASS, SKIP, Suite, Test

_VERDICTS = {
    0: (PASS, ""),
    1: (FAIL, "the assertion does not hold"),
    2: (FAIL, "the suite says unresolved"),
    4: (SKIP, "the suite says unsupported"),
    5: (SKIP, "the suite says untested"),
}
# What a script starts: another program of its folder, with arguments.
_STARTS = re.compile(r"^conformance/\S+/(\S+)\.test((?: +\w+)*) *$", re.MULTILINE)
_NOT_NATIVELY = {
    "interfaces/clock_settime": "sets the clock of the machine that runs the tests",
    "interfaces/sched_setscheduler": "asks for real-time scheduling on the machine that runs the tests",
}
# The suite takes for granted that headers bring each other, as in other C libraries, and takes any year but its own for a
# system without asynchronous I/O.
_PRELUDE = """#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>
#undef _POSIX_ASYNCHRONOUS_IO
#define _POSIX_ASYNCHRONOUS_IO 200112L
"""
_NO_BUILD = ("testfrmw", "threads_scenarii", "coverage")


class Posix(Suite):
    title = "Open POSIX Test Suite 1.5.2"
    source = {
        "file": "p/posixtestsuite/posixtestsuite_1.5.2.orig.tar.gz",
        "sha256": "15a2185672127cba851d35ec9d538ff6148defdbb75f99c7e9c50aeba0f94757",
        "members": ["COPYING", "conformance", "include"],
    }
    flags = (
        "-std=gnu99",
        "-O1",
        "-D_GNU_SOURCE",
        "-D_XOPEN_SOURCE=600",
        "-I{tree}/include",
        "-include",
        "{work}/prelude.h",
        "-Wno-implicit-function-declaration",
    )
    timeout = 40
    quick = (
        "behavior/timers/1-1",
        "interfaces/aio_write/1-1",
        "interfaces/clock_nanosleep/1-1",
        "interfaces/mmap/6-1",
        "interfaces/nanosleep/1-1",
        "interfaces/pthread_cancel/1-1",
        "interfaces/pthread_cond_timedwait/1-1",
        "interfaces/pthread_mutex_timedlock/1-1",
        "interfaces/sem_timedwait/1-1",
        "interfaces/shm_unlink/1-1",
        "interfaces/sigaction/1-1",
        "interfaces/sigwaitinfo/1-1",
        "interfaces/timer_create/1-1",
    )

    def tests(self, tree, work):
        with open(os.path.join(work, "prelude.h"), "w", encoding="utf-8") as stream:
            stream.write(_PRELUDE)
        top = os.path.join(tree, "conformance")
        for path in sorted(glob.glob(f"{top}/**/*.c", recursive=True) + glob.glob(f"{top}/**/*.sh", recursive=True)):
            name, extension = os.path.splitext(os.path.relpath(path, top))
            base = os.path.basename(name)
            if base.startswith(_NO_BUILD) or "buildonly" in base or base == "cln":
                continue  # parts of other tests
            if extension == ".sh":
                yield self._script(path, name)
                continue
            skip = ""
            if name.startswith("definitions/"):
                skip = "compiles a header and runs nothing; both twins have the same headers"
            for prefix, why in _NOT_NATIVELY.items():
                if name.startswith(prefix):
                    skip = why
            yield Test(name=name, sources=(os.path.join("conformance", f"{name}.c"),), skip=skip)

    @staticmethod
    def _script(path, name):
        with open(path, encoding="latin-1") as stream:
            text = re.sub(r"^\s*#.*$", "", stream.read(), flags=re.MULTILINE)
        name = f"{name}.sh"
        starts = _STARTS.findall(text)
        if len(starts) == 1 and os.path.exists(os.path.join(os.path.dirname(path), f"{starts[0][0]}.c")):
            source = os.path.join("conformance", os.path.dirname(name), f"{starts[0][0]}.c")
            return Test(name=name, sources=(source,), arguments=tuple(starts[0][1].split()))
        if "Tested implicitly" in text or "ested under assertion" in text:
            return Test(name=name, skip="another test of the folder covers the assertion")
        return Test(name=name, skip="a shell script; an enclave runs programs")

    def verdict(self, status, printed):
        return _VERDICTS.get(status, (FAIL, f"exit status {status}"))


SUITE = Posix()
