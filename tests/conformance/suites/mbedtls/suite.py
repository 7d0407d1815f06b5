# SPDX-License-Identifier: Apache-2.0
"""mbedTLS 3.6.6's own suites, against the library that programs link. Each is a program made from a .function file and
one of its .data files; it passes when all of its cases do."""

import glob
import os
import re
import sys

from harness.suite import FAIL, PASS, Suite, Test, make_by

_ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", ".."))
_SUITES = "tests/suites"
_GENERATOR = "framework/scripts/generate_test_code.py"
_DATA = "framework/data_files"
_WANTED_FILE = re.compile(r"data_files/([\w./+-]*[\w+-])")
_SUMMARY = re.compile(r"^(PASSED|FAILED) \((\d+) / (\d+) tests", re.MULTILINE)
_HELPERS = (
    "framework/tests/src/asn1_helpers.c",
    "framework/tests/src/bignum_codepath_check.c",
    "framework/tests/src/bignum_helpers.c",
    "framework/tests/src/fake_external_rng_for_test.c",
    "framework/tests/src/fork_helpers.c",
    "framework/tests/src/helpers.c",
    "framework/tests/src/pk_helpers.c",
    "framework/tests/src/psa_crypto_helpers.c",
    "framework/tests/src/psa_crypto_stubs.c",
    "framework/tests/src/psa_exercise_key.c",
    "framework/tests/src/psa_memory_poisoning_wrappers.c",
    "framework/tests/src/random.c",
    "framework/tests/src/test_memory.c",
    "framework/tests/src/threading_helpers.c",
    "tests/src/certs.c",
    "tests/src/psa_test_wrappers.c",
    "tests/src/test_helpers/ssl_helpers.c",
)


def _text(path):
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


class Mbedtls(Suite):
    title = "mbedTLS 3.6.6, tests/suites"
    source = {
        "file": "m/mbedtls/mbedtls_3.6.6.orig.tar.bz2",
        "sha256": "8fb65fae8dcae5840f793c0a334860a411f884cc537ea290ce1c52bb64ca007a",
        "members": ["LICENSE", "3rdparty", "framework", "include", "library", "scripts", "tests"],
    }
    flags = (
        "-std=c99",
        "-O1",
        "-D_GNU_SOURCE",
        '-DMBEDTLS_USER_CONFIG_FILE="toolchain/third_party/mbedtls/user_config.h"',
        f"-iquote{_ROOT}",
        "-I{tree}/include",
        "-I{tree}/library",
        "-I{tree}/tests/include",
        "-I{tree}/framework/tests/include",
        "-I{tree}/tests",
    )
    libraries = ("mbedtls", "mbedcrypto")
    timeout = 300
    quick = ("test_suite_base64", "test_suite_gcm.aes128_de", "test_suite_timing")

    def support(self, tree):
        return _HELPERS

    def tests(self, tree, work):
        for path in sorted(glob.glob(os.path.join(tree, _SUITES, "*.data"))):
            name = os.path.basename(path).removesuffix(".data")
            files = {"suite.datax": os.path.join(work, f"{name}.datax")}
            for wanted in sorted(set(_WANTED_FILE.findall(_text(path) + _text(self._function_file(tree, name))))):
                files.update(self._files_below(tree, wanted))
            yield Test(
                name=name, sources=(os.path.join(work, f"{name}.c"),), arguments=("suite.datax",), files=files
            )

    @staticmethod
    def _function_file(tree, name):
        return os.path.join(tree, _SUITES, name.split(".")[0] + ".function")

    @staticmethod
    def _files_below(tree, wanted):
        """{where the suite looks for it: the file}, of a file or of all in a folder."""
        found = os.path.join(tree, _DATA, wanted)
        paths = [found] if os.path.isfile(found) else glob.glob(f"{found}/**", recursive=True)
        return {
            os.path.join("..", os.path.relpath(path, tree)): path for path in paths if os.path.isfile(path)
        }

    def make(self, test, tree, work):
        if os.path.exists(os.path.join(work, f"{test.name}.datax")):
            return
        make_by(
            [sys.executable, os.path.join(tree, _GENERATOR), "-f", self._function_file(tree, test.name)]
            + ["-d", os.path.join(tree, _SUITES, f"{test.name}.data"), "-t", f"{_SUITES}/main_test.function"]
            + ["-p", f"{_SUITES}/host_test.function", "-s", _SUITES]
            + ["--helpers-file", f"{_SUITES}/helpers.function", "-o", work],
            name=_GENERATOR,
            folder=tree,
            timeout=300,
        )

    def verdict(self, status, printed):
        summary = _SUMMARY.search(printed)
        if status == 0 and summary:
            return PASS, ""
        return FAIL, f"{summary[2]} of {summary[3]} cases pass" if summary else f"exit status {status}"


SUITE = Mbedtls()
