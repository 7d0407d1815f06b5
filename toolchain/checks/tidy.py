# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over every file of the build. A file that passed is looked at again when it or a header of it changed."""

import concurrent.futures
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time

_TOOL = "clang-tidy-19"
# The analyzer follows at most so many states of a function, a tenth of what it does if not told: it needs nine tenths of
# the time then, and what it says beyond is seldom true.
_OPTIONS = [f"--extra-arg={word}" for word in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=20000")]
_CONFIGURATIONS = (".clang-tidy", "tests/.clang-tidy")
# What others wrote and a file of ours includes.
_FETCHED = "third_party/"
_SECONDS_BETWEEN_LINES = 20


def _commands(out):
    """One compilation of each file of the tree, without a compiler cache in front: {path: entry}."""
    with open(os.path.join(out, "compile_commands.json"), encoding="utf-8") as stream:
        entries = json.load(stream)
    commands = {}
    for entry in entries:
        entry["command"] = re.sub(r"^.*?(?=\S*/clang(\+\+)? )", "", entry["command"])
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]))
        commands.setdefault(path, entry)  # the first world that compiles it
    return commands


def _read_files(out):
    """What the last compilation of each object read: {object: [path]}."""
    printed = subprocess.run(["ninja", "-C", out, "-t", "deps"], check=True, capture_output=True, text=True).stdout
    read = {}
    for block in printed.split("\n\n"):
        head, *files = block.split("\n")
        read[head.split(":")[0]] = [os.path.join(out, file.strip()) for file in files]
    return read


class _Passed:
    """Remembers in a file of the build folder which files passed, by a digest of everything that was read."""

    def __init__(self, out):
        self._path = os.path.join(out, "clang-tidy-passed.json")
        self._read_files = _read_files(out)
        self._contents = {}
        version = subprocess.run([_TOOL, "--version"], check=True, capture_output=True).stdout
        self._common = version + " ".join(_OPTIONS).encode() + b"".join(self._digest(path) for path in _CONFIGURATIONS)
        try:
            with open(self._path, encoding="utf-8") as stream:
                self._keys = json.load(stream)
        except (OSError, ValueError):
            self._keys = {}

    def _digest(self, path):
        if path not in self._contents:
            with open(path, "rb") as stream:
                self._contents[path] = hashlib.sha256(stream.read()).digest()
        return self._contents[path]

    def _key(self, path, entry):
        compiled = re.search(r"-o\s+(\S+)", entry["command"])
        key = hashlib.sha256(self._common + entry["command"].encode() + self._digest(path))
        for file in self._read_files.get(compiled[1] if compiled else "", []):
            if os.path.isfile(file):
                key.update(self._digest(file))
        return key.hexdigest()

    def has(self, path, entry):
        return self._keys.get(path) == self._key(path, entry)

    def add(self, path, entry):
        self._keys[path] = self._key(path, entry)
        with open(f"{self._path}.new", "w", encoding="utf-8") as stream:
            json.dump(self._keys, stream)
        os.replace(f"{self._path}.new", self._path)


def findings(out, wanted):
    """Yields what clang-tidy says about the files of `wanted` that `out` compiles, line by line as it is found, each once."""
    passed = _Passed(out)
    commands = {path: entry for path, entry in sorted(_commands(out).items()) if path in wanted}
    left = [path for path, entry in commands.items() if not passed.has(path, entry)]
    found = set()  # what is wrong in a header is said for each file that includes it
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as stream:
            json.dump(list(commands.values()), stream)

        def tidy(path):
            return path, subprocess.run(
                [_TOOL, "-p", folder, "--quiet", *_OPTIONS, path], capture_output=True, text=True
            )

        said = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            done = [pool.submit(tidy, path) for path in left]
            try:
                for number, future in enumerate(concurrent.futures.as_completed(done), 1):
                    path, result = future.result()
                    lines = [line for line in result.stdout.splitlines() if ": error: " in line]
                    ours = [line for line in lines if not line.startswith(_FETCHED)]
                    if result.returncode != 0 and not lines:
                        # A tool that ends without a finding is one as well.
                        ours = [f"{path}:{_TOOL} ended with status {result.returncode}"]
                    if not ours:
                        passed.add(path, commands[path])
                    for line in ours:
                        file, rest = line.split(":", 1)
                        finding = f"{os.path.normpath(os.path.join(out, file))}:{rest}"
                        if finding not in found:
                            found.add(finding)
                            yield finding
                    if time.monotonic() - said > _SECONDS_BETWEEN_LINES:
                        said = time.monotonic()
                        print(f"  {number} of {len(left)} files", file=sys.stderr, flush=True)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
