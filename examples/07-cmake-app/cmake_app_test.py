#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the example by CMake with the SDK and runs it as an enclave."""

import os
import shutil
import subprocess
import sys
import tempfile

_HERE = os.path.dirname(os.path.abspath(__file__))
_TEXT = "one two two three three three\n" * 100


def build(folder, *options):
    for command in (["cmake", "-S", _HERE, "-B", folder, *options], ["cmake", "--build", folder]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return os.path.join(folder, "word-count")


def main():
    if not shutil.which("cmake"):
        print("cmake is not installed")
        return 77
    sdk = os.path.abspath("sdk")
    os.environ["NSGX_KEY"] = os.path.abspath("development-key.pem")
    with tempfile.TemporaryDirectory(prefix="nsgx-") as folder:
        image = build(f"{folder}/enclave", f"-DCMAKE_TOOLCHAIN_FILE={sdk}/share/cmake/nsgx.cmake")
        done = subprocess.run([f"{sdk}/bin/nsgx-run", image], input=_TEXT, capture_output=True, text=True, check=True)
    assert done.stdout == "100 one\n300 three\n200 two\n", done
    return 0


if __name__ == "__main__":
    sys.exit(main())
