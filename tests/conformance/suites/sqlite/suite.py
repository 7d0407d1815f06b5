# SPDX-License-Identifier: Apache-2.0
"""SQLite 3.46.1's own test programs in C: fuzzcheck over its collections of malformed input, the stress tests of
threads, the session extension, and lsmtest, which checks the storage engine LSM1 beside the library. SQLite's larger
part, the scripts in test/*.test, is out of reach: they need an interpreter of Tcl that is linked with the library."""

import glob
import os
import re
import shutil
import sqlite3
import threading
import zlib

from harness.kit import BuildError
from harness.suite import FAIL, PASS, Suite, Test, make_by

_AMALGAMATION = "amalgamation"  # below the suite's work folder
_TOOLS = {"cc": "gcc", "make": "make", "tclsh": "tcl"}  # {program: Debian's package}
_FUZZ_COLLECTIONS = 8
# As upstream's main.mk has them.
_FUZZCHECK_SOURCES = (
    "test/fuzzcheck.c",
    "test/ossfuzz.c",
    "test/vt02.c",
    "test/fuzzinvariants.c",
    "ext/recover/dbdata.c",
    "ext/recover/sqlite3recover.c",
    "ext/misc/randomjson.c",
)
_FUZZCHECK_FLAGS = (
    "-DSQLITE_THREADSAFE=0",
    "-DSQLITE_OMIT_LOAD_EXTENSION",
    "-DSQLITE_ENABLE_MEMSYS5",
    "-DSQLITE_MAX_MEMORY=50000000",
    "-DSQLITE_PRINTF_PRECISION_LIMIT=1000",
    "-DSQLITE_ENABLE_FTS4",
    "-DSQLITE_ENABLE_RTREE",
    "-DSQLITE_ENABLE_GEOPOLY",
    "-DSQLITE_ENABLE_DBSTAT_VTAB",
    "-DSQLITE_ENABLE_BYTECODE_VTAB",
    "-DSQLITE_STRICT_SUBTYPE=1",
    "-DSQLITE_STATIC_RANDOMJSON",
    "-DSQLITE_OSS_FUZZ",
)
_DBFUZZ2_FLAGS = (
    "-DSTANDALONE",
    "-DSQLITE_THREADSAFE=0",
    "-DSQLITE_OMIT_LOAD_EXTENSION",
    "-DSQLITE_DEBUG",
    "-DSQLITE_ENABLE_DBSTAT_VTAB",
    "-DSQLITE_ENABLE_BYTECODE_VTAB",
    "-DSQLITE_ENABLE_RTREE",
    "-DSQLITE_ENABLE_FTS4",
    "-DSQLITE_ENABLE_FTS5",
)
_THREAD_FLAGS = ("-DSQLITE_THREADSAFE=1", "-DHAVE_USLEEP=1", "-DSQLITE_OMIT_LOAD_EXTENSION")
_THREADTEST3_TEST = re.compile(r'^ *\{ *\w+, *"(\w+)", *(\d+) *\},', re.MULTILINE)
_RACES = "fails now and then natively, too: takes a lock that another thread holds for an error"
# {how it is started: why it is not run}. With more than two threads the first fails now and then, too.
_THREADTEST4_MODES = {
    "--multithread 2": "",
    "--serialized 2": _RACES,
    "--wal --multithread 2": _RACES,
    "--wal --serialized 2": _RACES,
}
_LSM_TESTS = {  # {name: which of its tests}, those that take seconds
    "api": "api*",
    "clients": "mc1.lsm.*",
    "crash": "crash*",
    "data": "data3.lsm.*",
    "out-of-memory": "oom*",
    "rollback": "rollback.lsm*",
    "threads": "mt1.lsm.*.ms=10000.*",
    "writer-crash": "writercrash*",
}
_LSM_FLAGS = (
    *_THREAD_FLAGS,
    "-DLSM_MUTEX_PTHREADS=1",
    "-D__va_copy=va_copy",
    "-Wno-incompatible-function-pointer-types",
)
_LSM_LEFT_OUT = re.compile(r"lsmtest_(?:bt|tdb4)\.c$")  # wrappers of other databases
_ONE_PROCESS = "starts further processes of itself; an enclave is one"
# What a program says in the end when it has checked something and all was well.
_WELL = re.compile(
    r"^fuzzcheck: 0 errors out of [1-9]| [1-9]\d* cases, 0 crashes$|^0 errors out of [1-9]\d* tests$"
    r"|^Total 0 errors in [1-9]|^Everything seems ok\.$|^OK$|^VACUUM;$|\.Ok$",
    re.MULTILINE,
)
_NOT_WELL = re.compile(r"Integrity check failed|-- rc=|FAILED")
# threadtest2 is older than the third version.
_HEADER = '#include "sqlite3.h"\ntypedef sqlite3 sqlite;\n'


class Sqlite(Suite):
    title = "SQLite 3.46.1, test programs in C"
    source = {
        "file": "s/sqlite3/sqlite3_3.46.1.orig.tar.xz",
        "sha256": "d0cdd2ece271b29e7ce18095745d892517ee26d0f270065b3a25c2e9eb11639c",
        "members": ["LICENSE.md", "VERSION", "ext", "main.mk", "manifest", "manifest.uuid", "src", "test", "tool"],
    }
    flags = (
        "-O1",
        "-I{work}",
        "-I{work}/amalgamation",
        "-I{tree}/src",
        "-I{tree}/test",
        "-I{tree}/ext/lsm1",
        "-I{tree}/ext/recover",
    )
    timeout = 300

    def __init__(self):
        self._making = threading.Lock()

    def tests(self, tree, work):
        made = os.path.join(work, _AMALGAMATION, "sqlite3.c")
        for number in range(1, _FUZZ_COLLECTIONS + 1):
            yield Test(
                name=f"fuzzcheck/fuzzdata{number}",
                sources=(*_FUZZCHECK_SOURCES, made),
                flags=_FUZZCHECK_FLAGS,
                arguments=("fuzzdata.db",),
                files={"fuzzdata.db": f"test/fuzzdata{number}.db"},
            )
        yield Test(
            name="dbfuzz2/seed1",
            sources=("test/dbfuzz2.c", made),
            flags=_DBFUZZ2_FLAGS,
            arguments=("-v", "seed.db"),
            files={"seed.db": "test/dbfuzz2-seed1.db"},
        )
        yield Test(
            name="sessionfuzz/data1",
            sources=("test/sessionfuzz.c",),  # includes the library
            flags=("-DOMIT_ZLIB",),  # make() unpacks its input
            arguments=("run", "data.db"),
            files={"data.db": os.path.join(work, "sessionfuzz-data1.db")},
        )
        yield from self._tests_of_threads(tree, made)
        yield from self._tests_of_lsm(tree, made)
        yield Test(name="crashtest1", skip=_ONE_PROCESS)
        for name in ("config01", "config02", "crash01", "multiwrite01"):
            yield Test(name=f"mptest/{name}", skip=_ONE_PROCESS)

    @staticmethod
    def _tests_of_threads(tree, made):
        yield Test(name="threadtest1", skip="written for SQLite 2: gives memory of the library to free()")
        yield Test(name="threadtest2", sources=("test/threadtest2.c", made), flags=_THREAD_FLAGS)
        with open(os.path.join(tree, "test/threadtest3.c"), encoding="utf-8") as stream:
            found = _THREADTEST3_TEST.findall(stream.read())
        for name, milliseconds in found:
            yield Test(
                name=f"threadtest3/{name}",
                sources=("test/threadtest3.c", "src/test_multiplex.c", made),
                flags=_THREAD_FLAGS,
                arguments=(name,),
                timeout=int(milliseconds) / 1000 + 200,
            )
        for mode, skip in _THREADTEST4_MODES.items():
            yield Test(
                name=f"threadtest4/{'-'.join(re.findall('[a-z]+', mode))}",
                sources=("test/threadtest4.c", made),
                flags=_THREAD_FLAGS,
                arguments=tuple(mode.split()),
                skip=skip,
            )
        for name, arguments in {"memory": (), "file": ("test.db",)}.items():
            yield Test(
                name=f"threadtest5/{name}",
                sources=("test/threadtest5.c", made),
                flags=_THREAD_FLAGS,
                arguments=arguments,
            )

    @staticmethod
    def _tests_of_lsm(tree, made):
        paths = sorted(glob.glob(f"{tree}/ext/lsm1/*.c") + glob.glob(f"{tree}/ext/lsm1/lsm-test/*.c"))
        sources = [os.path.relpath(path, tree) for path in paths if not _LSM_LEFT_OUT.search(path)]
        for name, pattern in _LSM_TESTS.items():
            yield Test(
                name=f"lsmtest/{name}",
                sources=(*sources, made),
                flags=_LSM_FLAGS,
                arguments=("test", pattern),
            )

    def support(self, tree):
        for program, package in _TOOLS.items():
            if not shutil.which(program):
                raise BuildError(f"{program} is missing, which makes SQLite's one-file form: apt-get install {package}")
        return ()

    def make(self, test, tree, work):
        with self._making:
            last = os.path.join(work, "sessionfuzz-data1.db")
            if os.path.exists(last):
                return
            with open(os.path.join(work, "sqlite.h"), "w", encoding="utf-8") as stream:
                stream.write(_HEADER)
            folder = os.path.join(work, _AMALGAMATION)
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
            make_by(
                ["make", "-f", os.path.join(tree, "main.mk"), f"TOP={tree}"]
                + ["BCC=cc -O1", "TCC=cc", "TLIBS=", "sqlite3.c"],
                name="main.mk",
                folder=folder,
                timeout=600,
            )
            self._unpack_archive(os.path.join(tree, "test/sessionfuzz-data1.db"), last)

    @staticmethod
    def _unpack_archive(path, unpacked):
        part = f"{unpacked}.part"
        shutil.copyfile(path, part)
        archive = sqlite3.connect(part)
        for name, size, data in archive.execute("SELECT name, sz, data FROM sqlar").fetchall():
            if len(data) != size:
                archive.execute("UPDATE sqlar SET data = ? WHERE name = ?", (zlib.decompress(data), name))
        archive.commit()
        archive.close()
        os.replace(part, unpacked)

    def verdict(self, status, printed):
        if status != 0:
            return FAIL, f"exit status {status}"
        wrong = _NOT_WELL.search(printed)
        if wrong or not _WELL.search(printed):
            return FAIL, f"says {wrong[0]}" if wrong else "does not say that all was well"
        return PASS, ""


SUITE = Sqlite()
