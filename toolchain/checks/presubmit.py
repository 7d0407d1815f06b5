#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a change has to pass besides the tests: presubmit.py OUT_FOLDER [--only STEP]...

Runs at the top of the tree on a built OUT_FOLDER, step by step, and says for each whether it passed.
"""

import argparse
import filecmp
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
from urllib.parse import urlparse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "third_party"))

import tidy
from fetch import mirror  # noqa: E402

# Built by Kbuild, under the kernel's licence.
_KERNEL_MODULES = ("vmpl-switch/guest-module/", "tests/hostile/snp/module/")
# Built with the SDK by a build system of its own.
_OTHER_BUILDS = ("examples/07-cmake-app/",)
# Files whose bytes are the point, or whose format has no comments.
_NO_LICENCE_LINE = re.compile(r"(\.(md|bin|der|pem|json|txt|lock)|/corpus/[^/]+|/corpora/.*|^LICENSE|^NOTICE)$")


def lines_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


def tracked(*patterns):
    return [path for path in lines_of("git", "ls-files", "--", *patterns) if os.path.isfile(path)]


def text_of(path):
    """The file's text, or None if it is binary."""
    with open(path, "rb") as stream:
        data = stream.read()
    return None if b"\0" in data else data.decode(errors="replace")


def complaints_of(command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines() if done.returncode else []


def cpp_format(_):
    printed = complaints_of(["clang-format-19", "--dry-run", "-Werror"] + tracked("*.c", "*.cc", "*.h"))
    files = {line.split(":")[0] for line in printed if "[-Wclang-format-violations]" in line}
    return [f"{file}: run `clang-format-19 -i`" for file in sorted(files)]


def gn_format(_):
    files = tracked("*.gn", "*.gni", ".gn")
    done = subprocess.run(["gn", "format", "--dry-run"] + files, capture_output=True, text=True)
    return [f"{line}: run `gn format`" for line in done.stdout.split()] if done.returncode else []


def gn_check(options):
    return complaints_of(["gn", "check", options.out])


def licence_lines(_):
    findings = []
    for path in tracked():
        text = None if _NO_LICENCE_LINE.search(path) else text_of(path)
        # Kernel modules are Linux's, the rest ours.
        licence = r"\S.*" if path.startswith(_KERNEL_MODULES) else r"Apache-2\.0"
        if text and not re.search(f"SPDX-License-Identifier: {licence}", "\n".join(text.splitlines()[:2])):
            findings.append(f"{path}: no SPDX line at the top")
    return findings


def machine_words():
    """Texts that say on which machine somebody worked: folders, and hosts of package mirrors."""
    words = {os.getcwd() + "/"}
    home = os.path.expanduser("~")
    if home != "/":
        words.add(home + "/")
    words |= {urlparse(base).hostname or "" for base in mirror.bases()}
    return words - {""}


def forbidden_words(_):
    pattern = "|".join(re.escape(word) for word in sorted(machine_words()))
    pattern = re.compile(rf"(?<![\w.])(?:{pattern})|\b(?:TO" + "DO|FIX" + r"ME)\b")
    findings = []
    for path in tracked():
        for number, line in enumerate((text_of(path) or "").splitlines(), 1):
            if match := pattern.search(line):
                findings.append(f"{path}:{number}: {match[0]}")
    return findings


def sources_in_build(options):
    """Every file that can be compiled or included belongs to a target."""
    described = subprocess.run(
        ["gn", "desc", options.out, "*", "--all-toolchains", "--format=json"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    known = set()
    for target in json.loads(described).values():
        for key in ("sources", "public", "inputs"):
            names = target.get(key, [])
            known |= {name.removeprefix("//") for name in names if isinstance(names, list)}
    shadowing = "syscall-shim/musl/overlay/arch/"  # found by include path, in the place of musl's own
    return [
        f"{path}: belongs to no target"
        for path in tracked("*.c", "*.cc", "*.cpp", "*.S", "*.h", "*.def")
        if path not in known
        and not path.startswith((shadowing, "toolchain/third_party/", *_KERNEL_MODULES, *_OTHER_BUILDS))
    ]


def clang_tidy(options):
    return tidy.findings(options.out, set(tracked("*.c", "*.cc")))


def reproducible(options):
    """A second build in another folder, from another checkout, gives the same enclaves."""
    images = sorted(glob.glob(os.path.join(options.out, "*.elf")))
    with tempfile.TemporaryDirectory(prefix="nsgx-") as folder:
        tree = os.path.join(folder, "another", "place")
        os.makedirs(tree)
        for path in tracked():
            os.makedirs(os.path.join(tree, os.path.dirname(path)), exist_ok=True)
            subprocess.run(["cp", "-p", path, os.path.join(tree, path)], check=True)
        second = os.path.join(tree, "a", "build")
        subprocess.run(["gn", "gen", "-q", second, f"--root={tree}"], check=True)
        names = [os.path.basename(image) for image in images]
        done = subprocess.run(["ninja", "-C", second, "--quiet"] + names, capture_output=True, text=True)
        if done.returncode:
            return done.stdout.splitlines()[-20:]
        return [
            f"{name} differs between two builds"
            for name in names
            if not filecmp.cmp(os.path.join(options.out, name), os.path.join(second, name), shallow=False)
        ]


_STEPS = {
    "cpp-format": cpp_format,
    "gn-format": gn_format,
    "gn-check": gn_check,
    "licence-lines": licence_lines,
    "forbidden-words": forbidden_words,
    "sources-in-build": sources_in_build,
    "clang-tidy": clang_tidy,
    "reproducible": reproducible,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--only", action="append", choices=list(_STEPS), default=[])
    options = parser.parse_args()
    failed = []
    for name, step in _STEPS.items():
        if options.only and name not in options.only:
            continue
        print(f"{name} ...", flush=True)
        count = 0
        for count, finding in enumerate(step(options), 1):
            if count <= 50:
                print(f"  {finding}", flush=True)
        if count > 50:
            print(f"  and {count - 50} more")
        print(f"{name} {'FAILED' if count else 'ok'}", flush=True)
        if count:
            failed.append(name)
    print("presubmit failed: " + " ".join(failed) if failed else "presubmit passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
