#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds an upstream program with the SDK: build_program.py SOURCE FOLDER OUT [--cache FOLDER], in the out folder.

Unpacks SOURCE of programs.toml, unchanged, below OUT and runs FOLDER/build.sh at its top. What that says is kept in
OUT/build.log, of which the end is shown when it fails. Where nothing has changed but the library OS, objects of an
earlier build stay, and the program is linked again only.
"""

import argparse
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(_HERE, "../../toolchain/third_party"))

from fetch.errors import FetchError  # noqa: E402
from fetch.unpack import write_tree  # noqa: E402
from fetch_source import default_cache, source_files  # noqa: E402

# The same for all files: make must not think that a generated file is older than what it was made from.
_SOURCE_TIME = 946684800


def object_key(pinned, folder):
    """Stands for everything that objects are made of."""
    found = hashlib.sha256(json.dumps(pinned, sort_keys=True).encode())
    files = [os.path.join(folder, "build.sh"), "sdk/bin/nsgx-cc", "sdk/lib/nsgx/clang.cfg"]
    for parent, _, names in sorted(os.walk("sdk/lib/nsgx/sysroot/usr/include")):
        files += [os.path.join(parent, name) for name in sorted(names)]
    for file in files:
        with open(file, "rb") as stream:
            found.update(hashlib.sha256(stream.read()).digest())
    return found.hexdigest()


def remove_executables(folder):
    """Those that were linked with the SDK: each has its twin beside it."""
    for twin in glob.glob(f"{folder}/**/*.native", recursive=True):
        os.unlink(twin)
        if os.path.exists(twin.removesuffix(".native")):
            os.unlink(twin.removesuffix(".native"))


def unpack(source, pinned, cache, folder):
    shutil.rmtree(folder, ignore_errors=True)
    write_tree(source_files(source, pinned, cache), folder)
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as stream:
                if stream.read(2) == b"#!":
                    os.chmod(path, 0o755)
            os.utime(path, (_SOURCE_TIME, _SOURCE_TIME))


def read_or_nothing(path):
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def environment(folder, out):
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "CC", "CXX", "CFLAGS", "LDFLAGS")}
    return {
        **kept,
        "PATH": os.path.abspath("sdk/bin") + ":" + os.environ["PATH"],
        "GIT_CEILING_DIRECTORIES": os.path.abspath(out),  # Redis asks Git which commit it is of
        "LC_ALL": "C",
        "NSGX_CONFIG": os.path.join(os.path.abspath(folder), "nsgx.toml"),
        "NSGX_KEY": os.path.abspath("development-key.pem"),
        "NSGX_LINK": "twin",
        "RESULT": os.path.abspath(out),
        "SDK": os.path.abspath("sdk"),
        "SOURCE_DATE_EPOCH": str(_SOURCE_TIME),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source")
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--cache", default="")
    arguments = parser.parse_args()
    source, key_file = os.path.join(arguments.out, "source"), os.path.join(arguments.out, "object-key")
    with open(os.path.join(_HERE, "programs.toml"), "rb") as stream:
        pinned = tomllib.load(stream)[arguments.source]
    key = object_key(pinned, arguments.folder)
    try:
        if read_or_nothing(key_file) == key:
            remove_executables(source)
        else:
            unpack(arguments.source, pinned, arguments.cache or default_cache(), source)
    except FetchError as error:
        print(f"nsgx: {error}.", file=sys.stderr)
        return 1
    if os.path.exists(key_file):
        os.unlink(key_file)
    log = os.path.join(arguments.out, "build.log")
    with open(log, "w", encoding="utf-8") as stream:
        done = subprocess.run(
            ["sh", "-e", os.path.join(os.path.abspath(arguments.folder), "build.sh")],
            cwd=source, env=environment(arguments.folder, arguments.out), stdin=subprocess.DEVNULL, stdout=stream,
            stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as stream:
            sys.stderr.writelines(stream.readlines()[-30:])
        print(f"nsgx: {arguments.source} could not be built; all that was said is in {log}", file=sys.stderr)
        return 1
    with open(key_file, "w", encoding="utf-8") as stream:
        stream.write(key)
    return 0


if __name__ == "__main__":
    sys.exit(main())
