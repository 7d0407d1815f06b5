# SPDX-License-Identifier: Apache-2.0
"""What a suite says about itself. A suite is a folder below suites/ with a suite.py that defines `SUITE`, an instance of
a subclass of Suite; ../README.md shows how to write one."""

import os
import subprocess
from dataclasses import dataclass, field

# For support(): stands for system() where tests only make and remove folders by it.
FOLDER_COMMANDS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "kit", "folder_commands.c")

# How a test ends. The first four are verdicts of a program that ran.
PASS, FAIL, SKIP, CRASH = "pass", "fail", "skip", "crash"
TIMEOUT = "timeout"  # it did not end in time, and was ended
NO_BUILD = "no-build"  # its sources do not compile or link, so neither twin exists
VERDICTS = (PASS, FAIL, SKIP, CRASH, TIMEOUT, NO_BUILD)


@dataclass(frozen=True)
class Test:
    """One program. Paths are below the suite's tree, or absolute."""

    name: str  # what the table calls it: never changes from run to run
    sources: tuple = ()
    flags: tuple = ()  # for the compiler, after the suite's
    arguments: tuple = ()  # for the program
    files: dict = field(default_factory=dict)  # {path in the working folder: path of the contents}
    timeout: float = 0  # seconds; 0 is the suite's
    precompiled: bool = False  # whether the suite's precompiled headers may be read first: the test sets no macros for them
    skip: str = ""  # why it is neither built nor run


def make_by(command, name, folder, timeout):
    """For Suite.make(): runs a program of the suite's in a folder. OSError, with its last words, if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise OSError(f"{name} fails: {done.stderr.strip()[-300:]}")


class Suite:
    """Defaults that suit a folder of single-file programs which end with status 0 when all is well."""

    title = ""  # one line for people
    # What to fetch, as in toolchain/third_party/sources.toml. None: the user has it, and says where by --source.
    source = None
    where = ""  # for a suite that is not fetched: where a person gets it
    flags = ()  # for the compiler, for all files; {tree} and {work} are replaced
    cxx_flags = ()  # the same, for C++ files only
    # Headers of the C++ library that are compiled once for the tests that may have them: most of what a short C++ program
    # costs is its headers.
    precompiled_headers = ()
    precompile_from = 20  # tests in a run
    libraries = ()  # of the build's sysroot, for example "mbedtls"
    timeout = 30  # seconds for each twin
    quick = ()  # names of the tests that ./run tests runs, too

    # Reasons for tests that pass natively only: ((pattern of what the enclave printed, reason), ...).
    limits = ()

    def tests(self, tree, work):
        """All tests, those that are skipped included. The default: every C and C++ file below the tree. `work` is a folder
        for what the suite makes; the tree is never written to."""
        for folder, folders, names in os.walk(tree):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".c", ".cc", ".cpp")):
                    path = os.path.relpath(os.path.join(folder, name), tree)
                    yield Test(name=os.path.splitext(path)[0], sources=(path,))

    def support(self, tree):
        """Sources that are compiled once and linked with every test."""
        return ()

    def make(self, test, tree, work):
        """Makes what the test is compiled from, where the tree does not hold it; raises OSError."""

    def verdict(self, status, printed):
        """(verdict, reason) of a program that ended by itself with this exit status."""
        return (PASS, "") if status == 0 else (FAIL, f"exit status {status}")
